//! What somebody on the wire achieves by cutting a connection or changing a bit: an end that nobody takes for orderly,
//! for that one session.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fernwire::channel::error::ChannelError;
use fernwire::channel::handshake::Policy;
use fernwire::channel::mode::KeyMode;
use fernwire::channel::{self, Channel, CloseReason, Settings};
use fernwire::client::{CallError, Client, Options};
use fernwire::config::Kex;
use fernwire::keys::IdentityKey;
use fernwire::protocol::query::QueryReply;
use fernwire::transport::endpoint::Endpoint;
use fernwire::transport::{ByteStream, Listener};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::common::{Bed, DEADLINE, all, count, dial_options, fresh_endpoint, listen};
use crate::relay::{self, ALERT, Fate, From};

/// A session's two ends with a relay in between, which this test holds itself.
struct Ends {
    client: Client,
    server: Channel<Box<dyn ByteStream>>,
    _folder: TempDir,
}

impl Ends {
    async fn with(decide: impl FnMut(From, &mut Vec<u8>) -> Fate + Send + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut listener = listen(&fresh_endpoint("tls", &folder), &folder).await;
        let relayed = relay::before(listener.local(), decide).await;
        let (policy, options, identity) = one_server();
        let accepting = async { channel::accept(upgraded(&mut listener).await, policy, Settings::default()).await };
        let pinned = relayed.with_identity(identity);
        let (client, server) = tokio::join!(Client::connect(&pinned, &options), accepting);
        let client = client.unwrap_or_else(|error| panic!("{error}"));
        Self { client, server: server.unwrap(), _folder: folder }
    }
}

async fn upgraded(listener: &mut Box<dyn Listener>) -> Box<dyn ByteStream> {
    listener.accept().await.unwrap().upgrade.await.unwrap().io
}

fn one_server() -> (Policy, Options, fernwire::model::PublicIdentity) {
    let identity = IdentityKey::generate().unwrap();
    let public = identity.public();
    let policy = Policy::new([KeyMode::X25519].into_iter().collect(), Some(identity), None).unwrap();
    let kex = Kex::Modes([KeyMode::X25519].into_iter().collect());
    (policy, Options { kex, dial: dial_options(), ..Options::default() }, public)
}

/// Lets everything pass until it is armed; then this happens to the next record of that side.
fn armed(switch: &Arc<AtomicBool>, side: From, fate: Fate) -> impl FnMut(From, &mut Vec<u8>) -> Fate + use<> {
    let switch = switch.clone();
    move |from, _| if from == side && switch.load(Ordering::SeqCst) { fate } else { Fate::Pass }
}

#[tokio::test]
async fn a_cut_in_the_middle_of_a_query_is_a_truncation() {
    let bed = Bed::start("tls", KeyMode::X25519).await;
    for fate in [Fate::Cut, Fate::CutInside, Fate::Reset] {
        let switch = Arc::new(AtomicBool::new(false));
        let relayed = relay::before(&bed.endpoint, armed(&switch, From::Server, fate)).await;
        let client = bed.client_at(&relayed).await.unwrap_or_else(|error| panic!("{error}"));
        let undisturbed = bed.client().await;
        let mut replies = client.query("SetE-Ten");
        let others = undisturbed.query("SetE-Ten");
        assert!(matches!(replies.next().await.unwrap(), Some(QueryReply::Timestamp { .. })));
        switch.store(true, Ordering::SeqCst);
        let error = all(replies).await.unwrap_err();
        assert!(matches!(error, CallError::Channel(ChannelError::Truncated)), "{fate:?}: {error:?}");
        assert_eq!(all(others).await.unwrap().len(), 10);
        undisturbed.close().await.unwrap();
    }
    bed.stop().await;
}

#[tokio::test]
async fn a_server_notices_the_cut_too() {
    for fate in [Fate::Cut, Fate::CutInside, Fate::Reset] {
        let switch = Arc::new(AtomicBool::new(false));
        let mut ends = Ends::with(armed(&switch, From::Client, fate)).await;
        let _first = ends.client.query("SetA-One");
        assert!(ends.server.recv().await.unwrap().is_some());
        switch.store(true, Ordering::SeqCst);
        let _second = ends.client.query("SetA-One");
        let error = ends.server.recv().await.unwrap_err();
        assert!(matches!(error, ChannelError::Truncated), "{fate:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_cut_after_the_goodbyes_takes_nothing_away() {
    for fate in [Fate::Cut, Fate::CutInside, Fate::Reset] {
        let notified = Arc::new(AtomicBool::new(false));
        let saw = notified.clone();
        let mut ends = Ends::with(move |_, record| {
            if record.len() != ALERT {
                return Fate::Pass;
            }
            saw.store(true, Ordering::SeqCst);
            fate
        })
        .await;
        let closing = async {
            assert_eq!(ends.server.recv().await.unwrap(), None);
            ends.server.close(CloseReason::Done, "").await
        };
        let (client, server) = tokio::join!(ends.client.close(), closing);
        client.unwrap_or_else(|error| panic!("{fate:?}: {error}"));
        server.unwrap_or_else(|error| panic!("{fate:?}: {error}"));
        assert!(notified.load(Ordering::SeqCst), "nobody has sent close_notify");
    }
}

#[tokio::test]
async fn an_end_of_tls_is_no_goodbye() {
    let folder = tempfile::tempdir().unwrap();
    let mut listener = listen(&fresh_endpoint("tls", &folder), &folder).await;
    let (policy, options, identity) = one_server();
    let endpoint: Endpoint = listener.local().with_identity(identity);
    let leaving = tokio::spawn(async move {
        let mut io = upgraded(&mut listener).await;
        let mut channel = channel::accept(&mut io, policy, Settings::default()).await.unwrap();
        assert!(channel.recv().await.unwrap().is_some());
        drop(channel);
        // Sends close_notify: TLS ends in order, and the session inside of it does not.
        io.shutdown().await.unwrap();
        io
    });
    let client = Client::connect(&endpoint, &options).await.unwrap_or_else(|error| panic!("{error}"));
    let error = all(client.query("SetA-One")).await.unwrap_err();
    assert!(matches!(error, CallError::Channel(ChannelError::Truncated)), "{error:?}");
    drop(leaving.await.unwrap());
}

/// Flips one bit of the next record of that side, this far from its end, once it is armed.
fn flip(switch: &Arc<AtomicBool>, side: From, from_end: usize) -> impl FnMut(From, &mut Vec<u8>) -> Fate + use<> {
    let switch = switch.clone();
    move |from, record| {
        if from == side && switch.swap(false, Ordering::SeqCst) {
            let at = record.len() - from_end;
            record[at] ^= 0x10;
        }
        Fate::Pass
    }
}

#[tokio::test]
async fn one_changed_bit_is_an_error_on_both_sides() {
    // The last byte of the tag, and the first bytes of what is encrypted.
    for from_end in [1, 60] {
        let switch = Arc::new(AtomicBool::new(false));
        let mut ends = Ends::with(flip(&switch, From::Client, from_end)).await;
        switch.store(true, Ordering::SeqCst);
        let replies = ends.client.query("SetA-One");
        let server = timeout(DEADLINE, ends.server.recv()).await.unwrap().unwrap_err();
        assert!(matches!(server, ChannelError::Io(_)), "{server:?}");
        drop(ends.server);
        let client = all(replies).await.unwrap_err();
        assert!(matches!(client, CallError::Channel(ChannelError::Io(_) | ChannelError::Truncated)), "{client:?}");

        let switch = Arc::new(AtomicBool::new(false));
        let mut ends = Ends::with(flip(&switch, From::Server, from_end)).await;
        let replies = ends.client.query("SetA-One");
        assert!(ends.server.recv().await.unwrap().is_some());
        switch.store(true, Ordering::SeqCst);
        ends.server.send(&[b'x'; 100]).await.unwrap();
        let client = all(replies).await.unwrap_err();
        assert!(matches!(client, CallError::Channel(ChannelError::Io(_))), "{client:?}");
        let server = timeout(DEADLINE, ends.server.recv()).await.unwrap().unwrap_err();
        assert!(matches!(server, ChannelError::Io(_) | ChannelError::Truncated), "{server:?}");
    }
}

#[tokio::test]
async fn a_changed_bit_hurts_nobody_else() {
    let bed = Bed::start("tls", KeyMode::X25519).await;
    let switch = Arc::new(AtomicBool::new(false));
    let relayed = relay::before(&bed.endpoint, flip(&switch, From::Server, 1)).await;
    let victim = bed.client_at(&relayed).await.unwrap_or_else(|error| panic!("{error}"));
    let other = bed.client_at(&relayed).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(count(&other, "SetA-One").await, 1);
    let mut replies = victim.query("SetE-Ten");
    replies.next().await.unwrap().unwrap();
    switch.store(true, Ordering::SeqCst);
    assert!(all(replies).await.is_err());
    assert_eq!(count(&other, "SetA-Two").await, 2);
    assert_eq!(count(&bed.client().await, "SetA-Two").await, 2);
    other.close().await.unwrap();
    bed.stop().await;
}

#[tokio::test]
async fn a_handshake_with_a_changed_bit_fails_on_both_sides() {
    let bed = Bed::start("tls", KeyMode::X25519).await;
    for side in [From::Client, From::Server] {
        for number in 0..3 {
            let mut seen = 0;
            let relayed = relay::before(&bed.endpoint, move |from, record| {
                if from == side {
                    if seen == number {
                        *record.last_mut().unwrap() ^= 1;
                    }
                    seen += 1;
                }
                Fate::Pass
            })
            .await;
            assert!(bed.client_at(&relayed).await.is_err(), "record {number} of {side:?}");
        }
    }
    assert_eq!(count(&bed.client().await, "SetA-One").await, 1);
    bed.stop().await;
}
