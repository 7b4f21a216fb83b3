//! A bad line: whatever is sent over it comes late and in single bytes, and connections break in the middle.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::hosts::Host;
use crate::program::PATIENCE;

/// How late things come at most, in milliseconds.
const LATEST: u64 = 8;

/// Numbers that look random and come again with the same seed (splitmix64).
pub(crate) struct Random(u64);

impl Random {
    /// A seed of this run, or the one to repeat; either is told.
    pub(crate) fn seeded() -> Self {
        let seed = std::env::var("FERNWIRE_SEED").ok().map(|seed| seed.parse().unwrap());
        let seed = seed.unwrap_or_else(|| u64::from(getrandom::u32().unwrap()));
        println!("FERNWIRE_SEED={seed}");
        Self(seed)
    }

    /// Less than the bound.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// Where each connection breaks: after so many bytes, of both directions together.
pub(crate) struct Breaks {
    /// The first is always long enough for a session to begin.
    pub(crate) first: u64,
    /// Of those after it the bound, and how many there are. Any other lasts.
    pub(crate) then: (u64, usize),
}

/// A relay at a port of one of the hosts, which passes on to another. It is gone when it is dropped.
pub(crate) struct BadLine {
    broken: Arc<AtomicUsize>,
    planned: usize,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl BadLine {
    pub(crate) fn before(target: SocketAddr, host: &Host, port: u16, breaks: &Breaks, random: &mut Random) -> Self {
        let (bound, count) = breaks.then;
        let lengths: Vec<_> = [breaks.first].into_iter().chain((0..count).map(|_| 1 + random.below(bound))).collect();
        println!("port {port} breaks after {lengths:?} bytes");
        let plan = Plan { lengths, broken: Arc::default(), random: Random(random.below(u64::MAX)) };
        let (broken, planned) = (plan.broken.clone(), plan.lengths.len());
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = mpsc::channel();
        let (enter, near) = (host.entrance(), SocketAddr::new(target.ip(), port));
        let thread = std::thread::spawn(move || {
            enter();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind(near).await.unwrap();
                ready.send(()).unwrap();
                tokio::select! {
                    () = relay(listener, target, plan) => {}
                    _ = stopped => {}
                }
            });
        });
        is_ready.recv_timeout(PATIENCE).unwrap();
        Self { broken, planned, stop: Some(stop), thread: Some(thread) }
    }

    /// Whether every connection that was to break has broken, so that the next lasts.
    pub(crate) fn is_good(&self) -> bool {
        self.broken.load(Ordering::SeqCst) == self.planned
    }
}

impl Drop for BadLine {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking(), "the relay has panicked");
    }
}

struct Plan {
    lengths: Vec<u64>,
    broken: Arc<AtomicUsize>,
    random: Random,
}

async fn relay(listener: TcpListener, target: SocketAddr, mut plan: Plan) {
    let mut lengths = std::mem::take(&mut plan.lengths).into_iter();
    while let Ok((near, _)) = listener.accept().await {
        let length = lengths.next();
        let ends = if plan.random.below(2) == 0 { Ending::Closed } else { Ending::Reset };
        let random = [Random(plan.random.below(u64::MAX)), Random(plan.random.below(u64::MAX))];
        let broken = plan.broken.clone();
        tokio::spawn(async move {
            let far = TcpStream::connect(target).await.unwrap();
            let was_cut = carry(near, far, length.unwrap_or(u64::MAX), ends, random).await;
            // One that its ends have closed before is over, too.
            if was_cut || length.is_some() {
                broken.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
}

/// How a broken connection looks to its ends.
#[derive(Clone, Copy, PartialEq)]
enum Ending {
    Closed,
    Reset,
}

/// Carries bytes both ways; whether it has broken the connection, and was not told to end it.
async fn carry(near: TcpStream, far: TcpStream, length: u64, ends: Ending, random: [Random; 2]) -> bool {
    for stream in [&near, &far] {
        stream.set_nodelay(true).unwrap();
    }
    let ((near_read, mut near_write), (far_read, mut far_write)) = (near.into_split(), far.into_split());
    let left = AtomicU64::new(length);
    let [up, down] = random;
    let was_cut = tokio::select! {
        was_cut = copy(near_read, &mut far_write, &left, up) => was_cut,
        was_cut = copy(far_read, &mut near_write, &left, down) => was_cut,
    };
    if was_cut && ends == Ending::Reset {
        near_write.as_ref().set_zero_linger().unwrap();
        far_write.as_ref().set_zero_linger().unwrap();
    }
    was_cut
}

/// Copies bytes, late and one by one, until none are left to carry or the stream ends; whether it is the former.
async fn copy(mut from: OwnedReadHalf, to: &mut OwnedWriteHalf, left: &AtomicU64, mut random: Random) -> bool {
    let mut buffer = [0; 4096];
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else { return false };
        tokio::time::sleep(Duration::from_millis(1 + random.below(LATEST))).await;
        for byte in &buffer[..count] {
            if left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err() {
                return true;
            }
            if to.write_all(&[*byte]).await.is_err() {
                return false;
            }
        }
    }
}
