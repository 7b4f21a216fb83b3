//! The typed messages that travel over a channel, whatever service they are for.
//!
//! ```text
//! client -> server                                        server -> client
//! {"type":"request","id":1,"service":"query","body":…}    {"type":"reply","id":1,"service":"query","body":…}
//! {"type":"cancel","id":1}                                {"type":"end","id":1}
//! {"type":"credit","id":1,"bytes":131072}                 {"type":"error","id":1,"code":"bad_request","message":"…"}
//!                                                         {"type":"cancelled","id":1}
//! ```
//! A request's replies stream back under its id and end in exactly one of end, error and cancelled. Ids strictly
//! increase. A server may send replies while the stream has credit; the client extends it as it consumes.

use serde::{Deserialize, Serialize};

pub mod account;
pub mod chat;
pub mod codec;
pub mod log;
pub mod query;
pub mod submit;

use account::{AccountReply, AccountRequest};
use chat::{ChatReply, ChatRequest};
use log::{LogReply, LogRequest};
use query::{QueryReply, QueryRequest};
use submit::{SubmitReply, SubmitRequest};

/// The largest integer in a message (2^53-1), so that every JSON reader holds it exactly.
pub const MAX_INTEGER: u64 = (1 << 53) - 1;
/// How deep a message's objects and arrays may nest.
pub const MAX_DEPTH: usize = 32;
/// How many requests of one session may be answered at the same time.
pub const MAX_IN_FLIGHT: usize = 32;
/// The longest text in bytes of a failed request's error; what is longer is cut.
pub const MAX_ERROR_TEXT: usize = 1024;
/// The reply bytes (whole messages) that a stream may be ahead of its consumer.
pub const STREAM_CREDIT: u64 = 256 * 1024;

/// What a client says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    /// Asks a service.
    Request {
        /// Larger than every id before it in this session; at most [`MAX_INTEGER`].
        id: u64,
        /// What is asked.
        #[serde(flatten)]
        request: Request,
    },
    /// Wants no more replies. Ignored if the stream has ended.
    Cancel {
        /// The request's id.
        id: u64,
    },
    /// Has consumed replies. Ignored if the stream has ended; credit never exceeds [`STREAM_CREDIT`].
    Credit {
        /// The request's id.
        id: u64,
        /// How many bytes more may be sent.
        bytes: u64,
    },
}

/// What a server says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// One reply of possibly many.
    Reply {
        /// The request's id.
        id: u64,
        /// What is answered.
        #[serde(flatten)]
        reply: Reply,
    },
    /// The request is answered; nothing more comes under its id.
    End {
        /// The request's id.
        id: u64,
    },
    /// The request failed; nothing more comes under its id.
    Error {
        /// The request's id.
        id: u64,
        /// Why.
        #[serde(flatten)]
        error: RequestError,
    },
    /// The request was cancelled; nothing more comes under its id.
    Cancelled {
        /// The request's id.
        id: u64,
    },
}

impl ServerMessage {
    /// The id of the request that this belongs to.
    pub fn id(&self) -> u64 {
        match self {
            Self::Reply { id, .. } | Self::End { id } | Self::Error { id, .. } | Self::Cancelled { id } => *id,
        }
    }
}

/// A request to one of the services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "service", content = "body", rename_all = "snake_case")]
pub enum Request {
    /// Looks something up and asks for the time.
    Query(QueryRequest),
    /// Makes or proves an account.
    Account(AccountRequest),
    /// Talks, and hears others.
    Chat(ChatRequest),
    /// Leaves lines in the server's log.
    Log(LogRequest),
    /// Hands in data.
    Submit(SubmitRequest),
}

impl Request {
    /// Whether its replies never end by themselves, so that nobody waits for the last.
    pub fn is_endless(&self) -> bool {
        matches!(self, Self::Chat(ChatRequest::Listen { .. }) | Self::Log(LogRequest::Listen))
    }

    /// How many bulk bytes follow the request.
    pub fn upload_length(&self) -> u64 {
        match self {
            Self::Submit(request) => request.length,
            Self::Query(_) | Self::Account(_) | Self::Chat(_) | Self::Log(_) => 0,
        }
    }
}

/// A reply of one of the services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "service", content = "body", rename_all = "snake_case")]
pub enum Reply {
    /// An answer to a query.
    Query(QueryReply),
    /// An answer to whoever made or proved an account.
    Account(AccountReply),
    /// What was said and done.
    Chat(ChatReply),
    /// A receipt, or what the operator says.
    Log(LogReply),
    /// A receipt for data.
    Submit(SubmitReply),
}

/// Why a request failed. The session goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct RequestError {
    /// For programs.
    pub code: ErrorCode,
    /// For people. Text from the peer: make control characters visible before showing it.
    pub message: String,
    /// In how many seconds it may be tried again, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

impl RequestError {
    /// An error with this text.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after: None }
    }
}

/// Why a request failed, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The request is not one that the service takes.
    BadRequest,
    /// There is no such service, or it is not offered here.
    UnknownService,
    /// [`MAX_IN_FLIGHT`] requests are being answered already.
    TooManyRequests,
    /// The server stops and takes no new requests.
    ShuttingDown,
    /// The name and the password do not belong together, or the ticket is none (any more).
    BadCredentials,
    /// The name has an owner.
    NameTaken,
    /// This is for those who have logged in, or hold the secret key.
    LoginRequired,
    /// What was asked is understood and not allowed: no member, banned, muted, no operator.
    Refused,
    /// There is no such room or person.
    NotFound,
    /// Too much at once; `retry_after` says when to go on.
    Throttled,
    /// The server cannot keep anything now (its disk is full, say); the request may be tried again.
    Unavailable,
    /// The server failed; the request may be tried again.
    Internal,
    /// A code of a later version.
    #[serde(other)]
    Other,
}
