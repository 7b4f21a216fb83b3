//! What is asked at the door, as forms: state, keys and cells, without a terminal or a server.

use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;

pub(super) mod account;
pub(super) mod calling;
mod field;
pub(super) mod panel;
pub(super) mod question;
mod rules;

use super::stage::Input;
use super::theme::Theme;
use panel::{Drawn, Panel};

/// One of the forms: what it looks like, and what is decided in it.
pub(super) trait Form {
    /// What a person decides in it.
    type Decision;

    /// Takes what is typed.
    fn press(&mut self, input: Input) -> Step<Self::Decision>;

    /// Nothing was typed for a while, so whoever types now has seen where it goes.
    fn has_paused(&mut self) {}

    /// Takes a click on a place in it.
    fn point(&mut self, _target: Target) -> Step<Self::Decision> {
        Step::Nothing
    }

    /// Its rows at this width.
    fn panel(&self, theme: &Theme, width: u16) -> Panel;
}

/// What came of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<D> {
    /// Nothing.
    Nothing,
    /// The form looks different.
    Changed,
    /// The person wants to leave.
    Leave,
    /// Something is decided.
    Decided(D),
}

/// A place that can be clicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Login,
    Signup,
    Name,
    Password,
    Again,
}

/// Draws a form into the middle of the area.
pub(super) fn draw(form: &impl Form, area: Rect, theme: &Theme, buffer: &mut Buffer) -> Drawn {
    form.panel(theme, panel::width_in(area)).draw(area, theme, buffer)
}

/// Whether this is how one leaves, in every form.
fn is_leaving(input: &Input) -> bool {
    match input {
        Input::Key(KeyEvent { code: KeyCode::Esc, .. }) => true,
        Input::Key(key) => is_control(key, 'c'),
        _ => false,
    }
}

/// Whether it is this letter with Ctrl and nothing else.
fn is_control(key: &KeyEvent, letter: char) -> bool {
    key.modifiers == KeyModifiers::CONTROL && key.code == KeyCode::Char(letter)
}

#[cfg(test)]
mod tests;
