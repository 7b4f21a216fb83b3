//! The terminal: taken for a full screen, and given back whatever happens but SIGKILL, which nobody can catch (`reset`
//! helps then).

use std::io::{self, IsTerminal};
use std::marker::PhantomData;
use std::time::Duration;

use ratatui::crossterm::event::KeyEvent;
use ratatui::crossterm::style::force_color_output;
use ratatui::layout::{Position, Size};
use ratatui::{Frame, Terminal};

mod canvas;
mod held;
pub(super) mod input;
pub(super) mod signals;
#[cfg(test)]
mod tests;

use canvas::Canvas;

/// Nobody who types without looking pauses as long as this.
pub(super) const TYPING_PAUSE: Duration = Duration::from_millis(400);

/// What a person does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Input {
    Key(KeyEvent),
    Paste(String),
    /// The wheel, by this many notches; up is negative.
    Wheel(i16, Position),
    Click(Position),
    /// The terminal has another size.
    Resized,
}

/// The terminal, taken. What is drawn while it is not (after [`Stage::give_back`], or while the program is suspended)
/// goes nowhere.
pub(super) struct Stage {
    terminal: Terminal<Canvas>,
    /// There is one terminal: [`Stage::take`] makes the only one.
    only: PhantomData<*const ()>,
}

/// Whether there is a terminal that a full screen can be drawn on, and typed at.
pub(super) fn is_usable() -> bool {
    let is_known = std::env::var_os("TERM").is_some_and(|name| !name.is_empty() && name != "dumb");
    is_known && io::stdin().is_terminal() && io::stdout().is_terminal()
}

impl Stage {
    /// Takes the terminal, until this is dropped or something panics. [`signals::Signals`] are made before, so that none comes
    /// between.
    pub(super) fn take() -> io::Result<Self> {
        // The theme alone knows of NO_COLOR: what crossterm writes then instead of a colour ends bold and underline too.
        force_color_output(true);
        let terminal = Terminal::new(Canvas::default())?;
        held::take()?;
        Ok(Self { terminal, only: PhantomData })
    }

    /// Draws a frame, and writes what has changed of it in one piece.
    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Frame)) -> io::Result<()> {
        self.terminal.draw(draw).map(drop)
    }

    pub(super) fn size(&self) -> Size {
        canvas::size()
    }

    /// Whatever is on the terminal now, the next frame is drawn whole.
    pub(super) fn redraw_all(&mut self) -> io::Result<()> {
        self.terminal.clear()
    }

    pub(super) fn bell(&self) -> io::Result<()> {
        held::write(b"\x07")
    }

    /// Gives the terminal back, and stops the program as Ctrl-Z stops others. It goes on with [`signals::Wish::Continued`], which
    /// wants a [`Stage::resume`]. False if nothing was done, since nobody is there who could let it go on.
    pub(super) fn suspend(&mut self) -> io::Result<bool> {
        if !signals::can_be_continued() {
            return Ok(false);
        }
        held::give_back();
        signals::stop()?;
        Ok(true)
    }

    /// Takes the terminal again, with the size that it has now. Also right if it was never given back, as when SIGSTOP
    /// had stopped the program.
    pub(super) fn resume(&mut self) -> io::Result<()> {
        match held::take() {
            // SIGCONT comes with SIGHUP, for whoever was stopped to hear of it.
            Err(error) if held::is_gone(&error) => Ok(()),
            taken => taken.and_then(|()| self.redraw_all()),
        }
    }

    /// Gives the terminal back now and not when this is dropped.
    pub(super) fn give_back(&mut self) {
        held::give_back();
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        held::give_back();
    }
}
