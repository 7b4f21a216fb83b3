//! Data submission: a document follows its request as bulk bytes, and is acknowledged once it is durable.

use serde::{Deserialize, Serialize};

use crate::document::Format;

/// The longest id of a submission, in bytes.
pub const MAX_SUBMISSION_ID: usize = 64;

/// Hands in a document, whose bytes follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmitRequest {
    /// Made by the client, random, a new one for each submission: the same again is answered as it was, and kept once.
    /// Visible ASCII, not empty.
    pub id: String,
    /// How it is written; without it, its beginning tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// How many bytes follow, at most [`crate::document::MAX_DOCUMENT`].
    pub length: u64,
}

/// A receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SubmitReply {
    /// The data is durable.
    Stored {
        /// Its number among all submissions of the server.
        row: u64,
        /// The format that it was read as.
        format: Format,
    },
}
