//! The chat on a full screen, key by key on a real terminal, with the real server.

#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../program/mod.rs"]
mod program;

mod scene;
mod terminal;

mod door;
mod history;
mod leaving;
mod looks;
mod reconnecting;
mod talking;
