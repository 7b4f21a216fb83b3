//! Somebody in the middle with a certificate of their own, who ends TLS, reads what comes out of it, and goes on in TLS
//! to the real server. A client that verifies the certificate refuses; for one that pins the identity, TLS was only a
//! wrapping, and what is inside of it stays shut.

use std::sync::{Arc, Mutex};

use fernwire::channel::mode::KeyMode;
use fernwire::client::Client;
use fernwire::client::trust::Proof;
use fernwire::transport::endpoint::Endpoint;
use fernwire::transport::{self, ListenOptions};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};

use crate::common::{Bed, count, dial, fresh_endpoint};
use crate::forge::Pair;

/// What was read in the middle, from both sides.
type Overheard = Arc<Mutex<Vec<u8>>>;

async fn middleman(server: &Endpoint, overheard: &Overheard, changes: bool) -> Endpoint {
    let folder = tempfile::tempdir().unwrap();
    let options = ListenOptions { certificate: Some(Pair::self_signed(|_| {}).load(folder.path())) };
    let mut listener = transport::listen(&fresh_endpoint("tls", &folder), &options).await.unwrap();
    let (near, server, overheard) = (listener.local().clone(), server.clone(), overheard.clone());
    tokio::spawn(async move {
        while let Ok(incoming) = listener.accept().await {
            // Who does not take the certificate leaves.
            let Ok(client) = incoming.upgrade.await else { continue };
            let ((client, to_client), (server, to_server)) = (split(client.io), split(dial(&server).await.unwrap().io));
            tokio::select! {
                () = copy(client, to_server, &overheard, changes) => {}
                () = copy(server, to_client, &overheard, false) => {}
            }
        }
    });
    near
}

async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, overheard: &Overheard, changes: bool) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        overheard.lock().unwrap().extend(&buffer[..length]);
        buffer[length - 1] ^= u8::from(changes);
        if to.write_all(&buffer[..length]).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn whoever_ends_tls_in_the_middle_is_refused_or_reads_nothing() {
    let bed = Bed::start("tls", KeyMode::X25519).await;
    let overheard = Overheard::default();
    let near = middleman(&bed.endpoint, &overheard, false).await;
    let error = Client::connect(&near, &bed.options()).await.err().expect("a refusal");
    assert!(error.to_string().contains("self-signed"), "{error}");
    assert!(overheard.lock().unwrap().is_empty(), "something was sent to whoever it was");

    let client = bed.client_at(&near).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(client.proof(), Proof::Pin);
    assert_eq!(count(&client, "SetA-Two").await, 2);
    drop(client);
    let overheard = String::from_utf8_lossy(&overheard.lock().unwrap()).into_owned();
    assert!(overheard.contains("FERNWIRE"), "the hellos are seen");
    assert!(!overheard.contains("SetA") && !overheard.contains("query"), "{overheard}");
    bed.stop().await;
}

#[tokio::test]
async fn whoever_ends_tls_in_the_middle_cannot_change_anything() {
    let bed = Bed::start("tls", KeyMode::X25519).await;
    let near = middleman(&bed.endpoint, &Overheard::default(), true).await;
    assert!(bed.client_at(&near).await.is_err());
    assert_eq!(count(&bed.client().await, "SetA-One").await, 1);
    bed.stop().await;
}
