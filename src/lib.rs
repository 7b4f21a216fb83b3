//! Fernwire: private, encrypted sessions between machines that their owners run themselves.
#![warn(missing_docs)]

pub mod channel;
#[cfg(feature = "server")]
pub mod client;
#[cfg(feature = "server")]
pub mod config;
pub mod keys;
pub mod model;
#[cfg(feature = "server")]
pub mod protocol;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod service;
pub mod transport;
