//! Rows in the middle of the screen, with a frame if there is room, and scrolled to where the cursor is if there is not.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::widgets::{Block, BorderType, Padding, Widget};

use super::super::text::{self, Row};
use super::super::theme::Theme;
use super::Target;

/// The most columns of text. A server's identity fits.
const MAX_WIDTH: u16 = 64;
/// The columns and rows of the frame, both sides together.
const FRAME: (u16, u16) = (4, 2);
/// From this width on there is a frame.
const MIN_FRAMED: u16 = 48;
/// Rows that the foot leaves to the rest, or it is not shown.
const MIN_BODY: u16 = 4;

/// The columns of text that a panel in this area has.
pub(super) fn width_in(area: Rect) -> u16 {
    let frame = if area.width >= MIN_FRAMED { FRAME.0 } else { 0 };
    (area.width - frame).min(MAX_WIDTH)
}

/// What a form shows.
pub(in super::super) struct Panel {
    width: u16,
    rows: Vec<Row>,
    /// What follows them, as far as there is room.
    list: Vec<(Worth, Vec<Row>)>,
    foot: Vec<Row>,
    /// The row that is seen in any case.
    focus: usize,
    /// How many rows are seen if the focus can be seen with the last of them.
    needed: usize,
    /// The column of the cursor in that row.
    cursor: Option<u16>,
    /// Row, column and width of what can be clicked.
    targets: Vec<(usize, u16, u16, Target)>,
}

/// What an item of the list is worth where there is no room for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Worth {
    /// It comes first, and even rows above the focus make way for it.
    Most,
    Some,
    Least,
}

/// Where things are on the screen.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Drawn {
    /// Where the cursor stands, if it is seen.
    pub(in super::super) cursor: Option<Position>,
    targets: Vec<(Rect, Target)>,
}

impl Drawn {
    /// What is at this position.
    pub(in super::super) fn target(&self, at: Position) -> Option<Target> {
        self.targets.iter().find(|(area, _)| area.contains(at)).map(|(_, target)| *target)
    }
}

impl Panel {
    pub(super) fn new(width: u16) -> Self {
        let (rows, list, foot, targets) = Default::default();
        Self { width, rows, list, foot, focus: 0, needed: 0, cursor: None, targets }
    }

    pub(super) fn width(&self) -> u16 {
        self.width
    }

    /// Adds text in as many rows as it needs; all but the first are indented.
    pub(super) fn say(&mut self, pieces: &[(Style, &str)], indent: u16) {
        self.rows.extend(text::wrap(pieces, self.width, indent));
    }

    /// Adds an empty row.
    pub(super) fn space(&mut self) {
        self.rows.push(Row::default());
    }

    /// Adds a row.
    pub(super) fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// The row that was added last is where one is; the cursor is in this column of it.
    pub(super) fn focus(&mut self, cursor: Option<u16>) {
        self.focus = self.rows.len().saturating_sub(1);
        self.cursor = cursor;
    }

    /// The row that was added last is worth more than those above the focus.
    pub(super) fn need(&mut self) {
        self.needed = self.rows.len();
    }

    /// Adds an item to the list below all rows.
    pub(super) fn list(&mut self, worth: Worth, pieces: &[(Style, &str)], indent: u16) {
        self.list.push((worth, text::wrap(pieces, self.width, indent)));
    }

    /// These columns of the row that was added last can be clicked.
    pub(super) fn target(&mut self, column: u16, width: u16, target: Target) {
        self.targets.push((self.rows.len().saturating_sub(1), column, width, target));
    }

    /// What can be done, below everything else.
    pub(super) fn foot(&mut self, pieces: &[(Style, &str)]) {
        self.foot = text::wrap(pieces, self.width, 0);
    }

    pub(super) fn draw(&self, area: Rect, theme: &Theme, buffer: &mut Buffer) -> Drawn {
        let area = area.intersection(buffer.area);
        if area.is_empty() {
            return Drawn::default();
        }
        let (body, foot) = self.place(area, theme, buffer);
        let end = body.right();
        let (listed, needed) = self.listed(body.height.into());
        let first = self.first_seen(needed, body.height.into());
        for (row, y) in self.rows.iter().chain(listed).skip(first).zip(body.rows()) {
            row.draw(body.x, y.y, end, buffer);
        }
        for (row, y) in self.foot.iter().zip(foot.rows()) {
            row.draw(foot.x, y.y, end, buffer);
        }
        let seen = |row: usize, column: u16| {
            let y = u16::try_from(row.checked_sub(first)?).ok().filter(|y| *y < body.height)?;
            (column < body.width).then(|| Position::new(body.x + column, body.y + y))
        };
        let targets = self.targets.iter().filter_map(|(row, column, width, target)| {
            let at = seen(*row, *column)?;
            Some((Rect::new(at.x, at.y, *width, 1).intersection(body), *target))
        });
        Drawn { cursor: self.cursor.and_then(|column| seen(self.focus, column)), targets: targets.collect() }
    }

    /// How many rows there are, with the list.
    fn height(&self) -> usize {
        self.rows.len() + self.list.iter().map(|(_, rows)| rows.len()).sum::<usize>()
    }

    /// The rows of the list in the order in which they are shown, and how many of all rows are needed.
    fn listed(&self, height: usize) -> (impl Iterator<Item = &Row>, usize) {
        let mut list: Vec<_> = self.list.iter().collect();
        let mut needed = self.needed;
        // Where there is room, an item keeps its place while what it says of changes.
        if self.height() > height {
            list.sort_by_key(|(worth, _)| *worth);
            let most =
                list.iter().filter(|(worth, _)| *worth == Worth::Most).map(|(_, rows)| rows.len()).sum::<usize>();
            needed = if most > 0 { self.rows.len() + most } else { needed };
        }
        (list.into_iter().flat_map(|(_, rows)| rows), needed)
    }

    /// The first row that is seen. As little as needed is out of sight above, and what follows the focus is seen too.
    fn first_seen(&self, needed: usize, height: usize) -> usize {
        let most = self.height().saturating_sub(height);
        let usual = (self.focus + 1 + height / 2).saturating_sub(height).min(most);
        usual.max(needed.saturating_sub(height).min(self.focus))
    }

    /// Draws the frame; the result is where the rows and the foot belong.
    fn place(&self, area: Rect, theme: &Theme, buffer: &mut Buffer) -> (Rect, Rect) {
        let rows = u16::try_from(self.height()).unwrap_or(u16::MAX);
        let foot = u16::try_from(self.foot.len()).unwrap_or(u16::MAX);
        // An empty row is between the two if there is room for it.
        let wanted = rows.saturating_add(foot).saturating_add(foot.min(1));
        let is_framed = area.width >= MIN_FRAMED && wanted.saturating_add(FRAME.1) <= area.height;
        let frame = if is_framed { FRAME } else { (0, 0) };
        let size = ((self.width + frame.0).min(area.width), wanted.saturating_add(frame.1).min(area.height));
        let (left, above) = ((area.width - size.0) / 2, (area.height - size.1) / 2);
        let mut inner = Rect::new(area.x + left, area.y + above, size.0, size.1);
        if is_framed {
            let block = Block::bordered().border_type(BorderType::Rounded).border_style(theme.border());
            let block = block.title(" fernwire ").title_style(theme.title()).padding(Padding::horizontal(1));
            let outer = inner;
            inner = block.inner(outer);
            block.render(outer, buffer);
        }
        let foot = if inner.height >= foot.saturating_add(MIN_BODY) { foot } else { 0 };
        let body = Rect { height: rows.min(inner.height - foot), ..inner };
        (body, Rect { y: inner.bottom() - foot, height: foot, ..inner })
    }
}
