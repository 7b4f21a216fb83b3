//! A store in a folder of its own, and the people in it.

use std::path::{Path, PathBuf};

use fernwire::model::name::{RoomName, Target, UserName};
use fernwire::model::peer::Source;
use fernwire::store::{AccountId, Credential, Entry, EntryKind, Feed, Membership, Page, Post, Posted, Refusal, Store};
use tempfile::TempDir;

/// The present, in these tests.
pub(crate) const NOW: i64 = 1_000_000;

pub(crate) struct Scene {
    pub(crate) store: Store,
    pub(crate) feed: Feed,
    pub(crate) folder: Folder,
}

/// Where the store is.
pub(crate) enum Folder {
    Own(TempDir),
    Given(PathBuf),
}

impl Folder {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Own(folder) => folder.path(),
            Self::Given(folder) => folder,
        }
    }
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
        Self::in_folder(Folder::Own(tempfile::tempdir().unwrap()))
    }

    /// In a folder that is not removed afterwards.
    pub(crate) fn on(folder: &Path) -> Self {
        Self::in_folder(Folder::Given(folder.into()))
    }

    fn in_folder(folder: Folder) -> Self {
        let (store, feed) = Store::open(folder.path()).unwrap();
        Self { store, feed, folder }
    }

    /// Ends everything and begins again with the same files.
    pub(crate) async fn restart(self) -> Self {
        let Self { store, folder, .. } = self;
        store.close().await;
        Self::in_folder(folder)
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

    /// The texts of everything that was said there, page by page.
    pub(crate) async fn everything(&self, account: AccountId, with: &str) -> Vec<String> {
        let id = self.membership(account, with).await.unwrap().id;
        let mut all: Vec<String> = Vec::new();
        loop {
            let page = Page::After { seq: all.len() as u64, limit: u32::MAX };
            let page = self.store.entries(id, page).await.unwrap();
            if page.is_empty() {
                return all;
            }
            all.extend(page.into_iter().map(|entry| entry.text));
        }
    }

    /// What was said there, as much of it as one page holds.
    pub(crate) async fn entries(&self, account: AccountId, with: &str) -> Vec<Entry> {
        let id = self.membership(account, with).await.unwrap().id;
        self.store.entries(id, Page::After { seq: 0, limit: u32::MAX }).await.unwrap()
    }
}

/// The texts, without the rest.
pub(crate) fn texts(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.text.as_str()).collect()
}
