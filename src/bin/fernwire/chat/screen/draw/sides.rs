//! The conversations at the left, and the members at the right.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::place::Place;
use super::super::state::State;
use super::super::text::line;

/// The first conversation that is in view, so that the current one is.
pub(in super::super) fn first_place(state: &State, height: u16) -> usize {
    (state.current + 1).saturating_sub(usize::from(height.max(1)))
}

pub(super) fn places(state: &State, area: Rect, buffer: &mut Buffer) {
    let Some(inner) = beside_border(state, area, area.right().saturating_sub(1), buffer) else { return };
    let first = first_place(state, area.height);
    for ((position, place), y) in state.places.iter().enumerate().skip(first).zip(inner.y..inner.bottom()) {
        entry(state, position, place, Rect { y, height: 1, ..inner }, buffer);
    }
}

fn entry(state: &State, position: usize, place: &Place, area: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let unread = place.unread();
    let is_current = position == state.current;
    let (style, count) = match (unread, place.unread_mentions) {
        (0, _) => (theme.text(), String::new()),
        (_, 0) => (theme.unread(), format!(" {}", short(unread))),
        (..) => (theme.unread_mention(), format!(" @{}", short(unread))),
    };
    let style = if is_current { theme.title() } else { style };
    let sign = if is_current { ">" } else { " " };
    let number = if position < 9 { format!("{} ", position + 1) } else { "  ".to_owned() };
    let count = if place.is_ours() { count } else { " left".to_owned() };
    let count = line(&[(style, &count)], area.width);
    let room = area.width.saturating_sub(count.width());
    let name = place.with.to_string();
    let row = line(&[(theme.title(), sign), (theme.quiet(), &number), (style, &name)], room);
    row.draw(area.x, area.y, area.x + room, buffer);
    count.draw(area.right() - count.width(), area.y, area.right(), buffer);
}

/// At most four columns.
fn short(count: u64) -> String {
    if count > 999 { "999+".to_owned() } else { count.to_string() }
}

pub(super) fn members(state: &State, place: &Place, area: Rect, buffer: &mut Buffer) {
    let Some(inner) = beside_border(state, area, area.x, buffer) else { return };
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(1), ..inner };
    let theme = &state.theme;
    let here = place.members.iter().filter(|member| member.present).count();
    let away = place.members.len() - here;
    let mut rows = vec![line(&[(theme.quiet(), &format!("{here} here"))], inner.width)];
    let mut told_away = false;
    let height = usize::from(inner.height);
    // One more than fit, at most: thousands may be in a room.
    for member in place.members.iter().take(height) {
        if !member.present && !std::mem::replace(&mut told_away, true) {
            rows.push(line(&[(theme.quiet(), &format!("{away} away"))], inner.width));
        }
        let sign = if member.operator { "@" } else { " " };
        let style = if member.present { theme.nick(&member.name) } else { theme.quiet() };
        rows.push(line(&[(theme.key(), sign), (style, member.name.as_str())], inner.width));
    }
    let all = 1 + usize::from(away > 0) + place.members.len();
    if all > height && height > 0 {
        let more = format!("and {} more", all - height + 1);
        rows.truncate(height - 1);
        rows.push(line(&[(theme.quiet(), &more)], inner.width));
    }
    for (row, y) in rows.iter().zip(inner.y..inner.bottom()) {
        row.draw(inner.x, y, inner.right(), buffer);
    }
}

/// What is left of an area beside a line down at its left or right edge.
fn beside_border(state: &State, area: Rect, x: u16, buffer: &mut Buffer) -> Option<Rect> {
    if area.width < 2 {
        return None;
    }
    for y in area.y..area.bottom() {
        line(&[(state.theme.border(), "│")], 1).draw(x, y, x + 1, buffer);
    }
    let inner = Rect { width: area.width - 1, ..area };
    Some(if x == area.x { Rect { x: area.x + 1, ..inner } } else { inner })
}
