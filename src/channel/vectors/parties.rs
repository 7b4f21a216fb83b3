//! Who takes part in the handshakes of the vectors: what they hold, hellos made by hand, and the words for what goes
//! wrong.

use serde::Serialize;
use x25519_dalek::{PublicKey, StaticSecret};

use super::super::error::HandshakeError;
use super::super::handshake::{CredentialError, Policy, agree};
use super::super::hello::{FrameType, ServerHello, frame};
use super::super::key_schedule::{InputSecrets, Prk, key_tag};
use super::super::mode::{KeyMode, KeyModes};
use super::{
    CLIENT_EPHEMERAL_SECRET, CLIENT_NONCE, OTHER_PSK, PSK, SERVER_EPHEMERAL_SECRET, SERVER_IDENTITY_SECRET,
    SERVER_NONCE, identity,
};
use crate::keys::SecretKey;

/// What all handshakes of a file are made from.
#[derive(Serialize)]
pub(super) struct Inputs {
    client_nonce: String,
    server_nonce: String,
    psk: String,
    other_psk: String,
    client_ephemeral_secret: String,
    server_ephemeral_secret: String,
    server_identity_secret: String,
}

impl Inputs {
    pub(super) fn known() -> Self {
        Self {
            client_nonce: hex::encode(CLIENT_NONCE),
            server_nonce: hex::encode(SERVER_NONCE),
            psk: hex::encode(PSK),
            other_psk: hex::encode(OTHER_PSK),
            client_ephemeral_secret: hex::encode(CLIENT_EPHEMERAL_SECRET),
            server_ephemeral_secret: hex::encode(SERVER_EPHEMERAL_SECRET),
            server_identity_secret: hex::encode(SERVER_IDENTITY_SECRET),
        }
    }
}

/// Which of the two secret keys somebody holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Held {
    Psk,
    OtherPsk,
}

impl Held {
    pub(super) fn key(self) -> SecretKey {
        SecretKey::from_bytes(if self == Self::Psk { PSK } else { OTHER_PSK })
    }
}

/// The server's policy; it always has an identity.
pub(super) fn policy(modes: KeyModes, held: Option<Held>) -> Result<Policy, CredentialError> {
    Policy::new(modes, Some(identity()), held.map(Held::key))
}

/// The client's key tag under the key that it holds.
pub(super) fn tag(held: Held) -> [u8; 8] {
    key_tag(&held.key(), &CLIENT_NONCE)
}

pub(super) fn client_share() -> [u8; 32] {
    PublicKey::from(&StaticSecret::from(CLIENT_EPHEMERAL_SECRET)).to_bytes()
}

pub(super) fn server_share() -> [u8; 32] {
    PublicKey::from(&StaticSecret::from(SERVER_EPHEMERAL_SECRET)).to_bytes()
}

/// A field of a hello.
pub(super) type Field = (u16, Vec<u8>);

pub(super) fn encoded((kind, value): &Field) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &(value.len() as u16).to_be_bytes(), value].concat()
}

/// A hello with these fields, in the order of their types.
pub(super) fn hello(kind: FrameType, mut fields: Vec<Field>) -> Vec<u8> {
    fields.sort();
    let mut body = b"FERNWIRE\x01".to_vec();
    fields.iter().for_each(|field| body.extend(encoded(field)));
    frame(kind, &body)
}

/// The PRK as a client works it out from a ServerHello.
pub(super) fn clients_prk(mode: KeyMode, held: Option<Held>, server_hello: &[u8]) -> Prk {
    let client = StaticSecret::from(CLIENT_EPHEMERAL_SECRET);
    let keys = ServerHello::decode(server_hello).unwrap().x25519;
    let psk = held.filter(|_| mode.needs_secret()).map(Held::key);
    let secrets = InputSecrets {
        psk: psk.as_ref(),
        ephemeral_ephemeral: keys.map(|keys| agree(&client, &keys.share).unwrap()),
        ephemeral_static: keys.map(|keys| agree(&client, &keys.identity).unwrap()),
    };
    Prk::extract(mode, &secrets)
}

/// The alert that an error is told with.
pub(super) fn alert(error: &HandshakeError) -> Option<String> {
    error.alert().map(|alert| hex::encode(frame(FrameType::Alert, &[alert as u8])))
}

/// The word for an error in docs/protocol.md.
pub(super) fn word(error: &HandshakeError) -> &'static str {
    use HandshakeError::*;
    match error {
        UnexpectedFrame(_) => "unexpected_frame",
        FrameTooLong(_) => "frame_too_long",
        BadMagic => "bad_magic",
        Version(_) => "wrong_version",
        CutField => "cut_field",
        DuplicateField(_) => "duplicate_field",
        FieldOrder(_) => "field_order",
        BadField(_) => "bad_field",
        MissingField(_) => "missing_field",
        NeedlessField(_) => "needless_field",
        NoCommonMode { .. } => "no_common_mode",
        ModeNotOffered(_) => "mode_not_offered",
        UnknownKey => "unknown_key",
        LowOrderPoint => "low_order_point",
        ReflectedShare => "reflected_share",
        BadFinished => "bad_finished",
        Alert(_) | UnknownAlert(_) => "alert",
        ForeignProtocol(_) | Truncated | Io(_) | Entropy(_) => panic!("no vector leads to this: {error}"),
    }
}
