//! Lines for a server's log, each delivered once and in order, however often the connection breaks.
//!
//! [`deliver`] starts a task that owns the session. Lines go to it through [`Lines`], which waits while too many are on
//! their way, and what becomes of them comes out of [`Events`]. A stream of lines has a random name, and its lines have
//! numbers from 1: after a loss, those that were not acknowledged are sent again under the same numbers.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::mpsc;

use super::connector::{Connector, Failure, NotConnected, told_pause};
use super::reconnect::{Backoff, Pauses};
use super::{CallError, Client, Replies};
use crate::channel::{CloseReason, DRAIN_TIMEOUT, MAX_UNPROVEN_MESSAGE};
use crate::model::random_id;
use crate::protocol::log::{LogReply, LogRequest, MAX_LOG_LINES, bytes_in_json, pieces};
use crate::protocol::{ErrorCode, Reply, Request};

/// How many lines may wait to be sent; whoever has more waits.
const MAX_WAITING: usize = 1024;
/// The events that may wait to be taken.
const MAX_EVENTS: usize = 1024;
/// What the lines of one request may take in JSON, so that it is no longer than a client may send that proves nothing.
const MAX_REQUEST: usize = MAX_UNPROVEN_MESSAGE - 512;
/// The quotes and the comma of a line in JSON.
const AROUND_LINE: usize = 3;
/// How often a server may fail to answer the same lines.
const MAX_INTERNAL: u32 = 5;

impl Client {
    /// Appends lines to the log, the first of which has this number in the stream.
    pub fn append_log(&self, stream: &str, number: u64, texts: Vec<String>) -> Replies<LogReply> {
        self.call_log(LogRequest::Append { stream: stream.to_owned(), number, texts })
    }

    /// Hears what the server's operator answers to this session.
    pub fn listen_log(&self) -> Replies<LogReply> {
        self.call_log(LogRequest::Listen)
    }

    fn call_log(&self, request: LogRequest) -> Replies<LogReply> {
        self.calls.call(Request::Log(request), |reply| match reply {
            Reply::Log(reply) => Some(reply),
            _ => None,
        })
    }
}

/// Takes lines; once it is dropped, the delivery ends when all are acknowledged.
pub struct Lines(mpsc::Sender<Piece>);

/// What becomes of the lines. The last event is [`Event::Ended`].
pub struct Events(mpsc::Receiver<Event>);

/// Something that a person wants to know.
#[derive(Debug, Clone)]
pub enum Event {
    /// A line, or a piece of a long one, is durable and in the server's log.
    Received {
        /// Its number in this delivery.
        number: u64,
        /// Its number among all lines of the server.
        row: u64,
        /// Whether the line ends with it.
        ends_line: bool,
    },
    /// The server's operator says something. Text from the peer: make control characters visible before showing it.
    Answer(String),
    /// The connection is lost, or there is still none.
    Lost {
        /// Why.
        reason: String,
        /// When the next attempt is made.
        retry_in: Duration,
    },
    /// There is a connection again.
    Online,
    /// The server cannot take lines now.
    Busy {
        /// Why.
        reason: String,
        /// When they are sent again.
        retry_in: Duration,
    },
    /// Everything is delivered, or nothing will be any more.
    Ended(Result<(), DeliveryError>),
}

/// Why lines are not delivered.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DeliveryError {
    /// The server does not take them.
    #[error(transparent)]
    Refused(#[from] CallError),
    /// There is no session, and there will be none.
    #[error(transparent)]
    NotConnected(#[from] NotConnected),
}

/// As much of a line as fits into a message.
struct Piece {
    text: String,
    ends_line: bool,
}

/// Starts a delivery over this session, and over those that the connector makes when it is lost. Whoever listens hears
/// the operator, and notices a loss before there is a line to send.
pub fn deliver<C: Connector>(
    client: Client,
    connector: C,
    pauses: Pauses,
    listens: bool,
) -> Result<(Lines, Events), getrandom::Error> {
    let (lines, pieces) = mpsc::channel(MAX_WAITING);
    let (events, happening) = mpsc::channel(MAX_EVENTS);
    let delivery = Delivery {
        stream: random_id()?,
        next_number: 1,
        unacknowledged: VecDeque::new(),
        pieces,
        events,
        listens,
        connector,
        pauses,
    };
    tokio::spawn(delivery.run(client));
    Ok((Lines(lines), Events(happening)))
}

impl Lines {
    /// Hands a line over, a long one in pieces. False if the delivery has ended.
    pub async fn send(&self, line: &str) -> bool {
        let mut pieces = pieces(line).into_iter().peekable();
        while let Some(text) = pieces.next() {
            let piece = Piece { text: text.to_owned(), ends_line: pieces.peek().is_none() };
            if self.0.send(piece).await.is_err() {
                return false;
            }
        }
        true
    }
}

impl Events {
    /// The next event; `None` after [`Event::Ended`]. Cancel-safe.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}

struct Delivery<C> {
    stream: String,
    /// That of the first line in `unacknowledged`.
    next_number: u64,
    unacknowledged: VecDeque<Piece>,
    pieces: mpsc::Receiver<Piece>,
    events: mpsc::Sender<Event>,
    listens: bool,
    connector: C,
    pauses: Pauses,
}

/// Why a session is not used any more.
enum Parting {
    Delivered,
    /// Nobody takes the events.
    Abandoned,
    Lost(CallError),
    Final(DeliveryError),
}

impl From<CallError> for Parting {
    fn from(error: CallError) -> Self {
        match Failure::of(&error) {
            Failure::Session => Self::Lost(error),
            Failure::Busy | Failure::Final => Self::Final(error.into()),
        }
    }
}

impl<C: Connector> Delivery<C> {
    async fn run(mut self, mut client: Client) {
        let mut backoff = Backoff::new(self.pauses);
        backoff.connected();
        let result = loop {
            match self.converse(&client).await {
                Parting::Delivered => {
                    // Everything is acknowledged. A server that stops at this moment takes nothing away from that.
                    let _ = tokio::time::timeout(2 * DRAIN_TIMEOUT, client.close()).await;
                    break Ok(());
                }
                Parting::Abandoned => return,
                Parting::Final(error) => break Err(error),
                // Whoever is sent away for saying nothing comes back with something to say.
                Parting::Lost(error) if is_idle(&error) && self.unacknowledged.is_empty() => {
                    match self.await_lines(&mut None).await {
                        Ok(true) => {}
                        Ok(false) => break Ok(()),
                        Err(_) => return,
                    }
                    match self.reconnect(&mut backoff, error.to_string()).await {
                        Ok(next) => client = next,
                        Err(error) => break Err(error.into()),
                    }
                }
                Parting::Lost(error) => match self.reconnect(&mut backoff, error.to_string()).await {
                    Ok(next) => client = next,
                    Err(error) => break Err(error.into()),
                },
            }
        };
        let _ = self.events.send(Event::Ended(result)).await;
    }

    async fn reconnect(&mut self, backoff: &mut Backoff, mut reason: String) -> Result<Client, NotConnected> {
        loop {
            let retry_in = backoff.lost();
            // Whether anybody takes the events is noticed elsewhere.
            let _ = self.events.send(Event::Lost { reason, retry_in }).await;
            tokio::time::sleep(retry_in).await;
            match self.connector.connect().await {
                Ok(client) => {
                    backoff.connected();
                    let _ = self.events.send(Event::Online).await;
                    return Ok(client);
                }
                Err(error) if error.may_pass => reason = error.reason,
                Err(error) => return Err(error),
            }
        }
    }

    /// Delivers over this session until it is over, or everything is delivered.
    async fn converse(&mut self, client: &Client) -> Parting {
        let mut answers = self.listens.then(|| client.listen_log());
        let mut backoff = Backoff::new(self.pauses);
        let mut failures = 0;
        loop {
            if self.unacknowledged.is_empty() {
                match self.await_lines(&mut answers).await {
                    Ok(true) => {}
                    Ok(false) => return Parting::Delivered,
                    Err(parting) => return parting,
                }
            }
            let (error, told) = match self.append(client, &mut answers).await {
                Ok(()) => {
                    (backoff, failures) = (Backoff::new(self.pauses), 0);
                    continue;
                }
                Err(Parting::Final(DeliveryError::Refused(CallError::Request(error)))) => {
                    let told = told_pause(&error);
                    failures += u32::from(error.code == ErrorCode::Internal);
                    (CallError::Request(error), told)
                }
                Err(parting) => return parting,
            };
            if Failure::of(&error) != Failure::Busy || failures == MAX_INTERNAL {
                return Parting::Final(error.into());
            }
            let retry_in = backoff.lost().max(told);
            if let Err(parting) = self.tell(Event::Busy { reason: error.to_string(), retry_in }).await {
                return parting;
            }
            tokio::time::sleep(retry_in).await;
        }
    }

    /// Waits for lines; false if there will be none. Meanwhile the operator may say something, or the session end.
    async fn await_lines(&mut self, answers: &mut Option<Replies<LogReply>>) -> Result<bool, Parting> {
        let mut received = Vec::new();
        loop {
            tokio::select! {
                count = self.pieces.recv_many(&mut received, MAX_LOG_LINES) => {
                    self.unacknowledged.extend(received);
                    return Ok(count > 0);
                }
                answer = next_answer(answers) => self.hear(answer, answers).await?,
                () = self.events.closed() => return Err(Parting::Abandoned),
            }
        }
    }

    /// Sends the first lines that are not acknowledged, as many as fit, and waits for the acknowledgement.
    async fn append(&mut self, client: &Client, answers: &mut Option<Replies<LogReply>>) -> Result<(), Parting> {
        let mut bytes = 0;
        let fitting = self.unacknowledged.iter().take(MAX_LOG_LINES).take_while(|piece| {
            bytes += AROUND_LINE + piece.text.chars().map(bytes_in_json).sum::<usize>();
            bytes <= MAX_REQUEST
        });
        let texts: Vec<_> = fitting.map(|piece| piece.text.clone()).collect();
        let count = texts.len();
        let mut replies = client.append_log(&self.stream, self.next_number, texts);
        let rows = loop {
            tokio::select! {
                reply = replies.next_in_time() => match reply? {
                    Some(LogReply::Received { rows }) if rows.len() == count => break rows,
                    Some(LogReply::Other) => {}
                    _ => return Err(CallError::Nonsense("lines that are neither received nor refused".into()).into()),
                },
                answer = next_answer(answers) => self.hear(answer, answers).await?,
            }
        };
        for (piece, row) in self.unacknowledged.drain(..count).collect::<Vec<_>>().into_iter().zip(rows) {
            let number = self.next_number;
            self.next_number += 1;
            self.tell(Event::Received { number, row, ends_line: piece.ends_line }).await?;
        }
        Ok(())
    }

    async fn hear(
        &mut self,
        answer: Result<Option<LogReply>, CallError>,
        answers: &mut Option<Replies<LogReply>>,
    ) -> Result<(), Parting> {
        match answer {
            Ok(Some(LogReply::Answer { text })) => self.tell(Event::Answer(text)).await,
            Ok(Some(_)) => Ok(()),
            // It does not let us hear anything, and may take lines all the same.
            Ok(None) | Err(CallError::Request(_)) => {
                *answers = None;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn tell(&mut self, event: Event) -> Result<(), Parting> {
        self.events.send(event).await.map_err(|_| Parting::Abandoned)
    }
}

fn is_idle(error: &CallError) -> bool {
    matches!(error, CallError::Closed(close) if close.reason == CloseReason::Idle)
}

/// The operator's next words; never, if nobody listens.
async fn next_answer(answers: &mut Option<Replies<LogReply>>) -> Result<Option<LogReply>, CallError> {
    match answers {
        Some(answers) => answers.next().await,
        None => std::future::pending().await,
    }
}
