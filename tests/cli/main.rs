//! The command line as people and scripts use it: the real program, its output and its exit codes.

#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../program/mod.rs"]
mod program;
#[path = "../python/mod.rs"]
mod python;

mod backup;
mod bad_input;
mod certs;
mod chat;
mod config;
mod connecting;
mod export;
mod keys;
mod log;
mod log_service;
mod man;
mod reload;
mod scripts;
mod stopping;
mod submit;
mod systemd;
mod tls;
mod trust;
mod users;
