//! Our own test vectors: one session of every key mode, each value computed here and compared with tests/vectors/.
//!
//! With `FERNWIRE_WRITE_VECTORS` set, the files are written instead. tests/vectors/check.py computes the same values
//! again and shares no code with this crate.

use std::path::PathBuf;

use hkdf::HkdfExtract;
use serde::Serialize;
use sha2::Sha256;
use x25519_dalek::{PublicKey, StaticSecret};

use super::handshake::{Entropy, Established, Initiator, Offer, Policy, Responder, agree};

use super::hello::{ClientHello, FRAME_HEADER, ServerHello};
use super::key_schedule::{Prk, TrafficSecret};
use super::mode::{KeyMode, KeyModes};
use super::record::{LENGTH, Opener, Record, RecordType, Sealer, Stamp};
use super::stream::CloseReason;
use super::token::FernetKey;
use super::transcript::{Transcript, TranscriptHash};
use crate::keys::{IdentityKey, SecretKey};

const PSK: [u8; 32] = counting(0x00);
const CLIENT_NONCE: [u8; 32] = counting(0x20);
const SERVER_NONCE: [u8; 32] = counting(0x40);
const CLIENT_EPHEMERAL_SECRET: [u8; 32] = clamped(0x60);
const SERVER_EPHEMERAL_SECRET: [u8; 32] = clamped(0x80);
const SERVER_IDENTITY_SECRET: [u8; 32] = clamped(0xa0);

#[test]
fn x25519_with_psk_agrees_with_its_vectors() {
    // What a client offers that has a secret.key and does not know the server yet.
    hold_to_file(&session(KeyMode::X25519Psk, "x25519+psk,psk"));
}

#[test]
fn x25519_agrees_with_its_vectors() {
    hold_to_file(&session(KeyMode::X25519, "x25519"));
}

#[test]
fn psk_agrees_with_its_vectors() {
    hold_to_file(&session(KeyMode::Psk, "psk"));
}

/// One file. Byte strings are in hex; what a mode lacks is left out.
#[derive(Serialize)]
struct Session {
    mode: &'static str,
    mode_code: u8,
    inputs: Inputs,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    handshake: Handshake,
    c2s: Direction,
    s2c: Direction,
}

#[derive(Serialize)]
struct Inputs {
    offered_modes: Vec<&'static str>,
    client_nonce: String,
    server_nonce: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    psk: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_ephemeral_secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_ephemeral_secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_identity_secret: Option<String>,
}

#[derive(Serialize)]
struct Handshake {
    #[serde(skip_serializing_if = "Option::is_none")]
    client_ephemeral_public: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_ephemeral_public: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_identity_public: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_identity_text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_tag: Option<String>,
    client_hello: String,
    server_hello: String,
    h0: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    dh_ee: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dh_es: Option<String>,
    ikm: String,
    salt: String,
    prk: String,
    server_finished_key: String,
    server_finished: String,
    h1: String,
    client_finished_key: String,
    client_finished: String,
    exporter: String,
    session_id: String,
}

#[derive(Serialize)]
struct Direction {
    secret_0: String,
    record_key_0: String,
    secret_1: String,
    record_key_1: String,
    records: Vec<SealedRecord>,
}

#[derive(Serialize)]
struct SealedRecord {
    r#type: &'static str,
    more: bool,
    sequence: u64,
    payload: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    close_reason: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    close_text: Option<String>,
    time: u64,
    iv: String,
    plaintext: String,
    frame: String,
}

/// Runs one session and writes everything down.
fn session(mode: KeyMode, offered: &str) -> Session {
    let offered: KeyModes = offered.parse().unwrap();
    let run = Run::of(mode, offered);
    let handshake = Handshake::of(mode, &run);
    let (up, down) = (run.prk.client_to_server(&run.h1), run.prk.server_to_client(&run.h1));
    let client_says = Script::new("client", CloseReason::Done, "goodbye", 499_162_800, 0xc0);
    let server_says = Script::new("server", CloseReason::GoingAway, "à bientôt", 1_700_000_000, 0x50);
    Session {
        mode: mode.name(),
        mode_code: mode as u8,
        inputs: Inputs::of(mode, offered),
        key_id: mode.needs_secret().then(|| SecretKey::from_bytes(PSK).id().to_string()),
        handshake,
        c2s: Direction::of(&client_says, &up, run.client.sealer, run.server.opener),
        s2c: Direction::of(&server_says, &down, run.server.sealer, run.client.opener),
    }
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
    fn of(mode: KeyMode, offered: KeyModes) -> Self {
        let psk = mode.needs_secret().then(|| SecretKey::from_bytes(PSK));
        let identity = mode.needs_share().then(|| IdentityKey::from_bytes(SERVER_IDENTITY_SECRET));
        let offer = Offer::new(offered, psk.clone()).unwrap();
        let policy = Policy::new([mode].into_iter().collect(), identity, psk).unwrap();

        let (client, client_hello) = Initiator::start(offer, Entropy::known(CLIENT_NONCE, CLIENT_EPHEMERAL_SECRET));
        let server = Responder::new(policy, Entropy::known(SERVER_NONCE, SERVER_EPHEMERAL_SECRET));
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

impl Handshake {
    fn of(mode: KeyMode, run: &Run) -> Self {
        let inputs = KeyInputs::of(mode);
        let (salt, ikm) = inputs.salt_and_ikm(mode, &run.prk);
        let sent = ClientHello::decode(&run.client_hello).unwrap();
        let answered = ServerHello::decode(&run.server_hello).unwrap();
        Self {
            client_ephemeral_public: sent.share.map(hex::encode),
            server_ephemeral_public: answered.x25519.map(|keys| hex::encode(keys.share)),
            server_identity_public: answered.x25519.map(|keys| hex::encode(keys.identity)),
            server_identity_text: run.client.server_identity.map(|identity| identity.to_string()),
            key_tag: sent.key_tag.map(hex::encode),
            client_hello: hex::encode(&run.client_hello),
            server_hello: hex::encode(&run.server_hello),
            h0: hex::encode(run.h0.as_bytes()),
            dh_ee: inputs.dh_ee.map(hex::encode),
            dh_es: inputs.dh_es.map(hex::encode),
            ikm: hex::encode(ikm),
            salt: hex::encode(salt),
            prk: hex::encode(*run.prk.0),
            server_finished_key: hex::encode(*run.prk.server_finished(&run.h0).0),
            server_finished: hex::encode(&run.server_finished),
            h1: hex::encode(run.h1.as_bytes()),
            client_finished_key: hex::encode(*run.prk.client_finished(&run.h0).0),
            client_finished: hex::encode(&run.client_finished),
            exporter: hex::encode(run.server.exporter.expose()),
            session_id: hex::encode(run.server.session_id),
        }
    }
}

impl Inputs {
    fn of(mode: KeyMode, offered: KeyModes) -> Self {
        let known = |present: bool, secret: [u8; 32]| present.then(|| hex::encode(secret));
        Self {
            offered_modes: offered.iter().map(KeyMode::name).collect(),
            client_nonce: hex::encode(CLIENT_NONCE),
            server_nonce: hex::encode(SERVER_NONCE),
            psk: known(mode.needs_secret(), PSK),
            client_ephemeral_secret: known(mode.needs_share(), CLIENT_EPHEMERAL_SECRET),
            server_ephemeral_secret: known(mode.needs_share(), SERVER_EPHEMERAL_SECRET),
            server_identity_secret: known(mode.needs_share(), SERVER_IDENTITY_SECRET),
        }
    }
}

/// What goes into the PRK, put together apart from the handshake.
struct KeyInputs {
    psk: Option<[u8; 32]>,
    dh_ee: Option<[u8; 32]>,
    dh_es: Option<[u8; 32]>,
}

impl KeyInputs {
    fn of(mode: KeyMode) -> Self {
        let client = StaticSecret::from(CLIENT_EPHEMERAL_SECRET);
        let with_client = |secret: [u8; 32]| {
            let share = PublicKey::from(&StaticSecret::from(secret)).to_bytes();
            mode.needs_share().then(|| *agree(&client, &share).unwrap())
        };
        Self {
            psk: mode.needs_secret().then_some(PSK),
            dh_ee: with_client(SERVER_EPHEMERAL_SECRET),
            dh_es: with_client(SERVER_IDENTITY_SECRET),
        }
    }

    /// The two inputs of HKDF-Extract, which must lead to the handshake's PRK.
    fn salt_and_ikm(&self, mode: KeyMode, prk: &Prk) -> (Vec<u8>, Vec<u8>) {
        let salt = format!("fernwire v1 {mode}").into_bytes();
        let mut ikm = Vec::new();
        for secret in [&self.psk, &self.dh_ee, &self.dh_es] {
            let secret = secret.as_ref().map_or(&[][..], |secret| &secret[..]);
            ikm.extend_from_slice(&(secret.len() as u16).to_be_bytes());
            ikm.extend_from_slice(secret);
        }
        let mut extract = HkdfExtract::<Sha256>::new(Some(&salt));
        extract.input_ikm(&ikm);
        assert_eq!(extract.finalize().0[..], prk.0[..]);
        (salt, ikm)
    }
}

/// What one side says: every type of record, an empty message, a message in two pieces, and two keys.
struct Script {
    payloads: [(RecordType, bool, Vec<u8>); 9],
    start: u64,
    iv: u8,
}

impl Script {
    fn new(name: &str, reason: CloseReason, text: &str, start: u64, iv: u8) -> Self {
        use RecordType::*;
        let say = |text: &str| format!("{name}: {text}").into_bytes();
        let payloads = [
            (Data, false, say("a message")),
            (Data, false, Vec::new()),
            (Data, true, say("a message in two ")),
            (Data, false, b"records".to_vec()),
            (Ping, false, Vec::new()),
            (Pong, false, Vec::new()),
            (Rekey, false, Vec::new()),
            (Data, false, say("under the next key")),
            (Close, false, [&[reason as u8], text.as_bytes()].concat()),
        ];
        Self { payloads, start, iv }
    }
}

impl Direction {
    fn of(script: &Script, secret: &TrafficSecret, mut sealer: Sealer, mut opener: Opener) -> Self {
        let next = secret.next();
        let keys = [secret.record_key(), next.record_key()];
        let mut generation = 0;
        let mut records = Vec::new();
        for (i, (kind, more, payload)) in script.payloads.iter().enumerate() {
            let stamp = Stamp { time: script.start + i as u64, iv: [script.iv + i as u8; 16] };
            let mut frame = Vec::new();
            sealer.seal(*kind, *more, payload, stamp, &mut frame);
            let mut token = frame[LENGTH..].to_vec();
            assert_eq!(opener.open(&mut token), Ok(Record { kind: *kind, more: *more, payload }));
            records.push(sealed_record(i as u64, (*kind, *more, payload), stamp, &frame, &keys[generation]));
            generation += usize::from(*kind == RecordType::Rekey);
        }
        Self {
            secret_0: hex::encode(*secret.0),
            record_key_0: hex::encode(*secret.record_key_bytes()),
            secret_1: hex::encode(*next.0),
            record_key_1: hex::encode(*next.record_key_bytes()),
            records,
        }
    }
}

fn sealed_record(
    sequence: u64,
    (kind, more, payload): (RecordType, bool, &[u8]),
    stamp: Stamp,
    frame: &[u8],
    key: &FernetKey,
) -> SealedRecord {
    let close = payload.split_first().filter(|_| kind == RecordType::Close);
    SealedRecord {
        r#type: match kind {
            RecordType::Data => "data",
            RecordType::Close => "close",
            RecordType::Rekey => "rekey",
            RecordType::Ping => "ping",
            RecordType::Pong => "pong",
        },
        more,
        sequence,
        payload: hex::encode(payload),
        close_reason: close.map(|(reason, _)| *reason),
        close_text: close.map(|(_, text)| String::from_utf8(text.to_vec()).unwrap()),
        time: stamp.time,
        iv: hex::encode(stamp.iv),
        plaintext: hex::encode(key.open(&mut frame[LENGTH..].to_vec()).unwrap()),
        frame: hex::encode(frame),
    }
}

/// Compares with the file, or writes it if that was asked for.
fn hold_to_file(session: &Session) {
    let path: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "tests/vectors", &format!("{}.json", session.mode)].iter().collect();
    let computed = serde_json::to_string_pretty(session).unwrap() + "\n";
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
