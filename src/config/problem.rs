//! What can be wrong with a configuration, where that stands, and what would be right.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::keys::KeyKind;
use crate::model::Visible;

/// The longest text in characters that an error repeats.
const MAX_SHOWN: usize = 80;
/// The longest reason of a parser in characters; all of ours are shorter by far if what they repeat is short.
const MAX_REASON: usize = 280;
/// The characters that hold the 32 bytes of a key, without what may stand at their end.
const KEY_CHARACTERS: usize = 43;
/// What stands in their place.
const HIDDEN: &str = "(a key, not shown)";

/// Where a setting was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Nowhere: it is the default.
    Default,
    /// In a line of this file; 0 is the file as a whole.
    File(Arc<Path>, usize),
    /// On the command line, with this flag.
    Flag(&'static str),
    /// In this environment variable.
    Variable(&'static str),
}

impl Place {
    /// Whether one person gave both at the same time: in the file, in flags, or in the environment.
    pub fn is_beside(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the default"),
            Self::File(path, 0) => f.write_str(&without_keys(&path.to_string_lossy())),
            Self::File(path, line) => write!(f, "{}:{line}", without_keys(&path.to_string_lossy())),
            Self::Flag(name) | Self::Variable(name) => f.write_str(name),
        }
    }
}

/// A value, and where it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given<T> {
    /// The value.
    pub value: T,
    /// Where it was given.
    pub place: Place,
}

impl<T> Given<T> {
    /// A value that was given in this place.
    pub fn new(value: T, place: Place) -> Self {
        Self { value, place }
    }
}

/// A configuration that no server can run with.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct ConfigError {
    /// Where it stands.
    pub place: Place,
    /// What is wrong, and what would be right.
    pub problem: Problem,
}

/// What is wrong with a configuration, and what would be right.
///
/// What they repeat of a file is short, harmless to a terminal, and never a key.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The named file does not exist.
    #[error("there is no such configuration file; name the one that is there, or none")]
    Missing,
    /// It is a directory, a pipe or a device.
    #[error("this is {0}, not a file; name the configuration file itself")]
    NotAFile(&'static str),
    /// The operating system refused.
    #[error("the configuration cannot be read: {0}; name a file that this user can read")]
    Unreadable(io::Error),
    /// It cannot be a configuration.
    #[error("the file is longer than 1 MiB, so it is no configuration; name another")]
    TooLong,
    /// It is not text.
    #[error("this is not UTF-8 text; save the file as UTF-8")]
    NotUtf8,
    /// It does not follow the grammar of TOML.
    #[error("this is not TOML ({0}); a line is [TABLE] or KEY = VALUE, and a text stands in quotes")]
    Syntax(String),
    /// There is no such key.
    #[error("`{key}` is not a key {section}; {meant} keys are {known}")]
    UnknownKey {
        /// What the file has.
        key: String,
        /// `of [limits]`, say.
        section: String,
        /// A question if there is one that is spelled almost so, and an article.
        meant: String,
        /// All that there are.
        known: String,
    },
    /// The value is of another type.
    #[error("`{key}` is {given}, and has to be {wanted}")]
    WrongType {
        /// The key.
        key: String,
        /// What its value is.
        given: &'static str,
        /// What its value has to be.
        wanted: &'static str,
    },
    /// The value was understood by nobody; the text says why, and what would be.
    #[error("{0}")]
    BadValue(String),
    /// A key stands where it must not, and is not repeated.
    #[error(
        "that is a key itself, and a configuration has only the names of files with keys; put it into one (chmod 600) \
         and name that. If it is secret, better make a new one"
    )]
    KeyItself,
    /// A path that cannot be meant.
    #[error("`{key}` {reason}")]
    BadPath {
        /// The key.
        key: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A count that makes no sense.
    #[error("`{key}` is {given}, and has to be a whole number from 1 to {most}")]
    Count {
        /// The key.
        key: String,
        /// What the file has.
        given: String,
        /// The largest that is taken.
        most: u32,
    },
    /// A time that is none, or out of bounds.
    #[error("`{key}` is `{given}`, and has to be a time from {bounds}, such as \"{example}\"")]
    Time {
        /// The key.
        key: String,
        /// What the file has.
        given: String,
        /// `1s to 5m`, say.
        bounds: String,
        /// One that is fine.
        example: String,
    },
    /// A limit for one address above the limit for all.
    #[error("`{part}` is {part_value}, and that is above `{whole}` ({whole_value}); lower it, or raise the other")]
    Contradiction {
        /// The limit for one address.
        part: &'static str,
        /// Its value.
        part_value: usize,
        /// The limit for all.
        whole: &'static str,
        /// Its value.
        whole_value: usize,
    },
    /// Nothing to listen on.
    #[error("there is nothing to listen on; name an address, or leave `listen` out for tcp://127.0.0.1:3376")]
    NoListener,
    /// A listener with an identity.
    #[error("{0}: a listener takes no `#` and identity; that part is for clients, so leave it out")]
    PinnedListener(String),
    /// A listener that nobody could reach.
    #[error("{0}: nobody outside of this process could connect; listen on tcp://, tls:// or unix://")]
    MemoryListener(String),
    /// Two listeners in the same place.
    #[error("{again} is where {before} listens already; leave one of them out")]
    Twice {
        /// The first.
        before: String,
        /// The one in its way.
        again: String,
    },
    /// Half of a pair.
    #[error("[tls] has `{there}` without `{missing}`; a certificate and its key go together, so add the other file")]
    HalfTls {
        /// The key that is there.
        there: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
    /// TLS files for no listener.
    #[error("the TLS certificate is for no listener; listen on tls://host:port too, or leave the certificate out")]
    IdleTls,
    /// A secret key for no mode.
    #[error("the secret key is never used with the key modes {0}; name a mode with psk in kex, or leave the key out")]
    IdleSecretKey(String),
    /// A table without entries.
    #[error("{0} is empty; write NAME = COUNT lines in [services.query.table.SET], or leave it out")]
    EmptyTable(String),
    /// A set or name that no query can have.
    #[error("`{name}` cannot be asked for: {reason}")]
    BadName {
        /// The set or name.
        name: String,
        /// Why.
        reason: &'static str,
    },
    /// No service at all.
    #[error("every service is disabled; enable one, since a server offers something")]
    NothingOffered,
}

impl Problem {
    /// The error of a value in this place.
    pub(super) fn at(self, place: &Place) -> ConfigError {
        ConfigError { place: place.clone(), problem: self }
    }
}

/// Text from a file as an error may repeat it: harmless to a terminal, not long, and without what could be a key.
pub(super) fn shown(text: &str) -> String {
    let text = without_keys(text);
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// What a parser says, which may repeat what it was given and ends in what would be right.
pub(super) fn reason(error: impl fmt::Display) -> String {
    let reason = without_keys(&error.to_string());
    match (reason.char_indices().nth(MAX_SHOWN), reason.char_indices().nth_back(MAX_REASON - MAX_SHOWN)) {
        (Some((head, _)), Some((tail, _))) if head < tail => format!("{}…{}", &reason[..head], &reason[tail..]),
        _ => reason,
    }
}

/// Whether the text is something that belongs into a file of its own, or was before it was damaged.
pub(super) fn is_key(text: &str) -> bool {
    let kind = KeyKind::of(text);
    matches!(kind, KeyKind::Secret | KeyKind::Identity | KeyKind::PublicIdentity | KeyKind::Pem)
        || without_keys(text.trim().trim_end_matches('=')) == HIDDEN
}

fn without_keys(text: &str) -> String {
    let in_key = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mut shown = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let run = rest.find(|c| !in_key(c)).unwrap_or(rest.len());
        let word = if run == KEY_CHARACTERS { HIDDEN } else { &rest[..run] };
        shown.push_str(word);
        let next = rest[run..].find(in_key).map_or(rest.len(), |found| run + found);
        shown.push_str(&Visible(&rest[run..next]).to_string());
        rest = &rest[next..];
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_a_key_is_never_shown() {
        let key = "A".repeat(KEY_CHARACTERS);
        assert_eq!(shown(&format!("psk,{key}=,x")), "psk,(a key, not shown)=,x");
        assert_eq!(shown(&format!("fernwire-identity-1 {key}")), "fernwire-identity-1 (a key, not shown)");
        assert_eq!(Place::File(Path::new(&key).into(), 7).to_string(), "(a key, not shown):7");
    }

    #[test]
    fn a_key_is_known_even_if_it_is_damaged() {
        let key = "B".repeat(KEY_CHARACTERS);
        for text in [&*key, &format!(" {key}=\n"), "fwk1_x", "fernwire-identity-1 x", "-----BEGIN PRIVATE KEY-----"] {
            assert!(is_key(text), "{text}");
        }
        assert!(!["secret.key", "", "psk", "/etc/fernwire/keys/secret-key-of-this-server"].into_iter().any(is_key));
    }

    #[test]
    fn what_is_shown_is_short_and_harmless() {
        assert_eq!(shown("tcp://h:1"), "tcp://h:1");
        assert_eq!(shown("a\u{1b}[2J\nb"), "a\\u{1b}[2J\\nb");
        assert_eq!(reason("short; do better"), "short; do better");
        let long = reason(format!("`{}` is wrong; do better", "é".repeat(10_000)));
        assert!(long.starts_with("`é") && long.ends_with("; do better") && long.chars().count() <= MAX_REASON + 2);
        assert_eq!(shown(&"é".repeat(200)), format!("{}…", "é".repeat(MAX_SHOWN)));
    }
}
