//! What holds over every transport in every key mode: one suite, run for each pair.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod kept;
mod people;

use std::time::Duration;

use common::{Bed, DEADLINE, TICK, all, count, dial, dial_options, fresh_endpoint, impatient, listen, rekey_often};
use fernwire::channel::error::ChannelError;
use fernwire::channel::handshake::Policy;
use fernwire::channel::mode::KeyMode;
use fernwire::channel::{self, CloseReason, MAX_MESSAGE, MAX_UNPROVEN_MESSAGE, Settings};
use fernwire::client::{CallError, Client};
use fernwire::config::Limits;
use fernwire::keys::{IdentityKey, SecretKey};
use fernwire::protocol::codec::{Decoded, decode_server, encode};
use fernwire::protocol::query::{QueryReply, QueryRequest};
use fernwire::protocol::{ClientMessage, ErrorCode, MAX_IN_FLIGHT, Request, ServerMessage};
use kept::{
    data_is_stored_once_whatever_its_format, lines_are_kept_once_and_the_operator_answers,
    what_was_kept_is_acknowledged_again_after_a_restart,
};
use people::{
    a_long_text_goes_both_ways_after_a_login, an_account_is_its_owners,
    people_talk_and_find_what_they_missed_after_a_restart,
};
use tokio::io::copy_bidirectional;
use tokio::sync::oneshot;

/// One module a transport and mode, one test a scenario.
macro_rules! suite {
    ($($scenario:ident),* $(,)?) => {
        suite!(@transport tcp [$($scenario)*]);
        suite!(@transport tls [$($scenario)*]);
        suite!(@transport unix [$($scenario)*]);
        suite!(@transport memory [$($scenario)*]);
    };
    (@transport $transport:ident $scenarios:tt) => {
        mod $transport {
            suite!(@mode $transport x25519_psk X25519Psk $scenarios);
            suite!(@mode $transport x25519 X25519 $scenarios);
            suite!(@mode $transport psk Psk $scenarios);
        }
    };
    (@mode $transport:ident $name:ident $mode:ident [$($scenario:ident)*]) => {
        mod $name {
            $(
                #[tokio::test]
                async fn $scenario() {
                    crate::$scenario(stringify!($transport), fernwire::channel::mode::KeyMode::$mode).await;
                }
            )*
        }
    };
}

suite![
    a_query_is_found_or_empty,
    fifty_clients_are_served_at_once,
    a_message_may_have_a_mebibyte,
    an_orderly_close_answers_what_was_asked,
    an_abrupt_close_hurts_nobody_else,
    a_server_that_is_gone_is_a_truncation,
    a_cancelled_query_stops_and_the_other_goes_on,
    both_ends_rekey_while_they_talk,
    a_cut_peer_is_noticed_on_both_sides,
    a_stopping_server_finishes_and_says_goodbye,
    a_broken_message_ends_its_session_alone,
    a_bad_request_fails_alone,
    an_account_is_its_owners,
    people_talk_and_find_what_they_missed_after_a_restart,
    a_long_text_goes_both_ways_after_a_login,
    lines_are_kept_once_and_the_operator_answers,
    data_is_stored_once_whatever_its_format,
    what_was_kept_is_acknowledged_again_after_a_restart,
];

async fn a_query_is_found_or_empty(scheme: &str, mode: KeyMode) {
    let bed = Bed::start(scheme, mode).await;
    let client = bed.client().await;
    assert_eq!(client.mode(), mode);
    assert_eq!(count(&client, "SetA-Two").await, 2);
    assert_eq!(all(client.query("SetZ-Unknown")).await.unwrap(), [QueryReply::Empty]);
    assert_eq!(count(&client, "SetA-One").await, 1);
    client.close().await.unwrap();
    bed.stop().await;
}

async fn fifty_clients_are_served_at_once(scheme: &str, mode: KeyMode) {
    let bed = Bed::start(scheme, mode).await;
    let clients = futures(50, |_| bed.client()).await;
    let counts = futures(50, |i| count(&clients[i], "SetC-Five")).await;
    assert_eq!(counts, [5; 50]);
    for client in clients {
        client.close().await.unwrap();
    }
    bed.stop().await;
}

/// A request that is exactly so many bytes long on the channel.
fn request_of(length: usize) -> String {
    let message = |query| encode(&ClientMessage::Request { id: 1, request: Request::Query(QueryRequest { query }) });
    let text = "x".repeat(length - message(String::new()).len());
    assert_eq!(message(text.clone()).len(), length);
    text
}

async fn a_message_may_have_a_mebibyte(scheme: &str, mode: KeyMode) {
    let bed = Bed::start(scheme, mode).await;
    // Who has proven nothing may say less.
    let limit = if mode.needs_secret() { MAX_MESSAGE } else { MAX_UNPROVEN_MESSAGE };
    let client = bed.client().await;
    assert_eq!(all(client.query(&request_of(limit))).await.unwrap(), [QueryReply::Empty]);
    let refused = all(client.query(&request_of(limit + 1))).await.unwrap_err();
    let too_long = ChannelError::TooLongToSend { length: limit + 1, limit };
    assert_eq!(refused.to_string(), too_long.to_string());
    assert_eq!(count(&client, "SetA-One").await, 1);
    client.close().await.unwrap();

    // A client that does not keep to the limit is cut off.
    if !mode.needs_secret() {
        let mut channel = bed.channel().await;
        channel.lift_message_limits();
        channel.send(&vec![0; limit + 1]).await.unwrap();
        assert!(matches!(channel.recv().await, Err(ChannelError::Truncated)));
    }
    bed.stop().await;
}

async fn an_orderly_close_answers_what_was_asked(scheme: &str, mode: KeyMode) {
    let bed = Bed::start(scheme, mode).await;
    let client = bed.client().await;
    let replies = client.query("SetB-Three");
    let (closed, replies) = tokio::join!(client.close(), all(replies));
    closed.unwrap();
    assert_eq!(replies.unwrap().len(), 3);
    bed.stop().await;
}

async fn an_abrupt_close_hurts_nobody_else(scheme: &str, mode: KeyMode) {
    let bed = Bed::start(scheme, mode).await;
    let client = bed.client().await;
    let mut replies = client.query("SetC-Five");
    replies.next().await.unwrap().unwrap();
    for _ in 0..5 {
        let mut channel = bed.channel().await;
        let request = Request::Query(QueryRequest { query: "SetE-Ten".into() });
        channel.send(&encode(&ClientMessage::Request { id: 1, request })).await.unwrap();
        drop(channel);
    }
    assert_eq!(all(replies).await.unwrap().len(), 4);
    assert_eq!(count(&bed.client().await, "SetA-Two").await, 2);
    client.close().await.unwrap();
    bed.stop().await;
}

async fn a_server_that_is_gone_is_a_truncation(scheme: &str, mode: KeyMode) {
    let folder = tempfile::tempdir().unwrap();
    let mut listener = listen(&fresh_endpoint(scheme, &folder), &folder).await;
    let identity = IdentityKey::generate().unwrap();
    let secret_key = SecretKey::generate();
    let policy = Policy::new([mode].into_iter().collect(), Some(identity.clone()), Some(secret_key.clone())).unwrap();
    let endpoint = listener.local().clone();
    let dying = tokio::spawn(async move {
        let conn = listener.accept().await.unwrap().upgrade.await.unwrap();
        let mut channel = channel::accept(conn.io, policy, Settings::default()).await.unwrap();
        channel.recv().await.unwrap();
    });
    let options = fernwire::client::Options {
        kex: fernwire::config::Kex::Modes([mode].into_iter().collect()),
        secret_key: mode.needs_secret().then_some(secret_key),
        dial: dial_options(),
        ..Default::default()
    };
    let endpoint = if mode.needs_share() { endpoint.with_identity(identity.public()) } else { endpoint };
    let client = Client::connect(&endpoint, &options).await.unwrap_or_else(|error| panic!("{error}"));
    let error = all(client.query("SetA-One")).await.unwrap_err();
    assert!(matches!(error, CallError::Channel(ChannelError::Truncated)), "{error:?}");
    assert!(client.is_closed());
    dying.await.unwrap();
}

async fn a_cancelled_query_stops_and_the_other_goes_on(scheme: &str, mode: KeyMode) {
    let bed = Bed::start(scheme, mode).await;
    // On a bare channel, to see what the server sends and not what a client hands on.
    let mut channel = bed.channel().await;
    channel.send(&ask(1, "SetE-Ten")).await.unwrap();
    channel.send(&ask(2, "SetE-Nine")).await.unwrap();
    let mut order = Vec::new();
    while !order.ends_with(&["end 2".to_owned()]) {
        let message = channel.recv().await.unwrap().unwrap();
        let Ok(Decoded::Message(message)) = decode_server(message) else { panic!("{message:?}") };
        let first_reply = order.is_empty();
        order.push(match message {
            ServerMessage::Reply { id, .. } => format!("reply {id}"),
            ServerMessage::End { id } => format!("end {id}"),
            ServerMessage::Cancelled { id } => format!("cancelled {id}"),
            ServerMessage::Error { id, .. } => format!("error {id}"),
        });
        if first_reply {
            channel.send(&encode(&ClientMessage::Cancel { id: 1 })).await.unwrap();
        }
    }
    let cancelled = order.iter().position(|event| event == "cancelled 1").unwrap();
    assert!(!order[cancelled..].contains(&"reply 1".to_owned()), "{order:?}");
    assert!(order.iter().filter(|event| *event == "reply 1").count() < 10, "{order:?}");
    assert_eq!(order.iter().filter(|event| *event == "reply 2").count(), 9, "{order:?}");
    channel.close(CloseReason::Done, "").await.unwrap();

    let client = bed.client().await;
    let mut replies = client.query("SetE-Ten");
    replies.next().await.unwrap().unwrap();
    replies.cancel();
    assert!(matches!(all(replies).await, Err(CallError::Cancelled)));
    client.close().await.unwrap();
    bed.stop().await;
}

fn ask(id: u64, query: &str) -> Vec<u8> {
    encode(&ClientMessage::Request { id, request: Request::Query(QueryRequest { query: query.into() }) })
}

async fn both_ends_rekey_while_they_talk(scheme: &str, mode: KeyMode) {
    let bed = Bed::with(scheme, mode, Limits::default(), rekey_often()).await;
    let client = bed.client().await;
    let counts = futures(8, |_| count(&client, "SetE-Ten")).await;
    assert_eq!(counts, [10; 8]);
    for _ in 0..10 {
        assert_eq!(all(client.query("SetZ-Unknown")).await.unwrap(), [QueryReply::Empty]);
    }
    client.close().await.unwrap();
    bed.stop().await;
}

async fn a_cut_peer_is_noticed_on_both_sides(scheme: &str, mode: KeyMode) {
    // With room for one session, the next client gets in only when the server has noticed.
    let limits = Limits { max_sessions: 1, ..Limits::default() };
    let bed = Bed::with(scheme, mode, limits, impatient()).await;
    let folder = tempfile::tempdir().unwrap();
    let mut relay = listen(&fresh_endpoint(scheme, &folder), &folder).await;
    let relayed = relay.local().clone();
    let (cut, cutting) = oneshot::channel();
    let target = bed.endpoint.clone();
    let relaying = tokio::spawn(async move {
        let mut near = relay.accept().await.unwrap().upgrade.await.unwrap().io;
        let mut far = dial(&target).await.unwrap().io;
        tokio::select! {
            _ = copy_bidirectional(&mut near, &mut far) => panic!("the relay ended by itself"),
            _ = cutting => (near, far),
        }
    });
    let client = bed.client_at(&relayed).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(count(&client, "SetA-One").await, 1);
    // Longer than it takes to be declared dead: pings keep a quiet session alive.
    tokio::time::sleep(bed.settings.keepalive.dead_after * 3 / 2).await;
    assert_eq!(count(&client, "SetA-One").await, 1);
    cut.send(()).unwrap();
    let held_open = relaying.await.unwrap();
    let error = all(client.query("SetA-One")).await.unwrap_err();
    assert!(matches!(error, CallError::Channel(ChannelError::Dead(_))), "{error:?}");
    let admitted = async {
        loop {
            let next = bed.client().await;
            if all(next.query("SetA-One")).await.is_ok() {
                break next.close().await;
            }
            tokio::time::sleep(TICK).await;
        }
    };
    tokio::time::timeout(DEADLINE, admitted).await.unwrap().unwrap();
    drop(held_open);
    bed.stop().await;
}

async fn a_stopping_server_finishes_and_says_goodbye(scheme: &str, mode: KeyMode) {
    let bed = Bed::start(scheme, mode).await;
    let idle = bed.client().await;
    let busy = bed.client().await;
    let mut replies = busy.query("SetB-Three");
    replies.next().await.unwrap().unwrap();
    let endpoint = bed.endpoint.clone();
    let (replies, ()) = tokio::join!(all(replies), bed.stop());
    assert_eq!(replies.unwrap().len(), 2);
    for client in [idle, busy] {
        let error = client.close().await.unwrap_err();
        assert!(matches!(&error, CallError::Closed(close) if close.reason == CloseReason::GoingAway), "{error:?}");
    }
    assert!(dial(&endpoint).await.is_err());
}

async fn a_broken_message_ends_its_session_alone(scheme: &str, mode: KeyMode) {
    let bed = Bed::start(scheme, mode).await;
    let client = bed.client().await;
    for broken in [&b""[..], b"\x02", b"\0{}", b"\0[", br#"0{"type":"dance","id":1}"#, b"\x01\0\0\0\0\0\0\0\x01x"] {
        let mut channel = bed.channel().await;
        channel.send(broken).await.unwrap();
        assert_eq!(channel.recv().await.unwrap(), None);
        assert_eq!(channel.peer_close().unwrap().reason, CloseReason::ProtocolError);
    }
    assert_eq!(count(&client, "SetA-One").await, 1);
    client.close().await.unwrap();
    bed.stop().await;
}

async fn a_bad_request_fails_alone(scheme: &str, mode: KeyMode) {
    let bed = Bed::start(scheme, mode).await;
    let mut channel = bed.channel().await;
    channel.send(b"\0{\"type\":\"request\",\"id\":3,\"service\":\"weather\",\"body\":{}}").await.unwrap();
    assert_eq!(error_of(channel.recv().await.unwrap()), (3, ErrorCode::UnknownService));
    channel.send(b"\0{\"type\":\"request\",\"id\":4,\"service\":\"query\",\"body\":7}").await.unwrap();
    assert_eq!(error_of(channel.recv().await.unwrap()), (4, ErrorCode::BadRequest));
    for id in 5..5 + MAX_IN_FLIGHT as u64 {
        channel.send(&ask(id, "SetE-Ten")).await.unwrap();
    }
    let one_too_many = 5 + MAX_IN_FLIGHT as u64;
    channel.send(&ask(one_too_many, "SetE-Ten")).await.unwrap();
    // A late cancel and late credit are ignored.
    for late in [ClientMessage::Cancel { id: 3 }, ClientMessage::Credit { id: 99, bytes: u64::MAX >> 11 }] {
        channel.send(&encode(&late)).await.unwrap();
    }
    let refused = loop {
        let message = channel.recv().await.unwrap().unwrap();
        if let Ok(Decoded::Message(ServerMessage::Error { .. })) = decode_server(message) {
            break error_of(Some(message));
        }
    };
    assert_eq!(refused, (one_too_many, ErrorCode::TooManyRequests));
    // An id that does not increase breaks the protocol.
    channel.send(&ask(4, "SetA-One")).await.unwrap();
    while channel.recv().await.unwrap().is_some() {}
    assert_eq!(channel.peer_close().unwrap().reason, CloseReason::ProtocolError);
    channel.close(CloseReason::Done, "").await.unwrap();
    bed.stop().await;
}

fn error_of(message: Option<&[u8]>) -> (u64, ErrorCode) {
    match decode_server(message.unwrap()) {
        Ok(Decoded::Message(ServerMessage::Error { id, error })) => (id, error.code),
        other => panic!("{other:?}"),
    }
}

/// The results of so many futures that run at the same time.
async fn futures<T, F: Future<Output = T>>(count: usize, make: impl Fn(usize) -> F) -> Vec<T> {
    let mut running: Vec<_> = (0..count).map(|i| Box::pin(make(i))).collect();
    let mut results: Vec<Option<T>> = (0..count).map(|_| None).collect();
    let all = std::future::poll_fn(|cx| {
        for (future, result) in running.iter_mut().zip(&mut results) {
            if result.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(cx)
            {
                *result = Some(value);
            }
        }
        if results.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    });
    tokio::time::timeout(DEADLINE + Duration::from_secs(30), all).await.unwrap();
    results.into_iter().flatten().collect()
}
