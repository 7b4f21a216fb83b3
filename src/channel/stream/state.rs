//! What both halves of a channel share: buffers, keys, signs of life, and who is to be woken.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::super::error::ChannelError;
use super::super::record::{
    LENGTH, MAX_BYTES_PER_KEY, MAX_CLOSE_TEXT, MAX_PAYLOAD, MAX_RECORDS_PER_KEY, MAX_TOKEN, Opener, RecordError,
    RecordType, Sealer, Stamp,
};
use super::{Close, CloseReason, KEY_LIFETIME, Keepalive, MAX_MESSAGE, RekeyAfter, Settings};

/// The most bytes that wait to be written; one message may always be added to an empty buffer.
const MAX_OUTBOUND: usize = 2 * MAX_MESSAGE;
/// What the buffers are cut down to while nothing happens.
pub(super) const IDLE_BUFFER: usize = 4096;
/// How many IVs are drawn from the operating system at a time.
const IV_BATCH: usize = 32;

/// What a record has led to.
pub(super) enum Step {
    Message,
    Other,
}

/// The parts of a channel that its halves share. A std mutex around it: no step waits while it is held.
pub(super) struct State<S> {
    pub(super) io: S,
    pub(super) settings: Settings,
    sealer: Sealer,
    opener: Opener,
    /// Sealed bytes; those before `flushed` are with the transport.
    pub(super) outbound: Vec<u8>,
    flushed: usize,
    /// Received bytes in `taken..filled`.
    pub(super) inbound: Vec<u8>,
    filled: usize,
    taken: usize,
    ivs: VecDeque<[u8; 16]>,
    key_since: Instant,
    /// When an authentic record last came.
    heard: Instant,
    pinged: bool,
    /// Where in `outbound` the pending pong ends, so that there is never a second.
    pub(super) pong_ends: Option<usize>,
    closed: bool,
    pub(super) peer_closed: Option<Close>,
    pub(super) failure: Option<ChannelError>,
    write_failure: Option<ChannelError>,
    /// Wakes both halves, since either may have to flush.
    write_waker: Waker,
    pub(super) wakers: Arc<Wakers>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> State<S> {
    /// `outbound` is what the handshake still has to send.
    pub(super) fn new(io: S, settings: Settings, sealer: Sealer, opener: Opener, outbound: Vec<u8>) -> Self {
        let now = Instant::now();
        let wakers = Arc::new(Wakers::default());
        Self {
            io,
            settings,
            sealer,
            opener,
            outbound,
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
        }
    }

    pub(super) fn usable(&self) -> Result<(), ChannelError> {
        match &self.failure {
            Some(failure) => Err(failure.clone()),
            None if self.closed => Err(ChannelError::Closed),
            None => Ok(()),
        }
    }

    pub(super) fn fail(&mut self, error: ChannelError) -> ChannelError {
        self.wakers.wake_by_ref();
        self.failure.get_or_insert(error).clone()
    }

    /// Ready when so many more bytes may be queued.
    pub(super) fn poll_room(&mut self, bytes: usize) -> Poll<Result<(), ChannelError>> {
        self.usable()?;
        if let Poll::Ready(flushed) = self.poll_flush() {
            return Poll::Ready(flushed);
        }
        if self.outbound.len() - self.flushed + bytes <= MAX_OUTBOUND { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    pub(super) fn poll_flush(&mut self) -> Poll<Result<(), ChannelError>> {
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

    pub(super) fn queue_message(&mut self, message: &[u8]) -> Result<(), ChannelError> {
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

    pub(super) fn queue_rekey(&mut self) -> Result<(), ChannelError> {
        self.usable()?;
        self.queue(RecordType::Rekey, false, &[])?;
        self.key_since = Instant::now();
        Ok(())
    }

    pub(super) fn queue_close(&mut self, reason: CloseReason, text: &str) -> Result<(), ChannelError> {
        match self.usable() {
            Err(ChannelError::Closed) => return Ok(()),
            usable => usable?,
        }
        self.rekey_if_due()?;
        self.queue(
            RecordType::Close,
            false,
            &[&[reason as u8], &text.as_bytes()[..text.floor_char_boundary(MAX_CLOSE_TEXT)]].concat(),
        )?;
        self.closed = true;
        Ok(())
    }

    /// Opens the next record that is complete, reading more as long as the stream has it.
    pub(super) fn poll_record(
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
    pub(super) fn keep_alive(&mut self) -> Result<Instant, ChannelError> {
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

    /// Whether nothing has been heard since the last ping.
    pub(super) fn is_quiet(&self) -> bool {
        self.pinged
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

pub(super) fn lock<S>(shared: &Mutex<State<S>>) -> MutexGuard<'_, State<S>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The places of the two halves in [`Wakers`].
pub(super) const SENDER: usize = 0;
pub(super) const RECEIVER: usize = 1;

/// Wakes whoever last waited on either half.
#[derive(Default)]
pub(super) struct Wakers([Mutex<Option<Waker>>; 2]);

impl Wakers {
    pub(super) fn register(&self, half: usize, waker: &Waker) {
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
