//! Tickets: a later session of the same account without the password. Only a hash of each is kept.

use super::Store;
use super::accounts::{Account, account};
use super::error::StoreError;

/// The tickets of one account; with one more, the oldest goes.
pub const MAX_TICKETS: u32 = 64;

impl Store {
    /// Keeps a ticket by its SHA-256. `false`, and nothing is kept, if the account was deleted or got another password
    /// since it was read: who has proven the old one has proven nothing.
    pub async fn add_ticket(&self, account: &Account, hash: [u8; 32], expires: i64) -> Result<bool, StoreError> {
        let Account { id: account, credential, .. } = account.clone();
        self.write(128, move |transaction| {
            let sql = "INSERT INTO tickets (hash, account, expires)
                       SELECT ?2, id, ?3 FROM accounts WHERE id = ?1 AND deleted IS NULL AND credential = ?4";
            let added = transaction.sql.change(sql, (account.0, hash, expires, credential.expose()))?;
            let surplus = "DELETE FROM tickets WHERE id IN
                           (SELECT id FROM tickets WHERE account = ?1 ORDER BY id DESC LIMIT -1 OFFSET ?2)";
            transaction.sql.change(surplus, (account.0, MAX_TICKETS))?;
            Ok(added == 1)
        })
        .await
    }

    /// Whose ticket it is. It stays valid until it expires.
    pub async fn redeem_ticket(&self, hash: [u8; 32], now: i64) -> Result<Option<Account>, StoreError> {
        self.read(move |sql| {
            let query = "SELECT a.id, a.name, a.credential FROM tickets t JOIN accounts a ON a.id = t.account
                         WHERE t.hash = ?1 AND t.expires > ?2 AND a.deleted IS NULL";
            sql.first(query, (hash, now), account)
        })
        .await
    }
}
