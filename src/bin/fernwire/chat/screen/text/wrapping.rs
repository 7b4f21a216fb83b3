//! Where rows end: between words where it can be, and inside of one that is longer than a row.
//!
//! A row may end behind spaces, behind a `-` or `/` inside of a word, and on either side of a wide glyph, since Chinese and
//! Japanese have no spaces; but no row begins with what closes a phrase (a small part of UAX 14).

use std::ops::Range;

use super::glyphs::Glyph;

/// The rows of a paragraph, of `first` columns and then of `room` each; the spaces at the end of a row belong to none.
pub(super) fn rows(glyphs: &[(&str, Glyph)], first: u16, room: u16) -> Vec<Range<usize>> {
    let mut rows = Vec::new();
    let mut start = 0;
    let mut columns = first;
    loop {
        let end = end(glyphs, start, columns);
        let next = end + glyphs[end..].iter().take_while(|(symbol, _)| is_space(symbol)).count();
        if next == glyphs.len() {
            // Only spaces are left: of these the row keeps what it has.
            rows.push(start..end);
            return rows;
        }
        let spaces = glyphs[start..end].iter().rev().take_while(|(symbol, _)| is_space(symbol)).count();
        rows.push(start..end - spaces);
        start = next;
        columns = room;
    }
}

/// Where a row ends that begins at `start`; always behind at least one glyph, unless none is left.
fn end(glyphs: &[(&str, Glyph)], start: usize, room: u16) -> usize {
    let mut columns = 0;
    let mut last_break = None;
    let mut words = false;
    for (index, (symbol, glyph)) in glyphs.iter().enumerate().skip(start) {
        if words && may_break(glyphs, index) {
            last_break = Some(index);
        }
        words |= !is_space(symbol);
        columns += u32::from(glyph.columns);
        if columns > u32::from(room) && index > start {
            return if is_space(symbol) { index } else { last_break.unwrap_or(index) };
        }
    }
    glyphs.len()
}

/// Whether a row may end in front of this glyph, which is not the first.
fn may_break(glyphs: &[(&str, Glyph)], index: usize) -> bool {
    let (before, glyph_before) = glyphs[index - 1];
    let (symbol, glyph) = glyphs[index];
    if is_space(symbol) || closes(symbol) || is_glue(symbol) || is_glue(before) {
        return false;
    }
    if is_space(before) {
        return true;
    }
    if before == "-" || before == "/" {
        return index > 1 && is_letter(glyphs[index - 2].0) && is_letter(symbol);
    }
    (glyph_before.columns > 1 || glyph.columns > 1) && !opens(before)
}

/// Whether rows may end in it: not in a space that is there to keep words together.
fn is_space(symbol: &str) -> bool {
    symbol.chars().all(char::is_whitespace) && !is_glue(symbol)
}

/// Whether it is a space that keeps what is on either side of it together.
pub(super) fn is_glue(symbol: &str) -> bool {
    matches!(symbol, "\u{a0}" | "\u{2007}" | "\u{202f}")
}

fn is_letter(symbol: &str) -> bool {
    symbol.starts_with(char::is_alphanumeric)
}

/// Whether it belongs to what is before it.
fn closes(symbol: &str) -> bool {
    symbol.starts_with(|c| {
        ",.!?:;)]}'\"’”»…%、。，．！？：；・」』）】〉》〕］｝ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ".contains(c)
    })
}

/// Whether it belongs to what follows.
fn opens(symbol: &str) -> bool {
    symbol.starts_with(|c| "([{'\"‘“«「『（【〈《〔［｛@#".contains(c))
}
