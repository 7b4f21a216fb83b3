//! The terminal: taken for a full screen, and given back whatever happens.

use ratatui::crossterm::event::KeyEvent;
use ratatui::layout::Position;

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
