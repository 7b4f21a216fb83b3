//! Chat: rooms and direct messages over the store, and what those who listen are told of them.
//!
//! ```text
//! post -> flood -> store (durable, numbered) -> feed, in the order of the commits -> hub -> queue of each listener
//! listen: register with the hub, then what was missed from the store, then the queue; numbers tell what came twice
//! ```

use std::sync::Arc;

use tokio::task::JoinSet;

use super::caller::{Caller, Identity};
use super::{ReplySink, now, refused, unavailable};
use crate::model::name::{RoomName, Target, UserName};
use crate::model::peer::Source;
use crate::protocol::chat::{
    ChatReply, ChatRequest, Conversation, Entry, MAX_PAGE, MAX_POSITIONS, MAX_POST_ID, MAX_TEXT, MAX_TOPIC, Measure,
    Style,
};
use crate::protocol::{ErrorCode, Reply, RequestError};
use crate::store::{self, Authority, Feed, Membership, Page, Post, Refusal, Search, Store};

mod door;
mod flood;
mod hub;
mod listen;

pub(super) use door::what;

use door::Door;
use flood::Flood;
use hub::Hub;

/// The most rooms of one account. Conversations with people do not count: others begin them, and nobody can leave one.
pub const MAX_ROOMS: usize = 1000;

/// The chat service.
pub struct Chat {
    store: Store,
    hub: Arc<Hub>,
    door: Door,
    flood: Flood,
    /// What moves entries and events; it ends with the service.
    _movers: JoinSet<()>,
}

/// What an operator does with a person in a room.
pub struct Order {
    /// Where.
    pub room: RoomName,
    /// Whom.
    pub name: UserName,
    /// What is done.
    pub measure: Measure,
    /// For how many seconds, for a ban or a mute.
    pub seconds: Option<u64>,
    /// Whether a ban also holds for the person's present addresses.
    pub address: bool,
    /// Why.
    pub reason: String,
}

impl Chat {
    /// Keeps everything in the store, whose feed this is. Call it inside of a runtime.
    pub fn new(store: Store, mut feed: Feed) -> Self {
        let hub = Arc::<Hub>::default();
        let mut movers = JoinSet::new();
        let publisher = hub.clone();
        movers.spawn(async move {
            while let Some(committed) = feed.next().await {
                publisher.publish(committed);
            }
        });
        let teller = hub.clone();
        movers.spawn(async move { teller.tell_presence().await });
        let door = Door { store: store.clone(), hub: hub.clone() };
        Self { store, hub, door, flood: Flood::default(), _movers: movers }
    }

    /// Answers a request of somebody who has logged in.
    pub async fn answer(
        &self,
        caller: &Arc<Caller>,
        request: ChatRequest,
        replies: ReplySink,
    ) -> Result<(), RequestError> {
        let me = caller.logged_in()?;
        let chat = Replies(replies);
        match request {
            ChatRequest::Listen { resume } => {
                check_length("positions", resume.len(), MAX_POSITIONS)?;
                self.listen(caller, me, resume, &chat).await
            }
            ChatRequest::Join { room } => {
                let membership = self.join(caller, &me, &room).await?;
                chat.send(ChatReply::Conversation(conversation(&membership))).await;
                Ok(())
            }
            ChatRequest::Leave { room } => self.door.leave(me.id, &room).await,
            ChatRequest::Post { to, post_id, style, text } => {
                let reply = self.post(caller, &me, (to, post_id, style, text)).await?;
                chat.send(reply).await;
                Ok(())
            }
            ChatRequest::History { with, after, before, limit } => {
                let page = match (after, before) {
                    (Some(seq), None) => Page::After { seq, limit: limit.min(MAX_PAGE) },
                    (None, before) => Page::Before { seq: before.unwrap_or(u64::MAX), limit: limit.min(MAX_PAGE) },
                    (Some(_), Some(_)) => return Err(bad("a history is after a number or before one, not both")),
                };
                let membership = self.membership(&me, &with).await?;
                for entry in self.store.entries(membership.id, page).await.map_err(unavailable)? {
                    chat.send(ChatReply::Entry { with: membership.with.clone(), entry: self::entry(&entry) }).await;
                }
                Ok(())
            }
            ChatRequest::Search { words, within, before, limit } => {
                check_length("the words", words.len(), MAX_TOPIC)?;
                let search = Search { words, within, before, limit: limit.min(MAX_PAGE) };
                for hit in self.store.search(me.id, search).await.map_err(unavailable)? {
                    let entry = entry(&hit.entry);
                    chat.send(ChatReply::Hit { with: hit.with, cursor: hit.cursor, entry }).await;
                }
                Ok(())
            }
            ChatRequest::Names { room } => {
                self.membership(&me, &Target::Room(room.clone())).await?;
                let present = self.hub.present(&room);
                for member in self.store.members(&room).await.map_err(unavailable)? {
                    let present = present.contains(&member.account);
                    chat.send(ChatReply::Member { name: member.name, operator: member.operator, present }).await;
                }
                Ok(())
            }
            ChatRequest::Conversations => {
                for membership in self.store.memberships(me.id).await.map_err(unavailable)? {
                    chat.send(ChatReply::Conversation(conversation(&membership))).await;
                }
                Ok(())
            }
            ChatRequest::Rooms => {
                for room in self.rooms().await? {
                    chat.send(ChatReply::Room { name: room.name, topic: room.topic, members: room.members }).await;
                }
                Ok(())
            }
            ChatRequest::Topic { room, topic } => self.set_topic(caller, &me, room, topic).await,
            ChatRequest::Read { with, seq } => {
                let membership = self.membership(&me, &with).await?;
                self.store.mark_read(me.id, membership.id, seq).await.map_err(unavailable)
            }
            ChatRequest::Moderate { room, name, measure, seconds, address, reason } => {
                self.moderate(Some(&me), Order { room, name, measure, seconds, address, reason }).await
            }
        }
    }

    /// All rooms.
    pub async fn rooms(&self) -> Result<Vec<store::RoomSummary>, RequestError> {
        self.store.rooms().await.map_err(unavailable)
    }

    /// The server's operator says something to everybody who listens; how many sessions that are.
    pub fn say(&self, text: &str) -> usize {
        self.hub.notify(None, ChatReply::Notice { text: text.to_owned(), to_you: false })
    }

    /// The server's operator says something to one person; how many of their sessions listen.
    pub async fn tell(&self, name: &UserName, text: &str) -> Result<usize, RequestError> {
        let account = self.store.account(name).await.map_err(unavailable)?;
        let account = account.ok_or_else(|| not_found(format!("there is no account {name}")))?;
        Ok(self.hub.notify(Some(account.id), ChatReply::Notice { text: text.to_owned(), to_you: true }))
    }

    /// Puts everybody out of the room who listens to it from there, in the name of the server's operator.
    pub async fn clear(&self, room: &RoomName, source: &Source, reason: &str) -> Result<usize, RequestError> {
        let names = self.hub.listeners_from(room, source);
        for name in &names {
            let (room, name, reason) = (room.clone(), name.clone(), reason.to_owned());
            self.moderate(None, Order { room, name, measure: Measure::Kick, seconds: None, address: false, reason })
                .await?;
        }
        Ok(names.len())
    }

    /// Keeps order, in the name of an operator of the room, or of the server's.
    pub async fn moderate(&self, by: Option<&Identity>, order: Order) -> Result<(), RequestError> {
        check_length("the reason", order.reason.len(), MAX_TOPIC)?;
        let until = match (order.measure, order.seconds) {
            (Measure::Ban | Measure::Mute, Some(0)) => {
                return Err(bad("0 seconds are no time; leave them out for no end"));
            }
            (Measure::Ban | Measure::Mute, Some(seconds)) => Some(end_of(seconds)?),
            _ => None,
        };
        self.door.moderate(by.cloned(), order, until).await
    }

    async fn join(&self, caller: &Caller, me: &Identity, room: &RoomName) -> Result<Membership, RequestError> {
        self.flood.admit(me.id, 0).await?;
        let target = Target::Room(room.clone());
        if self.store.membership(me.id, &target).await.map_err(unavailable)?.is_none() {
            let memberships = self.store.memberships(me.id).await.map_err(unavailable)?;
            if memberships.iter().filter(|membership| matches!(membership.with, Target::Room(_))).count() >= MAX_ROOMS {
                return Err(refused(format!("you are in {MAX_ROOMS} rooms already; leave one first")));
            }
        }
        self.door.join(me.id, caller.peer().address.source(), room).await
    }

    async fn post(
        &self,
        caller: &Caller,
        me: &Identity,
        (to, post_id, style, text): (Target, String, Style, String),
    ) -> Result<ChatReply, RequestError> {
        check_length("the text", text.len(), MAX_TEXT)?;
        if text.trim().is_empty() {
            return Err(bad("there is nothing in the text"));
        }
        check_length("the post's id", post_id.len(), MAX_POST_ID)?;
        if post_id.is_empty() || !post_id.chars().all(|c| c.is_ascii_graphic()) {
            return Err(bad("a post's id is made of visible ASCII characters"));
        }
        self.flood.admit(me.id, text.len()).await?;
        let source = caller.peer().address.source();
        let kind = match style {
            Style::Text => store::EntryKind::Text,
            Style::Action => store::EntryKind::Action,
        };
        let post = Post { author: me.id, source, to, kind, text, post_id, time: now() };
        let posted = self.store.post(post).await.map_err(unavailable)?.map_err(told)?;
        Ok(ChatReply::Posted { seq: posted.seq, time: posted.time })
    }

    async fn set_topic(
        &self,
        caller: &Caller,
        me: &Identity,
        room: RoomName,
        topic: String,
    ) -> Result<(), RequestError> {
        check_length("the topic", topic.len(), MAX_TOPIC)?;
        if topic.chars().any(char::is_control) {
            return Err(bad("a topic is one line without control characters"));
        }
        self.flood.admit(me.id, topic.len()).await?;
        let (by, source) = (Authority::Account(me.id), caller.peer().address.source());
        let set = self.store.set_topic(by, Some(&source), &room, topic.clone()).await.map_err(unavailable)?;
        set.map_err(told)?;
        let by = Some(me.name.clone());
        self.hub.announce(&room, |room| ChatReply::Topic { room, topic, by });
        Ok(())
    }

    async fn membership(&self, me: &Identity, with: &Target) -> Result<Membership, RequestError> {
        let membership = self.store.membership(me.id, with).await.map_err(unavailable)?;
        membership.ok_or_else(|| match with {
            Target::Room(room) => refused(format!("you are no member of {room}; join it first")),
            Target::User(user) => not_found(format!("you have not talked with {user} yet")),
        })
    }
}

/// A sink for this service's replies.
struct Replies(ReplySink);

impl Replies {
    async fn send(&self, reply: ChatReply) {
        self.0.send(Reply::Chat(reply)).await;
    }
}

/// The end of so many seconds from now.
fn end_of(seconds: u64) -> Result<i64, RequestError> {
    let end = i64::try_from(seconds)
        .ok()
        .and_then(|seconds| seconds.checked_mul(1000))
        .and_then(|time| time.checked_add(now()));
    end.filter(|end| *end <= crate::protocol::MAX_INTEGER as i64).ok_or_else(|| bad("that many seconds have no end"))
}

fn conversation(membership: &Membership) -> Conversation {
    Conversation {
        with: membership.with.clone(),
        topic: membership.topic.clone(),
        operator: membership.operator,
        last: membership.last,
        read: membership.read,
    }
}

fn entry(entry: &store::Entry) -> Entry {
    let style = match entry.kind {
        store::EntryKind::Text => Style::Text,
        store::EntryKind::Action => Style::Action,
    };
    let (seq, time, post_id) = (entry.seq, entry.time, entry.post_id.clone());
    Entry { seq, time, from: entry.author.clone(), style, text: entry.text.clone(), post_id }
}

fn check_length(what: &str, length: usize, most: usize) -> Result<(), RequestError> {
    if length <= most { Ok(()) } else { Err(bad(format!("{what}: {length} is more than {most}"))) }
}

fn bad(message: impl Into<String>) -> RequestError {
    RequestError::new(ErrorCode::BadRequest, message)
}

fn not_found(message: String) -> RequestError {
    RequestError::new(ErrorCode::NotFound, message)
}

/// What the store does not allow.
fn told(refusal: Refusal) -> RequestError {
    let code = match refusal {
        Refusal::NoSuchRoom | Refusal::NoSuchUser(..) => ErrorCode::NotFound,
        _ => ErrorCode::Refused,
    };
    RequestError::new(code, refusal.to_string())
}

#[cfg(test)]
mod tests;
