//! The message log: lines are acknowledged once they are durable; the server's operator may answer.

use serde::{Deserialize, Serialize};

/// The longest line, in bytes.
pub const MAX_LOG_TEXT: usize = 8 * 1024;
/// The most lines of one request.
pub const MAX_LOG_LINES: usize = 256;
/// The longest name of a stream of lines, in bytes.
pub const MAX_LOG_STREAM: usize = 64;

/// Leaves lines, or waits for the operator's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum LogRequest {
    /// Appends lines, in this order. They are answered together.
    ///
    /// Requests are answered side by side, so whoever wants the lines of two in order waits for the answer to the first.
    Append {
        /// Made by the client, random: what its numbers belong to, also over several sessions. Visible ASCII, not empty.
        stream: String,
        /// The number in the stream of the first line, and each further one has the next. The same number again is
        /// acknowledged again, and kept once.
        number: u64,
        /// The lines: at least one, at most [`MAX_LOG_LINES`] of up to [`MAX_LOG_TEXT`] bytes.
        texts: Vec<String>,
    },
    /// Streams what the operator says to this session, until it is cancelled. One at a time in a session.
    Listen,
}

/// A receipt, or what the operator says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LogReply {
    /// The lines are durable, and in the server's log file.
    Received {
        /// For each line its number among all lines of the server.
        rows: Vec<u64>,
    },
    /// The operator's words. Text from the peer: make control characters visible before showing it.
    Answer {
        /// What.
        text: String,
    },
    /// A kind of a later version; to be ignored.
    #[serde(other)]
    Other,
}
