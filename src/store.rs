//! The store: what must outlive a restart, in one database (SQLite) in the data folder.
//!
//! [`Store`] is a cheap handle. One thread writes: it commits in groups, with the disk's word for each commit, and an
//! answer comes only after it. What was posted comes out of the [`Feed`] in commit order, and only then. Readers have
//! connections of their own and never wait for the writer.
//!
//! Nothing of the database shows in these types; times are milliseconds since 1970 (UTC), and the caller's.

use std::fmt;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

mod accounts;
mod backup;
mod conversations;
mod entries;
mod error;
#[cfg(test)]
mod faults;
mod log;
mod moderation;
mod posts;
mod readers;
mod sanctions;
mod schema;
mod search;
mod sqlite;
mod statements;
mod submissions;
mod tickets;
mod writer;

pub use accounts::{Account, AccountId, AccountSummary, Credential};
pub use conversations::{ConversationId, Member, Membership, RECENT, RoomSummary};
pub use entries::{Entry, EntryKind, MAX_PAGE_TEXT, Page};
pub use error::{BackupError, OpenError, StoreError};
pub use log::{Appended, LogMessage, LogRow};
pub use moderation::{Authority, Ban, Measure, Moderated, What, Whom};
pub use posts::{Committed, Place, Post, Posted};
pub use sanctions::{Refusal, Until};
pub use search::{Hit, Search};
pub use sqlite::DATABASE;
pub use submissions::{Submission, SubmissionRow};
pub use tickets::MAX_TICKETS;

use readers::Readers;
use statements::Statements;
use writer::{Order, Transaction, Writer};

/// The database of a data folder.
///
/// When the last handle is dropped, what was asked for is committed and the files are closed, without anybody waiting
/// for it; [`Store::close`] waits.
#[derive(Clone)]
pub struct Store {
    /// First, since the files are folded together by whoever closes last, and only the writer can do it.
    readers: Arc<Readers>,
    orders: mpsc::Sender<Order>,
    path: Arc<Path>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.path).finish()
    }
}

/// What was committed, in commit order.
#[derive(Debug)]
pub struct Feed(mpsc::UnboundedReceiver<Committed>);

impl Feed {
    /// The next entry; `None` once the store is closed. Cancel-safe.
    pub async fn next(&mut self) -> Option<Committed> {
        self.0.recv().await
    }
}

impl Store {
    /// For a server: makes the folder's database if there is none, and keeps every other server out of the folder until
    /// its files are closed.
    pub fn open(folder: &Path) -> Result<(Self, Feed), OpenError> {
        fs::read_dir(folder).map_err(|source| OpenError::Io { action: "open", path: folder.into(), source })?;
        let place = sqlite::Place::new(folder)?;
        let lock = place.lock()?;
        if !place.exists()? {
            place.create()?;
        }
        let (mut connection, _) = place.open_writing()?;
        place.check(&connection)?;
        place.migrate(&mut connection)?;
        let (feed, committed) = mpsc::unbounded_channel();
        Ok((Self::start(&place, connection, Some(lock), Some(feed))?, Feed(committed)))
    }

    /// For commands beside a server that may be running. The database must be there, unless it is to be made.
    ///
    /// What is posted here comes out of no feed.
    pub fn open_beside(folder: &Path, create: bool) -> Result<Self, OpenError> {
        let place = sqlite::Place::new(folder)?;
        if !place.exists()? {
            if !create {
                return Err(OpenError::Missing { path: place.path.to_path_buf() });
            }
            place.create()?;
        }
        let (mut connection, header) = place.open_writing()?;
        if header.version < schema::VERSION {
            // A server of the older version would not know what it writes into.
            let _lock = place.lock()?;
            place.migrate(&mut connection)?;
        }
        Self::start(&place, connection, None, None)
    }

    /// Commits what was asked for before, folds the files into one and closes them. Who asks later is told so.
    pub async fn close(self) {
        self.readers.close().await;
        let (done, closed) = oneshot::channel();
        if self.orders.send(Order::Close(done)).await.is_ok() {
            // An error means that another handle has closed it.
            let _ = closed.await;
        }
    }

    fn start(
        place: &sqlite::Place,
        connection: rusqlite::Connection,
        lock: Option<File>,
        feed: Option<mpsc::UnboundedSender<Committed>>,
    ) -> Result<Self, OpenError> {
        let readers = Arc::new(Readers::open(place)?);
        let (orders, received) = mpsc::channel(writer::MAX_WAITING);
        let path = Arc::clone(&place.path);
        let writer = Writer { path: Arc::clone(&path), connection, lock, orders: received, feed };
        std::thread::Builder::new().name("store".into()).spawn(|| writer.run()).map_err(|source| OpenError::Io {
            action: "start a thread for",
            path: path.to_path_buf(),
            source,
        })?;
        Ok(Self { readers, orders, path })
    }

    /// A change: asked for whole or not at all, also if the caller is dropped while it waits.
    async fn write<T, F>(&self, weight: usize, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        let (job, answer) = writer::job(weight, work);
        self.orders.send(Order::Run(job)).await.map_err(|_| StoreError::Closed)?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Statements<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        self.readers.read(work).await
    }
}
