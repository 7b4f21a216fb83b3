//! Where a server's settings come from, which of them count, and that they take effect.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::program::{Outcome, RunningServer, Sandbox};

/// The file that is read if nobody names one.
const DEFAULT_FILE: &str = "config/fernwire/config.toml";

const PEM: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEIHcHbQpzGKV9PBbBclGyZkXfTC+H68CZKrF3+6UduSwq\n";

/// `fernwire serve` with nothing but what is said here.
fn serve(sandbox: &Sandbox, variables: &[(&str, &str)], args: &[&str]) -> Command {
    let mut command = sandbox.fernwire(&["serve"]);
    command.args(args).envs(variables.iter().copied());
    command
}

fn check(sandbox: &Sandbox, variables: &[(&str, &str)], args: &[&str]) -> Outcome {
    sandbox.start(serve(sandbox, variables, args).arg("--check")).wait()
}

/// A server on a port that the system chooses, with a tick that does not make tests wait, and these lines.
fn serve_file(sandbox: &Sandbox, lines: &str) -> RunningServer {
    let text = format!("listen = [\"tcp://127.0.0.1:0\"]\n{lines}\n");
    let file = sandbox.write("f.toml", 0o600, &text);
    sandbox.serve_with(&mut serve(sandbox, &[], &["--config", &file.display().to_string()]))
}

#[test]
fn a_flag_counts_more_than_the_environment_that_more_than_the_file_and_that_more_than_the_default() {
    let sandbox = Sandbox::new();
    let socket = |name: &str| format!("unix://{}", sandbox.arg(name));
    let (by_file, by_variable, by_flag) = (socket("file.sock"), socket("variable.sock"), socket("flag.sock"));
    let file = sandbox.write(DEFAULT_FILE, 0o644, &format!("listen = [\"{by_file}\"]\n"));

    let server = sandbox.serve_with(&mut serve(&sandbox, &[], &[]));
    assert_eq!(server.urls(), [&by_file]);
    assert!(server.banner().contains(&format!("\n  config      {}\n", file.display())), "{}", server.banner());
    server.stop();
    let variables = [("FERNWIRE_LISTEN", &*by_variable)];
    let server = sandbox.serve_with(&mut serve(&sandbox, &variables, &[]));
    assert_eq!(server.urls(), [&by_variable]);
    server.stop();
    let server = sandbox.serve_with(&mut serve(&sandbox, &variables, &["--listen", &by_flag]));
    assert_eq!(server.urls(), [&by_flag]);
    server.stop();
    fs::remove_file(file).unwrap();
    let server = sandbox.serve(&[]);
    assert!(!server.banner().contains("  config "), "{}", server.banner());
}

#[test]
fn every_setting_has_the_same_order() {
    // The file's line, the variable, the flag, what of the report tells of it; and what tells of the default.
    for (key, variable, flag, values, reported, default) in [
        (
            "listen",
            "FERNWIRE_LISTEN",
            "--listen",
            ["tcp://h:1", "tcp://h:2", "tcp://h:3"],
            "listening",
            "tcp://127.0.0.1:3376",
        ),
        ("kex", "FERNWIRE_KEX", "--kex", ["psk", "x25519+psk", "x25519"], "key modes", "x25519"),
        ("secret_key", "FERNWIRE_SECRET_KEY_FILE", "--secret-key", ["f.key", "v.key", "a.key"], "secret key", ""),
        ("data", "FERNWIRE_DATA", "--data", ["by-file", "by-variable", "by-flag"], "identity", "data/fernwire"),
        ("services.query.tick", "FERNWIRE_TICK", "--tick", ["2s", "3s", "4s"], "services", "1s"),
    ] {
        let sandbox = Sandbox::new();
        for name in ["f.key", "v.key", "a.key"] {
            sandbox.run(&["keygen", name]);
        }
        let reports = |outcome: Outcome, value: &str| {
            let line =
                outcome.stdout.lines().find(|line| line.starts_with(&format!("  {reported}"))).unwrap_or_default();
            assert!(outcome.code == Some(0) && line.contains(value), "{value}: {outcome:?}");
        };
        reports(check(&sandbox, &[], &[]), default);
        let value = if key == "listen" { format!("[\"{}\"]", values[0]) } else { format!("\"{}\"", values[0]) };
        sandbox.write("f.toml", 0o600, &format!("{key} = {value}\n"));
        let config = ["--config", "f.toml"];
        reports(check(&sandbox, &[], &config), values[0]);
        reports(check(&sandbox, &[(variable, values[1])], &config), values[1]);
        reports(check(&sandbox, &[(variable, values[1])], &[&config[..], &[flag, values[2]]].concat()), values[2]);
        // A variable that is set to nothing is not set.
        reports(check(&sandbox, &[(variable, "")], &config), values[0]);
    }
}

#[test]
fn a_certificate_and_its_key_come_from_the_same_place() {
    let sandbox = Sandbox::new();
    for folder in ["file", "variable", "flag"] {
        assert_eq!(sandbox.run(&["certs", "--out", folder, "--host", &format!("{folder}.example")]).code, Some(0));
    }
    let pair = "cert = \"file/server.pem\"\nkey = \"file/server-key.pem\"\n";
    sandbox.write("f.toml", 0o600, &format!("listen = [\"tls://h:1\"]\n[tls]\n{pair}"));
    let file = ["--config", "f.toml"];
    let shows = |outcome: Outcome, folder: &str| {
        let certificate = format!("certificate {folder}.example; until ");
        assert!(outcome.code == Some(0) && outcome.stdout.contains(&certificate), "{outcome:?}");
    };
    shows(check(&sandbox, &[], &file), "file");
    let variables = [("FERNWIRE_TLS_CERT", "variable/server.pem"), ("FERNWIRE_TLS_KEY", "variable/server-key.pem")];
    shows(check(&sandbox, &variables, &file), "variable");
    let flags = ["--config", "f.toml", "--tls-cert", "flag/server.pem", "--tls-key", "flag/server-key.pem"];
    shows(check(&sandbox, &variables, &flags), "flag");
    check(&sandbox, &variables[..1], &file).is_usage_error(&["required arguments were not provided"]);
    // Another listener for once does not make the file wrong.
    sandbox.serve_with(&mut serve(&sandbox, &[], &["--config", "f.toml", "--listen", "tcp://127.0.0.1:0"])).stop();
}

#[test]
fn the_file_is_named_by_flag_or_environment_or_is_the_users_own() {
    let sandbox = Sandbox::new();
    for (name, kex) in [(DEFAULT_FILE, "x25519"), ("variable.toml", "psk"), ("flag.toml", "x25519+psk")] {
        sandbox.write(name, 0o644, &format!("kex = \"{kex}\"\n"));
    }
    let modes = |variables: &[(&str, &str)], args: &[&str]| {
        let report = check(&sandbox, variables, args).stdout;
        report.lines().find_map(|line| line.strip_prefix("  key modes   ")).unwrap().to_owned()
    };
    assert_eq!(modes(&[], &[]), "x25519");
    assert_eq!(modes(&[("FERNWIRE_CONFIG", "variable.toml")], &[]), "psk");
    assert_eq!(modes(&[("FERNWIRE_CONFIG", "")], &[]), "x25519");
    assert_eq!(modes(&[("FERNWIRE_CONFIG", "variable.toml")], &["--config", "flag.toml"]), "x25519+psk");
    assert_eq!(modes(&[], &["--config", "/dev/null", "--kex", "psk"]), "psk");
    check(&sandbox, &[("FERNWIRE_CONFIG", "no.toml")], &[]).fails(&["no.toml: there is no such configuration file"]);
    // The user's own file is held to the same rules as any other.
    sandbox.write(DEFAULT_FILE, 0o644, "kez = 1\n");
    sandbox.run(&["serve"]).fails(&["config.toml:1: `kez` is not a key here; did you mean `kex`?"]);
}

#[test]
fn a_relative_path_begins_at_the_folder_of_the_file() {
    let sandbox = Sandbox::new();
    let lines = "listen = [\"tcp://127.0.0.1:0\"]\nkex = \"x25519+psk\"\ndata = \"state\"\nsecret_key = \"our.key\"\n";
    sandbox.write("etc/f.toml", 0o644, lines);
    let server = sandbox.serve_with(&mut serve(&sandbox, &[], &["--config", "etc/f.toml"]));
    assert!(server.banner().contains("(etc/our.key, made just now)"), "{}", server.banner());
    server.stop();
    assert!(sandbox.path("etc/our.key").exists() && sandbox.path("etc/state/identity.key").exists());
}

#[test]
fn limits_from_the_file_take_effect() {
    let sandbox = Sandbox::new();
    let server = serve_file(&sandbox, "[limits]\nmax_anonymous_per_source = 1\n[services.query]\ntick = \"20ms\"");
    let mut first = sandbox.start_on_pipe(&["query", server.url()]);
    server.log().wait_for("session begins");
    sandbox.run(&["query", server.url(), "SetA-One"]).fails(&["your address has 1 sessions"]);
    first.write("SetA-Two\n");
    first.close_stdin();
    first.wait().is_timestamps(2);
}

#[test]
fn a_table_from_the_file_replaces_the_whole_default_one() {
    let sandbox = Sandbox::new();
    let table = "[services.query]\ntick = \"20ms\"\n[services.query.table.Fruit]\napple-tree = 3\n\"two words\" = 1";
    let server = serve_file(&sandbox, table);
    sandbox.run(&["query", server.url(), "Fruit-apple-tree", "Fruit-two words"]).is_timestamps(4);
    assert_eq!(sandbox.run(&["query", server.url(), "SetA-One"]).stdout, "EMPTY\n");
}

#[test]
fn a_check_makes_nothing_and_binds_nothing() {
    let sandbox = Sandbox::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, socket) = (taken.local_addr().unwrap().port(), sandbox.arg("s.sock"));
    let lines = format!("listen = [\"tcp://127.0.0.1:{port}\", \"unix://{socket}\"]\nkex = \"x25519+psk,psk\"\n");
    let file = sandbox.write("f.toml", 0o644, &lines);
    let outcome = check(&sandbox, &[], &["--config", "f.toml"]);
    assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{outcome:?}");
    assert_eq!(outcome.stdout.matches("which would be made").count(), 2, "{outcome:?}");
    assert_eq!(everything_below(&sandbox.path("")), [file.display().to_string()]);
    drop(taken);

    // What is there is shown as it is, and stays so.
    let server = sandbox.serve_with(&mut serve(&sandbox, &[], &["--config", "f.toml"]));
    let outcome = check(&sandbox, &[], &["--config", "f.toml"]);
    assert!(outcome.stdout.contains(server.identity()), "{outcome:?}");
    assert!(!outcome.stdout.contains("would be made"), "{outcome:?}");
}

#[test]
fn a_check_fails_as_the_server_would() {
    let sandbox = Sandbox::new();
    sandbox.run(&["keygen"]);
    sandbox.serve(&["--kex", "x25519"]).stop();
    sandbox.write("secret.key", 0o644, &sandbox.read("secret.key"));
    sandbox.write("data/fernwire/identity.key", 0o640, &sandbox.read("data/fernwire/identity.key"));
    sandbox.write("bad.toml", 0o644, "kex = 1\n");
    sandbox.write("file", 0o644, "");
    for args in [
        &["--kex", "psk"][..],
        &["--kex", "x25519"],
        &["--config", "bad.toml"],
        &["--secret-key", "no.key"],
        &["--kex", "x25519", "--listen", "memory://x"],
        &["--kex", "psk", "--secret-key", "file/x.key"],
    ] {
        let checked = check(&sandbox, &[], args);
        checked.fails(&[]);
        assert_eq!(sandbox.start(&mut serve(&sandbox, &[], args)).wait().stderr, checked.stderr);
    }
    let outcome = check(&sandbox, &[("FERNWIRE_LOG_LEVEL", "loud")], &["--kex", "psk"]);
    outcome.is_usage_error(&["error, warn, info, debug or trace"]);
    check(&sandbox, &[], &["--kex", "x25519", "--data", "/proc/self/nowhere"]).fails(&["/proc/self/nowhere"]);
}

#[test]
fn a_key_instead_of_the_name_of_its_file_is_not_repeated() {
    let sandbox = Sandbox::new();
    sandbox.run(&["keygen"]);
    let secret = sandbox.read("secret.key").trim().to_owned();
    // Every outcome is searched for the secrets of its sandbox.
    sandbox.write("f.toml", 0o600, &format!("kex = \"psk\"\nsecret_key = \"{secret}\"\n"));
    sandbox.run(&["serve", "--config", "f.toml"]).fails(&["f.toml:2: that is a key itself", "make a new one"]);
    sandbox.write("f.toml", 0o600, &format!("\"{secret}\" = \"{secret}\"\n"));
    sandbox.run(&["serve", "--config", "f.toml"]).fails(&["f.toml:1: `(a key, not shown)=` is not a key here"]);
    sandbox.run(&["serve", "--config", &secret]).fails(&["there is no such configuration file"]);
    check(&sandbox, &[("FERNWIRE_DATA", &secret)], &[]).fails(&["FERNWIRE_DATA: that is a key itself"]);
    let outcome = check(&sandbox, &[("FERNWIRE_TLS_CERT", "x.pem"), ("FERNWIRE_TLS_KEY", PEM)], &[]);
    outcome.fails(&["FERNWIRE_TLS_KEY: that is a key itself"]);
    assert!(!outcome.stderr.contains("MC4C"), "{outcome:?}");
}

#[test]
fn a_variable_that_clients_read_too_may_name_a_key_that_this_server_does_not_use() {
    let sandbox = Sandbox::new();
    let variables = [("FERNWIRE_SECRET_KEY_FILE", "secret.key")];
    let outcome = check(&sandbox, &variables, &["--kex", "x25519"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    check(&sandbox, &[], &["--kex", "x25519", "--secret-key", "secret.key"]).fails(&["--secret-key: ", "never used"]);
}

#[test]
fn a_mistake_in_the_environment_is_told_with_the_variable() {
    let outcome = check(&Sandbox::new(), &[("FERNWIRE_LISTEN", "tcp://h:1,tcp://h:1")], &[]);
    outcome.fails(&["FERNWIRE_LISTEN: tcp://h:1 is where tcp://h:1 listens already"]);
}

#[test]
fn a_pipe_is_no_configuration_and_does_not_hang_the_server() {
    let sandbox = Sandbox::new();
    sandbox.paste("mkfifo f.toml");
    sandbox.run(&["serve", "--config", "f.toml"]).fails(&["f.toml: this is a pipe, socket or device, not a file"]);
}

/// Every file, whatever its folder.
fn everything_below(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { everything_below(&path) } else { vec![path.display().to_string()] })
        .collect()
}
