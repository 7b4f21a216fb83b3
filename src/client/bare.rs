//! A client of programs that speak bare Fernet: one token, then whatever the service answers, then the next.
//!
//! There is no session to resume and nothing proves who answers; see [`crate::channel::bare`].

use std::time::Duration;

use super::Io;
use crate::channel::bare::{BareError, BareFernet};
use crate::keys::SecretKey;
use crate::model::Visible;
use crate::protocol::query::QueryReply;
use crate::transport::endpoint::Endpoint;
use crate::transport::{self, DialError, DialOptions};

/// How long a server may take from a query to the first timestamp, and from one to the next.
pub const REPLY_TIMEOUT: Duration = Duration::from_secs(60);
/// As long as it takes: a person thinks about an answer.
const WITHOUT_LIMIT: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
/// What follows a document comes so much later, since servers take whatever one `recv` returns as one token, and answer
/// nothing that could be waited for.
const AFTER_DOCUMENT: Duration = Duration::from_millis(500);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum BareCallError {
    /// Tokens do not come or go.
    #[error(transparent)]
    Tokens(#[from] BareError),
    /// The server is gone, which is all that many do about a token of another key.
    #[error(
        "the server closed the connection without an answer; it may hold another key, serve something else, or take no \
         message of this length"
    )]
    Closed,
    /// The server is gone, and had answered before.
    #[error("the server closed the connection before it had answered this")]
    Left,
    /// Whatever is said now would be taken for the answer to something else.
    #[error("the server said `{}` without being asked; it serves something else", Visible(.0))]
    Unasked(String),
    /// The server is there and says nothing.
    #[error("the server has not answered for {} s; it may serve something else, and idle= in the address waits longer", .0.as_secs())]
    Unanswered(Duration),
}

/// A connection to such a program.
pub struct BareClient {
    tokens: BareFernet<Io>,
    /// How long an answer may take.
    patience: Duration,
    /// Whether the server has shown that it holds the key.
    has_heard: bool,
}

impl BareClient {
    /// Connects. Whether the server holds the key shows with its first answer. No token is longer than `max_token`
    /// characters, and no answer to a query is waited for longer than `patience`.
    pub async fn connect(
        endpoint: &Endpoint,
        key: &SecretKey,
        (max_token, patience): (usize, Duration),
        dial: &DialOptions,
    ) -> Result<Self, DialError> {
        let conn = transport::dial(endpoint, dial).await?;
        Ok(Self { tokens: BareFernet::new(conn.io, key, max_token), patience, has_heard: false })
    }

    /// Asks for timestamps, which [`Self::next_reply`] takes until there are no more. Ask the next afterwards.
    pub async fn ask(&mut self, query: &str) -> Result<(), BareCallError> {
        self.refuse_unasked().await?;
        self.send(query.as_bytes()).await
    }

    /// The next reply to the query; `None` after the last timestamp.
    pub async fn next_reply(&mut self) -> Result<Option<QueryReply>, BareCallError> {
        let text = self.hear(self.patience).await?;
        Ok(match text.as_str() {
            "END" => None,
            "EMPTY" => Some(QueryReply::Empty),
            _ => Some(QueryReply::Timestamp { time: text }),
        })
    }

    /// Leaves a message and waits, as long as it takes, for what the server replies. Text from the peer: make control
    /// characters visible before showing it.
    pub async fn say(&mut self, message: &str) -> Result<String, BareCallError> {
        self.refuse_unasked().await?;
        self.send(message.as_bytes()).await?;
        self.hear(WITHOUT_LIMIT).await
    }

    /// Submits a document, at which such a server usually says nothing: whether it has taken it remains unknown. Comes back
    /// when the next can be sent, with what the server has said all the same, and fails if it has left.
    pub async fn submit(&mut self, document: &[u8]) -> Result<Option<String>, BareCallError> {
        self.send(document).await?;
        match self.hear(AFTER_DOCUMENT).await {
            Err(BareCallError::Unanswered(_)) => Ok(None),
            heard => heard.map(Some),
        }
    }

    /// Says a last word, if the service has one, and leaves. Fails if the server has said more than it was asked.
    pub async fn end(mut self, word: Option<&str>) -> Result<(), BareCallError> {
        let said = self.hear(Duration::ZERO).await;
        if let Some(word) = word {
            // Everything is answered. A server that has left takes nothing away from that.
            let _ = self.send(word.as_bytes()).await;
        }
        self.tokens.close().await;
        said.map_or(Ok(()), |text| Err(BareCallError::Unasked(text)))
    }

    async fn send(&mut self, text: &[u8]) -> Result<(), BareCallError> {
        match self.tokens.send(text).await {
            // It has closed the connection, and only now is that noticed.
            Err(BareError::Io(_)) => Err(self.gone()),
            sent => Ok(sent?),
        }
    }

    /// What is there already is no answer to what will be asked.
    async fn refuse_unasked(&mut self) -> Result<(), BareCallError> {
        match self.hear(Duration::ZERO).await {
            Err(BareCallError::Unanswered(_)) => Ok(()),
            Err(error) => Err(error),
            Ok(text) => Err(BareCallError::Unasked(text)),
        }
    }

    async fn hear(&mut self, patience: Duration) -> Result<String, BareCallError> {
        let heard = match self.tokens.recv(patience).await {
            Ok(Some(text)) => String::from_utf8_lossy(&text).into_owned(),
            Ok(None) | Err(BareError::Io(_)) => return Err(self.gone()),
            Err(BareError::Idle(time)) => return Err(BareCallError::Unanswered(time)),
            Err(error) => return Err(error.into()),
        };
        self.has_heard = true;
        Ok(heard)
    }

    fn gone(&self) -> BareCallError {
        if self.has_heard { BareCallError::Left } else { BareCallError::Closed }
    }
}
