//! Peers that speak TLS and are not ours: what the server lets them have, and what our client makes of them.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use fernwire::channel::mode::KeyMode;
use fernwire::channel::{self, Settings};
use fernwire::keys::IdentityKey;
use fernwire::model::PublicIdentity;
use fernwire::transport::endpoint::Endpoint;
use fernwire::transport::tls::TlsError;
use fernwire::transport::{self, DialError};
use rustls::crypto::aws_lc_rs;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls::{ClientConfig, HandshakeKind, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::common::{Bed, ca_file, count, dial_options, issue};

/// A plain TLS client that trusts the tests' authority and remembers sessions, if it is given any to remember.
pub(crate) fn plain_client(alpn: &[&[u8]]) -> Arc<ClientConfig> {
    let mut store = RootCertStore::empty();
    store.add(CertificateDer::from_pem_file(ca_file()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_protocol_versions(&[&TLS13]).unwrap();
    let mut config = builder.with_root_certificates(store).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    config.enable_early_data = true;
    Arc::new(config)
}

pub(crate) async fn connect(endpoint: &Endpoint, config: &Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(endpoint.address.host_and_port().unwrap()).await?;
    let name = ServerName::try_from("127.0.0.1").unwrap();
    TlsConnector::from(config.clone()).connect(name, stream).await
}

/// The certificate that the server shows now.
pub(crate) async fn shown_certificate(endpoint: &Endpoint) -> CertificateDer<'static> {
    let stream = connect(endpoint, &plain_client(&[])).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

#[tokio::test]
async fn a_client_may_name_our_protocol_or_none_and_no_other() {
    let bed = Bed::start("tls", KeyMode::X25519).await;
    let named = connect(&bed.endpoint, &plain_client(&[b"h2", b"fernwire/1"])).await.unwrap();
    assert_eq!(named.get_ref().1.alpn_protocol(), Some(&b"fernwire/1"[..]));
    let silent = connect(&bed.endpoint, &plain_client(&[])).await.unwrap();
    assert_eq!(silent.get_ref().1.alpn_protocol(), None);
    for other in [&[&b"h2"[..], b"http/1.1"][..], &[b"fernwire/2"]] {
        let error = connect(&bed.endpoint, &plain_client(other)).await.unwrap_err();
        assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
    }
    assert_eq!(count(&bed.client().await, "SetA-One").await, 1);
    bed.stop().await;
}

#[tokio::test]
async fn the_server_hands_out_nothing_to_resume_by() {
    let bed = Bed::start("tls", KeyMode::X25519).await;
    let config = plain_client(&[]);
    for _ in 0..3 {
        let stream = connect(&bed.endpoint, &config).await.unwrap();
        // Tickets come after the handshake, before anything that the server says.
        let connecting = channel::connect(stream, bed.offer(), Settings::default());
        let mut channel = connecting.await.unwrap().trust();
        channel.send(b"nonsense").await.unwrap();
        assert_eq!(channel.recv().await.unwrap(), None);
    }
    let mut stream = connect(&bed.endpoint, &config).await.unwrap();
    assert_eq!(stream.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
    assert!(!stream.get_ref().1.is_early_data_accepted());
    let connecting = channel::connect(&mut stream, bed.offer(), Settings::default());
    drop(connecting.await.unwrap().trust());
    assert_eq!(stream.get_ref().1.tls13_tickets_received(), 0);
    bed.stop().await;
}

/// What our client says of what answers here.
async fn told(endpoint: &Endpoint) -> (TlsError, String) {
    let error = transport::dial(endpoint, &dial_options()).await.err().expect("no connection");
    let text = error.to_string();
    match error {
        DialError::Tls { source, .. } => (source, text),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_server_of_tls_12_is_too_old_and_told_so() {
    let folder = tempfile::tempdir().unwrap();
    issue(&["127.0.0.1"], folder.path());
    let mut openssl = Command::new("openssl");
    openssl.args(["s_server", "-tls1_2", "-accept", "127.0.0.1:0", "-cert", "server.pem", "-key", "server-key.pem"]);
    openssl.current_dir(folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server: Child = openssl.kill_on_drop(true).spawn().expect("openssl, which scripts/test-env.sh installs");
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let address = loop {
        let line = lines.next_line().await.unwrap().expect("openssl says where it listens");
        if let Some(address) = line.strip_prefix("ACCEPT ") {
            break address.to_owned();
        }
    };
    let endpoint: Endpoint = format!("tls://{address}").parse().unwrap();
    for endpoint in [&endpoint, &endpoint.with_identity(IdentityKey::generate().unwrap().public())] {
        let (error, text) = told(endpoint).await;
        assert!(matches!(error, TlsError::TooOld), "{text}");
        assert!(text.contains("nothing newer than TLS 1.2, and TLS 1.3 is wanted"), "{text}");
    }
    server.kill().await.unwrap();
}

#[tokio::test]
async fn a_client_of_tls_12_is_refused_and_others_are_served() {
    let bed = Bed::start("tls", KeyMode::X25519).await;
    let (host, port) = bed.endpoint.address.host_and_port().unwrap();
    for (version, succeeds) in [("-tls1_2", false), ("-tls1_3", true)] {
        let mut openssl = Command::new("openssl");
        openssl.args(["s_client", version, "-connect", &format!("{host}:{port}"), "-verify_return_error", "-CAfile"]);
        let outcome = openssl.arg(ca_file()).stdin(Stdio::null()).output().await.expect("openssl");
        let told = String::from_utf8_lossy(&outcome.stderr);
        assert_eq!(outcome.status.success(), succeeds, "{version}: {told}");
        assert!(succeeds || told.contains("alert protocol version"), "{told}");
        assert_eq!(count(&bed.client().await, "SetA-One").await, 1);
    }
    bed.stop().await;
}

#[tokio::test]
async fn a_server_that_is_no_tls_server_is_recognised() {
    for (answer, words) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "does not speak TLS"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not speak TLS"),
        (b"\x00\x00\x00\x00\x00\x00\x00", "does not speak TLS"),
        (b"", "closed the connection instead"),
        // The beginning of a ServerHello.
        (b"\x16\x03\x03\x00\x5a\x02\x00", "closed the connection instead"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("tls://{}", listener.local_addr().unwrap()).parse().unwrap();
        let answering = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            crate::relay::read_record(&mut stream).await.unwrap();
            stream.write_all(answer).await.unwrap();
        };
        let ((error, text), ()) = tokio::join!(told(&endpoint), answering);
        assert!(matches!(error, TlsError::NotTls | TlsError::Closed), "{error:?}");
        assert!(text.contains(words) && text.contains("check the port"), "{answer:?}: {text}");
    }
}

/// A TLS server of somebody else's, for one connection: what our client says of it.
async fn met(certificate: &Path, key: &Path, alpn: &[&[u8]], identity: Option<PublicIdentity>) -> (TlsError, String) {
    let chain = vec![CertificateDer::from_pem_file(certificate).unwrap()];
    let provider = Arc::new(aws_lc_rs::default_provider());
    let key = provider.key_provider.load_private_key(PrivateKeyDer::from_pem_file(key).unwrap()).unwrap();
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13]).unwrap();
    // Unlike our server, this one does not care whether the key is the certificate's.
    let shown = SingleCertAndKey::from(CertifiedKey::new(chain, key));
    let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(shown));
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint: Endpoint = format!("tls://{}", listener.local_addr().unwrap()).parse().unwrap();
    let endpoint = Endpoint { identity, ..endpoint };
    let answering = async { acceptor.accept(listener.accept().await.unwrap().0).await };
    let (told, answered) = tokio::join!(told(&endpoint), answering);
    assert!(answered.is_err());
    told
}

#[tokio::test]
async fn a_tls_server_of_another_service_is_recognised() {
    let folder = tempfile::tempdir().unwrap();
    issue(&["127.0.0.1"], folder.path());
    let (certificate, key) = (folder.path().join("server.pem"), folder.path().join("server-key.pem"));
    let (error, text) = met(&certificate, &key, &[b"h2", b"http/1.1"], None).await;
    assert!(matches!(error, TlsError::OtherService), "{error:?}");
    assert!(text.contains("TLS for another service") && text.contains("check the port"), "{text}");
}

#[tokio::test]
async fn a_certificate_without_its_key_proves_nothing() {
    let [real, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    [&real, &other].iter().for_each(|folder| issue(&["127.0.0.1"], folder.path()));
    let (certificate, key) = (real.path().join("server.pem"), other.path().join("server-key.pem"));
    for identity in [None, Some(IdentityKey::generate().unwrap().public())] {
        let (error, text) = met(&certificate, &key, &[b"fernwire/1"], identity).await;
        assert!(matches!(error, TlsError::NotItsKey), "{error:?}");
        assert!(text.contains("does not hold the key of the certificate that it shows"), "{text}");
    }
}
