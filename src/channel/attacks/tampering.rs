//! Attacks on the frames of honest parties: stripped offers, altered choices, replays, flipped bits.

use std::collections::BTreeSet;

use super::super::error::HandshakeError;
use super::super::handshake::{Initiator, Role};
use super::super::hello::{self, ClientHello, FrameType, ServerHello, ServerKeys};
use super::super::mode::KeyMode;
use super::{ALL, answer, entropy, handshake_through, identity, modes, offer, policy, session, start};

#[test]
fn the_server_takes_the_most_preferred_mode_that_both_allow() {
    for (offered, allowed, taken) in [
        (ALL, ALL, "x25519+psk"),
        ("x25519,psk", ALL, "x25519"),
        (ALL, "x25519,psk", "x25519"),
        ("psk", ALL, "psk"),
        (ALL, "psk", "psk"),
    ] {
        let (client, server) = handshake_through(offer(offered), policy(allowed), |_, _| {}).unwrap();
        assert_eq!((client.mode.name(), server.mode.name()), (taken, taken));
    }
}

/// Passes the ClientHello on with only these modes, and with the fields that they need.
fn strip_offer(left: &'static str) -> impl FnMut(FrameType, &mut Vec<u8>) {
    move |kind, frame| {
        if kind == FrameType::ClientHello {
            let mut hello = ClientHello::decode(frame).unwrap();
            hello.modes = modes(left);
            hello.share = hello.share.filter(|_| hello.modes.need_share());
            hello.key_tag = hello.key_tag.filter(|_| hello.modes.need_secret());
            *frame = hello.encode();
        }
    }
}

#[test]
fn a_stripped_offer_is_noticed_by_the_client() {
    for left in ["x25519", "psk", "x25519,psk"] {
        let result = handshake_through(offer(ALL), policy(ALL), strip_offer(left));
        assert_refused!(result, (Role::Initiator, HandshakeError::BadFinished));
    }
}

#[test]
fn an_offer_stripped_carelessly_is_noticed_by_the_server() {
    let strip = |kind, frame: &mut Vec<u8>| {
        if kind == FrameType::ClientHello {
            let hello = ClientHello::decode(frame).unwrap();
            *frame = ClientHello { modes: modes("x25519"), ..hello }.encode();
        }
    };
    let result = handshake_through(offer(ALL), policy(ALL), strip);
    assert_refused!(result, (Role::Responder, HandshakeError::NeedlessField("key tag")));
}

#[test]
fn a_stripped_offer_does_not_bring_back_a_mode_that_the_server_does_not_allow() {
    let result = handshake_through(offer(ALL), policy("x25519+psk,psk"), strip_offer("x25519"));
    assert_refused!(result, (Role::Responder, HandshakeError::NoCommonMode { .. }));
}

/// Passes the ServerHello on with another mode, and with the fields that it needs.
fn alter_choice(mode: KeyMode) -> impl FnMut(FrameType, &mut Vec<u8>) {
    move |kind, frame| {
        if kind == FrameType::ServerHello {
            let hello = ServerHello::decode(frame).unwrap();
            let made_up = ServerKeys { share: [0xa7; 32], identity: *identity().public().as_bytes() };
            let x25519 = mode.needs_share().then(|| hello.x25519.unwrap_or(made_up));
            *frame = ServerHello { mode, x25519, ..hello }.encode();
        }
    }
}

#[test]
fn an_altered_choice_does_not_verify() {
    for chosen in KeyMode::ALL {
        for altered in KeyMode::ALL.into_iter().filter(|mode| *mode != chosen) {
            let result = handshake_through(offer(ALL), policy(chosen.name()), alter_choice(altered));
            assert_refused!(result, (Role::Initiator, HandshakeError::BadFinished));
        }
    }
}

#[test]
fn a_mode_that_was_not_offered_is_refused() {
    for (offered, altered) in [
        ("x25519+psk", KeyMode::X25519),
        ("x25519+psk", KeyMode::Psk),
        ("x25519", KeyMode::Psk),
        ("psk", KeyMode::X25519),
    ] {
        let result = handshake_through(offer(offered), policy(offered), alter_choice(altered));
        let Err((Role::Initiator, HandshakeError::ModeNotOffered(mode))) = result else {
            panic!("{offered} {altered}: {:?}", result.err());
        };
        assert_eq!(mode, altered);
    }
}

#[test]
fn a_replayed_client_gets_nowhere() {
    for mode in ["x25519+psk", "x25519", "psk"] {
        let mut recorded = Vec::new();
        handshake_through(offer(mode), policy(mode), |_, frame| recorded.push(frame.clone())).unwrap();
        let [client_hello, .., client_finished] = &recorded[..] else { panic!() };
        let (again, _, _) = answer(policy(mode), 3, client_hello).unwrap();
        assert_refused!(again.read_client_finished(client_finished), HandshakeError::BadFinished);
    }
}

#[test]
fn a_replayed_server_gets_nowhere() {
    for mode in ["x25519+psk", "x25519", "psk"] {
        let mut recorded = Vec::new();
        handshake_through(offer(mode), policy(mode), |_, frame| recorded.push(frame.clone())).unwrap();
        let [_, server_hello, server_finished, _] = &recorded[..] else { panic!() };
        let (initiator, _) = Initiator::start(offer(mode), entropy(5));
        let result = initiator.read_server_hello(server_hello).unwrap().read_server_finished(server_finished);
        assert_refused!(result, HandshakeError::BadFinished);
    }
}

#[test]
fn the_servers_finished_sent_back_is_not_the_clients() {
    let (_, hello) = start("psk");
    let (sent, _, server_finished) = answer(policy("psk"), 2, &hello).unwrap();
    assert_refused!(sent.read_client_finished(&server_finished), HandshakeError::UnexpectedFrame(3));
    let (sent, _, mut server_finished) = answer(policy("psk"), 2, &hello).unwrap();
    server_finished[0] = FrameType::ClientFinished as u8;
    assert_refused!(sent.read_client_finished(&server_finished), HandshakeError::BadFinished);
}

#[test]
fn a_finished_that_is_cut_or_empty_does_not_verify() {
    for length in [0, 1, 31, 33] {
        let (_, hello) = start("psk");
        let (sent, _, _) = answer(policy("psk"), 2, &hello).unwrap();
        let frame = hello::frame(FrameType::ClientFinished, &vec![0; length]);
        assert_refused!(sent.read_client_finished(&frame), HandshakeError::BadFinished);
    }
}

#[test]
fn each_handshake_has_its_own_keys() {
    // Even with the same psk and the same client randomness: the server's nonce alone makes another session.
    let (_, one) = session("psk", 1);
    let (initiator, hello) = start("psk");
    let (_, server_hello, server_finished) = answer(policy("psk"), 9, &hello).unwrap();
    let verified = initiator.read_server_hello(&server_hello).unwrap().read_server_finished(&server_finished).unwrap();
    let (_, other) = verified.finish();
    assert_ne!(one.session_id, other.session_id);
    assert_ne!(one.exporter.expose(), other.exporter.expose());
}

/// Flips every bit of one frame in turn. Each flip must stop the handshake; what stopped it, by side and error.
fn flips(mode: &str, which: FrameType) -> BTreeSet<String> {
    let mut length = 0;
    handshake_through(offer(mode), policy(mode), |kind, frame| {
        if kind == which {
            length = frame.len();
        }
    })
    .unwrap();
    let stopped = (0..length * 8).map(|bit| {
        let flip = |kind, frame: &mut Vec<u8>| {
            if kind == which {
                frame[bit / 8] ^= 1 << (bit % 8);
            }
        };
        let (side, error) = handshake_through(offer(mode), policy(mode), flip).err().unwrap_or_else(|| {
            panic!("flipping bit {bit} of {which:?} in mode {mode} was not noticed");
        });
        let error = format!("{error:?}");
        format!("{side:?} {}", error.split([' ', '(', '{']).next().unwrap())
    });
    stopped.collect()
}

/// What is wrong with a hello that is no hello any more.
const MALFORMED: [&str; 9] = [
    "BadField",
    "BadMagic",
    "CutField",
    "FieldOrder",
    "FrameTooLong",
    "MissingField",
    "NeedlessField",
    "UnexpectedFrame",
    "Version",
];

fn named(side: Role, errors: &[&str]) -> BTreeSet<String> {
    errors.iter().map(|error| format!("{side:?} {error}")).collect()
}

#[test]
fn every_flipped_bit_of_a_client_hello_is_noticed() {
    // The last: what is well formed, and allowed, is not what the client has hashed.
    let with_share = &named(Role::Responder, &MALFORMED) | &named(Role::Responder, &["DuplicateField", "NoCommonMode"]);
    let with_share = &with_share | &named(Role::Initiator, &["BadFinished"]);
    assert_eq!(flips("x25519", FrameType::ClientHello), with_share);
    let with_tag = named(Role::Responder, &["UnknownKey"]);
    assert_eq!(flips("x25519+psk", FrameType::ClientHello), &with_share | &with_tag);
    // Without a share there is nothing but the modes, the nonce and the tag: all of it is refused by the server.
    let alone = &named(Role::Responder, &MALFORMED) | &named(Role::Responder, &["NoCommonMode", "UnknownKey"]);
    assert_eq!(flips("psk", FrameType::ClientHello), alone);
}

#[test]
fn every_flipped_bit_of_a_server_hello_is_noticed_by_the_client() {
    let with_share = &named(Role::Initiator, &MALFORMED) | &named(Role::Initiator, &["DuplicateField", "BadFinished"]);
    assert_eq!(flips("x25519+psk", FrameType::ServerHello), with_share);
    assert_eq!(flips("x25519", FrameType::ServerHello), with_share);
    let mut alone = &named(Role::Initiator, &MALFORMED) | &named(Role::Initiator, &["BadFinished"]);
    alone.remove("Initiator NeedlessField");
    assert_eq!(flips("psk", FrameType::ServerHello), alone);
}

#[test]
fn every_flipped_bit_of_a_finished_is_noticed_by_its_reader() {
    let errors = ["BadFinished", "CutField", "FrameTooLong", "UnexpectedFrame"];
    for mode in ["x25519+psk", "x25519", "psk"] {
        assert_eq!(flips(mode, FrameType::ServerFinished), named(Role::Initiator, &errors));
        // One bit turns ClientFinished into an alert, which is never that long.
        let or_alert = &named(Role::Responder, &errors) | &named(Role::Responder, &["BadField"]);
        assert_eq!(flips(mode, FrameType::ClientFinished), or_alert);
    }
}
