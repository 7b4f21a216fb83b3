//! Chat as a client sees it: a handle to say things with, and a stream of events that is the truth about them.
//!
//! One task owns the connection. It logs in, joins, listens, sends what was posted in the order in which it was posted,
//! and after a loss does all of it again where it left off: no entry is missing, comes twice or in another order, and a
//! post is [`Event::Sent`] when it is durable on the server, or [`Event::Failed`].

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::account::Welcome;
use super::reconnect::Pauses;
use super::{Client, Options};
use crate::model::name::{RoomName, Target, UserName};
use crate::model::password::Password;
use crate::protocol::RequestError;
use crate::protocol::account::Ticket;
use crate::protocol::chat::{ChatReply, ChatRequest, Conversation, Entry, MAX_TEXT, Style};
use crate::transport::endpoint::Endpoint;

mod asked;
mod asking;
mod event;
mod link;
mod listening;
mod outbox;
mod positions;
mod posting;

pub use asked::{Hit, Member, Moderation, Page, Room};
pub use event::{ChatError, Event};

use outbox::Post;

/// The bytes of posts that may wait to be acknowledged; whoever says more waits.
pub const MAX_OUTBOX: usize = 16 * 1024 * 1024;
/// What a post counts beside its text, so that no more than 10,000 of them wait, however short.
const POST_OVERHEAD: usize = MAX_OUTBOX / 10_000;
/// The events that may wait to be taken. A reader that is slower than the server slows the connection down.
const MAX_EVENTS: usize = 64;
/// The questions that may wait for a connection.
const MAX_QUESTIONS: usize = 64;

/// How to be there.
pub struct ChatOptions {
    /// Which server.
    pub endpoint: Endpoint,
    /// How to connect.
    pub client: Options,
    /// As whom.
    pub login: Login,
    /// The rooms to join at the start.
    pub rooms: Vec<RoomName>,
    /// When to try again.
    pub pauses: Pauses,
    /// Whether a server that cannot be reached at the start is tried again too, and not only one that was lost.
    pub patient: bool,
}

/// Who one is. After the first login only its ticket is kept.
pub enum Login {
    /// A new account.
    Signup {
        /// Its name.
        name: UserName,
        /// Its password.
        password: Password,
    },
    /// An account that is there.
    Password {
        /// Its name.
        name: UserName,
        /// Its password.
        password: Password,
    },
    /// What an earlier login gave.
    Ticket(Ticket),
    /// A session that has logged in already.
    Session {
        /// The session.
        client: Client,
        /// What its login gave.
        welcome: Welcome,
    },
}

/// Says and asks things. Clones are the same; when the last one is gone, so is the session.
#[derive(Clone)]
pub struct Chat {
    shared: Arc<Shared>,
    posts: mpsc::UnboundedSender<Queued>,
    questions: mpsc::Sender<Question>,
    leaving: Arc<watch::Sender<bool>>,
}

/// What happens, in order.
pub struct Events(mpsc::Receiver<Event>);

/// What all clones of a handle and the connection's task share.
struct Shared {
    /// What the ids of this client's posts begin with, and nobody else's.
    prefix: String,
    last_post: AtomicU64,
    room: Arc<Semaphore>,
    /// What is to be told to have been read, by conversation. A std mutex: held for map operations, never across an await.
    reads: Mutex<HashMap<String, (Target, u64)>>,
    read_more: Notify,
    /// Somebody does not want to wait for the next attempt.
    try_now: Notify,
}

/// A post and its place in the outbox.
struct Queued {
    post: Post,
    _room: OwnedSemaphorePermit,
}

/// A request that is answered once.
struct Question {
    request: ChatRequest,
    answer: oneshot::Sender<Result<Vec<ChatReply>, AskError>>,
}

/// Why something was not asked or done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AskError {
    /// The server refused.
    #[error(transparent)]
    Refused(#[from] RequestError),
    /// The answer makes no sense.
    #[error("the server gave an answer that makes no sense")]
    Nonsense,
    /// There is no session any more.
    #[error("the session has ended")]
    Ended,
}

/// Why something was not even tried to be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// It is nothing.
    #[error("there is nothing to be said")]
    Empty,
    /// It is too long.
    #[error("a message has at most {MAX_TEXT} bytes, and this one has {0}")]
    TooLong(usize),
    /// Too much waits to be sent already.
    #[error("too much waits to be sent already; try again when some of it is")]
    Full,
    /// There is no session any more.
    #[error("the session has ended")]
    Ended,
}

impl Chat {
    /// Begins; must be called in a runtime. The error is the operating system's, which gave no random bytes.
    pub fn start(options: ChatOptions) -> Result<(Self, Events), getrandom::Error> {
        let mut unique = [0; 12];
        getrandom::fill(&mut unique)?;
        let shared = Arc::new(Shared {
            prefix: format!("{}-", URL_SAFE_NO_PAD.encode(unique)),
            last_post: AtomicU64::new(0),
            room: Arc::new(Semaphore::new(MAX_OUTBOX)),
            reads: Mutex::default(),
            read_more: Notify::new(),
            try_now: Notify::new(),
        });
        let (posts, queued) = mpsc::unbounded_channel();
        let (questions, asked) = mpsc::channel(MAX_QUESTIONS);
        let (leaving, left) = watch::channel(false);
        let (events, happening) = mpsc::channel(MAX_EVENTS);
        let chat = Self { shared: shared.clone(), posts, questions, leaving: Arc::new(leaving) };
        tokio::spawn(link::run(options, shared, link::Ends { posts: queued, questions: asked, left, events }));
        Ok((chat, Events(happening)))
    }

    /// Says something. The result is its id, under which an event will say what became of it; what is posted to one
    /// conversation arrives in the order of the calls. Waits only while [`MAX_OUTBOX`] bytes are not acknowledged yet.
    pub async fn post(&self, to: &Target, style: Style, text: impl Into<String>) -> Result<String, PostError> {
        let text = text.into();
        let size = outbox_size(&text)?;
        let room = self.shared.room.clone().acquire_many_owned(size).await.map_err(|_| PostError::Ended)?;
        self.hand_over(to, style, text, room)
    }

    /// The same, but never waits: [`PostError::Full`] instead.
    pub fn try_post(&self, to: &Target, style: Style, text: impl Into<String>) -> Result<String, PostError> {
        let text = text.into();
        let size = outbox_size(&text)?;
        let room = self.shared.room.clone().try_acquire_many_owned(size).map_err(|_| PostError::Full)?;
        self.hand_over(to, style, text, room)
    }

    fn hand_over(
        &self,
        to: &Target,
        style: Style,
        text: String,
        room: OwnedSemaphorePermit,
    ) -> Result<String, PostError> {
        if *self.leaving.borrow() {
            return Err(PostError::Ended);
        }
        let number = self.shared.last_post.fetch_add(1, Ordering::Relaxed) + 1;
        let id = format!("{}{number}", self.shared.prefix);
        let post = Post { id: id.clone(), to: to.clone(), style, text };
        self.posts.send(Queued { post, _room: room }).map_err(|_| PostError::Ended)?;
        Ok(id)
    }

    /// Becomes a member of a room. What was said there lately comes as events.
    pub async fn join(&self, room: &RoomName) -> Result<Conversation, AskError> {
        let replies = self.ask(ChatRequest::Join { room: room.clone() }).await?;
        let conversation = replies.into_iter().find_map(|reply| match reply {
            ChatReply::Conversation(conversation) => Some(plausible(conversation)),
            _ => None,
        });
        conversation.ok_or(AskError::Nonsense)
    }

    /// Is no member of a room any more.
    pub async fn leave(&self, room: &RoomName) -> Result<(), AskError> {
        self.ask(ChatRequest::Leave { room: room.clone() }).await.map(drop)
    }

    /// Entries of a conversation, in their order.
    pub async fn history(&self, with: &Target, page: Page, limit: u32) -> Result<Vec<Entry>, AskError> {
        let (after, before) = match page {
            Page::After(seq) => (Some(seq), None),
            Page::Before(seq) => (None, Some(seq)),
            Page::Last => (None, None),
        };
        let replies = self.ask(ChatRequest::History { with: with.clone(), after, before, limit }).await?;
        Ok(picked(replies, |reply| match reply {
            ChatReply::Entry { entry, .. } => is_numbered(&entry).then_some(entry),
            _ => None,
        }))
    }

    /// Entries in which all words are, the newest first; in one conversation or all, and those after the hit with this
    /// cursor.
    pub async fn search(
        &self,
        words: &str,
        within: Option<Target>,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Hit>, AskError> {
        let replies = self.ask(ChatRequest::Search { words: words.to_owned(), within, before, limit }).await?;
        Ok(picked(replies, |reply| match reply {
            ChatReply::Hit { with, cursor, entry } => is_numbered(&entry).then_some(Hit { with, cursor, entry }),
            _ => None,
        }))
    }

    /// The members of a room.
    pub async fn names(&self, room: &RoomName) -> Result<Vec<Member>, AskError> {
        let replies = self.ask(ChatRequest::Names { room: room.clone() }).await?;
        Ok(picked(replies, |reply| match reply {
            ChatReply::Member { name, operator, present } => Some(Member { name, operator, present }),
            _ => None,
        }))
    }

    /// All rooms.
    pub async fn rooms(&self) -> Result<Vec<Room>, AskError> {
        let replies = self.ask(ChatRequest::Rooms).await?;
        Ok(picked(replies, |reply| match reply {
            ChatReply::Room { name, topic, members } => Some(Room { name, topic, members }),
            _ => None,
        }))
    }

    /// The account's conversations.
    pub async fn conversations(&self) -> Result<Vec<Conversation>, AskError> {
        let replies = self.ask(ChatRequest::Conversations).await?;
        Ok(picked(replies, |reply| match reply {
            ChatReply::Conversation(conversation) => Some(plausible(conversation)),
            _ => None,
        }))
    }

    /// Changes what a room is about.
    pub async fn topic(&self, room: &RoomName, topic: impl Into<String>) -> Result<(), AskError> {
        self.ask(ChatRequest::Topic { room: room.clone(), topic: topic.into() }).await.map(drop)
    }

    /// Keeps order in a room.
    pub async fn moderate(&self, moderation: Moderation) -> Result<(), AskError> {
        let Moderation { room, name, measure, lasting, address, reason } = moderation;
        let seconds = lasting.map(|lasting| lasting.as_secs());
        self.ask(ChatRequest::Moderate { room, name, measure, seconds, address, reason }).await.map(drop)
    }

    /// A conversation has been read up to here. The server is told when there is time for it, and before leaving.
    pub fn mark_read(&self, with: &Target, seq: u64) {
        self.shared.note_read(with.clone(), seq);
        self.shared.read_more.notify_one();
    }

    /// Ends the pause before the next attempt to connect, if there is one.
    pub fn try_now(&self) {
        self.shared.try_now.notify_waiters();
    }

    /// Leaves when everything that was posted is acknowledged or has failed; [`Event::Ended`] comes last. What is posted
    /// later is refused.
    pub fn quit(&self) {
        self.leaving.send_replace(true);
    }

    /// Asks until there is an answer: after a lost connection once more, since nothing that is asked here does harm twice.
    async fn ask(&self, request: ChatRequest) -> Result<Vec<ChatReply>, AskError> {
        let (answer, answered) = oneshot::channel();
        self.questions.send(Question { request, answer }).await.map_err(|_| AskError::Ended)?;
        answered.await.map_err(|_| AskError::Ended)?
    }
}

/// What a post takes of [`MAX_OUTBOX`], if it can be one.
fn outbox_size(text: &str) -> Result<u32, PostError> {
    if text.trim().is_empty() {
        return Err(PostError::Empty);
    }
    match text.len() {
        length @ 0..=MAX_TEXT => Ok((length + POST_OVERHEAD) as u32),
        length => Err(PostError::TooLong(length)),
    }
}

fn picked<T>(replies: Vec<ChatReply>, pick: impl Fn(ChatReply) -> Option<T>) -> Vec<T> {
    replies.into_iter().filter_map(pick).collect()
}

/// Whether it has a number that an entry can have: they begin with 1, and whoever counts with them relies on it.
fn is_numbered(entry: &Entry) -> bool {
    entry.seq > 0
}

/// With nothing read that was never said.
fn plausible(conversation: Conversation) -> Conversation {
    Conversation { read: conversation.read.min(conversation.last), ..conversation }
}

impl Events {
    /// The next event; `None` after [`Event::Ended`]. Cancel-safe.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}

impl Shared {
    fn note_read(&self, with: Target, seq: u64) {
        let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        let known = reads.entry(with.key()).or_insert((with, seq));
        known.1 = known.1.max(seq);
    }

    /// One conversation and how far it was read.
    fn take_read(&self) -> Option<(Target, u64)> {
        let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        let key = reads.keys().next()?.clone();
        reads.remove(&key)
    }
}
