//! Where each cluster of the written text stands on the screen.

use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation;

use super::super::text::{self, Row};

/// Where the cursor stands before a cluster, or at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) offset: usize,
    pub(super) row: usize,
    pub(super) column: u16,
}

/// Text in rows. Every cluster is shown, and so are spaces at the end of a row; behind a full row there is always another
/// one, in which the cursor can stand.
pub(super) struct Layout {
    width: u16,
    /// In the order of the text.
    places: Vec<Place>,
    rows: Vec<Row>,
    /// What is in the row after these so far, and the end of it that consists of plain letters.
    last: Row,
    plain: String,
    column: u16,
}

impl Layout {
    pub(super) fn of(text: &str, width: u16) -> Self {
        let mut layout = Self {
            width: width.max(1),
            places: Vec::new(),
            rows: Vec::new(),
            last: Row::default(),
            plain: String::new(),
            column: 0,
        };
        for (offset, cluster) in text.grapheme_indices(true) {
            match cluster.as_bytes() {
                b"\n" => {
                    layout.mark(offset, 1);
                    layout.end_row();
                }
                [b' '..=b'~'] => {
                    layout.mark(offset, 1);
                    layout.plain.push_str(cluster);
                    layout.column += 1;
                }
                _ => layout.add(offset, cluster),
            }
        }
        layout.mark(text.len(), 1);
        layout.end_row();
        layout
    }

    /// Adds the cluster at this offset, in a new row if there is no room for it in this one.
    ///
    /// Each is made harmless for itself, so that it is shown alike whatever stands beside it.
    fn add(&mut self, offset: usize, cluster: &str) {
        let escaped;
        let (mut shown, mut cells) = (cluster, plain_row(cluster));
        if cells.width() == 0 {
            // What cannot be seen would make the cursor seem stuck.
            escaped = cluster.escape_unicode().to_string();
            (shown, cells) = (&escaped, plain_row(&escaped));
        }
        let width = cells.width();
        self.mark(offset, width);
        if width <= self.width {
            self.flush();
            self.last.append(cells);
            self.column += width;
        } else {
            // It has rows of its own.
            self.rows.append(&mut text::wrap(&[(Style::new(), shown)], self.width, 0));
        }
    }

    /// Notes where the cursor stands before what takes so many columns.
    fn mark(&mut self, offset: usize, width: u16) {
        if self.column > 0 && self.column.saturating_add(width) > self.width {
            self.end_row();
        }
        self.places.push(Place { offset, row: self.rows.len(), column: self.column });
    }

    fn end_row(&mut self) {
        self.flush();
        self.rows.push(std::mem::take(&mut self.last));
        self.column = 0;
    }

    fn flush(&mut self) {
        if !self.plain.is_empty() {
            self.last.append(plain_row(&self.plain));
            self.plain.clear();
        }
    }

    /// Where the cluster at this offset begins.
    pub(super) fn place(&self, offset: usize) -> Place {
        self.places[self.index(|place| place.offset <= offset)]
    }

    /// The place that is this way from a row, in the next row where the cursor can stand, and in this column or the nearest
    /// before it.
    pub(super) fn beyond(&self, row: usize, by: isize, column: u16) -> Option<Place> {
        let next = if by < 0 {
            *self.places[..self.places.partition_point(|place| place.row < row)].last()?
        } else {
            self.places[self.places.partition_point(|place| place.row <= row)..].first().copied()?
        };
        Some(self.places[self.index(|place| (place.row, place.column) <= (next.row, column))])
    }

    /// The last place of those that come first in the text and are so.
    fn index(&self, so: impl Fn(&Place) -> bool) -> usize {
        self.places.partition_point(so).saturating_sub(1)
    }

    pub(super) fn into_rows(self) -> Vec<Row> {
        self.rows
    }
}

fn plain_row(text: &str) -> Row {
    text::line(&[(Style::new(), text)], u16::MAX)
}
