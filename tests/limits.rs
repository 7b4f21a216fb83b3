//! What a server puts up with from those who stall, flood, idle or read slowly, and that others never notice.
//!
//! Over memory with a paused clock, so that hours pass at once; over TCP where real sockets matter.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{Bed, DEADLINE, all, count};
use fernwire::channel::handshake::{Entropy, Initiator};
use fernwire::channel::mode::KeyMode;
use fernwire::channel::record::{RecordType, Stamp};
use fernwire::channel::{CloseReason, MAX_MESSAGE, Sender, Settings};
use fernwire::client::CallError;
use fernwire::config::Limits;
use fernwire::model::name::RoomName;
use fernwire::model::password::Password;
use fernwire::protocol::account::AccountRequest;
use fernwire::protocol::chat::{ChatReply, ChatRequest, Style};
use fernwire::protocol::codec::{Decoded, decode_server, encode};
use fernwire::protocol::query::QueryRequest;
use fernwire::protocol::{ClientMessage, MAX_ERROR_TEXT, MAX_IN_FLIGHT, Reply, Request, STREAM_CREDIT, ServerMessage};
use fernwire::server::{GOODBYE_TIME, Server};
use fernwire::transport::endpoint::Endpoint;
use fernwire::transport::{self, BoxFuture, ByteStream, Incoming, Listener};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};

/// The first bytes of a ClientHello of 100 bytes.
const HELLO_START: [u8; 12] = *b"\x01\x00\x64FERNWIRE\x01";

async fn raw(bed: &Bed) -> Box<dyn ByteStream> {
    transport::dial(&bed.endpoint, &Default::default()).await.unwrap().io
}

/// When the server ends the stream; what it says before does not matter.
async fn ended(io: &mut Box<dyn ByteStream>) -> Duration {
    let start = Instant::now();
    let mut rest = Vec::new();
    let _ = io.read_to_end(&mut rest).await;
    start.elapsed()
}

fn limits(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}

#[tokio::test]
async fn two_hundred_stalled_connections_delay_nobody() {
    let bed = Bed::start("tcp", KeyMode::X25519).await;
    let mut stalled = Vec::new();
    for i in 0..200 {
        let mut io = raw(&bed).await;
        // Some say nothing, some stop in the middle.
        io.write_all(&HELLO_START[..i % HELLO_START.len()]).await.unwrap();
        stalled.push(io);
    }
    let client = bed.client().await;
    assert_eq!(count(&client, "SetA-One").await, 1);
    client.close().await.unwrap();
    drop(stalled);
    bed.stop().await;
}

#[tokio::test(start_paused = true)]
async fn silence_and_a_byte_a_second_end_at_the_same_deadline() {
    let bed = Bed::start("memory", KeyMode::X25519).await;
    let timeout = Limits::default().handshake_timeout;
    assert_eq!(ended(&mut raw(&bed).await).await, timeout);

    let (mut read, mut write) = tokio::io::split(raw(&bed).await);
    let start = Instant::now();
    let dripping = async {
        for byte in HELLO_START.into_iter().cycle() {
            sleep(Duration::from_secs(1)).await;
            if write.write_all(&[byte]).await.is_err() {
                break;
            }
        }
    };
    let mut rest = Vec::new();
    tokio::select! {
        () = dripping => {}
        _ = read.read_to_end(&mut rest) => {}
    }
    assert_eq!(start.elapsed(), timeout);
    bed.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_oldest_pending_connection_gives_way_to_a_newcomer() {
    let limits = limits(|limits| limits.max_pending_per_source = 2);
    let bed = Bed::with("memory", KeyMode::X25519, limits, Settings::default()).await;
    let mut first = raw(&bed).await;
    let mut second = raw(&bed).await;
    // Nobody has to wait for anything but the newcomer.
    let newcomer = bed.client().await;
    assert_eq!(ended(&mut first).await, Duration::ZERO);
    assert_eq!(count(&newcomer, "SetA-One").await, 1);
    assert!(ended(&mut second).await > Duration::ZERO);
    newcomer.close().await.unwrap();
    bed.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_address_has_so_many_anonymous_sessions_and_any_number_of_proven_ones() {
    let limits = limits(|limits| limits.max_anonymous_per_source = 2);
    let bed = Bed::with("memory", KeyMode::X25519, limits, Settings::default()).await;
    let admitted = [bed.client().await, bed.client().await];
    // A client has its session before the server has admitted it; once it is answered, it is.
    for client in &admitted {
        assert_eq!(count(client, "SetA-One").await, 1);
    }
    let refused = all(bed.client().await.query("SetA-One")).await.unwrap_err();
    assert!(matches!(&refused, CallError::Closed(close) if close.reason == CloseReason::TooMany), "{refused:?}");
    for client in admitted {
        assert_eq!(count(&client, "SetA-One").await, 1);
        client.close().await.unwrap();
    }
    assert_eq!(count(&bed.client().await, "SetA-One").await, 1);
    bed.stop().await;

    let bed = Bed::with("memory", KeyMode::Psk, limits, Settings::default()).await;
    let proven = [bed.client().await, bed.client().await, bed.client().await];
    for client in proven {
        assert_eq!(count(&client, "SetA-One").await, 1);
    }
    bed.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_has_proven_nothing_and_asks_nothing_is_sent_home() {
    let bed = Bed::start("memory", KeyMode::X25519).await;
    let client = bed.client().await;
    let almost = Limits::default().anonymous_idle_timeout - Duration::from_secs(1);
    sleep(almost).await;
    assert_eq!(count(&client, "SetA-One").await, 1);
    sleep(almost).await;
    assert!(!client.is_closed(), "asking has not reset the clock");
    sleep(Duration::from_secs(2)).await;
    let error = all(client.query("SetA-One")).await.unwrap_err();
    assert!(matches!(&error, CallError::Closed(close) if close.reason == CloseReason::Idle), "{error:?}");
    bed.stop().await;

    let bed = Bed::start("memory", KeyMode::X25519Psk).await;
    let client = bed.client().await;
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(count(&client, "SetA-One").await, 1);
    client.close().await.unwrap();
    bed.stop().await;
}

#[tokio::test(start_paused = true)]
async fn replies_wait_for_credit() {
    let limits = limits(|limits| limits.max_sessions = 1);
    let bed = Bed::with("memory", KeyMode::Psk, limits, Settings::default()).await;
    let mut channel = bed.channel().await;
    let request = Request::Query(QueryRequest { query: "Many-Many".into() });
    channel.send(&encode(&ClientMessage::Request { id: 1, request })).await.unwrap();
    let mut got = 0;
    while let Ok(message) = timeout(Duration::from_secs(10), channel.recv()).await {
        got += message.unwrap().unwrap().len() as u64;
    }
    assert!((STREAM_CREDIT..STREAM_CREDIT + 1000).contains(&got), "{got}");
    // Credit beyond what a stream may have is not kept.
    channel.send(&encode(&ClientMessage::Credit { id: 1, bytes: 1 << 40 })).await.unwrap();
    let mut more = 0;
    while let Ok(message) = timeout(Duration::from_secs(10), channel.recv()).await {
        let message = message.unwrap().unwrap();
        more += message.len() as u64;
        assert!(matches!(decode_server(message), Ok(Decoded::Message(ServerMessage::Reply { id: 1, .. }))));
    }
    assert!((STREAM_CREDIT - 1000..STREAM_CREDIT + 1000).contains(&more), "{more}");
    // Who leaves without taking the rest is let go, and takes nobody's place for long.
    channel.close(CloseReason::Done, "").await.unwrap();
    sleep(Settings::default().keepalive.dead_after).await;

    // A client that consumes gives credit by itself.
    let client = bed.client().await;
    assert_eq!(count(&client, "Many-Many").await, common::MANY as usize);
    client.close().await.unwrap();
    bed.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_asks_and_does_not_read_loses_the_place_after_a_minute() {
    let limits = limits(|limits| limits.max_sessions = 1);
    let bed = Bed::with("memory", KeyMode::Psk, limits, Settings::default()).await;
    let (mut deaf, _unread) = bed.channel().await.split();
    let request = Request::Query(QueryRequest { query: "Many-Many".into() });
    deaf.send(&encode(&ClientMessage::Request { id: 1, request })).await.unwrap();
    // It shows that it lives and reads nothing. The replies fill the pipe within this time; then the minute begins.
    let alive = async |deaf: &mut Sender<_>, seconds| {
        for _ in 0..seconds / 10 {
            let _ = deaf.send(&encode(&ClientMessage::Cancel { id: 99 })).await;
            sleep(Duration::from_secs(10)).await;
        }
    };
    alive(&mut deaf, 60).await;
    let refused = all(bed.client().await.query("SetA-One")).await.unwrap_err();
    assert!(matches!(&refused, CallError::Closed(close) if close.reason == CloseReason::TooMany), "{refused:?}");
    alive(&mut deaf, 30).await;
    assert_eq!(count(&bed.client().await, "SetA-One").await, 1);
    drop(deaf);
    bed.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_stopping_server_finishes_for_ten_seconds_and_not_longer() {
    let bed = Bed::start("memory", KeyMode::Psk).await;
    let client = bed.client().await;
    let mut replies = client.query("Many-Many");
    replies.next().await.unwrap().unwrap();
    let start = Instant::now();
    let (error, ()) = tokio::join!(all(replies), bed.stop());
    let drain = Limits::default().drain_timeout;
    assert!((drain..=drain + GOODBYE_TIME).contains(&start.elapsed()), "{:?}", start.elapsed());
    assert!(matches!(error, Err(CallError::Closed(close)) if close.reason == CloseReason::GoingAway));
}

#[tokio::test(start_paused = true)]
async fn a_long_name_in_a_bad_request_holds_nothing_up() {
    let limits = limits(|limits| limits.max_sessions = 1);
    let bed = Bed::with("memory", KeyMode::Psk, limits, Settings::default()).await;
    let mut channel = bed.channel().await;
    let request = |id, service: &str, body: &str| {
        format!("\0{{\"type\":\"request\",\"id\":{id},\"service\":\"{service}\",\"body\":\"{body}\"}}")
    };
    // What the server would say of each, quoted in full, is longer than a message may be.
    let requests =
        [request(1, &"x".repeat(MAX_MESSAGE - 100), ""), request(2, "query", &"\u{301}".repeat(MAX_MESSAGE / 2 - 100))];
    for request in requests {
        channel.send(request.as_bytes()).await.unwrap();
        let answer = timeout(DEADLINE, channel.recv()).await.expect("an answer").unwrap().unwrap();
        let Ok(Decoded::Message(ServerMessage::Error { error, .. })) = decode_server(answer) else { panic!() };
        assert!(error.message.len() <= MAX_ERROR_TEXT, "{}", error.message.len());
    }
    channel.close(CloseReason::Done, "").await.unwrap();
    let client = bed.client().await;
    assert_eq!(count(&client, "SetA-One").await, 1);
    client.close().await.unwrap();
    bed.stop().await;
}

/// A client that pings until what the server answers is stuck, reads none of it, and then breaks the protocol.
async fn stuck(bed: &Bed) -> Box<dyn ByteStream> {
    let mut io = raw(bed).await;
    let (initiator, hello) = Initiator::start(bed.offer(), Entropy::from_system().unwrap());
    io.write_all(&hello).await.unwrap();
    let received = initiator.read_server_hello(&frame(&mut io).await).unwrap();
    let verified = received.read_server_finished(&frame(&mut io).await).unwrap();
    let (mut flight, mut established) = verified.finish();
    for number in 0..2000u64 {
        let stamp = Stamp { time: 0, iv: u128::from(number).to_be_bytes() };
        established.sealer.seal(RecordType::Ping, false, &[], stamp, &mut flight);
    }
    established.sealer.seal(RecordType::Data, false, b"nonsense", Stamp { time: 0, iv: [7; 16] }, &mut flight);
    io.write_all(&flight).await.unwrap();
    io
}

async fn frame(io: &mut Box<dyn ByteStream>) -> Vec<u8> {
    let mut frame = vec![0; 3];
    io.read_exact(&mut frame).await.unwrap();
    frame.resize(3 + usize::from(u16::from_be_bytes([frame[1], frame[2]])), 0);
    io.read_exact(&mut frame[3..]).await.unwrap();
    frame
}

#[tokio::test(start_paused = true)]
async fn who_reads_nothing_cannot_hold_a_place_by_it() {
    let limits = limits(|limits| limits.max_sessions = 1);
    let bed = Bed::with("memory", KeyMode::X25519, limits, Settings::default()).await;
    let held_open = stuck(&bed).await;
    sleep(Duration::from_secs(300)).await;
    let client = bed.client().await;
    assert_eq!(count(&client, "SetA-One").await, 1);
    client.close().await.unwrap();
    drop(held_open);
    bed.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_has_stopped_has_cut_its_sessions() {
    let bed = Bed::start("memory", KeyMode::X25519).await;
    let mut held_open = stuck(&bed).await;
    sleep(Duration::from_secs(1)).await;
    bed.stop().await;
    assert_eq!(ended(&mut held_open).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_does_not_make_a_stopping_server_wait_longer() {
    let bed = Bed::start("memory", KeyMode::Psk).await;
    let client = bed.client().await;
    let mut replies = client.query("Many-Many");
    replies.next().await.unwrap().unwrap();
    let start = Instant::now();
    let leaving = async {
        sleep(Duration::from_secs(1)).await;
        client.close().await
    };
    let (left, ()) = tokio::join!(leaving, bed.stop());
    assert!(matches!(left, Ok(())), "{left:?}");
    assert!(start.elapsed() <= Limits::default().drain_timeout, "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_request_that_has_ended_is_no_longer_under_way() {
    let bed = Bed::start("tcp", KeyMode::Psk).await;
    let mut channel = bed.channel().await;
    let ask = |id| {
        let request = Request::Query(QueryRequest { query: "SetZ-Unknown".into() });
        encode(&ClientMessage::Request { id, request })
    };
    let mut last_id = MAX_IN_FLIGHT as u64;
    for id in 1..=last_id {
        channel.send(&ask(id)).await.unwrap();
    }
    while last_id < 5000 {
        let message = timeout(DEADLINE, channel.recv()).await.unwrap().unwrap().unwrap();
        match decode_server(message) {
            Ok(Decoded::Message(ServerMessage::End { .. })) => {
                last_id += 1;
                channel.send(&ask(last_id)).await.unwrap();
            }
            Ok(Decoded::Message(ServerMessage::Error { error, .. })) => panic!("after {last_id}: {error}"),
            _ => {}
        }
    }
    channel.close(CloseReason::Done, "").await.unwrap();
    bed.stop().await;
}

/// Fails a few times before it accepts, as a listener does that has run out of descriptors.
struct Flaky {
    inner: Box<dyn Listener>,
    failures: u32,
}

impl Listener for Flaky {
    fn accept(&mut self) -> BoxFuture<'_, std::io::Result<Incoming>> {
        match self.failures.checked_sub(1) {
            Some(left) => {
                self.failures = left;
                Box::pin(async { Err(std::io::Error::other("too many open files")) })
            }
            None => self.inner.accept(),
        }
    }

    fn local(&self) -> &Endpoint {
        self.inner.local()
    }
}

#[tokio::test(start_paused = true)]
async fn accept_errors_are_survived() {
    let bed = Bed::behind(KeyMode::X25519, |inner| Box::new(Flaky { inner, failures: 12 })).await;
    let start = Instant::now();
    let client = timeout(DEADLINE, bed.client()).await.unwrap();
    assert_eq!(count(&client, "SetA-One").await, 1);
    // It rested between the tries instead of spinning, and not for longer than a second each.
    assert!((Duration::from_secs(1)..Duration::from_secs(12)).contains(&start.elapsed()), "{:?}", start.elapsed());
    client.close().await.unwrap();
    bed.stop().await;
}

#[test]
fn a_server_can_be_sent_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<Server>();
}

#[tokio::test]
async fn who_only_listens_does_not_hold_up_a_stop() {
    let limits = limits(|limits| limits.drain_timeout = Duration::from_secs(3600));
    let bed = Bed::with("tcp", KeyMode::X25519, limits, Settings::default()).await;
    let client = bed.client().await;
    client.signup(&"ada".parse().unwrap(), &Password::new("Correct-1-horse")).await.unwrap();
    let mut events = client.chat(ChatRequest::Listen { resume: Vec::new() });
    assert_eq!(timeout(DEADLINE, events.next()).await.unwrap().unwrap(), Some(ChatReply::Ready));
    bed.stop().await;
    let end = timeout(DEADLINE, events.next()).await.unwrap();
    assert!(matches!(&end, Err(CallError::Closed(close)) if close.reason == CloseReason::GoingAway), "{end:?}");
}

#[tokio::test]
async fn who_does_not_read_the_chat_is_closed_with_the_reason_and_delays_nobody() {
    let bed = Bed::start("tcp", KeyMode::Psk).await;
    let password = Password::new("Correct-1-horse");
    let enter = async |name: &str| {
        let client = bed.client().await;
        client.signup(&name.parse().unwrap(), &password).await.unwrap();
        let mut joined = client.chat(ChatRequest::Join { room: RoomName::lobby() });
        while joined.next().await.unwrap().is_some() {}
        client
    };
    // A bare channel, which gives no credit and reads nothing.
    let mut slow = bed.channel().await;
    let name = "slow".parse().unwrap();
    let asked = [
        Request::Account(AccountRequest::Signup { name, password: password.clone() }),
        Request::Chat(ChatRequest::Join { room: RoomName::lobby() }),
        Request::Chat(ChatRequest::Listen { resume: Vec::new() }),
    ];
    for (id, request) in (1..).zip(asked) {
        slow.send(&encode(&ClientMessage::Request { id, request })).await.unwrap();
        // Until it is answered; the last one, until it is up to date.
        loop {
            let message = timeout(DEADLINE, slow.recv()).await.unwrap().unwrap().unwrap();
            match decode_server(message) {
                Ok(Decoded::Message(ServerMessage::End { .. })) => break,
                Ok(Decoded::Message(ServerMessage::Reply { reply: Reply::Chat(ChatReply::Ready), .. })) => break,
                Ok(Decoded::Message(ServerMessage::Reply { .. })) => {}
                other => panic!("{other:?}"),
            }
        }
    }
    let listener = enter("ada").await;
    let mut events = listener.chat(ChatRequest::Listen { resume: Vec::new() });
    // More than the credit and the queue together hold, said by so many that nobody is slowed down for it.
    let speaking = async {
        for number in 0..8 {
            let speaker = enter(&format!("speaker{number}")).await;
            for part in 0..5 {
                let (to, text) = (RoomName::lobby().into(), "x".repeat(60_000));
                let post = ChatRequest::Post { to, post_id: format!("p{part}"), style: Style::Text, text };
                let mut posted = speaker.chat(post);
                while posted.next().await.unwrap().is_some() {}
            }
        }
    };
    let hearing = async {
        let mut heard = 0;
        while heard < 40 {
            let event = timeout(DEADLINE, events.next()).await.unwrap().unwrap().unwrap();
            heard += usize::from(matches!(event, ChatReply::Entry { .. }));
        }
    };
    tokio::join!(speaking, hearing);
    let reading = async { while slow.recv().await.unwrap().is_some() {} };
    timeout(DEADLINE, reading).await.unwrap();
    let close = slow.peer_close().unwrap();
    assert!(close.reason == CloseReason::TooSlow && close.text.contains("resume"), "{close:?}");
    drop(events);
    bed.stop().await;
}
