//! Manual pages: one for each command, complete, and such that man(1) has nothing to complain of.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::program::Sandbox;

/// The commands that the help lists, without `help` itself.
fn commands(sandbox: &Sandbox) -> Vec<String> {
    let help = sandbox.run(&["--help"]).stdout;
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = lines.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// The page as text for a terminal would say it, as far as words go.
fn words_of(page: &str) -> String {
    page.replace(r"\fB", "").replace(r"\fI", "").replace(r"\fR", "").replace(r"\-", "-")
}

#[test]
fn every_command_has_a_page_with_all_of_its_flags() {
    let sandbox = Sandbox::new();
    let commands = commands(&sandbox);
    assert!(commands.iter().any(|command| command == "serve"), "{commands:?}");
    let outcome = sandbox.run(&["man", "--out", "share/man/man1"]);
    let written: BTreeSet<_> = outcome.stdout.lines().map(str::to_owned).collect();
    let path = |command: &str| format!("share/man/man1/fernwire-{command}.1");
    let expected = commands.iter().map(|command| path(command)).chain(["share/man/man1/fernwire.1".into()]);
    assert_eq!((outcome.code, written), (Some(0), expected.collect()));
    assert_eq!(sandbox.read("share/man/man1/fernwire.1"), sandbox.run(&["man"]).stdout);
    for command in &commands {
        let page = sandbox.read(&path(command));
        assert_eq!(page, sandbox.run(&["man", command]).stdout);
        let page = words_of(&page);
        let help = sandbox.run(&[command, "--help"]).stdout;
        for line in help.lines().map(str::trim_start).filter(|line| line.starts_with('-')) {
            let flag = line.split(' ').find(|word| word.starts_with("--")).unwrap();
            let mut described = page.lines().filter(|line| line.starts_with('-'));
            assert!(
                described.any(|line| line.split(' ').any(|word| word == flag)),
                "no {flag} on the page of {command}"
            );
        }
        for title in ["NAME", "SYNOPSIS", "OPTIONS", "\"EXIT STATUS\"", "\"SEE ALSO\""] {
            assert!(page.contains(&format!("\n.SH {title}\n")), "no {title} on the page of {command}");
        }
    }
}

#[test]
fn the_programs_page_names_every_variable_that_it_reads() {
    let page = words_of(&Sandbox::new().run(&["man"]).stdout);
    let mut variables =
        BTreeSet::from(["NO_COLOR", "SSL_CERT_FILE", "XDG_CONFIG_HOME", "XDG_DATA_HOME"].map(str::to_owned));
    variables_below(Path::new("src/bin"), &mut variables);
    assert!(variables.contains("FERNWIRE_LISTEN") && variables.contains("FERNWIRE_SERVER"), "{variables:?}");
    for variable in variables {
        assert!(page.contains(&format!("\n{variable}\n")), "no {variable}");
    }
}

/// Every word that begins as our variables do.
fn variables_below(folder: &Path, found: &mut BTreeSet<String>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            variables_below(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let words = text.split(|c: char| !(c.is_ascii_uppercase() || c == '_'));
        found.extend(
            words.filter(|word| word.len() > "FERNWIRE_".len() && word.starts_with("FERNWIRE_")).map(str::to_owned),
        );
    }
}

#[test]
fn no_page_gives_groff_a_reason_to_complain() {
    if Command::new("groff").arg("--version").output().is_err() {
        return eprintln!("skipped: there is no groff");
    }
    let sandbox = Sandbox::new();
    for page in sandbox.run(&["man", "--out", "pages"]).stdout.lines() {
        assert!(sandbox.read(page).is_ascii(), "{page}");
        let outcome = sandbox.start(sandbox.command("groff").args(["-man", "-ww", "-z", page])).wait();
        assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{page}");
    }
}

#[test]
fn what_is_quoted_and_what_is_said_after_the_options_arrive_on_the_page() {
    if Command::new("groff").arg("--version").output().is_err() {
        return eprintln!("skipped: there is no groff");
    }
    let sandbox = Sandbox::new();
    sandbox.run(&["man", "--out", "pages"]);
    let reads = |page: &str, words: &[&str]| {
        let text = sandbox.start(sandbox.command("groff").args(["-man", "-Tutf8", "-P-cbou", page])).wait().stdout;
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        words.iter().for_each(|word| assert!(text.contains(word), "no {word:?} in {text}"));
    };
    reads(
        "pages/fernwire-query.1",
        &["if the first has `://` in it", "The server's URL", "1 at least one query was EMPTY"],
    );
    reads("pages/fernwire-serve.1", &["psk keys from secret.key: any holder", "$XDG_CONFIG_HOME/fernwire/config.toml"]);
    reads(
        "pages/fernwire.1",
        &[
            "--secret-key of fernwire-serve(1), fernwire-query(1), fernwire-chat(1)",
            "fernwire-submit(1), which counts more",
        ],
    );
    reads(
        "pages/fernwire-users.1",
        &[
            "fernwire users passwd [OPTIONS] <NAME>",
            "--password-file <FILE> The file with the new password",
            "--yes Delete it without asking",
            "NAME:HASH, with a hash as Python's bcrypt writes it ($2b$12$...)",
            "1 at least one line was left out",
        ],
    );
}

#[test]
fn a_folder_that_cannot_be_written_is_said_to_be_so() {
    let sandbox = Sandbox::new();
    sandbox.write("file", 0o644, "");
    sandbox.run(&["man", "--out", "file"]).fails(&["cannot make file: "]);
    fs::create_dir_all(sandbox.path("pages/fernwire.1")).unwrap();
    sandbox.run(&["man", "--out", "pages"]).fails(&["cannot write pages/fernwire.1: "]);
}
