//! The one thread that writes: what waits is committed together, and heard of only afterwards.
//!
//! Each job runs in a savepoint of its own, so that one that fails takes nothing with it. After the commit the feed gets
//! the new entries in order, and then every caller its answer. A commit that fails fails for all of its jobs.

use std::cell::RefCell;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::Committed;
use super::error::{StoreError, explain};
use super::statements::Statements;

/// Jobs that may wait; who comes later waits for room.
pub(super) const MAX_WAITING: usize = 4096;
/// Jobs in one commit.
const MAX_GROUP: usize = 256;
/// What the jobs of one commit may weigh together, in bytes; one job may weigh more.
const MAX_GROUP_BYTES: usize = 4 * 1024 * 1024;

/// What a job sees: the transaction that it is part of.
pub(super) struct Transaction<'c> {
    pub(super) sql: Statements<'c>,
    /// What the feed gets when this is committed.
    published: RefCell<Vec<Committed>>,
}

impl Transaction<'_> {
    pub(super) fn publish(&self, committed: Committed) {
        self.published.borrow_mut().push(committed);
    }
}

/// What the writer is asked for.
pub(super) enum Order {
    Run(Box<dyn Job>),
    /// Run what waits, then end; answered when the files are closed.
    Close(oneshot::Sender<()>),
}

/// A change, and somebody who waits for its outcome.
pub(super) trait Job: Send {
    /// How many bytes it holds, about.
    fn weight(&self) -> usize;
    fn run(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()>;
    fn settle(self: Box<Self>, outcome: Result<(), StoreError>);
}

struct Change<T, F> {
    weight: usize,
    work: Option<F>,
    result: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

/// A job, and where its result will come.
pub(super) fn job<T, F>(weight: usize, work: F) -> (Box<dyn Job>, oneshot::Receiver<Result<T, StoreError>>)
where
    T: Send + 'static,
    F: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    (Box::new(Change { weight, work: Some(work), result: None, reply }), answer)
}

impl<T, F> Job for Change<T, F>
where
    T: Send,
    F: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send,
{
    fn weight(&self) -> usize {
        self.weight
    }

    fn run(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        if let Some(work) = self.work.take() {
            self.result = Some(work(transaction)?);
        }
        Ok(())
    }

    fn settle(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { result, reply, .. } = *self;
        // Whoever asked may have gone since; it is done all the same.
        let _ = match (outcome, result) {
            (Ok(()), Some(result)) => reply.send(Ok(result)),
            (Ok(()), None) => reply.send(Err(StoreError::Closed)),
            (Err(error), _) => reply.send(Err(error)),
        };
    }
}

/// What the thread owns.
pub(super) struct Writer {
    pub(super) path: Arc<Path>,
    pub(super) connection: Connection,
    /// Held by a server until the last byte is written.
    pub(super) lock: Option<File>,
    pub(super) orders: mpsc::Receiver<Order>,
    /// Absent where nobody listens.
    pub(super) feed: Option<mpsc::UnboundedSender<Committed>>,
}

impl Writer {
    /// Works until everybody who could ask has gone, or somebody closes the store.
    pub(super) fn run(mut self) {
        let mut closing = Vec::new();
        {
            let sql = Statements::new(&self.connection);
            let group = Group { path: &self.path, transaction: Transaction { sql, published: RefCell::default() } };
            while let Some(order) = self.orders.blocking_recv() {
                let (jobs, close) = gather(order, &mut self.orders);
                group.commit(jobs, self.feed.as_ref());
                if let Some(done) = close {
                    // Who asks from now on is refused, and what waits already is still done.
                    self.orders.close();
                    closing.push(done);
                }
            }
        }
        let Self { connection, lock, feed, .. } = self;
        drop(feed);
        // Should it fail, the next who opens the database reads on from the WAL.
        let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        drop(connection);
        drop(lock);
        for done in closing {
            let _ = done.send(());
        }
    }
}

/// What is waiting, up to the limits of one commit.
fn gather(first: Order, orders: &mut mpsc::Receiver<Order>) -> (Vec<Box<dyn Job>>, Option<oneshot::Sender<()>>) {
    let mut jobs = Vec::new();
    let mut bytes = 0;
    let mut next = Some(first);
    while let Some(order) = next {
        match order {
            Order::Run(job) => {
                bytes += job.weight();
                jobs.push(job);
            }
            Order::Close(done) => return (jobs, Some(done)),
        }
        let full = jobs.len() == MAX_GROUP || bytes >= MAX_GROUP_BYTES;
        next = if full { None } else { orders.try_recv().ok() };
    }
    (jobs, None)
}

struct Group<'c> {
    path: &'c Arc<Path>,
    transaction: Transaction<'c>,
}

impl Group<'_> {
    fn commit(&self, mut jobs: Vec<Box<dyn Job>>, feed: Option<&mpsc::UnboundedSender<Committed>>) {
        if jobs.is_empty() {
            return;
        }
        let outcomes = self.attempt(&mut jobs);
        let published = self.transaction.published.take();
        let outcomes = match outcomes {
            Ok(outcomes) => {
                if let Some(feed) = feed {
                    published.into_iter().for_each(|committed| drop(feed.send(committed)));
                }
                outcomes
            }
            Err(error) => {
                if !self.transaction.sql.connection.is_autocommit() {
                    let _ = self.transaction.sql.change("ROLLBACK", []);
                }
                vec![Err(explain(self.path, &error)); jobs.len()]
            }
        };
        jobs.into_iter().zip(outcomes).for_each(|(job, outcome)| job.settle(outcome));
    }

    /// What became of each job, or why nothing became of any.
    fn attempt(&self, jobs: &mut [Box<dyn Job>]) -> rusqlite::Result<Vec<Result<(), StoreError>>> {
        self.transaction.sql.change("BEGIN IMMEDIATE", [])?;
        let outcomes = jobs.iter_mut().map(|job| self.run_one(job.as_mut())).collect::<Result<_, _>>()?;
        self.transaction.sql.change("COMMIT", [])?;
        Ok(outcomes)
    }

    fn run_one(&self, job: &mut dyn Job) -> rusqlite::Result<Result<(), StoreError>> {
        let sql = &self.transaction.sql;
        let before = self.transaction.published.borrow().len();
        sql.change("SAVEPOINT job", [])?;
        // A fault in one job must not end the thread that all others depend on.
        let outcome = catch_unwind(AssertUnwindSafe(|| job.run(&self.transaction)));
        let failure = match outcome {
            Ok(Ok(())) => {
                sql.change("RELEASE job", [])?;
                return Ok(Ok(()));
            }
            // Some failures, such as a full disk, undo the whole transaction.
            Ok(Err(error)) if sql.connection.is_autocommit() => return Err(error),
            Ok(Err(error)) => explain(self.path, &error),
            Err(_) => StoreError::Fault { path: Arc::clone(self.path), why: "a change broke off".into() },
        };
        sql.change("ROLLBACK TO job", [])?;
        sql.change("RELEASE job", [])?;
        self.transaction.published.borrow_mut().truncate(before);
        Ok(Err(failure))
    }
}
