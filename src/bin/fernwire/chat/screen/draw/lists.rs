//! Boxes over the conversation: the switcher, search, mentions, and the question before leaving.

use fernwire::model::name::Target;
use fernwire::protocol::chat::Entry;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::widgets::{Block, Clear, Widget};

use super::super::layout::centred;
use super::super::state::State;
use super::super::switcher::Switcher;
use super::super::text::{Row, line, wrap};
use crate::state::local;

/// The widest that a list becomes.
const LIST_WIDTH: u16 = 100;
/// How wide the switcher is, and the question.
const BOX_WIDTH: u16 = 60;

/// Where boxes may be: the line of state is always seen.
pub(super) fn over(state: &State) -> Rect {
    let areas = state.areas();
    Rect { height: areas.banner.y.max(areas.messages.bottom()) - state.area.y, ..state.area }
}

/// An empty box with a title. The result is the room inside.
pub(super) fn boxed(state: &State, area: Rect, title: &str, buffer: &mut Buffer) -> Rect {
    Clear.render(area, buffer);
    let block = Block::bordered().border_style(state.theme.border());
    let inner = block.inner(area);
    block.render(area, buffer);
    if area.width > 4 && area.height > 0 {
        let title = line(
            &[(state.theme.title(), " "), (state.theme.title(), title), (state.theme.title(), " ")],
            area.width - 2,
        );
        title.draw(area.x + 1, area.y, area.right() - 1, buffer);
    }
    inner
}

pub(super) fn leave(state: &State, buffer: &mut Buffer) -> Option<Position> {
    let text = leaving(state);
    let width = BOX_WIDTH.min(state.area.width);
    let rows = wrap(&[(state.theme.text(), &text)], width.saturating_sub(2), 0);
    let height = u16::try_from(rows.len()).unwrap_or(u16::MAX).saturating_add(2);
    let inner = boxed(state, centred(over(state), width, height), "Ctrl-C", buffer);
    rows.iter().zip(inner.y..inner.bottom()).for_each(|(row, y)| row.draw(inner.x, y, inner.right(), buffer));
    None
}

/// What leaving means now.
fn leaving(state: &State) -> String {
    let unsettled = state.unsettled();
    let failed = state.failed();
    let drafts = state.places.iter().filter(|place| !place.draft.is_empty()).count();
    let mut text = match unsettled {
        0 => "Leave?".to_owned(),
        count if state.leaving => format!("Leave at once, without {count} that may not be sent?"),
        count => format!("Leave, when {count} more are sent?"),
    };
    if failed > 0 {
        text.push_str(&format!(" {failed} not sent are lost."));
    }
    if drafts > 0 {
        text.push_str(" What you were writing is lost.");
    }
    text + " (y or n)"
}

pub(super) fn switcher(state: &State, switcher: &Switcher, buffer: &mut Buffer) -> Position {
    let area = centred(over(state), BOX_WIDTH, 20);
    Clear.render(area, buffer);
    switcher.draw(area, &state.theme, buffer)
}

pub(super) fn search(state: &State, buffer: &mut Buffer) -> Option<Position> {
    let search = &state.search;
    let inner = list_box(state, "Search", buffer);
    if inner.height == 0 {
        return None;
    }
    let (query, (column, _)) = search.query.rows(u16::MAX);
    if let Some(row) = query.first() {
        row.draw(inner.x, inner.y, inner.right(), buffer);
    }
    let about = line(&[(state.theme.quiet(), &search.state(state.down.is_none()))], inner.width);
    if inner.height > 1 {
        about.draw(inner.x, inner.y + 1, inner.right(), buffer);
    }
    let hits = search.hits.iter().map(|hit| (&hit.with, &hit.entry));
    list(state, hits, search.selected, below(inner, 2), buffer);
    Some(Position::new((inner.x + column).min(inner.right().saturating_sub(1)), inner.y))
}

pub(super) fn mentions(state: &State, selected: usize, buffer: &mut Buffer) -> Option<Position> {
    let inner = list_box(state, "Who named you, or wrote to you alone", buffer);
    let about = match state.mentions.len() {
        0 => "Nobody has, since you came.",
        _ => "Enter goes there.",
    };
    line(&[(state.theme.quiet(), about)], inner.width).draw(inner.x, inner.y, inner.right(), buffer);
    list(state, state.mentions.iter().map(|(with, entry)| (with, entry)), selected, below(inner, 1), buffer);
    None
}

fn list_box(state: &State, title: &str, buffer: &mut Buffer) -> Rect {
    let area = centred(over(state), LIST_WIDTH, 30);
    boxed(state, area, title, buffer)
}

fn below(area: Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    Rect { y: area.y + rows, height: area.height - rows, ..area }
}

/// Entries, one a row, the selected one always in view.
fn list<'a>(
    state: &State,
    entries: impl Iterator<Item = (&'a Target, &'a Entry)>,
    selected: usize,
    area: Rect,
    buffer: &mut Buffer,
) {
    let first = (selected + 1).saturating_sub(usize::from(area.height));
    for ((position, (with, entry)), y) in entries.enumerate().skip(first).zip(area.y..area.bottom()) {
        row(state, with, entry, position == selected, area.width).draw(area.x, y, area.right(), buffer);
        if position == selected {
            buffer.set_style(Rect { y, height: 1, ..area }, state.theme.selected());
        }
    }
}

fn row(state: &State, with: &Target, entry: &Entry, is_selected: bool, width: u16) -> Row {
    let theme = &state.theme;
    let time = local(entry.time, &state.zone);
    let time = time.map_or("-".to_owned(), |time| time.strftime("%Y-%m-%d %H:%M").to_string());
    let sign = if is_selected { "> " } else { "  " };
    let place = format!(" {with} ");
    line(
        &[
            (theme.text(), sign),
            (theme.quiet(), &time),
            (theme.quiet(), &place),
            (theme.nick(&entry.from), entry.from.as_str()),
            (theme.text(), ": "),
            (theme.text(), &entry.text),
        ],
        width,
    )
}
