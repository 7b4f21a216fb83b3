//! The keys and commands, over everything else.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::widgets::Block;

use super::super::layout::centred;
use super::super::state::State;
use super::super::text::{Row, line, wrap};
use super::lists::{boxed, over};
use crate::cli::CHAT_COMMANDS;

/// What each key does.
const KEYS: [(&str, &str); 20] = [
    ("Enter", "send; Alt-Enter begins a line; a paste of many lines is one message"),
    ("Tab", "complete a name, room or command; again for the next"),
    ("Up, Down", "what you sent before, at the first and last row of what you write"),
    ("PageUp, wheel", "back in the history, which is loaded as you go; Esc goes to the end"),
    ("Alt-1..9", "a conversation by its number; a click on it does the same"),
    ("Alt-Up, Alt-Down", "the conversation before, or the next"),
    ("Ctrl-K", "go anywhere by a few letters: conversations, rooms, people"),
    ("Alt-A", "to the next unread, those that name you first"),
    ("Alt-U", "to the first of what is new here"),
    ("Alt-M", "who named you, or wrote to you alone"),
    ("Ctrl-F", "search all conversations"),
    ("Alt-R, Alt-D", "send again what was not sent, or drop the last of it"),
    ("Ctrl-W, Ctrl-U", "delete the word before, or the line up to here"),
    ("Ctrl-X", "empty what you write; Up brings it back"),
    ("Ctrl-L", "draw everything anew"),
    ("Ctrl-Z", "suspend; `fg` comes back"),
    ("Ctrl-C", "leave, after a question"),
    ("✓ … ✗", "sent, being sent, not sent"),
    ("@ (members)", "an operator of the room"),
    ("Shift", "held down, it lets the terminal select text with the mouse"),
];

/// How wide the column of keys is.
const KEY_WIDTH: usize = 18;
/// The widest that the box becomes.
const WIDTH: u16 = 90;

pub(super) fn draw(state: &State, first: u16, buffer: &mut Buffer) -> Option<Position> {
    let inner = boxed(state, area(state), "Help: PageDown goes on, Esc closes it", buffer);
    let rows = rows(state, inner.width);
    let first = usize::from(first).min(rows.len().saturating_sub(usize::from(inner.height)));
    show(&rows[first..], inner, buffer);
    None
}

/// The first row in view where its end is.
pub(in super::super) fn last_first(state: &State) -> u16 {
    let inner = Block::bordered().inner(area(state));
    let rows = rows(state, inner.width).len();
    u16::try_from(rows).unwrap_or(u16::MAX).saturating_sub(inner.height)
}

fn area(state: &State) -> Rect {
    centred(over(state), WIDTH, u16::MAX)
}

fn rows(state: &State, width: u16) -> Vec<Row> {
    let theme = &state.theme;
    let indent = if width < 3 * KEY_WIDTH as u16 { 4 } else { KEY_WIDTH as u16 };
    let keys = KEYS.iter().flat_map(|(key, what)| {
        let key = format!("{key:<KEY_WIDTH$}");
        wrap(&[(theme.key(), &key), (theme.text(), what)], width, indent)
    });
    let commands = CHAT_COMMANDS.lines().flat_map(|command| wrap(&[(theme.text(), command.trim_start())], width, 4));
    let between = line(&[(theme.quiet(), "A line that begins with / is a command, and // says one:")], width);
    keys.chain([Row::default(), between]).chain(commands).collect()
}

fn show(rows: &[Row], area: Rect, buffer: &mut Buffer) {
    for (row, y) in rows.iter().zip(area.y..area.bottom()) {
        row.draw(area.x, y, area.right(), buffer);
    }
}
