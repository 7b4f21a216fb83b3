//! What makes a bad frame of a good one: bytes that are taken out, and those in their place.

use serde::Serialize;

use super::super::hello::FRAME_HEADER;

/// One change; `at` counts in the good frame.
#[derive(Serialize, Clone)]
pub(super) struct Edit {
    at: usize,
    remove: String,
    insert: String,
    /// How the inserted bytes come about, where they are more than made up.
    #[serde(skip_serializing_if = "Option::is_none")]
    insert_is: Option<&'static str>,
}

impl Edit {
    /// Takes `length` bytes out of the frame and puts others there.
    pub(super) fn replace(frame: &[u8], at: usize, length: usize, insert: &[u8]) -> Self {
        let remove = hex::encode(&frame[at..at + length]);
        assert_ne!(remove, hex::encode(insert), "a change that changes nothing");
        Self { at, remove, insert: hex::encode(insert), insert_is: None }
    }

    pub(super) fn flip(frame: &[u8], at: usize, mask: u8) -> Self {
        Self::replace(frame, at, 1, &[frame[at] ^ mask])
    }

    pub(super) fn made_as(self, name: &'static str) -> Self {
        Self { insert_is: Some(name), ..self }
    }
}

/// The frame after its changes, which stand in the order of their places.
pub(super) fn edited(frame: &[u8], edits: &[Edit]) -> Vec<u8> {
    let (mut bytes, mut from) = (Vec::new(), 0);
    for edit in edits {
        bytes.extend_from_slice(&frame[from..edit.at]);
        bytes.extend(hex::decode(&edit.insert).unwrap());
        from = edit.at + edit.remove.len() / 2;
    }
    bytes.extend_from_slice(&frame[from..]);
    bytes
}

/// The same changes of a handshake frame, and first that of its length, if it has become another.
pub(super) fn resized(frame: &[u8], mut edits: Vec<Edit>) -> Vec<Edit> {
    let length = edited(frame, &edits).len() - FRAME_HEADER;
    let length = (length as u16).to_be_bytes();
    if frame[1..FRAME_HEADER] != length {
        edits.insert(0, Edit::replace(frame, 1, 2, &length));
    }
    edits
}
