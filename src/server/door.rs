//! The Fernet door: one service for programs that speak bare Fernet, each of which sends a token and waits.
//!
//! ```text
//! query    timestamps, then END a tick after the last; or EMPTY alone
//! log      Message received, or what the operator answers; `exit` ends without a word
//! submit   nothing; `session_end` ends
//! ```
//! Whoever comes waits in a place for handshakes, where a newer one may take it away, until the first token of the key.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{Span, debug, field, info, warn};

use super::admission::Pending;
use super::{Context, Io, stopped};
use crate::channel::bare::{BareError, BareFernet, longest_text};
use crate::keys::SecretKey;
use crate::model::peer::PeerAddr;
use crate::model::{Visible, random_id};
use crate::protocol::log::{LogRequest, pieces};
use crate::protocol::query::{QueryReply, QueryRequest};
use crate::protocol::submit::SubmitRequest;
use crate::protocol::{Reply, Request, RequestError};
use crate::service::caller::{Dismissal, HeldKey, Peer};
use crate::service::log::Asked;
use crate::service::{Guest, ReplySink, Upload};
use crate::transport::Incoming;
use crate::transport::endpoint::bare::FernetService;

/// What a message is replied to with where no operator answers it.
const RECEIVED: &[u8] = b"Message received";
/// What a log's client sends to end, in any case.
const EXIT: &[u8] = b"exit";
/// What a client of data submission sends to end.
const SESSION_END: &[u8] = b"session_end";

/// What is behind a Fernet door.
pub struct Door {
    /// The only service there.
    pub service: FernetService,
    /// The key of every token, which protects nothing else.
    pub key: SecretKey,
    /// How long a session may be silent between tokens, or wait for the operator.
    pub idle: Duration,
    /// The longest token in characters that is sent.
    pub max_token: usize,
    /// Whether the log's messages are answered by the operator instead of at once.
    pub is_answered_by_operator: bool,
}

/// A connection's life.
pub(super) async fn connection(
    context: Arc<Context>,
    door: Arc<Door>,
    (incoming, is_near): (Incoming, bool),
    mut stopping: watch::Receiver<bool>,
) {
    let span = Span::current();
    span.record("mode", "fernet");
    span.record("key", field::display(door.key.id()));
    let peer = incoming.peer.clone();
    let mut place = context.admission.enter(peer.source());
    let knocking = async {
        let conn = incoming.upgrade.await.map_err(|error| format!("the transport failed: {error}"))?;
        let mut tokens = BareFernet::new(conn.io, &door.key, door.max_token);
        let first = tokens.recv(door.idle).await.map_err(|error| error.to_string())?;
        Ok(first.map(|first| (tokens, first)))
    };
    let result = tokio::select! {
        result = knocking => result,
        () = place.evicted() => Err("its place was given to a newer connection".to_owned()),
        () = stopped(&mut stopping) => return info!("the server stops before the first token"),
    };
    match result {
        Ok(Some((tokens, first))) => {
            let visitor = Visitor { context: context.clone(), door, tokens };
            visitor.welcome((peer, is_near), place, first, stopping).await;
        }
        Ok(None) => debug!("left without a token"),
        Err(reason) => warn!(reason = %Visible(&reason), "no token at the Fernet door"),
    }
}

/// Who has sent a token of the key.
struct Visitor {
    context: Arc<Context>,
    door: Arc<Door>,
    tokens: BareFernet<Io>,
}

impl Visitor {
    /// Finds the session a place, and runs it.
    async fn welcome(
        self,
        (address, is_near): (PeerAddr, bool),
        place: Pending<'_>,
        first: Vec<u8>,
        stopping: watch::Receiver<bool>,
    ) {
        let context = self.context.clone();
        if let Some(refusal) = context.services.turns_away(&address.source()).await {
            return warn!(reason = %refusal, "session refused");
        }
        // A token may be a recorded one, so that it proves nobody.
        let _seat = match place.admit(false) {
            Ok(seat) => seat,
            Err(full) => return warn!(reason = %full, "session refused"),
        };
        let guest = context.services.sessions.enter(Peer { address, is_near, holds: Some(HeldKey::Door) });
        info!(number = guest.number(), "session begins");
        match random_id() {
            Ok(stream) => {
                let session = Session { visitor: self, guest, stream, next_line: 1, asked: None, stopping };
                session.run(first).await;
            }
            Err(error) => warn!(reason = %error, "session broken off"),
        }
    }
}

/// One request at a time, in the order in which they come.
struct Session {
    visitor: Visitor,
    guest: Guest,
    /// What the log's lines of this session belong to, and the number of the next.
    stream: String,
    next_line: u64,
    /// What the operator answers, where the operator does.
    asked: Option<Asked>,
    stopping: watch::Receiver<bool>,
}

/// Why a session ends.
enum Ending {
    /// Its client is done.
    Done,
    /// The operator has left a message without an answer for so long.
    Unanswered(Duration),
    /// The service cannot go on, and such a client could not be told.
    Failed(RequestError),
    Broken(BareError),
}

impl From<BareError> for Ending {
    fn from(error: BareError) -> Self {
        Self::Broken(error)
    }
}

impl From<RequestError> for Ending {
    fn from(error: RequestError) -> Self {
        Self::Failed(error)
    }
}

impl Session {
    async fn run(mut self, first: Vec<u8>) {
        let (caller, mut stopping) = (self.guest.clone(), self.stopping.clone());
        let drain_timeout = self.visitor.context.limits.drain_timeout;
        let ending = {
            let mut serving = pin!(self.serve(first));
            tokio::select! {
                // In this order: an answer that is there goes out before a dismissal that came behind it.
                biased;
                ending = &mut serving => Some(ending),
                dismissal = caller.dismissed() => {
                    let (Dismissal::TooSlow(text) | Dismissal::Removed(text)) = dismissal;
                    info!(text = %Visible(&text), "session ends");
                    None
                }
                () = async { stopped(&mut stopping).await; tokio::time::sleep(drain_timeout).await } => {
                    warn!("the server stops before a request is answered");
                    None
                }
            }
        };
        match ending {
            None => {}
            Some(Ending::Done) => info!("session ends"),
            Some(Ending::Unanswered(time)) => warn!(?time, "session ends, since the operator has not answered"),
            Some(Ending::Failed(error)) => warn!(reason = %Visible(&error.message), "session broken off"),
            Some(Ending::Broken(error)) => warn!(reason = %Visible(&error.to_string()), "session broken off"),
        }
        // Nobody is to answer a session that is over, while its peer takes its time to close; what was answered is said.
        let Self { mut visitor, guest, asked, .. } = self;
        let answers = asked.map(Asked::end).unwrap_or_default();
        drop(guest);
        for text in answers {
            // A peer that is gone hears none of them.
            let _ = visitor.tokens.send(text.as_bytes()).await;
        }
        visitor.tokens.close().await;
    }

    /// Answers what comes until there is no more, or the server stops and nothing is being answered.
    async fn serve(&mut self, first: Vec<u8>) -> Ending {
        let mut next = first;
        loop {
            if let Err(ending) = self.answer(next).await {
                return ending;
            }
            next = tokio::select! {
                biased;
                () = stopped(&mut self.stopping) => return Ending::Done,
                next = self.visitor.tokens.recv(self.visitor.door.idle) => match next {
                    Ok(Some(next)) => next,
                    Ok(None) => return Ending::Done,
                    Err(error) => return error.into(),
                },
            }
        }
    }

    async fn answer(&mut self, text: Vec<u8>) -> Result<(), Ending> {
        match self.visitor.door.service {
            FernetService::Query => self.query(&text).await,
            FernetService::Log if text.eq_ignore_ascii_case(EXIT) => Err(Ending::Done),
            FernetService::Log => self.log(&text).await,
            FernetService::Submit if text == SESSION_END => Err(Ending::Done),
            FernetService::Submit => self.submit(text).await,
        }
    }

    async fn query(&mut self, text: &[u8]) -> Result<(), Ending> {
        let request = Request::Query(QueryRequest { query: String::from_utf8_lossy(text).into_owned() });
        let (sink, mut replies) = ReplySink::new();
        let Self { visitor: Visitor { context, tokens, .. }, guest, .. } = self;
        let answering = async { Ok(context.services.answer(guest, request, Upload::new(0).0, sink).await?) };
        let sending = async {
            let mut end: Option<&[u8]> = Some(b"END");
            while let Some(reply) = replies.recv().await {
                match reply {
                    Reply::Query(QueryReply::Timestamp { time }) => tokens.send(time.as_bytes()).await?,
                    _ => {
                        tokens.send(b"EMPTY").await?;
                        end = None;
                    }
                }
            }
            Ok::<_, Ending>(end)
        };
        // A client that is gone is not counted for to the end.
        let ((), end) = tokio::try_join!(answering, sending)?;
        match end {
            Some(end) => Ok(tokens.send(end).await?),
            None => Ok(()),
        }
    }

    /// Keeps a message and replies to it.
    async fn log(&mut self, text: &[u8]) -> Result<(), Ending> {
        self.begin_asking()?;
        // Before the operator can read the message.
        self.asked.iter().for_each(Asked::expect);
        self.append(text).await?;
        match self.asked {
            Some(_) => self.await_operator().await,
            None => Ok(self.visitor.tokens.send(RECEIVED).await?),
        }
    }

    /// Where the operator answers, the first message makes the session one that can be answered.
    fn begin_asking(&mut self) -> Result<(), RequestError> {
        let Visitor { context, door, .. } = &self.visitor;
        let log = context.services.log.as_ref().filter(|_| door.is_answered_by_operator && self.asked.is_none());
        if let Some(log) = log {
            self.asked = Some(log.ask_operator(&self.guest, longest_text(door.max_token).unwrap_or(0))?);
        }
        Ok(())
    }

    /// Passes the answer on. Meanwhile the client may leave, and what else it says is kept at once and answered in turn.
    async fn await_operator(&mut self) -> Result<(), Ending> {
        let idle = self.visitor.door.idle;
        let mut unanswered = 1;
        while unanswered > 0 {
            tokio::select! {
                // In this order: what the operator was told is answered goes out before anything ends the session.
                biased;
                text = next_answer(&mut self.asked) => {
                    unanswered -= 1;
                    self.visitor.tokens.send(text.as_deref().map_or(RECEIVED, str::as_bytes)).await?;
                }
                () = stopped(&mut self.stopping) => return Err(Ending::Done),
                next = self.visitor.tokens.recv(idle) => match next {
                    Ok(Some(text)) if text.eq_ignore_ascii_case(EXIT) => return Err(Ending::Done),
                    Ok(Some(text)) => {
                        self.asked.iter().for_each(Asked::expect);
                        self.append(&text).await?;
                        unanswered += 1;
                    }
                    Ok(None) => return Err(Ending::Done),
                    Err(BareError::Idle(_)) => return Err(Ending::Unanswered(idle)),
                    Err(error) => return Err(error.into()),
                },
            }
        }
        Ok(())
    }

    /// Keeps the message, a long one as several lines.
    async fn append(&mut self, text: &[u8]) -> Result<(), Ending> {
        let texts: Vec<_> = pieces(&String::from_utf8_lossy(text)).into_iter().map(str::to_owned).collect();
        let (stream, number) = (self.stream.clone(), self.next_line);
        self.next_line += texts.len() as u64;
        self.request(Request::Log(LogRequest::Append { stream, number, texts }), &[]).await?;
        Ok(())
    }

    /// Keeps the data, or says in the log why not: such a client hears nothing either way.
    async fn submit(&mut self, document: Vec<u8>) -> Result<(), Ending> {
        let id = random_id().map_err(BareError::from)?;
        let request = Request::Submit(SubmitRequest { id, format: None, length: document.len() as u64 });
        if let Err(error) = self.request(request, &document).await {
            warn!(reason = %Visible(&error.message), "submitted data is not kept");
        }
        Ok(())
    }

    /// Has a request done whose replies say nothing to such a client. Not by `&self`: a stream is not for two threads.
    fn request<'a>(
        &'a mut self,
        request: Request,
        bytes: &[u8],
    ) -> impl Future<Output = Result<(), RequestError>> + Send + use<'a> {
        let (upload, chunks) = Upload::new(bytes.len() as u64);
        // It is taken from the other end.
        let _ = chunks.send(bytes.to_vec());
        let (sink, mut replies) = ReplySink::new();
        let answering = self.visitor.context.services.answer(&self.guest, request, upload, sink);
        async move { tokio::join!(answering, async { while replies.recv().await.is_some() {} }).0 }
    }
}

/// The operator's next answer, which there is none of without an operator.
async fn next_answer(asked: &mut Option<Asked>) -> Option<String> {
    asked.as_mut()?.next().await
}
