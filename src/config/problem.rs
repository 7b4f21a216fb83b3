//! What can be wrong with a configuration, where that stands, and what would be right.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::secrecy::without_keys;
use crate::transport::endpoint::bare::FernetService;

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
    /// It is a symbolic link to nothing.
    #[error("this is a link that leads nowhere; mend the link, or remove it")]
    LeadsNowhere,
    /// It was not named, and whoever owns it could change what the server does.
    #[error("the file belongs to another user (uid {uid}), who decides what the server does; run: chown {ours} {path}")]
    NotOurs {
        /// Who owns it.
        uid: u32,
        /// Who runs the server.
        ours: u32,
        /// The file.
        path: String,
    },
    /// Others can write it, and so decide what the server does.
    #[error("other users can change what the server does (mode {mode:04o}); run: chmod {remedy} {path}")]
    Writable {
        /// Its permission bits.
        mode: u32,
        /// What takes them away.
        remedy: &'static str,
        /// The file.
        path: String,
    },
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
    #[error("`{key}` is {given}, and has to be a whole number from {least} to {most}")]
    Count {
        /// The key.
        key: String,
        /// What the file has.
        given: String,
        /// The smallest that is taken.
        least: u32,
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
    /// More listeners than a server takes.
    #[error("{given} listeners are more than the {most} that a server takes; leave some out")]
    TooManyListeners {
        /// How many there are.
        given: usize,
        /// How many there may be.
        most: usize,
    },
    /// A listener with an identity.
    #[error("{0}: a listener takes no `#` and identity; that part is for clients, so leave it out")]
    PinnedListener(String),
    /// A Fernet door to nothing.
    #[error(
        "{0}: say what it is for, query, log or submit, as in 'fernet://127.0.0.1:65432?service=query&key=legacy.key'; \
         in quotes, since a shell ends the address at an &"
    )]
    DoorWithoutService(String),
    /// A Fernet door that nobody could open.
    #[error(
        "{0}: name the file of the key that its programs hold, as in \
         'fernet://127.0.0.1:65432?service=query&key=legacy.key'; in quotes, since a shell ends the address at an &"
    )]
    DoorWithoutKey(String),
    /// A Fernet door to a service that there is not.
    #[error("{0}: this server does not offer {1}; take the listener out, or offer the service")]
    DoorToNothing(String, FernetService),
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
    /// The same, outside of a file.
    #[error("there is no {missing} to go with it; a certificate and its key go together, so give both in the same way")]
    LoneTls {
        /// The flag or variable that is not given.
        missing: &'static str,
    },
    /// TLS files for no listener.
    #[error("the TLS certificate is for no listener{0}; listen on tls://host:port too, or leave the certificate out")]
    IdleTls(String),
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
}

impl Problem {
    /// The error of a value in this place.
    pub(super) fn at(self, place: &Place) -> ConfigError {
        ConfigError { place: place.clone(), problem: self }
    }
}
