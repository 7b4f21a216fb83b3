//! Where tokens end, whatever pieces they come in, and how long may pass between them.

use std::io::Read;
use std::net::TcpStream;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use fernwire::channel::token::FernetKey;

use crate::program::PATIENCE;
use crate::scene::{Peer, address, complaints, folder_with_key, host_and_port, serve};

/// The longest text whose token fits into 65,536 characters.
const LONGEST: usize = 16 * 3068 - 1;

#[test]
fn a_token_may_come_byte_by_byte() {
    let sandbox = folder_with_key();
    let server = serve(&sandbox, "query", &[]);
    let mut peer = Peer::at(&address(&server), &sandbox);
    let mut other = Peer::at(&address(&server), &sandbox);
    for (place, byte) in peer.token("SetA-One").into_bytes().into_iter().enumerate() {
        peer.write([byte]);
        if place % 20 == 0 {
            // The byte was read before the next one is written, if not always by itself.
            other.is_served();
        }
    }
    assert_eq!(peer.answer().len(), 2);
    assert_eq!(complaints(&server.stop()), [""; 0]);
}

#[test]
fn padding_may_be_left_out_and_space_may_be_between() {
    let sandbox = folder_with_key();
    let server = serve(&sandbox, "query", &["--log-level", "debug"]);
    let mut peer = Peer::at(&address(&server), &sandbox);
    // A text of 1 block has a token with 2 `=`, one of 2 with 1, one of 3 with none.
    let texts = ["x".repeat(10), "x".repeat(20), "x".repeat(40)];
    for before in ["", "\n", "\r\n", " \t\r\n\x0b\x0c \n"] {
        let mut together = String::new();
        for text in &texts {
            let token = peer.token(text);
            for token in [token.trim_end_matches('='), &token] {
                together += before;
                together += token;
            }
        }
        peer.write(together);
        (0..2 * texts.len()).for_each(|_| assert_eq!(peer.answer(), ["EMPTY"]));
    }
    // Also at the very end.
    peer.write("\n");
    peer.finish();
    assert_eq!(peer.hear(), None);
    server.log().wait_for("session ends");
    assert_eq!(complaints(&server.stop()), [""; 0]);
}

#[test]
fn the_longest_token_is_taken_and_a_longer_one_ends_the_session() {
    let sandbox = folder_with_key();
    let server = serve(&sandbox, "query", &[]);
    let mut bystander = Peer::at(&address(&server), &sandbox);
    bystander.is_served();
    let mut peer = Peer::at(&address(&server), &sandbox);
    let longest = peer.token("x".repeat(LONGEST));
    assert!(longest.trim_end_matches('=').len() <= 65_536);
    peer.write(longest);
    assert_eq!(peer.answer(), ["EMPTY"]);
    let longer = peer.token("x".repeat(LONGEST + 1));
    assert!(longer.trim_end_matches('=').len() > 65_536);
    peer.write(longer);
    assert_eq!(peer.hear(), None);
    bystander.is_served();
    let log = server.stop();
    let [complaint] = complaints(&log)[..] else { panic!("{log}") };
    assert!(complaint.contains("no token of this key within 65536 characters"), "{complaint}");
}

#[test]
fn a_recorded_token_is_as_good_as_a_new_one() {
    let sandbox = folder_with_key();
    let server = serve(&sandbox, "query", &[]);
    let mut peer = Peer::at(&address(&server), &sandbox);
    let recorded = peer.token("SetA-One");
    for _ in 0..2 {
        peer.write(&recorded);
        assert_eq!(peer.answer().len(), 2);
    }
    // Also from somebody who does not hold the key: bare Fernet has nothing that would tell. The banner says so.
    let mut another = Peer::at(&address(&server), &folder_with_key());
    another.write(recorded);
    server.log().wait_until_count("session begins", 2);
    assert!(server.banner().contains("no protection against replay or reordering"));
    assert_eq!(complaints(&server.stop()), [""; 0]);
}

#[test]
fn how_old_a_token_is_does_not_matter() {
    let sandbox = folder_with_key();
    let server = serve(&sandbox, "query", &[]);
    let mut peer = Peer::at(&address(&server), &sandbox);
    let key = URL_SAFE.decode(sandbox.read("legacy.key")).unwrap().try_into().unwrap();
    for time in [0, 1, u64::MAX] {
        let mut token = Vec::new();
        FernetKey::new(&key).seal(time, [7; 16], &[b"SetZ-Unknown"], &mut token);
        peer.write(URL_SAFE.encode(token));
        assert_eq!(peer.answer(), ["EMPTY"]);
    }
}

#[test]
fn silence_ends_nothing_by_default_where_it_ends_other_sessions() {
    let sandbox = folder_with_key();
    sandbox.write("f.toml", 0o600, "[limits]\nhandshake_timeout = \"1s\"\nanonymous_idle_timeout = \"1s\"\n");
    let channel = ["--config", "f.toml", "--listen", "tcp://0.0.0.0:0"];
    let server = serve(&sandbox, "query", &channel);
    let mut before_the_first = Peer::at(&address(&server), &sandbox);
    let mut between_two = Peer::at(&address(&server), &sandbox);
    between_two.is_served();
    // Who is silent where the channel is spoken is sent away, though it came later.
    let mut stalled = TcpStream::connect(host_and_port(server.urls()[1]).replace("0.0.0.0", "127.0.0.1")).unwrap();
    stalled.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(stalled.read(&mut [0; 1]).unwrap(), 0);
    before_the_first.is_served();
    between_two.is_served();
}

#[test]
fn silence_ends_a_session_where_the_address_says_so() {
    let sandbox = folder_with_key();
    let server = sandbox.serve_at("fernet://127.0.0.1:0?service=query&key=legacy.key&idle=1s", &[]);
    let mut before_the_first = Peer::at(&address(&server), &sandbox);
    let mut between_two = Peer::at(&address(&server), &sandbox);
    between_two.is_served();
    assert_eq!((before_the_first.hear(), between_two.hear()), (None, None));
    let log = server.stop();
    let reasons = complaints(&log);
    assert_eq!(reasons.len(), 2, "{log}");
    assert!(reasons.iter().all(|reason| reason.contains("nothing came for 1 s")), "{log}");
    assert_eq!(log.matches("no token at the Fernet door").count(), 1, "{log}");
    assert_eq!(log.matches("session broken off").count(), 1, "{log}");
}

#[test]
fn half_a_token_has_a_deadline_though_a_session_has_none() {
    let sandbox = folder_with_key();
    let server = serve(&sandbox, "query", &[]);
    let mut silent = Peer::at(&address(&server), &sandbox);
    let mut first = Peer::at(&address(&server), &sandbox);
    let mut second = Peer::at(&address(&server), &sandbox);
    second.is_served();
    for peer in [&mut first, &mut second] {
        let token = peer.token("SetA-One");
        peer.write(&token[..50]);
    }
    // What is of another key may be the beginning of a longer token, as long as it is not padded.
    let mut third = Peer::at(&address(&server), &folder_with_key());
    let token = third.token("SetA-One");
    third.write(token.trim_end_matches('='));
    assert_eq!((first.hear(), second.hear(), third.hear()), (None, None, None));
    silent.is_served();
    let log = server.stop();
    assert_eq!(log.matches("what came within 10 s is not a whole token").count(), 3, "{log}");
    assert!(log.contains("the other side holds another key, or stopped in the middle"), "{log}");
}

#[test]
fn an_end_between_tokens_is_in_order_and_one_inside_is_told() {
    let sandbox = folder_with_key();
    let server = serve(&sandbox, "query", &["--log-level", "debug"]);
    let mut nothing = Peer::at(&address(&server), &sandbox);
    nothing.finish();
    assert_eq!(nothing.hear(), None);
    server.log().wait_for("left without a token");
    let mut done = Peer::at(&address(&server), &sandbox);
    // The answer comes though nobody will ask again.
    done.say("SetA-One");
    done.finish();
    assert_eq!(done.answer().len(), 2);
    assert_eq!(done.hear(), None);
    server.log().wait_for("session ends");
    for served in [false, true] {
        let mut cut = Peer::at(&address(&server), &sandbox);
        if served {
            cut.is_served();
        }
        let token = cut.token("SetA-One");
        cut.write(&token[..token.len() - 10]);
        cut.finish();
        assert_eq!(cut.hear(), None);
    }
    let log = server.stop();
    let reasons = complaints(&log);
    assert_eq!(reasons.len(), 2, "{log}");
    assert!(reasons.iter().all(|reason| reason.contains("the connection ended inside a token")), "{log}");
}
