//! Posting: the next number of the conversation and the entry, in one transaction; once for each id.

use std::sync::Arc;

use super::Store;
use super::accounts::{AccountId, living, living_named};
use super::conversations::{ConversationId, enter, may_speak, room};
use super::entries::{Entry, EntryKind};
use super::error::StoreError;
use super::sanctions::{Asking, Kind, Refusal};
use super::statements::{Statements, number};
use super::writer::Transaction;
use crate::model::name::{RoomName, Target, UserName};
use crate::model::peer::Source;

/// What somebody says.
#[derive(Debug, Clone)]
pub struct Post {
    /// Who says it.
    pub author: AccountId,
    /// Where from.
    pub source: Source,
    /// To whom.
    pub to: Target,
    /// How it is meant.
    pub kind: EntryKind,
    /// What is said.
    pub text: String,
    /// The author's own id of it: the same again is no new entry.
    pub post_id: String,
    /// When.
    pub time: i64,
}

/// Where a post has come to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posted {
    /// The conversation.
    pub conversation: ConversationId,
    /// Its number there.
    pub seq: u64,
    /// When it was first posted.
    pub time: i64,
    /// Whether it had been posted before.
    pub repeated: bool,
}

/// An entry that is on the disk, and where it stands.
#[derive(Debug, Clone)]
pub struct Committed {
    /// The conversation.
    pub place: Arc<Place>,
    /// What was said.
    pub entry: Arc<Entry>,
}

/// Where an entry stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a room.
    Room {
        /// What it is referred to by.
        id: ConversationId,
        /// Its name.
        name: RoomName,
    },
    /// Between two people, who may be one.
    Direct {
        /// What it is referred to by.
        id: ConversationId,
        /// Both, in the order in which their accounts were made.
        between: [(AccountId, UserName); 2],
    },
}

impl Place {
    /// The conversation.
    pub fn id(&self) -> ConversationId {
        match self {
            Self::Room { id, .. } | Self::Direct { id, .. } => *id,
        }
    }
}

impl Store {
    /// Posts to a room that the author is in, or to a person, with whom the conversation begins if there is none.
    ///
    /// The entry gets the next number of its conversation: 1, 2, 3 and so on, without a gap, in commit order. The same
    /// id of the same author again gives the first result and changes nothing. The author has read their own entry, if
    /// they had read everything before it.
    pub async fn post(&self, post: Post) -> Result<Result<Posted, Refusal>, StoreError> {
        self.write(128 + post.text.len() + post.post_id.len(), move |transaction| {
            let sql = &transaction.sql;
            // What was committed once stays so, whatever has happened to its author since.
            if let Some(first) = posted_before(sql, &post)? {
                return Ok(Ok(first));
            }
            let Some(author) = living(sql, post.author)? else { return Ok(Err(Refusal::AccountGone)) };
            match place(sql, &post, &author)? {
                Ok(place) => append(transaction, post, author, place).map(Ok),
                Err(refusal) => Ok(Err(refusal)),
            }
        })
        .await
    }
}

fn posted_before(sql: &Statements<'_>, post: &Post) -> rusqlite::Result<Option<Posted>> {
    let query = "SELECT conversation, seq, time FROM entries WHERE author = ?1 AND post_id = ?2";
    sql.first(query, (post.author.0, &post.post_id), |row| {
        let conversation = ConversationId(row.get(0)?);
        Ok(Posted { conversation, seq: number(row, 1)?, time: row.get(2)?, repeated: true })
    })
}

/// Where it goes, or why it may not go there.
fn place(sql: &Statements<'_>, post: &Post, author: &UserName) -> rusqlite::Result<Result<Place, Refusal>> {
    let asking = Asking { account: Some(post.author), source: Some(&post.source), now: post.time };
    match &post.to {
        Target::Room(wanted) => {
            let Some(room) = room(sql, wanted)? else { return Ok(Err(Refusal::NoSuchRoom)) };
            if let Some(refusal) = may_speak(sql, &asking, post.author, &room)? {
                return Ok(Err(refusal));
            }
            Ok(Ok(Place::Room { id: ConversationId(room.id), name: room.name }))
        }
        Target::User(wanted) => {
            if let Some(refusal) = asking.refused(sql, &[Kind::Ban, Kind::Mute], None)? {
                return Ok(Err(refusal));
            }
            let Some(other) = living_named(sql, wanted)? else {
                return Ok(Err(Refusal::NoSuchUser(wanted.clone())));
            };
            let mut between = [(post.author, author.clone()), other];
            between.sort_by_key(|(id, _)| *id);
            let id = direct(sql, between[0].0, between[1].0)?;
            Ok(Ok(Place::Direct { id, between }))
        }
    }
}

/// The conversation of two, with both of them in it.
fn direct(sql: &Statements<'_>, low: AccountId, high: AccountId) -> rusqlite::Result<ConversationId> {
    let insert = "INSERT INTO conversations (low, high) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    sql.change(insert, (low.0, high.0))?;
    let query = "SELECT id FROM conversations WHERE low = ?1 AND high = ?2";
    let id = sql.one(query, (low.0, high.0), |row| row.get(0))?;
    enter(sql, low, id, false)?;
    enter(sql, high, id, false)?;
    Ok(ConversationId(id))
}

fn append(transaction: &Transaction<'_>, post: Post, author: UserName, place: Place) -> rusqlite::Result<Posted> {
    let sql = &transaction.sql;
    let conversation = place.id();
    let next = "UPDATE conversations SET last = last + 1 WHERE id = ?1 RETURNING last";
    let seq: i64 = sql.one(next, [conversation.0], |row| row.get(0))?;
    sql.change(
        "INSERT INTO entries (conversation, seq, time, author, kind, text, post_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        (conversation.0, seq, post.time, post.author.0, post.kind.code(), &post.text, &post.post_id),
    )?;
    sql.change(
        "UPDATE positions SET seq = ?3 WHERE account = ?1 AND conversation = ?2 AND seq = ?3 - 1",
        (post.author.0, conversation.0, seq),
    )?;
    let Post { kind, text, post_id, time, .. } = post;
    let entry = Entry { seq: seq.unsigned_abs(), time, author, kind, text, post_id };
    let posted = Posted { conversation, seq: entry.seq, time, repeated: false };
    transaction.publish(Committed { place: Arc::new(place), entry: Arc::new(entry) });
    Ok(posted)
}
