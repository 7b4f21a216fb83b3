//! How things look: one theme for dark and light terminals, and one without colours.

use ratatui::style::Style;

/// A style for each thing that is shown.
#[derive(Debug, Clone)]
pub(super) struct Theme {
    colours: bool,
}

impl Theme {
    /// The theme that the environment asks for.
    pub(super) fn from_env(no_color: Option<&std::ffi::OsStr>) -> Self {
        Self { colours: no_color.is_none_or(|value| value.is_empty()) }
    }

    /// What most text looks like.
    pub(super) fn text(&self) -> Style {
        Style::new()
    }
}
