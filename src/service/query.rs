//! Time queries: a table says how many timestamps a query is worth; they stream, one a tick.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Zoned;
use tokio::time::{MissedTickBehavior, interval};

use super::ReplySink;
use crate::protocol::Reply;
use crate::protocol::query::{QueryReply, QueryRequest};

/// How long one timestamp stands before the next.
pub const DEFAULT_TICK: Duration = Duration::from_secs(1);
/// The shortest tick that people may ask for, so that a typing error does not make a server busy.
pub const MIN_TICK: Duration = Duration::from_millis(1);
/// The longest.
pub const MAX_TICK: Duration = Duration::from_secs(24 * 3600);

/// The query service.
pub struct Query {
    table: Table,
    tick: Duration,
}

impl Query {
    /// Answers from this table, one timestamp a tick (longer than zero).
    pub fn new(table: Table, tick: Duration) -> Self {
        Self { table, tick }
    }

    /// Sends the query's timestamps, and is done one tick after the last; or says that the table has no such entry.
    pub async fn answer(&self, request: QueryRequest, replies: ReplySink) {
        let Some(count) = self.table.find(&request.query) else {
            return replies.send(Reply::Query(QueryReply::Empty)).await;
        };
        let mut ticks = interval(self.tick);
        // After a stall the next timestamp comes a tick later, never two at once.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for _ in 0..count {
            ticks.tick().await;
            let time = Zoned::now().strftime("%d-%m-%Y %H:%M:%S").to_string();
            replies.send(Reply::Query(QueryReply::Timestamp { time })).await;
        }
        ticks.tick().await;
    }
}

/// Sets of names, each worth a number of timestamps: `SetA-Two` finds `Two` in `SetA`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table(BTreeMap<String, BTreeMap<String, u32>>);

impl Table {
    /// A table from its sets.
    pub fn new(sets: BTreeMap<String, BTreeMap<String, u32>>) -> Self {
        Self(sets)
    }

    /// How many entries there are, in all sets together.
    pub fn entries(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    /// What the query `SET-NAME` is worth, if the table has it. Upper and lower case differ.
    pub fn find(&self, query: &str) -> Option<u32> {
        let (set, name) = query.split_once('-')?;
        self.0.get(set)?.get(name).copied()
    }
}

impl Default for Table {
    /// `SetA: One=1, Two=2` to `SetE: Nine=9, Ten=10`.
    fn default() -> Self {
        let names = ["One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten"];
        let numbered: Vec<_> = names.into_iter().map(str::to_owned).zip(1..).collect();
        let sets = ["SetA", "SetB", "SetC", "SetD", "SetE"].into_iter().zip(numbered.chunks(2));
        Self(sets.map(|(set, entries)| (set.to_owned(), entries.iter().cloned().collect())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    async fn ask(query: &str) -> (Vec<(Duration, QueryReply)>, Duration) {
        let service = Query::new(Table::default(), DEFAULT_TICK);
        let (sink, mut replies) = ReplySink::new();
        let start = Instant::now();
        let answering = service.answer(QueryRequest { query: query.into() }, sink);
        let collecting = async {
            let mut collected = Vec::new();
            while let Some(Reply::Query(reply)) = replies.recv().await {
                collected.push((start.elapsed(), reply));
            }
            collected
        };
        let ((), collected) = tokio::join!(answering, collecting);
        (collected, start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn timestamps_come_one_a_tick_and_the_end_a_tick_after_the_last() {
        let (replies, end) = ask("SetB-Three").await;
        let times: Vec<_> = replies.iter().map(|(at, _)| at.as_secs()).collect();
        assert_eq!(times, [0, 1, 2]);
        assert_eq!(end.as_secs(), 3);
        for (_, reply) in replies {
            let QueryReply::Timestamp { time } = reply else { panic!("{reply:?}") };
            assert!(jiff::civil::DateTime::strptime("%d-%m-%Y %H:%M:%S", &time).is_ok(), "{time}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn anything_else_is_empty_at_once() {
        for query in ["SetZ-Unknown", "SetA-Three", "seta-one", "SetA", "", "-", "SetA-One "] {
            let (replies, end) = ask(query).await;
            assert_eq!(replies, [(Duration::ZERO, QueryReply::Empty)], "{query}");
            assert_eq!(end, Duration::ZERO);
        }
    }

    #[test]
    fn the_default_table_is_the_documented_one() {
        let table = Table::default();
        let worth = ["SetA-One", "SetA-Two", "SetB-Three", "SetB-Four", "SetC-Five", "SetC-Six", "SetD-Seven"];
        assert!(worth.into_iter().zip(1..).all(|(query, count)| table.find(query) == Some(count)));
        let worth = ["SetD-Eight", "SetE-Nine", "SetE-Ten"];
        assert!(worth.into_iter().zip(8..).all(|(query, count)| table.find(query) == Some(count)));
        assert_eq!(table.entries(), 10);
    }
}
