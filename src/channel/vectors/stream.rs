//! What the files say of records: one direction of a session, what it is made of, and what its reader makes of it.

use serde::Serialize;

use super::super::mode::KeyMode;
use super::edit::Edit;
use super::line::first_secret;

/// What a counting payload counts up to before it begins again.
const PERIOD: usize = 251;
/// Longer payloads count, and are described rather than shown.
pub(super) const MAX_SHOWN: usize = 2048;

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Side {
    #[serde(rename = "c2s")]
    Client,
    #[serde(rename = "s2c")]
    Server,
}

impl Side {
    pub(super) const BOTH: [Self; 2] = [Self::Client, Self::Server];

    pub(super) fn other(self) -> Self {
        if self == Self::Client { Self::Server } else { Self::Client }
    }
}

/// A file of streams, each one direction of the session in the file of its mode: with those secrets, and other records.
#[derive(Serialize)]
pub(super) struct File {
    secrets: Vec<Secrets>,
    streams: Vec<Stream>,
}

#[derive(Serialize)]
struct Secrets {
    mode: &'static str,
    c2s: String,
    s2c: String,
}

impl File {
    pub(super) fn of(streams: Vec<Stream>) -> Self {
        let used = |mode: &KeyMode| streams.iter().any(|stream| stream.mode == mode.name());
        let secrets = |mode: KeyMode| {
            let [c2s, s2c] = Side::BOTH.map(|side| hex::encode(*first_secret(mode, side).0));
            Secrets { mode: mode.name(), c2s, s2c }
        };
        Self { secrets: KeyMode::ALL.into_iter().filter(used).map(secrets).collect(), streams }
    }
}

/// One direction of a session, from its first record to the end of the stream.
#[derive(Serialize)]
pub(super) struct Stream {
    pub(super) mode: &'static str,
    pub(super) direction: Side,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) keys: Vec<Key>,
    pub(super) records: Vec<Sent>,
    /// What the reader hands up before the end.
    pub(super) messages: Vec<Payload>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) close: Option<Goodbye>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refused: Option<&'static str>,
}

#[derive(Serialize)]
pub(super) struct Key {
    pub(super) secret: String,
    pub(super) record_key: String,
}

#[derive(Serialize)]
pub(super) struct Goodbye {
    pub(super) reason: u8,
    /// Left out where it is no UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<String>,
}

/// Bytes in hex, or so many that count: byte i is (from + i) mod 251.
#[derive(Debug, Serialize, Clone, PartialEq, Eq)]
#[serde(untagged)]
pub(super) enum Payload {
    Shown(String),
    Counting { from: usize, bytes: usize },
}

impl Payload {
    /// Says what a payload is that belongs at `from` in its message.
    pub(super) fn of(bytes: &[u8], from: usize) -> Self {
        if bytes.len() <= MAX_SHOWN {
            return Self::Shown(hex::encode(bytes));
        }
        assert_eq!(bytes, counted(from, bytes.len()));
        Self::Counting { from, bytes: bytes.len() }
    }
}

/// A payload that counts.
pub(super) fn counted(from: usize, bytes: usize) -> Vec<u8> {
    (from..from + bytes).map(|i| (i % PERIOD) as u8).collect()
}

/// One record with all that it is made of.
#[derive(Serialize, Clone, Default)]
pub(super) struct Sent {
    /// The key, where it is not the one that is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sealed_by: Option<SealedBy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) r#type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) more: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sequence: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) payload: Option<Payload>,
    /// Version and padded plaintext, where they are not made from what is above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) padded: Option<String>,
    pub(super) time: u64,
    pub(super) iv: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) changes: Vec<Edit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) frame: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) frame_sha256: Option<String>,
}

#[derive(Serialize, Clone, Copy)]
pub(super) struct SealedBy {
    pub(super) direction: Side,
    pub(super) generation: usize,
}
