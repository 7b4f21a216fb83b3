//! What is said of the services that keep what they are sent, and what that comes to.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use super::problem::Given;
use crate::service::access::Access;
use crate::service::journal::{DEFAULT_KEEP, DEFAULT_MAX_BYTES, Place};
use crate::service::{log, submit};

/// A service that may be opened to everybody who can connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Openable {
    /// The message log.
    Log,
    /// Data submission.
    Submit,
}

/// Where submitted data goes besides the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubmitTo {
    /// To the server's terminal.
    Print,
    /// Into a file.
    File,
}

/// The text names no service that can be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the services that can be opened to everybody are log and submit")]
pub struct ParseOpenableError;

/// The text names no place for submitted data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what can be done with submitted data is print and file")]
pub struct ParseSubmitToError;

impl FromStr for Openable {
    type Err = ParseOpenableError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "log" => Ok(Self::Log),
            "submit" => Ok(Self::Submit),
            _ => Err(ParseOpenableError),
        }
    }
}

impl FromStr for SubmitTo {
    type Err = ParseSubmitToError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "print" => Ok(Self::Print),
            "file" => Ok(Self::File),
            _ => Err(ParseSubmitToError),
        }
    }
}

/// What is said of chat and its accounts.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ChatSettings {
    /// Whether chat is offered.
    pub enabled: Option<Given<bool>>,
    /// Whether people may make accounts for themselves.
    pub signup: Option<Given<bool>>,
}

/// What chat and its accounts run with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChatConfig {
    /// Whether chat is offered. Accounts are there either way: the other services go by them too.
    pub enabled: bool,
    /// Whether people may make accounts for themselves.
    pub signup: bool,
}

/// What is said of the message log.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LogServiceSettings {
    /// Whether it is offered.
    pub enabled: Option<Given<bool>>,
    /// Its file, in the data directory if relative.
    pub file: Option<Given<PathBuf>>,
    /// The size at which the file is put aside; 0 for never.
    pub max_bytes: Option<Given<u32>>,
    /// How many of those are kept.
    pub keep: Option<Given<u32>>,
}

/// What is said of data submission.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SubmitSettings {
    /// Whether it is offered.
    pub enabled: Option<Given<bool>>,
    /// Where data goes besides the database.
    pub to: Option<Given<Vec<SubmitTo>>>,
    /// Its file, in the data directory if relative.
    pub file: Option<Given<PathBuf>>,
}

/// What the message log runs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogServiceConfig {
    /// Its file, in the data directory if relative.
    pub file: Place,
    /// Who may use it.
    pub access: Access,
}

/// What data submission runs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmitConfig {
    /// Whether the server's terminal shows what is submitted.
    pub print: bool,
    /// The file for it, in the data directory if relative.
    pub file: Option<Place>,
    /// Who may use it.
    pub access: Access,
}

impl ChatSettings {
    pub(super) fn over(self, others: Self) -> Self {
        Self { enabled: self.enabled.or(others.enabled), signup: self.signup.or(others.signup) }
    }

    pub(super) fn resolve(self) -> ChatConfig {
        ChatConfig { enabled: is_offered(self.enabled), signup: self.signup.is_none_or(|given| given.value) }
    }
}

impl LogServiceSettings {
    pub(super) fn over(self, others: Self) -> Self {
        Self {
            enabled: self.enabled.or(others.enabled),
            file: self.file.or(others.file),
            max_bytes: self.max_bytes.or(others.max_bytes),
            keep: self.keep.or(others.keep),
        }
    }

    pub(super) fn resolve(self, open: &[Openable]) -> Option<LogServiceConfig> {
        let max_bytes = self.max_bytes.map_or(DEFAULT_MAX_BYTES, |given| given.value.into());
        let file = Place {
            path: self.file.map_or_else(|| log::DEFAULT_FILE.into(), |given| given.value),
            max_bytes: Some(max_bytes).filter(|bytes| *bytes > 0),
            keep: self.keep.and_then(|given| NonZeroU32::new(given.value)).unwrap_or(DEFAULT_KEEP),
        };
        let access = access(open, Openable::Log);
        is_offered(self.enabled).then_some(LogServiceConfig { file, access })
    }
}

impl SubmitSettings {
    pub(super) fn over(self, others: Self) -> Self {
        Self { enabled: self.enabled.or(others.enabled), to: self.to.or(others.to), file: self.file.or(others.file) }
    }

    pub(super) fn resolve(self, open: &[Openable]) -> Option<SubmitConfig> {
        let to = self.to.map_or_else(|| vec![SubmitTo::Print, SubmitTo::File], |given| given.value);
        let path = self.file.map_or_else(|| submit::DEFAULT_FILE.into(), |given| given.value);
        let file = Place { path, max_bytes: None, keep: DEFAULT_KEEP };
        let config = SubmitConfig {
            print: to.contains(&SubmitTo::Print),
            file: to.contains(&SubmitTo::File).then_some(file),
            access: access(open, Openable::Submit),
        };
        is_offered(self.enabled).then_some(config)
    }
}

fn is_offered(enabled: Option<Given<bool>>) -> bool {
    enabled.is_none_or(|given| given.value)
}

fn access(open: &[Openable], service: Openable) -> Access {
    if open.contains(&service) { Access::Everybody } else { Access::Known }
}
