//! Draws everything that the screen knows.

use std::time::Instant;

use fernwire::model::name::Target;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

use super::layout::PROMPT;
use super::overlay::Overlay;
use super::place::Place;
use super::state::State;
use super::text::{line, wrap};
use super::view::Window;

mod help;
mod lists;
mod sides;
mod state_line;

pub(super) use help::last_first as last_first_of_help;
pub(super) use sides::first_place;

/// Draws all of it. The result is where the cursor stands, if anywhere.
pub(super) fn draw(state: &State, now: Instant, buffer: &mut Buffer) -> Option<Position> {
    let areas = state.areas();
    if let Some(area) = areas.places {
        sides::places(state, area, buffer);
    }
    if let (Some(area), Some(place)) = (areas.members, state.here()) {
        sides::members(state, place, area, buffer);
    }
    let window = state.window(now);
    title(state, areas.title, &window, buffer);
    messages(state, areas.messages, &window, buffer);
    banner(state, areas.banner, buffer);
    state_line::draw(state, areas.state, now, buffer);
    let cursor = input(state, areas.input, buffer);
    match &state.overlay {
        Overlay::None => cursor,
        Overlay::Help(row) => help::draw(state, *row, buffer),
        Overlay::Leave => lists::leave(state, buffer),
        Overlay::Switcher(switcher) => Some(lists::switcher(state, switcher, buffer)),
        Overlay::Search => lists::search(state, buffer),
        Overlay::Mentions(selected) => lists::mentions(state, *selected, buffer),
    }
}

fn title(state: &State, area: Rect, window: &Window, buffer: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    let theme = &state.theme;
    let (name, about) = match state.here() {
        None => ("fernwire".to_owned(), "no conversation is open; /join #ROOM opens one".to_owned()),
        Some(Place { with: Target::User(name), .. }) => (name.to_string(), "between you two".to_owned()),
        Some(place) if !place.is_ours() => {
            (place.with.to_string(), format!("you are no member; /join {} makes you one", place.with))
        }
        Some(Place { with, topic, .. }) => (with.to_string(), topic.clone()),
    };
    let elsewhere = unread_elsewhere(state);
    let mark = if is_mark_above(state, window) { " ↑ Alt-U: new" } else { "" };
    let below = if state.here().is_some_and(|place| place.anchor.is_some()) { " ↓ Esc: to the end" } else { "" };
    let below = line(&[(theme.unread(), &elsewhere), (theme.key(), mark), (theme.key(), below)], area.width);
    let room = area.width.saturating_sub(below.width());
    let dash = if about.is_empty() { "" } else { " - " };
    let text = line(&[(theme.title(), &name), (theme.quiet(), dash), (theme.quiet(), &about)], room);
    text.draw(area.x, area.y, area.x + room, buffer);
    below.draw(area.right() - below.width(), area.y, area.right(), buffer);
}

/// Whether what is new here begins above what is in view.
fn is_mark_above(state: &State, window: &Window) -> bool {
    let Some((place, mark)) = state.here().and_then(|place| Some((place, place.mark?))) else { return false };
    let first = window.seqs.iter().min();
    mark < place.last() && first.is_some_and(|first| *first > mark.saturating_add(1))
}

/// What the list of conversations would say, were there room for it.
fn unread_elsewhere(state: &State) -> String {
    let in_view = state.areas().places.map_or(0..0, |area| {
        let first = first_place(state, area.height);
        first..first + usize::from(area.height)
    });
    let is_elsewhere = |position: &usize| *position != state.current && !in_view.contains(position);
    let others = || state.places.iter().enumerate().filter(|(position, _)| is_elsewhere(position));
    let unread: u64 = others().map(|(_, place)| place.unread()).fold(0, u64::saturating_add);
    let sign = if others().any(|(_, place)| place.unread_mentions > 0) { "@" } else { "" };
    if unread == 0 { String::new() } else { format!(" {sign}{unread} unread: Alt-A") }
}

/// The newest stand right above the input.
fn messages(state: &State, area: Rect, window: &Window, buffer: &mut Buffer) {
    let Some(place) = state.here() else { return };
    if window.rows.is_empty() && area.height > 0 {
        let hint = match place.loading {
            Some(_) => "What was said here is on its way.",
            None if place.is_empty() => {
                "Nothing was said here yet. Write below; F1 shows keys, /join #ROOM opens a room."
            }
            None => "Nothing that was said here is to be shown; PageUp goes further back.",
        };
        line(&[(state.theme.quiet(), hint)], area.width).draw(area.x, area.bottom() - 1, area.right(), buffer);
    }
    let blank = area.height.saturating_sub(u16::try_from(window.rows.len()).unwrap_or(u16::MAX));
    for (row, y) in window.rows.iter().zip(area.y + blank..area.bottom()) {
        row.draw(area.x, y, area.right(), buffer);
    }
}

fn banner(state: &State, area: Rect, buffer: &mut Buffer) {
    let Some((style, text)) = state.banner() else { return };
    for (row, y) in wrap(&[(style, &text)], area.width, 0).iter().zip(area.y..area.bottom()) {
        row.draw(area.x, y, area.right(), buffer);
    }
}

fn input(state: &State, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    if area.height == 0 || area.width <= PROMPT {
        return None;
    }
    let (rows, (column, row)) = state.editor().rows(area.width - PROMPT);
    // The cursor's row is always there.
    let hidden = (row + 1).saturating_sub(area.height);
    let sign = if hidden > 0 { "↑ " } else { "> " };
    line(&[(state.theme.key(), sign)], PROMPT).draw(area.x, area.y, area.right(), buffer);
    for (text, y) in rows.iter().skip(usize::from(hidden)).zip(area.y..area.bottom()) {
        text.draw(area.x + PROMPT, y, area.right(), buffer);
    }
    Some(Position::new((area.x + PROMPT + column).min(area.right() - 1), area.y + row - hidden))
}

impl State {
    /// What one should know right now, above the line of state.
    pub(super) fn banner(&self) -> Option<(Style, String)> {
        if let Some(flash) = &self.flash {
            return Some((self.theme.warning(), flash.clone()));
        }
        let unsettled = self.unsettled();
        if self.leaving && unsettled > 0 {
            let what = format!("Leaving when {unsettled} more are sent; Ctrl-C and y leaves at once.");
            return Some((self.theme.warning(), what));
        }
        if self.leaving {
            return Some((self.theme.warning(), "Leaving.".to_owned()));
        }
        self.down.as_ref().map(|down| {
            let text =
                format!("No connection: {}. What you write is kept; Enter on an empty line tries now.", down.reason);
            (self.theme.bad(), text)
        })
    }
}
