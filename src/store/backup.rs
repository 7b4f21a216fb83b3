//! A copy of the database while others write to it: whole, checked, or not made.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};
use tempfile::NamedTempFile;

use super::Store;
use super::error::{BackupError, StoreError, explain};
use super::sqlite::BUSY_TIMEOUT;

/// Between two attempts, should another process be in the way.
const PAUSE: Duration = Duration::from_millis(50);

impl Store {
    /// Copies everything that was committed into a new file (0600), from which the database can be restored by putting
    /// it in its place while no server runs. The file appears whole or not at all, and never replaces another.
    pub async fn backup(&self, file: &Path) -> Result<(), BackupError> {
        let (from, to) = (Arc::clone(&self.path), file.to_path_buf());
        match tokio::task::spawn_blocking(move || copy(&from, &to)).await {
            Ok(result) => result,
            Err(_) => Err(StoreError::Fault { path: Arc::clone(&self.path), why: "the copy broke off".into() }.into()),
        }
    }
}

fn copy(from: &Arc<Path>, to: &Path) -> Result<(), BackupError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists { path: to.into() },
        _ => BackupError::Io { path: to.into(), source },
    };
    if fs::symlink_metadata(to).is_ok() {
        return Err(BackupError::Exists { path: to.into() });
    }
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A temporary file is 0600 from its first moment. Its error names it, which would say nothing to anybody.
    let staged = tempfile::Builder::new().prefix(".fernwire-").suffix(".db").tempfile_in(folder);
    let staged = staged.map_err(|error| failed(error.kind().into()))?;
    fill(from, &staged, to).map_err(|(path, error)| explain(&path, &error))?;
    staged.as_file().sync_all().map_err(failed)?;
    staged.persist_noclobber(to).map_err(|refused| failed(refused.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

/// Copies and checks the copy; an error comes with the file that it is about.
fn fill(from: &Arc<Path>, staged: &NamedTempFile, to: &Path) -> Result<(), (Arc<Path>, rusqlite::Error)> {
    let copy = staged.path();
    let of_source = |error| (Arc::clone(from), error);
    let of_copy = |error| (Arc::from(to), error);
    let source = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(of_source)?;
    source.busy_timeout(BUSY_TIMEOUT).map_err(of_source)?;
    let mut target = Connection::open_with_flags(copy, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(of_copy)?;
    {
        let backup = Backup::new(&source, &mut target).map_err(of_copy)?;
        // All in one step, which is one moment; in pieces, each commit in between would make it begin again.
        backup.run_to_completion(i32::MAX, PAUSE, None).map_err(of_copy)?;
    }
    // One file that needs no other beside it, also where nothing can be written.
    target.pragma_update_and_check(None, "journal_mode", "delete", |_| Ok(())).map_err(of_copy)?;
    let verdict: String = target.pragma_query_value(None, "quick_check", |row| row.get(0)).map_err(of_copy)?;
    if verdict != "ok" {
        let damaged = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
        return Err(of_source(rusqlite::Error::SqliteFailure(damaged, None)));
    }
    target.close().map_err(|(_, error)| of_copy(error))
}
