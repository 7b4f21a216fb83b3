//! A [`Channel`] over a byte stream: whole messages, keepalive, rekeying, orderly close, and two halves.
//!
//! Both halves share one state. Sealing takes a sequence number and appends to the outbound buffer in one synchronous
//! step, so that a dropped `send` has queued its message whole or not at all; whichever half is polled flushes.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Sleep, timeout};

use super::error::ChannelError;
use super::handshake::{Established, Role};
use super::key_schedule::Exporter;
use super::mode::KeyMode;
use super::record::{LENGTH, MAX_BYTES_PER_KEY, MAX_PAYLOAD, MAX_RECORDS_PER_KEY, MAX_TOKEN};
use crate::model::PublicIdentity;

mod state;
#[cfg(test)]
mod tests;

use state::{IDLE_BUFFER, RECEIVER, SENDER, State, Step, lock};

/// The longest message in bytes.
pub const MAX_MESSAGE: usize = 1 << 20;
/// The longest message in bytes that a server takes from a client that has proven nothing yet.
pub const MAX_UNPROVEN_MESSAGE: usize = 16 * 1024;
/// How long one key may be used for sending.
pub const KEY_LIFETIME: Duration = Duration::from_secs(3600);
/// How long a close waits for the peer's.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

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
    /// Time since the key was made.
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
        let shared = Arc::new(Mutex::new(State::new(io, settings, sealer, opener, last_flight)));
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
    ///
    /// A peer that takes nothing for [`Keepalive::dead_after`] is dead: who says goodbye need not be receiving any more,
    /// and would wait for it for ever.
    pub async fn close(&mut self, reason: CloseReason, text: &str) -> Result<(), ChannelError> {
        self.lock().queue_close(reason, text)?;
        let patience = self.lock().settings.keepalive.dead_after;
        timeout(patience, self.flush_close()).await.unwrap_or(Err(ChannelError::Dead(patience.as_secs_f32())))
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
                // Its goodbye was to be the last; that the stream has ended since is as it should be.
                break match state.poll_record(cx, &mut self.message, self.limit) {
                    Poll::Ready(Err(error @ ChannelError::Record(_))) => Err(state.fail(error)),
                    _ => Ok(false),
                };
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
                        if state.is_quiet() && self.message.is_empty() {
                            self.message.shrink_to(IDLE_BUFFER);
                        }
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
