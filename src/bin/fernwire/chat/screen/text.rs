//! Other people's text as rows of cells: wrapped, indented, and harmless.

use ratatui::buffer::{Buffer, CellDiffOption, CellWidth};
use ratatui::style::Style;

use self::glyphs::Glyphs;

mod clean;
mod glyphs;
mod wrapping;

/// One row of cells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Row {
    /// Blank columns that it begins with.
    indent: u16,
    glyphs: Glyphs,
}

/// Text in several styles as rows of at most `width` columns; all but the first begin with `indent` blank columns.
///
/// A line feed begins a row, and a row that is empty stays one. In a width that leaves little room the indent is less.
pub(super) fn wrap(pieces: &[(Style, &str)], width: u16, indent: u16) -> Vec<Row> {
    if width == 0 {
        return vec![Row::default()];
    }
    let indent = indent.min(width.saturating_sub(LEAST_ROOM));
    let mut rows: Vec<Row> = Vec::new();
    for paragraph in glyphs::paragraphs(pieces) {
        let first = if rows.is_empty() { 0 } else { indent };
        let glyphs: Vec<_> = paragraph.iter().collect();
        for (number, range) in wrapping::rows(&glyphs, width - first, width - indent).into_iter().enumerate() {
            let indent = if number == 0 { first } else { indent };
            rows.push(Row { indent, glyphs: Glyphs::part(&glyphs[range], width - indent) });
        }
    }
    rows
}

/// Text in several styles as one row, cut with `…` where it does not fit; a line feed is a space.
pub(super) fn line(pieces: &[(Style, &str)], width: u16) -> Row {
    let mut glyphs = Glyphs::default();
    for (number, paragraph) in glyphs::first_paragraphs(pieces, width.into()).into_iter().enumerate() {
        if number > 0 {
            glyphs.push(" ", Style::new());
        }
        glyphs.append(paragraph);
    }
    glyphs.cut(width);
    Row { indent: 0, glyphs }
}

/// The columns for text that an indent leaves in every row, if there are so many.
const LEAST_ROOM: u16 = 8;

impl Row {
    /// How many columns it takes.
    pub(super) fn width(&self) -> u16 {
        self.indent.saturating_add(self.glyphs.columns())
    }

    /// Takes the cells of a row without indent behind its own.
    pub(super) fn append(&mut self, row: Self) {
        self.glyphs.append(row.glyphs);
    }

    /// Draws it from this column on, and nothing at or right of `end`.
    pub(super) fn draw(&self, x: u16, y: u16, end: u16, buffer: &mut Buffer) {
        let area = buffer.area;
        let end = end.min(area.right());
        if !(area.top()..area.bottom()).contains(&y) || !(area.left()..end).contains(&x) {
            return;
        }
        release(x, y, buffer);
        let text = x.saturating_add(self.indent).min(end);
        (x..text).for_each(|x| blank(x, y, Style::new(), buffer));
        let mut at = text;
        for (symbol, glyph) in self.glyphs.iter() {
            let columns = u16::from(glyph.columns);
            if columns > end - at {
                (at..end).for_each(|x| blank(x, y, glyph.style, buffer));
                return;
            }
            buffer[(at, y)].set_symbol(symbol).set_style(glyph.style);
            let covered = at + u16::from(glyph.drawn);
            (at + 1..covered).for_each(|x| buffer[(x, y)].reset());
            at += columns;
            (covered..at).for_each(|x| blank(x, y, glyph.style, buffer));
            // Behind the glyph the terminal may have drawn over what is kept free for it, though nothing here has changed.
            // Below it, the mark makes a blank of a later frame differ, and clears what the terminal drew there by itself.
            for x in at - columns + 1..at {
                buffer[(x, y)].set_diff_option(CellDiffOption::AlwaysUpdate);
            }
        }
    }

    /// What stands in it, without the columns that are kept free.
    #[cfg(test)]
    pub(super) fn text(&self) -> String {
        let text: String = self.glyphs.iter().map(|(symbol, _)| symbol).collect();
        " ".repeat(self.indent.into()) + &text
    }
}

fn blank(x: u16, y: u16, style: Style, buffer: &mut Buffer) {
    buffer[(x, y)].set_symbol(" ").set_style(style);
}

/// Makes a blank of the wide glyph whose right half is in this column: as long as the left half is there, the column
/// would not be drawn.
fn release(x: u16, y: u16, buffer: &mut Buffer) {
    if x > buffer.area.left() && buffer[(x - 1, y)].symbol().cell_width() > 1 {
        buffer[(x - 1, y)].set_symbol(" ");
    }
}

#[cfg(test)]
mod tests;
