//! `tls://`: TLS 1.3 (RFC 8446) over TCP. The Fernwire handshake runs inside it as over any other transport.
//!
//! X25519MLKEM768 is offered first, so that a recording cannot be opened by a quantum computer later. A server's
//! certificate is verified for the host's name, or, where the endpoint carries the server's identity, not at all: then
//! that identity, which the Fernwire handshake proves, stands in its place. Who names authorities besides wants both.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, InconsistentKeys, ServerConfig, version};
use rustls_pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::endpoint::Endpoint;
use super::{
    BoxFuture, Conn, ConnInfo, DialError, DialOptions, Incoming, ListenError, ListenOptions, Listener, ProvenBy,
    Transport, tcp,
};
use crate::certs::pem::{PemError, PemPair};
use crate::certs::summary::Summary;
use crate::model::peer::PeerAddr;

mod error;
mod verify;

pub use error::TlsError;
pub use verify::{Refused, Roots};

use verify::Verifier;

/// What is spoken inside (RFC 7301), so that a connection meant for another service is refused. Peers may leave it out.
const ALPN: &[u8] = b"fernwire/1";

/// The transport over TLS.
pub struct Tls;

impl Transport for Tls {
    fn listen<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        options: &'a ListenOptions,
    ) -> BoxFuture<'a, Result<Box<dyn Listener>, ListenError>> {
        Box::pin(async move {
            let certificate = options.certificate.clone();
            let certificate =
                certificate.ok_or_else(|| ListenError::NoCertificate { endpoint: endpoint.without_identity() })?;
            let failed = |error| ListenError::from_io(endpoint, io::Error::other(error));
            let acceptor = TlsAcceptor::from(Arc::new(server_config(certificate).map_err(failed)?));
            Ok(Box::new(TlsListener { sockets: tcp::listen(endpoint).await?, acceptor }) as Box<dyn Listener>)
        })
    }

    fn dial<'a>(&'a self, endpoint: &'a Endpoint, options: &'a DialOptions) -> BoxFuture<'a, Result<Conn, DialError>> {
        Box::pin(async move {
            let stream = tcp::dial(endpoint).await?;
            let peer = stream.peer_addr().map_err(|source| DialError::from_io(endpoint, source))?;
            let verifies = endpoint.identity.is_none() || options.roots.are_named();
            let provider = provider();
            let verifier =
                if verifies { Verifier::new(&options.roots, &provider).await } else { Verifier::pinned(&provider) };
            let connected = connect(endpoint, stream, verifier).await;
            let io = connected.map_err(|source| DialError::Tls { endpoint: endpoint.without_identity(), source })?;
            let proven_by = verifies.then_some(ProvenBy::Certificate);
            Ok(Conn { io: Box::new(io), info: ConnInfo { peer: PeerAddr::Ip(peer), scheme: "tls", proven_by } })
        })
    }
}

type ClientStream = tokio_rustls::client::TlsStream<tokio::net::TcpStream>;

async fn connect(
    endpoint: &Endpoint,
    stream: tokio::net::TcpStream,
    verifier: Verifier,
) -> Result<ClientStream, TlsError> {
    let verifier = Arc::new(verifier);
    let connector = TlsConnector::from(Arc::new(client_config(verifier.clone())?));
    let connected = connector.connect(server_name(endpoint)?, stream).await;
    connected.map_err(|error| verifier.refusal().map_or_else(|| TlsError::from_server(error), TlsError::Certificate))
}

fn provider() -> Arc<CryptoProvider> {
    use aws_lc_rs::kx_group::{SECP256R1, SECP384R1, X25519, X25519MLKEM768};
    let kx_groups = vec![X25519MLKEM768, X25519, SECP256R1, SECP384R1];
    Arc::new(CryptoProvider { kx_groups, ..aws_lc_rs::default_provider() })
}

fn client_config(verifier: Arc<Verifier>) -> Result<ClientConfig, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&version::TLS13])?;
    // `dangerous` because it is for verifiers of one's own; ours are in tls/verify.rs.
    let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    // Every session shows its certificate anew.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

fn server_config(certificate: ServerCertificate) -> Result<ServerConfig, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[&version::TLS13])?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(certificate));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// The host as certificates have it: without the zone, which means something on this machine alone.
fn server_name(endpoint: &Endpoint) -> Result<ServerName<'static>, TlsError> {
    let (host, _) = tcp::host_and_port(endpoint);
    let bare = host.split_once('%').map_or(host, |(address, _)| address);
    let name = ServerName::try_from(bare.to_owned());
    name.map_err(|_| TlsError::NoName(host.to_owned()))
}

struct TlsListener {
    sockets: tcp::Sockets,
    acceptor: TlsAcceptor,
}

impl Listener for TlsListener {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Incoming>> {
        Box::pin(async move {
            let (stream, peer) = self.sockets.accept_stream().await?;
            let info = ConnInfo { peer: peer.clone(), scheme: "tls", proven_by: None };
            let acceptor = self.acceptor.clone();
            let upgrade = async move {
                stream.set_nodelay(true)?;
                let io = acceptor.accept(stream).await.map_err(error::from_client)?;
                Ok(Conn { io: Box::new(io), info })
            };
            Ok(Incoming { peer, upgrade: Box::pin(upgrade) })
        })
    }

    fn local(&self) -> &Endpoint {
        self.sockets.local()
    }
}

/// A server's certificate and key from their files. Clones share it: what is loaded anew is shown to whoever comes next.
#[derive(Clone)]
pub struct ServerCertificate(Arc<Files>);

struct Files {
    certificate: PathBuf,
    key: PathBuf,
    /// A std lock: held to read or replace a pointer.
    current: RwLock<Arc<CertifiedKey>>,
}

impl ServerCertificate {
    /// Reads the certificate (PEM, perhaps with those between it and its root behind it) and its private key.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, PemError> {
        let current = RwLock::new(Arc::new(load(certificate, key)?));
        Ok(Self(Arc::new(Files { certificate: certificate.into(), key: key.into(), current })))
    }

    /// Reads both files again. If either cannot be used, what was loaded before stays.
    pub fn reload(&self) -> Result<(), PemError> {
        let fresh = Arc::new(load(&self.0.certificate, &self.0.key)?);
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// What the certificate says.
    pub fn summary(&self) -> Option<Summary> {
        Summary::of(self.current().cert.first()?)
    }

    /// The file that it was read from.
    pub fn path(&self) -> &Path {
        &self.0.certificate
    }

    fn current(&self) -> Arc<CertifiedKey> {
        self.0.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn load(certificate: &Path, key: &Path) -> Result<CertifiedKey, PemError> {
    let (pair, provider) = (PemPair::load(certificate, key)?, provider());
    // By itself first, so that whichever file cannot be used is the one that is named.
    provider.key_provider.load_private_key(pair.private_key()?).map_err(|_| pair.unusable_key())?;
    CertifiedKey::from_der(pair.chain()?, pair.private_key()?, &provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => pair.mismatch(),
        error => pair.unusable(error.to_string()),
    })
}

impl ResolvesServerCert for ServerCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

impl std::fmt::Debug for ServerCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ServerCertificate({})", self.0.certificate.display())
    }
}
