//! What can be asked about conversations, and what the answers are made of.

use std::time::Duration;

use crate::model::name::{RoomName, Target, UserName};
use crate::protocol::chat::{Entry, Measure};

/// Which part of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// The first after this number.
    After(u64),
    /// The last before this number.
    Before(u64),
    /// The last there are.
    Last,
}

/// An entry that a search has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// In which conversation.
    pub with: Target,
    /// For going on from here.
    pub cursor: u64,
    /// What was said.
    pub entry: Entry,
}

/// A member of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub name: UserName,
    /// Whether they are an operator of it.
    pub operator: bool,
    /// Whether they listen now.
    pub present: bool,
}

/// A room of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Its name.
    pub name: RoomName,
    /// What it is about.
    pub topic: String,
    /// How many members it has.
    pub members: u64,
}

/// How order is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moderation {
    /// Where.
    pub room: RoomName,
    /// Whom.
    pub name: UserName,
    /// What is done.
    pub measure: Measure,
    /// For how long, for a ban or a mute; without it, until it is lifted.
    pub lasting: Option<Duration>,
    /// Whether a ban also holds for the addresses from which the person is connected now.
    pub address: bool,
    /// Why.
    pub reason: String,
}
