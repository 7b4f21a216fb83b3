//! The services: typed requests in, typed replies out. They see no transport, no key mode, no ids and no JSON.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::model::peer::Source;
use crate::protocol::{ErrorCode, Reply, Request, RequestError};
use crate::store::{AccountId, StoreError};

pub mod access;
pub mod accounts;
mod bucket;
pub mod caller;
pub mod chat;
pub mod journal;
pub mod log;
pub mod operator;
pub mod query;
pub mod shown;
pub mod submit;

use caller::{Caller, Peer};

/// The services that a server offers.
#[derive(Default)]
pub struct Services {
    /// Looks up a table and streams timestamps.
    pub query: Option<query::Query>,
    /// Makes and proves accounts.
    pub accounts: Option<accounts::Accounts>,
    /// Rooms and direct messages; needs accounts.
    pub chat: Option<chat::Chat>,
    /// Keeps lines; and the operator's answers to them.
    pub log: Option<log::Log>,
    /// Keeps data.
    pub submit: Option<submit::Submit>,
    /// The sessions there are.
    pub sessions: Sessions,
}

impl Services {
    /// Why nobody from there is served, if so.
    pub async fn turns_away(&self, source: &Source) -> Option<String> {
        self.accounts.as_ref()?.turns_away(source).await
    }

    /// Sends away whoever is not wanted any more. Never completes.
    pub async fn watch(&self) {
        match &self.accounts {
            Some(accounts) => accounts.watch(&self.sessions).await,
            None => std::future::pending().await,
        }
    }

    /// Answers a request into the sink. Dropping the future cancels the request.
    pub async fn answer(
        &self,
        caller: &Arc<Caller>,
        request: Request,
        upload: Upload,
        replies: ReplySink,
    ) -> Result<(), RequestError> {
        match request {
            Request::Query(request) => {
                offered(&self.query, "query")?.answer(request, replies).await;
                Ok(())
            }
            Request::Account(request) => {
                offered(&self.accounts, "account")?.answer(caller, &self.sessions, request, replies).await
            }
            Request::Chat(request) => offered(&self.chat, "chat")?.answer(caller, request, replies).await,
            Request::Log(request) => offered(&self.log, "log")?.serve(caller, request, replies).await,
            Request::Submit(request) => offered(&self.submit, "submit")?.serve(caller, request, upload, replies).await,
        }
    }
}

/// The service, if this server offers it.
fn offered<'a, S>(service: &'a Option<S>, name: &str) -> Result<&'a S, RequestError> {
    service.as_ref().ok_or_else(|| {
        RequestError::new(ErrorCode::UnknownService, format!("the service `{name}` is not offered here"))
    })
}

/// What the client is told when the store fails; the log says why.
fn unavailable(error: StoreError) -> RequestError {
    tracing::error!(reason = %error, "the database failed");
    let message = "the server cannot keep or find anything now, and its log says why; try again later";
    RequestError::new(ErrorCode::Unavailable, message)
}

/// What was asked is understood and not allowed.
fn refused(message: impl Into<String>) -> RequestError {
    RequestError::new(ErrorCode::Refused, message)
}

/// The time in milliseconds since 1970 (UTC).
fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

/// A wait as it is told: never zero, never too short.
fn in_whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0).max(u64::from(wait.is_zero()))
}

/// The sessions of a server, numbered from 1 in the order in which they came.
#[derive(Clone, Default)]
pub struct Sessions(Arc<Registry>);

#[derive(Default)]
struct Registry {
    last: AtomicU64,
    /// A std mutex: held for map operations, never across an await.
    callers: Mutex<BTreeMap<u64, Arc<Caller>>>,
}

impl Sessions {
    /// A session begins; it ends when the guest is dropped.
    pub fn enter(&self, peer: Peer) -> Guest {
        let caller = Caller::new(self.0.last.fetch_add(1, Ordering::Relaxed) + 1, peer);
        self.lock().insert(caller.number(), caller.clone());
        Guest { sessions: self.clone(), caller }
    }

    /// Those there are now, by number.
    pub fn all(&self) -> Vec<Arc<Caller>> {
        self.lock().values().cloned().collect()
    }

    /// How many of them are this account's.
    fn of(&self, account: AccountId) -> usize {
        self.lock().values().filter(|caller| caller.identity().is_some_and(|identity| identity.id == account)).count()
    }

    /// The one with this number.
    pub fn find(&self, number: u64) -> Option<Arc<Caller>> {
        self.lock().get(&number).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Caller>>> {
        self.0.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session that is going on.
pub struct Guest {
    sessions: Sessions,
    caller: Arc<Caller>,
}

impl Deref for Guest {
    type Target = Arc<Caller>;

    fn deref(&self) -> &Arc<Caller> {
        &self.caller
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.sessions.lock().remove(&self.caller.number());
    }
}

/// Where a service puts its replies. The next is taken when the last is on its way, so a slow reader slows only its
/// own service down.
pub struct ReplySink(mpsc::Sender<Reply>);

impl ReplySink {
    /// A sink, and where its replies come out.
    pub fn new() -> (Self, mpsc::Receiver<Reply>) {
        let (sender, replies) = mpsc::channel(1);
        (Self(sender), replies)
    }

    /// Waits until the reply is taken. Whether anybody still reads is told by the cancellation, not here.
    pub async fn send(&self, reply: Reply) {
        let _ = self.0.send(reply).await;
    }
}

/// The bytes that follow a request that announces them.
pub struct Upload {
    length: u64,
    chunks: mpsc::UnboundedReceiver<Vec<u8>>,
}

impl Upload {
    /// For so many bytes, and where they are to be put.
    pub fn new(length: u64) -> (Self, mpsc::UnboundedSender<Vec<u8>>) {
        let (sender, chunks) = mpsc::unbounded_channel();
        (Self { length, chunks }, sender)
    }

    /// All of it, when it has come.
    pub async fn read(mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < self.length {
            match self.chunks.recv().await {
                Some(chunk) => bytes.extend(chunk),
                // The session is over, and this request with it.
                None => return std::future::pending().await,
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::peer::PeerAddr;
    use crate::protocol::query::QueryRequest;

    fn peer() -> Peer {
        Peer { address: PeerAddr::Memory, is_near: true, holds: None }
    }

    #[tokio::test]
    async fn a_service_that_is_not_offered_is_unknown_here() {
        let (sink, mut replies) = ReplySink::new();
        let request = Request::Query(QueryRequest { query: "SetA-One".into() });
        let services = Services::default();
        let guest = services.sessions.enter(peer());
        let error = services.answer(&guest, request, Upload::new(0).0, sink).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::UnknownService);
        assert_eq!(error.message, "the service `query` is not offered here");
        assert_eq!(replies.recv().await, None);
    }

    #[test]
    fn sessions_are_numbered_and_known_until_they_end() {
        let sessions = Sessions::default();
        let (first, second) = (sessions.enter(peer()), sessions.enter(peer()));
        assert_eq!((first.number(), second.number()), (1, 2));
        drop(first);
        assert!(sessions.find(1).is_none() && sessions.find(2).is_some());
        assert_eq!(sessions.enter(peer()).number(), 3);
    }
}
