//! The state of a server on this machine, for commands that work on it beside the server.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::bail;
use fernwire::store::{self, Store};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use rustix::process::geteuid;

use crate::cli::StateArgs;
use crate::configure::{self, Origins};
use crate::serve::keys::{data_folder, prepare_folder};

/// Where the state of the server is that is meant.
pub(crate) fn folder(args: StateArgs, origins: &Origins) -> anyhow::Result<PathBuf> {
    data_folder(&configure::server_of(args, origins)?)
}

/// Does something with the database in this folder, which has to be there.
pub(crate) fn with_store<T>(folder: &Path, work: impl AsyncFnOnce(&Store) -> anyhow::Result<T>) -> anyhow::Result<T> {
    run(folder, false, work)
}

/// The same; a database that is not there is made.
pub(crate) fn with_store_made<T>(
    folder: &Path,
    work: impl AsyncFnOnce(&Store) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    prepare_folder(folder)?;
    if fs::metadata(folder).is_ok_and(|found| found.uid() != geteuid().as_raw()) && !has_database(folder) {
        // A server that runs as the folder's owner could not open what another user makes here.
        bail!("the data directory {} belongs to another user: run this as that user", folder.display());
    }
    run(folder, true, work)
}

fn has_database(folder: &Path) -> bool {
    fs::symlink_metadata(folder.join(store::DATABASE)).is_ok()
}

fn run<T>(folder: &Path, create: bool, work: impl AsyncFnOnce(&Store) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = Store::open_beside(folder, create)?;
        let result = work(&store).await;
        store.close().await;
        result
    })
}

/// Milliseconds since 1970.
pub(crate) fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

/// Local time; `None` if no calendar has it.
pub(crate) fn local(millis: i64, zone: &TimeZone) -> Option<Zoned> {
    Timestamp::from_millisecond(millis).ok().map(|time| time.to_zoned(zone.clone()))
}

/// Local time as people write it, to the minute.
pub(crate) fn minute(millis: i64, zone: &TimeZone) -> String {
    local(millis, zone).map_or("?".to_owned(), |time| time.strftime("%d-%m-%Y %H:%M").to_string())
}
