//! Chat: rooms and direct messages, each a conversation whose entries are numbered from 1 without a gap.
//!
//! A conversation is named by whom one talks to: `#room`, or the other person's name. `listen` streams what happens;
//! everything else is asked and answered. Whoever has seen an entry's number knows which come before it.

use serde::{Deserialize, Serialize};

use crate::model::name::{RoomName, Target, UserName};

/// The longest text of an entry, in bytes.
pub const MAX_TEXT: usize = 64 * 1024;
/// The longest topic of a room, and the longest reason, in bytes.
pub const MAX_TOPIC: usize = 512;
/// The longest id of a post, in bytes.
pub const MAX_POST_ID: usize = 64;
/// The most entries or hits of one answer.
pub const MAX_PAGE: u32 = 1000;
/// The most conversations that a client may resume by number.
pub const MAX_POSITIONS: usize = 1000;
/// The most names in one event of presence; the others are counted.
pub const MAX_NAMES: usize = 50;

/// What a member asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum ChatRequest {
    /// Streams, until it is cancelled: every conversation, what was missed in it, [`ChatReply::Ready`], then what happens.
    /// One at a time in a session. Whoever listens is present in his rooms.
    Listen {
        /// The last entries that the client has; elsewhere it is what the account has not read.
        #[serde(default)]
        resume: Vec<Position>,
    },
    /// Becomes a member of a room, which is made if it is not there.
    Join {
        /// Which.
        room: RoomName,
    },
    /// Is no member any more.
    Leave {
        /// Which.
        room: RoomName,
    },
    /// Says something. It is durable when it is answered.
    Post {
        /// To whom.
        to: Target,
        /// Made by the client, a new one for each post; the same again is answered as it was, and said once.
        post_id: String,
        /// How it is meant.
        #[serde(default)]
        style: Style,
        /// What.
        text: String,
    },
    /// Entries of a conversation in their order: those after a number, or the last before one.
    History {
        /// Which.
        with: Target,
        /// After this number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<u64>,
        /// Before this number; without either, the last there are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<u64>,
        /// How many at most.
        limit: u32,
    },
    /// Entries of the account's conversations in which all words are, the newest first.
    Search {
        /// The words; the last may be unfinished.
        words: String,
        /// In one conversation alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        within: Option<Target>,
        /// Those after the hit with this cursor.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<u64>,
        /// How many at most.
        limit: u32,
    },
    /// The members of a room.
    Names {
        /// Which.
        room: RoomName,
    },
    /// The account's conversations.
    Conversations,
    /// All rooms.
    Rooms,
    /// Changes what a room is about.
    Topic {
        /// Which.
        room: RoomName,
        /// What it is about.
        topic: String,
    },
    /// Has read a conversation up to here. Never goes back.
    Read {
        /// Which.
        with: Target,
        /// The last entry that was read.
        seq: u64,
    },
    /// Keeps order in a room; for its operators.
    Moderate {
        /// Where.
        room: RoomName,
        /// Whom.
        name: UserName,
        /// What is done.
        measure: Measure,
        /// For how long, for a ban or a mute; without it, until it is lifted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<u64>,
        /// Whether a ban also holds for the addresses from which the person is connected now.
        #[serde(default)]
        address: bool,
        /// Why, for everybody in the room.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
}

/// How far a client has come in a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Which.
    pub with: Target,
    /// The last entry that it has.
    pub seq: u64,
}

/// How a text is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// Somebody says it.
    #[default]
    Text,
    /// Somebody does it, as after `/me`.
    Action,
}

/// What an operator does with a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Out of the room; may come back.
    Kick,
    /// Out of the room, and not back.
    Ban,
    /// May come again.
    Unban,
    /// May not say anything.
    Mute,
    /// May speak again.
    Unmute,
    /// Becomes an operator.
    Op,
    /// Is no operator any more.
    Deop,
}

/// What was said and done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ChatReply {
    /// A conversation of the account; an event when it begins, or the answer to a join.
    Conversation(Conversation),
    /// Everything that was missed has come.
    Ready,
    /// Somebody said something: an event, or a part of a history.
    Entry {
        /// In which conversation.
        with: Target,
        /// What.
        #[serde(flatten)]
        entry: Entry,
    },
    /// An entry that a search has found.
    Hit {
        /// In which conversation.
        with: Target,
        /// For going on from here.
        cursor: u64,
        /// What.
        #[serde(flatten)]
        entry: Entry,
    },
    /// A post is durable.
    Posted {
        /// Its number.
        seq: u64,
        /// When, in milliseconds since 1970 (UTC).
        time: i64,
    },
    /// A member of a room.
    Member {
        /// Who.
        name: UserName,
        /// Whether they are an operator of it.
        operator: bool,
        /// Whether they listen now.
        present: bool,
    },
    /// A room of the server.
    Room {
        /// Which.
        name: RoomName,
        /// What it is about.
        topic: String,
        /// How many members it has.
        members: u64,
    },
    /// An event: who has come and gone since the last such event of the room.
    Presence {
        /// Where.
        room: RoomName,
        /// Who listens now; at most [`MAX_NAMES`].
        joined: Vec<UserName>,
        /// Who does not any more; at most [`MAX_NAMES`].
        left: Vec<UserName>,
        /// How many have changed beyond those that are named.
        #[serde(default, skip_serializing_if = "is_zero")]
        more: u64,
        /// How many listen now.
        present: u64,
    },
    /// An event: a room is about something else.
    Topic {
        /// Which.
        room: RoomName,
        /// What it is about.
        topic: String,
        /// Who says so; nobody for the server's operator.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<UserName>,
    },
    /// An event: the account is no member of a room any more, by its own wish in another session or an operator's.
    Left {
        /// Which.
        room: RoomName,
    },
    /// An event: an operator kept order.
    Moderated {
        /// Where.
        room: RoomName,
        /// Whom.
        name: UserName,
        /// What was done.
        measure: Measure,
        /// Until when, in milliseconds since 1970 (UTC).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<i64>,
        /// By whom; nobody for the server's operator.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<UserName>,
        /// Why.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// An event: the server's operator says something to all, or to this account.
    Notice {
        /// What.
        text: String,
        /// Whether it is for this account alone.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        to_you: bool,
    },
    /// A kind of a later version; to be ignored.
    #[serde(other)]
    Other,
}

/// A conversation as one account sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// Whom one talks to in it.
    pub with: Target,
    /// What the room is about; empty for a person.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub topic: String,
    /// Whether the account is an operator of the room.
    #[serde(default)]
    pub operator: bool,
    /// The number of the last entry; 0 if there is none.
    pub last: u64,
    /// The last entry that the account has read.
    pub read: u64,
}

impl Conversation {
    /// How many entries the account has not read.
    pub fn unread(&self) -> u64 {
        self.last.saturating_sub(self.read)
    }
}

/// Something that was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number in the conversation.
    pub seq: u64,
    /// When, in milliseconds since 1970 (UTC), by the server's clock.
    pub time: i64,
    /// By whom.
    pub from: UserName,
    /// How it is meant.
    #[serde(default)]
    pub style: Style,
    /// What. Text from somebody else: make control characters visible before showing it.
    pub text: String,
    /// The id that its author's client gave it.
    pub post_id: String,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
