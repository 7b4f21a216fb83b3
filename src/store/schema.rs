//! The tables, and the steps by which an older database comes up to them.

use rusqlite::{Connection, TransactionBehavior};

/// What tells our databases from those of other programs: `FRNW`, in the file's header.
pub(super) const APPLICATION: i64 = 0x4652_4e57;

/// Each step leads from its place in this list to the next version. A step that was ever released is never changed.
const STEPS: [&str; 1] = [include_str!("schema/1.sql")];

/// The version that this program reads and writes.
pub(super) const VERSION: i64 = STEPS.len() as i64;

/// What the header of a database says.
pub(super) struct Header {
    pub(super) application: i64,
    pub(super) version: i64,
}

impl Header {
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get(0));
        Ok(Self { application: pragma("application_id")?, version: pragma("user_version")? })
    }
}

/// Brings a database up to this version, each step whole or not at all.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    migrate_to(connection, STEPS.len())
}

fn migrate_to(connection: &mut Connection, last: usize) -> rusqlite::Result<()> {
    for (version, step) in (1..).zip(STEPS).take(last) {
        let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if Header::read(&change)?.version < version {
            change.execute_batch(step)?;
            change.pragma_update(None, "application_id", APPLICATION)?;
            change.pragma_update(None, "user_version", version)?;
            change.commit()?;
        }
    }
    Ok(())
}
