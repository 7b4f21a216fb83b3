//! Rooms and direct conversations: who is in them, and how far they have read.

use rusqlite::Row;

use super::Store;
use super::accounts::{AccountId, living};
use super::error::StoreError;
use super::moderation::Authority;
use super::sanctions::{Asking, Kind, Refusal};
use super::statements::{Statements, at_most_i64, name, number};
use super::writer::Transaction;
use crate::model::name::{RoomName, Target, UserName};
use crate::model::peer::Source;

/// How many earlier entries of a room are unread to whoever joins it for the first time.
pub const RECENT: u64 = 20;

/// A room or a direct conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConversationId(pub(super) i64);

/// A conversation, as one of its members sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// What it is referred to by.
    pub id: ConversationId,
    /// The room, or the other person; oneself, in a conversation with oneself.
    pub with: Target,
    /// What the room is about; empty if nobody said.
    pub topic: String,
    /// Whether this member may keep order in it.
    pub operator: bool,
    /// The sequence number of the last entry; 0 if there is none.
    pub last: u64,
    /// Up to where this member has read.
    pub read: u64,
}

impl Membership {
    /// How many entries this member has not read.
    pub fn unread(&self) -> u64 {
        self.last.saturating_sub(self.read)
    }
}

/// Somebody in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Their account.
    pub account: AccountId,
    /// Their name.
    pub name: UserName,
    /// Whether they may keep order.
    pub operator: bool,
}

/// What the list of rooms says of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomSummary {
    /// What it is referred to by.
    pub id: ConversationId,
    /// As its maker wrote it.
    pub name: RoomName,
    /// What it is about; empty if nobody said.
    pub topic: String,
    /// How many are in it.
    pub members: u64,
    /// The sequence number of the last entry; 0 if there is none.
    pub last: u64,
}

/// A room, in a transaction.
pub(super) struct Room {
    pub(super) id: i64,
    pub(super) name: RoomName,
}

pub(super) fn room(sql: &Statements<'_>, wanted: &RoomName) -> rusqlite::Result<Option<Room>> {
    let query = "SELECT id, name FROM conversations WHERE key = ?1";
    sql.first(query, [wanted.key()], |row| Ok(Room { id: row.get(0)?, name: name(row, 1)? }))
}

/// Whether the account is in the conversation, and then whether as an operator.
pub(super) fn member(sql: &Statements<'_>, account: AccountId, conversation: i64) -> rusqlite::Result<Option<bool>> {
    let query = "SELECT operator FROM members WHERE account = ?1 AND conversation = ?2";
    sql.first(query, (account.0, conversation), |row| row.get(0))
}

/// Makes the account a member, unless it is one; it has read all but the most recent, or as far as it had when it left.
pub(super) fn enter(
    sql: &Statements<'_>,
    account: AccountId,
    conversation: i64,
    operator: bool,
) -> rusqlite::Result<()> {
    let added = sql.change(
        "INSERT INTO members (account, conversation, operator) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        (account.0, conversation, operator),
    )?;
    if added == 1 {
        sql.change(
            "INSERT INTO positions (account, conversation, seq)
             SELECT ?1, id, max(last - ?3, 0) FROM conversations WHERE id = ?2
             ON CONFLICT (account, conversation) DO UPDATE SET seq = max(seq, excluded.seq)",
            (account.0, conversation, at_most_i64(RECENT)),
        )?;
    }
    Ok(())
}

impl Store {
    /// Joins a room, and makes it if there is none; who makes it is its operator. Joining twice changes nothing.
    ///
    /// Of what was said before, the last [`RECENT`] entries are unread to a new member; who has been there before goes
    /// on from where they were, if that is later.
    pub async fn join(
        &self,
        account: AccountId,
        source: &Source,
        wanted: &RoomName,
        now: i64,
    ) -> Result<Result<Membership, Refusal>, StoreError> {
        let (source, wanted) = (*source, wanted.clone());
        self.write(128, move |transaction| {
            let sql = &transaction.sql;
            if living(sql, account)?.is_none() {
                return Ok(Err(Refusal::AccountGone));
            }
            let found = room(sql, &wanted)?;
            let asking = Asking { account: Some(account), source: Some(&source), now };
            if let Some(refusal) = asking.refused(sql, &[Kind::Ban], found.as_ref().map(|room| room.id))? {
                return Ok(Err(refusal));
            }
            let (conversation, operator) = match found {
                Some(room) => (room.id, false),
                None => (make_room(transaction, &wanted)?, true),
            };
            enter(sql, account, conversation, operator)?;
            sql.one(OF_CONVERSATION, (account.0, conversation), membership).map(Ok)
        })
        .await
    }

    /// Leaves a room; `false` if the account was not in it. Who was its operator no longer is. A room in which nothing was
    /// ever said is forgotten with its last member.
    pub async fn leave(&self, account: AccountId, room: &RoomName) -> Result<bool, StoreError> {
        let wanted = room.clone();
        self.write(64, move |transaction| {
            let sql = &transaction.sql;
            let Some(found) = self::room(sql, &wanted)? else { return Ok(false) };
            let delete = "DELETE FROM members WHERE account = ?1 AND conversation = ?2";
            let was_there = sql.change(delete, (account.0, found.id))? == 1;
            forget_if_empty(sql, found.id)?;
            Ok(was_there)
        })
        .await
    }

    /// Everything that the account is in: rooms, then people, each in the order in which they were made.
    pub async fn memberships(&self, account: AccountId) -> Result<Vec<Membership>, StoreError> {
        self.read(move |sql| sql.all(OF_ACCOUNT, [account.0], membership)).await
    }

    /// The account's place in this room, or in its conversation with this person.
    pub async fn membership(&self, account: AccountId, with: &Target) -> Result<Option<Membership>, StoreError> {
        let with = with.clone();
        self.read(move |sql| match conversation_with(sql, account, &with)? {
            Some(conversation) => sql.first(OF_CONVERSATION, (account.0, conversation), membership),
            None => Ok(None),
        })
        .await
    }

    /// Who is in a room, sorted by the form in which names are compared; nobody, if there is no such room.
    pub async fn members(&self, room: &RoomName) -> Result<Vec<Member>, StoreError> {
        let key = room.key();
        self.read(move |sql| {
            let query = "SELECT a.id, a.name, m.operator
                         FROM conversations c JOIN members m ON m.conversation = c.id JOIN accounts a ON a.id = m.account
                         WHERE c.key = ?1 ORDER BY a.key";
            sql.all(query, [key], |row| {
                Ok(Member { account: AccountId(row.get(0)?), name: name(row, 1)?, operator: row.get(2)? })
            })
        })
        .await
    }

    /// Every room, sorted by the form in which names are compared.
    pub async fn rooms(&self) -> Result<Vec<RoomSummary>, StoreError> {
        self.read(|sql| {
            let query = "SELECT id, name, topic, (SELECT count(*) FROM members WHERE conversation = c.id), last
                         FROM conversations c WHERE key IS NOT NULL ORDER BY key";
            sql.all(query, [], |row| {
                let (id, topic) = (ConversationId(row.get(0)?), row.get(2)?);
                Ok(RoomSummary { id, name: name(row, 1)?, topic, members: number(row, 3)?, last: number(row, 4)? })
            })
        })
        .await
    }

    /// Says what a room is about. Members may, unless they, or those who come from there, are banned or muted at this
    /// moment of the system's clock.
    pub async fn set_topic(
        &self,
        by: Authority,
        source: Option<&Source>,
        wanted: &RoomName,
        topic: String,
    ) -> Result<Result<(), Refusal>, StoreError> {
        let (source, wanted) = (source.copied(), wanted.clone());
        self.write(64 + topic.len(), move |transaction| {
            let sql = &transaction.sql;
            let Some(room) = room(sql, &wanted)? else { return Ok(Err(Refusal::NoSuchRoom)) };
            if let Authority::Account(account) = by {
                let now = jiff::Timestamp::now().as_millisecond();
                let asking = Asking { account: Some(account), source: source.as_ref(), now };
                if let Some(refusal) = may_speak(sql, &asking, account, &room)? {
                    return Ok(Err(refusal));
                }
            }
            sql.change("UPDATE conversations SET topic = ?2 WHERE id = ?1", (room.id, topic))?;
            Ok(Ok(()))
        })
        .await
    }

    /// Moves the account's position forward, never back and never past the last entry.
    pub async fn mark_read(
        &self,
        account: AccountId,
        conversation: ConversationId,
        seq: u64,
    ) -> Result<(), StoreError> {
        self.write(64, move |transaction| {
            let sql = "UPDATE positions
                       SET seq = max(seq, min(?3, (SELECT last FROM conversations WHERE id = ?2)))
                       WHERE account = ?1 AND conversation = ?2";
            transaction.sql.change(sql, (account.0, conversation.0, at_most_i64(seq)))?;
            Ok(())
        })
        .await
    }
}

/// Why the account may not say something in the room.
pub(super) fn may_speak(
    sql: &Statements<'_>,
    asking: &Asking<'_>,
    account: AccountId,
    room: &Room,
) -> rusqlite::Result<Option<Refusal>> {
    if living(sql, account)?.is_none() {
        return Ok(Some(Refusal::AccountGone));
    }
    // Who was banned is told so, and not merely that they are no longer a member.
    if let Some(banned) = asking.refused(sql, &[Kind::Ban], Some(room.id))? {
        return Ok(Some(banned));
    }
    if member(sql, account, room.id)?.is_none() {
        return Ok(Some(Refusal::NotAMember(room.name.clone())));
    }
    asking.refused(sql, &[Kind::Mute], Some(room.id))
}

fn make_room(transaction: &Transaction<'_>, name: &RoomName) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO conversations (key, name) VALUES (?1, ?2) RETURNING id";
    transaction.sql.one(sql, (name.key(), name.as_str()), |row| row.get(0))
}

/// The conversation that this name means to this account.
pub(super) fn conversation_with(
    sql: &Statements<'_>,
    account: AccountId,
    with: &Target,
) -> rusqlite::Result<Option<i64>> {
    match with {
        Target::Room(wanted) => Ok(room(sql, wanted)?.map(|room| room.id)),
        Target::User(user) => {
            let query = "SELECT c.id FROM accounts a
                         JOIN conversations c ON c.low = min(a.id, ?1) AND c.high = max(a.id, ?1) WHERE a.key = ?2";
            sql.first(query, (account.0, user.key()), |row| row.get(0))
        }
    }
}

const OF_ACCOUNT: &str = "
    SELECT c.id, c.name, a.name, c.topic, m.operator, c.last, p.seq
    FROM members m
    JOIN conversations c ON c.id = m.conversation
    JOIN positions p ON p.account = m.account AND p.conversation = m.conversation
    LEFT JOIN accounts a ON a.id = iif(c.low = m.account, c.high, c.low)
    WHERE m.account = ?1
    ORDER BY c.key IS NULL, c.id";

const OF_CONVERSATION: &str = "
    SELECT c.id, c.name, a.name, c.topic, m.operator, c.last, p.seq
    FROM members m
    JOIN conversations c ON c.id = m.conversation
    JOIN positions p ON p.account = m.account AND p.conversation = m.conversation
    LEFT JOIN accounts a ON a.id = iif(c.low = m.account, c.high, c.low)
    WHERE m.account = ?1 AND m.conversation = ?2";

fn membership(row: &Row<'_>) -> rusqlite::Result<Membership> {
    Ok(Membership {
        id: ConversationId(row.get(0)?),
        with: target(row, 1, 2)?,
        topic: row.get(3)?,
        operator: row.get(4)?,
        last: number(row, 5)?,
        read: number(row, 6)?,
    })
}

/// A room if there is its name in the one column, and the person in the other if not.
pub(super) fn target(row: &Row<'_>, room: usize, other: usize) -> rusqlite::Result<Target> {
    match super::statements::maybe_name(row, room)? {
        Some(room) => Ok(Target::Room(room)),
        None => name(row, other).map(Target::User),
    }
}

/// Removes a room that holds nothing: no member, no word, no sanction. The lobby stays.
pub(super) fn forget_if_empty(sql: &Statements<'_>, room: i64) -> rusqlite::Result<()> {
    let is_empty = "SELECT 1 FROM conversations c WHERE c.id = ?1 AND c.last = 0 AND c.key <> ?2
                    AND NOT EXISTS (SELECT 1 FROM members WHERE conversation = c.id)
                    AND NOT EXISTS (SELECT 1 FROM sanctions WHERE conversation = c.id)";
    if sql.first(is_empty, (room, RoomName::lobby().key()), |_| Ok(()))?.is_some() {
        sql.change("DELETE FROM positions WHERE conversation = ?1", [room])?;
        sql.change("DELETE FROM conversations WHERE id = ?1", [room])?;
    }
    Ok(())
}
