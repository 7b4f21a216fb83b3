//! Rekeying: records before, between and after, in each direction, with the secret and the key of every generation.

use super::super::mode::KeyMode;
use super::super::record::RecordType::{Data, Ping, Pong, Rekey};
use super::hold_to_file;
use super::line::Line;
use super::stream::{File, Side, Stream};

#[test]
fn rekeying_agrees_with_its_vectors() {
    let mut streams = Vec::new();
    for mode in KeyMode::ALL {
        streams.extend(Side::BOTH.map(|side| four_keys_later(mode, side)));
    }
    streams.extend(Side::BOTH.map(|side| at_once(KeyMode::Psk, side)));
    hold_to_file("rekey", &File::of(streams));
}

/// A rekey after a message, two in a row, and one between the pieces of a message.
fn four_keys_later(mode: KeyMode, side: Side) -> Stream {
    let line = Line::new(mode, side).data("under the first key").say(Rekey, false, b"").data("under the second");
    let line = line.say(Rekey, false, b"").say(Rekey, false, b"").say(Ping, false, b"");
    let line = line.say(Data, true, b"half under the fourth, ").say(Rekey, false, b"").say(Pong, false, b"");
    let line = line.say(Data, false, b"half under the fifth").close();
    line.with_keys(&[b"under the first key", b"under the second", b"half under the fourth, half under the fifth"])
}

/// The first record is a rekey, and the last before the close.
fn at_once(mode: KeyMode, side: Side) -> Stream {
    let line = Line::new(mode, side).say(Rekey, false, b"").data("one").say(Rekey, false, b"").close();
    line.with_keys(&[b"one"])
}
