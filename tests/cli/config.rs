//! Where a server's settings come from, which of them count, and that they take effect.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{chown, lchown, symlink};
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
            ["tcp://127.0.0.1:1", "tcp://127.0.0.1:2", "tcp://127.0.0.1:3"],
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
fn what_is_open_and_where_data_goes_has_the_same_order() {
    let sandbox = Sandbox::new();
    sandbox.write("f.toml", 0o600, "open = [\"log\"]\n[services.submit]\nto = [\"print\"]\n");
    let reports = |variables: &[(&str, &str)], args: &[&str], lines: [&str; 2]| {
        let outcome = check(&sandbox, variables, args);
        let there = |line: &&str| outcome.stdout.contains(&format!("\n  {line}\n"));
        assert!(outcome.code == Some(0) && lines.iter().all(there), "{lines:?}: {outcome:?}");
    };
    let (closed, open) = ("message log server_logs.txt", "message log server_logs.txt (open to everybody)");
    let variables = [("FERNWIRE_OPEN", "submit"), ("FERNWIRE_SUBMISSIONS", "file")];
    let flags = ["--config", "f.toml", "--open", "log,submit", "--submissions", "print,file"];
    reports(&[], &[], [closed, "submissions print, submissions.jsonl, the database"]);
    reports(&[], &flags[..2], [open, "submissions print, the database"]);
    reports(&variables, &flags[..2], [closed, "submissions submissions.jsonl, the database (open to everybody)"]);
    let all = "submissions print, submissions.jsonl, the database (open to everybody)";
    reports(&variables, &flags, [open, all]);
    check(&sandbox, &[], &["--open", "chat"]).is_usage_error(&["are log and submit"]);
}

#[test]
fn a_certificate_and_its_key_come_from_the_same_place() {
    let sandbox = Sandbox::new();
    for folder in ["file", "variable", "flag"] {
        assert_eq!(sandbox.run(&["certs", "--out", folder, "--host", &format!("{folder}.example")]).code, Some(0));
    }
    let pair = "cert = \"file/server.pem\"\nkey = \"file/server-key.pem\"\n";
    sandbox.write("f.toml", 0o600, &format!("listen = [\"tls://127.0.0.1:1\"]\n[tls]\n{pair}"));
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
    // Half of a pair is never made whole by another source.
    check(&sandbox, &variables[..1], &file).fails(&["FERNWIRE_TLS_CERT: there is no FERNWIRE_TLS_KEY to go with it"]);
    check(&sandbox, &variables[1..], &[]).fails(&["FERNWIRE_TLS_KEY: there is no FERNWIRE_TLS_CERT"]);
    check(&sandbox, &variables[..1], &flags[4..]).fails(&["--tls-key: there is no --tls-cert to go with it"]);
    check(&sandbox, &variables, &flags[2..4]).fails(&["--tls-cert: there is no --tls-key to go with it"]);
}

#[test]
fn only_a_flag_takes_tls_off_and_says_so() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["certs"]).code, Some(0));
    let pair = "[tls]\ncert = \"certs/server.pem\"\nkey = \"certs/server-key.pem\"\n";
    sandbox.write("f.toml", 0o600, &format!("listen = [\"tls://127.0.0.1:0\", \"tcp://127.0.0.1:0\"]\n{pair}"));
    sandbox.write("plain.toml", 0o600, "listen = [\"tcp://127.0.0.1:0\"]\n");
    // Both beside each other may be wanted.
    assert_eq!(check(&sandbox, &[], &["--config", "f.toml"]).code, Some(0));

    let listen = ["--config", "f.toml", "--listen", "tcp://127.0.0.1:0"];
    let note = "\n  note        the certificate certs/server.pem is not used: --listen names no tls:// address\n";
    let outcome = check(&sandbox, &[], &listen);
    assert!(outcome.code == Some(0) && outcome.stdout.contains(note), "{outcome:?}");
    let server = sandbox.serve_with(&mut serve(&sandbox, &[], &listen));
    assert!(server.banner().contains(note), "{}", server.banner());

    let by_variable = [("FERNWIRE_LISTEN", "tcp://127.0.0.1:0")];
    let words = ["f.toml:3: the TLS certificate is for no listener, since FERNWIRE_LISTEN has none on tls://"];
    check(&sandbox, &by_variable, &listen[..2]).fails(&words);
    let variables = [("FERNWIRE_TLS_CERT", "certs/server.pem"), ("FERNWIRE_TLS_KEY", "certs/server-key.pem")];
    let plain = ["--config", "plain.toml"];
    check(&sandbox, &variables, &plain).fails(&["FERNWIRE_TLS_CERT: ", "since plain.toml:1 has none on tls://"]);
}

#[test]
fn a_file_that_others_can_change_is_refused_with_the_command_that_helps() {
    let sandbox = Sandbox::new();
    let refused = |words: &[&str]| {
        let outcome = check(&sandbox, &[], &[]);
        outcome.fails(words);
        assert_eq!(sandbox.run(&["serve"]).stderr, outcome.stderr);
    };
    for (mode, shown) in [(0o664, "0664"), (0o646, "0646")] {
        let file = sandbox.write(DEFAULT_FILE, mode, "kex = \"psk\"\n").display().to_string();
        let words =
            format!("{file}: other users can change what the server does (mode {shown}); run: chmod go-w {file}");
        refused(&[&words]);
    }
    sandbox.write("f.toml", 0o646, "kex = \"psk\"\n");
    check(&sandbox, &[], &["--config", "f.toml"]).fails(&["f.toml: other users", "run: chmod o-w f.toml"]);
    // Who names a file knows its group.
    sandbox.write("f.toml", 0o664, "kex = \"psk\"\n");
    assert_eq!(check(&sandbox, &[], &["--config", "f.toml"]).code, Some(0));

    let file = sandbox.write(DEFAULT_FILE, 0o644, "kex = \"psk\"\n").display().to_string();
    // Only root can give a file away.
    if chown(&file, Some(12_345), None).is_ok() {
        refused(&["config.toml: the file belongs to another user (uid 12345)", &format!("run: chown 0 {file}")]);
        assert_eq!(check(&sandbox, &[], &["--config", &file]).code, Some(0));
    }
}

#[test]
fn a_link_to_nothing_is_not_nothing() {
    let sandbox = Sandbox::new();
    let dangling = |name: &str| {
        fs::create_dir_all(sandbox.path(name).parent().unwrap()).unwrap();
        symlink("gone", sandbox.path(name)).unwrap();
    };
    let refused = |args: &[&str], words: &[&str]| {
        let outcome = check(&sandbox, &[], args);
        outcome.fails(words);
        assert_eq!(sandbox.start(&mut serve(&sandbox, &[], args)).wait().stderr, outcome.stderr);
    };
    dangling("data/fernwire/identity.key");
    refused(&[], &["cannot read ", "identity.key: it is a link that leads nowhere; mount what gone is on"]);
    sandbox.run(&["id"]).fails(&["identity.key: it is a link that leads nowhere"]);
    dangling("secret.key");
    // Not even with the key modes for which a key would be made.
    for args in [&[][..], &["--kex", "psk"], &["--kex", "psk", "--secret-key", "secret.key"]] {
        refused(args, &["cannot read secret.key: it is a link that leads nowhere"]);
    }
    sandbox.run(&["query", "SetA-One"]).fails(&["cannot read secret.key: it is a link that leads nowhere"]);
    // Only root can give it away: whoever else may write here does not keep us from connecting without a key.
    if lchown(sandbox.path("secret.key"), Some(12_345), None).is_ok() {
        refused(&[], &["secret.key belongs to another user"]);
        let outcome = sandbox.run(&["query", "unix:///nowhere/s.sock", "SetA-One"]);
        assert!(outcome.stderr.starts_with("Not used: secret.key belongs to another user"), "{outcome:?}");
    }
    dangling(DEFAULT_FILE);
    refused(&["--kex", "x25519"], &["config.toml: this is a link that leads nowhere"]);
    refused(&["--config", DEFAULT_FILE], &["config.toml: this is a link that leads nowhere"]);
}

#[test]
fn a_named_folder_for_state_needs_no_home() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["certs"]).code, Some(0));
    let args = ["--listen", "tls://127.0.0.1:0", "--data", "state", "--tls-cert", "certs/server.pem"];
    let homeless = |more: &[&str]| {
        let mut command = serve(&sandbox, &[], &[&args[..], &["--tls-key", "certs/server-key.pem"], more].concat());
        command.env_remove("HOME").env_remove("XDG_DATA_HOME").env_remove("XDG_CONFIG_HOME");
        command
    };
    let outcome = sandbox.start(&mut homeless(&["--check"])).wait();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    sandbox.serve_with(&mut homeless(&[])).stop();
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
fn a_check_knows_whether_the_listeners_can_be_where_they_are_wanted() {
    let sandbox = Sandbox::new();
    sandbox.write("file", 0o644, "");
    let long = format!("unix:///{}", "x".repeat(200));
    for (listeners, words) in [
        (&["tcp://no-such-host.invalid:1"][..], "cannot listen at tcp://no-such-host.invalid:1: "),
        (&["tcp://192.0.2.1:1"], "cannot listen at tcp://192.0.2.1:1: "),
        (&["unix:///nowhere/s.sock"], "cannot listen at unix:///nowhere/s.sock: its folder does not exist"),
        (&[&*format!("unix://{}", sandbox.arg("file"))], "is in the way: it is not a socket"),
        (&[&*long], "cannot listen at unix:///xxx"),
        (&["tcp://0.0.0.0:1", "tls://127.0.0.1:1"], "tls://127.0.0.1:1 is where tcp://0.0.0.0:1 listens already"),
        (&["tcp://localhost:1", "tcp://127.0.0.1:1"], "tcp://127.0.0.1:1 is where tcp://localhost:1 listens already"),
    ] {
        let args: Vec<_> = listeners.iter().flat_map(|url| ["--listen", url]).collect();
        let outcome = check(&sandbox, &[], &args);
        outcome.fails(&[words]);
        assert_eq!(sandbox.start(&mut serve(&sandbox, &[], &args)).wait().stderr, outcome.stderr);
    }
    assert!(!sandbox.path("data").exists());
    let apart = ["--listen", "tcp://127.0.0.1:1", "--listen", "tcp://127.0.0.2:1", "--listen", "tcp://0.0.0.0:2"];
    assert_eq!(check(&sandbox, &[], &apart).code, Some(0));
}

#[test]
fn id_shows_the_server_that_would_run() {
    let sandbox = Sandbox::new();
    for data in ["by-default", "by-file", "by-variable", "by-flag"] {
        let folder = if data == "by-default" { "data/fernwire" } else { data };
        sandbox.serve(&["--data", folder]).stop();
    }
    let id = |variables: &[(&str, &str)], args: &[&str]| {
        let outcome = sandbox.start(sandbox.fernwire(&["id"]).args(args).envs(variables.iter().copied())).wait();
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        outcome.stdout
    };
    let shows = |printed: String, data: &str, port: u16| {
        let shown = sandbox.run(&["id", "--data", data]).stdout;
        let identity = shown.lines().next().unwrap();
        let url = format!("'tcp://127.0.0.1:{port}#{identity}'");
        assert!(printed.starts_with(identity) && printed.contains(&url), "{data}, {port}: {printed}");
        assert_eq!(printed.lines().count(), 2, "{printed}");
    };
    shows(id(&[], &[]), "data/fernwire", 3376);
    sandbox.write("f.toml", 0o600, "listen = [\"tcp://127.0.0.1:1\"]\ndata = \"by-file\"\n");
    let config = ["--config", "f.toml"];
    shows(id(&[], &config), "by-file", 1);
    shows(id(&[("FERNWIRE_CONFIG", "f.toml")], &[]), "by-file", 1);
    let variables = [("FERNWIRE_DATA", "by-variable"), ("FERNWIRE_LISTEN", "tcp://127.0.0.1:2")];
    shows(id(&variables, &config), "by-variable", 2);
    let flags = ["--config", "f.toml", "--data", "by-flag", "--listen", "tcp://127.0.0.1:3"];
    shows(id(&variables, &flags), "by-flag", 3);
    sandbox.write(DEFAULT_FILE, 0o600, "data = \"../../by-file\"\n");
    shows(id(&[], &[]), "by-file", 3376);
    sandbox.write(DEFAULT_FILE, 0o600, "kez = 1\n");
    sandbox.run(&["id"]).fails(&["config.toml:1: `kez` is not a key here"]);
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
    sandbox.run(&["serve", "--config", &secret]).fails(&["--config: that is a key itself"]);
    check(&sandbox, &[("FERNWIRE_DATA", &secret)], &[]).fails(&["FERNWIRE_DATA: that is a key itself"]);
    for text in [PEM, &format!("Bag Attributes\n    localKeyID: 01\n{PEM}")] {
        let outcome = check(&sandbox, &[("FERNWIRE_TLS_CERT", "x.pem"), ("FERNWIRE_TLS_KEY", text)], &[]);
        outcome.fails(&["FERNWIRE_TLS_KEY: that is a key itself"]);
        assert!(!outcome.stderr.contains("MC4C"), "{outcome:?}");
    }
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
