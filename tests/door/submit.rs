//! Data submission through the door.

use serde_json::{Value, json};

use crate::program::{RunningServer, Sandbox};
use crate::scene::{Peer, address, complaints, folder_with_key, run_python, serve};

const FILE: &str = "data/fernwire/submissions.jsonl";

/// Format and data of what has been kept.
fn kept(sandbox: &Sandbox) -> Vec<(String, Value)> {
    let lines = sandbox.read(FILE);
    let rows = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.map(|row| (row["format"].as_str().unwrap().to_owned(), row["data"].clone())).collect()
}

/// Somebody who submits nothing more, and has heard nothing.
#[track_caller]
fn ends(mut peer: Peer, server: &RunningServer, sessions: usize) {
    peer.say("session_end");
    assert_eq!(peer.hear(), None);
    server.log().wait_until_count("session ends", sessions);
}

#[test]
fn a_python_program_submits_in_every_form_one_by_one_or_all_at_once() {
    for together in [&[][..], &["together"]] {
        let sandbox = folder_with_key();
        let server = serve(&sandbox, "submit", &[]);
        let outcome = run_python(&sandbox, "submit_client.py", &address(&server), together);
        assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{outcome:?}");
        assert_eq!(outcome.stdout, "sent 8 heard b''\n");
        let record = json!({ "first_name": "Ada", "last_name": "Lovelace" });
        let formats = ["json", "xml"].into_iter().chain([&"binary"; 6].map(|binary| *binary));
        let all: Vec<_> = formats.map(|format| (format.to_owned(), record.clone())).collect();
        assert_eq!(kept(&sandbox), all);
        server.screen().wait_until_count("Data format: binary\n", 6);
        let log = server.stop();
        assert!(log.contains("session ends"), "{log}");
        assert_eq!(complaints(&log), [""; 0]);
    }
}

#[test]
fn what_cannot_be_read_is_in_the_log_and_the_session_goes_on() {
    let sandbox = folder_with_key();
    let server = serve(&sandbox, "submit", &[]);
    let mut peer = Peer::at(&address(&server), &sandbox);
    // The last would run a command if it were loaded in Python.
    let command = b"\x80\x04}\x8c\x05posix\x8c\x06system\x93\x8c\x04echo\x85R.";
    let bad: [&[u8]; 5] = [b"", b"neither", b"[1, 2]", b"{\"a\": ", command];
    for (count, document) in (1..).zip(bad) {
        peer.say(document);
        peer.say(format!("{{\"number\": {count}}}"));
        server.log().wait_until_count("submitted data is not kept", count);
    }
    ends(peer, &server, 1);
    let numbers: Vec<_> = kept(&sandbox).into_iter().map(|(_, data)| data["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    let log = server.stop();
    assert_eq!(complaints(&log).len(), bad.len(), "{log}");
    assert!(log.contains("would import"), "{log}");
}

#[test]
fn only_the_very_word_ends_a_session() {
    let sandbox = folder_with_key();
    let server = serve(&sandbox, "submit", &[]);
    let mut peer = Peer::at(&address(&server), &sandbox);
    for word in ["Session_End", "session_end ", "exit"] {
        peer.say(word);
    }
    peer.say("{\"a\": \"b\"}");
    server.log().wait_until_count("submitted data is not kept", 3);
    ends(peer, &server, 1);
    assert_eq!(kept(&sandbox).len(), 1);
}

#[test]
fn a_document_may_fill_the_longest_token() {
    let sandbox = folder_with_key();
    let server = serve(&sandbox, "submit", &[]);
    let mut peer = Peer::at(&address(&server), &sandbox);
    let long = "x".repeat(48_000);
    peer.say(json!({ "long": long }).to_string());
    ends(peer, &server, 1);
    assert_eq!(kept(&sandbox), [("json".to_owned(), json!({ "long": long }))]);
}

#[test]
fn one_who_hangs_up_without_a_word_loses_nothing() {
    let sandbox = folder_with_key();
    let server = serve(&sandbox, "submit", &[]);
    let mut peer = Peer::at(&address(&server), &sandbox);
    peer.say("{\"a\": \"b\"}");
    peer.say("{\"a\": \"c\"}");
    drop(peer);
    server.log().wait_for("session ends");
    assert_eq!(kept(&sandbox).len(), 2);
    assert_eq!(complaints(&server.stop()), [""; 0]);
}
