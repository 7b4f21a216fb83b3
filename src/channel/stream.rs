//! A [`Channel`] over a byte stream: whole messages, keepalive, rekeying, orderly close, and two halves.
//!
//! Both halves share one state. Sealing takes a sequence number and appends to the outbound buffer in one synchronous
//! step, so that a dropped `send` has queued its message whole or not at all; whichever half is polled flushes.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, timeout};

use super::error::ChannelError;
use super::handshake::{Established, KeyMode, Role};
use super::key_schedule::Exporter;
use super::record::{
    LENGTH, MAX_BYTES_PER_KEY, MAX_CLOSE_TEXT, MAX_PAYLOAD, MAX_RECORDS_PER_KEY, MAX_TOKEN, Opener, RecordError,
    RecordType, Sealer, Stamp,
};
use crate::model::PublicIdentity;

/// The longest message in bytes.
pub const MAX_MESSAGE: usize = 1 << 20;
/// The longest message in bytes that a server takes from a client that has proven nothing yet.
pub const MAX_UNPROVEN_MESSAGE: usize = 16 * 1024;
/// How long one key may be used for sending.
pub const KEY_LIFETIME: Duration = Duration::from_secs(3600);
/// How long a close waits for the peer's.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// The most bytes that wait to be written; one message may always be added to an empty buffer.
const MAX_OUTBOUND: usize = 2 * MAX_MESSAGE;
/// What the buffers are cut down to while nothing happens.
const IDLE_BUFFER: usize = 4096;
/// How many IVs are drawn from the operating system at a time.
const IV_BATCH: usize = 32;

/// How a channel behaves over time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings {
    /// Signs of life.
    pub keepalive: Keepalive,
    /// When this side changes its sending key.
    pub rekey: RekeyAfter,
}

/// When silence is questioned, and when it means death.
#[derive(Debug, Clone, Copy)]
pub struct Keepalive {
    /// Silence after which a ping is sent.
    pub ping_after: Duration,
    /// Silence after which the channel is dead.
    pub dead_after: Duration,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self { ping_after: Duration::from_secs(20), dead_after: Duration::from_secs(60) }
    }
}

/// What wears a sending key out, whichever comes first. More than the defaults has no effect.
#[derive(Debug, Clone, Copy)]
pub struct RekeyAfter {
    /// Records under one key.
    pub records: u64,
    /// Token bytes under one key.
    pub bytes: u64,
    /// Time since the key's first use.
    pub age: Duration,
}

impl Default for RekeyAfter {
    fn default() -> Self {
        Self { records: MAX_RECORDS_PER_KEY, bytes: MAX_BYTES_PER_KEY, age: KEY_LIFETIME }
    }
}

/// Why a direction was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum CloseReason {
    /// Everything is done.
    Done = 0,
    /// This end is going away: the server stops, or the program ends.
    GoingAway = 1,
    /// The peer broke the protocol above the channel.
    ProtocolError = 2,
    /// There are too many sessions.
    TooMany = 3,
    /// The peer reads too slowly.
    TooSlow = 4,
    /// Nothing was asked for too long.
    Idle = 5,
    /// An operator ended the session.
    Removed = 6,
    /// A reason of a later version.
    Other = 255,
}

impl CloseReason {
    fn from_code(code: u8) -> Self {
        let known =
            [Self::Done, Self::GoingAway, Self::ProtocolError, Self::TooMany, Self::TooSlow, Self::Idle, Self::Removed];
        known.into_iter().find(|reason| *reason as u8 == code).unwrap_or(Self::Other)
    }
}

/// The peer's goodbye.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// Why.
    pub reason: CloseReason,
    /// The same for a person; may be empty. Text from the peer: make control characters visible before showing it.
    pub text: String,
}

/// An established, authenticated, ordered channel of messages.
pub struct Channel<S> {
    sender: Sender<S>,
    receiver: Receiver<S>,
    mode: KeyMode,
    server_identity: Option<PublicIdentity>,
    session_id: [u8; 32],
    exporter: Exporter,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Channel<S> {
    /// `last_flight` is what the handshake still has to send.
    pub(super) fn new(io: S, established: Established, last_flight: Vec<u8>, settings: Settings) -> Self {
        let Established { role, mode, server_identity, session_id, exporter, sealer, opener } = established;
        // A client that has not proven secret.key is unproven until it logs in; both sides know it.
        let client_limit = if mode.needs_secret() { MAX_MESSAGE } else { MAX_UNPROVEN_MESSAGE };
        let (send_limit, receive_limit) = match role {
            Role::Initiator => (client_limit, MAX_MESSAGE),
            Role::Responder => (MAX_MESSAGE, client_limit),
        };
        let now = Instant::now();
        let wakers = Arc::new(Wakers::default());
        let shared = Arc::new(Mutex::new(State {
            io,
            settings,
            sealer,
            opener,
            outbound: last_flight,
            flushed: 0,
            inbound: Vec::new(),
            filled: 0,
            taken: 0,
            ivs: VecDeque::new(),
            key_since: now,
            heard: now,
            pinged: false,
            pong_ends: None,
            closed: false,
            peer_closed: None,
            failure: None,
            write_failure: None,
            write_waker: Waker::from(wakers.clone()),
            wakers,
        }));
        Self {
            sender: Sender { shared: shared.clone(), limit: send_limit },
            receiver: Receiver {
                shared,
                limit: receive_limit,
                message: Vec::new(),
                delivered: false,
                alarm: Box::pin(tokio::time::sleep(settings.keepalive.ping_after)),
            },
            mode,
            server_identity,
            session_id,
            exporter,
        }
    }

    /// The mode that was agreed on.
    pub fn mode(&self) -> KeyMode {
        self.mode
    }

    /// The server's identity, in the X25519 modes.
    pub fn server_identity(&self) -> Option<PublicIdentity> {
        self.server_identity
    }

    /// The session's id: the same on both sides, different for every session, no secret.
    pub fn session_id(&self) -> &[u8; 32] {
        &self.session_id
    }

    /// A secret that only the two ends share, for protocols on top.
    pub fn exporter(&self) -> &Exporter {
        &self.exporter
    }

    /// See [`Sender::send`].
    pub async fn send(&mut self, message: &[u8]) -> Result<(), ChannelError> {
        self.sender.send(message).await
    }

    /// See [`Receiver::recv`].
    pub async fn recv(&mut self) -> Result<Option<&[u8]>, ChannelError> {
        self.receiver.recv().await
    }

    /// The peer's goodbye, after `recv` has given `None`.
    pub fn peer_close(&self) -> Option<Close> {
        self.receiver.peer_close()
    }

    /// The client has proven itself above the channel: from now on its messages may have [`MAX_MESSAGE`] bytes.
    pub fn lift_message_limits(&mut self) {
        self.sender.limit = MAX_MESSAGE;
        self.receiver.limit = MAX_MESSAGE;
    }

    /// Two halves that can be used from two tasks.
    pub fn split(self) -> (Sender<S>, Receiver<S>) {
        (self.sender, self.receiver)
    }

    /// See [`finish`].
    pub async fn close(mut self, reason: CloseReason, text: &str) -> Result<(), ChannelError> {
        finish(&mut self.sender, &mut self.receiver, reason, text).await
    }
}

/// Ends the session in order: sends close if that has not been done, waits for the peer's, both within
/// [`DRAIN_TIMEOUT`], and shuts the stream down.
pub async fn finish<S: AsyncRead + AsyncWrite + Unpin>(
    sender: &mut Sender<S>,
    receiver: &mut Receiver<S>,
    reason: CloseReason,
    text: &str,
) -> Result<(), ChannelError> {
    sender.lock().queue_close(reason, text)?;
    let drain = async {
        // Receiving flushes as well: ends that only wrote could wait for each other.
        while receiver.recv().await?.is_some() {}
        sender.flush_close().await
    };
    let drained = timeout(DRAIN_TIMEOUT, drain).await;
    let shut = timeout(DRAIN_TIMEOUT, poll_fn(|cx| Pin::new(&mut sender.lock().io).poll_shutdown(cx))).await;
    match (drained, shut) {
        (Ok(Err(error)), _) => Err(error),
        (Err(_), Ok(Err(error))) => Err(error.into()),
        // A peer that has said goodbye may be gone before the shutdown; one that has not has had its time.
        _ => Ok(()),
    }
}

/// The sending half.
pub struct Sender<S> {
    shared: Arc<Mutex<State<S>>>,
    limit: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sender<S> {
    /// Sends one message and waits until it is with the transport.
    ///
    /// If the future is dropped before it is done, the message is queued whole or not at all; what is queued goes out
    /// with the next call on either half.
    pub async fn send(&mut self, message: &[u8]) -> Result<(), ChannelError> {
        if message.len() > self.limit {
            return Err(ChannelError::TooLongToSend { length: message.len(), limit: self.limit });
        }
        let records = message.len().div_ceil(MAX_PAYLOAD).max(1);
        let room = message.len() + records * (MAX_TOKEN - MAX_PAYLOAD + LENGTH);
        poll_fn(|cx| {
            let mut state = self.lock();
            state.wakers.register(SENDER, cx.waker());
            ready!(state.poll_room(room))?;
            // Half a message cannot be taken back, so a failure in the middle is the session's.
            Poll::Ready(state.queue_message(message).map_err(|error| state.fail(error)))
        })
        .await?;
        self.flush().await
    }

    /// Waits until everything that is queued is with the transport.
    pub async fn flush(&mut self) -> Result<(), ChannelError> {
        poll_fn(|cx| {
            let mut state = self.lock();
            state.wakers.register(SENDER, cx.waker());
            state.usable()?;
            state.poll_flush()
        })
        .await
    }

    /// Changes the sending key now; the message after it is the first under the new one.
    pub async fn rekey(&mut self) -> Result<(), ChannelError> {
        self.lock().queue_rekey()?;
        self.flush().await
    }

    /// Says goodbye and ends this direction; the peer may finish what it has to say. Doing it twice does nothing.
    pub async fn close(&mut self, reason: CloseReason, text: &str) -> Result<(), ChannelError> {
        self.lock().queue_close(reason, text)?;
        self.flush_close().await
    }

    /// Like [`Self::flush`], for a direction that is closed.
    async fn flush_close(&mut self) -> Result<(), ChannelError> {
        poll_fn(|cx| {
            let mut state = self.lock();
            state.wakers.register(SENDER, cx.waker());
            state.failure.clone().map_or(Ok(()), Err)?;
            state.poll_flush()
        })
        .await
    }

    /// See [`Channel::lift_message_limits`].
    pub fn lift_message_limit(&mut self) {
        self.limit = MAX_MESSAGE;
    }

    fn lock(&self) -> MutexGuard<'_, State<S>> {
        lock(&self.shared)
    }
}

/// The receiving half. Poll it: pings are answered and silence is noticed while somebody waits here.
pub struct Receiver<S> {
    shared: Arc<Mutex<State<S>>>,
    limit: usize,
    /// The message under construction, or the one last handed out.
    message: Vec<u8>,
    delivered: bool,
    alarm: Pin<Box<Sleep>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Receiver<S> {
    /// The next message, or `None` after the peer's close. Cancel-safe; the message is valid until the next call.
    pub async fn recv(&mut self) -> Result<Option<&[u8]>, ChannelError> {
        let arrived = poll_fn(|cx| self.poll_message(cx)).await?;
        Ok(arrived.then_some(&self.message[..]))
    }

    /// The peer's goodbye, after `recv` has given `None`.
    pub fn peer_close(&self) -> Option<Close> {
        lock(&self.shared).peer_closed.clone()
    }

    /// See [`Channel::lift_message_limits`].
    pub fn lift_message_limit(&mut self) {
        self.limit = MAX_MESSAGE;
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, ChannelError>> {
        let mut state = lock(&self.shared);
        state.wakers.register(RECEIVER, cx.waker());
        if std::mem::take(&mut self.delivered) {
            self.message.clear();
        }
        let result = loop {
            if let Some(failure) = &state.failure {
                break Err(failure.clone());
            }
            if state.peer_closed.is_some() {
                break Ok(false);
            }
            // A failure to write may only mean that the peer has gone; its goodbye may still be there to be read.
            let _ = state.poll_flush();
            match state.poll_record(cx, &mut self.message, self.limit) {
                Poll::Ready(Ok(Step::Message)) => break Ok(true),
                Poll::Ready(Ok(Step::Other)) => {}
                Poll::Ready(Err(error)) => break Err(state.fail(error)),
                Poll::Pending => match state.keep_alive() {
                    Err(error) => break Err(state.fail(error)),
                    Ok(deadline) => {
                        if self.alarm.deadline() != deadline {
                            self.alarm.as_mut().reset(deadline);
                        }
                        ready!(self.alarm.as_mut().poll(cx));
                    }
                },
            }
        };
        self.delivered = matches!(result, Ok(true));
        Poll::Ready(result)
    }
}

/// What a record has led to.
enum Step {
    Message,
    Other,
}

/// The parts of a channel that its halves share. A std mutex around it: no step waits while it is held.
struct State<S> {
    io: S,
    settings: Settings,
    sealer: Sealer,
    opener: Opener,
    /// Sealed bytes; those before `flushed` are with the transport.
    outbound: Vec<u8>,
    flushed: usize,
    /// Received bytes in `taken..filled`.
    inbound: Vec<u8>,
    filled: usize,
    taken: usize,
    ivs: VecDeque<[u8; 16]>,
    key_since: Instant,
    /// When an authentic record last came.
    heard: Instant,
    pinged: bool,
    /// Where in `outbound` the pending pong ends, so that there is never a second.
    pong_ends: Option<usize>,
    closed: bool,
    peer_closed: Option<Close>,
    failure: Option<ChannelError>,
    write_failure: Option<ChannelError>,
    /// Wakes both halves, since either may have to flush.
    write_waker: Waker,
    wakers: Arc<Wakers>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> State<S> {
    fn usable(&self) -> Result<(), ChannelError> {
        match &self.failure {
            Some(failure) => Err(failure.clone()),
            None if self.closed => Err(ChannelError::Closed),
            None => Ok(()),
        }
    }

    fn fail(&mut self, error: ChannelError) -> ChannelError {
        self.wakers.wake_by_ref();
        self.failure.get_or_insert(error).clone()
    }

    /// Ready when so many more bytes may be queued.
    fn poll_room(&mut self, bytes: usize) -> Poll<Result<(), ChannelError>> {
        self.usable()?;
        if let Poll::Ready(flushed) = self.poll_flush() {
            return Poll::Ready(flushed);
        }
        if self.outbound.len() - self.flushed + bytes <= MAX_OUTBOUND { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn poll_flush(&mut self) -> Poll<Result<(), ChannelError>> {
        if let Some(failure) = &self.write_failure {
            return Poll::Ready(Err(failure.clone()));
        }
        let waker = self.write_waker.clone();
        let mut cx = Context::from_waker(&waker);
        let result = loop {
            if self.flushed == self.outbound.len() {
                break ready!(Pin::new(&mut self.io).poll_flush(&mut cx));
            }
            match ready!(Pin::new(&mut self.io).poll_write(&mut cx, &self.outbound[self.flushed..])) {
                Ok(0) => break Err(std::io::ErrorKind::WriteZero.into()),
                Ok(written) => self.flushed += written,
                Err(error) => break Err(error),
            }
            if self.pong_ends.is_some_and(|end| end <= self.flushed) {
                self.pong_ends = None;
            }
        };
        match result {
            Ok(()) => {
                self.outbound.clear();
                self.flushed = 0;
                Poll::Ready(Ok(()))
            }
            Err(error) => Poll::Ready(Err(self.write_failure.insert(error.into()).clone())),
        }
    }

    fn queue(&mut self, kind: RecordType, more: bool, payload: &[u8]) -> Result<(), ChannelError> {
        let stamp = self.stamp()?;
        if self.flushed > MAX_TOKEN {
            self.outbound.drain(..self.flushed);
            self.pong_ends = self.pong_ends.map(|end| end - self.flushed);
            self.flushed = 0;
        }
        self.sealer.seal(kind, more, payload, stamp, &mut self.outbound);
        Ok(())
    }

    fn queue_message(&mut self, message: &[u8]) -> Result<(), ChannelError> {
        let mut rest = message;
        loop {
            let (piece, after) = rest.split_at(rest.len().min(MAX_PAYLOAD));
            self.rekey_if_due()?;
            self.queue(RecordType::Data, !after.is_empty(), piece)?;
            if after.is_empty() {
                return Ok(());
            }
            rest = after;
        }
    }

    fn rekey_if_due(&mut self) -> Result<(), ChannelError> {
        let RekeyAfter { records, bytes, age } = self.settings.rekey;
        let worn = self.sealer.is_worn(records.min(MAX_RECORDS_PER_KEY), bytes.min(MAX_BYTES_PER_KEY));
        if worn || self.key_since.elapsed() >= age.min(KEY_LIFETIME) { self.queue_rekey() } else { Ok(()) }
    }

    fn queue_rekey(&mut self) -> Result<(), ChannelError> {
        self.usable()?;
        self.queue(RecordType::Rekey, false, &[])?;
        self.key_since = Instant::now();
        Ok(())
    }

    fn queue_close(&mut self, reason: CloseReason, text: &str) -> Result<(), ChannelError> {
        match self.usable() {
            Err(ChannelError::Closed) => return Ok(()),
            usable => usable?,
        }
        let mut end = text.len().min(MAX_CLOSE_TEXT);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.rekey_if_due()?;
        self.queue(RecordType::Close, false, &[&[reason as u8], &text.as_bytes()[..end]].concat())?;
        self.closed = true;
        Ok(())
    }

    /// Opens the next record that is complete, reading more as long as the stream has it.
    fn poll_record(
        &mut self,
        cx: &mut Context<'_>,
        message: &mut Vec<u8>,
        limit: usize,
    ) -> Poll<Result<Step, ChannelError>> {
        loop {
            let held = &self.inbound[self.taken..self.filled];
            let wanted = match held.first_chunk::<LENGTH>() {
                Some(prefix) => LENGTH + Opener::token_length(*prefix)?,
                None => LENGTH,
            };
            if held.len() >= wanted && wanted > LENGTH {
                let start = self.taken + LENGTH;
                self.taken += wanted;
                return Poll::Ready(self.take_record(start, message, limit));
            }
            ready!(self.poll_fill(cx, wanted))?;
        }
    }

    /// Reads once, with room for at least `wanted` bytes in all.
    fn poll_fill(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<Result<(), ChannelError>> {
        if self.taken == self.filled {
            (self.taken, self.filled) = (0, 0);
        }
        if self.taken + wanted > self.inbound.len() {
            self.inbound.copy_within(self.taken..self.filled, 0);
            (self.taken, self.filled) = (0, self.filled - self.taken);
            self.inbound.resize(self.inbound.len().max(wanted).max(IDLE_BUFFER), 0);
        }
        let mut buffer = ReadBuf::new(&mut self.inbound[self.filled..]);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer))?;
        match buffer.filled().len() {
            0 => Poll::Ready(Err(ChannelError::Truncated)),
            read => {
                self.filled += read;
                Poll::Ready(Ok(()))
            }
        }
    }

    fn take_record(&mut self, start: usize, message: &mut Vec<u8>, limit: usize) -> Result<Step, ChannelError> {
        let record = self.opener.open(&mut self.inbound[start..self.taken])?;
        (self.heard, self.pinged) = (Instant::now(), false);
        match record.kind {
            RecordType::Data => {
                if message.len() + record.payload.len() > limit {
                    return Err(ChannelError::MessageTooLong { limit });
                }
                message.extend_from_slice(record.payload);
                return Ok(if record.more { Step::Other } else { Step::Message });
            }
            // A goodbye in the middle of a message would lose what came of it without a word.
            RecordType::Close if !message.is_empty() => return Err(RecordError::CutMessage.into()),
            RecordType::Close => {
                let reason = CloseReason::from_code(record.payload[0]);
                let text = String::from_utf8_lossy(&record.payload[1..]).into_owned();
                self.peer_closed = Some(Close { reason, text });
            }
            RecordType::Ping if self.pong_ends.is_none() && !self.closed => {
                self.rekey_if_due()?;
                self.queue(RecordType::Pong, false, &[])?;
                self.pong_ends = Some(self.outbound.len());
            }
            RecordType::Ping | RecordType::Pong | RecordType::Rekey => {}
        }
        Ok(Step::Other)
    }

    /// Pings or gives up if it is time, and says when to look again.
    fn keep_alive(&mut self) -> Result<Instant, ChannelError> {
        let Keepalive { ping_after, dead_after } = self.settings.keepalive;
        let silence = self.heard.elapsed();
        if silence >= dead_after {
            return Err(ChannelError::Dead(dead_after.as_secs_f32()));
        }
        if silence >= ping_after && !self.pinged {
            self.pinged = true;
            self.shrink();
            if !self.closed {
                self.rekey_if_due()?;
                self.queue(RecordType::Ping, false, &[])?;
                let _ = self.poll_flush();
            }
        }
        Ok(self.heard + if self.pinged { dead_after } else { ping_after })
    }

    /// Gives back what a burst needed.
    fn shrink(&mut self) {
        if self.taken == self.filled {
            (self.taken, self.filled) = (0, 0);
            self.inbound.truncate(IDLE_BUFFER);
            self.inbound.shrink_to_fit();
        }
        self.outbound.shrink_to(IDLE_BUFFER);
    }

    fn stamp(&mut self) -> Result<Stamp, ChannelError> {
        if self.ivs.is_empty() {
            let mut batch = [[0; 16]; IV_BATCH];
            getrandom::fill(batch.as_flattened_mut()).map_err(ChannelError::Entropy)?;
            self.ivs.extend(batch);
        }
        // A clock before 1970 would only put a wrong time into a token whose time nobody reads.
        let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let iv = self.ivs.pop_front().ok_or(ChannelError::Closed)?;
        Ok(Stamp { time, iv })
    }
}

fn lock<S>(shared: &Mutex<State<S>>) -> MutexGuard<'_, State<S>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The places of the two halves in [`Wakers`].
const SENDER: usize = 0;
const RECEIVER: usize = 1;

/// Wakes whoever last waited on either half.
#[derive(Default)]
struct Wakers([Mutex<Option<Waker>>; 2]);

impl Wakers {
    fn register(&self, half: usize, waker: &Waker) {
        let mut slot = self.0[half].lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *slot {
            Some(registered) => registered.clone_from(waker),
            None => *slot = Some(waker.clone()),
        }
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        for slot in &self.0 {
            let waker = slot.lock().unwrap_or_else(PoisonError::into_inner).clone();
            waker.iter().for_each(Waker::wake_by_ref);
        }
    }
}

#[cfg(test)]
mod tests;
