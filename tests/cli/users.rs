//! The accounts, as whoever runs the server sees to them: beside a running server, and without one.

use std::process::Command;

use rexpect::process::WaitStatus;
use rexpect::reader::Options;
use rexpect::session::{PtySession, spawn_with_options};
use serde_json::{Value, json};

use crate::program::{Outcome, PATIENCE, RunningServer, Sandbox};
use crate::python::python_with;

/// What Python's bcrypt makes of a password, at a cost that does not make tests wait.
fn hash_of_python(password: &str) -> String {
    let line = "import bcrypt, sys; print(bcrypt.hashpw(sys.argv[1].encode(), bcrypt.gensalt(4)).decode())";
    let output = Command::new(python_with("bcrypt")).args(["-c", line, password]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A sandbox with accounts that were imported; the password of each is `Correct-1`.
fn with_accounts(names: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    let hash = hash_of_python("Correct-1");
    let lines: String = names.iter().map(|name| format!("{name}:{hash}\n")).collect();
    let outcome = sandbox.run_with_input(&["users", "import", "-"], &lines);
    assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{outcome:?}");
    sandbox
}

/// Logs in (or signs up, with a flag more), and leaves.
fn enter(sandbox: &Sandbox, server: &RunningServer, name: &str, password: &str, more: &[&str]) -> Outcome {
    let mut command = sandbox.fernwire(&["chat", &server.pinned_url(), "--user", name]);
    sandbox.start(command.args(more).env("FERNWIRE_PASSWORD", password)).wait()
}

#[track_caller]
fn is_in(outcome: Outcome) {
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}

#[track_caller]
fn is_wrong(outcome: Outcome) {
    outcome.fails(&["the name and the password do not belong together"]);
}

fn passwd(sandbox: &Sandbox, name: &str, password: &str) -> Outcome {
    sandbox.start(sandbox.fernwire(&["users", "passwd", name]).env("FERNWIRE_PASSWORD", password)).wait()
}

/// What the list says, as JSON.
fn listed(sandbox: &Sandbox, more: &[&str]) -> Vec<Value> {
    let outcome = sandbox.run(&[&["users", "list", "--json"], more].concat());
    assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{outcome:?}");
    outcome.stdout.lines().map(|line| line.parse().unwrap()).collect()
}

#[test]
fn people_of_a_python_program_log_in_with_the_passwords_that_they_had() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    let (ada, jose) = (hash_of_python("Correct-1"), hash_of_python("caf\u{e9} simple"));
    sandbox.write("users.txt", 0o600, &format!("# name:hash\n\nada:{ada}\nJos\u{e9}:{jose}\n"));
    let outcome = sandbox.run(&["users", "import", "users.txt"]);
    assert_eq!((outcome.code, &*outcome.stdout, &*outcome.stderr), (Some(0), "2 accounts imported\n", ""));
    is_in(enter(&sandbox, &server, "ada", "Correct-1", &[]));
    is_in(enter(&sandbox, &server, "ADA", "Correct-1", &[]));
    // The rules for new passwords do not shut anybody out who has another.
    is_in(enter(&sandbox, &server, "jos\u{e9}", "caf\u{e9} simple", &[]));
    is_wrong(enter(&sandbox, &server, "ada", "Correct-2", &[]));
}

#[test]
fn what_cannot_be_imported_is_told_with_its_line_and_the_rest_comes_in() {
    let sandbox = with_accounts(&["Ada"]);
    let hash = hash_of_python("Other-one-2");
    let lines = format!("ada:{hash}\nb b:{hash}\nbob:{hash}\nBOB:{hash}\neve:Plain-text-1\n{hash}:eve\nno colon\n");
    sandbox.write("users.txt", 0o600, &lines);
    let outcome = sandbox.run(&["users", "import", "users.txt"]);
    assert_eq!((outcome.code, &*outcome.stdout), (Some(1), "1 account imported\n"), "{outcome:?}");
    let told: Vec<_> = outcome.stderr.lines().collect();
    let reasons = [
        "line 1: the name ada is taken",
        "line 2: b b: a name is made of letters",
        "line 4: the name BOB stands on an earlier line",
        "line 5: eve: what follows the name is no bcrypt hash",
        "line 6: a name is made of letters",
        "line 7: it is not NAME:HASH",
    ];
    assert_eq!(told.len(), reasons.len(), "{told:?}");
    told.iter().zip(reasons).for_each(|(told, reason)| assert!(told.starts_with(reason), "{told:?} is not {reason:?}"));
    assert!(!outcome.stderr.contains(&hash) && !outcome.stderr.contains("Plain-text-1"), "{outcome:?}");

    let server = sandbox.serve(&[]);
    is_in(enter(&sandbox, &server, "bob", "Other-one-2", &[]));
    is_wrong(enter(&sandbox, &server, "ada", "Other-one-2", &[]));
    is_in(enter(&sandbox, &server, "ada", "Correct-1", &[]));
}

#[test]
fn importing_twice_changes_nothing_and_says_so() {
    let sandbox = with_accounts(&["ada", "bob"]);
    let before = listed(&sandbox, &[]);
    let hash = hash_of_python("Other-one-2");
    let again =
        sandbox.run_with_input(&["users", "import", "-", "--json"], &format!("cara:x\nbob:{hash}\nada:{hash}\n"));
    assert_eq!(again.code, Some(1), "{again:?}");
    let object: Value = again.stdout.parse().unwrap();
    assert_eq!(object["imported"], 0);
    let lines: Vec<_> = object["left_out"].as_array().unwrap().iter().map(|line| line["line"].clone()).collect();
    assert_eq!(lines, [1, 2, 3]);
    assert_eq!(object["left_out"][1]["reason"], "the name bob is taken; its password stays as it is");
    assert_eq!(listed(&sandbox, &[]), before);
}

#[test]
fn a_long_file_comes_in_whole() {
    let sandbox = Sandbox::new();
    let hash = hash_of_python("Correct-1");
    let lines: String = (0..1000).map(|i| format!("user{i}:{hash}\n")).collect();
    let outcome = sandbox.run_with_input(&["users", "import", "-"], &lines);
    assert_eq!((outcome.code, &*outcome.stdout), (Some(0), "1000 accounts imported\n"), "{outcome:?}");
    assert_eq!(listed(&sandbox, &[]).len(), 1000);
}

#[test]
fn nothing_to_import_is_an_error_and_makes_no_database() {
    let sandbox = Sandbox::new();
    sandbox.run(&["users", "import", "users.txt"]).fails(&["cannot read users.txt: "]);
    sandbox.run(&["users", "import", "."]).fails(&["cannot read .: "]);
    sandbox.run(&["users", "import", "-"]).fails(&["stdin has no line with an account: NAME:$2b$12$..."]);
    assert_eq!(sandbox.run_with_input(&["users", "import", "-"], "\u{fffd}:x\n").code, Some(1));
    assert!(!sandbox.path("data").exists());
}

#[test]
fn a_file_that_others_can_read_is_imported_with_a_warning() {
    let sandbox = Sandbox::new();
    sandbox.write("my users", 0o644, &format!("ada:{}\n", hash_of_python("Correct-1")));
    let outcome = sandbox.run(&["users", "import", "my users"]);
    assert_eq!((outcome.code, &*outcome.stdout), (Some(0), "1 account imported\n"), "{outcome:?}");
    assert!(outcome.stderr.starts_with("warning: others can read 'my users'"), "{outcome:?}");
    assert!(outcome.stderr.ends_with(": chmod 600 'my users'\n"), "{outcome:?}");
}

#[test]
fn without_a_database_it_is_said_how_there_comes_to_be_one() {
    let sandbox = Sandbox::new();
    let there_is_none: [&[&str]; 3] =
        [&["users", "list"], &["users", "delete", "ada", "--yes"], &["users", "passwd", "ada"]];
    for args in there_is_none {
        let words = ["there is no database ", "/data/fernwire/fernwire.db yet: a server makes it", "--data"];
        sandbox.run(args).fails(&words);
    }
    assert!(!sandbox.path("data").exists());
}

#[test]
fn the_list_says_when_each_account_was_made_used_and_deleted() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    let none = sandbox.run(&["users", "list"]);
    assert_eq!((none.code, &*none.stdout), (Some(0), ""));
    assert!(none.stderr.starts_with("There are no accounts yet: "), "{none:?}");

    is_in(enter(&sandbox, &server, "Longer-name", "Correct-1", &["--signup"]));
    is_in(enter(&sandbox, &server, "bob", "Correct-1", &["--signup"]));
    assert_eq!(sandbox.run(&["users", "delete", "BOB", "--yes"]).stdout, "bob is deleted\n");
    let list = sandbox.run(&["users", "list"]).stdout;
    let shapes: Vec<_> =
        list.lines().map(|line| line.replace(|c: char| c.is_ascii_digit(), "9").trim_end().to_owned()).collect();
    assert_eq!(
        shapes,
        [
            "NAME         CREATED           LAST LOGIN        DELETED",
            "bob          99-99-9999 99:99  99-99-9999 99:99  99-99-9999 99:99",
            "Longer-name  99-99-9999 99:99  99-99-9999 99:99  -",
        ]
    );
    let [bob, longer] = &listed(&sandbox, &[])[..] else { panic!("not two") };
    assert_eq!(
        (&bob["name"], &longer["name"], &longer["deleted"]),
        (&json!("bob"), &json!("Longer-name"), &json!(null))
    );
    for time in [&bob["created"], &bob["last_login"], &bob["deleted"]] {
        assert!(time.as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{time}");
    }
}

#[test]
fn a_new_password_counts_from_then_on_and_the_old_one_no_more() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    is_in(enter(&sandbox, &server, "ada", "Correct-1", &["--signup"]));
    sandbox.write("new", 0o600, "Correct-2\n");
    let outcome = sandbox.run(&["users", "passwd", "ADA", "--password-file", "new"]);
    assert_eq!((outcome.code, &*outcome.stdout), (Some(0), "ada has a new password\n"), "{outcome:?}");
    assert!(outcome.stderr.starts_with("Sessions that are open stay open; "), "{outcome:?}");
    is_wrong(enter(&sandbox, &server, "ada", "Correct-1", &[]));
    is_in(enter(&sandbox, &server, "ada", "Correct-2", &[]));
}

#[test]
fn a_password_that_breaks_a_rule_is_not_set() {
    let sandbox = with_accounts(&["ada"]);
    let outcome = passwd(&sandbox, "ada", "correct-2");
    assert_eq!(outcome.code, Some(2));
    let told: Vec<_> = outcome.stderr.lines().collect();
    let refusal = "fernwire: the password is not set: a password has at least one uppercase letter";
    assert_eq!(told, ["The new password is the one in FERNWIRE_PASSWORD.", refusal]);
    sandbox.run(&["users", "passwd", "ada"]).fails(&["the password is missing: name its file with --password-file"]);
    sandbox.write("open", 0o644, "Correct-2\n");
    sandbox.run(&["users", "passwd", "ada", "--password-file", "open"]).fails(&["the password file: ", "chmod"]);
    sandbox.run(&["users", "passwd", "eve"]).fails(&["there is no account eve; `fernwire users list` shows"]);
    let server = sandbox.serve(&[]);
    is_in(enter(&sandbox, &server, "ada", "Correct-1", &[]));
}

#[test]
fn a_deleted_account_logs_in_no_more_and_its_name_stays_taken_until_it_is_brought_back() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    is_in(enter(&sandbox, &server, "ada", "Correct-1", &["--signup"]));
    sandbox.run(&["users", "delete", "ada"]).fails(&["ada is not deleted", "--yes"]);
    is_in(enter(&sandbox, &server, "ada", "Correct-1", &[]));

    assert_eq!(sandbox.run(&["users", "delete", "ada", "--yes"]).code, Some(0));
    is_wrong(enter(&sandbox, &server, "ada", "Correct-1", &[]));
    enter(&sandbox, &server, "Ada", "Correct-1", &["--signup"]).fails(&["the name Ada has an owner"]);
    sandbox.run(&["users", "delete", "ada", "--yes"]).fails(&["ada was deleted already, on ", "users passwd ada"]);
    sandbox.run(&["users", "delete", "eve", "--yes"]).fails(&["there is no account eve"]);

    assert_eq!(passwd(&sandbox, "ada", "Correct-3").stdout, "ada is back, with a new password\n");
    is_in(enter(&sandbox, &server, "ada", "Correct-3", &[]));
    assert_eq!(listed(&sandbox, &[])[0]["deleted"], json!(null));
}

#[test]
fn the_state_is_found_as_the_server_finds_it() {
    let sandbox = with_accounts(&["ada"]);
    std::fs::rename(sandbox.path("data"), sandbox.path("moved")).unwrap();
    let moved = sandbox.arg("moved/fernwire");
    assert_eq!(listed(&sandbox, &["--data", &moved]).len(), 1);
    assert_eq!(sandbox.run(&["users", "--data", &moved, "list", "--json"]).stdout.lines().count(), 1);
    let config = sandbox.write("config.toml", 0o600, "data = 'moved/fernwire'\n");
    assert_eq!(listed(&sandbox, &["--config", &config.display().to_string()]).len(), 1);
    let with =
        |variable: &str, args: &[&str]| sandbox.start(sandbox.fernwire(args).env("FERNWIRE_DATA", variable)).wait();
    assert_eq!(with(&moved, &["users", "list"]).code, Some(0));
    with("elsewhere", &["users", "list"]).fails(&["elsewhere/fernwire.db"]);
    assert_eq!(with("elsewhere", &["users", "list", "--data", &moved]).code, Some(0));
    with("", &["users", "list"]).fails(&["/data/fernwire/fernwire.db"]);
}

/// `fernwire users` on a terminal of its own.
fn terminal(sandbox: &Sandbox, args: &[&str]) -> PtySession {
    let options = Options::new().timeout_ms(Some(PATIENCE.as_millis() as u64)).strip_ansi_escape_codes(true);
    spawn_with_options(sandbox.fernwire(args), options).unwrap()
}

/// What was still printed, and the exit code.
fn ends(mut terminal: PtySession) -> (String, i32) {
    let rest = terminal.exp_eof().unwrap();
    match terminal.process().wait().unwrap() {
        WaitStatus::Exited(_, code) => (rest, code),
        other => panic!("it did not exit: {other:?}"),
    }
}

#[test]
fn on_a_terminal_a_password_is_asked_for_twice_and_not_shown() {
    let sandbox = with_accounts(&["ada"]);
    let mut terminal = terminal(&sandbox, &["users", "passwd", "ada"]);
    let mut types = |prompt: &str, line: &str| {
        let before = terminal.exp_string(prompt).unwrap();
        terminal.send_line(line).unwrap();
        before
    };
    types("Password: ", "Correct-2");
    types("The same again: ", "Correct-3");
    let differ = types("Password: ", "correct");
    assert!(differ.contains("These two differ."), "{differ}");
    let refused = types("Password: ", "Correct-2");
    assert!(refused.contains("Not this one: a password has at least 8 characters."), "{refused}");
    types("The same again: ", "Correct-2");
    let (rest, code) = ends(terminal);
    assert_eq!(code, 0, "{rest}");
    assert!(rest.contains("ada has a new password") && !rest.contains("Correct"), "{rest}");
    let server = sandbox.serve(&[]);
    is_in(enter(&sandbox, &server, "ada", "Correct-2", &[]));
}

#[test]
fn on_a_terminal_nobody_is_deleted_without_a_yes() {
    let sandbox = with_accounts(&["ada"]);
    for (answer, said, code) in
        [("no", "ada is not deleted", 2), ("", "ada is not deleted", 2), ("yes", "ada is deleted", 0)]
    {
        let mut terminal = terminal(&sandbox, &["users", "delete", "ADA"]);
        let asked = terminal.exp_string("Delete ada? (yes or no): ").unwrap();
        assert!(asked.contains("What it said stays, and its name stays taken"), "{asked}");
        terminal.send_line(answer).unwrap();
        let (rest, ended) = ends(terminal);
        assert!(rest.contains(said) && ended == code, "{answer:?}: {rest}");
    }
    assert!(listed(&sandbox, &[])[0]["deleted"].is_string());
}

#[test]
fn where_nobody_makes_an_account_for_himself_the_operator_does() {
    let sandbox = Sandbox::new();
    sandbox.write("f.toml", 0o600, "[services.chat]\nsignup = false\n");
    let server = sandbox.serve(&["--config", &sandbox.arg("f.toml")]);
    let refused = enter(&sandbox, &server, "ada", "Correct-1", &["--signup"]);
    assert!(refused.code == Some(2) && refused.stderr.contains("ask whoever runs the server"), "{refused:?}");
    let add = |name: &str, password: &str| {
        let mut command = sandbox.fernwire(&["users", "add", name]);
        sandbox.start(command.env("FERNWIRE_PASSWORD", password)).wait()
    };
    assert_eq!(add("ada", "Correct-1").stdout, "ada has an account\n");
    is_in(enter(&sandbox, &server, "ada", "Correct-1", &[]));
    let taken = add("ADA", "Correct-2");
    assert!(taken.code == Some(2) && taken.stderr.contains("the name ada is taken"), "{taken:?}");
    assert!(add("bob", "weak").stderr.contains("at least 8 characters"));
}
