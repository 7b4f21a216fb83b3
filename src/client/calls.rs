//! The calls of one session: requests out, replies in, each to the one who asked.
//!
//! ```text
//! Calls::call -> requests -> write loop -> channel -> read loop -> Replies, one for each request
//! ```

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

use super::Io;
use crate::channel::error::ChannelError;
use crate::channel::{self, Channel, Close, CloseReason, Receiver, Sender};
use crate::model::Visible;
use crate::protocol::codec::{Decoded, decode_server, encode, encode_bulk};
use crate::protocol::{ClientMessage, MAX_INTEGER, Reply, Request, RequestError, STREAM_CREDIT, ServerMessage};

/// The most bytes of one bulk message: with its kind and id it is no longer than a client may send that proves nothing.
const MAX_BULK: usize = channel::MAX_UNPROVEN_MESSAGE - 9;

/// How long a server may say nothing to a request that it answers as soon as it can. Posts wait 30 s, and logins while others
/// log in; a server that is alive and does not answer at all is left after this.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(180);
/// How long a server may take to say goodbye too; it gives what was asked before 60 s.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(90);

/// Why a call or a session ended early.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// The server refused or failed this request; the session goes on.
    #[error("the server refused: {}", Visible(&.0.message))]
    Request(RequestError),
    /// The request was cancelled.
    #[error("the request was cancelled")]
    Cancelled,
    /// The server said goodbye.
    #[error("the server closed the session{}{}", if .0.text.is_empty() { "" } else { ": " }, Visible(&.0.text))]
    Closed(Close),
    /// The server is there, and says nothing.
    #[error("the server did not answer within {} s", ANSWER_TIMEOUT.as_secs())]
    Unanswered,
    /// The server does not say goodbye.
    #[error("the server did not say goodbye within {} s", GOODBYE_TIMEOUT.as_secs())]
    NoGoodbye,
    /// The channel failed.
    #[error(transparent)]
    Channel(ChannelError),
    /// The server sent what no server sends.
    #[error("the server sent a message that makes no sense: {}", Visible(.0))]
    Nonsense(String),
}

/// Asks in a session. When the last one is dropped, the session says goodbye.
pub(super) struct Calls {
    shared: Arc<Shared>,
    requests: mpsc::UnboundedSender<Outgoing>,
}

/// What the write loop does, in this order.
enum Outgoing {
    /// Says this.
    Message(ClientMessage),
    /// Sends bytes that the request with this id has announced.
    Bulk(u64, Vec<u8>),
    /// From here on messages may be longer.
    LiftLimit,
}

/// What the calls and the driver share. A std mutex: held for map operations, never across an await.
struct Shared(Mutex<Streams>);

struct Streams {
    next_id: u64,
    open: HashMap<u64, Open>,
    /// Why the session has ended.
    end: Option<CallError>,
}

/// A request that is being answered.
struct Open {
    events: mpsc::UnboundedSender<Event>,
    /// The reply bytes that may still come; the last reply may overdraw it. It bounds what waits to be consumed.
    credit: i64,
}

/// What happens to a request.
enum Event {
    Reply { reply: Reply, bytes: u64 },
    End,
    Failed(CallError),
}

impl Calls {
    /// Takes the session over; the task ends with it.
    pub(super) fn start(channel: Channel<Io>) -> (Self, JoinHandle<Result<(), CallError>>) {
        let shared = Arc::new(Shared(Mutex::new(Streams { next_id: 1, open: HashMap::new(), end: None })));
        let (requests, queue) = mpsc::unbounded_channel();
        let driver = tokio::spawn(drive(channel, shared.clone(), queue));
        (Self { shared, requests }, driver)
    }

    /// Whether the session has ended.
    pub(super) fn have_ended(&self) -> bool {
        self.shared.lock().end.is_some()
    }

    /// Sends a request; `pick` takes the service's own reply out of a reply.
    pub(super) fn call<T>(&self, request: Request, pick: fn(Reply) -> Option<T>) -> Replies<T> {
        self.call_with(request, &[], pick)
    }

    /// The same for a request that announces bytes, which follow it.
    pub(super) fn call_with<T>(&self, request: Request, bulk: &[u8], pick: fn(Reply) -> Option<T>) -> Replies<T> {
        let (events, incoming) = mpsc::unbounded_channel();
        // Under one lock, so that ids are sent in the order in which they are given.
        let mut streams = self.shared.lock();
        let id = streams.next_id;
        match &streams.end {
            Some(end) => drop(events.send(Event::Failed(end.clone()))),
            None if id > MAX_INTEGER => drop(events.send(Event::Failed(CallError::Cancelled))),
            None => {
                streams.next_id += 1;
                streams.open.insert(id, Open { events, credit: STREAM_CREDIT.cast_signed() });
                // If the driver has ended in between, it has told or will tell every open stream.
                let _ = self.requests.send(Outgoing::Message(ClientMessage::Request { id, request }));
                for bytes in bulk.chunks(MAX_BULK) {
                    let _ = self.requests.send(Outgoing::Bulk(id, bytes.to_vec()));
                }
            }
        }
        drop(streams);
        let (shared, requests) = (Arc::downgrade(&self.shared), self.requests.downgrade());
        Replies { id, incoming, shared, requests, consumed: 0, ended: false, pick }
    }

    /// The session is somebody's now: every later request may have [`channel::MAX_MESSAGE`] bytes.
    pub(super) fn lift_message_limit(&self) {
        // A driver that has ended sends nothing more, of any length.
        let _ = self.requests.send(Outgoing::LiftLimit);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands an event to its request, if anybody still waits for it. Fails if the server had no credit for it.
    fn deliver(&self, id: u64, event: Event) -> Result<(), CallError> {
        let mut streams = self.lock();
        let Some(stream) = streams.open.get_mut(&id) else { return Ok(()) };
        let mut last = true;
        if let Event::Reply { bytes, .. } = event {
            if stream.credit <= 0 {
                return Err(CallError::Nonsense(format!("a reply to request {id} beyond its credit")));
            }
            stream.credit -= bytes.cast_signed();
            last = false;
        }
        let gone = stream.events.send(event).is_err();
        if last || gone {
            streams.open.remove(&id);
        }
        Ok(())
    }

    /// What has been consumed may come again.
    fn extend_credit(&self, id: u64, bytes: u64) {
        if let Some(stream) = self.lock().open.get_mut(&id) {
            stream.credit += bytes.cast_signed();
        }
    }

    fn end(&self, why: CallError) {
        let mut streams = self.lock();
        for (_, stream) in streams.open.drain() {
            let _ = stream.events.send(Event::Failed(why.clone()));
        }
        streams.end = Some(why);
    }
}

/// The replies to one request, as they arrive. Dropping it cancels the request.
pub struct Replies<T> {
    id: u64,
    incoming: mpsc::UnboundedReceiver<Event>,
    shared: Weak<Shared>,
    /// Weak, so that an answer that nobody reads does not keep a closed session open.
    requests: mpsc::WeakUnboundedSender<Outgoing>,
    consumed: u64,
    ended: bool,
    pick: fn(Reply) -> Option<T>,
}

impl<T> Replies<T> {
    /// The next reply; `None` when the request is answered. Cancel-safe.
    pub async fn next(&mut self) -> Result<Option<T>, CallError> {
        if self.ended {
            return Ok(None);
        }
        match self.incoming.recv().await {
            Some(Event::Reply { reply, bytes }) => {
                self.consumed += bytes;
                if self.consumed >= STREAM_CREDIT / 2 {
                    let bytes = std::mem::take(&mut self.consumed);
                    // Before the server can know of it.
                    if let Some(shared) = self.shared.upgrade() {
                        shared.extend_credit(self.id, bytes);
                    }
                    self.tell(ClientMessage::Credit { id: self.id, bytes });
                }
                let picked = (self.pick)(reply).map(Some);
                picked.ok_or_else(|| CallError::Nonsense(format!("another service answers request {}", self.id)))
            }
            Some(Event::End) => {
                self.ended = true;
                Ok(None)
            }
            Some(Event::Failed(error)) => {
                self.ended = true;
                Err(error)
            }
            None => {
                self.ended = true;
                Err(CallError::Channel(ChannelError::Closed))
            }
        }
    }

    /// The same for a request that is neither endless nor meant to take its time: fails if nothing comes for
    /// [`ANSWER_TIMEOUT`]. Pings alone keep a session alive.
    pub async fn next_in_time(&mut self) -> Result<Option<T>, CallError> {
        timeout(ANSWER_TIMEOUT, self.next()).await.unwrap_or(Err(CallError::Unanswered))
    }

    /// Wants no more; what was on its way may still come, and then [`CallError::Cancelled`].
    pub fn cancel(&self) {
        self.tell(ClientMessage::Cancel { id: self.id });
    }

    fn tell(&self, message: ClientMessage) {
        // After the end of the session there is nobody to be told.
        let _ = self.requests.upgrade().map(|requests| requests.send(Outgoing::Message(message)));
    }
}

impl<T> Drop for Replies<T> {
    fn drop(&mut self) {
        if !self.ended {
            self.cancel();
        }
    }
}

/// Runs a session until both sides have said goodbye or it fails, and tells every open request why.
async fn drive(
    channel: Channel<Io>,
    shared: Arc<Shared>,
    queue: mpsc::UnboundedReceiver<Outgoing>,
) -> Result<(), CallError> {
    let (mut sender, mut receiver) = channel.split();
    let result = tokio::select! {
        result = read_loop(&mut receiver, &shared) => result,
        // Only a failure ends it early; after our goodbye the server may still answer.
        error = write_loop(&mut sender, queue, &shared) => Err(error),
    };
    let (why, result) = match result {
        Ok(close) => {
            let ours = channel::finish(&mut sender, &mut receiver, CloseReason::Done, "").await;
            match close.reason {
                CloseReason::Done => (CallError::Closed(close), ours.map_err(CallError::Channel)),
                _ => (CallError::Closed(close.clone()), Err(CallError::Closed(close))),
            }
        }
        Err(error) => (error.clone(), Err(error)),
    };
    shared.end(why);
    if let Err(CallError::Nonsense(text)) = &result {
        // What the server makes of it changes nothing.
        let _ = channel::finish(&mut sender, &mut receiver, CloseReason::ProtocolError, text).await;
    }
    result
}

/// Hands replies to their requests until the server says goodbye.
async fn read_loop(receiver: &mut Receiver<Io>, shared: &Shared) -> Result<Close, CallError> {
    while let Some(message) = receiver.recv().await.map_err(CallError::Channel)? {
        let bytes = message.len() as u64;
        match decode_server(message) {
            Ok(Decoded::Message(message)) => {
                let id = message.id();
                let event = match message {
                    ServerMessage::Reply { reply, .. } => Event::Reply { reply, bytes },
                    ServerMessage::End { .. } => Event::End,
                    ServerMessage::Error { error, .. } => Event::Failed(CallError::Request(error)),
                    ServerMessage::Cancelled { .. } => Event::Failed(CallError::Cancelled),
                };
                shared.deliver(id, event)?;
            }
            Ok(Decoded::Bulk { id, .. }) => return Err(CallError::Nonsense(format!("bulk bytes for request {id}"))),
            Err(error) => return Err(CallError::Nonsense(error.to_string())),
        }
    }
    Ok(receiver.peer_close().unwrap_or(Close { reason: CloseReason::Other, text: String::new() }))
}

/// Sends what the calls ask for; says goodbye when nobody can ask any more. Completes only by failing.
async fn write_loop(
    sender: &mut Sender<Io>,
    mut queue: mpsc::UnboundedReceiver<Outgoing>,
    shared: &Shared,
) -> CallError {
    while let Some(outgoing) = queue.recv().await {
        let message = match outgoing {
            Outgoing::Message(message) => message,
            Outgoing::Bulk(id, bytes) => match sender.send(&encode_bulk(id, &bytes)).await {
                Ok(()) => continue,
                // As below.
                Err(_) => return std::future::pending().await,
            },
            Outgoing::LiftLimit => {
                sender.lift_message_limit();
                continue;
            }
        };
        // It may hold a password.
        let encoded = Zeroizing::new(encode(&message));
        match sender.send(&encoded).await {
            Ok(()) => {}
            Err(error @ ChannelError::TooLongToSend { .. }) => match message {
                ClientMessage::Request { id, .. } => {
                    let _ = shared.deliver(id, Event::Failed(CallError::Channel(error)));
                }
                _ => return CallError::Channel(error),
            },
            // The receiving side learns more: a goodbye, or why the stream broke.
            Err(_) => return std::future::pending().await,
        }
    }
    if let Err(error) = sender.close(CloseReason::Done, "").await {
        return CallError::Channel(error);
    }
    sleep(GOODBYE_TIMEOUT).await;
    CallError::NoGoodbye
}
