//! Byte streams: dial and listen, behind one object-safe trait.
//!
//! Accepting is apart from upgrading: [`Listener::accept`] does nothing that a peer can slow down, and whatever a
//! transport must do with the peer first (a TLS accept) runs in [`Incoming::upgrade`], off the accept loop.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

pub mod endpoint;
pub mod memory;
pub mod tcp;
#[cfg(feature = "tls")]
pub mod tls;
pub mod unix;

use crate::model::peer::PeerAddr;
use endpoint::{Address, Endpoint};

/// How long a client waits for a connection by default.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// A future that a trait object can return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A bidirectional byte stream.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// A way to carry bytes between two processes.
pub trait Transport: Send + Sync {
    /// Listens at an endpoint of this scheme.
    fn listen<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        options: &'a ListenOptions,
    ) -> BoxFuture<'a, Result<Box<dyn Listener>, ListenError>>;

    /// Connects to an endpoint of this scheme.
    fn dial<'a>(&'a self, endpoint: &'a Endpoint, options: &'a DialOptions) -> BoxFuture<'a, Result<Conn, DialError>>;
}

/// Accepts connections until it is dropped.
pub trait Listener: Send {
    /// The next connection. Cancel-safe; waits for no peer's bytes.
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Incoming>>;

    /// Where it listens, with the port that the system chose in place of 0.
    fn local(&self) -> &Endpoint;
}

/// A connection that has arrived and may still need work before it carries bytes.
pub struct Incoming {
    /// Who connected.
    pub peer: PeerAddr,
    /// Makes the connection usable; takes as long as the peer likes, so run it under a deadline.
    pub upgrade: BoxFuture<'static, io::Result<Conn>>,
}

/// An established connection.
pub struct Conn {
    /// Its bytes.
    pub io: Box<dyn ByteStream>,
    /// What is known about it.
    pub info: ConnInfo,
}

/// What a transport knows about a connection. Only logging and the trust decision read it.
#[derive(Debug, Clone)]
pub struct ConnInfo {
    /// Who is at the other end.
    pub peer: PeerAddr,
    /// The transport's scheme.
    pub scheme: &'static str,
    /// How the transport itself has proven the server, on the client's side.
    pub proven_by: Option<ProvenBy>,
}

/// How a transport can prove a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProvenBy {
    /// The process behind a Unix socket runs as this user or as root.
    SocketOwner,
    /// A trusted authority vouches for the host's name, and TLS has shown that the server holds the certificate's key.
    Certificate,
}

/// How to listen.
#[derive(Clone, Default)]
pub struct ListenOptions {
    /// What `tls://` listeners show their clients.
    #[cfg(feature = "tls")]
    pub certificate: Option<tls::ServerCertificate>,
}

/// How to dial.
#[derive(Debug, Clone)]
pub struct DialOptions {
    /// How long all of it may take, name resolution and the transport's own handshake included.
    pub timeout: Duration,
    /// Who vouches for `tls://` servers.
    #[cfg(feature = "tls")]
    pub roots: tls::Roots,
}

impl Default for DialOptions {
    fn default() -> Self {
        Self {
            timeout: DIAL_TIMEOUT,
            #[cfg(feature = "tls")]
            roots: tls::Roots::default(),
        }
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The name has no address.
    #[error("cannot find the host `{host}` ({source}); check its name")]
    Resolve {
        /// The name.
        host: String,
        /// The resolver's reason.
        source: io::Error,
    },
    /// Nobody listens there.
    #[error("nothing is listening at {endpoint}; start a server there with `fernwire serve`, or check the address")]
    Refused {
        /// Where.
        endpoint: Endpoint,
    },
    /// Nobody answered.
    #[error("{endpoint} did not answer within {} s; check the address, and that no firewall is in between", .timeout.as_secs_f32())]
    TimedOut {
        /// Where.
        endpoint: Endpoint,
        /// How long was waited.
        timeout: Duration,
    },
    /// There is no way there.
    #[error(
        "{endpoint} cannot be reached ({source}); the machine is off or not on this network, or a firewall refuses"
    )]
    Unreachable {
        /// Where.
        endpoint: Endpoint,
        /// The system's reason.
        source: io::Error,
    },
    /// There is a connection, and no TLS over it.
    #[cfg(feature = "tls")]
    #[error("no TLS with {endpoint}: {source}")]
    Tls {
        /// Where.
        endpoint: Endpoint,
        /// Why.
        source: tls::TlsError,
    },
    /// Anything else.
    #[error("cannot connect to {endpoint}: {source}")]
    Io {
        /// Where.
        endpoint: Endpoint,
        /// The system's reason.
        source: io::Error,
    },
}

impl DialError {
    fn from_io(endpoint: &Endpoint, source: io::Error) -> Self {
        let endpoint = endpoint.without_identity();
        match source.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Self::Refused { endpoint },
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                Self::Unreachable { endpoint, source }
            }
            _ => Self::Io { endpoint, source },
        }
    }
}

/// Why a server cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else listens there.
    #[error("{endpoint} is in use by another process; stop it, or choose another place with --listen")]
    InUse {
        /// Where.
        endpoint: Endpoint,
    },
    /// Something is at the path that this server did not make.
    #[error("{} is in the way: {what}; remove it if nobody needs it, or choose another path", .path.display())]
    InTheWay {
        /// The path.
        path: PathBuf,
        /// What is there.
        what: &'static str,
    },
    /// There is nothing to show clients.
    #[cfg(feature = "tls")]
    #[error("{endpoint} needs a certificate; name one with --tls-cert and --tls-key")]
    NoCertificate {
        /// Where.
        endpoint: Endpoint,
    },
    /// Anything else.
    #[error("cannot listen at {endpoint}: {source}")]
    Io {
        /// Where.
        endpoint: Endpoint,
        /// The system's reason.
        source: io::Error,
    },
}

impl ListenError {
    fn from_io(endpoint: &Endpoint, source: io::Error) -> Self {
        let endpoint = endpoint.without_identity();
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { endpoint },
            _ => Self::Io { endpoint, source },
        }
    }
}

/// The transport that carries an endpoint.
pub fn for_endpoint(endpoint: &Endpoint) -> &'static dyn Transport {
    match endpoint.address {
        Address::Tcp { .. } | Address::Fernet(_) => &tcp::Tcp,
        #[cfg(feature = "tls")]
        Address::Tls { .. } => &tls::Tls,
        Address::Unix(_) => &unix::Unix,
        Address::Memory(_) => &memory::Memory,
    }
}

/// Listens at an endpoint, whatever its scheme.
pub async fn listen(endpoint: &Endpoint, options: &ListenOptions) -> Result<Box<dyn Listener>, ListenError> {
    for_endpoint(endpoint).listen(endpoint, options).await
}

/// Connects to an endpoint, whatever its scheme, within the options' time.
pub async fn dial(endpoint: &Endpoint, options: &DialOptions) -> Result<Conn, DialError> {
    let dialling = for_endpoint(endpoint).dial(endpoint, options);
    tokio::time::timeout(options.timeout, dialling).await.unwrap_or_else(|_| {
        Err(DialError::TimedOut { endpoint: endpoint.without_identity(), timeout: options.timeout })
    })
}
