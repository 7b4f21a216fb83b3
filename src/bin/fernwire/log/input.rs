//! Lines as they come, from arguments or from stdin, in whatever encoding.

use std::io::{self, BufRead, Read};

use tokio::sync::mpsc;

/// The longest line that is read as one; a longer one is several.
const MAX_LINE: usize = 1024 * 1024;
/// How many lines may wait to be taken.
const MAX_WAITING: usize = 64;

type Input = mpsc::Receiver<io::Result<String>>;

/// Each word is a line.
pub(crate) fn of_words(words: Vec<String>) -> Input {
    let (sender, lines) = mpsc::channel(words.len().max(1));
    for word in words {
        // There is a place for each.
        let _ = sender.try_send(Ok(word));
    }
    lines
}

/// Lines of stdin, read on a thread of their own.
pub(crate) fn of_stdin() -> io::Result<Input> {
    let (sender, lines) = mpsc::channel(MAX_WAITING);
    std::thread::Builder::new().name("stdin".into()).spawn(move || {
        let mut stdin = io::stdin().lock();
        let mut begun = Vec::new();
        while let Some(line) = next_line(&mut stdin, &mut begun, MAX_LINE).transpose() {
            let failed = line.is_err();
            if sender.blocking_send(line).is_err() || failed {
                return;
            }
        }
    })?;
    Ok(lines)
}

/// The next line without its end. What is behind a character that was cut stays in `begun` for the next.
fn next_line(input: &mut impl BufRead, begun: &mut Vec<u8>, longest: usize) -> io::Result<Option<String>> {
    let room = longest.saturating_sub(begun.len());
    let read = input.by_ref().take(room as u64).read_until(b'\n', begun)?;
    if read == 0 && begun.is_empty() {
        return Ok(None);
    }
    let mut line = std::mem::take(begun);
    if line.last() == Some(&b'\n') {
        line.pop();
        line.pop_if(|byte| *byte == b'\r');
    } else if read == room
        && let Err(error) = std::str::from_utf8(&line)
        && error.error_len().is_none()
    {
        *begun = line.split_off(error.valid_up_to());
    }
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(mut text: &[u8], longest: usize) -> Vec<String> {
        let mut begun = Vec::new();
        std::iter::from_fn(|| next_line(&mut text, &mut begun, longest).unwrap()).collect()
    }

    #[test]
    fn every_line_comes_whatever_ends_it() {
        assert_eq!(lines_of(b"one\r\n\n two \nthree", 100), ["one", "", " two ", "three"]);
        assert_eq!(lines_of(b"", 100), [""; 0]);
        assert_eq!(lines_of(b"a\xffb\n", 100), ["a\u{fffd}b"]);
    }

    #[test]
    fn a_line_without_an_end_comes_in_parts_of_whole_characters() {
        let text = "é".repeat(7);
        let parts = lines_of(text.as_bytes(), 5);
        assert_eq!(parts.concat(), text);
        assert!(parts.iter().all(|part| part.len() <= 5));
    }
}
