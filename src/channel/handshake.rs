//! The handshake as two state machines: frames in, frames out, no I/O; randomness comes from outside.
//!
//! ```text
//! initiator                                                     responder
//! Initiator::start             -- ClientHello -->               Responder::read_client_hello
//! read_server_hello            <-- ServerHello, ServerFinished --
//! read_server_finished
//! decide whether to trust
//! ServerVerified::finish       -- ClientFinished -->            ServerFlightSent::read_client_finished
//! ```
//! Each step consumes the state before it, so that a step can be neither left out nor done twice. After it, both
//! sides have an [`Established`] with the keys of the records.

use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

pub use super::hello::MAX_BODY;

use super::error::HandshakeError;
use super::hello::{self, ClientHello, FrameType, ServerHello, ServerKeys};
use super::key_schedule::{Exporter, InputSecrets, Prk, key_tag};
use super::mode::{KeyMode, KeyModes};
use super::record::{Opener, Sealer};
use super::transcript::{Transcript, TranscriptHash};
use crate::keys::{IdentityKey, SecretKey};
use crate::model::PublicIdentity;
use subtle::ConstantTimeEq;

/// The modes need a key that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// A set of modes without a mode.
    #[error("there is no key mode to use")]
    NoMode,
    /// A mode with psk, and no secret.key.
    #[error("the key modes {0} need a secret key, and there is none")]
    NoSecretKey(KeyModes),
    /// A mode with x25519, and no identity.key.
    #[error("the key modes {0} need an identity key, and there is none")]
    NoIdentity(KeyModes),
}

/// What a client brings to a handshake.
#[derive(Clone)]
pub struct Offer {
    modes: KeyModes,
    secret_key: Option<SecretKey>,
}

impl Offer {
    /// Offers these modes; those with psk need the secret key.
    pub fn new(modes: KeyModes, secret_key: Option<SecretKey>) -> Result<Self, CredentialError> {
        match secret_key {
            _ if modes.is_empty() => Err(CredentialError::NoMode),
            None if modes.need_secret() => Err(CredentialError::NoSecretKey(modes)),
            secret_key => Ok(Self { secret_key: secret_key.filter(|_| modes.need_secret()), modes }),
        }
    }

    /// The offered modes.
    pub fn modes(&self) -> KeyModes {
        self.modes
    }
}

/// What a server allows, and the keys that it needs for that.
#[derive(Clone)]
pub struct Policy {
    modes: KeyModes,
    identity: Option<IdentityKey>,
    secret_key: Option<SecretKey>,
}

impl Policy {
    /// Allows these modes; those with psk need the secret key, those with x25519 the identity.
    pub fn new(
        modes: KeyModes,
        identity: Option<IdentityKey>,
        secret_key: Option<SecretKey>,
    ) -> Result<Self, CredentialError> {
        if modes.is_empty() {
            return Err(CredentialError::NoMode);
        }
        if modes.need_secret() && secret_key.is_none() {
            return Err(CredentialError::NoSecretKey(modes));
        }
        if modes.need_share() && identity.is_none() {
            return Err(CredentialError::NoIdentity(modes));
        }
        Ok(Self { modes, identity, secret_key })
    }

    /// The allowed modes.
    pub fn modes(&self) -> KeyModes {
        self.modes
    }

    /// The secret key that clients may prove, if any.
    pub fn secret_key(&self) -> Option<&SecretKey> {
        self.secret_key.as_ref()
    }

    /// The identity that clients can pin, if any.
    pub fn identity(&self) -> Option<PublicIdentity> {
        self.identity.as_ref().map(IdentityKey::public)
    }
}

/// The randomness of one handshake. Use it once.
pub struct Entropy {
    nonce: [u8; 32],
    ephemeral: Zeroizing<[u8; 32]>,
}

impl Entropy {
    /// Fresh randomness from the operating system.
    pub fn from_system() -> Result<Self, HandshakeError> {
        let mut entropy = Self { nonce: [0; 32], ephemeral: Zeroizing::new([0; 32]) };
        getrandom::fill(&mut entropy.nonce).map_err(HandshakeError::Entropy)?;
        getrandom::fill(entropy.ephemeral.as_mut_slice()).map_err(HandshakeError::Entropy)?;
        Ok(entropy)
    }

    /// Known bytes, for test vectors alone.
    #[cfg(test)]
    pub(super) fn known(nonce: [u8; 32], ephemeral: [u8; 32]) -> Self {
        Self { nonce, ephemeral: Zeroizing::new(ephemeral) }
    }
}

/// One side's ephemeral key pair. The secret is wiped on drop.
struct KeyPair {
    secret: StaticSecret,
    share: [u8; 32],
}

impl KeyPair {
    fn new(entropy: &Entropy) -> Self {
        let secret = StaticSecret::from(*entropy.ephemeral);
        Self { share: PublicKey::from(&secret).to_bytes(), secret }
    }
}

/// X25519 (RFC 7748), refusing an all-zero result.
pub(super) fn agree(secret: &StaticSecret, share: &[u8; 32]) -> Result<Zeroizing<[u8; 32]>, HandshakeError> {
    let shared = secret.diffie_hellman(&PublicKey::from(*share));
    if shared.was_contributory() { Ok(Zeroizing::new(shared.to_bytes())) } else { Err(HandshakeError::LowOrderPoint) }
}

/// The client, waiting for ServerHello.
pub struct Initiator {
    offer: Offer,
    key_pair: Option<KeyPair>,
    transcript: Transcript,
}

impl Initiator {
    /// Begins a handshake; the bytes are the ClientHello frame.
    pub fn start(offer: Offer, entropy: Entropy) -> (Self, Vec<u8>) {
        let key_pair = offer.modes.need_share().then(|| KeyPair::new(&entropy));
        let hello = ClientHello {
            modes: offer.modes,
            nonce: entropy.nonce,
            share: key_pair.as_ref().map(|pair| pair.share),
            key_tag: offer.secret_key.as_ref().map(|psk| key_tag(psk, &entropy.nonce)),
        };
        let frame = hello.encode();
        let mut transcript = Transcript::new();
        transcript.add(&frame);
        (Self { offer, key_pair, transcript }, frame)
    }

    /// Takes the ServerHello frame.
    pub fn read_server_hello(mut self, frame: &[u8]) -> Result<ServerHelloReceived, HandshakeError> {
        let hello = ServerHello::decode(frame)?;
        if !self.offer.modes.contains(hello.mode) {
            return Err(HandshakeError::ModeNotOffered(hello.mode));
        }
        let mut secrets = InputSecrets::default();
        if let (Some(server), Some(pair)) = (&hello.x25519, &self.key_pair) {
            if server.share == pair.share || server.identity == pair.share {
                return Err(HandshakeError::ReflectedShare);
            }
            secrets.ephemeral_ephemeral = Some(agree(&pair.secret, &server.share)?);
            secrets.ephemeral_static = Some(agree(&pair.secret, &server.identity)?);
        }
        secrets.psk = self.offer.secret_key.as_ref().filter(|_| hello.mode.needs_secret());
        let prk = Prk::extract(hello.mode, &secrets);
        self.transcript.add(frame);
        let identity = hello.x25519.map(|keys| PublicIdentity::from_bytes(keys.identity));
        Ok(ServerHelloReceived { mode: hello.mode, identity, prk, transcript: self.transcript })
    }
}

/// The client, waiting for ServerFinished.
pub struct ServerHelloReceived {
    mode: KeyMode,
    identity: Option<PublicIdentity>,
    pub(super) prk: Prk,
    transcript: Transcript,
}

impl ServerHelloReceived {
    /// Takes the ServerFinished frame: after it, the server has proven that it holds the keys of this handshake.
    pub fn read_server_finished(mut self, frame: &[u8]) -> Result<ServerVerified, HandshakeError> {
        let mac = hello::body(frame, FrameType::ServerFinished)?;
        let h0 = self.transcript.hash();
        if !self.prk.server_finished(&h0).verifies(&h0, mac) {
            return Err(HandshakeError::BadFinished);
        }
        self.transcript.add(frame);
        let h1 = self.transcript.hash();
        Ok(ServerVerified { mode: self.mode, identity: self.identity, prk: self.prk, h0, h1 })
    }
}

/// The client, about to decide whether it trusts the server that it has verified.
pub struct ServerVerified {
    mode: KeyMode,
    identity: Option<PublicIdentity>,
    prk: Prk,
    h0: TranscriptHash,
    h1: TranscriptHash,
}

impl ServerVerified {
    /// The mode that the server chose.
    pub fn mode(&self) -> KeyMode {
        self.mode
    }

    /// The identity that the server has proven, in the X25519 modes.
    pub fn identity(&self) -> Option<PublicIdentity> {
        self.identity
    }

    /// Trusts the server and ends the handshake; the bytes are the ClientFinished frame.
    pub fn finish(self) -> (Vec<u8>, Established) {
        let mac = self.prk.client_finished(&self.h0).mac(&self.h1);
        let frame = hello::frame(FrameType::ClientFinished, &mac);
        (frame, Established::new(Role::Initiator, self.mode, self.identity, &self.prk, &self.h1))
    }
}

/// The server, waiting for ClientHello.
pub struct Responder {
    policy: Policy,
    entropy: Entropy,
}

impl Responder {
    /// Begins a handshake under this policy.
    pub fn new(policy: Policy, entropy: Entropy) -> Self {
        Self { policy, entropy }
    }

    /// Takes the ClientHello frame; the bytes are ServerHello and ServerFinished, to be sent together.
    pub fn read_client_hello(self, frame: &[u8]) -> Result<(ServerFlightSent, Vec<u8>), HandshakeError> {
        let client = ClientHello::decode(frame)?;
        let mode = self.choose(&client)?;
        let key_pair = client.share.filter(|_| mode.needs_share()).map(|share| (share, KeyPair::new(&self.entropy)));
        let mut secrets = InputSecrets::default();
        let mut x25519 = None;
        if let (Some((share, pair)), Some(identity)) = (&key_pair, &self.policy.identity) {
            let keys = ServerKeys { share: pair.share, identity: *identity.public().as_bytes() };
            if *share == keys.share || *share == keys.identity {
                return Err(HandshakeError::ReflectedShare);
            }
            secrets.ephemeral_ephemeral = Some(agree(&pair.secret, share)?);
            secrets.ephemeral_static = Some(agree(identity.secret(), share)?);
            x25519 = Some(keys);
        }
        secrets.psk = self.policy.secret_key.as_ref().filter(|_| mode.needs_secret());
        let prk = Prk::extract(mode, &secrets);

        let mut flight = ServerHello { mode, nonce: self.entropy.nonce, x25519 }.encode();
        let mut transcript = Transcript::new();
        transcript.add(frame);
        transcript.add(&flight);
        let h0 = transcript.hash();
        let finished = hello::frame(FrameType::ServerFinished, &prk.server_finished(&h0).mac(&h0));
        transcript.add(&finished);
        flight.extend_from_slice(&finished);
        let identity = x25519.map(|keys| PublicIdentity::from_bytes(keys.identity));
        Ok((ServerFlightSent { mode, identity, prk, h0, h1: transcript.hash() }, flight))
    }

    /// The first allowed mode that the client offers, unless the client's secret key is another than ours: that is
    /// refused and never bypassed by a mode without the key.
    fn choose(&self, client: &ClientHello) -> Result<KeyMode, HandshakeError> {
        let mode = self.policy.modes.iter().find(|mode| client.modes.contains(*mode));
        let mode = mode.ok_or(HandshakeError::NoCommonMode { offered: client.modes, allowed: self.policy.modes })?;
        if let (Some(psk), Some(tag)) = (&self.policy.secret_key, &client.key_tag)
            && !bool::from(key_tag(psk, &client.nonce).ct_eq(tag))
        {
            return Err(HandshakeError::UnknownKey);
        }
        Ok(mode)
    }
}

/// The server, waiting for ClientFinished. Until that verifies, no record is sent and nothing is handed up.
pub struct ServerFlightSent {
    mode: KeyMode,
    identity: Option<PublicIdentity>,
    pub(super) prk: Prk,
    pub(super) h0: TranscriptHash,
    h1: TranscriptHash,
}

impl ServerFlightSent {
    /// Takes the ClientFinished frame and ends the handshake.
    pub fn read_client_finished(self, frame: &[u8]) -> Result<Established, HandshakeError> {
        let mac = hello::body(frame, FrameType::ClientFinished)?;
        if !self.prk.client_finished(&self.h0).verifies(&self.h1, mac) {
            return Err(HandshakeError::BadFinished);
        }
        Ok(Established::new(Role::Responder, self.mode, self.identity, &self.prk, &self.h1))
    }
}

/// The side of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The side that dialled.
    Initiator,
    /// The side that accepted.
    Responder,
}

/// A finished handshake: both directions' keys, and what the two sides now know.
pub struct Established {
    /// This side.
    pub role: Role,
    /// The mode that was agreed on.
    pub mode: KeyMode,
    /// The server's identity, in the X25519 modes.
    pub server_identity: Option<PublicIdentity>,
    /// The session's id: the same on both sides, different for every session, no secret.
    pub session_id: [u8; 32],
    /// A secret for protocols on top.
    pub exporter: Exporter,
    /// Seals what this side sends.
    pub sealer: Sealer,
    /// Opens what this side receives.
    pub opener: Opener,
}

impl Established {
    fn new(role: Role, mode: KeyMode, identity: Option<PublicIdentity>, prk: &Prk, h1: &TranscriptHash) -> Self {
        let (up, down) = (prk.client_to_server(h1), prk.server_to_client(h1));
        let (ours, theirs) = match role {
            Role::Initiator => (up, down),
            Role::Responder => (down, up),
        };
        Self {
            role,
            mode,
            server_identity: identity,
            session_id: *h1.as_bytes(),
            exporter: prk.exporter(h1),
            sealer: Sealer::new(ours),
            opener: Opener::new(theirs),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_without_their_keys_are_refused() {
        let psk: KeyModes = "psk".parse().unwrap();
        let both: KeyModes = "x25519+psk".parse().unwrap();
        let key = || Some(SecretKey::from_bytes([1; 32]));
        assert_eq!(Offer::new(psk, None).err(), Some(CredentialError::NoSecretKey(psk)));
        assert_eq!(Offer::new(KeyModes::default(), key()).err(), Some(CredentialError::NoMode));
        assert_eq!(Policy::new(both, None, key()).err(), Some(CredentialError::NoIdentity(both)));
        assert_eq!(Policy::new(psk, None, None).err(), Some(CredentialError::NoSecretKey(psk)));
    }
}
