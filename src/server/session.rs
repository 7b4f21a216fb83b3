//! A session's life: requests come in, replies stream back under their ids, and either side may say goodbye.
//!
//! ```text
//! receiver -> read_loop -> one task a request: service -> sink -> credit -> outbox -> write_loop -> sender
//! ```
//! The read loop waits for no service, so that cancels, credit and pings get through while requests are answered.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tracing::{Instrument, debug, info, warn};

use super::admission::Seat;
use super::outbox::{Outbox, Queue, SEND_TIMEOUT, write_loop};
use super::{Context, Io, stopped};
use crate::channel::error::ChannelError;
use crate::channel::record::MAX_CLOSE_TEXT;
use crate::channel::{self, Channel, Close, CloseReason, Receiver, Sender};
use crate::model::Visible;
use crate::protocol::codec::{DecodeError, Decoded, decode_client, encode};
use crate::protocol::{
    ClientMessage, ErrorCode, MAX_ERROR_TEXT, MAX_IN_FLIGHT, Request, RequestError, STREAM_CREDIT, ServerMessage,
};
use crate::service::caller::{Caller, Dismissal};
use crate::service::{Guest, ReplySink, Upload};

/// Serves one client until either side ends the session.
pub(super) async fn run(
    context: &Arc<Context>,
    channel: Channel<Io>,
    guest: Guest,
    seat: Seat<'_>,
    stopping: watch::Receiver<bool>,
) {
    // Who has proven to hold the key is told apart from those who have not, and may be many, so that no line about one
    // is lost among lines about the others.
    let proven = guest.peer().holds.is_some();
    info!(proven, number = guest.number(), "session begins");
    let (mut sender, mut receiver) = channel.split();
    let (outbox, queue) = Outbox::new();
    let session = Session {
        context: context.clone(),
        outbox,
        requests: JoinSet::new(),
        places: Arc::new(Semaphore::new(MAX_IN_FLIGHT)),
        streams: HashMap::new(),
        last_id: 0,
        caller: guest.clone(),
        idle_since: Instant::now(),
    };
    let result = converse(session, seat, &mut sender, &mut receiver, queue, stopping).await;
    match result {
        Ok(Close { reason: CloseReason::Done, .. }) => info!(proven, "session ends"),
        Ok(Close { reason, text }) => info!(proven, ?reason, text = %Visible(&text), "session ends"),
        Err(error) => warn!(proven, reason = %Visible(&error.to_string()), "session broken off"),
    }
}

/// Everything from the first message to the last goodbye; the result is our goodbye.
async fn converse(
    session: Session,
    seat: Seat<'_>,
    sender: &mut Sender<Io>,
    receiver: &mut Receiver<Io>,
    queue: Queue,
    stopping: watch::Receiver<bool>,
) -> Result<Close, ChannelError> {
    let goodbye = {
        let mut writing = pin!(write_loop(sender, queue));
        let goodbye = tokio::select! {
            goodbye = session.read_loop(receiver, seat, stopping) => goodbye?,
            // It completes only after the session has dropped its outbox, or by failing.
            written = &mut writing => return Err(written.err().unwrap_or(ChannelError::Closed)),
        };
        // A peer that does not read is not waited for twice.
        let written = tokio::time::timeout(SEND_TIMEOUT, writing).await;
        written.unwrap_or(Err(ChannelError::Dead(SEND_TIMEOUT.as_secs_f32())))?;
        goodbye
    };
    channel::finish(sender, receiver, goodbye.reason, &goodbye.text).await?;
    Ok(goodbye)
}

/// What the read loop knows about a request that is being answered.
#[derive(Clone)]
struct Stream {
    id: u64,
    is_endless: bool,
    /// The bytes that may still be sent; the last message may overdraw it.
    credit: Arc<watch::Sender<i64>>,
    cancel: Arc<Notify>,
    /// Where the bytes go that the request has announced.
    upload: mpsc::UnboundedSender<Vec<u8>>,
    /// How many of them are still to come.
    upload_left: u64,
}

impl Stream {
    fn new(id: u64, is_endless: bool, upload_left: u64, upload: mpsc::UnboundedSender<Vec<u8>>) -> Self {
        let credit = Arc::new(watch::Sender::new(STREAM_CREDIT.cast_signed()));
        Self { id, is_endless, credit, cancel: Arc::default(), upload, upload_left }
    }

    fn extend_credit(&self, bytes: u64) {
        let most = STREAM_CREDIT.cast_signed();
        self.credit.send_modify(|left| *left = (*left + bytes.min(STREAM_CREDIT).cast_signed()).min(most));
    }

    /// Waits until there is credit, then takes this much of it.
    async fn spend_credit(&self, bytes: usize) {
        // It fails only if the sender is gone, which we hold.
        let _ = self.credit.subscribe().wait_for(|left| *left > 0).await;
        self.credit.send_modify(|left| *left -= bytes as i64);
    }
}

/// A session that takes no more than what it has begun.
struct Ending {
    /// What is not answered by then is dropped.
    by: Instant,
    goodbye: Close,
}

struct Session {
    context: Arc<Context>,
    outbox: Outbox,
    requests: JoinSet<()>,
    /// A place for each request that may be under way.
    places: Arc<Semaphore>,
    streams: HashMap<Id, Stream>,
    last_id: u64,
    caller: Arc<Caller>,
    /// When the last request was finished.
    idle_since: Instant,
}

impl Session {
    /// Takes what the client says until one side is done; the result is our goodbye.
    async fn read_loop(
        mut self,
        receiver: &mut Receiver<Io>,
        mut seat: Seat<'_>,
        mut stopping: watch::Receiver<bool>,
    ) -> Result<Close, ChannelError> {
        let (mut client_done, mut server_stops) = (false, false);
        let (caller, mut identified) = (self.caller.clone(), false);
        let mut ending: Option<Ending> = None;
        loop {
            if let Some(Ending { by, goodbye }) = &ending
                && (self.has_answered() || *by <= Instant::now())
            {
                return Ok(goodbye.clone());
            }
            let idle_at = self.idle_since + self.context.limits.anonymous_idle_timeout;
            // A stranger who only listens does so for ever on this machine alone.
            let is_quiet = self.streams.is_empty() || (self.has_answered() && !caller.peer().is_near);
            let may_idle_out = !identified && caller.peer().holds.is_none() && is_quiet;
            let ends_by = ending.as_ref().map_or(idle_at, |ending| ending.by);
            tokio::select! {
                // In this order: who has just logged in may say more in the very next message.
                biased;
                () = caller.identified(), if !identified => {
                    identified = true;
                    receiver.lift_message_limit();
                    seat.prove();
                }
                dismissal = caller.dismissed() => return Ok(farewell(dismissal)),
                () = stopped(&mut stopping), if !server_stops => {
                    server_stops = true;
                    let by = Instant::now() + self.context.limits.drain_timeout;
                    ending = Some(match ending {
                        Some(ending) => Ending { by: by.min(ending.by), ..ending },
                        None => Ending { by, goodbye: goodbye(CloseReason::GoingAway, "the server stops") },
                    });
                }
                () = tokio::time::sleep_until(ends_by), if ending.is_some() => {}
                Some(ended) = self.requests.join_next_with_id() => self.forget(ended).await,
                message = receiver.recv(), if !client_done => match message? {
                    Some(message) => {
                        if let Err(broken) = self.take(message, server_stops).await {
                            return Ok(goodbye(CloseReason::ProtocolError, &broken));
                        }
                    }
                    None => {
                        debug!(close = ?receiver.peer_close(), "the client is done");
                        client_done = true;
                        // It still wants what it asked for, but can no longer show that it lives.
                        let by = Instant::now() + self.context.settings.keepalive.dead_after;
                        // A stopping server does not wait longer for it than it would have.
                        let by = ending.map_or(by, |ending| by.min(ending.by));
                        ending = Some(Ending { by, goodbye: goodbye(CloseReason::Done, "") });
                    }
                },
                () = tokio::time::sleep_until(idle_at), if may_idle_out => {
                    return Ok(goodbye(CloseReason::Idle, "nothing was asked for a while; connect again when needed"));
                }
            }
        }
    }

    /// Acts on one message; the error is what the client has broken.
    async fn take(&mut self, message: &[u8], draining: bool) -> Result<(), String> {
        match decode_client(message) {
            Ok(Decoded::Message(ClientMessage::Request { id, request })) => {
                self.claim(id)?;
                if draining {
                    self.fail(id, ErrorCode::ShuttingDown, "the server stops and takes no new requests".into()).await;
                } else if let Ok(place) = self.places.clone().try_acquire_owned() {
                    self.begin(id, request, place);
                } else {
                    let message = format!("{MAX_IN_FLIGHT} requests are being answered already; wait for one to end");
                    self.fail(id, ErrorCode::TooManyRequests, message).await;
                }
            }
            Ok(Decoded::Message(ClientMessage::Cancel { id })) => {
                self.stream(id).into_iter().for_each(|stream| stream.cancel.notify_one());
            }
            Ok(Decoded::Message(ClientMessage::Credit { id, bytes })) => {
                self.stream(id).into_iter().for_each(|stream| stream.extend_credit(bytes));
            }
            Ok(Decoded::Bulk { id, bytes }) => self.take_bulk(id, bytes)?,
            Err(DecodeError::Request { id, error }) => {
                self.claim(id)?;
                self.fail(id, error.code, error.message).await;
            }
            Err(DecodeError::Message(reason)) => return Err(format!("a message was not understood: {reason}")),
        }
        Ok(())
    }

    /// What is left of an upload when its request has ended is ignored, as a late cancel is.
    fn take_bulk(&mut self, id: u64, bytes: &[u8]) -> Result<(), String> {
        if id > self.last_id {
            return Err(format!("bulk bytes for request {id}, which has not been asked"));
        }
        let Some(stream) = self.streams.values_mut().find(|stream| stream.id == id) else { return Ok(()) };
        let left = stream.upload_left.checked_sub(bytes.len() as u64);
        stream.upload_left = left.ok_or_else(|| format!("more bulk bytes for request {id} than it has announced"))?;
        // A service that has given up does not want them.
        let _ = stream.upload.send(bytes.to_vec());
        Ok(())
    }

    /// Ids strictly increase.
    fn claim(&mut self, id: u64) -> Result<(), String> {
        if id <= self.last_id {
            return Err(format!("request id {id} does not follow {}", self.last_id));
        }
        self.last_id = id;
        self.idle_since = Instant::now();
        Ok(())
    }

    async fn fail(&self, id: u64, code: ErrorCode, message: String) {
        let message = cut(message, MAX_ERROR_TEXT);
        debug!(id, ?code, reason = %Visible(&message), "request refused");
        self.outbox.put(encode(&failed(id, RequestError::new(code, message)))).await;
    }

    fn begin(&mut self, id: u64, request: Request, place: OwnedSemaphorePermit) {
        let (upload, chunks) = Upload::new(request.upload_length());
        let stream = Stream::new(id, request.is_endless(), request.upload_length(), chunks);
        let question = Question { caller: self.caller.clone(), request, upload, place };
        let answering = answer(self.context.clone(), stream.clone(), question, self.outbox.clone());
        let task = self.requests.spawn(answering.in_current_span());
        self.streams.insert(task.id(), stream);
    }

    /// Whether nothing is under way that will be answered.
    fn has_answered(&self) -> bool {
        self.streams.values().all(|stream| stream.is_endless)
    }

    fn stream(&self, id: u64) -> Option<&Stream> {
        self.streams.values().find(|stream| stream.id == id)
    }

    async fn forget(&mut self, ended: Result<(Id, ()), JoinError>) {
        let (task, failure) = match ended {
            Ok((task, ())) => (task, None),
            Err(error) => (error.id(), Some(error)),
        };
        let stream = self.streams.remove(&task);
        if let (Some(error), Some(stream)) = (failure, stream) {
            warn!(reason = %error, "a request failed inside the server");
            self.fail(stream.id, ErrorCode::Internal, "the server could not answer; its log says why".into()).await;
        }
        self.idle_since = Instant::now();
    }
}

/// A request with what belongs to it.
struct Question {
    caller: Arc<Caller>,
    request: Request,
    upload: Upload,
    place: OwnedSemaphorePermit,
}

/// Answers one request: replies as credit allows, then exactly one of end, error and cancelled.
async fn answer(context: Arc<Context>, stream: Stream, question: Question, outbox: Outbox) {
    let id = stream.id;
    let Question { caller, request, upload, place } = question;
    let (sink, mut replies) = ReplySink::new();
    let sending = async {
        while let Some(reply) = replies.recv().await {
            let message = encode(&ServerMessage::Reply { id, reply });
            stream.spend_credit(message.len()).await;
            outbox.put(message).await;
        }
    };
    let answering = async { tokio::join!(context.services.answer(&caller, request, upload, sink), sending).0 };
    let last = tokio::select! {
        result = answering => match result {
            Ok(()) => ServerMessage::End { id },
            Err(error) => failed(id, error),
        },
        () = stream.cancel.notified() => ServerMessage::Cancelled { id },
    };
    // Whoever reads that a request has ended may ask the next, before this task is seen to be over.
    outbox.put_after(encode(&last), || drop(place)).await;
}

/// What the client is told. The text may quote the client, and its message must fit the channel however much that is.
fn failed(id: u64, mut error: RequestError) -> ServerMessage {
    error.message = cut(error.message, MAX_ERROR_TEXT);
    ServerMessage::Error { id, error }
}

/// What a session is told that is sent away.
fn farewell(dismissal: Dismissal) -> Close {
    match dismissal {
        Dismissal::TooSlow(text) => goodbye(CloseReason::TooSlow, &text),
        Dismissal::Removed(text) => goodbye(CloseReason::Removed, &text),
    }
}

/// What the client is told, and no more of it than that: the text may quote the client, and goes into the log.
fn goodbye(reason: CloseReason, text: &str) -> Close {
    Close { reason, text: cut(text.to_owned(), MAX_CLOSE_TEXT) }
}

fn cut(mut text: String, length: usize) -> String {
    text.truncate(text.floor_char_boundary(length));
    text
}
