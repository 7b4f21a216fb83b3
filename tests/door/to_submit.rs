//! `fernwire submit` at servers that speak bare Fernet, and say nothing.

use crate::program::{Outcome, Sandbox};
use crate::python::python_with;
use crate::scene::{folder_with_key, python_server, server_that_hangs_up, server_that_says};

const SENT: &str = "Sent; a server of this kind acknowledges nothing, so whether it is stored is unknown\n";

#[track_caller]
fn is_sent(outcome: &Outcome, count: usize) {
    assert_eq!((outcome.code, outcome.stdout.matches(SENT).count()), (Some(0), count), "{outcome:?}");
}

#[test]
fn each_document_comes_in_a_recv_of_its_own() {
    let sandbox = folder_with_key();
    // What is sent within a tenth of a second is one token to it.
    let (server, url) = python_server(&sandbox, "submit_server.py", &["0.1"]);
    let answers = "ada\nlovelace\njson\nyes\ngrace\nhopper\nbinary\nyes\nalan\nturing\nxml\nno\n";
    is_sent(&sandbox.run_with_input(&["submit", &url], answers), 3);
    let printed = server.stdout.wait_for("session_end\n");
    let lines: Vec<_> = printed.lines().skip(1).collect();
    assert_eq!(
        lines,
        [
            "json {'first_name': 'Ada', 'last_name': 'Lovelace'}",
            "binary {'first_name': 'Grace', 'last_name': 'Hopper'}",
            "xml {'first_name': 'Alan', 'last_name': 'Turing'}",
            "session_end",
        ]
    );
    assert_eq!(server.stderr.so_far(), "");
}

#[test]
fn pairs_and_files_are_documents() {
    let sandbox = folder_with_key();
    let (server, url) = python_server(&sandbox, "submit_server.py", &[]);
    is_sent(&sandbox.run(&["submit", &url, "first_name=Ada", "number=1"]), 1);
    is_sent(&sandbox.run(&["submit", &url, "--format", "binary", "a=b"]), 1);
    write_with_python(&sandbox, "import pickle; open('a.pickle', 'wb').write(pickle.dumps({'list': [1, 2.5, None]}))");
    is_sent(&sandbox.run(&["submit", &url, "--file", "a.pickle"]), 1);
    server.stdout.wait_until_count("session_end\n", 3);
    let printed = server.stdout.so_far();
    for line in ["json {'first_name': 'Ada', 'number': '1'}", "binary {'a': 'b'}", "binary {'list': [1, 2.5, None]}"] {
        assert!(printed.contains(&format!("{line}\nsession_end\n")), "{printed}");
    }
    let outcome = sandbox.run(&["submit", &url, "--json", "a=b"]);
    assert_eq!(outcome.stdout, "{\"acknowledged\":false,\"event\":\"sent\"}\n");
    assert_eq!(server.stderr.so_far(), "");
}

fn port_of(url: &str) -> &str {
    url.split('?').next().unwrap().rsplit(':').next().unwrap()
}

fn write_with_python(sandbox: &Sandbox, script: &str) {
    let python = python_with("cryptography").display().to_string();
    let outcome = sandbox.start(sandbox.command(&python).args(["-c", script])).wait();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}

#[test]
fn what_does_not_fit_is_not_sent() {
    let sandbox = folder_with_key();
    let (server, url) = python_server(&sandbox, "submit_server.py", &[]);
    // {"a": ""} is what is around the value.
    let (fits, long) = ("x".repeat(3007 - 9), "x".repeat(3008 - 9));
    let refused = sandbox.run(&["submit", &url, &format!("a={long}")]);
    refused.fails(&["3008 bytes make a token of 4108 characters", "4096", "max-token="]);
    // Before anybody is called.
    let nobody = url.replace(port_of(&url), "1");
    sandbox.run(&["submit", &nobody, &format!("a={long}")]).fails(&["3008 bytes"]);
    is_sent(&sandbox.run(&["submit", &url, &format!("a={fits}")]), 1);
    server.stdout.wait_for(&format!("json {{'a': '{fits}'}}\nsession_end\n"));

    // A door of ours takes as much as there is.
    let ours = crate::scene::serve(&sandbox, "submit", &[]);
    let url = format!("fernet://{}?key=legacy.key&max-token=65536", crate::scene::address(&ours));
    is_sent(&sandbox.run(&["submit", &url, &format!("a={}", "x".repeat(40_000))]), 1);
    ours.log().wait_for("session ends");
    assert!(sandbox.read("data/fernwire/submissions.jsonl").len() > 40_000);
}

#[test]
fn what_cannot_be_submitted_is_told_before_anybody_is_called() {
    let sandbox = folder_with_key();
    let url = "fernet://127.0.0.1:1?key=legacy.key";
    sandbox.run(&["submit", url, "Ada"]).fails(&["`Ada` is not KEY=VALUE"]);
    sandbox.run(&["submit", url, "--file", "missing"]).fails(&["cannot read missing"]);
    sandbox.run(&["submit", url, "--user", "ada", "a=b"]).fails(&["--user"]);
    sandbox.run(&["submit", &format!("{url}&service=query"), "a=b"]).fails(&["is for `fernwire query`"]);
}

#[test]
fn the_word_that_ends_a_session_is_no_document() {
    let sandbox = folder_with_key();
    let (server, url) = python_server(&sandbox, "submit_server.py", &[]);
    sandbox.write("word", 0o600, "session_end");
    sandbox.run(&["submit", &url, "--file", "word"]).fails(&["for the end of the session"]);
    server.stdout.wait_for("hung up\n");
}

#[test]
fn a_server_that_answers_all_the_same_is_quoted() {
    let sandbox = folder_with_key();
    let token = crate::scene::cipher(&sandbox).encrypt(b"stored\x1b[2J");
    let outcome = sandbox.run(&["submit", &server_that_says(token), "a=b"]);
    assert_eq!((outcome.code, &*outcome.stdout), (Some(0), "Sent; the server says: stored\\u{1b}[2J\n"), "{outcome:?}");
}

#[test]
fn a_server_that_hangs_up_as_with_another_key_is_an_error() {
    let sandbox = folder_with_key();
    sandbox
        .run(&["submit", &server_that_hangs_up(), "a=b"])
        .fails(&["closed the connection", "it may hold another key"]);
}
