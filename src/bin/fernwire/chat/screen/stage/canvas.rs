//! Cells as bytes for the terminal: one write a frame, and none if nothing has changed.

use std::io::{self, Write};
use std::iter;

use ratatui::backend::{Backend, ClearType, CrosstermBackend, WindowSize};
use ratatui::buffer::Cell;
use ratatui::crossterm::cursor::{Hide, MoveTo, Show};
use ratatui::crossterm::terminal::Clear;
use ratatui::crossterm::{self, queue};
use ratatui::layout::{Position, Size};
use rustix::termios::tcgetwinsize;

use super::held;

/// The terminal shows what is between these at once (synchronized update), and others ignore them.
const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";

/// What a terminal is thought to be that does not say.
const USUAL: Size = Size::new(80, 24);

/// How many columns and lines the terminal has now.
pub(super) fn size() -> Size {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => Size::new(size.ws_col, size.ws_row),
        _ => USUAL,
    }
}

/// One frame, until it is written.
pub(super) struct Canvas {
    cells: CrosstermBackend<Sheet>,
    /// Where the cursor belongs, if it is shown.
    cursor: Option<Position>,
    /// What the terminal was last told of it; none if that does not hold any more.
    told: Option<Option<Position>>,
}

impl Default for Canvas {
    fn default() -> Self {
        Self { cells: CrosstermBackend::new(Sheet(BEGIN.to_vec())), cursor: None, told: None }
    }
}

impl Backend for Canvas {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut content = content.peekable();
        while content.peek().is_some() {
            self.told = None;
            // Terminals differ in how wide a cell of several characters is: the next one is placed anew.
            let mut is_doubtful = false;
            let run = iter::from_fn(|| {
                let cell = if is_doubtful { None } else { content.next() }?;
                is_doubtful = cell.2.symbol().chars().nth(1).is_some();
                Some(cell)
            });
            self.cells.draw(run)?;
        }
        Ok(())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        self.cursor = None;
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        self.cursor.get_or_insert_default();
        Ok(())
    }

    /// Where we have put it: a terminal that is asked answers among what is typed, or never.
    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(self.cursor.unwrap_or_default())
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        self.cursor = Some(position.into());
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.told = None;
        queue!(self.cells, Clear(crossterm::terminal::ClearType::All))
    }

    /// There is but the whole screen.
    fn clear_region(&mut self, _: ClearType) -> io::Result<()> {
        self.clear()
    }

    fn size(&self) -> io::Result<Size> {
        Ok(size())
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: size(), pixels: Size::ZERO })
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.told != Some(self.cursor) {
            match self.cursor {
                Some(Position { x, y }) => queue!(self.cells, MoveTo(x, y), Show)?,
                None => queue!(self.cells, Hide)?,
            }
            self.told = Some(self.cursor);
        }
        Backend::flush(&mut self.cells)
    }
}

/// The bytes of one frame; its flush writes them.
struct Sheet(Vec<u8>);

impl Write for Sheet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.0.len() == BEGIN.len() {
            return Ok(());
        }
        self.0.extend_from_slice(END);
        let written = held::write(&self.0);
        self.0.truncate(BEGIN.len());
        written
    }
}
