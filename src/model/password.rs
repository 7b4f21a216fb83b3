//! A password on its way from a person to the one place that hashes it, and the rules for a new one.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroizing;

/// The fewest characters of a password.
pub const MIN_PASSWORD: usize = 8;
/// The most bytes of a password.
pub const MAX_PASSWORD: usize = 1024;

/// A password. It is wiped when it is dropped, and never shown.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Password(Zeroizing<String>);

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The reader's own error would quote what is no text, such as a number.
        Zeroizing::deserialize(deserializer).map(Self).map_err(|_| D::Error::custom("a password is a text"))
    }
}

impl Password {
    /// The password with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Its text, for hashing and checking it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it keeps the rules for a new one; if not, the first that it breaks.
    pub fn check(&self) -> Result<(), Rule> {
        Rule::ALL.into_iter().find(|rule| !rule.is_kept_by(self.expose())).map_or(Ok(()), Err)
    }
}

/// A rule that a password breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rule {
    /// It is short.
    #[error("a password has at least {MIN_PASSWORD} characters")]
    TooShort,
    /// It is endless.
    #[error("a password has at most {MAX_PASSWORD} bytes")]
    TooLong,
    /// It lacks a digit.
    #[error("a password has at least one digit")]
    NoDigit,
    /// It lacks an uppercase letter.
    #[error("a password has at least one uppercase letter")]
    NoUppercase,
}

impl Rule {
    /// All rules, in the order in which they are told.
    pub const ALL: [Self; 4] = [Self::TooShort, Self::TooLong, Self::NoDigit, Self::NoUppercase];

    /// Whether a password with this text keeps it.
    pub fn is_kept_by(self, text: &str) -> bool {
        match self {
            Self::TooShort => text.chars().count() >= MIN_PASSWORD,
            Self::TooLong => text.len() <= MAX_PASSWORD,
            Self::NoDigit => text.chars().any(char::is_numeric),
            Self::NoUppercase => text.chars().any(char::is_uppercase),
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_password_is_told_which_rule_it_breaks() {
        let broken = |text: &str| Password::new(text).check().unwrap_err();
        assert_eq!(broken("Short-1"), Rule::TooShort);
        assert_eq!(broken("No-digit-here"), Rule::NoDigit);
        assert_eq!(broken("no-uppercase-1"), Rule::NoUppercase);
        assert_eq!(broken(&"Aa1".repeat(342)), Rule::TooLong);
        assert_eq!(Password::new("Correct-1").check(), Ok(()));
        assert_eq!(Password::new("\u{c4}pfel f\u{fc}r 2").check(), Ok(()));
    }

    #[test]
    fn each_rule_is_judged_by_itself() {
        let kept = |text: &str| Rule::ALL.map(|rule| rule.is_kept_by(text));
        assert_eq!(kept(""), [false, true, false, false]);
        assert_eq!(kept("A1"), [false, true, true, true]);
        assert_eq!(kept(&"a".repeat(1025)), [true, false, false, false]);
    }

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(format!("{:?}", Password::new("Correct-1-horse")), "Password(..)");
    }
}
