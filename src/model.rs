//! Newtypes that several layers share, and their text forms.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

#[cfg(feature = "server")]
pub mod name;
#[cfg(feature = "server")]
pub mod password;
pub mod peer;
pub mod span;

/// What every public identity begins with, so that nobody takes it for a secret.
pub const PUBLIC_IDENTITY_PREFIX: &str = "fwk1_";

/// A server's public identity: the X25519 public key (32 bytes, RFC 7748) of its identity.key.
///
/// Its text form is `fwk1_` and 43 characters of unpadded base64url.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicIdentity([u8; 32]);

impl PublicIdentity {
    /// The identity with these 32 bytes, as they stand in a ServerHello.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the public key.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for PublicIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PUBLIC_IDENTITY_PREFIX}{}", URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for PublicIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a public identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a public identity is `fwk1_` and 43 characters of base64url, as `fernwire id` prints it")]
pub struct ParseIdentityError;

impl FromStr for PublicIdentity {
    type Err = ParseIdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let encoded = text.strip_prefix(PUBLIC_IDENTITY_PREFIX).ok_or(ParseIdentityError)?;
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| ParseIdentityError)?;
        Ok(Self(bytes.try_into().map_err(|_| ParseIdentityError)?))
    }
}

/// A name that people compare: 8 bytes derived from a secret.key, shown as 16 hex digits.
///
/// Each side prints it locally; it is never sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyId(pub [u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text from somebody else, shown so that it can neither move a cursor, nor forge a line, nor turn its direction.
///
/// Control characters and the invisible ones that reorder text (Unicode Cc, bidi controls, line separators) appear as
/// Rust escapes; and so do combining marks beyond those that a letter of any language has, which would be piled over the
/// lines above and below.
#[derive(Clone, Copy)]
pub struct Visible<'a>(pub &'a str);

impl fmt::Display for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut marks = 0;
        self.0.chars().try_for_each(|c| {
            marks = if is_mark(c) { marks + 1 } else { 0 };
            match c {
                c if c.is_control() => write!(f, "{}", c.escape_default()),
                c if is_treacherous(c) || marks > MAX_MARKS => write!(f, "{}", c.escape_unicode()),
                c => write!(f, "{c}"),
            }
        })
    }
}

/// The most combining marks in a row that are shown as such.
const MAX_MARKS: u32 = 6;

/// Whether it is drawn over or under the character before it, whichever that is (the blocks of combining marks that belong
/// to no script).
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// Whether a terminal would obey the character instead of showing it, or show others in another order because of it.
pub fn is_treacherous(c: char) -> bool {
    let reorders =
        |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}');
    c.is_control() || reorders(c)
}

/// What nobody else calls anything of his: 128 random bits.
#[cfg(feature = "server")]
pub(crate) fn random_id() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_inert() {
        let hostile = "a\x1b[2J\r\nb\u{202e}c\u{9b}é";
        assert_eq!(Visible(hostile).to_string(), "a\\u{1b}[2J\\r\\nb\\u{202e}c\\u{9b}é");
    }

    #[test]
    fn a_pile_of_marks_does_not_cover_other_lines() {
        let letter = "e\u{323}\u{302}\u{301}";
        assert_eq!(Visible(letter).to_string(), letter);
        let pile = format!("a{}b\u{301}", "\u{315}".repeat(1000));
        let shown = Visible(&pile).to_string();
        assert_eq!(shown.chars().filter(|c| *c == '\u{315}').count(), 6);
        assert!(shown.ends_with("\\u{315}b\u{301}"), "{shown}");
    }

    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_public_identity_survives_its_text_form(bytes: [u8; 32]) {
            let identity = PublicIdentity::from_bytes(bytes);
            prop_assert_eq!(identity.to_string().parse(), Ok(identity));
        }

        #[test]
        fn any_text_is_refused_or_comes_back_as_it_was(text in "(fwk1_)?[A-Za-z0-9_-]{0,50}") {
            if let Ok(identity) = text.parse::<PublicIdentity>() {
                prop_assert_eq!(identity.to_string(), text);
            }
        }
    }
}
