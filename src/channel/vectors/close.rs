//! Goodbyes: every reason, in both directions, with texts of every kind.

use super::super::mode::KeyMode;
use super::super::record::{MAX_CLOSE_TEXT, RecordType};
use super::super::stream::CloseReason::{self, *};
use super::hold_to_file;
use super::line::Line;
use super::stream::{File, Side, Stream};

#[test]
fn closing_agrees_with_its_vectors() {
    let mut streams = Vec::new();
    for side in Side::BOTH {
        let reasons: [(CloseReason, &str); 7] = [
            (Done, ""),
            (GoingAway, "the server stops"),
            (ProtocolError, "request 7 came before request 8: “7”"),
            (TooMany, "à bientôt"),
            (TooSlow, "よく読めません"),
            (Idle, "line one\nline two\u{1b}[31m"),
            (Removed, "🦀"),
        ];
        streams.extend(reasons.map(|(reason, text)| goodbye(side, reason as u8, text.as_bytes())));
        // Reasons of later versions, a text that is no UTF-8, and the longest.
        streams.push(goodbye(side, 7, b"for a reason of a later version"));
        streams.push(goodbye(side, 255, b""));
        streams.push(goodbye(side, 1, b"broken \xff\xfe\xc3"));
        streams.push(goodbye(side, 0, &[b'x'; MAX_CLOSE_TEXT]));
    }
    hold_to_file("close", &File::of(streams));
}

fn goodbye(side: Side, reason: u8, text: &[u8]) -> Stream {
    let line = Line::new(KeyMode::X25519Psk, side).data("before the goodbye");
    line.say(RecordType::Close, false, &[&[reason], text].concat()).accepted(&[b"before the goodbye"])
}
