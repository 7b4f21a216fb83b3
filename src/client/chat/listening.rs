//! What the server tells by itself, made into events: entries once and in order, with what was missing in between.

use tokio::sync::{mpsc, watch};

use super::link::{Break, collect, may_pass, tell};
use super::positions::{Positions, Verdict};
use super::{Event, is_numbered, plausible};
use crate::client::{CallError, Client, Replies};
use crate::model::name::{Target, UserName};
use crate::protocol::chat::{ChatReply, ChatRequest, Conversation, Entry, MAX_PAGE};

/// What an answer to a question means for listening.
pub(super) enum Note {
    /// A room was joined.
    Joined(Conversation),
    /// A room was left.
    Left(Target),
}

/// Listens in one session.
pub(super) struct Listening<'a> {
    pub(super) client: &'a Client,
    pub(super) positions: &'a mut Positions,
    pub(super) events: &'a mpsc::Sender<Event>,
    /// Whether everything that was missed has come.
    pub(super) ready: watch::Sender<bool>,
    pub(super) own_name: &'a UserName,
    /// What the ids of our own posts begin with.
    pub(super) own_posts: &'a str,
}

impl Listening<'_> {
    /// Listens until the session breaks.
    pub(super) async fn run(mut self, mut notes: mpsc::UnboundedReceiver<Note>) -> Break {
        self.positions.begin();
        let mut replies = self.client.chat(ChatRequest::Listen { resume: self.positions.resume() });
        loop {
            let is_ready = *self.ready.borrow();
            let step = tokio::select! {
                reply = next(&mut replies, is_ready) => match reply {
                    Ok(Some(reply)) => self.hear(reply).await,
                    Ok(None) => Err(Break::lost("the server does not say any more what is said")),
                    Err(error) => Err(error.into()),
                },
                Some(note) = notes.recv() => self.note(note).await,
            };
            if let Err(broken) = step {
                return broken;
            }
        }
    }

    async fn note(&mut self, note: Note) -> Result<(), Break> {
        match note {
            Note::Joined(conversation) => self.conversation(conversation).await,
            Note::Left(room) => {
                self.positions.leave(&room);
                Ok(())
            }
        }
    }

    async fn hear(&mut self, reply: ChatReply) -> Result<(), Break> {
        let event = match reply {
            ChatReply::Conversation(conversation) => return self.conversation(conversation).await,
            ChatReply::Entry { with, entry } if is_numbered(&entry) => return self.entry(with, entry).await,
            ChatReply::Ready => {
                for (with, _) in self.positions.ready() {
                    self.fill(&with).await?;
                }
                self.ready.send_replace(true);
                Event::Ready
            }
            ChatReply::Presence { room, joined, left, more, present } => {
                Event::Presence { room, joined, left, more, present }
            }
            ChatReply::Topic { room, topic, by } => Event::Topic { room, topic, by },
            ChatReply::Left { room } => {
                self.positions.leave(&Target::Room(room.clone()));
                Event::Left { room }
            }
            ChatReply::Moderated { room, name, measure, until, by, reason } => {
                Event::Moderated { room, name, measure, until, by, reason }
            }
            ChatReply::Notice { text, to_you } => Event::Notice { text, to_you },
            // Of a later version, or nothing that happens.
            _ => return Ok(()),
        };
        tell(self.events, event).await
    }

    async fn conversation(&mut self, conversation: Conversation) -> Result<(), Break> {
        let conversation = plausible(conversation);
        let missing = self.positions.conversation(&conversation);
        let with = conversation.with.clone();
        tell(self.events, Event::Conversation(conversation)).await?;
        match missing {
            Some(_) => self.fill(&with).await,
            None => Ok(()),
        }
    }

    async fn entry(&mut self, with: Target, entry: Entry) -> Result<(), Break> {
        if let Verdict::Gap { .. } = self.positions.verdict(&with, entry.seq) {
            self.positions.heard_of(&with, entry.seq - 1);
            self.fill(&with).await?;
        }
        match self.positions.verdict(&with, entry.seq) {
            Verdict::Known => Ok(()),
            Verdict::Next | Verdict::Gap { .. } => self.hand_out(with, entry).await,
        }
    }

    /// Fetches what is missing up to what is known to be there.
    async fn fill(&mut self, with: &Target) -> Result<(), Break> {
        while let Some(after) = self.positions.behind(with) {
            let request =
                ChatRequest::History { with: with.clone(), after: Some(after), before: None, limit: MAX_PAGE };
            let replies = match collect(self.client, request).await {
                Ok(replies) => replies,
                // It is not ours to read any more.
                Err(CallError::Request(error)) if !may_pass(error.code) => Vec::new(),
                Err(error) => return Err(error.into()),
            };
            for reply in replies {
                if let ChatReply::Entry { with: place, entry } = reply
                    && place == *with
                    && is_numbered(&entry)
                    && self.positions.verdict(with, entry.seq) != Verdict::Known
                {
                    self.hand_out(place, entry).await?;
                }
            }
            if self.positions.behind(with) == Some(after) {
                self.positions.give_up_gap(with);
            }
        }
        Ok(())
    }

    async fn hand_out(&mut self, with: Target, entry: Entry) -> Result<(), Break> {
        let (place, seq) = (with.clone(), entry.seq);
        let mine = entry.from == *self.own_name && entry.post_id.starts_with(self.own_posts);
        tell(self.events, Event::Entry { with, entry, mine }).await?;
        self.positions.hand_out(&place, seq);
        Ok(())
    }
}

/// What the server says next. Before everything missed has come it has something to say.
async fn next(replies: &mut Replies<ChatReply>, is_ready: bool) -> Result<Option<ChatReply>, CallError> {
    if is_ready { replies.next().await } else { replies.next_in_time().await }
}
