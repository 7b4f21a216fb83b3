//! What TLS adds: which servers are accepted, what an attacker on the wire achieves, and what a peer who keeps to none of
//! it costs the others.

#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../forge/mod.rs"]
mod forge;

mod hello;
mod middleman;
mod other_clients;
mod relay;
mod reload;
mod stalled;
mod tampering;
mod trust;
mod verification;
