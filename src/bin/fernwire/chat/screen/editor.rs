//! The text that is being written: several lines with a cursor, which moves by what people take for characters.

use fernwire::protocol::chat::MAX_TEXT;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use rustyline::line_buffer::{ChangeListener, DeleteListener, Direction, LineBuffer};
use rustyline::{At, Word};
use unicode_segmentation::GraphemeCursor;

use super::text::Row;

mod layout;

use layout::Layout;

/// The most bytes that can be written: the longest message, and a command with a name before it.
const MAX_WRITTEN: usize = MAX_TEXT + 256;

/// Text would have grown too long, and is as it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this would be {0} bytes, and a message has at most {MAX_TEXT}; nothing was inserted")]
pub(super) struct TooLong(usize);

/// What became of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pressed {
    Done,
    /// The cursor was to go up, and is in the first row.
    AtTop,
    /// The cursor was to go down, and is in the last row.
    AtBottom,
    /// There is no room for the character.
    Full(TooLong),
    /// It means nothing to the text.
    NotMine,
}

/// Text with a cursor. Lines end with `\n`, and tabs are the only other control characters in it.
#[derive(Debug)]
pub(super) struct Editor {
    buffer: LineBuffer,
    /// The column that the cursor keeps to while it goes up and down past shorter rows.
    column: Option<u16>,
}

impl Editor {
    pub(super) fn new() -> Self {
        Self { buffer: LineBuffer::with_capacity(0), column: None }
    }

    pub(super) fn text(&self) -> &str {
        self.buffer.as_str()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Where the cursor is, as an offset in bytes; always between two grapheme clusters.
    pub(super) fn cursor(&self) -> usize {
        self.buffer.pos()
    }

    /// Takes the text out.
    pub(super) fn take(&mut self) -> String {
        std::mem::replace(self, Self::new()).buffer.into_string()
    }

    /// Puts another text in place of this one, with the cursor at its end.
    pub(super) fn set(&mut self, text: &str) {
        *self = Self::new();
        self.put(&cleaned(text));
    }

    /// Inserts what was pasted: as text, without the control characters that may be in it or the line ends behind it.
    pub(super) fn insert(&mut self, pasted: &str) -> Result<(), TooLong> {
        let text = cleaned(pasted);
        self.replace(self.cursor(), text.trim_end_matches('\n'))
    }

    /// Puts a text in place of what stands between `start` and the cursor.
    pub(super) fn replace(&mut self, start: usize, text: &str) -> Result<(), TooLong> {
        let end = self.cursor();
        let length = self.text().len() - (end - start) + text.len();
        if length > MAX_WRITTEN {
            return Err(TooLong(length));
        }
        self.buffer.delete_range(start..end, &mut Unheard);
        self.put(text);
        Ok(())
    }

    /// Does what a key stands for, where the text is shown with this many columns.
    pub(super) fn press(&mut self, key: KeyEvent, width: u16) -> Pressed {
        if key.kind == KeyEventKind::Release {
            return Pressed::NotMine;
        }
        let pressed = match key.code {
            KeyCode::Up => return self.move_by_row(-1, width),
            KeyCode::Down => return self.move_by_row(1, width),
            KeyCode::Char(c) => self.press_character(c, key.modifiers),
            code => self.press_named(code, key.modifiers),
        };
        if pressed == Pressed::Done {
            self.column = None;
            self.settle();
        }
        pressed
    }

    fn press_character(&mut self, c: char, modifiers: KeyModifiers) -> Pressed {
        let buffer = &mut self.buffer;
        match (modifiers - KeyModifiers::SHIFT, c.to_ascii_lowercase()) {
            (KeyModifiers::NONE, _) => return self.type_in(c),
            // What AltGr makes comes with both, where a terminal does not know better.
            (both, c) if both == KeyModifiers::CONTROL | KeyModifiers::ALT => {
                return if c.is_ascii_alphanumeric() || c == ' ' { Pressed::NotMine } else { self.type_in(c) };
            }
            (KeyModifiers::CONTROL, 'j') => return self.type_in('\n'),
            (KeyModifiers::CONTROL, 'a') => buffer.move_home(),
            (KeyModifiers::CONTROL, 'e') => buffer.move_end(),
            // An older terminal's Backspace.
            (KeyModifiers::CONTROL, 'h') => buffer.backspace(1, &mut Unheard),
            (KeyModifiers::CONTROL, 'd') if !buffer.is_empty() => buffer.delete(1, &mut Unheard).is_some(),
            (KeyModifiers::CONTROL, 'w') => buffer.delete_prev_word(Word::Big, 1, &mut Unheard),
            (KeyModifiers::CONTROL, 'u') => buffer.discard_line(&mut Unheard),
            (KeyModifiers::ALT, 'b') => buffer.move_to_prev_word(Word::Emacs, 1),
            (KeyModifiers::ALT, 'f') => buffer.move_to_next_word(At::AfterEnd, Word::Emacs, 1),
            (KeyModifiers::ALT, 'd') => buffer.delete_word(At::AfterEnd, Word::Emacs, 1, &mut Unheard),
            _ => return Pressed::NotMine,
        };
        Pressed::Done
    }

    fn press_named(&mut self, code: KeyCode, modifiers: KeyModifiers) -> Pressed {
        let buffer = &mut self.buffer;
        let by_word = modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
        match code {
            KeyCode::Enter if !modifiers.is_empty() => return self.type_in('\n'),
            KeyCode::Backspace if by_word => buffer.delete_prev_word(Word::Emacs, 1, &mut Unheard),
            KeyCode::Backspace => buffer.backspace(1, &mut Unheard),
            KeyCode::Delete if by_word => buffer.delete_word(At::AfterEnd, Word::Emacs, 1, &mut Unheard),
            KeyCode::Delete => buffer.delete(1, &mut Unheard).is_some(),
            KeyCode::Left if by_word => buffer.move_to_prev_word(Word::Emacs, 1),
            KeyCode::Left => buffer.move_backward(1),
            KeyCode::Right if by_word => buffer.move_to_next_word(At::AfterEnd, Word::Emacs, 1),
            KeyCode::Right => buffer.move_forward(1),
            KeyCode::Home => buffer.move_home(),
            KeyCode::End => buffer.move_end(),
            _ => return Pressed::NotMine,
        };
        Pressed::Done
    }

    fn type_in(&mut self, c: char) -> Pressed {
        if c.is_control() && c != '\n' {
            return Pressed::NotMine;
        }
        self.replace(self.cursor(), c.encode_utf8(&mut [0; 4])).map_or_else(Pressed::Full, |()| Pressed::Done)
    }

    fn move_by_row(&mut self, by: isize, width: u16) -> Pressed {
        let layout = Layout::of(self.text(), width);
        let here = layout.place(self.cursor());
        let column = *self.column.get_or_insert(here.column);
        match layout.beyond(here.row, by, column) {
            Some(place) => {
                self.buffer.set_pos(place.offset);
                Pressed::Done
            }
            None if by < 0 => Pressed::AtTop,
            None => Pressed::AtBottom,
        }
    }

    /// Puts text at the cursor, which ends up behind it.
    fn put(&mut self, text: &str) {
        let at = self.cursor();
        // Its other ways of inserting refuse, or cut, what is longer than its capacity.
        self.buffer.insert_str(at, text, &mut Unheard);
        self.buffer.set_pos(at + text.len());
        self.column = None;
        self.settle();
    }

    /// Moves the cursor behind the cluster that has formed around it, as a letter does with a mark that is put after it.
    fn settle(&mut self) {
        let text = self.buffer.as_str();
        let mut cursor = GraphemeCursor::new(self.buffer.pos(), text.len(), true);
        if let Ok(false) = cursor.is_boundary(text, 0) {
            let end = cursor.next_boundary(text, 0).ok().flatten().unwrap_or(text.len());
            self.buffer.set_pos(end);
        }
    }

    /// The rows in which the text is shown, each of at most `width` columns, and the column and row of the cursor.
    pub(super) fn rows(&self, width: u16) -> (Vec<Row>, (u16, u16)) {
        let layout = Layout::of(self.text(), width);
        let place = layout.place(self.cursor());
        let cursor = (place.column, u16::try_from(place.row).unwrap_or(u16::MAX));
        (layout.into_rows(), cursor)
    }
}

/// Text without control characters: a sender is not to send escape sequences by accident.
fn cleaned(text: &str) -> String {
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    lines.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// Nobody asks what was changed.
struct Unheard;

impl DeleteListener for Unheard {
    fn delete(&mut self, _offset: usize, _text: &str, _direction: Direction) {}
}

impl ChangeListener for Unheard {
    fn insert_char(&mut self, _offset: usize, _c: char) {}

    fn insert_str(&mut self, _offset: usize, _text: &str) {}

    fn replace(&mut self, _offset: usize, _old: &str, _new: &str) {}
}

#[cfg(test)]
mod tests;
