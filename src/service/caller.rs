//! One client's session as the services see it: who it is, and how to send it away.

use std::sync::Arc;

use tokio::sync::watch;

use crate::model::name::UserName;
use crate::model::peer::PeerAddr;
use crate::protocol::{ErrorCode, RequestError};
use crate::store::AccountId;

/// What is known of a client before it asks for anything.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Where it comes from.
    pub address: PeerAddr,
    /// Whether it came by a way that only this machine has: loopback, a Unix socket, memory.
    pub is_near: bool,
    /// The key that it has proven to hold.
    pub holds: Option<HeldKey>,
}

/// A key that is shared with those who may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldKey {
    /// The server's secret key.
    Secret,
    /// The key of the Fernet door by which it came; so has whoever has recorded one of its tokens.
    Door,
}

/// An account that a session has proven to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The account.
    pub id: AccountId,
    /// Its name, as it was first written.
    pub name: UserName,
}

/// Why a session is sent away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dismissal {
    /// It does not read what it asked for.
    TooSlow(String),
    /// An operator wants it so.
    Removed(String),
}

/// One client's session.
pub struct Caller {
    number: u64,
    peer: Peer,
    identity: watch::Sender<Option<Identity>>,
    dismissal: watch::Sender<Option<Dismissal>>,
}

impl Caller {
    /// A session with this number, which no other session of the server has.
    pub(super) fn new(number: u64, peer: Peer) -> Arc<Self> {
        Arc::new(Self { number, peer, identity: watch::Sender::new(None), dismissal: watch::Sender::new(None) })
    }

    /// The number by which an operator calls it.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// What was known of it from the beginning.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Who it is, if it has logged in.
    pub fn identity(&self) -> Option<Identity> {
        self.identity.borrow().clone()
    }

    /// Who it is, or that it must log in first.
    pub fn logged_in(&self) -> Result<Identity, RequestError> {
        self.identity().ok_or_else(|| {
            RequestError::new(ErrorCode::LoginRequired, "this is for people with an account; log in or sign up first")
        })
    }

    /// It is this account's from now on, and stays that.
    pub(super) fn identify(&self, identity: Identity) -> Result<(), RequestError> {
        let mut other = None;
        self.identity.send_if_modified(|known| match known {
            Some(known) => {
                other = (known.id != identity.id).then(|| known.name.clone());
                false
            }
            None => {
                *known = Some(identity);
                true
            }
        });
        other.map_or(Ok(()), |name| Err(taken(&name)))
    }

    /// Whether somebody may still become it.
    pub(super) fn is_nobodys(&self) -> Result<(), RequestError> {
        self.identity().map_or(Ok(()), |identity| Err(taken(&identity.name)))
    }

    /// Sends it away; the first reason counts.
    pub fn dismiss(&self, why: Dismissal) {
        self.dismissal.send_if_modified(|dismissal| {
            let first = dismissal.is_none();
            dismissal.get_or_insert(why);
            first
        });
    }

    /// Completes when it has become somebody's.
    pub async fn identified(&self) {
        // The sender is ours.
        let _ = self.identity.subscribe().wait_for(Option::is_some).await;
    }

    /// Completes when it is sent away.
    pub async fn dismissed(&self) -> Dismissal {
        let mut dismissal = self.dismissal.subscribe();
        let dismissal = dismissal.wait_for(Option::is_some).await.map(|dismissal| dismissal.clone());
        match dismissal {
            Ok(Some(dismissal)) => dismissal,
            // The sender is ours.
            _ => std::future::pending().await,
        }
    }
}

fn taken(name: &UserName) -> RequestError {
    RequestError::new(ErrorCode::BadRequest, format!("this session is {name}'s already; open another one"))
}
