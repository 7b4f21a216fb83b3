//! A text file that mirrors numbered rows of the database, for people and their tools.
//!
//! The database is the authority. Whoever has added a row asks for it here, and one thread fetches every row that the file
//! does not have yet and appends them in order. So a crash, a full disk or rows that are asked for out of order lose
//! nothing and double nothing: the next attempt begins behind the last line that is whole.

use std::future::Future;
use std::io;
use std::num::NonZeroU32;
use std::path::PathBuf;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use crate::store::StoreError;

mod file;

use file::File;

/// How large a file becomes before it is put aside, unless the configuration says otherwise.
pub const DEFAULT_MAX_BYTES: u64 = 10 * 1024 * 1024;
/// How many files that were put aside are kept, unless the configuration says otherwise.
pub const DEFAULT_KEEP: NonZeroU32 = NonZeroU32::new(5).unwrap();

/// The most rows that are written at once.
const PAGE: u32 = 1000;
/// How many may wait for their rows before others wait to wait.
const MAX_WAITING: usize = 1024;

/// Where a journal is, and how large it may become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The size at which it becomes `NAME.1`, `NAME.1` becomes `NAME.2` and so on; without one, it grows.
    pub max_bytes: Option<u64>,
    /// How many of those are kept.
    pub keep: NonZeroU32,
}

/// The rows that a journal mirrors, from 1 without a gap.
pub trait Rows: Send + 'static {
    /// What stands in a line before its row's number, and what behind it, which begins with no digit.
    const AROUND_NUMBER: [&'static str; 2];

    /// The first rows after this one, up to a page, each as a line without its end.
    fn after(&self, row: u64, limit: u32) -> impl Future<Output = Result<Vec<(u64, String)>, StoreError>> + Send;
}

/// Why the file is behind the database.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be read or written.
    #[error("cannot {action} {}: {source}; what is missing in it is added as soon as that works again", .path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The rows cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The file is behind the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server cannot write its file now, and its log says why; send it again later")]
pub struct Behind;

/// The way to the thread that writes, which ends when this is dropped and nobody waits any more.
#[derive(Debug)]
pub struct Journal(mpsc::Sender<Wish>);

/// The row that somebody wants in the file, and whom to tell whether it is.
type Wish = (u64, oneshot::Sender<bool>);

impl Journal {
    /// Opens the file, mends its end and appends what it lacks.
    pub async fn open<R: Rows>(place: Place, rows: R) -> Result<Self, JournalError> {
        let (wishes, received) = mpsc::channel(MAX_WAITING);
        let (tell, opened) = oneshot::channel();
        let failed = {
            let path = place.path.clone();
            |source| JournalError::File { action: "start a thread for", path, source }
        };
        // The thread waits for the database, and that for its readers, who are the runtime's.
        let runtime = Handle::current();
        let work = move || {
            let mut writer = Writer { file: File::new(place, R::AROUND_NUMBER), rows, runtime };
            let result = writer.start();
            let ready = result.is_ok();
            // Whoever opens it may have given up.
            if tell.send(result).is_ok() && ready {
                writer.run(received);
            }
        };
        std::thread::Builder::new().name("journal".into()).spawn(work).map_err(failed.clone())?;
        opened.await.unwrap_or_else(|_| Err(failed(io::Error::other("the thread has failed"))))?;
        Ok(Self(wishes))
    }

    /// Waits until the row, which is in the database, is in the file too. If it cannot be written, the log says why, and
    /// the next who asks makes the next attempt.
    pub async fn reach(&self, row: u64) -> Result<(), Behind> {
        let (tell, told) = oneshot::channel();
        self.0.send((row, tell)).await.map_err(|_| Behind)?;
        if told.await == Ok(true) { Ok(()) } else { Err(Behind) }
    }
}

struct Writer<R> {
    file: File,
    rows: R,
    runtime: Handle,
}

impl<R: Rows> Writer<R> {
    /// Continues behind what an earlier run has written.
    fn start(&mut self) -> Result<(), JournalError> {
        let last = self.file.resume()?;
        // A file that knows more than the database is not its mirror: a backup of the database was restored, say.
        let there = self.runtime.block_on(last_row(&self.rows, last))?;
        if last > there {
            tracing::warn!(
                file = last,
                database = there,
                "the file has lines that the database lacks; it is put aside"
            );
            self.file.begin_anew(there)?;
        }
        self.catch_up()
    }

    fn run(mut self, mut wishes: mpsc::Receiver<Wish>) {
        let mut waiting = Vec::new();
        while wishes.blocking_recv_many(&mut waiting, MAX_WAITING) > 0 {
            let wanted = waiting.iter().map(|(row, _)| *row).max().unwrap_or(0);
            if self.file.written() < wanted
                && let Err(error) = self.catch_up()
            {
                tracing::error!(reason = %error, "a file is behind the database");
            }
            for (row, tell) in waiting.drain(..) {
                // Whoever has gone needs no answer.
                let _ = tell.send(row <= self.file.written());
            }
        }
    }

    /// Appends every row that the database has and the file has not.
    fn catch_up(&mut self) -> Result<(), JournalError> {
        loop {
            let rows = self.runtime.block_on(self.rows.after(self.file.written(), PAGE))?;
            if rows.is_empty() {
                return Ok(());
            }
            self.file.append(&rows)?;
        }
    }
}

/// The last row there is; likely it is this one. Rows have no gaps, so whether one is there tells of all before it.
async fn last_row<R: Rows>(rows: &R, likely: u64) -> Result<u64, StoreError> {
    let is_there = async |row: u64| rows.after(row - 1, 1).await.map(|rows| !rows.is_empty());
    let mut last = if likely > 0 && is_there(likely).await? { likely } else { 0 };
    let mut step = 1;
    while is_there(last + step).await? {
        last += step;
        step *= 2;
    }
    while step > 1 {
        step /= 2;
        if is_there(last + step).await? {
            last += step;
        }
    }
    Ok(last)
}

#[cfg(test)]
mod tests;
