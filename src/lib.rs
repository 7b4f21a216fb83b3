//! Fernwire: private, encrypted sessions between machines that their owners run themselves.
#![warn(missing_docs)]

pub mod channel;
pub mod keys;
pub mod model;
pub mod transport;
