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
    foot: Vec<Row>,
    /// The row that is seen in any case.
    focus: usize,
    /// The column of the cursor in that row.
    cursor: Option<u16>,
    /// Row, column and width of what can be clicked.
    targets: Vec<(usize, u16, u16, Target)>,
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
        Self { width, rows: Vec::new(), foot: Vec::new(), focus: 0, cursor: None, targets: Vec::new() }
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
        // As little as needed is out of sight above, and what follows the focus is seen too.
        let most = self.rows.len().saturating_sub(body.height.into());
        let first = (self.focus + 1 + usize::from(body.height) / 2).saturating_sub(body.height.into()).min(most);
        for (row, y) in self.rows.iter().skip(first).zip(body.rows()) {
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

    /// Draws the frame; the result is where the rows and the foot belong.
    fn place(&self, area: Rect, theme: &Theme, buffer: &mut Buffer) -> (Rect, Rect) {
        let rows = u16::try_from(self.rows.len()).unwrap_or(u16::MAX);
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
