//! What the switcher looks like.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::widgets::{Block, Clear, Widget};
use unicode_segmentation::UnicodeSegmentation;

use super::super::text::{self, Row};
use super::super::theme::Theme;
use super::{Found, Item, Switcher, What};

/// Stands before the query.
const PROMPT: &str = "> ";

impl Switcher {
    /// Draws it in this area, whatever was there before; where the cursor belongs.
    pub(in super::super) fn draw(&self, area: Rect, theme: &Theme, buffer: &mut Buffer) -> Position {
        let area = area.intersection(buffer.area);
        Clear.render(area, buffer);
        let block = Block::bordered().border_style(theme.border()).title("Go to").title_style(theme.title());
        let inner = block.inner(area);
        block.render(area, buffer);
        if inner.is_empty() {
            return area.as_position();
        }
        let cursor = self.draw_query(Rect { height: 1, ..inner }, theme, buffer);
        let list = Rect { y: inner.y + 1, height: inner.height - 1, ..inner };
        self.draw_found(list, theme, buffer);
        cursor
    }

    fn draw_query(&self, area: Rect, theme: &Theme, buffer: &mut Buffer) -> Position {
        text::line(&[(theme.quiet(), PROMPT)], area.width).draw(area.x, area.y, area.right(), buffer);
        let x = area.x + (PROMPT.len() as u16).min(area.width - 1);
        let (rows, (column, row)) = self.query.rows(area.right() - x);
        if let Some(row) = rows.get(usize::from(row)) {
            row.draw(x, area.y, area.right(), buffer);
        }
        Position::new((x + column).min(area.right() - 1), area.y)
    }

    fn draw_found(&self, area: Rect, theme: &Theme, buffer: &mut Buffer) {
        if self.found.is_empty() && !area.is_empty() {
            text::line(&[(theme.quiet(), "nothing is called so")], area.width).draw(
                area.x,
                area.y,
                area.right(),
                buffer,
            );
        }
        // The selected one is the last that is seen, if there are more before it than there is room for.
        let first = (self.selected + 1).saturating_sub(area.height.into());
        for (index, (found, y)) in self.found.iter().skip(first).zip(area.top()..area.bottom()).enumerate() {
            let selected = first + index == self.selected;
            if selected {
                buffer.set_style(Rect { y, height: 1, ..area }, theme.selected());
            }
            found.row(selected, theme, area.width).draw(area.x, y, area.right(), buffer);
        }
    }
}

impl Found {
    fn row(&self, selected: bool, theme: &Theme, width: u16) -> Row {
        let pointer = if selected { "▸ " } else { "  " };
        let name = self.what.target().to_string();
        let notes = self.what.notes(theme);
        let style = if selected { theme.selected() } else { theme.text() };
        let mut pieces = vec![(style, pointer)];
        if let What::Join(_) | What::Write(_) = self.what {
            pieces.push((style, if let What::Join(_) = self.what { "join " } else { "write to " }));
        }
        for (index, cluster) in name.graphemes(true).enumerate() {
            let matched = self.matched.binary_search(&(index as u32)).is_ok();
            pieces.push((if matched { style.bold().underlined() } else { style }, cluster));
        }
        pieces.extend(notes.iter().map(|(note, text)| (if selected { style } else { *note }, text.as_str())));
        text::line(&pieces, width)
    }
}

impl What {
    /// What is said after the name.
    fn notes(&self, theme: &Theme) -> Vec<(Style, String)> {
        let Self::Item(Item { unread, mentions, topic, .. }) = self else { return Vec::new() };
        let mut notes = Vec::new();
        if *unread > 0 {
            let style = if *mentions > 0 { theme.unread_mention() } else { theme.unread() };
            notes.push((style, format!("  {unread}{}", if *mentions > 0 { "@" } else { "" })));
        }
        if !topic.is_empty() {
            notes.push((theme.quiet(), format!("  {topic}")));
        }
        notes
    }
}
