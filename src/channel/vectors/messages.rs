//! Messages in one record and in many: empty, at every boundary, and with other records between their pieces.

use super::super::mode::KeyMode;
use super::super::record::MAX_PAYLOAD;
use super::super::record::RecordType::{Data, Ping, Pong, Rekey};
use super::super::stream::{MAX_MESSAGE, MAX_UNPROVEN_MESSAGE};
use super::hold_to_file;
use super::line::Line;
use super::stream::{File, Side, Stream, counted};

#[test]
fn messages_agree_with_their_vectors() {
    let mut streams = Vec::new();
    for side in Side::BOTH {
        streams.push(empty_ones(side));
        streams.push(in_pieces(side));
        streams.push(with_others_between(side));
        for length in [MAX_PAYLOAD - 1, MAX_PAYLOAD, MAX_PAYLOAD + 1, 2 * MAX_PAYLOAD, MAX_MESSAGE] {
            streams.push(whole(KeyMode::Psk, side, length));
        }
    }
    streams.push(whole(KeyMode::X25519, Side::Client, MAX_UNPROVEN_MESSAGE));
    streams.push(whole(KeyMode::X25519, Side::Server, MAX_UNPROVEN_MESSAGE + 1));
    hold_to_file("messages", &File::of(streams));
}

fn empty_ones(side: Side) -> Stream {
    Line::new(KeyMode::Psk, side).data("").data("not empty").data("").data("").close().accepted(&[
        b"",
        b"not empty",
        b"",
        b"",
    ])
}

/// A sender may cut where it likes, and the last piece may be empty.
fn in_pieces(side: Side) -> Stream {
    let line = Line::new(KeyMode::Psk, side).say(Data, true, b"t").say(Data, true, b"hree pie").data("ces");
    let line = line.say(Data, true, b"and nothing more").data("").data("whole");
    line.close().accepted(&[b"three pieces", b"and nothing more", b"whole"])
}

fn with_others_between(side: Side) -> Stream {
    let line = Line::new(KeyMode::Psk, side).say(Ping, false, b"").say(Data, true, b"one ").say(Ping, false, b"");
    let line = line.say(Pong, false, b"").say(Data, true, b"whole ").say(Rekey, false, b"").data("message");
    line.say(Pong, false, b"").close().accepted(&[b"one whole message"])
}

/// A message in as few records as there can be.
fn whole(mode: KeyMode, side: Side, length: usize) -> Stream {
    let message = counted(0, length);
    let pieces = message.chunks(MAX_PAYLOAD);
    let last = pieces.len() - 1;
    let line = pieces.enumerate().fold(Line::new(mode, side), |line, (i, piece)| line.say(Data, i < last, piece));
    line.close().accepted(&[&message])
}
