//! Peers that stop inside the TLS handshake cost the others nothing, and are gone at the deadline.

use std::time::Duration;

use fernwire::channel::mode::KeyMode;
use fernwire::config::Limits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::common::{Bed, DEADLINE, certificate_for, count};
use crate::hello::client_hello;

/// How many stop, each with a socket here and one in the server.
const STALLED: usize = 500;
/// How many others come in at once.
const OTHERS: usize = 20;

/// Room for all sockets, which the usual soft limit of 1,024 does not have.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Some(4096);
    if limit.current.is_some_and(|current| Some(current) < wanted) {
        let current = if limit.maximum.is_some_and(|maximum| Some(maximum) < wanted) { limit.maximum } else { wanted };
        setrlimit(Resource::Nofile, Rlimit { current, ..limit }).unwrap();
    }
}

async fn stalled_peers_delay_nobody(limits: Limits) {
    raise_descriptor_limit();
    let folder = tempfile::tempdir().unwrap();
    let bed = Bed::showing(&certificate_for(&["127.0.0.1"], folder.path()), KeyMode::X25519, limits).await;
    let hello = client_hello("127.0.0.1", "").await;
    let mut stalled = Vec::new();
    for i in 0..STALLED {
        let mut stream = TcpStream::connect(bed.endpoint.address.host_and_port().unwrap()).await.unwrap();
        // A third says nothing, a third stops inside its hello, and a third waits after it.
        let said = [0, 1 + i % (hello.len() - 1), hello.len()][i % 3];
        stream.write_all(&hello[..said]).await.unwrap();
        stalled.push(stream);
    }
    let mut clients = JoinSet::new();
    for _ in 0..OTHERS {
        let connecting = fernwire::client::Client::connect;
        let (endpoint, options) = (bed.endpoint.with_identity(bed.identity()), bed.options());
        clients.spawn(async move {
            let client = connecting(&endpoint, &options).await.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(count(&client, "SetA-Two").await, 2);
            client.close().await.unwrap();
        });
    }
    while let Some(served) = timeout(DEADLINE, clients.join_next()).await.unwrap() {
        served.unwrap();
    }
    for mut stream in stalled {
        // What the server has said before it hung up does not matter.
        let _ = timeout(DEADLINE, stream.read_to_end(&mut Vec::new())).await.expect("the server to hang up");
    }
    assert_eq!(count(&bed.client().await, "SetA-One").await, 1);
    bed.stop().await;
}

#[tokio::test]
async fn five_hundred_stalled_handshakes_with_a_place_each_delay_nobody() {
    let handshake_timeout = Duration::from_secs(4);
    stalled_peers_delay_nobody(Limits { handshake_timeout, max_pending_per_source: 2 * STALLED, ..Limits::default() })
        .await;
}

#[tokio::test]
async fn five_hundred_stalled_handshakes_beyond_the_limit_delay_nobody() {
    stalled_peers_delay_nobody(Limits { handshake_timeout: Duration::from_secs(4), ..Limits::default() }).await;
}
