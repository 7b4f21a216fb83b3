//! The query service: a lookup, answered with timestamps.

use serde::{Deserialize, Serialize};

/// Asks for as many timestamps as the table says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryRequest {
    /// What is looked up, such as `SetA-Two`.
    pub query: String,
}

/// An answer to a query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum QueryReply {
    /// The server's local time, `DD-MM-YYYY HH:MM:SS`.
    Timestamp {
        /// The time.
        time: String,
    },
    /// The table has no such entry.
    Empty,
}
