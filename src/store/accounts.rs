//! Who has an account, and what they prove it with.

use std::fmt;

use rusqlite::Row;
use zeroize::Zeroizing;

use super::Store;
use super::error::StoreError;
use super::statements::{Statements, name};
use crate::model::name::UserName;

/// An account, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub(super) i64);

/// What a password is checked against. Opaque here: the caller hashes.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential(Zeroizing<String>);

impl Credential {
    /// The credential with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Its text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(..)")
    }
}

/// An account that can log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// What it is referred to by.
    pub id: AccountId,
    /// As its owner wrote it.
    pub name: UserName,
    /// What its password is checked against.
    pub credential: Credential,
}

/// What the list of accounts says of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSummary {
    /// As its owner wrote it.
    pub name: UserName,
    /// When it was made.
    pub created: i64,
    /// When it last logged in, if ever.
    pub last_login: Option<i64>,
    /// When it was deleted, if it was.
    pub deleted: Option<i64>,
}

impl Store {
    /// Makes an account; `None` if the name is taken, be it by a deleted account.
    pub async fn create_account(
        &self,
        name: UserName,
        credential: Credential,
        now: i64,
    ) -> Result<Option<Account>, StoreError> {
        self.write(256, move |transaction| {
            let sql = "INSERT INTO accounts (name, key, credential, created) VALUES (?1, ?2, ?3, ?4)
                       ON CONFLICT (key) DO NOTHING RETURNING id";
            let id = transaction
                .sql
                .first(sql, (name.as_str(), name.key(), credential.expose(), now), |row| Ok(AccountId(row.get(0)?)))?;
            Ok(id.map(|id| Account { id, name, credential }))
        })
        .await
    }

    /// The account with this name, unless it was deleted.
    pub async fn account(&self, name: &UserName) -> Result<Option<Account>, StoreError> {
        let key = name.key();
        self.read(move |sql| {
            let query = "SELECT id, name, credential FROM accounts WHERE key = ?1 AND deleted IS NULL";
            sql.first(query, [key], account)
        })
        .await
    }

    /// Every account, deleted ones too, sorted by the form in which names are compared.
    pub async fn accounts(&self) -> Result<Vec<AccountSummary>, StoreError> {
        self.read(|sql| {
            sql.all("SELECT name, created, last_login, deleted FROM accounts ORDER BY key", [], |row| {
                let (created, last_login, deleted) = (row.get(1)?, row.get(2)?, row.get(3)?);
                Ok(AccountSummary { name: name(row, 0)?, created, last_login, deleted })
            })
        })
        .await
    }

    /// Gives the account a new password, which ends every later session without one, and brings a deleted account back.
    /// `false` if there is no such name.
    pub async fn set_credential(&self, name: &UserName, credential: Credential) -> Result<bool, StoreError> {
        let key = name.key();
        self.write(256, move |transaction| {
            let sql = "UPDATE accounts SET credential = ?2, deleted = NULL WHERE key = ?1 RETURNING id";
            let id: Option<i64> = transaction.sql.first(sql, (key, credential.expose()), |row| row.get(0))?;
            if let Some(id) = id {
                transaction.sql.change("DELETE FROM tickets WHERE account = ?1", [id])?;
            }
            Ok(id.is_some())
        })
        .await
    }

    /// Deletes an account: its credential, tickets and memberships go. What it said stays, and its name stays taken, so
    /// that nobody else becomes who they were. `false` if there is no such name, or no longer.
    pub async fn delete_account(&self, name: &UserName, now: i64) -> Result<bool, StoreError> {
        let key = name.key();
        self.write(64, move |transaction| {
            let sql = &transaction.sql;
            let deleted = "UPDATE accounts SET credential = NULL, deleted = ?2
                           WHERE key = ?1 AND deleted IS NULL RETURNING id";
            let Some(id) = sql.first(deleted, (key, now), |row| row.get::<_, i64>(0))? else { return Ok(false) };
            sql.change("DELETE FROM tickets WHERE account = ?1", [id])?;
            sql.change("DELETE FROM members WHERE account = ?1", [id])?;
            sql.change("DELETE FROM positions WHERE account = ?1", [id])?;
            Ok(true)
        })
        .await
    }

    /// Remembers that the account logged in, and forgets tickets that have expired by then.
    pub async fn note_login(&self, id: AccountId, now: i64) -> Result<(), StoreError> {
        self.write(64, move |transaction| {
            transaction.sql.change("UPDATE accounts SET last_login = ?2 WHERE id = ?1", (id.0, now))?;
            transaction.sql.change("DELETE FROM tickets WHERE expires <= ?1", [now])?;
            Ok(())
        })
        .await
    }
}

/// Of `id, name, credential`.
pub(super) fn account(row: &Row<'_>) -> rusqlite::Result<Account> {
    let credential = Credential::new(row.get::<_, String>(2)?);
    Ok(Account { id: AccountId(row.get(0)?), name: name(row, 1)?, credential })
}

/// The name of an account that is not deleted.
pub(super) fn living(sql: &Statements<'_>, id: AccountId) -> rusqlite::Result<Option<UserName>> {
    sql.first("SELECT name FROM accounts WHERE id = ?1 AND deleted IS NULL", [id.0], |row| name(row, 0))
}

/// The account with this name that is not deleted.
pub(super) fn living_named(sql: &Statements<'_>, wanted: &UserName) -> rusqlite::Result<Option<(AccountId, UserName)>> {
    let query = "SELECT id, name FROM accounts WHERE key = ?1 AND deleted IS NULL";
    sql.first(query, [wanted.key()], |row| Ok((AccountId(row.get(0)?), name(row, 1)?)))
}
