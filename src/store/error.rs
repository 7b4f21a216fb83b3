//! What can go wrong with a database, in sentences for the person who runs it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::ErrorCode;

/// The store was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no database, and none was to be made.
    #[error(
        "there is no database {} yet: a server makes it when it first runs there, and so does `fernwire users import`; \
         --data names another folder",
        .path.display()
    )]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A file or the folder could not be used.
    #[error("could not {action} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another server has the folder.
    #[error("another server is using {}: stop it, or give this one a folder of its own", .folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// A later version of this program has written it.
    #[error(
        "{} has schema {found}, and this fernwire knows no later one than {known}: run the newer fernwire, or restore a \
         backup from before it was first run",
        .path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema's version.
        found: i64,
        /// The latest version that is known here.
        known: i64,
    },
    /// It is some other program's.
    #[error("{} is the database of another program: move it away, or use another folder", .path.display())]
    Foreign {
        /// The database.
        path: PathBuf,
    },
    /// It is something else altogether.
    #[error("{} is not a database: move it away, or restore a copy that `fernwire backup` made", .path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The database failed as it may at any time.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The database did not do what it was asked. Nothing of it was written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// No room is left.
    #[error("nothing was written, because the disk with {} is full: make room on it and try again", .path.display())]
    Full {
        /// The database.
        path: Arc<Path>,
    },
    /// The file or its folder is read-only.
    #[error(
        "{} cannot be written ({why}): it and its folder have to be writable for the user who runs fernwire",
        .path.display()
    )]
    ReadOnly {
        /// The database.
        path: Arc<Path>,
        /// What the database said.
        why: String,
    },
    /// What is in the file is not what was written.
    #[error("{} is damaged ({why}): stop the server, and restore a copy that `fernwire backup` made", .path.display())]
    Damaged {
        /// The database.
        path: Arc<Path>,
        /// What the database said.
        why: String,
    },
    /// Another process was writing for too long.
    #[error("another process is writing to {} and did not finish in time: try again", .path.display())]
    Busy {
        /// The database.
        path: Arc<Path>,
    },
    /// The disk failed.
    #[error("the disk with {} failed ({why}): look into the system's log before anything else", .path.display())]
    Disk {
        /// The database.
        path: Arc<Path>,
        /// What the database said.
        why: String,
    },
    /// A mistake of ours.
    #[error("a fault in fernwire kept it from using {} ({why}): please report it", .path.display())]
    Fault {
        /// The database.
        path: Arc<Path>,
        /// What happened.
        why: String,
    },
    /// The store was closed before.
    #[error("the database is closed, because the server is stopping")]
    Closed,
}

/// No copy was made.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A copy never replaces anything.
    #[error("{} exists already: name a new file", .path.display())]
    Exists {
        /// Where the copy was to be.
        path: PathBuf,
    },
    /// The copy could not be written.
    #[error("could not write {}: {source}", .path.display())]
    Io {
        /// Where the copy was to be.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The database could not be read, or the copy's disk is full.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What the database's own error means for people. Neither texts nor credentials are ever part of it.
pub(super) fn explain(path: &Arc<Path>, error: &rusqlite::Error) -> StoreError {
    let path = Arc::clone(path);
    let failure = match error {
        rusqlite::Error::SqlInputError { error, .. } => Some(error),
        other => other.sqlite_error(),
    };
    let Some(failure) = failure else {
        return match error {
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::Utf8Error(..) => {
                StoreError::Damaged { path, why: "a value is not what was written".into() }
            }
            other => StoreError::Fault { path, why: other.to_string() },
        };
    };
    // The code's own words: a message may quote what was being written.
    let why = rusqlite::ffi::code_to_str(failure.extended_code).to_owned();
    match failure.code {
        ErrorCode::DiskFull => StoreError::Full { path },
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::Damaged { path, why },
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen => StoreError::ReadOnly { path, why },
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Busy { path },
        // The file that the connections share could not grow.
        ErrorCode::SystemIoFailure if failure.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE => {
            StoreError::Full { path }
        }
        ErrorCode::SystemIoFailure => StoreError::Disk { path, why },
        _ => StoreError::Fault { path, why },
    }
}
