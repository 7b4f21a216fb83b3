//! The message log: each message once, in rows without a gap.

use super::Store;
use super::entries::bounded;
use super::error::StoreError;
use super::statements::{Statements, at_most_i64, maybe_name, number};
use crate::model::name::UserName;

/// A line that somebody sent to the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogMessage {
    /// The sender's own name for the run of messages that this is part of.
    pub stream: String,
    /// Its number there: the same again is no new message.
    pub number: u64,
    /// When.
    pub time: i64,
    /// Where from, for people to read.
    pub address: String,
    /// Who, if they had logged in.
    pub account: Option<UserName>,
    /// What.
    pub text: String,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    /// From 1, without a gap, in commit order.
    pub row: u64,
    /// What was sent.
    pub message: LogMessage,
}

/// Where something has come to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// From 1, without a gap, in commit order.
    pub row: u64,
    /// Whether it had been there before.
    pub repeated: bool,
}

impl Store {
    /// Keeps a message. The same stream and number again give the first result and change nothing.
    pub async fn append_log(&self, message: LogMessage) -> Result<Appended, StoreError> {
        self.write(128 + message.text.len() + message.stream.len(), move |transaction| {
            // Any number there is has a place in a signed one, since it is only compared for being the same.
            let id = (&message.stream, message.number.cast_signed());
            let known = "SELECT row FROM log WHERE stream = ?1 AND number = ?2";
            if let Some(row) = transaction.sql.first(known, id, |row| number(row, 0))? {
                return Ok(Appended { row, repeated: true });
            }
            let LogMessage { time, address, account, text, .. } = &message;
            let insert = "INSERT INTO log (stream, number, time, address, account, text)
                          VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING row";
            let params = (id.0, id.1, time, address, account.as_ref().map(UserName::as_str), text);
            transaction.sql.one(insert, params, |row| Ok(Appended { row: number(row, 0)?, repeated: false }))
        })
        .await
    }

    /// The first messages after this row, up to a page.
    pub async fn log_after(&self, row: u64, limit: u32) -> Result<Vec<LogRow>, StoreError> {
        self.read(move |sql| rows_after(sql, row, limit)).await
    }
}

fn rows_after(sql: &Statements<'_>, row: u64, limit: u32) -> rusqlite::Result<Vec<LogRow>> {
    let query =
        "SELECT row, stream, number, time, address, account, text FROM log WHERE row > ?1 ORDER BY row LIMIT ?2";
    let read = |row: &rusqlite::Row<'_>| {
        let message = LogMessage {
            stream: row.get(1)?,
            number: row.get::<_, i64>(2)?.cast_unsigned(),
            time: row.get(3)?,
            address: row.get(4)?,
            account: maybe_name(row, 5)?,
            text: row.get(6)?,
        };
        Ok(LogRow { row: number(row, 0)?, message })
    };
    bounded(sql, query, (at_most_i64(row), limit), read, |row| row.message.text.len())
}
