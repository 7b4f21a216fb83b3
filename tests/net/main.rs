//! The real program on two hosts of the test's own, which share no loopback and whose link can be cut. `make test-net`
//! runs these where the machine allows it, and says why where it does not; `cargo test` alone leaves them out.

// What a failed test has printed tells which line broke where.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

#[path = "../forge/mod.rs"]
mod forge;
#[path = "../program/mod.rs"]
mod program;

mod bad_line;
mod broken;
mod cut;
mod hosts;
mod names;
mod renewal;
mod scene;
mod strangers;
