//! Handing in data: once, however often the connection breaks.

use std::time::Duration;

use super::connector::{Connector, Failure, NotConnected, told_pause};
use super::reconnect::{Backoff, Pauses};
use super::{CallError, Client};
use crate::channel::DRAIN_TIMEOUT;
use crate::document::Format;
use crate::model::random_id;
use crate::protocol::submit::{SubmitReply, SubmitRequest};
use crate::protocol::{Reply, Request};

/// How often a submission is tried before somebody is told that it failed.
pub const MAX_ATTEMPTS: u32 = 5;

/// A document, and what makes it the same one when it is sent again.
#[derive(Debug, Clone)]
pub struct Submission {
    id: String,
    format: Option<Format>,
    document: Vec<u8>,
}

impl Submission {
    /// A new one; without a format the server detects it.
    pub fn new(document: Vec<u8>, format: Option<Format>) -> Result<Self, getrandom::Error> {
        Ok(Self { id: random_id()?, format, document })
    }

    /// The bytes.
    pub fn document(&self) -> &[u8] {
        &self.document
    }
}

/// A receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// The submission's number among all of the server.
    pub row: u64,
    /// The format that it was read as.
    pub format: Format,
}

/// Why a submission is not stored, or nobody knows.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SubmitError {
    /// The server refused it, or failed again and again.
    #[error(transparent)]
    Call(#[from] CallError),
    /// There is no session any more.
    #[error(transparent)]
    NotConnected(#[from] NotConnected),
}

impl Client {
    /// Submits a document. The same submission again has the same answer, and is stored once.
    pub async fn submit(&self, submission: &Submission) -> Result<Stored, CallError> {
        let Submission { id, format, document } = submission;
        let request = SubmitRequest { id: id.clone(), format: *format, length: document.len() as u64 };
        let mut replies = self.calls.call_with(Request::Submit(request), document, |reply| match reply {
            Reply::Submit(reply) => Some(reply),
            _ => None,
        });
        let mut stored = None;
        while let Some(SubmitReply::Stored { row, format }) = replies.next_in_time().await? {
            stored = Some(Stored { row, format });
        }
        stored.ok_or_else(|| CallError::Nonsense("a submission that is neither stored nor refused".to_owned()))
    }
}

/// Submits over a session, and over the next one if that is lost.
pub struct Submitter<C> {
    client: Client,
    connector: C,
    pauses: Pauses,
    /// Whether the session is there and gives no answers.
    silent: bool,
}

impl<C: Connector> Submitter<C> {
    /// Begins with this session.
    pub fn new(client: Client, connector: C, pauses: Pauses) -> Self {
        Self { client, connector, pauses, silent: false }
    }

    /// Submits a document, in at most [`MAX_ATTEMPTS`].
    pub async fn submit(&mut self, submission: &Submission) -> Result<Stored, SubmitError> {
        let mut backoff = Backoff::new(self.pauses);
        let mut attempt = 1;
        loop {
            let error = match self.attempt(submission).await {
                Ok(stored) => return Ok(stored),
                Err(error) => error,
            };
            let (may_pass, told) = match &error {
                SubmitError::Call(CallError::Request(request)) => {
                    let told = told_pause(request);
                    (Failure::of(&CallError::Request(request.clone())) != Failure::Final, told)
                }
                SubmitError::Call(error) => (Failure::of(error) != Failure::Final, Duration::ZERO),
                SubmitError::NotConnected(error) => (error.may_pass, Duration::ZERO),
            };
            if !may_pass || attempt == MAX_ATTEMPTS {
                return Err(error);
            }
            attempt += 1;
            tokio::time::sleep(backoff.lost().max(told)).await;
        }
    }

    async fn attempt(&mut self, submission: &Submission) -> Result<Stored, SubmitError> {
        if self.silent || self.client.is_closed() {
            self.client = self.connector.connect().await?;
            self.silent = false;
        }
        let answer = self.client.submit(submission).await;
        self.silent = matches!(answer, Err(CallError::Unanswered));
        Ok(answer?)
    }

    /// Says goodbye.
    pub async fn close(self) {
        // Everything is answered. A server that stops at this moment takes nothing away from that.
        let _ = tokio::time::timeout(2 * DRAIN_TIMEOUT, self.client.close()).await;
    }
}
