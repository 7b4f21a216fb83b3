//! Keys that came at once: typed ones each for itself, and a paste of a terminal that does not mark it as one.

use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::Input;

/// The fewest keys that no person presses at once.
const LEAST: usize = 3;
/// The most that are kept before they are handed on.
const MAX_KEYS: usize = 64 * 1024;
/// How long a key may take to have come with the one before. Not nothing: with that, crossterm does not look.
const AT_ONCE: Duration = Duration::from_micros(200);
/// How long more of a paste may take to come: terminals write it in pieces. Shorter than a key is held down before it
/// repeats, and than between two keys that a person presses.
const BETWEEN_PIECES: Duration = Duration::from_millis(10);

/// Keys that write something, none of which waited for the one before.
#[derive(Debug, Default)]
pub(super) struct Burst {
    keys: Vec<KeyEvent>,
}

impl Burst {
    /// Takes a key; `false` if it does not write anything.
    pub(super) fn takes(&mut self, key: KeyEvent) -> bool {
        let writes = !key.is_release() && written(key).is_some();
        if writes {
            self.keys.push(key);
        }
        writes
    }

    pub(super) fn is_full(&self) -> bool {
        self.keys.len() == MAX_KEYS
    }

    /// How long the next may take to belong to them.
    pub(super) fn patience(&self) -> Duration {
        if self.keys.len() < LEAST { AT_ONCE } else { BETWEEN_PIECES }
    }

    /// As a paste if that is allowed and they are one, so that nothing of it is sent; otherwise key by key.
    pub(super) fn inputs(self, may_be_paste: bool) -> Vec<Input> {
        match may_be_paste && self.is_paste() {
            true => vec![Input::Paste(self.keys.into_iter().filter_map(written).collect())],
            false => self.keys.into_iter().map(Input::Key).collect(),
        }
    }

    /// Whether text follows a line's end: Enter alone may be held down, or end what is typed for a person.
    fn is_paste(&self) -> bool {
        let mut text = self.keys.iter().filter_map(|key| written(*key)).skip_while(|c| !is_end(*c));
        self.keys.len() >= LEAST && text.any(|c| !is_end(c))
    }
}

fn is_end(c: char) -> bool {
    matches!(c, '\r' | '\n')
}

/// The character that a terminal sends as this key.
fn written(key: KeyEvent) -> Option<char> {
    match (key.code, key.modifiers) {
        (KeyCode::Char(c), KeyModifiers::NONE | KeyModifiers::SHIFT) => Some(c),
        (KeyCode::Char('j'), KeyModifiers::CONTROL) => Some('\n'),
        (KeyCode::Enter, KeyModifiers::NONE) => Some('\r'),
        (KeyCode::Tab, KeyModifiers::NONE) => Some('\t'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of this text if its keys come at once, as text: keys each, with `<Enter>` and the like, or a paste.
    fn come_at_once(text: &str) -> String {
        let mut burst = Burst::default();
        for c in text.chars() {
            let key = match c {
                '\r' => KeyEvent::from(KeyCode::Enter),
                '\n' => KeyEvent::new(KeyCode::Char('j'), KeyModifiers::CONTROL),
                '\t' => KeyEvent::from(KeyCode::Tab),
                c if c.is_uppercase() => KeyEvent::new(KeyCode::Char(c), KeyModifiers::SHIFT),
                c => KeyEvent::from(KeyCode::Char(c)),
            };
            assert!(burst.takes(key));
        }
        let told = |input| match input {
            Input::Key(key) => written(key).unwrap().to_string(),
            Input::Paste(text) => format!("[{text}]"),
            other => panic!("{other:?}"),
        };
        burst.inputs(true).into_iter().map(told).collect()
    }

    #[test]
    fn lines_that_come_at_once_are_a_paste_with_all_their_ends() {
        assert_eq!(come_at_once("One\rtwo\r\r\tthree\r"), "[One\rtwo\r\r\tthree\r]");
        assert_eq!(come_at_once("a\rb"), "[a\rb]");
        assert_eq!(come_at_once("\r\nb"), "[\r\nb]");
        assert_eq!(come_at_once("a\nb"), "[a\nb]");
    }

    #[test]
    fn what_a_person_types_is_keys() {
        for typed in ["", "a", "\r", "fast", "a line\r", "\r\r\r\r", "\rb", "ada\tsecret\r", "\n\n\n"] {
            assert_eq!(come_at_once(typed), typed);
        }
    }

    #[test]
    fn keys_stay_keys_where_there_is_nothing_to_paste_into() {
        let mut burst = Burst::default();
        for key in [KeyCode::Char('y'), KeyCode::Enter, KeyCode::Char('a')] {
            burst.takes(key.into());
        }
        assert_eq!(burst.inputs(false).len(), 3);
    }

    #[test]
    fn what_writes_nothing_is_no_part_of_it() {
        let mut burst = Burst::default();
        for key in [
            KeyEvent::from(KeyCode::Esc),
            KeyEvent::from(KeyCode::Up),
            KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL),
            KeyEvent::new(KeyCode::Enter, KeyModifiers::ALT),
        ] {
            assert!(!burst.takes(key), "{key:?}");
        }
    }
}
