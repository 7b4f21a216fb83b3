//! Tests of the writer with jobs that fail, break off, or fill the disk.

use std::sync::mpsc;

use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::accounts::AccountId;
use super::{Credential, Entry, EntryKind, Feed, Page, Post, Posted, Store, StoreError};
use crate::model::peer::Source;

struct Bench {
    store: Store,
    feed: Feed,
    ada: AccountId,
    _folder: TempDir,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (store, feed) = Store::open(folder.path()).unwrap();
        let made = store.create_account("ada".parse().unwrap(), Credential::new("hash"), 1).await;
        let ada = made.unwrap().unwrap().id;
        store.join(ada, &Source::Memory, &"#lobby".parse().unwrap(), 1).await.unwrap().unwrap();
        Self { store, feed, ada, _folder: folder }
    }

    fn post(&self, id: &str, length: usize) -> JoinHandle<Result<Posted, StoreError>> {
        let (text, post_id) = ("x".repeat(length), id.to_owned());
        let to = "#lobby".parse().unwrap();
        let post = Post { author: self.ada, source: Source::Memory, to, kind: EntryKind::Text, text, post_id, time: 1 };
        let store = self.store.clone();
        tokio::spawn(async move { store.post(post).await.map(Result::unwrap) })
    }

    /// Keeps the writer busy until the sender says or goes, so that what is asked for meanwhile is one group.
    async fn hold(&self) -> mpsc::Sender<()> {
        let (release, held) = mpsc::channel::<()>();
        let (begun, began) = tokio::sync::oneshot::channel();
        let store = self.store.clone();
        tokio::spawn(async move {
            let wait = move |_: &super::Transaction<'_>| {
                let _ = begun.send(());
                let _ = held.recv();
                Ok(())
            };
            store.write(0, wait).await
        });
        began.await.unwrap();
        release
    }

    /// Lets every spawned task ask before the writer goes on.
    async fn all_asked(&self, jobs: usize) {
        while self.store.orders.max_capacity() - self.store.orders.capacity() < jobs {
            tokio::task::yield_now().await;
        }
    }

    async fn entries(&self) -> Vec<Entry> {
        let lobby = self.store.membership(self.ada, &"#lobby".parse().unwrap()).await.unwrap().unwrap();
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let seq = entries.last().map_or(0, |entry| entry.seq);
            let page = self.store.entries(lobby.id, Page::After { seq, limit: 1000 }).await.unwrap();
            if page.is_empty() {
                assert_eq!(lobby.last, seq);
                return entries;
            }
            entries.extend(page);
        }
    }

    async fn ids(&self) -> Vec<String> {
        self.entries().await.into_iter().map(|entry| entry.post_id).collect()
    }

    async fn limit_pages(&self, sql: &'static str) {
        self.store.write(0, move |transaction| transaction.sql.first(sql, [], |_| Ok(()))).await.unwrap();
    }
}

#[tokio::test]
async fn a_job_that_fails_or_breaks_off_takes_nothing_with_it() {
    let mut bench = Bench::new().await;
    let release = bench.hold().await;
    let before = bench.post("before", 1);
    bench.all_asked(1).await;
    let store = bench.store.clone();
    let broken = tokio::spawn(async move {
        let change = |transaction: &super::Transaction<'_>| {
            transaction.sql.change("UPDATE conversations SET last = 99", [])?;
            panic!("as if there were a mistake in a job");
        };
        store.write::<(), _>(0, change).await
    });
    let store = bench.store.clone();
    let wrong = tokio::spawn(async move {
        let change = |transaction: &super::Transaction<'_>| {
            transaction.sql.change("UPDATE conversations SET last = 77", [])?;
            transaction.sql.change("INSERT INTO members VALUES (99, 99, 0)", []).map(drop)
        };
        store.write(0, change).await
    });
    bench.all_asked(3).await;
    let after = bench.post("after", 1);
    bench.all_asked(4).await;
    drop(release);
    assert!(matches!(broken.await.unwrap(), Err(StoreError::Fault { .. })));
    assert!(matches!(wrong.await.unwrap(), Err(StoreError::Fault { .. })));
    assert_eq!((before.await.unwrap().unwrap().seq, after.await.unwrap().unwrap().seq), (1, 2));
    assert_eq!(bench.ids().await, ["before", "after"]);
    assert_eq!(bench.feed.next().await.unwrap().entry.seq, 1);
    assert_eq!(bench.feed.next().await.unwrap().entry.seq, 2);
}

#[tokio::test]
async fn what_undoes_the_transaction_fails_for_all_of_its_group_and_none_is_heard_of() {
    let mut bench = Bench::new().await;
    let release = bench.hold().await;
    let before = bench.post("before", 1);
    bench.all_asked(1).await;
    let store = bench.store.clone();
    let full = tokio::spawn(async move {
        let change = |transaction: &super::Transaction<'_>| {
            // As the database itself does when it finds the disk full at a bad moment.
            transaction.sql.change("ROLLBACK", [])?;
            Err::<(), _>(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL), None))
        };
        store.write(0, change).await
    });
    bench.all_asked(2).await;
    let after = bench.post("after", 1);
    bench.all_asked(3).await;
    drop(release);
    for outcome in [before.await.unwrap().map(drop), full.await.unwrap(), after.await.unwrap().map(drop)] {
        assert!(matches!(outcome, Err(StoreError::Full { .. })), "{outcome:?}");
    }
    assert_eq!(bench.ids().await, [""; 0]);
    bench.post("later", 1).await.unwrap().unwrap();
    assert_eq!(bench.ids().await, ["later"]);
    assert_eq!(bench.feed.next().await.unwrap().entry.post_id, "later", "the feed heard of nothing else");
}

#[tokio::test]
async fn a_full_database_says_so_and_works_again_when_there_is_room() {
    let mut bench = Bench::new().await;
    bench.limit_pages("PRAGMA max_page_count = 200").await;
    let mut kept = Vec::new();
    let mut refused = 0;
    for round in 0..20 {
        let ids: Vec<_> = (0..10).map(|i| format!("{round}-{i}")).collect();
        let posts: Vec<_> = ids.iter().map(|id| bench.post(id, 10_000)).collect();
        for (id, post) in ids.into_iter().zip(posts) {
            match post.await.unwrap() {
                Ok(posted) => kept.push((posted.seq, id)),
                Err(StoreError::Full { .. }) => refused += 1,
                Err(other) => panic!("{other}"),
            }
        }
    }
    assert!(refused > 100 && kept.len() > 10, "{refused} refused, {} kept", kept.len());
    bench.limit_pages("PRAGMA max_page_count = 100000").await;
    let last = bench.post("last", 10_000).await.unwrap().unwrap();
    kept.push((last.seq, "last".into()));
    kept.sort();
    let entries: Vec<_> = bench.entries().await.into_iter().map(|entry| (entry.seq, entry.post_id)).collect();
    assert_eq!(entries, kept);
    for (i, (seq, _)) in (1..).zip(&kept) {
        assert_eq!((*seq, bench.feed.next().await.unwrap().entry.seq), (i, i));
    }
}

#[tokio::test]
async fn who_no_longer_waits_changes_nothing() {
    let bench = Bench::new().await;
    let release = bench.hold().await;
    let posts: Vec<_> = (0..20).map(|i| bench.post(&i.to_string(), 1)).collect();
    bench.all_asked(20).await;
    posts.iter().step_by(2).for_each(JoinHandle::abort);
    drop(release);
    for (i, post) in posts.into_iter().enumerate() {
        assert_eq!(post.await.is_err_and(|error| error.is_cancelled()), i % 2 == 0);
    }
    let expected: Vec<_> = (0..20).map(|i| i.to_string()).collect();
    assert_eq!(bench.ids().await, expected, "it was asked for");
}

#[tokio::test]
async fn a_closed_store_has_done_what_was_asked_before_and_refuses_what_is_asked_after() {
    let mut bench = Bench::new().await;
    let release = bench.hold().await;
    let posts: Vec<_> = (0..300).map(|i| bench.post(&i.to_string(), 1)).collect();
    bench.all_asked(300).await;
    let closing = tokio::spawn(bench.store.clone().close());
    bench.all_asked(301).await;
    drop(release);
    closing.await.unwrap();
    for (i, post) in (1..).zip(posts) {
        assert_eq!(post.await.unwrap().unwrap().seq, i);
    }
    assert!(matches!(bench.post("late", 1).await.unwrap(), Err(StoreError::Closed)));
    assert!(matches!(bench.store.accounts().await, Err(StoreError::Closed)));
    let mut heard = 0;
    while bench.feed.next().await.is_some() {
        heard += 1;
    }
    assert_eq!(heard, 300);
    let folder = bench._folder.path();
    assert!(!folder.join("fernwire.db-wal").exists(), "everything is in one file");
    Store::open(folder).unwrap();
}

#[tokio::test]
async fn a_reader_does_not_wait_for_the_writer() {
    let bench = Bench::new().await;
    let _held = bench.hold().await;
    let reads = (0..20).map(|_| bench.store.clone()).map(|store| tokio::spawn(async move { store.rooms().await }));
    for read in reads.collect::<Vec<_>>() {
        assert_eq!(read.await.unwrap().unwrap().len(), 1);
    }
}
