//! The server's log: its forms, what it holds back of a flood, and what it makes of hostile text.

use std::io::{Read, Write};
use std::net::TcpStream;

use fernwire::channel::handshake::Offer;
use fernwire::channel::{self, CloseReason, Settings};
use serde_json::{Value, json};

use crate::program::{RunningServer, Sandbox};

/// What a connection that sends this is complained of with.
const HTTP: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
const HTTP_COMPLAINT: &str = "the peer speaks HTTP";

/// Sends bytes, and waits for the server to hang up.
fn send(server: &RunningServer, bytes: &[u8]) {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(bytes).unwrap();
    let _ = stream.read_to_end(&mut Vec::new());
}

#[test]
fn a_flood_is_counted_and_hides_nothing_else() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&["--kex", "x25519+psk"]);
    let flood = 300;
    for _ in 0..flood {
        send(&server, HTTP);
    }
    sandbox.run(&["keygen", "other.key"]);
    let other = ["query", server.url(), "--secret-key", "other.key", "SetA-One"];
    assert_eq!(sandbox.run(&other).code, Some(2));
    server.log().wait_for("secret key is not the one");
    let log = server.stop();

    let written = log.lines().filter(|line| line.contains("handshake failed") && line.contains(HTTP_COMPLAINT)).count();
    let summary = log.lines().find(|line| line.contains("and more like it")).unwrap();
    let counted: usize = summary.rsplit_once("count=").unwrap().1.trim().parse().unwrap();
    assert!(summary.contains("handshake failed") && summary.contains(HTTP_COMPLAINT), "{summary}");
    // The summary repeats what it is about.
    assert_eq!(written - 1 + counted, flood);
    assert!(written < 50, "{written}");
}

#[test]
fn what_was_only_counted_is_told_at_every_level_that_writes_the_event() {
    let server = Sandbox::new().serve(&["--log-level", "warn"]);
    (0..50).for_each(|_| send(&server, HTTP));
    let log = server.stop();
    let summary = log.lines().find(|line| line.contains("and more like it")).unwrap();
    let counted: usize = summary.rsplit_once("count=").unwrap().1.trim().parse().unwrap();
    let written = log.lines().filter(|line| line.contains("WARN") && line.contains(HTTP_COMPLAINT)).count();
    assert_eq!(written + counted, 50, "{log}");
}

#[test]
fn an_event_without_a_reason_is_told_without_one() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&["--log-format", "json"]);
    (0..25).for_each(|_| exchange(&server, &question(1, "query")));
    let log = server.stop();
    let events: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let written = events.iter().filter(|event| event["fields"]["message"] == "session begins").count();
    let summary = events.iter().find(|event| event["fields"]["event"] == "session begins").unwrap();
    assert_eq!((&summary["fields"]["count"], &summary["fields"]["reason"]), (&json!(25 - written), &Value::Null));
}

#[test]
fn no_flood_of_strangers_hides_a_holder_of_the_key() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&["--kex", "x25519+psk,x25519,psk"]);
    for _ in 0..40 {
        open_session(&server);
    }
    let holder = ["query", server.url(), "--kex", "x25519+psk", "SetZ-Unknown"];
    assert_eq!(sandbox.run(&holder).code, Some(1));
    let log = server.stop();
    let begins = |mode: &str| log.lines().filter(|line| line.contains("session begins") && line.contains(mode)).count();
    assert_eq!(begins("mode=x25519+psk"), 1, "{log}");
    assert!(begins("mode=x25519}") < 40, "{log}");
}

#[test]
fn complaints_that_vary_in_a_number_hide_no_other() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&["--kex", "x25519+psk"]);
    for length in 0..100 {
        send(&server, &[1, 0x20, length]);
        send(&server, &[100 + length, 0, 1, 0]);
    }
    sandbox.run(&["keygen", "other.key"]);
    let other = ["query", server.url(), "--secret-key", "other.key", "SetA-One"];
    assert_eq!(sandbox.run(&other).code, Some(2));
    let log = server.stop();
    assert!(log.contains("secret key is not the one"), "{log}");
    assert!(log.lines().count() < 100, "{log}");
}

#[test]
fn who_looks_for_something_sees_all_of_it() {
    let server = Sandbox::new().serve(&["--log-level", "debug"]);
    for _ in 0..50 {
        send(&server, HTTP);
    }
    server.log().wait_until_count(HTTP_COMPLAINT, 50);
    assert_eq!(server.stop().matches(HTTP_COMPLAINT).count(), 50);
}

#[test]
fn the_level_decides_what_is_written() {
    for (level, begins, fails) in [("error", 0, 0), ("warn", 0, 1), ("info", 1, 1)] {
        let sandbox = Sandbox::new();
        let server = sandbox.serve(&["--log-level", level]);
        sandbox.run(&["query", server.url(), "SetA-One"]).is_timestamps(1);
        send(&server, HTTP);
        server.log().wait_until_count(HTTP_COMPLAINT, fails);
        let log = server.stop();
        let count = |words| log.matches(words).count();
        // Whoever is complained of is named, whatever else is left out.
        let complaint = log.lines().find(|line| line.contains(HTTP_COMPLAINT)).unwrap_or("peer=127.0.0.1:");
        assert!(complaint.contains("peer=127.0.0.1:"), "{level}: {complaint}");
        assert_eq!((count("session begins"), count(HTTP_COMPLAINT)), (begins, fails), "{level}: {log}");
    }
}

#[test]
fn json_is_an_object_a_line_with_its_session() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&["--log-format", "json"]);
    sandbox.run(&["query", server.url(), "SetA-One"]).is_timestamps(1);
    send(&server, HTTP);
    let url = server.url().to_owned();
    let log = server.stop();
    let events: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let find = |message| events.iter().find(|event| event["fields"]["message"] == message).unwrap();
    let begins = find("session begins");
    assert_eq!((begins["level"].as_str(), begins["span"]["at"].as_str()), (Some("INFO"), Some(&*url)));
    assert_eq!(begins["span"]["mode"], "x25519");
    let failed = find("handshake failed");
    assert_eq!(failed["level"], "WARN");
    assert!(failed["fields"]["reason"].as_str().unwrap().contains(HTTP_COMPLAINT), "{failed}");
    assert!(failed["span"]["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{failed}");
}

#[test]
fn hostile_text_is_inert_in_both_forms() {
    for form in ["text", "json"] {
        let server = Sandbox::new().serve(&["--log-format", form, "--log-level", "debug"]);
        ask_for_service(&server, "\u{1b}[2Jdance\nforged \u{202e}line\u{9b}");
        let log = server.stop();
        let line = log.lines().find(|line| line.contains("dance")).unwrap();
        assert!(line.contains("request refused") && line.contains("line"), "{line:?}");
        let obeyed = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!log.contains(obeyed), "{form}: {log:?}");
    }
}

#[test]
fn no_peer_decides_how_long_a_line_is() {
    for form in ["text", "json"] {
        let server = Sandbox::new().serve(&["--log-format", form, "--log-level", "debug"]);
        // Both are quoted when they are refused: the key ends the session, the service fails the request.
        let key = "\u{7f}".repeat(8_000);
        exchange(&server, format!("\0{{\"{key}\":1,\"{key}\":2}}").as_bytes());
        exchange(&server, &question(1, &key));
        let log = server.stop();
        let line = |words| log.lines().find(|line| line.contains(words)).unwrap().len();
        let lengths = [line("the key "), line("request refused")];
        assert!(lengths.iter().all(|length| (1000..MAX_LINE).contains(length)), "{form}: {lengths:?}");
    }
}

/// The longest line that a peer can cause: 1 KiB of its text, where each byte may take eight to be shown, and the rest.
const MAX_LINE: usize = 9 * 1024;

/// Opens a session, and leaves without a word.
fn open_session(server: &RunningServer) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
        let offer = Offer::new("x25519".parse().unwrap(), None).unwrap();
        let channel = channel::connect(stream, offer, Settings::default()).await.unwrap().trust();
        channel.close(channel::CloseReason::Done, "").await.unwrap();
    });
}

/// Asks for a service of this name, which the server quotes in its log.
fn ask_for_service(server: &RunningServer, text: &str) {
    exchange(server, &question(1, text));
}

fn question(id: u64, service: &str) -> Vec<u8> {
    format!("\0{}", json!({ "type": "request", "id": id, "service": service, "body": {} })).into_bytes()
}

/// Sends one message in a session of its own, and waits for what the server says to it: a message, or goodbye.
fn exchange(server: &RunningServer, message: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
        let offer = Offer::new("x25519".parse().unwrap(), None).unwrap();
        let mut channel = channel::connect(stream, offer, Settings::default()).await.unwrap().trust();
        channel.send(message).await.unwrap();
        channel.recv().await.unwrap();
        // Without it, the log says that the connection was cut off, and nothing of the exchange.
        channel.close(CloseReason::Done, "").await.unwrap();
    });
}
