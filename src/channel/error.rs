//! Why a handshake or a channel ended, one sentence a reason; and the alerts that a peer is told.

use std::io;
use std::sync::Arc;

use super::mode::{KeyMode, KeyModes};
use super::record::RecordError;

/// What a peer is told before authentication, in one byte. It proves nothing and is fatal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Alert {
    /// A frame was not what the protocol allows at that point.
    Malformed = 1,
    /// The version is not spoken.
    Version = 2,
    /// No offered mode is allowed.
    NoCommonMode = 3,
    /// The server does not hold the secret.key that the client offered.
    UnknownKey = 4,
    /// A Finished message did not verify.
    BadFinished = 5,
    /// The client does not trust the server's identity.
    Untrusted = 6,
}

impl Alert {
    /// Every alert, in the order of its code.
    pub const ALL: [Self; 6] =
        [Self::Malformed, Self::Version, Self::NoCommonMode, Self::UnknownKey, Self::BadFinished, Self::Untrusted];

    /// The alert with this code.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|alert| *alert as u8 == code)
    }
}

impl std::fmt::Display for Alert {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Malformed => "that message is malformed",
            Self::Version => "that protocol version is not spoken here",
            Self::NoCommonMode => "none of the offered key modes is allowed here",
            Self::UnknownKey => "that secret key is not the one held here",
            Self::BadFinished => "the handshake did not verify",
            Self::Untrusted => "that identity is not trusted here",
        })
    }
}

/// Why a handshake failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HandshakeError {
    /// The peer speaks another protocol.
    #[error("the peer speaks {0}, not Fernwire; check the port")]
    ForeignProtocol(&'static str),
    /// A frame of this type was not due.
    #[error("the peer sent a frame of type {0} that was not due")]
    UnexpectedFrame(u8),
    /// The frame is longer than a handshake frame can be.
    #[error("the peer announced a handshake frame of {0} bytes; {max} are allowed", max = super::handshake::MAX_BODY)]
    FrameTooLong(usize),
    /// A hello does not begin with `FERNWIRE`.
    #[error("the peer's hello does not begin as a Fernwire hello does")]
    BadMagic,
    /// The peer speaks another version.
    #[error("the peer speaks version {0} of the protocol, and this is version 1; upgrade the older side")]
    Version(u8),
    /// A field is cut off.
    #[error("the peer's hello ends inside a field")]
    CutField,
    /// A field is there twice.
    #[error("the peer's hello has field {0} twice")]
    DuplicateField(u16),
    /// Fields do not ascend.
    #[error("the peer's hello has field {0} out of order")]
    FieldOrder(u16),
    /// A field has the wrong length or content.
    #[error("the peer's hello has a malformed {0}")]
    BadField(&'static str),
    /// A field that the chosen or offered modes need is absent.
    #[error("the peer's hello lacks its {0}")]
    MissingField(&'static str),
    /// A field that no chosen or offered mode needs is there.
    #[error("the peer's hello has a {0} that its key modes have no use for")]
    NeedlessField(&'static str),
    /// The two sides allow different modes.
    #[error("no key mode in common: the client offers {offered}, and the server allows {allowed}")]
    NoCommonMode {
        /// What the client offered.
        offered: KeyModes,
        /// What the server allows.
        allowed: KeyModes,
    },
    /// The server chose what was not offered.
    #[error("the server chose key mode {0}, which was not offered; somebody may be tampering with the connection")]
    ModeNotOffered(KeyMode),
    /// The client holds another secret.key.
    #[error("the client's secret key is not the one that this server holds")]
    UnknownKey,
    /// The peer's X25519 point leads to an all-zero secret.
    #[error("the peer's key share is a point of low order; somebody may be tampering with the connection")]
    LowOrderPoint,
    /// The peer sent our own share back.
    #[error("the peer sent our own key share back; somebody may be tampering with the connection")]
    ReflectedShare,
    /// The peer could not prove that it took part in this handshake with the right keys.
    #[error("the peer's Finished message does not verify: wrong keys, or somebody tampers with the connection")]
    BadFinished,
    /// The peer sent an alert.
    #[error("the peer says (unverified): {0}")]
    Alert(Alert),
    /// The peer sent an alert that this version does not know.
    #[error("the peer says (unverified): alert {0}")]
    UnknownAlert(u8),
    /// The stream ended.
    #[error("the peer left in the middle of the handshake")]
    Truncated,
    /// The stream failed.
    #[error("the connection failed in the middle of the handshake: {0}")]
    Io(Arc<io::Error>),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes: {0}")]
    Entropy(getrandom::Error),
}

impl HandshakeError {
    /// What the peer is told, if there is any use in telling it.
    pub fn alert(&self) -> Option<Alert> {
        match self {
            Self::Version(_) => Some(Alert::Version),
            Self::NoCommonMode { .. } => Some(Alert::NoCommonMode),
            Self::UnknownKey => Some(Alert::UnknownKey),
            Self::BadFinished => Some(Alert::BadFinished),
            Self::Alert(_)
            | Self::UnknownAlert(_)
            | Self::Truncated
            | Self::Io(_)
            | Self::Entropy(_)
            | Self::ForeignProtocol(_) => None,
            _ => Some(Alert::Malformed),
        }
    }
}

impl From<io::Error> for HandshakeError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            _ => Self::Io(Arc::new(error)),
        }
    }
}

/// Why an established channel failed. The first failure ends it, and every later call gives the same one.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ChannelError {
    /// A record was not what it had to be.
    #[error("{0}")]
    Record(#[from] RecordError),
    /// The peer's message is longer than it may be.
    #[error("the peer sent a message of more than {limit} bytes")]
    MessageTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// Our message is longer than the peer may take; nothing was sent.
    #[error("a message of {length} bytes is too long; {limit} are allowed")]
    TooLongToSend {
        /// Its length in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The stream ended without a close record.
    #[error("the connection was cut off: it ended without a goodbye")]
    Truncated,
    /// Nothing authentic came for too long.
    #[error("the connection is dead: nothing was heard for {0} s")]
    Dead(f32),
    /// We have closed our direction already.
    #[error("this end of the channel is closed already")]
    Closed,
    /// The stream failed.
    #[error("the connection failed: {0}")]
    Io(Arc<io::Error>),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes: {0}")]
    Entropy(getrandom::Error),
}

impl From<io::Error> for ChannelError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // A peer that is gone without a close record, seen from either direction.
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                Self::Truncated
            }
            _ => Self::Io(Arc::new(error)),
        }
    }
}
