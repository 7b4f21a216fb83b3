//! Searching what was said where one is a member.

use super::Store;
use super::accounts::AccountId;
use super::conversations::{conversation_with, target};
use super::entries::{Entry, bounded, entry};
use super::error::StoreError;
use super::statements::{Statements, at_most_i64, number};
use crate::model::name::Target;

/// Words of a search; those after them do not count.
const MAX_WORDS: usize = 16;

/// What somebody looks for.
#[derive(Debug, Clone)]
pub struct Search {
    /// Words that all have to be there, in any order, without regard to case and accents; the last may be a beginning.
    pub words: String,
    /// Only in this conversation.
    pub within: Option<Target>,
    /// Only what was said before this [`Hit`]: its cursor.
    pub before: Option<u64>,
    /// How many at most.
    pub limit: u32,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// In which conversation.
    pub with: Target,
    /// What was said.
    pub entry: Entry,
    /// Where the search goes on from here.
    pub cursor: u64,
}

impl Store {
    /// What was said with these words in the conversations that the account is in, the newest first, up to a page.
    pub async fn search(&self, account: AccountId, search: Search) -> Result<Vec<Hit>, StoreError> {
        let Some(words) = quoted(&search.words) else { return Ok(Vec::new()) };
        self.read(move |sql| {
            let within = match &search.within {
                None => None,
                Some(with) => match conversation_with(sql, account, with)? {
                    Some(conversation) => Some(conversation),
                    None => return Ok(Vec::new()),
                },
            };
            let Some(places) = places(sql, account, within)? else { return Ok(Vec::new()) };
            let expression = format!("text : ({words}) AND place : ({places})");
            let before = at_most_i64(search.before.unwrap_or(u64::MAX));
            let params = (account.0, expression, before, search.limit);
            let hit = |row: &rusqlite::Row<'_>| {
                Ok(Hit { entry: entry(row)?, with: target(row, 6, 7)?, cursor: number(row, 8)? })
            };
            bounded(sql, HITS, params, hit, |hit| hit.entry.text.len())
        })
        .await
    }
}

// CROSS JOIN keeps the order: the words first, newest first, so that it can stop at the limit. The expression names the
// places already; that the account is in them is asked for each entry all the same.
const HITS: &str = "
    SELECT e.seq, e.time, a.name, e.kind, e.text, e.post_id, c.name, o.name, e.id
    FROM entry_words w
    CROSS JOIN entries e ON e.id = w.rowid
    CROSS JOIN members m ON m.account = ?1 AND m.conversation = e.conversation
    CROSS JOIN conversations c ON c.id = e.conversation
    CROSS JOIN accounts a ON a.id = e.author
    LEFT JOIN accounts o ON o.id = iif(c.low = m.account, c.high, c.low)
    WHERE entry_words MATCH ?2 AND w.rowid < ?3
    ORDER BY w.rowid DESC LIMIT ?4";

/// The conversations that the account is in, or this one if it is, as the index knows them; `None` if there is none.
fn places(sql: &Statements<'_>, account: AccountId, within: Option<i64>) -> rusqlite::Result<Option<String>> {
    let query = "SELECT conversation FROM members WHERE account = ?1 AND (?2 IS NULL OR conversation = ?2)";
    let places = sql.all(query, (account.0, within), |row| Ok(format!("c{}", row.get::<_, i64>(0)?)))?;
    Ok((!places.is_empty()).then(|| places.join(" OR ")))
}

/// Each word in quotes, in which nothing has a meaning of its own; `None` if there is no word.
fn quoted(words: &str) -> Option<String> {
    // A zero byte would end the expression; whatever has no letter or digit is no word in the index either.
    let words = words.split(|c: char| c.is_whitespace() || c.is_control());
    let words = words.filter(|word| word.chars().any(char::is_alphanumeric)).take(MAX_WORDS);
    let quoted: Vec<_> = words.map(|word| format!("\"{}\"", word.replace('"', "\"\""))).collect();
    (!quoted.is_empty()).then(|| quoted.join(" ") + "*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_looks_for_is_never_an_quoted() {
        assert_eq!(quoted("a OR b").as_deref(), Some("\"a\" \"OR\" \"b\"*"));
        assert_eq!(quoted("say \"x\"").as_deref(), Some("\"say\" \"\"\"x\"\"\"*"));
        assert_eq!(quoted("a\0b").as_deref(), Some("\"a\" \"b\"*"));
        assert_eq!([" ", "", "* ^ \"", "\0"].map(quoted), [const { None }; 4]);
    }
}
