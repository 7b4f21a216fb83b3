//! What was said, a page at a time.

use std::ops::ControlFlow;

use rusqlite::Row;

use super::Store;
use super::accounts::AccountId;
use super::conversations::{ConversationId, member};
use super::error::StoreError;
use super::statements::{Statements, at_most_i64, name, number};
use crate::model::name::UserName;

/// The text of one page, in bytes; a single entry may be longer.
pub const MAX_PAGE_TEXT: usize = 256 * 1024;

/// How an entry is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// Something said.
    Text,
    /// Something done, as in `/me waves`.
    Action,
}

impl EntryKind {
    pub(super) fn code(self) -> i64 {
        match self {
            Self::Text => 0,
            Self::Action => 1,
        }
    }
}

/// Something that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number in the conversation: from 1, without a gap.
    pub seq: u64,
    /// When.
    pub time: i64,
    /// Who.
    pub author: UserName,
    /// How it is meant.
    pub kind: EntryKind,
    /// What.
    pub text: String,
    /// The author's own id of it.
    pub post_id: String,
}

/// Which part of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// The first entries after this one.
    After {
        /// The last that is known.
        seq: u64,
        /// How many at most.
        limit: u32,
    },
    /// The last entries before this one.
    Before {
        /// The first that is known; `u64::MAX` for the end of the conversation.
        seq: u64,
        /// How many at most.
        limit: u32,
    },
}

impl Store {
    /// A part of a conversation, in ascending order. A page holds no more than [`MAX_PAGE_TEXT`], but at least one entry
    /// if there is one: what is missing of it is on the next.
    pub async fn entries(&self, conversation: ConversationId, page: Page) -> Result<Vec<Entry>, StoreError> {
        self.read(move |sql| match page {
            Page::After { seq, limit } => {
                bounded(sql, AFTER, (conversation.0, at_most_i64(seq), limit), entry, |entry| entry.text.len())
            }
            Page::Before { seq, limit } => {
                let params = (conversation.0, at_most_i64(seq), limit);
                let mut entries = bounded(sql, BEFORE, params, entry, |entry| entry.text.len())?;
                entries.reverse();
                Ok(entries)
            }
        })
        .await
    }

    /// The first entries after this one that the account may read: none, once it is not in the conversation any more.
    pub async fn entries_to(
        &self,
        account: AccountId,
        conversation: ConversationId,
        seq: u64,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        self.read(move |sql| {
            if member(sql, account, conversation.0)?.is_none() {
                return Ok(Vec::new());
            }
            bounded(sql, AFTER, (conversation.0, at_most_i64(seq), limit), entry, |entry| entry.text.len())
        })
        .await
    }
}

const AFTER: &str = "
    SELECT e.seq, e.time, a.name, e.kind, e.text, e.post_id FROM entries e JOIN accounts a ON a.id = e.author
    WHERE e.conversation = ?1 AND e.seq > ?2 ORDER BY e.seq LIMIT ?3";

const BEFORE: &str = "
    SELECT e.seq, e.time, a.name, e.kind, e.text, e.post_id FROM entries e JOIN accounts a ON a.id = e.author
    WHERE e.conversation = ?1 AND e.seq < ?2 ORDER BY e.seq DESC LIMIT ?3";

/// Of `seq, time, author, kind, text, post_id`.
pub(super) fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let kind = match row.get(3)? {
        0 => EntryKind::Text,
        1 => EntryKind::Action,
        unknown => return Err(rusqlite::Error::IntegralValueOutOfRange(3, unknown)),
    };
    let (time, text, post_id) = (row.get(1)?, row.get(4)?, row.get(5)?);
    Ok(Entry { seq: number(row, 0)?, time, author: name(row, 2)?, kind, text, post_id })
}

/// The first rows, until their text fills a page.
pub(super) fn bounded<T>(
    sql: &Statements<'_>,
    query: &'static str,
    params: impl rusqlite::Params,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    length: impl Fn(&T) -> usize,
) -> rusqlite::Result<Vec<T>> {
    let mut page = Vec::new();
    let mut bytes = 0;
    sql.each(query, params, |row| {
        let item = read(row)?;
        bytes += length(&item);
        if bytes > MAX_PAGE_TEXT && !page.is_empty() {
            return Ok(ControlFlow::Break(()));
        }
        page.push(item);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(page)
}
