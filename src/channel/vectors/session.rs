//! One session of every key mode with every value in between: handshake, key schedule, and some records.

use hkdf::HkdfExtract;
use serde::Serialize;
use sha2::Sha256;
use x25519_dalek::{PublicKey, StaticSecret};

use super::super::handshake::agree;
use super::super::hello::{ClientHello, ServerHello};
use super::super::key_schedule::{Prk, TrafficSecret};
use super::super::mode::{KeyMode, KeyModes};
use super::super::record::{LENGTH, Opener, Record, RecordType, Sealer, Stamp};
use super::super::stream::CloseReason;
use super::super::token::FernetKey;
use super::{
    CLIENT_EPHEMERAL_SECRET, CLIENT_NONCE, PSK, Run, SERVER_EPHEMERAL_SECRET, SERVER_IDENTITY_SECRET, SERVER_NONCE,
    hold_to_file, type_name, usually_offered,
};
use crate::keys::SecretKey;

#[test]
fn sessions_agree_with_their_vectors() {
    KeyMode::ALL.into_iter().for_each(|mode| hold_to_file(mode.name(), &session(mode)));
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
fn session(mode: KeyMode) -> Session {
    let offered = usually_offered(mode);
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
        r#type: type_name(kind),
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
