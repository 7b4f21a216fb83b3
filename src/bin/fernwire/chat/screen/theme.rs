//! How things look: one theme for dark and light terminals, and one without colours.

use std::ffi::OsStr;

use fernwire::model::name::UserName;
use ratatui::style::{Color, Modifier, Style};

/// A style for each thing that is shown.
///
/// Its colours can be read on black and on white, so nobody has to say which of the two a terminal is; it sets no
/// background, and nothing is told by colour alone. They are numbers from 16 up, which terminals let nobody redefine.
#[derive(Debug, Clone)]
pub(super) struct Theme {
    colours: bool,
}

const GREY: u8 = 243;
const GREEN: u8 = 28;
const AMBER: u8 = 130;
const RED: u8 = 162;
const VIOLET: u8 = 129;
const BLUE: u8 = 31;

/// The colours of people. Few can be read on dark and on light, so some are not far apart; those of neighbouring places
/// are, since names that differ little are often neighbours.
const PEOPLE: [u8; 12] = [30, 130, 163, 64, 31, 97, 65, 131, 129, 28, 132, 63];

const NONE: Modifier = Modifier::empty();

impl Theme {
    /// The theme that the environment asks for: `NO_COLOR` with any value but an empty one (<https://no-color.org>) means
    /// the one without colours.
    pub(super) fn from_env(no_color: Option<&OsStr>) -> Self {
        Self { colours: no_color.is_none_or(OsStr::is_empty) }
    }

    /// What most text looks like.
    pub(super) fn text(&self) -> Style {
        Style::new()
    }

    /// Times and hints: what one looks at last.
    pub(super) fn quiet(&self) -> Style {
        self.style(Some(GREY), NONE, NONE)
    }

    /// The name of a person: in a colour that is the same for everyone, always.
    pub(super) fn nick(&self, name: &UserName) -> Style {
        self.style(Some(PEOPLE[place(name, PEOPLE.len())]), NONE, Modifier::BOLD)
    }

    /// One's own name.
    pub(super) fn me(&self) -> Style {
        self.style(None, Modifier::BOLD, Modifier::BOLD | Modifier::ITALIC)
    }

    /// What somebody does, rather than says.
    pub(super) fn action(&self) -> Style {
        self.style(None, Modifier::ITALIC, Modifier::ITALIC)
    }

    /// One's own name where somebody else says it.
    pub(super) fn mention(&self) -> Style {
        self.style(Some(RED), Modifier::BOLD | Modifier::UNDERLINED, Modifier::BOLD | Modifier::UNDERLINED)
    }

    /// A room where something was said.
    pub(super) fn unread(&self) -> Style {
        self.style(None, Modifier::BOLD, Modifier::BOLD)
    }

    /// A room where one was spoken to.
    pub(super) fn unread_mention(&self) -> Style {
        self.mention()
    }

    /// The heading of a pane.
    pub(super) fn title(&self) -> Style {
        self.style(None, Modifier::BOLD, Modifier::BOLD)
    }

    /// The lines between panes.
    pub(super) fn border(&self) -> Style {
        self.quiet()
    }

    /// The entry of a list that a key would act upon.
    pub(super) fn selected(&self) -> Style {
        self.style(None, Modifier::BOLD | Modifier::REVERSED, Modifier::BOLD | Modifier::REVERSED)
    }

    /// What went well, and a link that stands.
    pub(super) fn good(&self) -> Style {
        self.style(Some(GREEN), NONE, NONE)
    }

    /// What failed.
    pub(super) fn bad(&self) -> Style {
        self.style(Some(RED), Modifier::BOLD, Modifier::BOLD | Modifier::REVERSED)
    }

    /// What may still turn out well, and what to beware of.
    pub(super) fn warning(&self) -> Style {
        self.style(Some(AMBER), Modifier::BOLD, Modifier::BOLD)
    }

    /// The line where one left off.
    pub(super) fn mark(&self) -> Style {
        self.style(Some(VIOLET), Modifier::BOLD, Modifier::BOLD)
    }

    /// What the program or the server says.
    pub(super) fn notice(&self) -> Style {
        self.style(Some(GREY), Modifier::ITALIC, Modifier::ITALIC)
    }

    /// A key that a hint names.
    pub(super) fn key(&self) -> Style {
        self.style(Some(BLUE), Modifier::BOLD, Modifier::BOLD)
    }

    fn style(&self, colour: Option<u8>, coloured: Modifier, plain: Modifier) -> Style {
        match colour {
            Some(colour) if self.colours => Style::new().fg(Color::Indexed(colour)).add_modifier(coloured),
            _ if self.colours => Style::new().add_modifier(coloured),
            _ => Style::new().add_modifier(plain),
        }
    }
}

/// Which of so many places is this person's: FNV-1a (32 bits) of what the name is compared by, modulo their number.
///
/// `std`'s hashes promise no value for another day.
fn place(name: &UserName, places: usize) -> usize {
    let hash =
        name.key().bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash as usize % places
}

#[cfg(test)]
mod tests;
