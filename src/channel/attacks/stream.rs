//! Attacks on the stream: silence, slowness, floods, cuts, and records where none is due. The clock is paused.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{Instant, sleep, timeout};

use super::super::error::{ChannelError, HandshakeError};
use super::super::record::{MAX_PAYLOAD, RecordError, RecordType};
use super::super::stream::{Channel, Keepalive, MAX_MESSAGE, Settings};
use super::super::{accept, connect};
use super::{answer, offer, policy, seal, server_and_raw_client, session, start};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
/// More than any of these attacks has to say, so that its writing never waits.
const ROOMY: usize = 4 << 20;
/// What the bytes of one ping or pong are on the wire.
const PING_FRAME: usize = 4 + 73;

#[tokio::test(start_paused = true)]
async fn silence_is_questioned_after_20_seconds_and_is_death_after_60() {
    let (mut channel, mut silent) = server_and_raw_client(Settings::default(), ROOMY);
    let start = Instant::now();
    let asked = async {
        let (kind, _) = silent.recv().await;
        (kind, start.elapsed())
    };
    let (received, (kind, asked_at)) = tokio::join!(channel.recv(), asked);
    assert_refused!(received, ChannelError::Dead(60.0));
    assert_eq!(start.elapsed(), 60 * SECOND);
    assert_eq!((kind, asked_at), (RecordType::Ping, 20 * SECOND));
    // One question is enough, and the dead are not spoken to.
    assert_refused!(channel.send(b"hello?").await, ChannelError::Dead(60.0));
    drop(channel);
    assert_eq!(silent.io.read(&mut [0; 1]).await.unwrap(), 0);
}

/// A channel that itself never asks for a sign of life.
fn incurious() -> Settings {
    Settings { keepalive: Keepalive { ping_after: 9 * HOUR, dead_after: 10 * HOUR }, ..Settings::default() }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_pings_lives_through_an_hour_of_silence() {
    let (client, server) = session("psk", 1);
    let (near, far) = tokio::io::duplex(8);
    let mut asking = Channel::new(near, server, Vec::new(), Settings::default());
    let mut answering = Channel::new(far, client, Vec::new(), incurious());
    let quiet = timeout(HOUR, async { tokio::join!(asking.recv(), answering.recv()) });
    assert!(quiet.await.is_err());
    let (sent, received) = tokio::join!(asking.send(b"still there?"), answering.recv());
    sent.unwrap();
    assert_eq!(received.unwrap(), Some(&b"still there?"[..]));
}

/// Reads whatever has come, until nothing has come for a second.
async fn drain(io: &mut DuplexStream) -> usize {
    let (mut buffer, mut drained) = ([0; 1024], 0);
    while let Ok(Ok(read @ 1..)) = timeout(SECOND, io.read(&mut buffer)).await {
        drained += read;
    }
    drained
}

#[tokio::test(start_paused = true)]
async fn a_thousand_pings_that_nobody_waits_for_are_worth_one_pong() {
    let (mut channel, mut flooder) = server_and_raw_client(incurious(), 8);
    let flooded = tokio::spawn(async move { channel.recv().await.map(|message| message.map(<[u8]>::len)) });
    for _ in 0..1000 {
        flooder.send(RecordType::Ping, false, &[]).await;
    }
    // Time stands still until the channel has taken the last of them and waits.
    sleep(SECOND).await;
    assert_eq!(drain(&mut flooder.io).await, PING_FRAME);
    // Afterwards it answers as before.
    flooder.send(RecordType::Ping, false, &[]).await;
    assert_eq!(drain(&mut flooder.io).await, PING_FRAME);
    drop(flooder);
    assert_refused!(flooded.await.unwrap(), ChannelError::Truncated);
}

/// Writes one byte a second, as long as somebody takes them.
async fn trickle(io: &mut DuplexStream, bytes: &[u8]) {
    for byte in bytes {
        sleep(SECOND).await;
        if io.write_all(&[*byte]).await.is_err() {
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_hello_at_a_byte_a_second_ends_at_the_callers_deadline() {
    let (mut slow, server) = tokio::io::duplex(8);
    let (_, hello) = start("x25519");
    let begun = Instant::now();
    let accepted = timeout(10 * SECOND, accept(server, policy("x25519"), Settings::default()));
    let (accepted, ()) = tokio::join!(accepted, trickle(&mut slow, &hello));
    assert!(accepted.is_err());
    assert!(begun.elapsed() <= 12 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_that_trickles_on_is_not_listened_to_for_long() {
    let (mut slow, server) = tokio::io::duplex(ROOMY);
    slow.write_all(b"\x09\0\0").await.unwrap();
    let begun = Instant::now();
    let accepted = async {
        let accepted = accept(server, policy("x25519"), Settings::default()).await;
        (accepted, begun.elapsed())
    };
    let ((accepted, after), ()) = tokio::join!(accepted, trickle(&mut slow, &[0; 60]));
    assert_refused!(accepted, HandshakeError::UnexpectedFrame(9));
    assert!(after <= 2 * SECOND, "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_that_floods_is_cut_off_at_once() {
    let (mut flooder, server) = tokio::io::duplex(8);
    let begun = Instant::now();
    let accepted = accept(server, policy("x25519"), Settings::default());
    let (accepted, flooded) = tokio::join!(accepted, flooder.write_all(&[9; 100_000]));
    assert_refused!(accepted, HandshakeError::UnexpectedFrame(9));
    assert_eq!(flooded.unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_read_cannot_hold_a_client_that_leaves() {
    let (near, mut far) = tokio::io::duplex(8);
    let answered = async {
        let mut hello = vec![0; start("psk").1.len()];
        far.read_exact(&mut hello).await.unwrap();
        let (_, server_hello, server_finished) = answer(policy("psk"), 2, &hello).unwrap();
        far.write_all(&server_hello).await.unwrap();
        far.write_all(&server_finished).await.unwrap();
    };
    let (verified, ()) = tokio::join!(connect(near, offer("psk"), Settings::default()), answered);
    let begun = Instant::now();
    verified.unwrap_or_else(|error| panic!("{error}")).refuse().await;
    assert!(begun.elapsed() <= 2 * SECOND);
    let mut alert = Vec::new();
    far.read_to_end(&mut alert).await.unwrap();
    assert_eq!(alert, [5, 0, 1, 6]);
}

#[tokio::test(start_paused = true)]
async fn a_record_at_a_byte_a_second_is_no_sign_of_life() {
    let (mut channel, mut slow) = server_and_raw_client(Settings::default(), ROOMY);
    let record = seal(&mut slow.sealer, RecordType::Data, false, &[0; 1000]);
    let begun = Instant::now();
    let received = async {
        let received = channel.recv().await.map(drop);
        (received, begun.elapsed())
    };
    let ((received, after), ()) = tokio::join!(received, trickle(&mut slow.io, &record[..100]));
    assert_refused!(received, ChannelError::Dead(60.0));
    assert_eq!(after, 60 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn forged_bytes_are_no_sign_of_life_either() {
    let (mut channel, mut slow) = server_and_raw_client(Settings::default(), ROOMY);
    let mut record = seal(&mut slow.sealer, RecordType::Pong, false, &[]);
    record[20] ^= 1;
    sleep(30 * SECOND).await;
    slow.io.write_all(&record).await.unwrap();
    assert_refused!(channel.recv().await, ChannelError::Record(RecordError::NotAuthentic));
}

#[tokio::test(start_paused = true)]
async fn a_record_in_the_place_of_client_finished_is_not_due() {
    let (mut client, server) = tokio::io::duplex(ROOMY);
    let (_, hello) = start("psk");
    let (mut established, _) = session("psk", 1);
    client.write_all(&hello).await.unwrap();
    client.write_all(&seal(&mut established.sealer, RecordType::Data, false, b"early")).await.unwrap();
    client.shutdown().await.unwrap();
    let accepted = accept(server, policy("psk"), Settings::default()).await;
    assert_refused!(accepted, HandshakeError::UnexpectedFrame(0));
}

#[tokio::test(start_paused = true)]
async fn a_server_says_nothing_but_its_flight_before_client_finished() {
    let (mut client, server) = tokio::io::duplex(ROOMY);
    let (_, hello) = start("psk");
    let (_, server_hello, server_finished) = answer(policy("psk"), 2, &hello).unwrap();
    client.write_all(&hello).await.unwrap();
    let accepted = timeout(HOUR, accept(server, policy("psk"), Settings::default()));
    assert!(accepted.await.is_err());
    let mut said = Vec::new();
    client.read_to_end(&mut said).await.unwrap();
    assert_eq!(said.len(), server_hello.len() + server_finished.len());
}

#[tokio::test(start_paused = true)]
async fn an_alert_in_the_place_of_a_server_hello_is_reported_as_unverified() {
    let (mut liar, client) = tokio::io::duplex(ROOMY);
    liar.write_all(&[5, 0, 1, 4]).await.unwrap();
    liar.shutdown().await.unwrap();
    let error = connect(client, offer("psk"), Settings::default()).await.err().unwrap();
    assert_eq!(error.to_string(), "the peer says (unverified): that secret key is not the one held here");
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_is_told_why_even_if_it_has_more_to_say() {
    let (mut client, server) = tokio::io::duplex(8);
    let talk = async {
        client.write_all(&[9; 1000]).await.unwrap();
        let mut alert = Vec::new();
        client.read_to_end(&mut alert).await.unwrap();
        alert
    };
    let (accepted, alert) =
        tokio::join!(accept(server, policy("psk"), Settings::default()), async { timeout(HOUR, talk).await });
    assert_refused!(accepted, HandshakeError::UnexpectedFrame(9));
    assert_eq!(alert.unwrap(), [5, 0, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_verify_is_told_so() {
    let (mut impostor, client) = tokio::io::duplex(ROOMY);
    let (_, hello) = start("psk");
    // A true answer to another client's hello.
    let (_, server_hello, server_finished) = answer(policy("psk"), 2, &hello).unwrap();
    impostor.write_all(&server_hello).await.unwrap();
    impostor.write_all(&server_finished).await.unwrap();
    impostor.shutdown().await.unwrap();
    assert_refused!(connect(client, offer("psk"), Settings::default()).await, HandshakeError::BadFinished);
    let mut said = Vec::new();
    impostor.read_to_end(&mut said).await.unwrap();
    assert_eq!(said[hello.len()..], [5, 0, 1, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_handshake_cut_anywhere_is_truncated() {
    let (_, hello) = start("psk");
    for length in 0..hello.len() {
        let (mut client, server) = tokio::io::duplex(ROOMY);
        client.write_all(&hello[..length]).await.unwrap();
        client.shutdown().await.unwrap();
        let accepted = accept(server, policy("psk"), Settings::default()).await;
        assert_refused!(accepted, HandshakeError::Truncated);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_cut_anywhere_is_truncated() {
    let length = seal(&mut session("psk", 1).0.sealer, RecordType::Data, false, b"all").len();
    for cut in 0..=length {
        let (mut channel, mut raw) = server_and_raw_client(Settings::default(), ROOMY);
        let record = seal(&mut raw.sealer, RecordType::Data, false, b"all");
        raw.io.write_all(&record[..cut]).await.unwrap();
        raw.io.shutdown().await.unwrap();
        if cut == length {
            assert_eq!(channel.recv().await.unwrap(), Some(&b"all"[..]));
        }
        assert_refused!(channel.recv().await, ChannelError::Truncated);
        // The first failure stays the answer, in both directions.
        assert_refused!(channel.recv().await, ChannelError::Truncated);
        assert_refused!(channel.send(b"?").await, ChannelError::Truncated);
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_end_never_comes_is_not_handed_up() {
    let (mut channel, mut raw) = server_and_raw_client(Settings::default(), ROOMY);
    raw.send(RecordType::Data, true, b"transfer 100").await;
    raw.io.shutdown().await.unwrap();
    assert_refused!(channel.recv().await, ChannelError::Truncated);
}

#[tokio::test]
async fn a_goodbye_in_the_middle_of_a_message_is_no_goodbye() {
    let (mut channel, mut raw) = server_and_raw_client(Settings::default(), ROOMY);
    raw.send(RecordType::Data, true, b"half").await;
    raw.send(RecordType::Close, false, &[0]).await;
    assert_refused!(channel.recv().await, ChannelError::Record(RecordError::CutMessage));
}

#[tokio::test(start_paused = true)]
async fn pieces_make_one_message_whatever_comes_between_them() {
    let (mut channel, mut raw) = server_and_raw_client(Settings::default(), ROOMY);
    raw.send(RecordType::Data, true, b"one ").await;
    raw.send(RecordType::Ping, false, &[]).await;
    raw.send(RecordType::Rekey, false, &[]).await;
    raw.send(RecordType::Data, true, b"whole ").await;
    raw.send(RecordType::Data, false, b"message").await;
    raw.send(RecordType::Data, false, b"another").await;
    assert_eq!(channel.recv().await.unwrap(), Some(&b"one whole message"[..]));
    assert_eq!(channel.recv().await.unwrap(), Some(&b"another"[..]));
}

#[tokio::test(start_paused = true)]
async fn pieces_without_end_are_stopped_at_the_limit() {
    let (mut channel, mut raw) = server_and_raw_client(Settings::default(), ROOMY);
    for _ in 0..=MAX_MESSAGE / MAX_PAYLOAD {
        raw.send(RecordType::Data, true, &[0; MAX_PAYLOAD]).await;
    }
    assert_refused!(channel.recv().await, ChannelError::MessageTooLong { limit: MAX_MESSAGE });
}

#[tokio::test(start_paused = true)]
async fn a_record_after_the_goodbye_is_fatal_and_the_end_of_the_stream_is_not() {
    let (mut channel, mut raw) = server_and_raw_client(Settings::default(), ROOMY);
    raw.send(RecordType::Close, false, &[0]).await;
    raw.send(RecordType::Data, false, b"one more thing").await;
    assert_refused!(channel.recv().await, ChannelError::Record(RecordError::AfterClose));

    let (mut channel, mut raw) = server_and_raw_client(Settings::default(), ROOMY);
    raw.send(RecordType::Close, false, &[0]).await;
    assert_eq!(channel.recv().await.unwrap(), None);
    drop(raw);
    assert_eq!(channel.recv().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_forged_record_ends_the_session_in_both_directions() {
    let (mut channel, mut raw) = server_and_raw_client(Settings::default(), ROOMY);
    let mut forged = seal(&mut raw.sealer, RecordType::Data, false, b"x");
    forged[40] ^= 1;
    raw.io.write_all(&forged).await.unwrap();
    raw.send(RecordType::Data, false, b"honest").await;
    for _ in 0..2 {
        assert_refused!(channel.recv().await, ChannelError::Record(RecordError::NotAuthentic));
    }
    assert_refused!(channel.send(b"?").await, ChannelError::Record(RecordError::NotAuthentic));
}
