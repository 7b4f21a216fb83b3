//! `fernwire query` at servers that speak bare Fernet.

use serde_json::Value;

use crate::program::{Outcome, is_timestamp, unused_port};
use crate::query::marks;
use crate::scene::{folder_with_key, python_server, server_that_says};

#[track_caller]
fn answers(outcome: &Outcome, code: i32, expected: &str) {
    assert_eq!((outcome.code, &*marks(outcome.stdout.lines())), (Some(code), expected), "{outcome:?}");
    assert_eq!(outcome.complaints(), [""; 0], "{outcome:?}");
}

#[test]
fn a_python_server_is_asked_one_query_at_a_time() {
    let sandbox = folder_with_key();
    let (server, url) = python_server(&sandbox, "query_server.py", &["0.02"]);
    answers(&sandbox.run(&["query", &url, "SetA-Two"]), 0, "t t");
    answers(&sandbox.run(&["query", &url, "SetZ-Unknown"]), 1, "EMPTY");
    answers(&sandbox.run(&["query", &url, "SetB-Three", "nonsense", "SetA-One"]), 1, "t t t EMPTY t");
    answers(&sandbox.run_with_input(&["query", &url], "SetA-One\n\nSetA-Two\nexit\nSetB-Four\n"), 0, "t t t");
    server.stdout.wait_until_count("gone\n", 4);
    assert_eq!(server.stdout.so_far().matches("asked ").count(), 7);
    assert_eq!(server.stderr.so_far(), "");
}

#[test]
fn results_can_be_read_by_programs() {
    let sandbox = folder_with_key();
    let (_server, url) = python_server(&sandbox, "query_server.py", &["0.02"]);
    let outcome = sandbox.run(&["query", &url, "--json", "SetA-One", "nonsense"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let lines: Vec<Value> = outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [found, empty] = &lines[..] else { panic!("{outcome:?}") };
    assert_eq!((&found["query"], &found["kind"]), (&"SetA-One".into(), &"timestamp".into()));
    assert!(is_timestamp(found["time"].as_str().unwrap()));
    assert_eq!(*empty, serde_json::json!({ "query": "nonsense", "kind": "empty" }));
}

#[test]
fn it_is_said_each_time_what_bare_fernet_lacks() {
    let sandbox = folder_with_key();
    let (_server, url) = python_server(&sandbox, "query_server.py", &["0.02"]);
    let outcome = sandbox.run(&["query", &url, "SetA-One"]);
    assert!(outcome.stderr.starts_with("Bare Fernet: nothing proves who answers"), "{outcome:?}");
}

#[test]
fn a_server_that_dies_in_the_middle_is_an_error() {
    let sandbox = folder_with_key();
    let (server, url) = python_server(&sandbox, "query_server.py", &["3600"]);
    let asking = sandbox.start(&mut sandbox.fernwire(&["query", &url, "SetA-Two"]));
    asking.stdout.wait_for("\n");
    server.signal("KILL");
    let outcome = asking.wait();
    assert_eq!((outcome.code, marks(outcome.stdout.lines())), (Some(2), "t".to_owned()), "{outcome:?}");
    let [complaint] = outcome.complaints()[..] else { panic!("{outcome:?}") };
    assert!(complaint.contains("the server closed the connection before it had answered this"), "{complaint}");
}

#[test]
fn a_server_with_another_key_is_an_error() {
    let (ours, theirs) = (folder_with_key(), folder_with_key());
    let (server, url) = python_server(&theirs, "query_server.py", &["0.02"]);
    let url = url.replace(&theirs.arg("legacy.key"), "legacy.key");
    ours.run(&["query", &url, "SetA-Two"]).fails(&["closed the connection", "it may hold another key"]);
    server.stderr.wait_for("InvalidToken");

    // One that reads past what it does not understand, and answers with its own key.
    let token = crate::scene::cipher(&theirs).encrypt(b"EMPTY");
    let url = server_that_says(token);
    ours.run(&["query", &url, "SetA-Two"]).fails(&["the other side holds another key"]);
}

#[test]
fn what_a_server_says_at_once_is_read_one_by_one() {
    let sandbox = folder_with_key();
    let cipher = crate::scene::cipher(&sandbox);
    let said = ["21-11-2026 08:00:01", "21-11-2026 08:00:02", "END"].map(|text| cipher.encrypt(text.as_bytes()));
    // As one who prints a line for each, and one who leaves out what only fills up.
    for url in [server_that_says(said.join("\n")), server_that_says(said.concat().replace('=', ""))] {
        answers(&sandbox.run(&["query", &url, "SetA-Two"]), 0, "t t");
    }
    // Text from others is harmless on a terminal.
    let said = ["\u{1b}[2J", "END"].map(|text| cipher.encrypt(text.as_bytes())).concat();
    let outcome = sandbox.run(&["query", &server_that_says(said), "SetA-One"]);
    assert_eq!(outcome.stdout, "\\u{1b}[2J\n", "{outcome:?}");
}

#[test]
fn a_server_that_speaks_out_of_turn_is_not_taken_at_its_word() {
    let sandbox = folder_with_key();
    let cipher = crate::scene::cipher(&sandbox);
    let said = ["EMPTY", "21-11-2026 08:00:01", "END"].map(|text| cipher.encrypt(text.as_bytes())).concat();
    let outcome = sandbox.run(&["query", &server_that_says(said), "SetA-One", "SetA-One"]);
    assert_eq!((outcome.code, &*outcome.stdout), (Some(2), "EMPTY\n"), "{outcome:?}");
    let [complaint] = outcome.complaints()[..] else { panic!("{outcome:?}") };
    assert!(complaint.contains("said `21-11-2026 08:00:01` without being asked"), "{complaint}");
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for_longer_than_the_address_says() {
    let sandbox = folder_with_key();
    let url = server_that_says(String::new());
    sandbox.run(&["query", &format!("{url}&idle=1s"), "SetA-Two"]).fails(&["has not answered for 1 s", "idle="]);
}

#[test]
fn a_server_that_speaks_something_else_is_an_error() {
    let sandbox = folder_with_key();
    for (said, words) in [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "base64 and not a Fernet token"),
        ("\u{10}\u{2}", "the byte 16 is not of a Fernet token"),
    ] {
        let url = server_that_says(said.to_owned());
        sandbox.run(&["query", &url, "SetA-Two"]).fails(&[words]);
    }
    // Our own, where it speaks the channel.
    let server = sandbox.serve(&[]);
    let url = format!("fernet://{}?key=legacy.key", server.address());
    let outcome = sandbox.run(&["query", &url, "SetA-Two"]);
    outcome.fails(&["the server closed the connection without an answer", "serve something else"]);
    let log = server.stop();
    assert!(log.contains("handshake failed") && !log.contains("SetA"), "{log}");
}

#[test]
fn what_does_not_fit_is_not_sent() {
    let sandbox = folder_with_key();
    let (server, url) = python_server(&sandbox, "query_server.py", &["0.02"]);
    let long = "x".repeat(704);
    sandbox.run(&["query", &url, &long]).fails(&["704 bytes make a token of 1036 characters", "1024", "max-token="]);
    server.stdout.wait_for("gone\n");
    assert!(!server.stdout.so_far().contains("asked"));
    answers(&sandbox.run(&["query", &url, &long[..703]]), 1, "EMPTY");
    // Whoever says that the server takes more may be wrong.
    let (_server, url) = python_server(&sandbox, "query_server.py", &["0.02"]);
    let raised = sandbox.run(&["query", &format!("{url}&max-token=2000"), &long]);
    raised.fails(&["closed the connection"]);
}

#[test]
fn an_address_lacks_nothing_and_has_nothing_else() {
    let sandbox = folder_with_key();
    let (_server, url) = python_server(&sandbox, "query_server.py", &["0.02"]);
    let run = |args: &[&str]| sandbox.run(&[&["query"], args].concat());
    let without_key = url.split('?').next().unwrap();
    run(&[without_key, "SetA-One"]).fails(&["lacks the file of the key", "add ?key=legacy.key"]);
    // Not even a secret key that is there by default.
    sandbox.run(&["keygen", "secret.key"]);
    run(&[without_key, "SetA-One"]).fails(&["lacks the file of the key"]);
    let missing = url.replace("legacy.key", "missing.key");
    run(&[&missing, "SetA-One"]).fails(&["no key file", "missing.key"]);
    sandbox.write("open.key", 0o644, &sandbox.read("legacy.key"));
    run(&[&url.replace("legacy.key", "open.key"), "SetA-One"]).fails(&["can be read by other users", "chmod 600"]);
    run(&[&format!("{url}&service=log"), "SetA-One"]).fails(&["is for `fernwire log`"]);
    answers(&run(&[&format!("{url}&service=query"), "SetA-One"]), 0, "t");
    run(&["fernet://127.0.0.1?key=legacy.key", "SetA-One"]).fails(&["has a port of its own"]);
    let nobody = format!("fernet://127.0.0.1:{}?key=legacy.key", unused_port());
    run(&[&nobody, "SetA-One"]).fails(&["nothing is listening"]);
    for flags in [&["--kex", "psk"][..], &["--accept-new"]] {
        run(&[&[&url, "SetA-One"], flags].concat()).fails(&[flags[0]]);
    }
    let with_authority = run(&[&url, "SetA-One", "--ca", "ca.pem"]);
    assert!(with_authority.stderr.contains("Not used: --ca, since fernet://"), "{with_authority:?}");
    let mut by_flag = sandbox.fernwire(&["query", "--server", &url, "SetA-One"]);
    answers(&sandbox.start(&mut by_flag).wait(), 0, "t");
    let mut by_variable = sandbox.fernwire(&["query", "SetA-One"]);
    answers(&sandbox.start(by_variable.env("FERNWIRE_SERVER", &url)).wait(), 0, "t");
}
