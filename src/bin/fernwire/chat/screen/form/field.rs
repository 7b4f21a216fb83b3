//! One line that is typed: a name, an answer, or a password that is not shown.

use std::borrow::Cow;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation;
use zeroize::Zeroizing;

use super::super::text;
use super::is_control;

/// The most bytes of a field. It has room for them from the beginning: a buffer that grows leaves its content behind.
pub(super) const MAX_FIELD: usize = 4096;

/// What stands for a character that is not shown.
const HIDDEN: &str = "•";

/// A line with a cursor. It is wiped when it is dropped, and has no `Debug`.
pub(super) struct Field {
    text: Zeroizing<String>,
    /// A byte offset, at the edge of a character.
    cursor: usize,
    is_hidden: bool,
}

/// What is seen of it.
pub(super) struct Part {
    pub(super) text: String,
    /// What is still free.
    pub(super) blanks: String,
    /// Where the cursor is.
    pub(super) column: u16,
}

/// What came of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edit {
    Done,
    /// There is no room for it, and nothing has changed.
    Full,
    /// It is for somebody else.
    NotMine,
}

impl Field {
    /// An empty line that is shown.
    pub(super) fn shown() -> Self {
        Self { text: Zeroizing::new(String::with_capacity(MAX_FIELD)), cursor: 0, is_hidden: false }
    }

    /// An empty line that is not shown.
    pub(super) fn hidden() -> Self {
        Self { is_hidden: true, ..Self::shown() }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// From now on it is shown, or not.
    pub(super) fn hide(&mut self, is_hidden: bool) {
        self.is_hidden = is_hidden;
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.cursor = 0;
    }

    /// Inserts all of a text or, if it does not fit, nothing. A line has no end in it, and one that is shown no control
    /// character at all.
    pub(super) fn insert(&mut self, text: &str) -> Edit {
        let is_hidden = self.is_hidden;
        let belongs = move |c: &char| if is_hidden { !matches!(c, '\r' | '\n') } else { !c.is_control() };
        let bytes: usize = text.chars().filter(belongs).map(char::len_utf8).sum();
        if self.text.len() + bytes > MAX_FIELD {
            return Edit::Full;
        }
        for c in text.chars().filter(belongs) {
            self.text.insert(self.cursor, c);
            self.cursor += c.len_utf8();
        }
        Edit::Done
    }

    pub(super) fn press(&mut self, key: &KeyEvent) -> Edit {
        if let Some(c) = typed(key) {
            return self.insert(c.encode_utf8(&mut [0; 4]));
        }
        match key.code {
            KeyCode::Backspace if key.modifiers.is_empty() => self.delete(self.before(), self.cursor),
            KeyCode::Delete => self.delete(self.cursor, self.after()),
            KeyCode::Left => self.cursor = self.before(),
            KeyCode::Right => self.cursor = self.after(),
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = self.text.len(),
            _ if is_control(key, 'h') => self.delete(self.before(), self.cursor),
            _ if is_control(key, 'd') => self.delete(self.cursor, self.after()),
            _ if is_control(key, 'a') => self.cursor = 0,
            _ if is_control(key, 'e') => self.cursor = self.text.len(),
            // There are no words in a name, and none to be told apart in a password.
            _ if is_control(key, 'u') || is_control(key, 'w') => self.delete(0, self.cursor),
            _ => return Edit::NotMine,
        }
        Edit::Done
    }

    /// The part of it around the cursor that fits into so many columns.
    pub(super) fn part(&self, width: u16) -> Part {
        let room = width.saturating_sub(1);
        let width_of = |text: &str| text::line(&[(Style::new(), &self.as_shown(text))], u16::MAX).width();
        let (mut start, mut taken) = (self.cursor, 0);
        for (at, cluster) in self.text[..self.cursor].grapheme_indices(true).rev() {
            taken += width_of(cluster);
            if taken > room {
                break;
            }
            start = at;
        }
        let rest = &self.text[start..];
        Part {
            text: self.as_shown(rest).into_owned(),
            blanks: "_".repeat(width.saturating_sub(width_of(rest)).into()),
            column: width_of(&self.text[start..self.cursor]).min(room),
        }
    }

    fn as_shown<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.is_hidden { HIDDEN.repeat(text.graphemes(true).count()).into() } else { text.into() }
    }

    fn delete(&mut self, from: usize, to: usize) {
        self.text.replace_range(from..to, "");
        self.cursor = from;
    }

    /// The edge before the cursor.
    fn before(&self) -> usize {
        self.text[..self.cursor].grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    /// The edge after the cursor.
    fn after(&self) -> usize {
        let next = self.text[self.cursor..].graphemes(true).next();
        self.cursor + next.map_or(0, str::len)
    }
}

/// The character that a key types. What AltGr makes comes as Ctrl and Alt from some terminals.
pub(super) fn typed(key: &KeyEvent) -> Option<char> {
    let KeyCode::Char(c) = key.code else { return None };
    let held = key.modifiers - KeyModifiers::SHIFT;
    let by_alt_gr = held == KeyModifiers::CONTROL | KeyModifiers::ALT && !c.is_ascii_alphanumeric();
    (held.is_empty() || by_alt_gr).then_some(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(field: &mut Field, code: KeyCode) {
        assert_eq!(field.press(&KeyEvent::new(code, KeyModifiers::NONE)), Edit::Done);
    }

    fn column(field: &Field, width: u16) -> u16 {
        field.part(width).column
    }

    #[test]
    fn what_people_see_as_one_character_is_passed_and_deleted_as_one() {
        let mut field = Field::shown();
        field.insert("e\u{301}x\u{1f469}\u{200d}\u{1f680}");
        press(&mut field, KeyCode::Backspace);
        assert_eq!(field.text(), "e\u{301}x");
        press(&mut field, KeyCode::Left);
        press(&mut field, KeyCode::Left);
        press(&mut field, KeyCode::Delete);
        assert_eq!(field.text(), "x");
        press(&mut field, KeyCode::Left);
        press(&mut field, KeyCode::Backspace);
        assert_eq!(field.text(), "x");
    }

    #[test]
    fn a_paste_ends_nothing_and_brings_no_control_characters() {
        let mut field = Field::shown();
        field.insert("a\u{1b}[2Jda\r\n");
        assert_eq!(field.text(), "a[2Jda");
        let mut field = Field::hidden();
        field.insert("Correct-1\thorse\r\n");
        assert_eq!(field.text(), "Correct-1\thorse");
    }

    #[test]
    fn it_never_grows() {
        let mut field = Field::hidden();
        let place = field.text().as_ptr();
        assert_eq!(field.insert(&"x".repeat(MAX_FIELD - 1)), Edit::Done);
        assert_eq!(field.insert("yz"), Edit::Full);
        assert_eq!(field.insert("y"), Edit::Done);
        assert_eq!(field.press(&KeyEvent::new(KeyCode::Char('z'), KeyModifiers::NONE)), Edit::Full);
        assert_eq!((field.text().len(), field.text().as_ptr()), (MAX_FIELD, place));
    }

    #[test]
    fn a_hidden_line_shows_how_long_it_is_and_nothing_else() {
        let mut field = Field::hidden();
        field.insert("Ge\u{301}heim");
        assert_eq!(field.as_shown(field.text()), "••••••");
        assert_eq!(column(&field, 20), 6);
    }

    #[test]
    fn the_cursor_is_always_in_the_part_that_is_shown() {
        let mut field = Field::shown();
        field.insert("\u{7530}\u{4e2d}abc");
        for width in 0..10 {
            for _ in 0..6 {
                assert!(column(&field, width) <= width.saturating_sub(1), "at {width}");
                press(&mut field, KeyCode::Left);
            }
            press(&mut field, KeyCode::End);
        }
    }

    #[test]
    fn characters_are_told_from_commands() {
        let typed = |code, modifiers| super::typed(&KeyEvent::new(KeyCode::Char(code), modifiers));
        assert_eq!(typed('A', KeyModifiers::SHIFT), Some('A'));
        assert_eq!(typed('@', KeyModifiers::CONTROL | KeyModifiers::ALT), Some('@'));
        assert_eq!(typed('q', KeyModifiers::CONTROL), None);
        assert_eq!(typed('q', KeyModifiers::ALT), None);
    }
}
