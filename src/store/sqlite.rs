//! The database's files: made whole, opened with the settings that durability needs, locked for one server.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use rustix::fs::FlockOperation;

use super::error::{OpenError, StoreError, explain};
use super::schema::{self, Header};
use crate::keys::files::dangling_link;

/// The database's name in the data folder.
pub const DATABASE: &str = "fernwire.db";
/// The file beside it that a server holds locked.
const LOCK: &str = "fernwire.lock";
/// How long to wait for another process that is writing.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Only the user who runs the server reads what people said.
const PRIVATE: u32 = 0o600;

/// Where the database is.
pub(super) struct Place {
    folder: PathBuf,
    pub(super) path: Arc<Path>,
}

impl Place {
    pub(super) fn new(folder: &Path) -> Result<Self, OpenError> {
        // Absolute, since the database takes a path that begins with `file:` for something else.
        let folder = std::path::absolute(folder).map_err(|source| io_error("find", folder, source))?;
        let path = folder.join(DATABASE).into();
        Ok(Self { folder, path })
    }

    /// Makes this process the one server of the folder, for as long as the file is open.
    pub(super) fn lock(&self) -> Result<File, OpenError> {
        let path = self.folder.join(LOCK);
        let failed = |source| io_error("lock", &path, source);
        let file =
            File::options().write(true).create(true).truncate(false).mode(PRIVATE).open(&path).map_err(failed)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::InUse { folder: self.folder.clone() }),
            Err(error) => Err(failed(error.into())),
        }
    }

    /// Whether the database is there; it is an error if what is there is no file.
    pub(super) fn exists(&self) -> Result<bool, OpenError> {
        match fs::metadata(&self.path) {
            Ok(found) if found.is_file() => Ok(true),
            Ok(_) => Err(io_error("open", &self.path, io::Error::other("it is not a regular file"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => match dangling_link(&self.path) {
                Some(link) => Err(io_error("open", &self.path, link.into())),
                None => Ok(false),
            },
            Err(error) => Err(io_error("open", &self.path, error)),
        }
    }

    /// Makes the database under another name and puts it in its place complete, so that an empty one is never ours.
    pub(super) fn create(&self) -> Result<(), OpenError> {
        let failed = |source| io_error("make", &self.path, source);
        let staged = tempfile::Builder::new().prefix(".fernwire-").suffix(".db").tempfile_in(&self.folder);
        // Its error names the temporary file, which would say nothing to anybody.
        let staged = staged.map_err(|error| failed(error.kind().into()))?;
        let make = || {
            let mut connection = Connection::open_with_flags(staged.path(), OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            connection.execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF")?;
            schema::migrate(&mut connection)?;
            connection.close().map_err(|(_, error)| error)
        };
        make().map_err(|error| explain(&self.path, &error))?;
        make_private(staged.path()).map_err(failed)?;
        staged.as_file().sync_all().map_err(failed)?;
        match staged.persist_noclobber(&self.path) {
            Ok(_) => File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(failed),
            // Another process was faster.
            Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(refused) => Err(failed(refused.error)),
        }
    }

    /// The connection that writes, once the file has proven to be ours and of no later version.
    pub(super) fn open_writing(&self) -> Result<(Connection, Header), OpenError> {
        self.make_files_private()?;
        if fs::metadata(&self.path).is_ok_and(|found| found.len() == 0) {
            // Ours were never empty, and to start afresh without a word would look as if everything were lost.
            return Err(StoreError::Damaged { path: Arc::clone(&self.path), why: "it is empty".into() }.into());
        }
        let connection = self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(|error| self.unusable(&error))?;
        let header = Header::read(&connection).map_err(|error| self.unusable(&error))?;
        let path = || self.path.to_path_buf();
        if header.application != schema::APPLICATION {
            return Err(OpenError::Foreign { path: path() });
        }
        if header.version > schema::VERSION {
            return Err(OpenError::Newer { path: path(), found: header.version, known: schema::VERSION });
        }
        if connection.is_readonly("main").map_err(|error| self.unusable(&error))? {
            let why = "the file is read-only".into();
            return Err(StoreError::ReadOnly { path: Arc::clone(&self.path), why }.into());
        }
        settle(&connection).map_err(|error| self.unusable(&error))?;
        Ok((connection, header))
    }

    /// A connection that never waits for the one that writes.
    pub(super) fn open_reading(&self) -> rusqlite::Result<Connection> {
        let connection = self.connect(OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }

    fn connect(&self, flags: OpenFlags) -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(&self.path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        Ok(connection)
    }

    /// Brings an older database up to date. Only a server that has the folder, or nobody, may have it open.
    pub(super) fn migrate(&self, connection: &mut Connection) -> Result<(), OpenError> {
        schema::migrate(connection).map_err(|error| self.unusable(&error))
    }

    /// Reads everything once, so that damage is known before anybody builds on it.
    pub(super) fn check(&self, connection: &Connection) -> Result<(), OpenError> {
        let verdict: String = connection
            .pragma_query_value(None, "quick_check", |row| row.get(0))
            .map_err(|error| self.unusable(&error))?;
        if verdict == "ok" {
            return Ok(());
        }
        let why = verdict.lines().next().unwrap_or("no reason given").to_owned();
        Err(StoreError::Damaged { path: Arc::clone(&self.path), why }.into())
    }

    /// Ours alone whatever the umask was, also when a copy was put here by hand.
    fn make_files_private(&self) -> Result<(), OpenError> {
        for suffix in ["", "-wal", "-shm"] {
            let path = self.folder.join(format!("{DATABASE}{suffix}"));
            match make_private(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error("protect", &path, error)),
                _ => {}
            }
        }
        Ok(())
    }

    fn unusable(&self, error: &rusqlite::Error) -> OpenError {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => OpenError::NotADatabase { path: self.path.to_path_buf() },
            _ => explain(&self.path, error).into(),
        }
    }
}

/// Every commit is on the disk before anybody hears of it.
fn settle(connection: &Connection) -> rusqlite::Result<()> {
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        let refused = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
        return Err(rusqlite::Error::SqliteFailure(refused, None));
    }
    connection.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA trusted_schema = OFF;
         PRAGMA secure_delete = FAST;",
    )?;
    // What a burst has made of the WAL does not stay forever.
    connection.pragma_update_and_check(None, "journal_size_limit", 64 * 1024 * 1024, |_| Ok(()))
}

fn make_private(path: &Path) -> io::Result<()> {
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o7777 == PRIVATE {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(PRIVATE))
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> OpenError {
    OpenError::Io { action, path: path.into(), source }
}
