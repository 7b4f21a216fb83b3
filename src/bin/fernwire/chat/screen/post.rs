//! A message on its way: what is known of it until the server's entry takes its place.

use std::time::Instant;

use fernwire::protocol::chat::Style;

/// Something that was written here and is not an entry yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Post {
    /// Its place among what was written here.
    pub(super) number: u32,
    /// What the server knows it by; none, if it was not even handed over.
    pub(super) id: Option<String>,
    pub(super) style: Style,
    pub(super) text: String,
    pub(super) fate: Fate,
    /// Since when the server could have answered; none while there is no connection.
    pub(super) since: Option<Instant>,
}

/// How far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// Not acknowledged yet.
    Sending,
    /// The server wants it later.
    Waiting { why: String, until: Instant },
    /// Durable on the server; its entry is on its way here.
    Sent,
    /// Not taken, and not tried again by itself.
    Failed { why: String },
}

impl Post {
    pub(super) fn is_settled(&self) -> bool {
        matches!(self.fate, Fate::Sent | Fate::Failed { .. })
    }

    pub(super) fn has_failed(&self) -> bool {
        matches!(self.fate, Fate::Failed { .. })
    }
}
