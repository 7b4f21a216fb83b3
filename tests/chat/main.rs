//! The chat client against the real server, and against one that does what no real one does on demand.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

mod fake;
mod place;
mod relay;
mod scripted;
mod talking;
mod trust;
