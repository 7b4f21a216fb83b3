//! The message log: each message is acknowledged once it is durable; the server's operator may answer.

use serde::{Deserialize, Serialize};

/// The longest message, in bytes.
pub const MAX_LOG_TEXT: usize = 8 * 1024;
/// The longest name of a stream of messages, in bytes.
pub const MAX_LOG_STREAM: usize = 64;

/// Leaves a message, or waits for the operator's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum LogRequest {
    /// Appends a message.
    Append {
        /// Made by the client, random: what its numbers belong to, also over several sessions.
        stream: String,
        /// The message's number in the stream; the same again is acknowledged again, and kept once.
        number: u64,
        /// The message.
        text: String,
    },
    /// Streams what the operator says to this session, until it is cancelled.
    Listen,
}

/// A receipt, or what the operator says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LogReply {
    /// The message is durable, and in the server's log file.
    Received {
        /// Its number among all messages of the server.
        row: u64,
    },
    /// The operator's words. Text from the peer: make control characters visible before showing it.
    Answer {
        /// What.
        text: String,
    },
}
