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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::name::Target;
    use crate::model::peer::Source;
    use crate::store::{Credential, EntryKind, Page, Post, Store, sqlite};

    /// A database as the first version made it, with something in it.
    fn first_version() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = Connection::open(folder.path().join(sqlite::DATABASE)).unwrap();
        migrate_to(&mut connection, 1).unwrap();
        let earlier = "
            INSERT INTO accounts (name, key, credential, created) VALUES ('Ada', 'ada', 'hash', 5);
            INSERT INTO members VALUES (1, 1, 0);
            INSERT INTO positions VALUES (1, 1, 0);
            UPDATE conversations SET last = 1;
            INSERT INTO entries (conversation, seq, time, author, kind, text, post_id)
            VALUES (1, 1, 6, 1, 0, 'from before', 'x');";
        connection.execute_batch(earlier).unwrap();
        folder
    }

    #[tokio::test]
    async fn a_database_of_the_first_version_comes_up_with_all_that_is_in_it() {
        let folder = first_version();
        let (store, _feed) = Store::open(folder.path()).unwrap();
        let ada = store.account(&"ada".parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(ada.credential, Credential::new("hash"));
        let lobby: Target = "#lobby".parse().unwrap();
        let (source, kind) = (Source::Memory, EntryKind::Text);
        let (text, post_id) = ("from now".into(), "y".into());
        let post = Post { author: ada.id, source, to: lobby, kind, text, post_id, time: 7 };
        let posted = store.post(post).await.unwrap().unwrap();
        let entries = store.entries(posted.conversation, Page::After { seq: 0, limit: 9 }).await.unwrap();
        let texts: Vec<_> = entries.iter().map(|entry| entry.text.as_str()).collect();
        assert_eq!(texts, ["from before", "from now"]);
        store.close().await;
        let connection = Connection::open(folder.path().join(sqlite::DATABASE)).unwrap();
        assert_eq!(Header::read(&connection).unwrap().version, VERSION);
    }

    #[test]
    fn a_step_is_taken_once() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        migrate(&mut connection).unwrap();
        let header = Header::read(&connection).unwrap();
        assert_eq!((header.application, header.version), (APPLICATION, VERSION));
    }
}
