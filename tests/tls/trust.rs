//! How TLS goes together with what else proves a server: the identity in its address, and known_hosts.

use fernwire::channel::error::{Alert, HandshakeError};
use fernwire::channel::mode::KeyMode;
use fernwire::client::known_hosts::{KnownHosts, Provenance};
use fernwire::client::trust::{Proof, Trust, TrustError};
use fernwire::client::{Client, ConnectError, Options};
use fernwire::config::{Kex, Limits};
use fernwire::keys::IdentityKey;
use fernwire::model::PublicIdentity;
use fernwire::transport::endpoint::Endpoint;
use fernwire::transport::tls::{Refused, Roots, TlsError};
use fernwire::transport::{DialError, DialOptions, ProvenBy};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::common::{Bed, certificate_for, count};
use crate::forge::Pair;

fn stranger() -> PublicIdentity {
    IdentityKey::generate().unwrap().public()
}

/// A client's record of servers that is empty, in this folder.
fn known_hosts(folder: &TempDir) -> KnownHosts {
    KnownHosts::new(folder.path().join("known_hosts"))
}

fn trusting(bed: &Bed, hosts: &KnownHosts, accept_new: bool) -> Options {
    Options { trust: Trust { known_hosts: Some(hosts.clone()), accept_new, ..Trust::default() }, ..bed.options() }
}

async fn refusal(endpoint: &Endpoint, options: &Options) -> ConnectError {
    Client::connect(endpoint, options).await.err().expect("a refusal")
}

/// A server whose certificate the tests' authority has issued, or one that nobody vouches for.
async fn bed(verifiable: bool, mode: KeyMode) -> Bed {
    let folder = tempfile::tempdir().unwrap();
    let certificate = if verifiable {
        certificate_for(&["127.0.0.1"], folder.path())
    } else {
        Pair::self_signed(|_| {}).load(folder.path())
    };
    Bed::showing(&certificate, mode, Limits::default()).await
}

#[tokio::test]
async fn another_identity_than_the_pinned_one_is_refused_whatever_the_certificate() {
    for mode in [KeyMode::X25519, KeyMode::X25519Psk] {
        for verifiable in [true, false] {
            let bed = bed(verifiable, mode).await;
            let pinned = stranger();
            let options = Options { dial: DialOptions::default(), ..bed.options() };
            let error = refusal(&bed.endpoint.with_identity(pinned), &options).await;
            let ConnectError::Trust(TrustError::PinMismatch { pinned: wanted, got, .. }) = error else {
                panic!("{error}")
            };
            assert_eq!((wanted, got), (pinned, bed.identity()));
            bed.stop().await;
        }
    }
}

#[tokio::test]
async fn who_names_authorities_beside_a_pin_wants_both() {
    let pinned = |bed: &Bed| bed.endpoint.with_identity(bed.identity());
    let unverifiable = bed(false, KeyMode::X25519).await;
    assert_self_signed(&refusal(&pinned(&unverifiable), &unverifiable.options()).await);
    unverifiable.stop().await;
    let verifiable = bed(true, KeyMode::X25519).await;
    let client = Client::connect(&pinned(&verifiable), &verifiable.options()).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((client.proof(), client.info().proven_by), (Proof::Pin, Some(ProvenBy::Certificate)));
    client.close().await.unwrap();
    verifiable.stop().await;
}

#[tokio::test]
async fn a_pin_and_mode_psk_exclude_each_other_before_anything_is_dialled() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("tls://{}#{}", listener.local_addr().unwrap(), stranger());
    for modes in [&[KeyMode::Psk][..], &[KeyMode::X25519Psk, KeyMode::Psk]] {
        let kex = Kex::Modes(modes.iter().copied().collect());
        let secret_key = Some(fernwire::keys::SecretKey::generate());
        let error = refusal(&url.parse().unwrap(), &Options { kex, secret_key, ..Options::default() }).await;
        assert!(matches!(error, ConnectError::PinForbidsPsk(_)), "{error}");
    }
    // Had anybody dialled, the system would have the connection ready by now.
    let listener = listener.into_std().unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn with_a_pin_a_client_with_the_key_never_ends_in_mode_psk() {
    let bed = bed(false, KeyMode::Psk).await;
    let (kex, secret_key) = (Kex::Auto, Some(bed.secret_key()));
    let options = Options { kex, secret_key, dial: DialOptions::default(), ..bed.options() };
    let error = refusal(&bed.endpoint.with_identity(bed.identity()), &options).await;
    let refused = matches!(&error, ConnectError::Handshake { error: HandshakeError::Alert(Alert::NoCommonMode), .. });
    assert!(refused, "{error}");
    bed.stop().await;
}

#[tokio::test]
async fn without_a_pin_not_even_the_secret_key_stands_in_for_the_certificate() {
    for mode in [KeyMode::Psk, KeyMode::X25519Psk] {
        let bed = bed(false, mode).await;
        assert_self_signed(&refusal(&bed.endpoint, &bed.options()).await);
        bed.stop().await;
    }
}

#[track_caller]
fn assert_self_signed(error: &ConnectError) {
    let ConnectError::Dial(DialError::Tls { source: TlsError::Certificate(refused), .. }) = error else {
        panic!("{error}")
    };
    assert!(matches!(refused, Refused::SelfSigned { .. }), "{refused}");
}

#[tokio::test]
async fn known_hosts_and_accept_new_do_not_stand_in_for_the_certificate() {
    let (bed, folder) = (bed(false, KeyMode::X25519).await, tempfile::tempdir().unwrap());
    let hosts = known_hosts(&folder);
    assert_self_signed(&refusal(&bed.endpoint, &trusting(&bed, &hosts, true)).await);
    assert_eq!(hosts.find(&bed.endpoint).unwrap(), None);
    for provenance in [Provenance::Confirmed, Provenance::Certificate, Provenance::AcceptedNew] {
        let folder = tempfile::tempdir().unwrap();
        let hosts = known_hosts(&folder);
        hosts.record(&bed.endpoint, bed.identity(), provenance).unwrap();
        for accept_new in [false, true] {
            assert_self_signed(&refusal(&bed.endpoint, &trusting(&bed, &hosts, accept_new)).await);
        }
    }
    bed.stop().await;
}

#[tokio::test]
async fn a_verified_server_is_recorded_and_verified_again_the_next_time() {
    let (bed, folder) = (bed(true, KeyMode::X25519).await, tempfile::tempdir().unwrap());
    let hosts = known_hosts(&folder);
    let options = trusting(&bed, &hosts, false);
    for proof in [Proof::Transport(ProvenBy::Certificate), Proof::KnownHosts] {
        let client = Client::connect(&bed.endpoint, &options).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(client.proof(), proof);
        assert_eq!(count(&client, "SetA-One").await, 1);
        client.close().await.unwrap();
        let recorded = std::fs::read_to_string(hosts.path()).unwrap();
        assert_eq!(recorded, format!("{} {} by-certificate\n", bed.endpoint, bed.identity()));
    }
    // Who no longer trusts the authority does not get by on the record.
    let mut wary = options;
    wary.dial.roots = Roots::default();
    let error = refusal(&bed.endpoint, &wary).await;
    assert!(error.to_string().contains("whom this system does not trust"), "{error}");
    bed.stop().await;
}

#[tokio::test]
async fn a_certificate_does_not_excuse_another_identity_than_the_recorded_one() {
    for mode in [KeyMode::X25519, KeyMode::X25519Psk] {
        let (bed, folder) = (bed(true, mode).await, tempfile::tempdir().unwrap());
        let (hosts, known) = (known_hosts(&folder), stranger());
        std::fs::write(hosts.path(), format!("# mine\n{} {known} by-certificate\n", bed.endpoint)).unwrap();
        for endpoint in [bed.endpoint.clone(), bed.endpoint.with_identity(bed.identity())] {
            let error = refusal(&endpoint, &trusting(&bed, &hosts, true)).await;
            let text = error.to_string();
            assert!(matches!(error, ConnectError::Trust(TrustError::Changed { line: 2, .. })), "{text}");
            assert!(text.contains(&format!("{}, line 2", hosts.path().display())), "{text}");
        }
        assert_eq!(hosts.find(&bed.endpoint).unwrap().unwrap().identity, known);
        bed.stop().await;
    }
}

#[tokio::test]
async fn what_is_recorded_of_a_port_on_tcp_says_nothing_of_it_on_tls() {
    let (bed, folder) = (bed(true, KeyMode::X25519).await, tempfile::tempdir().unwrap());
    let hosts = known_hosts(&folder);
    let plain: Endpoint = bed.endpoint.to_string().replace("tls://", "tcp://").parse().unwrap();
    hosts.record(&plain, stranger(), Provenance::Confirmed).unwrap();
    let client = Client::connect(&bed.endpoint, &trusting(&bed, &hosts, false)).await.unwrap();
    assert_eq!(client.proof(), Proof::Transport(ProvenBy::Certificate));
    client.close().await.unwrap();
    bed.stop().await;
}
