//! A store in a folder of its own, and the people in it.

use fernwire::model::name::{RoomName, Target, UserName};
use fernwire::model::peer::Source;
use fernwire::store::{AccountId, Credential, Entry, EntryKind, Feed, Membership, Page, Post, Posted, Refusal, Store};
use tempfile::TempDir;

/// The present, in these tests.
pub(crate) const NOW: i64 = 1_000_000;

pub(crate) struct Scene {
    pub(crate) store: Store,
    pub(crate) feed: Feed,
    pub(crate) folder: TempDir,
}

pub(crate) fn user(name: &str) -> UserName {
    name.parse().unwrap()
}

pub(crate) fn room(name: &str) -> RoomName {
    name.parse().unwrap()
}

pub(crate) fn to(target: &str) -> Target {
    target.parse().unwrap()
}

pub(crate) fn here() -> Source {
    "192.0.2.1".parse().unwrap()
}

/// A post with its text as its id.
pub(crate) fn post(author: AccountId, target: &str, text: &str) -> Post {
    Post {
        author,
        source: here(),
        to: to(target),
        kind: EntryKind::Text,
        text: text.to_owned(),
        post_id: text.to_owned(),
        time: NOW,
    }
}

impl Scene {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (store, feed) = Store::open(folder.path()).unwrap();
        Self { store, feed, folder }
    }

    /// Ends everything and begins again with the same files.
    pub(crate) async fn restart(self) -> Self {
        let Self { store, folder, .. } = self;
        store.close().await;
        let (store, feed) = Store::open(folder.path()).unwrap();
        Self { store, feed, folder }
    }

    pub(crate) async fn sign_up(&self, name: &str) -> AccountId {
        let made = self.store.create_account(user(name), Credential::new(format!("hash of {name}")), NOW).await;
        made.unwrap().unwrap().id
    }

    pub(crate) async fn join(&self, account: AccountId, name: &str) -> Membership {
        self.try_join(account, name).await.unwrap()
    }

    pub(crate) async fn try_join(&self, account: AccountId, name: &str) -> Result<Membership, Refusal> {
        self.store.join(account, &here(), &room(name), NOW).await.unwrap()
    }

    pub(crate) async fn say(&self, author: AccountId, target: &str, text: &str) -> Result<Posted, Refusal> {
        self.store.post(post(author, target, text)).await.unwrap()
    }

    pub(crate) async fn membership(&self, account: AccountId, with: &str) -> Option<Membership> {
        self.store.membership(account, &to(with)).await.unwrap()
    }

    /// How many entries the account has not read there.
    pub(crate) async fn unread(&self, account: AccountId, with: &str) -> u64 {
        self.membership(account, with).await.unwrap().unread()
    }

    /// Everything that was said there.
    pub(crate) async fn entries(&self, account: AccountId, with: &str) -> Vec<Entry> {
        let id = self.membership(account, with).await.unwrap().id;
        self.store.entries(id, Page::After { seq: 0, limit: u32::MAX }).await.unwrap()
    }
}

/// The texts, without the rest.
pub(crate) fn texts(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.text.as_str()).collect()
}
