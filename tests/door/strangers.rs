//! Whoever comes to the wrong door: each ends alone, is told nothing, and is one line of the log.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::program::{PATIENCE, Sandbox};
use crate::scene::{Peer, address, cipher, complaints, folder_with_key, host_and_port, serve};

/// The beginning of what a browser's TLS sends.
const TLS_HELLO: &[u8] = b"\x16\x03\x01\x00\xf8\x01\x00\x00\xf4\x03\x03";
/// The beginning of what our own clients send elsewhere.
const FERNWIRE_HELLO: &[u8] = b"\x01\x00\x64FERNWIRE\x01";

/// Everything that comes back until the end.
fn said_to(address: &str, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes).unwrap();
    let mut said = Vec::new();
    // A reset is an end too: not all that was sent was read.
    let _ = stream.read_to_end(&mut said);
    said
}

#[test]
fn what_is_no_token_ends_its_session_and_no_other() {
    let sandbox = folder_with_key();
    let stranger = folder_with_key();
    let server = serve(&sandbox, "query", &[]);
    let mut bystander = Peer::at(&address(&server), &sandbox);
    bystander.is_served();
    let [short, long] =
        ["SetA-One".to_owned(), "x".repeat(50_000)].map(|text| cipher(&stranger).encrypt(text.as_bytes()));
    let cases = [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".as_slice(), "what came is base64 and not a Fernet token"),
        (b"{\"query\": \"SetA-One\"}", "the byte 123 is not of a Fernet token"),
        (TLS_HELLO, "the byte 22 is not of a Fernet token"),
        (FERNWIRE_HELLO, "the other side speaks Fernwire and not bare Fernet"),
        (b"gAAAAA#", "the byte 35 is not of a Fernet token"),
        (b"=", "the byte 61 is not of a Fernet token"),
        (short.as_bytes(), "a token ends that is not of this key; the other side holds another key"),
        (long.as_bytes(), "no token of this key within 65536 characters; the other side holds another key"),
    ];
    for (count, (bytes, reason)) in (1..).zip(cases) {
        assert_eq!(said_to(&address(&server), bytes), b"", "{reason}");
        server.log().wait_until_count(" WARN ", count);
        assert!(complaints(&server.log().so_far())[count - 1].contains(reason), "{reason}");
        bystander.is_served();
    }
    let log = server.stop();
    assert_eq!(complaints(&log).len(), cases.len(), "{log}");
    assert_eq!(log.matches("no token at the Fernet door").count(), cases.len(), "{log}");
    assert_eq!(log.matches("session begins").count(), 1, "{log}");
}

#[test]
fn nobody_fills_the_log_whatever_they_begin_with() {
    let sandbox = folder_with_key();
    let server = serve(&sandbox, "query", &[]);
    let foreign = (0..=255).filter(|byte: &u8| !byte.is_ascii_alphanumeric() && !b"-_ \t\r\n\x0b\x0c".contains(byte));
    assert_eq!(foreign.map(|byte| said_to(&address(&server), &[byte])).filter(Vec::is_empty).count(), 186);
    let log = server.stop();
    assert_eq!(log.matches("no token at the Fernet door reason=the byte").count(), 20, "{log}");
    assert!(log.contains("and more like it, which were only counted"), "{log}");
}

#[test]
fn one_who_has_been_served_is_no_better_off() {
    let sandbox = folder_with_key();
    let server = serve(&sandbox, "query", &[]);
    let mut bystander = Peer::at(&address(&server), &sandbox);
    let mut peer = Peer::at(&address(&server), &sandbox);
    peer.is_served();
    let forged = peer.token("SetA-One");
    // What is before it is answered.
    let good = peer.token("nonsense");
    peer.write(format!("{good}{}\n", &forged[..60]));
    assert_eq!(peer.answer(), ["EMPTY"]);
    assert_eq!(peer.hear(), None);
    bystander.is_served();
    let log = server.stop();
    let [complaint] = complaints(&log)[..] else { panic!("{log}") };
    assert!(complaint.contains("session broken off") && complaint.contains("the byte 10"), "{complaint}");
}

#[test]
fn a_client_of_the_channel_is_not_let_in_and_gives_nothing_away() {
    let sandbox = folder_with_key();
    let server = serve(&sandbox, "query", &[]);
    let client = Sandbox::new();
    client.run(&["keygen", "shared.key"]);
    let url = format!("tcp://{}", address(&server));
    for kex in ["psk", "x25519+psk", "x25519"] {
        let key = if kex == "x25519" { &[][..] } else { &["--secret-key", "shared.key"] };
        let args = [&["query", &url, "SetA-Two", "--kex", kex], key].concat();
        client.run(&args).fails(&[
            "no session with",
            "the peer left in the middle of the handshake",
            "begins with fernet://",
        ]);
    }
    let log = server.stop();
    assert_eq!(log.matches("the other side speaks Fernwire").count(), 3, "{log}");
    assert!(!log.contains("session begins"), "{log}");

    // What such a client says before it knows who is there.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    let asking =
        client.start(&mut client.fernwire(&["query", &url, "SetA-Two", "--kex", "psk", "--secret-key", "shared.key"]));
    let (mut stream, _) = listener.accept().unwrap();
    let mut said = [0; 4096];
    let count = stream.read(&mut said).unwrap();
    drop((stream, listener));
    asking.wait().fails(&["the peer left in the middle of the handshake"]);
    let said = String::from_utf8_lossy(&said[..count]);
    assert!(said.contains("FERNWIRE"), "{said:?}");
    assert!(!said.contains("gAAAA") && !said.contains("SetA"), "{said:?}");
}

#[test]
fn a_door_key_opens_no_session_of_the_channel() {
    let sandbox = folder_with_key();
    sandbox.run(&["keygen", "secret.key"]);
    let server = serve(&sandbox, "query", &["--listen", "tcp://127.0.0.1:0"]);
    let [_, channel] = server.urls()[..] else { panic!("{}", server.banner()) };
    let client = Sandbox::new();
    client.write("legacy.key", 0o600, &sandbox.read("legacy.key"));
    let modes = ["--kex", "psk", "--secret-key", "legacy.key"];
    let outcome = client.run(&[&["query", channel, "SetA-One"], &modes[..]].concat());
    outcome.fails(&["secret key"]);
    // A token there is as much of a stranger.
    let token = Peer::at(&address(&server), &sandbox).token("SetA-One");
    assert_eq!(said_to(&host_and_port(channel), token.as_bytes()), b"");
    let log = server.stop();
    assert_eq!(log.matches("handshake failed").count(), 2, "{log}");
}
