//! What the channel costs, always as a ratio to something real that is measured in the same run.
//!
//! `cargo bench` (or `make bench`). Each figure is the best of several rounds, since noise only ever adds time; the two
//! sides of a ratio take turns.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use fernwire::certs::Authority;
use fernwire::channel::handshake::{Entropy, Established, Initiator, Offer, Policy, Responder};
use fernwire::channel::record::{RecordType, Stamp};
use fernwire::channel::{self, CloseReason, Settings};
use fernwire::keys::{IdentityKey, SecretKey};
use fernwire::transport::endpoint::Endpoint;
use fernwire::transport::tls::{Roots, ServerCertificate};
use fernwire::transport::{self, ByteStream, DialOptions, ListenOptions, Listener};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use x25519_dalek::{PublicKey, StaticSecret};

const ROUNDS: usize = 15;

fn main() {
    println!("records: Fernwire's sealing in place, against the fernet crate (base64 and a new buffer for each token)");
    for size in [64, 1024, 16 * 1024, 65_000] {
        records(size);
    }
    println!("\nhandshake: both sides without I/O, against the X25519 operations that it cannot do without");
    handshakes();
    println!("\nstream: 256 MiB in messages over loopback TCP, against the same bytes in plain");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for size in [1024, 64 * 1024, 1 << 20] {
        runtime.block_on(streams(size));
    }
    println!("\ntls: the same session over tls://, against tcp://");
    runtime.block_on(over_tls());
}

/// The best time of one run each of `ours` and `theirs`, over rounds in which they take turns.
fn compare(mut ours: impl FnMut(), mut theirs: impl FnMut()) -> (Duration, Duration) {
    let time = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    let (mut best_ours, mut best_theirs) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        best_ours = best_ours.min(time(&mut ours));
        best_theirs = best_theirs.min(time(&mut theirs));
    }
    (best_ours, best_theirs)
}

fn ratio(ours: Duration, theirs: Duration) -> f64 {
    theirs.as_secs_f64() / ours.as_secs_f64()
}

fn records(size: usize) {
    let runs = (8 << 20) / (size + 256);
    let payload = vec![7; size];
    let fernet = fernet::Fernet::new(&fernet::Fernet::generate_key()).unwrap();
    let (mut client, _) = established();
    let mut out = Vec::new();
    let mut seal = |out: &mut Vec<u8>| {
        out.clear();
        let mut iv = [0; 16];
        getrandom::fill(&mut iv).unwrap();
        client.sealer.seal(RecordType::Data, false, &payload, Stamp { time: 0, iv }, out);
    };
    let (ours, theirs) = compare(
        || (0..runs).for_each(|_| seal(black_box(&mut out))),
        || (0..runs).for_each(|_| drop(black_box(fernet.encrypt(&payload)))),
    );
    print_records("seal", size, runs, ours, theirs);

    // A fresh session and its records for each round: an opener takes each record once.
    let token = fernet.encrypt(&payload);
    let mut rounds: Vec<_> = (0..ROUNDS)
        .map(|_| {
            let (mut client, server) = established();
            let mut frames = Vec::new();
            for _ in 0..runs {
                client.sealer.seal(RecordType::Data, false, &payload, Stamp { time: 0, iv: [1; 16] }, &mut frames);
            }
            (frames, server.opener)
        })
        .collect();
    let (ours, theirs) = compare(
        || {
            let (mut frames, mut opener) = rounds.pop().unwrap();
            let length = frames.len() / runs;
            for frame in frames.chunks_exact_mut(length) {
                black_box(opener.open(&mut frame[4..]).unwrap());
            }
        },
        || (0..runs).for_each(|_| drop(black_box(fernet.decrypt(&token).unwrap()))),
    );
    print_records("open", size, runs, ours, theirs);
}

fn print_records(what: &str, size: usize, runs: usize, ours: Duration, theirs: Duration) {
    let nanos = |time: Duration| time.as_nanos() / runs as u128;
    let rate = (size * runs) as f64 / ours.as_secs_f64() / 1e6;
    println!(
        "  {what} {size:>6} B   {:>7} ns, {rate:>6.0} MB/s   fernet crate {:>7} ns   {:.2} times as fast",
        nanos(ours),
        nanos(theirs),
        ratio(ours, theirs)
    );
}

/// Both ends of a session, without I/O.
fn established() -> (Established, Established) {
    let (policy, offer) = x25519_psk();
    handshake(policy, offer)
}

fn x25519_psk() -> (Policy, Offer) {
    let secret_key = SecretKey::generate();
    let identity = IdentityKey::generate().unwrap();
    let modes = "x25519+psk".parse().unwrap();
    (
        Policy::new(modes, Some(identity), Some(secret_key.clone())).unwrap(),
        Offer::new(modes, Some(secret_key)).unwrap(),
    )
}

fn handshake(policy: Policy, offer: Offer) -> (Established, Established) {
    let (initiator, hello) = Initiator::start(offer, Entropy::from_system().unwrap());
    let (responder, flight) =
        Responder::new(policy, Entropy::from_system().unwrap()).read_client_hello(&hello).unwrap();
    let (hello, finished) = flight.split_at(3 + usize::from(u16::from_be_bytes([flight[1], flight[2]])));
    let verified = initiator.read_server_hello(hello).unwrap().read_server_finished(finished).unwrap();
    let (finished, client) = verified.finish();
    (client, responder.read_client_finished(&finished).unwrap())
}

fn handshakes() {
    let (policy, offer) = x25519_psk();
    let (secret, public) = (StaticSecret::from([7; 32]), PublicKey::from(&StaticSecret::from([9; 32])));
    // Two ephemeral key pairs are made, and each side agrees twice.
    let curve = || {
        for seed in [1, 2] {
            black_box(PublicKey::from(&StaticSecret::from(black_box([seed; 32]))));
        }
        for _ in 0..4 {
            black_box(secret.diffie_hellman(black_box(&public)));
        }
    };
    let runs = 200;
    let (ours, theirs) = compare(
        || (0..runs).for_each(|_| drop(black_box(handshake(policy.clone(), offer.clone())))),
        || (0..runs).for_each(|_| curve()),
    );
    let micros = |time: Duration| time.as_micros() / runs;
    println!(
        "  x25519+psk   {} us for both sides   X25519 alone {} us   {:.2} of the time is not X25519",
        micros(ours),
        micros(theirs),
        1.0 - theirs.as_secs_f64() / ours.as_secs_f64()
    );
}

const TOTAL: usize = 256 << 20;

async fn streams(size: usize) {
    let tcp = Place::listen("tcp").await;
    let (mut ours, mut theirs) = (Duration::MAX, Duration::MAX);
    for _ in 0..3 {
        ours = ours.min(sealed(&tcp, size, TOTAL / size).await);
        theirs = theirs.min(plain(size, TOTAL / size).await);
    }
    println!(
        "  {size:>7} B a message   {:>5.0} MB/s   plain TCP {:>5.0} MB/s   {:.2} of its speed",
        rate(ours),
        rate(theirs),
        ratio(ours, theirs)
    );
}

fn rate(time: Duration) -> f64 {
    TOTAL as f64 / time.as_secs_f64() / 1e6
}

async fn over_tls() {
    let (tls, tcp) = (Place::listen("tls").await, Place::listen("tcp").await);
    let (size, sessions) = (64 * 1024, 100);
    let mut best = [Duration::MAX; 4];
    for _ in 0..3 {
        let times = [
            sealed(&tls, size, TOTAL / size).await,
            sealed(&tcp, size, TOTAL / size).await,
            opened(&tls, sessions).await,
            opened(&tcp, sessions).await,
        ];
        best.iter_mut().zip(times).for_each(|(best, time)| *best = time.min(*best));
    }
    let [stream_tls, stream_tcp, open_tls, open_tcp] = best;
    let (tls, tcp) = (rate(stream_tls), rate(stream_tcp));
    println!("  {size:>7} B a message   {tls:>5.0} MB/s   tcp {tcp:>5.0} MB/s   {:.2} of its speed", tls / tcp);
    let micros = |time: Duration| time.as_micros() / u128::from(sessions);
    println!(
        "  a session, from dialling to open   {} us   tcp {} us   {:.1} times as long",
        micros(open_tls),
        micros(open_tcp),
        open_tls.as_secs_f64() / open_tcp.as_secs_f64()
    );
}

/// Where a server listens, and how it is dialled; a certificate is verified.
struct Place {
    listener: Mutex<Box<dyn Listener>>,
    endpoint: Endpoint,
    options: DialOptions,
}

impl Place {
    async fn listen(scheme: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [ca, ca_key, cert, key] =
            ["ca.pem", "ca-key.pem", "server.pem", "server-key.pem"].map(|name| folder.path().join(name));
        let authority = Authority::generate().unwrap();
        authority.pem().save(&ca, &ca_key).unwrap();
        authority.issue(&["127.0.0.1".parse().unwrap()]).unwrap().save(&cert, &key).unwrap();
        let certificate = Some(ServerCertificate::load(&cert, &key).unwrap());
        let endpoint = format!("{scheme}://127.0.0.1:0").parse().unwrap();
        let listener = transport::listen(&endpoint, &ListenOptions { certificate }).await.unwrap();
        let options = DialOptions { roots: Roots::with_file(&ca).unwrap(), ..DialOptions::default() };
        Self { endpoint: listener.local().clone(), listener: Mutex::new(listener), options }
    }

    async fn pair(&self) -> (Box<dyn ByteStream>, Box<dyn ByteStream>) {
        let accepting = async {
            let incoming = self.listener.lock().await.accept().await.unwrap();
            incoming.upgrade.await.unwrap().io
        };
        let (near, far) = tokio::join!(transport::dial(&self.endpoint, &self.options), accepting);
        (near.unwrap().io, far)
    }
}

async fn opened(place: &Place, sessions: u32) -> Duration {
    let start = Instant::now();
    for _ in 0..sessions {
        let (near, far) = place.pair().await;
        let (policy, offer) = x25519_psk();
        let mut accepted = tokio::spawn(channel::accept(far, policy, Settings::default()));
        let client = channel::connect(near, offer, Settings::default()).await.unwrap().trust();
        let closing = client.close(CloseReason::Done, "");
        let (closed, accepted) = tokio::join!(closing, async {
            let mut server = (&mut accepted).await.unwrap().unwrap();
            assert_eq!(server.recv().await.unwrap(), None);
            server.close(CloseReason::Done, "").await
        });
        closed.and(accepted).unwrap();
    }
    start.elapsed()
}

async fn sealed(place: &Place, size: usize, count: usize) -> Duration {
    let (near, far) = place.pair().await;
    let (policy, offer) = x25519_psk();
    // Accepted in a task of its own, since the client's last handshake frame comes with its first message.
    let receiver = tokio::spawn(channel::accept(far, policy, Settings::default()));
    let mut sender = channel::connect(near, offer, Settings::default()).await.unwrap().trust();
    let message = vec![7; size];
    let start = Instant::now();
    let receiving = tokio::spawn(async move {
        let mut receiver = receiver.await.unwrap().unwrap();
        let mut received = 0;
        while let Some(message) = receiver.recv().await.unwrap() {
            received += message.len();
        }
        receiver.close(CloseReason::Done, "").await.unwrap();
        received
    });
    for _ in 0..count {
        sender.send(&message).await.unwrap();
    }
    sender.close(CloseReason::Done, "").await.unwrap();
    assert_eq!(receiving.await.unwrap(), size * count);
    start.elapsed()
}

async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    let (near, far) = (near.unwrap(), far.unwrap().0);
    near.set_nodelay(true).unwrap();
    (near, far)
}

async fn plain(size: usize, count: usize) -> Duration {
    let (mut near, mut far) = tcp_pair().await;
    let message = vec![7; size];
    let start = Instant::now();
    let receiving = tokio::spawn(async move {
        let mut buffer = vec![0; 64 * 1024];
        let mut received = 0;
        while let read @ 1.. = far.read(&mut buffer).await.unwrap() {
            received += read;
        }
        received
    });
    for _ in 0..count {
        near.write_all(&message).await.unwrap();
    }
    drop(near);
    assert_eq!(receiving.await.unwrap(), size * count);
    start.elapsed()
}
