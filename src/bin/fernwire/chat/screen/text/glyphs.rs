//! Glyphs: what is drawn in one place, and how many columns are kept for it.

use ratatui::buffer::CellWidth;
use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation;

use super::clean::{self, clean};
use super::wrapping::is_glue;

/// The most bytes and characters of one glyph; what is longer is drawn in several.
const MAX_BYTES: usize = 31;
const MAX_CHARS: usize = 8;

/// The columns that are kept for an emoji with a colour of skin, and for a flag.
///
/// Terminals draw them as one glyph of two columns or as their two halves, of two columns each. So nothing that follows
/// is moved, and nothing runs over the end of a row, whichever it is.
const PAIR_COLUMNS: u8 = 4;

/// The columns that are kept for one of the people and hands that some terminals draw in one column and some in two: a
/// space goes with it, which clears the second column or lands in the third.
const PERSON_COLUMNS: u8 = 3;

/// Glyphs from left to right, in one string.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Glyphs {
    text: String,
    glyphs: Vec<Glyph>,
}

/// What is drawn in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Glyph {
    bytes: u8,
    /// The columns it takes by the tables: 1 or 2.
    pub(super) drawn: u8,
    /// The columns that are kept for it.
    pub(super) columns: u8,
    pub(super) style: Style,
}

/// What stands between line feeds: at least one, if only an empty one.
pub(super) fn paragraphs(pieces: &[(Style, &str)]) -> Vec<Glyphs> {
    first_paragraphs(pieces, usize::MAX)
}

/// The same, as far as it is seen in so many columns, and one glyph more if there are more; however long the text is, no
/// more is made of it.
pub(super) fn first_paragraphs(pieces: &[(Style, &str)], columns: usize) -> Vec<Glyphs> {
    let mut paragraphs: Vec<Glyphs> = Vec::new();
    let mut glyphs = Glyphs::default();
    for (style, text) in pieces {
        let taken: usize = paragraphs.iter().map(|glyphs| 1 + glyphs.glyphs.len()).sum();
        let most = columns.saturating_add(1).saturating_sub(taken + glyphs.glyphs.len());
        for (number, part) in clean(text, most).split('\n').enumerate() {
            if number > 0 {
                paragraphs.push(std::mem::take(&mut glyphs));
            }
            part.graphemes(true).for_each(|cluster| glyphs.push(cluster, *style));
        }
    }
    paragraphs.push(glyphs);
    paragraphs
}

impl Glyphs {
    /// Takes one cluster of clean text, in as many glyphs as it needs.
    pub(super) fn push(&mut self, cluster: &str, style: Style) {
        if cluster.len() == 1 {
            return self.add(cluster, 1, style);
        }
        let drawn = cluster.cell_width();
        let short = cluster.len() <= MAX_BYTES && cluster.chars().nth(MAX_CHARS).is_none();
        let flags = cluster.chars().filter(|c| is_half_of_flag(*c)).count();
        let toned = cluster.contains(clean::is_tone);
        let sum: u16 = cluster.chars().map(clean::width).sum();
        // What begins without a width would be drawn over the glyph before, whoever wrote that.
        let stands = cluster.chars().next().is_some_and(|c| clean::width(c) > 0);
        match drawn {
            2 if short && (toned || flags == 2) => self.add(cluster, PAIR_COLUMNS, style),
            1 if short && cluster.chars().next().is_some_and(clean::is_narrow_person) => {
                self.add(&format!("{cluster} "), PERSON_COLUMNS, style);
            }
            1 | 2 if short && stands && drawn == sum && flags == 0 => self.add(cluster, drawn as u8, style),
            _ => self.take_apart(cluster, style),
        }
    }

    /// Takes each letter of a cluster for itself, with its marks. What has nothing to stand on, and half a flag, is shown
    /// as an escape.
    fn take_apart(&mut self, cluster: &str, style: Style) {
        let mut rest = cluster.char_indices().peekable();
        while let Some((start, c)) = rest.next() {
            if clean::width(c) == 0 || is_half_of_flag(c) {
                self.escape(c, style);
                continue;
            }
            while rest.next_if(|(_, mark)| clean::width(*mark) == 0).is_some() {}
            let end = rest.peek().map_or(cluster.len(), |(end, _)| *end);
            let letter = &cluster[start..end];
            match letter.cell_width() {
                drawn @ (1 | 2) if letter.len() <= MAX_BYTES => self.add(letter, drawn as u8, style),
                _ => letter.chars().for_each(|c| self.escape(c, style)),
            }
        }
    }

    fn escape(&mut self, c: char, style: Style) {
        for c in c.escape_unicode() {
            self.add(c.encode_utf8(&mut [0; 4]), 1, style);
        }
    }

    /// Takes a symbol of one or two columns and at most `MAX_BYTES` and a space.
    fn add(&mut self, symbol: &str, columns: u8, style: Style) {
        self.text.push_str(symbol);
        self.glyphs.push(Glyph { bytes: symbol.len() as u8, drawn: symbol.cell_width() as u8, columns, style });
    }

    /// Takes all of others behind its own.
    pub(super) fn append(&mut self, others: Self) {
        self.text.push_str(&others.text);
        self.glyphs.extend(others.glyphs);
    }

    /// Some of them, for a room of so many columns; what is wider alone becomes a space.
    pub(super) fn part(glyphs: &[(&str, Glyph)], room: u16) -> Self {
        let mut part = Self::default();
        for (symbol, glyph) in glyphs {
            // Where rows end has been decided, and what is a space is drawn as one.
            if u16::from(glyph.columns) > room || is_glue(symbol) {
                part.add(" ", 1, glyph.style);
            } else {
                part.text.push_str(symbol);
                part.glyphs.push(*glyph);
            }
        }
        part
    }

    /// How many columns are kept for all of them.
    pub(super) fn columns(&self) -> u16 {
        self.glyphs.iter().fold(0, |sum, glyph| sum.saturating_add(glyph.columns.into()))
    }

    /// Cuts them with `…` where they take more columns.
    pub(super) fn cut(&mut self, width: u16) {
        let mut bytes = 0;
        let mut columns = 0_u16;
        // The end of what leaves room for `…`.
        let mut fits = (0, 0);
        for (number, glyph) in self.glyphs.iter().enumerate() {
            if columns < width {
                fits = (number, bytes);
            }
            bytes += usize::from(glyph.bytes);
            columns = columns.saturating_add(glyph.columns.into());
            if columns > width {
                break;
            }
        }
        if columns <= width {
            return;
        }
        let style = self.glyphs[fits.0].style;
        self.glyphs.truncate(fits.0);
        self.text.truncate(fits.1);
        if width > 0 {
            self.add("…", 1, style);
        }
    }

    /// Each with its symbol.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Glyph)> {
        let mut start = 0;
        self.glyphs.iter().map(move |glyph| {
            let symbol = &self.text[start..start + usize::from(glyph.bytes)];
            start += symbol.len();
            (symbol, *glyph)
        })
    }
}

fn is_half_of_flag(c: char) -> bool {
    ('\u{1f1e6}'..='\u{1f1ff}').contains(&c)
}
