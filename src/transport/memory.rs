//! `memory://`: two tasks of one process, for tests and embedding.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc;

use super::endpoint::{Address, Endpoint};
use super::{
    BoxFuture, Conn, ConnInfo, DialError, DialOptions, Incoming, ListenError, ListenOptions, Listener, Transport,
};
use crate::model::peer::PeerAddr;

/// How many connections may wait to be accepted.
const MAX_BACKLOG: usize = 1024;

/// How many bytes of one direction may be on their way.
const MAX_IN_FLIGHT: usize = 64 * 1024;

/// Who listens, by name. A std mutex: it is held for a map operation and never across an await.
static LISTENERS: Mutex<Option<HashMap<String, mpsc::Sender<DuplexStream>>>> = Mutex::new(None);

fn listeners() -> MutexGuard<'static, Option<HashMap<String, mpsc::Sender<DuplexStream>>>> {
    LISTENERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The transport within this process.
pub struct Memory;

impl Transport for Memory {
    fn listen<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        _: &'a ListenOptions,
    ) -> BoxFuture<'a, Result<Box<dyn Listener>, ListenError>> {
        Box::pin(async move {
            let (sender, arrivals) = mpsc::channel(MAX_BACKLOG);
            let mut listeners = listeners();
            let names = listeners.get_or_insert_default();
            if names.contains_key(name(endpoint)) {
                return Err(ListenError::InUse { endpoint: endpoint.without_identity() });
            }
            names.insert(name(endpoint).to_owned(), sender);
            Ok(Box::new(Named { local: endpoint.without_identity(), arrivals }) as Box<dyn Listener>)
        })
    }

    fn dial<'a>(&'a self, endpoint: &'a Endpoint, _: &'a DialOptions) -> BoxFuture<'a, Result<Conn, DialError>> {
        Box::pin(async move {
            let refused = || DialError::Refused { endpoint: endpoint.without_identity() };
            let (ours, theirs) = duplex(MAX_IN_FLIGHT);
            let listener = listeners().as_ref().and_then(|names| names.get(name(endpoint)).cloned());
            listener.ok_or_else(refused)?.try_send(theirs).map_err(|_| refused())?;
            Ok(conn(ours))
        })
    }
}

fn name(endpoint: &Endpoint) -> &str {
    match &endpoint.address {
        Address::Memory(name) => name,
        _ => unreachable!("`for_endpoint` chose this transport by the address"),
    }
}

fn conn(io: DuplexStream) -> Conn {
    let info = ConnInfo { peer: PeerAddr::Memory, scheme: "memory", proven_by: None };
    Conn { io: Box::new(io), info }
}

struct Named {
    local: Endpoint,
    arrivals: mpsc::Receiver<DuplexStream>,
}

impl Listener for Named {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Incoming>> {
        Box::pin(async {
            match self.arrivals.recv().await {
                Some(io) => Ok(Incoming { peer: PeerAddr::Memory, upgrade: Box::pin(async move { Ok(conn(io)) }) }),
                // The sender lives in the table until this listener is dropped.
                None => std::future::pending().await,
            }
        })
    }

    fn local(&self) -> &Endpoint {
        &self.local
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        if let Some(names) = listeners().as_mut() {
            names.remove(name(&self.local));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_is_taken_while_its_listener_lives() {
        let endpoint: Endpoint = "memory://taken".parse().unwrap();
        let listener = Memory.listen(&endpoint, &ListenOptions::default()).await.unwrap();
        assert!(matches!(
            Memory.listen(&endpoint, &ListenOptions::default()).await.err().unwrap(),
            ListenError::InUse { .. }
        ));
        assert!(Memory.dial(&endpoint, &DialOptions::default()).await.is_ok());
        drop(listener);
        assert!(Memory.dial(&endpoint, &DialOptions::default()).await.is_err());
        assert!(Memory.listen(&endpoint, &ListenOptions::default()).await.is_ok());
    }
}
