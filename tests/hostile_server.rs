//! What a client puts up with from a server that nobody trusts yet, or that does not keep to the protocol.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{DEADLINE, fresh_endpoint};
use fernwire::channel::handshake::{Entropy, Policy, Responder};
use fernwire::channel::mode::KeyMode;
use fernwire::channel::{self, Channel, CloseReason, Settings};
use fernwire::client::{CallError, Client, ConnectError, Options};
use fernwire::config::Kex;
use fernwire::keys::{IdentityKey, SecretKey};
use fernwire::protocol::codec::encode;
use fernwire::protocol::query::QueryReply;
use fernwire::protocol::{Reply, STREAM_CREDIT, ServerMessage};
use fernwire::transport::endpoint::Endpoint;
use fernwire::transport::{self, ByteStream, ListenOptions, Listener};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};

async fn listener() -> (Box<dyn Listener>, Endpoint) {
    let listener =
        transport::listen(&fresh_endpoint("memory", &tempfile::tempdir().unwrap()), &ListenOptions::default())
            .await
            .unwrap();
    let endpoint = listener.local().clone();
    (listener, endpoint)
}

async fn connection(listener: &mut Box<dyn Listener>) -> Box<dyn ByteStream> {
    listener.accept().await.unwrap().upgrade.await.unwrap().io
}

/// A client, and the bare channel of the server that it trusts.
async fn session() -> (Client, Channel<Box<dyn ByteStream>>) {
    let (mut listener, endpoint) = listener().await;
    let key = SecretKey::generate();
    let kex = Kex::Modes([KeyMode::Psk].into_iter().collect());
    let options = Options { kex, secret_key: Some(key.clone()), ..Options::default() };
    let policy = Policy::new([KeyMode::Psk].into_iter().collect(), None, Some(key)).unwrap();
    let accepting = async { channel::accept(connection(&mut listener).await, policy, Settings::default()).await };
    let (client, server) = tokio::join!(Client::connect(&endpoint, &options), accepting);
    (client.unwrap_or_else(|error| panic!("{error}")), server.unwrap_or_else(|error| panic!("{error}")))
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_trusted_cannot_hold_its_client() {
    let (mut listener, endpoint) = listener().await;
    let dripping = tokio::spawn(async move {
        let mut io = connection(&mut listener).await;
        let identity = IdentityKey::generate().unwrap();
        let policy = Policy::new([KeyMode::X25519].into_iter().collect(), Some(identity), None).unwrap();
        let mut hello = vec![0; 3];
        io.read_exact(&mut hello).await.unwrap();
        hello.resize(3 + usize::from(u16::from_be_bytes([hello[1], hello[2]])), 0);
        io.read_exact(&mut hello[3..]).await.unwrap();
        let responder = Responder::new(policy, Entropy::from_system().unwrap());
        let (_, flight) = responder.read_client_hello(&hello).unwrap();
        io.write_all(&flight).await.unwrap();
        while io.write_all(&[0]).await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
    });
    let start = Instant::now();
    let refused = Client::connect(&endpoint, &Options::default()).await.err();
    assert!(matches!(refused, Some(ConnectError::Trust(_))), "{refused:?}");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    dripping.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_cannot_send_more_than_it_has_credit_for() {
    let (client, mut server) = session().await;
    // Nobody reads these replies, so nobody gives credit.
    let _replies = client.query("SetA-One");
    server.recv().await.unwrap().unwrap();
    let reply = Reply::Query(QueryReply::Timestamp { time: "x".repeat(1000) });
    let reply = encode(&ServerMessage::Reply { id: 1, reply });
    let mut taken = 0;
    while taken < 4 * STREAM_CREDIT && server.send(&reply).await.is_ok() {
        taken += reply.len() as u64;
        if timeout(Duration::from_millis(1), server.recv()).await.is_ok() {
            break;
        }
    }
    assert!((STREAM_CREDIT..STREAM_CREDIT + 5000).contains(&taken), "{taken}");
    assert_eq!(server.peer_close().map(|close| close.reason), Some(CloseReason::ProtocolError));
    server.close(CloseReason::Done, "").await.unwrap();
    let error = timeout(DEADLINE, client.close()).await.unwrap().unwrap_err();
    assert!(matches!(error, CallError::Nonsense(_)), "{error:?}");
}
