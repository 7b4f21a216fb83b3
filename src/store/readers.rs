//! Connections that only read, beside the one that writes: a reader never waits for it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::{OpenError, StoreError, explain};
use super::sqlite::Place;
use super::statements::Statements;

/// How many may read at the same time.
const READERS: u32 = 4;

pub(super) struct Readers {
    path: Arc<Path>,
    /// A std mutex, held only to take one out or put it back.
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn open(place: &Place) -> Result<Self, OpenError> {
        let path = Arc::clone(&place.path);
        let idle: Result<Vec<_>, _> = (0..READERS).map(|_| place.open_reading()).collect();
        let idle = idle.map_err(|error| explain(&path, &error))?;
        Ok(Self { path, idle: Mutex::new(idle), permits: Arc::new(Semaphore::new(READERS as usize)) })
    }

    /// Runs it on a thread that may block, in one transaction, so that all that it reads is of one moment.
    pub(super) async fn read<T, F>(self: &Arc<Self>, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Statements<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let lease = self.lease(permit).ok_or(StoreError::Closed)?;
        let run = move || {
            let transaction = lease.connection()?.unchecked_transaction()?;
            work(&Statements::new(&transaction))
        };
        match tokio::task::spawn_blocking(run).await {
            Ok(result) => result.map_err(|error| explain(&self.path, &error)),
            Err(ended) if ended.is_cancelled() => Err(StoreError::Closed),
            Err(_) => Err(StoreError::Fault { path: Arc::clone(&self.path), why: "a query broke off".into() }),
        }
    }

    /// Waits for those who read, and closes their connections; nobody reads afterwards.
    pub(super) async fn close(&self) {
        let all = self.permits.acquire_many(READERS).await;
        self.permits.close();
        drop(all);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn lease(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Option<Lease> {
        let connection = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        Some(Lease { connection: Some(connection), readers: Arc::clone(self), _permit: permit })
    }
}

/// A connection that comes back when it is no longer needed, whatever happened to who had it.
struct Lease {
    connection: Option<Connection>,
    readers: Arc<Readers>,
    _permit: OwnedSemaphorePermit,
}

impl Lease {
    fn connection(&self) -> rusqlite::Result<&Connection> {
        self.connection.as_ref().ok_or(rusqlite::Error::InvalidQuery)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}
