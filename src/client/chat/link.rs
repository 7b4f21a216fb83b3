//! The task that owns the connection: connects, logs in, joins, works, and begins again when it is lost.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::asking::Asking;
use super::listening::Listening;
use super::positions::Positions;
use super::posting::Posting;
use super::{ChatError, ChatOptions, Event, Login, Question, Queued, Shared};
use crate::channel::{CloseReason, DRAIN_TIMEOUT};
use crate::client::account::{LoginError, Welcome};
use crate::client::reconnect::Backoff;
use crate::client::{CallError, Client, Options, Replies};
use crate::model::name::RoomName;
use crate::protocol::ErrorCode;
use crate::protocol::chat::{ChatReply, ChatRequest};
use crate::transport::endpoint::Endpoint;

/// What leads from the handles to the task, and back.
pub(super) struct Ends {
    pub(super) posts: mpsc::UnboundedReceiver<Queued>,
    pub(super) questions: mpsc::Receiver<Question>,
    pub(super) left: watch::Receiver<bool>,
    pub(super) events: mpsc::Sender<Event>,
}

/// Why a session, or the attempt at one, is over.
#[derive(Debug)]
pub(super) enum Break {
    /// It may be had again, after this time at least.
    Lost { reason: String, pause: Duration },
    /// It may not.
    Ended(ChatError),
    /// It is not wanted any more.
    Left,
}

impl Break {
    pub(super) fn lost(reason: impl ToString) -> Self {
        Self::Lost { reason: reason.to_string(), pause: Duration::ZERO }
    }
}

impl From<CallError> for Break {
    fn from(error: CallError) -> Self {
        match error {
            // What we said once we would say again.
            CallError::Closed(close) if matches!(close.reason, CloseReason::Removed | CloseReason::ProtocolError) => {
                Self::Ended(ChatError::Removed(close))
            }
            CallError::Request(error) if may_pass(error.code) => {
                let pause = Duration::from_secs(error.retry_after.unwrap_or(0).min(3600));
                Self::Lost { reason: CallError::Request(error).to_string(), pause }
            }
            CallError::Request(error) => Self::Ended(ChatError::Refused(error)),
            other => Self::lost(other),
        }
    }
}

/// Whether the same may be answered differently in a while.
pub(super) fn may_pass(code: ErrorCode) -> bool {
    use ErrorCode::{Internal, ShuttingDown, Throttled, TooManyRequests, Unavailable};
    matches!(code, Internal | ShuttingDown | Throttled | TooManyRequests | Unavailable)
}

/// Hands an event to whoever shows it; without anybody there is nothing left to do.
pub(super) async fn tell(events: &mpsc::Sender<Event>, event: Event) -> Result<(), Break> {
    events.send(event).await.map_err(|_| Break::Left)
}

/// Whether the session is not wanted any more.
pub(super) fn has_left(left: &watch::Receiver<bool>) -> bool {
    *left.borrow() || left.has_changed().is_err()
}

/// Completes when it is true, or when nobody is left who could make it so: without a handle nobody wants anything.
pub(super) async fn turned(switch: &mut watch::Receiver<bool>) {
    let _ = switch.wait_for(|on| *on).await;
}

/// Keeps a session for as long as it is wanted and can be had, and says how it ended.
pub(super) async fn run(options: ChatOptions, shared: Arc<Shared>, ends: Ends) {
    let Ends { posts, questions, left, events } = ends;
    let ChatOptions { endpoint, client, login, rooms, pauses, patient } = options;
    let mut link = Link {
        door: Door { endpoint, options: client, login: Some(login), rooms, patient, events: events.clone() },
        backoff: Backoff::new(pauses),
        positions: Positions::default(),
        posting: Posting::new(posts, left.clone(), events.clone()),
        asking: Asking::new(questions, shared.clone()),
        shared,
        left,
        events: events.clone(),
    };
    let result = tokio::select! {
        result = link.keep() => result,
        () = events.closed() => return,
    };
    drop(link);
    // If nobody wants to know, nobody is told.
    let _ = events.send(Event::Ended(result)).await;
}

struct Link {
    door: Door,
    backoff: Backoff,
    positions: Positions,
    posting: Posting,
    asking: Asking,
    shared: Arc<Shared>,
    left: watch::Receiver<bool>,
    events: mpsc::Sender<Event>,
}

impl Link {
    async fn keep(&mut self) -> Result<(), ChatError> {
        loop {
            let opened = tokio::select! {
                opened = self.door.open() => opened,
                () = leave_if_done(&mut self.left, &mut self.posting) => return Ok(()),
            };
            let broken = match opened {
                Ok((client, welcome)) => {
                    self.backoff.connected();
                    self.work(client, welcome).await
                }
                Err(broken) => broken,
            };
            match broken {
                Break::Left => return Ok(()),
                Break::Ended(error) => return Err(error),
                Break::Lost { reason, pause } => {
                    let retry_in = self.backoff.lost().max(pause);
                    // From before it is told, so that an answer to that is heard.
                    let mut try_now = pin!(self.shared.try_now.notified());
                    try_now.as_mut().enable();
                    if tell(&self.events, Event::Down { reason, retry_in }).await.is_err() {
                        return Ok(());
                    }
                    tokio::select! {
                        () = tokio::time::sleep(retry_in) => {}
                        () = try_now => {}
                        () = leave_if_done(&mut self.left, &mut self.posting) => return Ok(()),
                    }
                }
            }
        }
    }

    /// One session, from the first thing that is said in it to its end.
    async fn work(&mut self, client: Client, welcome: Welcome) -> Break {
        let (notes, noted) = mpsc::unbounded_channel();
        let (ready, is_ready) = watch::channel(false);
        let listening = Listening {
            client: &client,
            positions: &mut self.positions,
            events: &self.events,
            ready,
            own_name: &welcome.name,
            own_posts: &self.shared.prefix,
        };
        // Until the last post is settled there may be more to read, and what was read has to be told.
        let (settled, is_settled) = watch::channel(false);
        let posting = async {
            self.posting.run(&client, is_ready).await?;
            settled.send_replace(true);
            Ok(())
        };
        let asking = self.asking.run(&client, notes, is_settled);
        let broken = tokio::select! {
            broken = listening.run(noted) => broken,
            done = async { tokio::try_join!(posting, asking) } => done.map_or_else(|broken| broken, |_| Break::Left),
        };
        if matches!(broken, Break::Left) {
            // Whoever leaves does not care how the server takes it.
            let _ = tokio::time::timeout(2 * DRAIN_TIMEOUT, client.close()).await;
        }
        broken
    }
}

/// Completes when the session is not wanted any more and nothing waits to be said in it. Who leaves does not wait for a
/// connection to be told what he has asked.
async fn leave_if_done(wish: &mut watch::Receiver<bool>, posting: &mut Posting) {
    turned(wish).await;
    if !posting.is_done() {
        std::future::pending().await
    }
}

/// The way in.
struct Door {
    endpoint: Endpoint,
    options: Options,
    /// After the first login a ticket.
    login: Option<Login>,
    /// Those that are still to be joined.
    rooms: Vec<RoomName>,
    /// Whether what may pass is waited for; always after the first login.
    patient: bool,
    events: mpsc::Sender<Event>,
}

impl Door {
    /// A session that is ours, in the rooms that it should be in.
    async fn open(&mut self) -> Result<(Client, Welcome), Break> {
        let (client, welcome) = match self.login.take() {
            Some(Login::Session { client, welcome }) => (client, welcome),
            login => {
                self.login = login;
                self.enter().await?
            }
        };
        self.login = Some(Login::Ticket(welcome.ticket.clone()));
        self.patient = true;
        let (name, endpoint) = (welcome.name.clone(), self.endpoint.clone());
        tell(&self.events, Event::Online { name, endpoint, mode: client.mode(), proof: client.proof() }).await?;
        self.join_all(&client).await?;
        Ok((client, welcome))
    }

    async fn enter(&self) -> Result<(Client, Welcome), Break> {
        let connected = Client::connect(&self.endpoint, &self.options).await;
        let client = connected.map_err(|error| match error.may_pass() && self.patient {
            true => Break::lost(error),
            false => Break::Ended(error.into()),
        })?;
        let welcome = match &self.login {
            Some(Login::Signup { name, password }) => client.signup(name, password).await,
            Some(Login::Password { name, password }) => client.login(name, password).await,
            Some(Login::Ticket(ticket)) => client.resume(ticket).await,
            // Taken once, and followed by a ticket.
            Some(Login::Session { .. }) | None => return Err(Break::Ended(ChatError::LoggedOut)),
        };
        welcome.map(|welcome| (client, welcome)).map_err(|error| self.judge(error))
    }

    fn judge(&self, error: LoginError) -> Break {
        match (error, &self.login) {
            (error, Some(Login::Ticket(_))) if error.is(ErrorCode::BadCredentials) => {
                Break::Ended(ChatError::LoggedOut)
            }
            (LoginError::Call(CallError::Request(error)), _) => match may_pass(error.code) && self.patient {
                true => CallError::Request(error).into(),
                false => Break::Ended(LoginError::Call(CallError::Request(error)).into()),
            },
            (LoginError::Call(error), Some(Login::Signup { .. })) => {
                Break::Ended(ChatError::SignupUnclear(error.to_string()))
            }
            (LoginError::Call(error), _) if self.patient => error.into(),
            (error, _) => Break::Ended(error.into()),
        }
    }

    async fn join_all(&mut self, client: &Client) -> Result<(), Break> {
        while let Some(room) = self.rooms.first() {
            match collect(client, ChatRequest::Join { room: room.clone() }).await {
                Ok(_) => {}
                Err(CallError::Request(why)) if !may_pass(why.code) => {
                    tell(&self.events, Event::NotJoined { room: room.clone(), why }).await?;
                }
                Err(error) => return Err(error.into()),
            }
            self.rooms.remove(0);
        }
        Ok(())
    }
}

/// The most replies to one question; no answer has as many.
const MAX_REPLIES: usize = 100_000;

/// Every reply to a request that is answered once.
pub(super) async fn collect(client: &Client, request: ChatRequest) -> Result<Vec<ChatReply>, CallError> {
    collected(client.chat(request)).await
}

/// The same, of a request that has been sent.
pub(super) async fn collected(mut replies: Replies<ChatReply>) -> Result<Vec<ChatReply>, CallError> {
    let mut collected = Vec::new();
    while let Some(reply) = replies.next_in_time().await? {
        if collected.len() == MAX_REPLIES {
            return Err(CallError::Nonsense("an answer without an end".to_owned()));
        }
        collected.push(reply);
    }
    Ok(collected)
}
