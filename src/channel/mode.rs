//! Key modes: what goes into the keys of a session, and the order of preference.

use std::fmt;
use std::str::FromStr;

/// What goes into the keys of a session. The number is its code on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum KeyMode {
    /// Ephemeral X25519, X25519 to the server's identity, and secret.key.
    X25519Psk = 1,
    /// Ephemeral X25519 and X25519 to the server's identity.
    X25519 = 2,
    /// secret.key and both nonces, without forward secrecy.
    Psk = 3,
}

impl KeyMode {
    /// Every mode, the most preferred first.
    pub const ALL: [Self; 3] = [Self::X25519Psk, Self::X25519, Self::Psk];

    /// Its name in text and in the key schedule.
    pub fn name(self) -> &'static str {
        match self {
            Self::X25519Psk => "x25519+psk",
            Self::X25519 => "x25519",
            Self::Psk => "psk",
        }
    }

    /// Whether secret.key goes into its keys.
    pub fn needs_secret(self) -> bool {
        self != Self::X25519
    }

    /// Whether it agrees on keys with X25519, and so proves the server's identity.
    pub fn needs_share(self) -> bool {
        self != Self::Psk
    }

    pub(super) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| *mode as u8 == code)
    }
}

impl fmt::Display for KeyMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of modes, always in the order of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyModes {
    bits: u8,
}

impl KeyModes {
    /// The modes, the most preferred first.
    pub fn iter(self) -> impl Iterator<Item = KeyMode> {
        KeyMode::ALL.into_iter().filter(move |mode| self.contains(*mode))
    }

    /// Whether the mode is among them.
    pub fn contains(self, mode: KeyMode) -> bool {
        self.bits & (1 << mode as u8) != 0
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.bits == 0
    }

    /// Whether one of them needs a secret.key.
    pub fn need_secret(self) -> bool {
        self.iter().any(KeyMode::needs_secret)
    }

    /// Whether one of them needs X25519.
    pub fn need_share(self) -> bool {
        self.iter().any(KeyMode::needs_share)
    }
}

impl FromIterator<KeyMode> for KeyModes {
    fn from_iter<I: IntoIterator<Item = KeyMode>>(modes: I) -> Self {
        Self { bits: modes.into_iter().fold(0, |bits, mode| bits | 1 << mode as u8) }
    }
}

impl fmt::Display for KeyModes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing that this version knows");
        }
        let names: Vec<_> = self.iter().map(KeyMode::name).collect();
        f.write_str(&names.join(","))
    }
}

/// The text names no mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a key mode; the modes are x25519+psk, x25519 and psk, with commas between them")]
pub struct ParseModeError(String);

impl FromStr for KeyModes {
    type Err = ParseModeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let find = |name: &str| {
            let mode = KeyMode::ALL.into_iter().find(|mode| mode.name() == name);
            mode.ok_or_else(|| ParseModeError(name.to_owned()))
        };
        text.split(',').map(|name| find(name.trim())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn modes_survive_their_text_form(chosen in prop::collection::vec(prop::sample::select(&KeyMode::ALL), 1..6)) {
            let modes: KeyModes = chosen.iter().copied().collect();
            prop_assert_eq!(modes.to_string().parse(), Ok(modes));
            // In any order, and named more than once.
            let names: Vec<_> = chosen.iter().map(|mode| mode.name()).collect();
            prop_assert_eq!(names.join(",").parse(), Ok(modes));
        }

        #[test]
        fn any_text_is_refused_or_names_modes_alone(text in "(x25519|\\+psk|psk|,| |[a-z0-9]){0,6}") {
            if let Ok(modes) = text.parse::<KeyModes>() {
                prop_assert!(text.split(',').all(|name| modes.iter().any(|mode| mode.name() == name.trim())));
                prop_assert!(modes.iter().all(|mode| text.split(',').any(|name| name.trim() == mode.name())));
            }
        }
    }

    #[test]
    fn modes_are_listed_by_preference_whatever_their_order_in_the_text() {
        let modes: KeyModes = "psk, x25519+psk".parse().unwrap();
        assert_eq!(modes.to_string(), "x25519+psk,psk");
        assert_eq!("psk,aes".parse::<KeyModes>(), Err(ParseModeError("aes".into())));
        assert_eq!("".parse::<KeyModes>(), Err(ParseModeError("".into())));
    }
}
