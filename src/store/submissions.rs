//! Submitted data: each submission once, in rows without a gap.

use rusqlite::Row;

use super::Store;
use super::entries::bounded;
use super::error::StoreError;
use super::log::Appended;
use super::statements::{at_most_i64, maybe_name, number};
use crate::model::name::UserName;

/// Data that somebody handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The sender's own id of it: the same again is no new submission.
    pub id: String,
    /// When.
    pub time: i64,
    /// Where from, for people to read.
    pub address: String,
    /// Who, if they had logged in.
    pub account: Option<UserName>,
    /// The format that it came in.
    pub format: String,
    /// The data, as text.
    pub data: String,
}

/// A submission, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmissionRow {
    /// From 1, without a gap, in commit order.
    pub row: u64,
    /// What was handed in.
    pub submission: Submission,
}

impl Store {
    /// Keeps a submission. The same id again gives the first result and changes nothing.
    pub async fn append_submission(&self, submission: Submission) -> Result<Appended, StoreError> {
        self.write(128 + submission.data.len() + submission.id.len(), move |transaction| {
            let Submission { id, time, address, account, format, data } = &submission;
            let known = "SELECT row FROM submissions WHERE id = ?1";
            if let Some(row) = transaction.sql.first(known, [id], |row| number(row, 0))? {
                return Ok(Appended { row, repeated: true });
            }
            let insert = "INSERT INTO submissions (id, time, address, account, format, data)
                          VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING row";
            let params = (id, time, address, account.as_ref().map(UserName::as_str), format, data);
            transaction.sql.one(insert, params, |row| Ok(Appended { row: number(row, 0)?, repeated: false }))
        })
        .await
    }

    /// The first submissions after this row, up to a page.
    pub async fn submissions_after(&self, row: u64, limit: u32) -> Result<Vec<SubmissionRow>, StoreError> {
        self.read(move |sql| {
            let query = "SELECT row, id, time, address, account, format, data FROM submissions
                         WHERE row > ?1 ORDER BY row LIMIT ?2";
            bounded(sql, query, (at_most_i64(row), limit), submission, length)
        })
        .await
    }

    /// The last submissions, up to a page, in ascending order.
    pub async fn last_submissions(&self, limit: u32) -> Result<Vec<SubmissionRow>, StoreError> {
        self.read(move |sql| {
            let query = "SELECT row, id, time, address, account, format, data FROM submissions
                         ORDER BY row DESC LIMIT ?1";
            let mut last = bounded(sql, query, [limit], submission, length)?;
            last.reverse();
            Ok(last)
        })
        .await
    }
}

fn submission(row: &Row<'_>) -> rusqlite::Result<SubmissionRow> {
    let submission = Submission {
        id: row.get(1)?,
        time: row.get(2)?,
        address: row.get(3)?,
        account: maybe_name(row, 4)?,
        format: row.get(5)?,
        data: row.get(6)?,
    };
    Ok(SubmissionRow { row: number(row, 0)?, submission })
}

fn length(row: &SubmissionRow) -> usize {
    row.submission.data.len()
}
