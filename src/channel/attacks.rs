//! What an attacker on the wire tries, and the exact error that stops it. Here: the honest parties and the wire.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::error::HandshakeError;
use super::handshake::{Entropy, Established, Initiator, Offer, Policy, Responder, Role, ServerFlightSent};
use super::hello::FrameType;
use super::mode::KeyModes;
use super::record::{LENGTH, Opener, RecordError, RecordType, Sealer, Stamp};
use super::stream::{Channel, Settings};
use crate::keys::{IdentityKey, SecretKey};

/// Asserts that the result is this error and no other.
macro_rules! assert_refused {
    ($result:expr, $error:pat) => {{
        let error = $result.err();
        assert!(matches!(error, Some($error)), "{error:?}");
    }};
}

mod handshake;
mod records;
mod stream;
mod tampering;

const ALL: &str = "x25519+psk,x25519,psk";
const STAMP: Stamp = Stamp { time: 1_700_000_000, iv: [0x4e; 16] };
/// A ServerFinished or ClientFinished frame: header and HMAC.
const FINISHED_FRAME: usize = 3 + 32;

fn secret() -> SecretKey {
    SecretKey::from_bytes([0x5e; 32])
}

fn identity() -> IdentityKey {
    IdentityKey::from_bytes([0x1d; 32])
}

fn modes(text: &str) -> KeyModes {
    text.parse().unwrap()
}

fn offer(text: &str) -> Offer {
    Offer::new(modes(text), Some(secret())).unwrap()
}

fn policy(text: &str) -> Policy {
    Policy::new(modes(text), Some(identity()), Some(secret())).unwrap()
}

fn entropy(seed: u8) -> Entropy {
    Entropy::known([seed; 32], [seed ^ 0xff; 32])
}

fn start(text: &str) -> (Initiator, Vec<u8>) {
    Initiator::start(offer(text), entropy(1))
}

/// The honest server's answer in two frames.
fn answer(
    policy: Policy,
    seed: u8,
    client_hello: &[u8],
) -> Result<(ServerFlightSent, Vec<u8>, Vec<u8>), HandshakeError> {
    let (sent, mut server_hello) = Responder::new(policy, entropy(seed)).read_client_hello(client_hello)?;
    let server_finished = server_hello.split_off(server_hello.len() - FINISHED_FRAME);
    Ok((sent, server_hello, server_finished))
}

/// A handshake between honest parties, each frame of which passes through `wire` on its way. The error says whom it
/// stopped.
fn handshake_through(
    offer: Offer,
    policy: Policy,
    mut wire: impl FnMut(FrameType, &mut Vec<u8>),
) -> Result<(Established, Established), (Role, HandshakeError)> {
    let client = |error| (Role::Initiator, error);
    let server = |error| (Role::Responder, error);
    let (initiator, mut frame) = Initiator::start(offer, entropy(1));
    wire(FrameType::ClientHello, &mut frame);
    let (sent, mut server_hello, mut server_finished) = answer(policy, 2, &frame).map_err(server)?;
    wire(FrameType::ServerHello, &mut server_hello);
    let initiator = initiator.read_server_hello(&server_hello).map_err(client)?;
    wire(FrameType::ServerFinished, &mut server_finished);
    let (mut frame, initiator) = initiator.read_server_finished(&server_finished).map_err(client)?.finish();
    wire(FrameType::ClientFinished, &mut frame);
    let responder = sent.read_client_finished(&frame).map_err(server)?;
    Ok((initiator, responder))
}

/// Both ends of an honest session. Other seeds give other sessions.
fn session(mode: &str, seed: u8) -> (Established, Established) {
    let (initiator, frame) = Initiator::start(offer(mode), entropy(seed));
    let (sent, server_hello, server_finished) = answer(policy(mode), seed + 1, &frame).unwrap();
    let verified = initiator.read_server_hello(&server_hello).unwrap().read_server_finished(&server_finished).unwrap();
    let (frame, client) = verified.finish();
    (client, sent.read_client_finished(&frame).unwrap())
}

/// One framed record.
fn seal(sealer: &mut Sealer, kind: RecordType, more: bool, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    sealer.seal(kind, more, payload, STAMP, &mut frame);
    frame
}

/// Opens one framed record as the stream does: first its length, then its token.
fn open(opener: &mut Opener, frame: &[u8]) -> Result<(RecordType, Vec<u8>), RecordError> {
    let (prefix, token) = frame.split_first_chunk::<LENGTH>().unwrap();
    let mut token = token.to_vec();
    assert_eq!(Opener::token_length(*prefix)?, token.len());
    opener.open(&mut token).map(|record| (record.kind, record.payload.to_vec()))
}

/// A client that holds the keys of a session and does with them whatever a test says.
pub(super) struct RawPeer {
    pub(super) io: DuplexStream,
    pub(super) sealer: Sealer,
    opener: Opener,
}

impl RawPeer {
    pub(super) async fn send(&mut self, kind: RecordType, more: bool, payload: &[u8]) {
        let frame = seal(&mut self.sealer, kind, more, payload);
        self.io.write_all(&frame).await.unwrap();
    }

    pub(super) async fn recv(&mut self) -> (RecordType, Vec<u8>) {
        let mut frame = vec![0; LENGTH];
        self.io.read_exact(&mut frame).await.unwrap();
        let length = Opener::token_length(frame[..].try_into().unwrap()).unwrap();
        frame.resize(LENGTH + length, 0);
        self.io.read_exact(&mut frame[LENGTH..]).await.unwrap();
        open(&mut self.opener, &frame).unwrap()
    }
}

/// A server's channel over a stream that holds `buffer` bytes, and the raw client at its other end.
pub(super) fn server_and_raw_client(settings: Settings, buffer: usize) -> (Channel<DuplexStream>, RawPeer) {
    let (client, server) = session("psk", 1);
    let (near, far) = tokio::io::duplex(buffer);
    let raw = RawPeer { io: far, sealer: client.sealer, opener: client.opener };
    (Channel::new(near, server, Vec::new(), settings), raw)
}
