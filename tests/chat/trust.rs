//! Which servers hear a password.

use std::path::PathBuf;

use fernwire::channel::mode::{KeyMode, KeyModes};
use fernwire::client::account::{LoginError, load_password};
use fernwire::client::known_hosts::KnownHosts;
use fernwire::client::trust::Trust;
use fernwire::client::{Client, Options};
use fernwire::config::Kex;
use fernwire::model::password::Password;
use fernwire::protocol::account::Ticket;
use fernwire::transport::endpoint::Endpoint;

use crate::fake::Fake;

/// Tries every way of logging in at a server; the result is the error, if it was told nothing, and `None` if it was.
async fn refusal(fake: &mut Fake, endpoint: Endpoint, options: Options) -> Option<LoginError> {
    let client = async {
        let client = Client::connect(&endpoint, &options).await.unwrap_or_else(|error| panic!("{error}"));
        let (name, password) = ("ada".parse().unwrap(), Password::new("Correct-1-horse"));
        let mut refused = Vec::new();
        refused.extend(client.login(&name, &password).await.err());
        refused.extend(client.signup(&name, &password).await.err());
        refused.extend(client.resume(&Ticket::new("ticket")).await.err());
        client.close().await.unwrap();
        refused
    };
    let server = async {
        let mut session = fake.accept().await;
        let mut told = 0;
        while let Some((id, _)) = session.next().await {
            told += 1;
            let error = fernwire::protocol::RequestError::new(fernwire::protocol::ErrorCode::Refused, "no");
            session.fails(id, error).await;
        }
        session.close(fernwire::channel::CloseReason::Done, "").await;
        told
    };
    let (mut refused, told) = tokio::join!(client, server);
    let unproven = refused.iter().filter(|error| matches!(error, LoginError::Unproven(_))).count();
    assert_eq!((refused.len(), told), (3, 3 - unproven));
    assert!(unproven == 0 || unproven == 3);
    (unproven == 3).then(|| refused.remove(0))
}

#[tokio::test]
async fn a_server_that_only_holds_the_key_hears_no_password() {
    let mut fake = Fake::new(KeyMode::X25519Psk).await;
    let (endpoint, options) = (fake.endpoint(), fake.options());
    let why = refusal(&mut fake, endpoint, options).await.unwrap().to_string();
    let identity = fake.identity.public().to_string();
    assert!(why.contains("no password was sent") && why.contains(&format!("#{identity}")), "{why}");
    // With that behind the address, it is another matter.
    let (endpoint, options) = (fake.pinned(), fake.options());
    assert!(refusal(&mut fake, endpoint, options).await.is_none());
}

#[tokio::test]
async fn a_new_server_hears_one_from_the_next_connection_on() {
    let mut fake = Fake::new(KeyMode::X25519).await;
    let folder = tempfile::tempdir().unwrap();
    let known_hosts = Some(KnownHosts::new(folder.path().join("known_hosts")));
    let trust = Trust { known_hosts, accept_new: true, ..Trust::default() };
    let options = Options { trust, ..fake.options() };
    let endpoint = fake.endpoint();
    let why = refusal(&mut fake, endpoint.clone(), options.clone()).await.unwrap().to_string();
    assert!(why.contains("From the next connection on"), "{why}");
    assert!(refusal(&mut fake, endpoint, options).await.is_none());
}

#[tokio::test]
async fn mode_psk_is_enough_only_for_whoever_asked_for_nothing_else() {
    let mut fake = Fake::new(KeyMode::Psk).await;
    let several: KeyModes = [KeyMode::X25519Psk, KeyMode::Psk].into_iter().collect();
    for kex in [Kex::Auto, Kex::Modes(several)] {
        let (endpoint, options) = (fake.endpoint(), Options { kex, ..fake.options() });
        let why = refusal(&mut fake, endpoint, options).await.unwrap().to_string();
        assert!(why.contains("#fwk1_..."), "{why}");
        assert!(!why.contains("--kex"), "no message leads to a weaker mode: {why}");
    }
    let (endpoint, options) = (fake.endpoint(), fake.options());
    assert!(refusal(&mut fake, endpoint, options).await.is_none());
}

#[test]
fn a_password_file_has_one_line_that_nobody_else_can_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let write = |text: &[u8], mode| -> PathBuf {
        let path = folder.path().join("password");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    for text in ["Correct 1 horse", "Correct 1 horse\n", "Correct 1 horse\r\n"] {
        assert_eq!(load_password(&write(text.as_bytes(), 0o600)).unwrap().expose(), "Correct 1 horse");
    }
    for text in [&b""[..], b"\n", b"one\ntwo\n", b"\xff\xfe"] {
        let why = load_password(&write(text, 0o600)).unwrap_err().to_string();
        assert!(why.contains("does not hold a password"), "{why}");
    }
    let why = load_password(&write(b"Correct-1-horse", 0o644)).unwrap_err().to_string();
    assert!(why.contains("chmod 600"), "{why}");
    assert!(load_password(&folder.path().join("none")).unwrap_err().to_string().contains("there is no password file"));
}
