//! The message log: lines are acknowledged once they are durable; the server's operator may answer.

use serde::{Deserialize, Serialize};

/// The longest line, in bytes.
pub const MAX_LOG_TEXT: usize = 8 * 1024;
/// The most lines of one request.
pub const MAX_LOG_LINES: usize = 256;
/// The longest name of a stream of lines, in bytes.
pub const MAX_LOG_STREAM: usize = 64;

/// Leaves lines, or waits for the operator's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum LogRequest {
    /// Appends lines, in this order. They are answered together.
    ///
    /// Requests are answered side by side, so whoever wants the lines of two in order waits for the answer to the first.
    Append {
        /// Made by the client, random: what its numbers belong to, also over several sessions. Visible ASCII, not empty.
        stream: String,
        /// The number in the stream of the first line, and each further one has the next. The same number again is
        /// acknowledged again, and kept once.
        number: u64,
        /// The lines: at least one, at most [`MAX_LOG_LINES`] of up to [`MAX_LOG_TEXT`] bytes.
        texts: Vec<String>,
    },
    /// Streams what the operator says to this session, until it is cancelled. One at a time in a session.
    Listen,
}

/// A receipt, or what the operator says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LogReply {
    /// The lines are durable, and in the server's log file.
    Received {
        /// For each line its number among all lines of the server.
        rows: Vec<u64>,
    },
    /// The operator's words. Text from the peer: make control characters visible before showing it.
    Answer {
        /// What.
        text: String,
    },
    /// A kind of a later version; to be ignored.
    #[serde(other)]
    Other,
}

/// The text as pieces that fit into a line each, also as JSON: at least one.
pub(crate) fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    loop {
        let (piece, behind) = rest.split_at(end_of_piece(rest));
        pieces.push(piece);
        if behind.is_empty() {
            return pieces;
        }
        rest = behind;
    }
}

fn end_of_piece(text: &str) -> usize {
    let mut bytes = 0;
    let too_far = text.char_indices().find(|(_, c)| {
        bytes += bytes_in_json(*c);
        bytes > MAX_LOG_TEXT
    });
    too_far.map_or(text.len(), |(at, _)| at)
}

/// What JSON makes of a character.
pub(crate) fn bytes_in_json(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        c => c.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_pieces_of_a_line_make_the_line_and_fit(line in "(\\PC|[\u{0}-\u{1f}\"\\\\]){0,9000}") {
            let pieces = pieces(&line);
            for piece in &pieces {
                prop_assert!(!piece.is_empty() || line.is_empty());
                prop_assert!(serde_json::to_string(piece).unwrap().len() <= MAX_LOG_TEXT + 2);
            }
            prop_assert_eq!(pieces.concat(), line);
        }
    }
}
