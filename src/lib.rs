//! Fernwire: private, encrypted sessions between machines that their owners run themselves.
//!
//! The layers, each importing only from those below it:
//!
//! ```text
//! server | client    accept + session life | dial + trust + typed calls
//! config             validated configuration
//! service            typed requests in, typed replies out
//! protocol           the messages and their encoding
//! store              what must outlive a restart
//! channel            handshake, key schedule, records: bytes in, messages out
//! transport          byte streams: tcp, tls, unix, memory
//! certs              certificates for TLS
//! document           what is submitted: JSON, pickle, XML as data
//! keys               secret.key and identity.key
//! model              newtypes that several layers share
//! ```
//!
//! Data flows down on one side and up on the other: a typed request is encoded by `protocol`, sealed
//! into records by [`channel`], carried by [`transport`], and on the server decoded and handed to its service, whose
//! replies come back the same way. ARCHITECTURE.md follows a connection through its life; docs/protocol.md describes
//! every byte.
//!
//! Without the `server` feature, [`keys`], [`transport`] and [`channel`] remain, without `tls` no TLS: an encrypted,
//! ordered, message-framed channel over any byte stream. Two ends of one, over memory:
//!
//! ```
//! use fernwire::channel::handshake::{Offer, Policy};
//! use fernwire::channel::{self, CloseReason, Settings};
//! use fernwire::keys::IdentityKey;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (near, far) = tokio::io::duplex(1024);
//! let identity = IdentityKey::generate()?;
//! let expected = identity.public();
//!
//! let server = async {
//!     let policy = Policy::new("x25519".parse()?, Some(identity), None)?;
//!     let mut channel = channel::accept(far, policy, Settings::default()).await?;
//!     let question = channel.recv().await?.map(<[u8]>::to_vec);
//!     assert_eq!(question.as_deref(), Some(&b"what time is it?"[..]));
//!     channel.send(b"late").await?;
//!     Ok::<_, Box<dyn std::error::Error>>(channel.close(CloseReason::Done, "").await?)
//! };
//! let client = async {
//!     let offer = Offer::new("x25519".parse()?, None)?;
//!     let verified = channel::connect(near, offer, Settings::default()).await?;
//!     // Whether to trust the server is the client's decision, and it has to be made here.
//!     assert_eq!(verified.identity(), Some(expected));
//!     let mut channel = verified.trust();
//!     channel.send(b"what time is it?").await?;
//!     assert_eq!(channel.recv().await?, Some(&b"late"[..]));
//!     Ok(channel.close(CloseReason::Done, "").await?)
//! };
//! tokio::try_join!(server, client)?;
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "tls")]
pub mod certs;
pub mod channel;
#[cfg(feature = "server")]
pub mod client;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "server")]
pub mod document;
pub mod keys;
pub mod model;
#[cfg(feature = "server")]
pub mod protocol;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod service;
#[cfg(feature = "server")]
pub mod store;
pub mod transport;
