//! Two honest ends over a stream that holds hardly anything.

use std::future::ready;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::super::attacks::server_and_raw_client;
use super::super::handshake::{Offer, Policy};
use super::super::mode::KeyModes;
use super::super::record::{RecordError, RecordType};
use super::super::{accept, connect};
use super::state::IDLE_BUFFER;
use super::*;
use crate::keys::{IdentityKey, SecretKey};

const TINY: usize = 8;

async fn client_and_server(mode: &str, settings: Settings, buffer: usize) -> [Channel<DuplexStream>; 2] {
    let modes: KeyModes = mode.parse().unwrap();
    let secret = || modes.need_secret().then(|| SecretKey::from_bytes([1; 32]));
    let identity = IdentityKey::from_bytes([2; 32]);
    let offer = Offer::new(modes, secret()).unwrap();
    let policy = Policy::new(modes, Some(identity), secret()).unwrap();
    let (near, far) = duplex(buffer);
    let client = async {
        let mut channel = connect(near, offer, settings).await.unwrap_or_else(|error| panic!("{error}")).trust();
        channel.sender.flush().await.unwrap();
        channel
    };
    let (client, server) = tokio::join!(client, accept(far, policy, settings));
    [client, server.unwrap_or_else(|error| panic!("{error}"))]
}

async fn pair() -> [Channel<DuplexStream>; 2] {
    client_and_server("psk", Settings::default(), TINY).await
}

/// Sends on one end and receives on the other, both at once as the stream holds hardly anything.
async fn pass(from: &mut Channel<DuplexStream>, to: &mut Channel<DuplexStream>, message: &[u8]) {
    let (sent, received) = tokio::join!(from.send(message), to.recv());
    sent.unwrap();
    // Not `assert_eq`, which would print a mebibyte.
    assert!(received.unwrap() == Some(message));
}

/// Polls once and drops the future.
async fn once<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        output = future => Some(output),
        () = ready(()) => None,
    }
}

/// Receives until the peer's goodbye.
fn receive_all(mut receiver: Receiver<DuplexStream>) -> JoinHandle<(Vec<Vec<u8>>, Close)> {
    tokio::spawn(async move {
        let mut messages = Vec::new();
        while let Some(message) = receiver.recv().await.unwrap() {
            messages.push(message.to_vec());
        }
        (messages, receiver.peer_close().unwrap())
    })
}

#[tokio::test]
async fn both_ends_agree_on_the_session() {
    for mode in ["x25519+psk", "x25519", "psk"] {
        let [client, server] = client_and_server(mode, Settings::default(), TINY).await;
        assert_eq!((client.mode().name(), server.mode()), (mode, client.mode()));
        assert_eq!(client.session_id(), server.session_id());
        assert_eq!(client.exporter().expose(), server.exporter().expose());
        assert_ne!(client.exporter().expose(), client.session_id());
        let identity = (mode != "psk").then(|| IdentityKey::from_bytes([2; 32]).public());
        assert_eq!((client.server_identity(), server.server_identity()), (identity, identity));
    }
}

#[tokio::test]
async fn messages_of_any_size_arrive_whole() {
    let [mut client, mut server] = pair().await;
    for length in [0, 1, MAX_PAYLOAD, MAX_PAYLOAD + 1, 2 * MAX_PAYLOAD, MAX_MESSAGE] {
        let message: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
        pass(&mut client, &mut server, &message).await;
        pass(&mut server, &mut client, &message).await;
    }
}

#[tokio::test]
async fn a_message_that_is_too_long_is_refused_and_not_sent() {
    let [mut client, mut server] = pair().await;
    let refused = client.send(&vec![0; MAX_MESSAGE + 1]).await;
    assert!(
        matches!(refused, Err(ChannelError::TooLongToSend { length: 1_048_577, limit: MAX_MESSAGE })),
        "{refused:?}"
    );
    assert!(client.sender.lock().outbound.is_empty());
    pass(&mut client, &mut server, b"short").await;
}

#[tokio::test]
async fn an_unproven_client_sends_no_more_than_16_kib() {
    let [mut client, mut server] = client_and_server("x25519", Settings::default(), TINY).await;
    pass(&mut client, &mut server, &[1; MAX_UNPROVEN_MESSAGE]).await;
    let refused = client.send(&[1; MAX_UNPROVEN_MESSAGE + 1]).await;
    assert!(matches!(refused, Err(ChannelError::TooLongToSend { limit: MAX_UNPROVEN_MESSAGE, .. })), "{refused:?}");
    // The server is proven from the start.
    pass(&mut server, &mut client, &[2; MAX_MESSAGE]).await;

    client.lift_message_limits();
    server.lift_message_limits();
    pass(&mut client, &mut server, &[3; MAX_MESSAGE]).await;
}

#[tokio::test]
async fn a_client_that_lifts_its_limit_alone_is_refused_by_the_server() {
    let [mut client, mut server] = client_and_server("x25519", Settings::default(), 1 << 20).await;
    client.lift_message_limits();
    client.send(&[1; MAX_UNPROVEN_MESSAGE + 1]).await.unwrap();
    let refused = server.recv().await.map(drop);
    assert!(matches!(refused, Err(ChannelError::MessageTooLong { limit: MAX_UNPROVEN_MESSAGE })), "{refused:?}");
}

#[tokio::test]
async fn a_dropped_send_has_queued_its_message_whole_or_not_at_all() {
    let [mut client, server] = pair().await;
    let big = |byte| vec![byte; MAX_MESSAGE];
    // There is room for the first and no room for the second; the third fits again.
    assert!(once(client.send(&big(1))).await.is_none());
    assert!(once(client.send(&big(2))).await.is_none());
    assert!(once(client.send(b"three")).await.is_none());
    let received = receive_all(server.split().1);
    client.send(b"four").await.unwrap();
    client.sender.close(CloseReason::Done, "").await.unwrap();
    let (messages, _) = received.await.unwrap();
    let expected = [big(1), b"three".to_vec(), b"four".to_vec()];
    assert!(messages == expected, "{:?}", messages.iter().map(Vec::len).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn what_has_been_written_makes_room_for_another_message() {
    let [mut client, mut server] = client_and_server("psk", Settings::default(), MAX_MESSAGE).await;
    for byte in [1, 2] {
        assert!(once(client.send(&vec![byte; MAX_MESSAGE])).await.is_none());
    }
    for byte in [1, 2] {
        tokio::select! {
            () = tokio::time::sleep(KEY_LIFETIME) => panic!("message {byte} was not queued"),
            received = server.recv() => assert!(received.unwrap() == Some(&vec![byte; MAX_MESSAGE][..])),
            _ = client.recv() => panic!("the server said nothing"),
        }
    }
}

#[tokio::test]
async fn a_dropped_recv_loses_nothing() {
    let [mut client, mut server] = pair().await;
    let message = vec![7; 100_000];
    let sent = tokio::spawn(async move {
        client.send(&[7; 100_000]).await.unwrap();
        client.send(b"next").await.unwrap();
        client
    });
    let mut dropped = 0;
    while once(server.recv()).await.is_none() {
        dropped += 1;
        tokio::task::yield_now().await;
    }
    assert!(dropped > 1000);
    // What came in the last of these polls was handed out there and is gone; it was not the second message.
    assert!(server.receiver.message == message);
    assert_eq!(server.recv().await.unwrap(), Some(&b"next"[..]));
    drop(sent.await.unwrap());
}

/// What is waiting in the outbound buffer alone has been sealed and not written.
#[tokio::test]
async fn the_receiving_half_flushes_what_a_dropped_send_has_left() {
    let [mut client, mut server] = pair().await;
    assert!(once(client.send(b"left")).await.is_none());
    assert!(!client.sender.lock().outbound.is_empty());
    tokio::select! {
        received = server.recv() => assert_eq!(received.unwrap(), Some(&b"left"[..])),
        _ = client.recv() => panic!("nothing was sent to the client"),
    }
}

/// Sends these messages, then says goodbye; changes the key by hand on the way as often as told.
fn send_all(mut sender: Sender<DuplexStream>, messages: Vec<Vec<u8>>, rekey_every: usize) -> JoinHandle<()> {
    tokio::spawn(async move {
        for (i, message) in messages.iter().enumerate() {
            if i % rekey_every == rekey_every - 1 {
                sender.rekey().await.unwrap();
            }
            sender.send(message).await.unwrap();
        }
        sender.close(CloseReason::Done, "").await.unwrap();
    })
}

fn numbered(count: usize, name: &str) -> Vec<Vec<u8>> {
    (0..count).map(|i| format!("{name} {i} {}", "x".repeat(i * 7 % 300)).into_bytes()).collect()
}

/// Both ends send 200 messages at once, each from two tasks.
async fn exchange(settings: Settings, rekey_every: usize) {
    let [client, server] = client_and_server("psk", settings, TINY).await;
    let (client_sender, client_receiver) = client.split();
    let (server_sender, server_receiver) = server.split();
    let sent = [
        send_all(client_sender, numbered(200, "client"), rekey_every),
        send_all(server_sender, numbered(200, "server"), rekey_every),
    ];
    let (at_client, at_server) = (receive_all(client_receiver), receive_all(server_receiver));
    for sent in sent {
        sent.await.unwrap();
    }
    assert_eq!(at_client.await.unwrap().0, numbered(200, "server"));
    assert_eq!(at_server.await.unwrap().0, numbered(200, "client"));
}

fn rekey_after(records: u64) -> Settings {
    Settings { rekey: RekeyAfter { records, ..RekeyAfter::default() }, ..Settings::default() }
}

#[tokio::test]
async fn halves_in_four_tasks_talk_both_ways_at_once() {
    exchange(Settings::default(), usize::MAX).await;
}

#[tokio::test]
async fn both_ends_change_their_keys_while_messages_flow() {
    exchange(rekey_after(3), usize::MAX).await;
    exchange(Settings::default(), 5).await;
    exchange(rekey_after(3), 2).await;
}

/// The types of the records that a server sends for messages of this size under these settings.
async fn kinds_sent(settings: Settings, messages: usize, length: usize) -> Vec<RecordType> {
    let (mut channel, mut raw) = server_and_raw_client(settings, 4 << 20);
    for _ in 0..messages {
        channel.send(&vec![0; length]).await.unwrap();
    }
    channel.sender.close(CloseReason::Done, "").await.unwrap();
    let mut kinds = Vec::new();
    while kinds.last() != Some(&RecordType::Close) {
        kinds.push(raw.recv().await.0);
    }
    kinds
}

#[tokio::test]
async fn a_key_is_changed_before_it_has_sealed_its_number_of_records() {
    use RecordType::{Close, Data, Rekey};
    let kinds = kinds_sent(rekey_after(3), 5, 10).await;
    assert_eq!(kinds, [Data, Data, Rekey, Data, Data, Rekey, Data, Close]);
}

#[tokio::test]
async fn a_key_is_changed_before_it_has_sealed_its_number_of_bytes() {
    use RecordType::{Close, Data, Rekey};
    let rekey = RekeyAfter { bytes: 4 * MAX_TOKEN as u64, ..RekeyAfter::default() };
    let kinds = kinds_sent(Settings { rekey, ..Settings::default() }, 1, 4 * MAX_PAYLOAD).await;
    assert_eq!(kinds, [Data, Data, Data, Rekey, Data, Close]);
}

#[tokio::test(start_paused = true)]
async fn a_key_is_changed_after_an_hour_whatever_the_settings() {
    for age in [KEY_LIFETIME, Duration::MAX] {
        let rekey = RekeyAfter { age, ..RekeyAfter::default() };
        let (mut channel, mut raw) = server_and_raw_client(Settings { rekey, ..Settings::default() }, 4096);
        channel.send(b"young").await.unwrap();
        tokio::time::advance(KEY_LIFETIME).await;
        channel.send(b"old").await.unwrap();
        channel.send(b"young again").await.unwrap();
        for kind in [RecordType::Data, RecordType::Rekey, RecordType::Data, RecordType::Data] {
            assert_eq!(raw.recv().await.0, kind);
        }
    }
}

fn goodbye(reason: CloseReason, text: &str) -> Option<Close> {
    Some(Close { reason, text: text.into() })
}

#[tokio::test(start_paused = true)]
async fn an_orderly_close_gives_reason_and_text_to_the_peer() {
    for leaver in [0, 1] {
        let mut ends = pair().await;
        ends.rotate_left(leaver);
        let [leaver, mut stayer] = ends;
        let stays = async {
            assert_eq!(stayer.recv().await.unwrap(), None);
            assert_eq!(stayer.receiver.peer_close(), goodbye(CloseReason::GoingAway, "at noon"));
            stayer.close(CloseReason::Done, "").await
        };
        let begun = Instant::now();
        let (left, stayed) = tokio::join!(leaver.close(CloseReason::GoingAway, "at noon"), stays);
        left.unwrap();
        stayed.unwrap();
        assert!(begun.elapsed() < DRAIN_TIMEOUT);
    }
}

#[tokio::test(start_paused = true)]
async fn both_may_close_at_once() {
    let [client, server] = pair().await;
    let (left, right) =
        tokio::join!(client.close(CloseReason::Done, "bye"), server.close(CloseReason::Idle, "bye bye"));
    left.unwrap();
    right.unwrap();
}

#[tokio::test(start_paused = true)]
async fn after_the_peers_goodbye_this_end_may_finish_what_it_has_to_say() {
    let [client, mut server] = pair().await;
    let (mut client, client_receiver) = client.split();
    let (said, heard) = tokio::join!(client.close(CloseReason::Done, ""), server.recv());
    said.unwrap();
    assert_eq!(heard.unwrap(), None);
    let received = receive_all(client_receiver);
    server.send(&[5; 1000]).await.unwrap();
    server.send(b"that was all").await.unwrap();
    server.close(CloseReason::Removed, "now you too").await.unwrap();
    let (messages, close) = received.await.unwrap();
    assert_eq!(messages, [vec![5; 1000], b"that was all".to_vec()]);
    assert_eq!(Some(close), goodbye(CloseReason::Removed, "now you too"));
}

#[tokio::test(start_paused = true)]
async fn a_close_waits_two_seconds_for_a_peer_that_does_not_say_goodbye() {
    let (channel, _raw) = server_and_raw_client(Settings::default(), 4096);
    let begun = Instant::now();
    channel.close(CloseReason::Done, "").await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), DRAIN_TIMEOUT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_close_does_not_wait_longer_for_a_peer_that_does_not_read() {
    let (channel, _raw) = server_and_raw_client(Settings::default(), TINY);
    let begun = Instant::now();
    let closed = tokio::time::timeout(KEY_LIFETIME, channel.close(CloseReason::Done, "")).await;
    assert!(closed.is_ok());
    assert_eq!(begun.elapsed().as_secs(), DRAIN_TIMEOUT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_close_frees_a_peer_that_is_stuck_in_a_send() {
    let [mut client, mut server] = pair().await;
    // Both have more on its way than the stream holds, and neither reads.
    assert!(once(server.send(&[0; 1000])).await.is_none());
    let sent = async {
        client.send(&[1; 1000]).await.unwrap();
        assert_eq!(client.recv().await.unwrap(), Some(&[0; 1000][..]));
        assert_eq!(client.recv().await.unwrap(), None);
        client.close(CloseReason::Done, "").await
    };
    let both = async { tokio::join!(server.close(CloseReason::Done, ""), sent) };
    let (closed, sent) = tokio::time::timeout(KEY_LIFETIME, both).await.unwrap();
    closed.unwrap();
    sent.unwrap();
}

#[tokio::test(start_paused = true)]
async fn finishing_shuts_the_stream_down_while_the_halves_live_on() {
    let (channel, mut raw) = server_and_raw_client(Settings::default(), 4096);
    let (mut sender, mut receiver) = channel.split();
    sender.close(CloseReason::Done, "").await.unwrap();
    raw.send(RecordType::Close, false, &[0]).await;
    finish(&mut sender, &mut receiver, CloseReason::Done, "").await.unwrap();
    assert_eq!(raw.recv().await.0, RecordType::Close);
    assert_eq!(tokio::time::timeout(KEY_LIFETIME, raw.io.read(&mut [0; 1])).await.unwrap().unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_ends_the_session_for_one_half_wakes_the_other() {
    let (channel, mut raw) = server_and_raw_client(Settings::default(), TINY);
    let (mut sender, mut receiver) = channel.split();
    let stuck = tokio::spawn(async move { sender.send(&[0; 1000]).await });
    let received = tokio::spawn(async move { receiver.recv().await.map(drop) });
    tokio::task::yield_now().await;
    raw.io.write_all(&u32::MAX.to_be_bytes()).await.unwrap();
    for ended in [received, stuck] {
        let ended = tokio::time::timeout(KEY_LIFETIME, ended).await.unwrap().unwrap();
        assert!(matches!(ended, Err(ChannelError::Record(RecordError::BadLength(u32::MAX)))), "{ended:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pong_is_found_again_after_the_buffer_has_moved() {
    const WINDOW: usize = 2 * MAX_TOKEN;
    let (mut channel, mut raw) = server_and_raw_client(Settings::default(), WINDOW);
    // More waits before the pong than the stream takes at once.
    assert!(once(channel.send(&[0; MAX_MESSAGE])).await.is_none());
    raw.send(RecordType::Ping, false, &[]).await;
    assert!(once(channel.recv()).await.is_none());
    raw.io.read_exact(&mut vec![0; WINDOW]).await.unwrap();
    // Sealing this gives back what has been written.
    assert!(once(channel.send(b"moves the rest")).await.is_none());
    assert!(channel.sender.lock().pong_ends.is_some());
    // What is left after this fits into the stream.
    let mut rest = vec![0; MAX_MESSAGE - WINDOW];
    tokio::select! {
        _ = channel.recv() => panic!("the client said nothing"),
        read = raw.io.read_exact(&mut rest) => assert_eq!(read.unwrap(), rest.len()),
    }
    channel.sender.flush().await.unwrap();
    assert!(channel.sender.lock().pong_ends.is_none());
}

#[tokio::test]
async fn a_stream_that_ends_without_a_goodbye_is_truncated() {
    let [client, mut server] = pair().await;
    drop(client);
    let received = server.recv().await.map(drop);
    assert!(matches!(received, Err(ChannelError::Truncated)), "{received:?}");
    let sent = server.send(b"?").await;
    assert!(matches!(sent, Err(ChannelError::Truncated)), "{sent:?}");
}

#[tokio::test]
async fn a_goodbye_of_more_than_1024_bytes_is_cut_between_two_characters() {
    let [mut client, mut server] = pair().await;
    let text = format!("x{}", "\u{e4}".repeat(600));
    let (closed, received) = tokio::join!(client.sender.close(CloseReason::ProtocolError, &text), server.recv());
    closed.unwrap();
    assert_eq!(received.unwrap(), None);
    assert_eq!(server.receiver.peer_close(), goodbye(CloseReason::ProtocolError, &text[..1023]));
}

#[tokio::test]
async fn a_reason_of_a_later_version_is_another_reason() {
    let (mut channel, mut raw) = server_and_raw_client(Settings::default(), 4096);
    raw.send(RecordType::Close, false, b"\x4dso long").await;
    assert_eq!(channel.recv().await.unwrap(), None);
    assert_eq!(channel.receiver.peer_close(), goodbye(CloseReason::Other, "so long"));
}

#[tokio::test]
async fn a_second_goodbye_does_nothing_and_nothing_else_can_follow_the_first() {
    let (mut channel, mut raw) = server_and_raw_client(Settings::default(), 4096);
    channel.sender.close(CloseReason::Done, "first").await.unwrap();
    channel.sender.close(CloseReason::Idle, "second").await.unwrap();
    for refused in [channel.send(b"late").await, channel.sender.rekey().await] {
        assert!(matches!(refused, Err(ChannelError::Closed)), "{refused:?}");
    }
    // Not even an answer to a ping.
    raw.send(RecordType::Ping, false, &[]).await;
    raw.send(RecordType::Close, false, &[0]).await;
    assert_eq!(channel.recv().await.unwrap(), None);
    drop(channel);
    assert_eq!(raw.recv().await, (RecordType::Close, b"\0first".to_vec()));
    assert_eq!(raw.io.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn after_its_goodbye_an_end_asks_nothing_more_and_still_notices_death() {
    let (mut channel, mut raw) = server_and_raw_client(Settings::default(), 4096);
    channel.sender.close(CloseReason::Done, "").await.unwrap();
    let received = channel.recv().await.map(drop);
    assert!(matches!(received, Err(ChannelError::Dead(60.0))), "{received:?}");
    drop(channel);
    assert_eq!(raw.recv().await.0, RecordType::Close);
    assert_eq!(raw.io.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn nothing_is_allocated_for_an_impossible_length() {
    for length in [0, 72, MAX_TOKEN as u32 + 1, u32::MAX, 74] {
        let (mut channel, mut raw) = server_and_raw_client(Settings::default(), 4096);
        raw.io.write_all(&length.to_be_bytes()).await.unwrap();
        let received = channel.recv().await.map(drop);
        assert!(
            matches!(received, Err(ChannelError::Record(RecordError::BadLength(l))) if l == length),
            "{received:?}"
        );
        assert!(channel.sender.lock().inbound.capacity() <= IDLE_BUFFER);
    }
}

#[tokio::test(start_paused = true)]
async fn buffers_shrink_again_in_silence() {
    let [mut client, mut server] = pair().await;
    pass(&mut client, &mut server, &vec![1; MAX_MESSAGE]).await;
    assert!(server.sender.lock().inbound.capacity() > IDLE_BUFFER);
    assert!(client.sender.lock().outbound.capacity() > IDLE_BUFFER);
    let quiet = async { tokio::join!(client.recv(), server.recv()) };
    assert!(tokio::time::timeout(KEY_LIFETIME, quiet).await.is_err());
    assert!(server.sender.lock().inbound.capacity() <= IDLE_BUFFER);
    assert!(client.sender.lock().outbound.capacity() <= IDLE_BUFFER);
    assert!(server.receiver.message.capacity() <= IDLE_BUFFER);
}
