//! One listening session: what it has missed, then what happens, each entry once and in its order.

use std::collections::HashMap;
use std::sync::Arc;

use super::hub::{Item, Listening};
use super::{Chat, Replies, conversation, entry};
use crate::model::name::Target;
use crate::protocol::RequestError;
use crate::protocol::chat::{ChatReply, Position};
use crate::service::caller::{Caller, Identity};
use crate::service::{refused, unavailable};
use crate::store::{AccountId, Committed, ConversationId, Membership, Place};

/// The entries that are read from the store at a time.
const PAGE: u32 = 200;

/// How far a listener has come in each conversation.
struct Listener<'a> {
    chat: &'a Chat,
    me: AccountId,
    replies: &'a Replies,
    sent: HashMap<ConversationId, u64>,
}

impl Chat {
    /// Streams to one session until the request is cancelled.
    pub(super) async fn listen(
        &self,
        caller: &Arc<Caller>,
        me: Identity,
        resume: Vec<Position>,
        replies: &Replies,
    ) -> Result<(), RequestError> {
        let account = me.id;
        let listening = self.hub.enter(caller, me);
        let mut listening = listening.ok_or_else(|| refused("this session listens already"))?;
        let mut listener = Listener { chat: self, me: account, replies, sent: HashMap::new() };
        listener.catch_up_everywhere(&listening, &resume).await?;
        replies.send(ChatReply::Ready).await;
        loop {
            match listening.next().await {
                Item::Entry(committed) => listener.take(&committed).await?,
                Item::Joined(membership) => listener.begin(&membership, membership.read).await?,
                Item::Left(room) => {
                    let gone =
                        self.store.membership(account, &Target::Room(room.clone())).await.map_err(unavailable)?;
                    // Who has come back in between is not told to have left.
                    if gone.is_none() {
                        replies.send(ChatReply::Left { room }).await;
                    }
                }
                Item::Event(event) => replies.send((*event).clone()).await,
            }
        }
    }
}

impl Listener<'_> {
    /// Everything since the client's positions, or since what the account has read.
    async fn catch_up_everywhere(&mut self, listening: &Listening, resume: &[Position]) -> Result<(), RequestError> {
        let positions: HashMap<_, _> = resume.iter().map(|position| (position.with.key(), position.seq)).collect();
        for membership in self.chat.store.memberships(self.me).await.map_err(unavailable)? {
            let Some(membership) = self.enter(listening, membership).await? else { continue };
            let from = positions.get(&membership.with.key()).copied().unwrap_or(membership.read);
            self.begin(&membership, from).await?;
        }
        Ok(())
    }

    /// Hears the conversation from now on, if the account is still in it: it may have taken long to come here, and who was
    /// thrown out of a room in between was not yet there to be detached from it.
    async fn enter(&self, listening: &Listening, found: Membership) -> Result<Option<Membership>, RequestError> {
        let Target::Room(room) = &found.with else { return Ok(Some(found)) };
        loop {
            self.chat.hub.attach(listening, room);
            let now = self.chat.store.membership(self.me, &found.with).await.map_err(unavailable)?;
            if now.is_some() {
                return Ok(now);
            }
            self.chat.hub.detach(listening, room);
            if self.chat.store.membership(self.me, &found.with).await.map_err(unavailable)?.is_none() {
                return Ok(None);
            }
        }
    }

    /// A conversation is there, and what comes after this number is missed.
    async fn begin(&mut self, membership: &Membership, from: u64) -> Result<(), RequestError> {
        self.replies.send(ChatReply::Conversation(conversation(membership))).await;
        // Joining what one is in already brings nothing twice.
        self.sent.entry(membership.id).or_insert(from.min(membership.last));
        self.catch_up(membership.id, &membership.with).await
    }

    async fn catch_up(&mut self, id: ConversationId, with: &Target) -> Result<(), RequestError> {
        let sent = self.sent.entry(id).or_insert(0);
        loop {
            // As a member: a client that stands still in here could be thrown out meanwhile.
            let page = self.chat.store.entries_to(self.me, id, *sent, PAGE).await.map_err(unavailable)?;
            if page.is_empty() {
                return Ok(());
            }
            for missed in page {
                self.replies.send(ChatReply::Entry { with: with.clone(), entry: entry(&missed) }).await;
                *sent = missed.seq;
            }
        }
    }

    /// An entry that has just been committed, if it has not been sent already.
    async fn take(&mut self, committed: &Committed) -> Result<(), RequestError> {
        let with = seen_from(&committed.place, self.me);
        let id = committed.place.id();
        if !self.sent.contains_key(&id) {
            // The first word of somebody new; where it is not the first, what came before was missed on another day.
            let membership = self.chat.store.membership(self.me, &with).await.map_err(unavailable)?;
            let Some(membership) = membership else { return Ok(()) };
            return self.begin(&membership, membership.read.min(committed.entry.seq - 1)).await;
        }
        let sent = self.sent.entry(id).or_insert(0);
        if committed.entry.seq == *sent + 1 {
            *sent = committed.entry.seq;
            self.replies.send(ChatReply::Entry { with, entry: entry(&committed.entry) }).await;
            return Ok(());
        }
        // Either it was sent already, and there is nothing after what was sent, or something is missing in between.
        if committed.entry.seq > *sent { self.catch_up(id, &with).await } else { Ok(()) }
    }
}

/// A conversation's name for one of those in it.
fn seen_from(place: &Place, me: AccountId) -> Target {
    match place {
        Place::Room { name, .. } => Target::Room(name.clone()),
        Place::Direct { between: [(one, its_name), (_, other_name)], .. } => {
            Target::User(if *one == me { other_name.clone() } else { its_name.clone() })
        }
    }
}
