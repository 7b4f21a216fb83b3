//! Which certificates prove a server to a client that knows nothing else of it, and how the others are refused.
//!
//! Each that is refused is then shown to a client that has the server's identity in the address, for which it is as good
//! as any.

use fernwire::channel::mode::KeyMode;
use fernwire::client::trust::Proof;
use fernwire::client::{Client, ConnectError};
use fernwire::config::Limits;
use fernwire::transport::tls::{Refused, TlsError};
use fernwire::transport::{DialError, ProvenBy};
use rcgen::{ExtendedKeyUsagePurpose, SanType, date_time_ymd};

use crate::common::{Bed, certificate_for, count};
use crate::forge::{Authority, Pair};

/// How a client fares that dials this host, trusts this authority, and meets this certificate.
async fn connect(host: &str, shown: &Pair, trusted: &Pair) -> Result<Proof, ConnectError> {
    let folder = tempfile::tempdir().unwrap();
    let bed = Bed::showing(&shown.load(folder.path()), KeyMode::X25519, Limits::default()).await;
    let mut options = bed.options();
    options.dial.roots = trusted.roots(folder.path());
    let endpoint = bed.endpoint.to_string().replace("127.0.0.1", host).parse().unwrap();
    let result = match Client::connect(&endpoint, &options).await {
        Ok(client) => {
            assert_eq!(count(&client, "SetA-Two").await, 2);
            let proof = client.proof();
            client.close().await.unwrap();
            Ok(proof)
        }
        Err(error) => Err(error),
    };
    let pinned = bed.client().await;
    assert_eq!(pinned.proof(), Proof::Pin);
    assert_eq!(count(&pinned, "SetA-One").await, 1);
    pinned.close().await.unwrap();
    bed.stop().await;
    result
}

/// Why such a client refuses, and what it says.
async fn refusal(host: &str, shown: &Pair, trusted: &Pair) -> (Refused, String) {
    let error = connect(host, shown, trusted).await.unwrap_err();
    let text = error.to_string();
    match error {
        ConnectError::Dial(DialError::Tls { source: TlsError::Certificate(refused), .. }) => (refused, text),
        other => panic!("{other}"),
    }
}

#[track_caller]
fn says(text: &str, words: &[&str]) {
    assert!(text.starts_with("no TLS with tls://"), "{text}");
    words.iter().for_each(|word| assert!(text.contains(word), "no `{word}` in {text:?}"));
}

const BY_CERTIFICATE: Proof = Proof::Transport(ProvenBy::Certificate);

#[tokio::test]
async fn a_certificate_of_a_trusted_authority_proves_its_addresses_and_names() {
    let authority = Authority::new("Authority");
    assert_eq!(connect("127.0.0.1", &authority.issue(|_| {}), &authority.pair).await.unwrap(), BY_CERTIFICATE);
    let named = authority.issue(|params| params.subject_alt_names = vec![dns("localhost")]);
    assert_eq!(connect("localhost", &named, &authority.pair).await.unwrap(), BY_CERTIFICATE);
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused() {
    let authority = Authority::new("Authority");
    let foreign =
        authority.issue(|params| params.subject_alt_names = vec![dns("example.org"), dns("*.localhost"), dns("127")]);
    for host in ["127.0.0.1", "localhost"] {
        let (refused, text) = refusal(host, &foreign, &authority.pair).await;
        assert!(matches!(refused, Refused::Name { .. }), "{refused:?}");
        let compared = format!("is for example.org, *.localhost, 127, and not for {host};");
        says(&text, &[&compared, &format!("ask whoever issued it, `Authority`, for one that is for {host} too")]);
    }
    // Where it was made with the program, the command keeps the names that it has.
    let folder = tempfile::tempdir().unwrap();
    let ours = certificate_for(&["example.org", "10.0.0.1"], folder.path());
    let bed = Bed::showing(&ours, KeyMode::X25519, Limits::default()).await;
    let error = Client::connect(&bed.endpoint, &bed.options()).await.err().unwrap().to_string();
    says(&error, &["`fernwire certs --host example.org --host 10.0.0.1 --host 127.0.0.1`"]);
    bed.stop().await;
    // An address in the common name, or written as a DNS name, is none.
    for names in [vec![], vec![dns("127.0.0.1")]] {
        let in_words = authority.issue(|params| {
            params.subject_alt_names = names;
            params.distinguished_name.push(rcgen::DnType::CommonName, "127.0.0.1");
        });
        let (refused, _) = refusal("127.0.0.1", &in_words, &authority.pair).await;
        assert!(matches!(refused, Refused::Name { .. }), "{refused:?}");
    }
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

#[tokio::test]
async fn an_expired_certificate_is_refused_with_both_dates() {
    let authority = Authority::new("Authority");
    let expired = authority.issue(|params| params.not_after = date_time_ymd(2001, 2, 3));
    let (refused, text) = refusal("127.0.0.1", &expired, &authority.pair).await;
    assert!(matches!(refused, Refused::Expired { .. }), "{refused:?}");
    says(&text, &["was valid until 2001-02-03 00:00 UTC, and now it is 20", " UTC; renew it"]);
}

#[tokio::test]
async fn a_certificate_that_is_not_yet_valid_is_refused_with_both_dates() {
    let authority = Authority::new("Authority");
    let early = authority.issue(|params| params.not_before = date_time_ymd(3001, 2, 3));
    let (refused, text) = refusal("127.0.0.1", &early, &authority.pair).await;
    assert!(matches!(refused, Refused::NotYetValid { .. }), "{refused:?}");
    says(&text, &["is valid from 3001-02-03 00:00 UTC on, and here it is 20", "set the clock"]);
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused() {
    let (trusted, other) = (Authority::new("Trusted"), Authority::new("Mallory & Co"));
    let (refused, text) = refusal("127.0.0.1", &other.issue(|_| {}), &trusted.pair).await;
    assert!(matches!(refused, Refused::UnknownIssuer { .. }), "{refused:?}");
    says(&text, &["issued by `Mallory & Co`, whom neither this system nor ", "ca.pem trusts", "--ca", "#fwk1_..."]);
}

#[tokio::test]
async fn another_authority_of_the_same_name_is_none() {
    let [trusted, other] = [(); 2].map(|()| Authority::new("Authority"));
    let (refused, text) = refusal("127.0.0.1", &other.issue(|_| {}), &trusted.pair).await;
    assert!(matches!(refused, Refused::BadSignature { .. }), "{refused:?}");
    says(&text, &["names `Authority` as its issuer and was not signed with that authority's key", "posing"]);
    // Showing that authority as well does not help.
    let (refused, _) = refusal("127.0.0.1", &other.issue(|_| {}).followed_by(&other), &trusted.pair).await;
    assert!(matches!(refused, Refused::BadSignature { .. } | Refused::UnknownIssuer { .. }), "{refused:?}");
}

#[tokio::test]
async fn an_authoritys_own_certificate_is_no_servers() {
    let authority = Authority::new("Authority");
    for trusted in [&authority.pair, &Authority::new("Another").pair] {
        let (refused, text) = refusal("127.0.0.1", &authority.pair, trusted).await;
        assert!(matches!(refused, Refused::Authority { .. }), "{refused:?}");
        says(&text, &["that of an authority (`Authority`) and not of a server", "server.pem", "--tls-cert"]);
    }
}

#[tokio::test]
async fn a_self_signed_certificate_is_refused_unless_it_is_itself_trusted() {
    let own = Pair::self_signed(|_| {});
    let (refused, text) = refusal("127.0.0.1", &own, &Authority::new("Authority").pair).await;
    assert!(matches!(refused, Refused::SelfSigned { .. }), "{refused:?}");
    says(&text, &["self-signed (`a server`)", "#fwk1_...", "`fernwire certs`"]);
    // One that bears a trusted authority's name is no different.
    let (refused, _) = refusal("127.0.0.1", &own, &Authority::new("a server").pair).await;
    assert!(matches!(refused, Refused::SelfSigned { .. }), "{refused:?}");
    assert_eq!(connect("127.0.0.1", &own, &own).await.unwrap(), BY_CERTIFICATE);
}

#[tokio::test]
async fn a_servers_certificate_in_the_file_vouches_for_itself_and_nobody_else() {
    let server = Pair::self_signed(|_| {});
    let issued = server.issue_as("a server");
    let whole = Pair { certificate: issued.certificate.clone() + &server.certificate, key: issued.key.clone() };
    for shown in [issued, whole] {
        let (refused, text) = refusal("127.0.0.1", &shown, &server).await;
        assert!(!matches!(refused, Refused::Name { .. } | Refused::Expired { .. }), "{refused:?}");
        says(&text, &["its certificate"]);
    }
    // Its names and its time count as those of any other.
    let elsewhere = Pair::self_signed(|params| params.subject_alt_names = vec![dns("server.example")]);
    assert!(matches!(refusal("127.0.0.1", &elsewhere, &elsewhere).await.0, Refused::Name { .. }));
    let expired = Pair::self_signed(|params| params.not_after = date_time_ymd(2001, 2, 3));
    assert!(matches!(refusal("127.0.0.1", &expired, &expired).await.0, Refused::Expired { .. }));
    let early = Pair::self_signed(|params| params.not_before = date_time_ymd(3001, 2, 3));
    assert!(matches!(refusal("127.0.0.1", &early, &early).await.0, Refused::NotYetValid { .. }));
    // Whoever names a server's certificate for an authority's is told.
    let (_, text) = refusal("127.0.0.1", &Authority::new("Authority").issue(|_| {}), &server).await;
    says(&text, &["has no authority's certificate in it, but a server's"]);
}

#[tokio::test]
async fn a_certificate_for_clients_alone_is_no_servers() {
    let authority = Authority::new("Authority");
    let clients = authority.issue(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]);
    let (refused, text) = refusal("127.0.0.1", &clients, &authority.pair).await;
    assert!(matches!(refused, Refused::Purpose { .. }), "{refused:?}");
    says(&text, &["(`a server`) is not meant for servers"]);
}

#[tokio::test]
async fn a_chain_works_when_all_of_it_is_shown() {
    let root = Authority::new("Root");
    let middle = root.below("Middle");
    let leaf = middle.issue(|_| {});
    let whole = leaf.clone().followed_by(&middle);
    assert_eq!(connect("127.0.0.1", &whole, &root.pair).await.unwrap(), BY_CERTIFICATE);
    let (refused, text) = refusal("127.0.0.1", &leaf, &root.pair).await;
    assert!(matches!(refused, Refused::UnknownIssuer { .. }), "{refused:?}");
    says(&text, &["issued by `Middle`, whom neither this system nor "]);
}

#[tokio::test]
async fn a_server_vouches_for_no_other() {
    let authority = Authority::new("Authority");
    // A server with a certificate of its own tries to issue one for somebody else.
    let server = authority.issue(|params| params.subject_alt_names = vec![dns("mallory.example")]);
    let issued = server.issue_as("a server");
    let shown = Pair { certificate: issued.certificate + &server.certificate, key: issued.key };
    let (refused, text) = refusal("127.0.0.1", &shown, &authority.pair).await;
    assert!(!matches!(refused, Refused::Name { .. } | Refused::Expired { .. }), "{refused:?}");
    says(&text, &["its certificate"]);
}
