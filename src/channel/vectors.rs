//! Our own test vectors: each value computed here, replayed by both sides, and compared with tests/vectors/.
//!
//! With `FERNWIRE_WRITE_VECTORS` set, the files are written instead. tests/vectors/check.py computes the same values
//! again and shares no code with this crate.

use std::path::PathBuf;

use serde::Serialize;

use super::handshake::{Entropy, Established, Initiator, Offer, Policy, Responder};
use super::hello::FRAME_HEADER;
use super::key_schedule::Prk;
use super::mode::{KeyMode, KeyModes};
use super::record::RecordType;
use super::transcript::{Transcript, TranscriptHash};
use crate::keys::{IdentityKey, SecretKey};

mod broken_handshakes;
mod broken_records;
mod close;
mod edit;
mod line;
mod messages;
mod negotiation;
mod parties;
mod rekey;
mod session;
mod stream;

const PSK: [u8; 32] = counting(0x00);
const OTHER_PSK: [u8; 32] = counting(0xe0);
const CLIENT_NONCE: [u8; 32] = counting(0x20);
const SERVER_NONCE: [u8; 32] = counting(0x40);
const CLIENT_EPHEMERAL_SECRET: [u8; 32] = clamped(0x60);
const SERVER_EPHEMERAL_SECRET: [u8; 32] = clamped(0x80);
const SERVER_IDENTITY_SECRET: [u8; 32] = clamped(0xa0);

fn client_entropy() -> Entropy {
    Entropy::known(CLIENT_NONCE, CLIENT_EPHEMERAL_SECRET)
}

fn server_entropy() -> Entropy {
    Entropy::known(SERVER_NONCE, SERVER_EPHEMERAL_SECRET)
}

fn identity() -> IdentityKey {
    IdentityKey::from_bytes(SERVER_IDENTITY_SECRET)
}

/// What the client of a mode's file offers. A client that has a secret.key, and does not know the server yet, offers
/// two modes.
fn usually_offered(mode: KeyMode) -> KeyModes {
    let also = (mode == KeyMode::X25519Psk).then_some(KeyMode::Psk);
    [mode].into_iter().chain(also).collect()
}

/// A handshake from known inputs, run on both sides.
struct Run {
    client_hello: Vec<u8>,
    server_hello: Vec<u8>,
    server_finished: Vec<u8>,
    client_finished: Vec<u8>,
    h0: TranscriptHash,
    h1: TranscriptHash,
    prk: Prk,
    client: Established,
    server: Established,
}

impl Run {
    /// The handshake in the file of the mode.
    fn usual(mode: KeyMode) -> Self {
        Self::of(mode, usually_offered(mode))
    }

    fn of(mode: KeyMode, offered: KeyModes) -> Self {
        let psk = mode.needs_secret().then(|| SecretKey::from_bytes(PSK));
        let identity = mode.needs_share().then(identity);
        let offer = Offer::new(offered, psk.clone()).unwrap();
        let policy = Policy::new([mode].into_iter().collect(), identity, psk).unwrap();

        let (client, client_hello) = Initiator::start(offer, client_entropy());
        let server = Responder::new(policy, server_entropy());
        let (server, mut server_hello) = server.read_client_hello(&client_hello).unwrap();
        let length = u16::from_be_bytes([server_hello[1], server_hello[2]]);
        let server_finished = server_hello.split_off(FRAME_HEADER + usize::from(length));
        let client = client.read_server_hello(&server_hello).unwrap();
        assert_eq!(client.prk.0, server.prk.0);
        let prk = Prk(server.prk.0.clone());

        let mut transcript = Transcript::new();
        transcript.add(&client_hello);
        transcript.add(&server_hello);
        let h0 = transcript.hash();
        assert_eq!(server.h0, h0);
        transcript.add(&server_finished);
        let h1 = transcript.hash();

        let (client_finished, client) = client.read_server_finished(&server_finished).unwrap().finish();
        let server = server.read_client_finished(&client_finished).unwrap();
        assert_eq!(client.exporter.expose(), server.exporter.expose());
        assert_eq!(client.session_id, server.session_id);
        assert_eq!(client.server_identity, server.server_identity);
        Self { client_hello, server_hello, server_finished, client_finished, h0, h1, prk, client, server }
    }
}

/// A record's type as the files name it.
fn type_name(kind: RecordType) -> &'static str {
    match kind {
        RecordType::Data => "data",
        RecordType::Close => "close",
        RecordType::Rekey => "rekey",
        RecordType::Ping => "ping",
        RecordType::Pong => "pong",
    }
}

/// Compares with the file, or writes it if that was asked for.
fn hold_to_file(name: &str, vectors: &impl Serialize) {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/vectors", &format!("{name}.json")].iter().collect();
    let computed = serde_json::to_string_pretty(vectors).unwrap() + "\n";
    if std::env::var_os("FERNWIRE_WRITE_VECTORS").is_some() {
        std::fs::write(&path, computed).unwrap();
        return;
    }
    let written = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for (number, (ours, theirs)) in computed.lines().zip(written.lines()).enumerate() {
        assert_eq!(ours.trim(), theirs.trim(), "{}:{}", path.display(), number + 1);
    }
    assert_eq!(computed, written, "{} differs in white space or length", path.display());
}

/// Changing a value in a file must be noticed, and X25519 ignores five bits of a secret; so those have the value here
/// that it gives them.
const fn clamped(start: u8) -> [u8; 32] {
    let mut secret = counting(start);
    secret[0] &= 0b1111_1000;
    secret[31] = secret[31] & 0b0111_1111 | 0b0100_0000;
    secret
}

/// 32 bytes that count upwards.
const fn counting(start: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    let mut i = 0;
    while i < bytes.len() {
        bytes[i] = start + i as u8;
        i += 1;
    }
    bytes
}
