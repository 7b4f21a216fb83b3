//! What went wrong in a TLS handshake, seen from either side.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

use super::verify::Refused;

/// Why a client has no TLS with a server.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Its certificate proves nothing.
    #[error("{0}")]
    Certificate(Refused),
    /// It shows a certificate that is another's.
    #[error("it does not hold the key of the certificate that it shows; somebody may be posing as the server")]
    NotItsKey,
    /// No certificate could have this name.
    #[error("`{0}` is not a name that a certificate can have")]
    NoName(String),
    /// It speaks something else.
    #[error("what answers there does not speak TLS; check the port, and that the server listens on tls://")]
    NotTls,
    /// It hung up.
    #[error("it closed the connection instead; check the port, and that the server listens on tls://")]
    Closed,
    /// It speaks nothing new enough.
    #[error("it speaks nothing newer than TLS 1.2, and TLS 1.3 is wanted; upgrade that side")]
    TooOld,
    /// It speaks TLS, and inside of it something else.
    #[error("what answers there speaks TLS for another service, and not Fernwire; check the port")]
    OtherService,
    /// It refused, and said so.
    #[error("the server says (unverified): {0:?}")]
    Alert(AlertDescription),
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Io(io::Error),
    /// Anything else.
    #[error("{0}")]
    Other(#[from] Error),
}

impl TlsError {
    /// What a client's side of the handshake has failed with.
    pub(super) fn from_server(error: io::Error) -> Self {
        match rustls_error(&error) {
            Some(Error::InvalidMessage(_) | Error::InappropriateMessage { .. }) => Self::NotTls,
            Some(
                Error::PeerIncompatible(
                    PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
                    | PeerIncompatible::ServerDoesNotSupportTls12Or13,
                )
                | Error::AlertReceived(AlertDescription::ProtocolVersion),
            ) => Self::TooOld,
            // Whether the certificate itself is any good has been decided before its key is used.
            Some(Error::InvalidCertificate(CertificateError::BadSignature)) => Self::NotItsKey,
            Some(Error::AlertReceived(AlertDescription::NoApplicationProtocol) | Error::NoApplicationProtocol) => {
                Self::OtherService
            }
            Some(Error::AlertReceived(alert)) => Self::Alert(*alert),
            Some(other) => Self::Other(other.clone()),
            None => match error.kind() {
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                    Self::Closed
                }
                _ => Self::Io(error),
            },
        }
    }
}

/// What a server's side of the handshake has failed with, in words for its log.
pub(super) fn from_client(error: io::Error) -> io::Error {
    // A fixed set of sentences: a client that could choose among many would fill the log with them.
    let told = match rustls_error(&error) {
        Some(Error::InvalidMessage(_)) => "the client does not speak TLS",
        Some(Error::PeerIncompatible(_)) => "the client offers no TLS that is spoken here; TLS 1.3 is",
        Some(Error::NoApplicationProtocol) => "the client wants another service over TLS",
        Some(Error::AlertReceived(AlertDescription::UnknownCA)) => {
            "the client does not trust the issuer of our certificate"
        }
        Some(Error::AlertReceived(AlertDescription::CertificateExpired)) => {
            "the client finds that our certificate has ended or not begun"
        }
        Some(Error::AlertReceived(_)) => "the client broke the TLS handshake off; it may not accept our certificate",
        Some(_) => "the client sent what TLS does not allow there",
        None if error.kind() == io::ErrorKind::UnexpectedEof => "the client left before TLS was established",
        None => return error,
    };
    io::Error::new(error.kind(), told)
}

fn rustls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}
