//! The hash of the handshake so far: SHA-256 over whole frames, byte for byte as they were on the wire.

use sha2::{Digest, Sha256};

/// Hashes the frames of one handshake in the order in which they were sent.
#[derive(Clone)]
pub(super) struct Transcript(Sha256);

impl Transcript {
    pub(super) fn new() -> Self {
        Self(Sha256::new())
    }

    /// Adds a whole frame, its type and length included.
    pub(super) fn add(&mut self, frame: &[u8]) {
        self.0.update(frame);
    }

    /// The hash up to here.
    pub(super) fn hash(&self) -> TranscriptHash {
        TranscriptHash(self.0.clone().finalize().into())
    }
}

/// The transcript at one moment. H1, the last, is also the session's id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TranscriptHash([u8; 32]);

impl TranscriptHash {
    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}
