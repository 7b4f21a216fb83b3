//! Frames that are not due, too long, or alerts.

use super::super::super::hello::{self, FrameType};
use super::super::super::mode::KeyMode;
use super::super::edit::Edit;
use super::Step::{self, *};
use super::{Broken, broken, good, refuse};

const ALL_STEPS: [Step; 4] = [ClientHello, ServerHello, ServerFinished, ClientFinished];

pub(super) fn all() -> Vec<Broken> {
    [types_and_lengths(), alerts()].into_iter().flatten().collect()
}

/// Type and length of each frame.
fn types_and_lengths() -> Vec<Broken> {
    let mut all = Vec::new();
    for step in ALL_STEPS {
        let mode = KeyMode::X25519Psk;
        let kind = |kind: u8| move |frame: &[u8]| vec![Edit::replace(frame, 0, 1, &[kind])];
        let due = good(mode, step)[0];
        let others = [0, 1, 2, 3, 4, 6, 255].into_iter().filter(|other| *other != due);
        all.extend(others.map(|other| broken(mode, step, "unexpected_frame", kind(other))));
        // Refused for the header alone: nothing behind it is waited for.
        for length in [4097u16, 0xffff] {
            let header = |frame: &[u8]| vec![Edit::replace(frame, 1, frame.len() - 1, &length.to_be_bytes())];
            all.push(refuse(mode, step, "frame_too_long", header(&good(mode, step))));
        }
    }
    all
}

/// What comes as an alert where a frame is due: a known one, an unknown one, and bodies that no alert has.
fn alerts() -> Vec<Broken> {
    let mut all = Vec::new();
    for (step, code) in ALL_STEPS.into_iter().zip([1, 4, 5, 6]) {
        let frame = good(KeyMode::X25519, step);
        let bodies: [(&str, &[u8]); 4] =
            [("alert", &[code]), ("alert", &[99]), ("bad_field", &[]), ("bad_field", &[code, 0])];
        all.extend(bodies.map(|(reason, body)| {
            let alert = hello::frame(FrameType::Alert, body);
            refuse(KeyMode::X25519, step, reason, vec![Edit::replace(&frame, 0, frame.len(), &alert)])
        }));
    }
    all
}
