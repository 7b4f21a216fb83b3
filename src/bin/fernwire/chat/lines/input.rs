//! Lines from stdin, read on a thread of their own, so that nothing waits for a person.

use std::io::{self, BufRead, IsTerminal, Read};

use fernwire::protocol::chat::MAX_TEXT;
use tokio::sync::mpsc;

/// The longest line in bytes, with a little room for a command's own words.
const MAX_LINE: usize = MAX_TEXT + 256;
/// What a terminal gives of a line, its end included (N_TTY_BUF_SIZE of Linux); the rest it throws away.
const MAX_TERMINAL_LINE: usize = 4096;
/// The lines that may wait until they are sent.
const MAX_LINES: usize = 64;

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    Line(String),
    /// Something that cannot be a message, and why.
    Unfit(String),
}

impl Input {
    /// A line that a terminal may have cut is no message: nobody would know what is missing.
    fn unless_cut(self) -> Self {
        match self {
            Self::Line(line) if line.len() >= MAX_TERMINAL_LINE - 1 => Self::Unfit(format!(
                "a terminal cuts lines at {} bytes, so this one was not sent; send a longer one through a pipe",
                MAX_TERMINAL_LINE - 1
            )),
            input => input,
        }
    }
}

/// The lines of stdin, to its end.
pub(super) fn lines() -> mpsc::Receiver<Input> {
    let (sender, lines) = mpsc::channel(MAX_LINES);
    // Not a task: the program must be able to end while this still waits for a line.
    std::thread::spawn(move || {
        let on_terminal = io::stdin().is_terminal();
        read_all(&mut io::stdin().lock(), |input| {
            let input = if on_terminal { input.unless_cut() } else { input };
            sender.blocking_send(input).is_ok()
        });
    });
    lines
}

/// Reads until the end, or until nobody wants more.
fn read_all(reader: &mut impl BufRead, mut take: impl FnMut(Input) -> bool) {
    loop {
        let input = match read_line(reader) {
            Ok(Some(input)) => input,
            Ok(None) => return,
            Err(error) => {
                take(Input::Unfit(format!("cannot read from stdin: {error}")));
                return;
            }
        };
        if !take(input) {
            return;
        }
    }
}

fn read_line(reader: &mut impl BufRead) -> io::Result<Option<Input>> {
    let mut line = Vec::new();
    reader.take(MAX_LINE as u64 + 1).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.len() > MAX_LINE && line.last() != Some(&b'\n') {
        skip_line(reader)?;
        return Ok(Some(Input::Unfit(format!("a message has at most {MAX_TEXT} bytes; a line has more"))));
    }
    Ok(Some(match String::from_utf8(line) {
        Ok(line) => Input::Line(line.trim_end_matches(['\n', '\r']).to_owned()),
        Err(_) => Input::Unfit("a line is not text in UTF-8".to_owned()),
    }))
}

fn skip_line(reader: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let length = end.map_or(buffer.len(), |end| end + 1);
        let done = end.is_some() || length == 0;
        reader.consume(length);
        if done {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_the_terminal_has_cut_is_not_sent() {
        let line = |length| Input::Line("x".repeat(length)).unless_cut();
        assert!(matches!(line(4095), Input::Unfit(why) if why.contains("pipe")));
        assert!(matches!(line(4094), Input::Line(_)));
    }

    #[test]
    fn lines_that_cannot_be_messages_hurt_no_other() {
        let mut text = b"one\r\n\xff\xfe\n".to_vec();
        text.extend(vec![b'x'; 3 * MAX_LINE]);
        text.extend(b"\n\ntwo");
        let mut read = Vec::new();
        read_all(&mut &text[..], |input| {
            read.push(input);
            true
        });
        let line = |text: &str| Input::Line(text.to_owned());
        assert_eq!((&read[0], &read[3], &read[4]), (&line("one"), &line(""), &line("two")));
        assert!(matches!((&read[1], &read[2]), (Input::Unfit(_), Input::Unfit(_))));
        assert_eq!(read.len(), 5);
    }
}
