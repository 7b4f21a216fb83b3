//! Where everything stands on a screen of some size.

use ratatui::layout::Rect;

/// From this width on the members of a room are shown.
const WITH_MEMBERS: u16 = 100;
/// From this width on the conversations are.
const WITH_PLACES: u16 = 60;
/// How wide the conversations are, with the line at their right.
const PLACES_WIDTH: u16 = 22;
/// How wide the members are, with the line at their left.
const MEMBERS_WIDTH: u16 = 20;
/// The most rows of what is being written.
const MAX_INPUT: u16 = 8;
/// The most rows of the banner.
const MAX_BANNER: u16 = 4;
/// How wide the sign before the input is.
pub(super) const PROMPT: u16 = 2;
/// Below this height there is no title.
const WITH_TITLE: u16 = 8;

/// The parts of the screen; one that has no room is `None` or empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Areas {
    pub(super) places: Option<Rect>,
    pub(super) title: Rect,
    pub(super) messages: Rect,
    pub(super) members: Option<Rect>,
    /// What one should know right now.
    pub(super) banner: Rect,
    pub(super) state: Rect,
    pub(super) input: Rect,
}

impl Areas {
    /// Divides the screen; the input and the banner need so many rows.
    pub(super) fn of(area: Rect, has_members: bool, input_rows: usize, banner_rows: usize) -> Self {
        let third = (area.height / 3).max(1);
        let rows = |wanted: usize, most: u16| u16::try_from(wanted).unwrap_or(u16::MAX).min(most).min(third);
        let (rest, input) = split_bottom(area, rows(input_rows.max(1), MAX_INPUT));
        let (rest, state) = split_bottom(rest, 1);
        let (rest, banner) = split_bottom(rest, rows(banner_rows, MAX_BANNER));
        let (places, rest) = match area.width >= WITH_PLACES {
            true => {
                let (left, right) = split_left(rest, PLACES_WIDTH);
                (Some(left), right)
            }
            false => (None, rest),
        };
        let (rest, members) = match has_members && area.width >= WITH_MEMBERS {
            true => {
                let (left, right) = split_left(rest, rest.width.saturating_sub(MEMBERS_WIDTH));
                (left, Some(right))
            }
            false => (rest, None),
        };
        let title_height = u16::from(area.height >= WITH_TITLE);
        let title = Rect { height: title_height, ..rest };
        let messages = Rect { y: rest.y + title_height, height: rest.height - title_height, ..rest };
        Self { places, title, messages, members, banner, state, input }
    }
}

fn split_bottom(area: Rect, height: u16) -> (Rect, Rect) {
    let height = height.min(area.height);
    let above = Rect { height: area.height - height, ..area };
    (above, Rect { y: above.bottom(), height, ..area })
}

fn split_left(area: Rect, width: u16) -> (Rect, Rect) {
    let width = width.min(area.width);
    let left = Rect { width, ..area };
    (left, Rect { x: left.right(), width: area.width - width, ..area })
}

/// A box in the middle, of this size or as much of it as there is room for.
pub(super) fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_members_fold_away_first_and_the_conversations_next() {
        let at = |width| Areas::of(Rect::new(0, 0, width, 24), true, 1, 0);
        assert!(at(100).members.is_some() && at(100).places.is_some());
        assert!(at(99).members.is_none() && at(99).places.is_some());
        assert!(at(60).places.is_some() && at(59).places.is_none());
        assert_eq!(at(59).messages.width, 59);
        assert!(Areas::of(Rect::new(0, 0, 200, 24), false, 1, 0).members.is_none());
    }

    #[test]
    fn all_parts_lie_inside_and_apart_at_every_size() {
        for (width, height) in (0..130).flat_map(|width| (0..30).map(move |height| (width, height))) {
            let area = Rect::new(0, 0, width, height);
            let areas = Areas::of(area, true, usize::from(height), usize::from(width));
            let parts = [areas.title, areas.messages, areas.banner, areas.state, areas.input];
            let parts: Vec<Rect> = parts.into_iter().chain(areas.places).chain(areas.members).collect();
            let covered: u32 = parts.iter().map(|part| part.area()).sum();
            assert_eq!(covered, area.area(), "{width}x{height}: {areas:?}");
            assert!(parts.iter().all(|part| area.intersection(*part) == *part), "{width}x{height}: {areas:?}");
        }
    }
}
