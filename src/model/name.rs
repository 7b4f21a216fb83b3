//! Names of people and rooms: what they may be made of, and when two are the same.
//!
//! A name is kept as it was written, in NFC (UAX 15), and compared by its key, in which upper and lower case are one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// The longest name of a user, in characters.
pub const MAX_USER_NAME: usize = 32;
/// The longest name of a room, in characters, with its `#`.
pub const MAX_ROOM_NAME: usize = 32;
/// What names are made of.
pub const NAME_CHARACTERS: &str = "letters, digits, `_`, `.`, `-` and `@`";
/// The room that is there to begin with.
pub const LOBBY: &str = "#lobby";

/// The name of an account.
///
/// 1 to 32 characters: Unicode letters and digits, `_`, `.`, `-` and `@`; so it never begins as a room's does.
/// Two names that differ only in case are equal.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserName(String);

/// The name of a room: `#`, then 1 to 31 characters as in a user's name. Two that differ only in case are equal.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoomName(String);

/// Why a text is not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing is there.
    #[error("a name has at least one character")]
    Empty,
    /// It is too long.
    #[error("a name has at most {0} characters")]
    TooLong(usize),
    /// It has a character that names do not have.
    #[error("a name is made of {NAME_CHARACTERS}, and {} is none of them", shown(.0))]
    Character(char),
    /// A room's begins with `#`.
    #[error("the name of a room begins with `#`, such as {LOBBY}")]
    NotARoom,
}

fn shown(character: &char) -> String {
    format!("`{}`", character.escape_debug())
}

/// In NFC, or why it is no name of so many characters.
fn checked(text: &str, most: usize) -> Result<String, NameError> {
    // What is far too long is not normalized first.
    if text.chars().nth(4 * most).is_some() {
        return Err(NameError::TooLong(most));
    }
    let name: String = text.nfc().collect();
    faults(&name, most).next().map_or(Ok(name), Err)
}

/// Every rule that a text in NFC breaks, in the order in which they are told.
fn faults(name: &str, most: usize) -> impl Iterator<Item = NameError> + use<> {
    let odd = name.chars().find(|c| is_blank(*c) || !c.is_alphanumeric() && !"_.-@".contains(*c));
    let length = match name.chars().count() {
        0 => Some(NameError::Empty),
        count if count > most => Some(NameError::TooLong(most)),
        _ => None,
    };
    odd.map(NameError::Character).into_iter().chain(length)
}

/// Letters that show nothing (the fillers of Hangul), with which a name would look like another.
fn is_blank(c: char) -> bool {
    matches!(c, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}')
}

/// Whether their keys are the same; where no key has to be made to see it, none is.
fn have_same_key(one: &str, other: &str) -> bool {
    one == other
        || match one.is_ascii() && other.is_ascii() {
            true => one.eq_ignore_ascii_case(other),
            false => key(one) == key(other),
        }
}

/// What names are compared by.
fn key(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    // Lower case can undo NFC, and some letters have a lower case only by way of their upper case.
    name.to_uppercase().to_lowercase().nfc().collect()
}

impl FromStr for UserName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        checked(text, MAX_USER_NAME).map(Self)
    }
}

impl FromStr for RoomName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix('#').ok_or(NameError::NotARoom)?;
        checked(rest, MAX_ROOM_NAME - 1).map(|rest| Self(format!("#{rest}")))
    }
}

impl UserName {
    /// Every rule that the text breaks as a user's name.
    pub fn faults(text: &str) -> Vec<NameError> {
        faults(&text.nfc().collect::<String>(), MAX_USER_NAME).collect()
    }
}

impl RoomName {
    /// The room that is there to begin with.
    pub fn lobby() -> Self {
        Self(LOBBY.to_owned())
    }
}

macro_rules! name {
    ($name:ident) => {
        impl $name {
            /// As it was written, in NFC.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// What it is compared by: equal for equal names, and itself no longer a name for people.
            pub fn key(&self) -> String {
                key(&self.0)
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                have_same_key(&self.0, &other.0)
            }
        }

        impl Eq for $name {}

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

name!(UserName);
name!(RoomName);

/// Whom a message is for: a room, or a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Target {
    /// Everybody in a room.
    Room(RoomName),
    /// One person.
    User(UserName),
}

impl Target {
    /// What it is compared by. Rooms and people never have the same.
    pub fn key(&self) -> String {
        match self {
            Self::Room(room) => room.key(),
            Self::User(user) => user.key(),
        }
    }
}

impl From<RoomName> for Target {
    fn from(room: RoomName) -> Self {
        Self::Room(room)
    }
}

impl From<UserName> for Target {
    fn from(user: UserName) -> Self {
        Self::User(user)
    }
}

impl FromStr for Target {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with('#') { text.parse().map(Self::Room) } else { text.parse().map(Self::User) }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Room(room) => room.fmt(f),
            Self::User(user) => user.fmt(f),
        }
    }
}

impl TryFrom<String> for Target {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn user(text: &str) -> Result<UserName, NameError> {
        text.parse()
    }

    #[test]
    fn names_are_equal_without_case_and_however_they_are_composed() {
        assert_eq!(user("Ada").unwrap(), user("aDA").unwrap());
        assert_eq!(user("Jose\u{301}").unwrap(), user("JOS\u{c9}").unwrap());
        assert_eq!(user("Jose\u{301}").unwrap().as_str(), "Jos\u{e9}");
        assert_eq!(user("stra\u{df}e").unwrap(), user("STRASSE").unwrap());
        assert_ne!(user("ada").unwrap(), user("ad").unwrap());
        assert_eq!("#Lobby".parse::<RoomName>().unwrap(), RoomName::lobby());
    }

    #[test]
    fn a_name_that_breaks_a_rule_is_told_which() {
        assert_eq!(user(""), Err(NameError::Empty));
        assert_eq!(user(&"x".repeat(33)), Err(NameError::TooLong(32)));
        assert!(user(&"x".repeat(32)).is_ok());
        assert_eq!(user(&"e\u{301}".repeat(32)).map(|name| name.as_str().chars().count()), Ok(32));
        for odd in [
            '\u{3164}', '\u{115f}', '\u{1160}', '\u{ffa0}', ' ', '#', '/', ':', '\n', '\u{1b}', '\u{202e}', '\u{200d}',
            '\u{301}', '+', '!',
        ] {
            assert_eq!(user(&format!("x{odd}q")), Err(NameError::Character(odd)), "{odd:?}");
        }
        assert_eq!(user("a\u{1b}b").unwrap_err().to_string().chars().find(|c| c.is_control()), None);
        for fine in ["ada.l-1_x@home", "\u{5d0}\u{5d1}", "\u{7530}\u{4e2d}", "\u{915}\u{3b9}", "42", "@"] {
            assert!(user(fine).is_ok(), "{fine}");
        }
        assert_eq!("lobby".parse::<RoomName>(), Err(NameError::NotARoom));
        assert_eq!("#".parse::<RoomName>(), Err(NameError::Empty));
    }

    #[test]
    fn every_rule_that_a_name_breaks_is_told() {
        let (odd, long) = (NameError::Character(' '), NameError::TooLong(32));
        assert_eq!(UserName::faults("ada"), []);
        assert_eq!(UserName::faults(""), [NameError::Empty]);
        assert_eq!(UserName::faults("a b"), [odd]);
        assert_eq!(UserName::faults(&"x".repeat(33)), [long]);
        assert_eq!(UserName::faults(&format!("a {}", "x".repeat(31))), [odd, long]);
    }

    #[test]
    fn a_target_is_a_room_by_its_first_character() {
        assert!(matches!("#x".parse(), Ok(Target::Room(_))));
        assert!(matches!("@x".parse(), Ok(Target::User(_))));
    }

    /// Few letters, so that two texts are often the same but for case: with some that become two, or ASCII, with it.
    fn similar() -> impl Strategy<Value = String> {
        "[aAbBkKsS\u{df}\u{1e9e}\u{212a}\u{17f}\u{130}\u{131}iI\u{e0}\u{c0}]{1,2}"
    }

    proptest! {
        #[test]
        fn names_are_equal_as_their_keys_are(one in similar(), other in similar()) {
            let unabridged = |name: &str| name.to_uppercase().to_lowercase().nfc().collect::<String>();
            for name in [&one, &other] {
                prop_assert_eq!(key(name), unabridged(name));
            }
            prop_assert_eq!(have_same_key(&one, &other), unabridged(&one) == unabridged(&other), "{} {}", one, other);
        }

        #[test]
        fn what_was_accepted_is_accepted_again_and_is_the_same(text in "\\PC{1,12}|[A-Za-z\u{e0}-\u{17f}\u{300}\u{df}\u{130}]{1,12}") {
            if let Ok(name) = text.parse::<UserName>() {
                prop_assert_eq!(name.as_str().parse::<UserName>().map(String::from), Ok(name.as_str().to_owned()));
                prop_assert_eq!(key(&name.key()), name.key());
            }
        }
    }
}
