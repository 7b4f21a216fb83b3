//! The Fernet door, both ways round: programs with bare Fernet at our server, and our clients at servers of such programs.

#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../program/mod.rs"]
mod program;
#[path = "../python/mod.rs"]
mod python;

mod log;
mod opening;
mod places;
mod query;
mod scene;
mod strangers;
mod submit;
mod to_log;
mod to_query;
mod to_submit;
mod tokens;
