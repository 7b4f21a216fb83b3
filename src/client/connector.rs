//! How what outlives a session gets the next one.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use super::account::LoginError;
use super::{CallError, Client, ConnectError};
use crate::channel::CloseReason;
use crate::protocol::{ErrorCode, RequestError};

/// Makes sessions with one server, without asking anybody anything.
pub trait Connector: Send + 'static {
    /// A new session, in which everything can be asked that will be.
    fn connect(&mut self) -> impl Future<Output = Result<Client, NotConnected>> + Send;
}

/// Why there is no session.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{reason}")]
pub struct NotConnected {
    /// Why, for people.
    pub reason: String,
    /// Whether it may be different in a while without anybody doing anything here.
    pub may_pass: bool,
}

impl NotConnected {
    fn new(reason: impl Display, may_pass: bool) -> Self {
        Self { reason: reason.to_string(), may_pass }
    }
}

impl From<ConnectError> for NotConnected {
    fn from(error: ConnectError) -> Self {
        Self::new(&error, error.may_pass())
    }
}

impl From<LoginError> for NotConnected {
    fn from(error: LoginError) -> Self {
        let may_pass = match &error {
            LoginError::Unproven(_) => false,
            LoginError::Call(error) => matches!(Failure::of(error), Failure::Session | Failure::Busy),
        };
        Self::new(&error, may_pass)
    }
}

/// No server makes a client wait longer than this before it asks again.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// How long the server says that it takes until the same may be asked again.
pub(super) fn told_pause(error: &RequestError) -> Duration {
    error.retry_after.map_or(Duration::ZERO, Duration::from_secs).min(LONGEST_PAUSE)
}

/// What a failed call means for whoever wants it done all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// The session is over, and another may do.
    Session,
    /// The server cannot do it now.
    Busy,
    /// It will not be done.
    Final,
}

impl Failure {
    pub(super) fn of(error: &CallError) -> Self {
        match error {
            CallError::Request(error) => match error.code {
                ErrorCode::Unavailable | ErrorCode::Internal | ErrorCode::Throttled | ErrorCode::TooManyRequests => {
                    Self::Busy
                }
                ErrorCode::ShuttingDown => Self::Session,
                _ => Self::Final,
            },
            CallError::Closed(close) if close.reason == CloseReason::Removed => Self::Final,
            CallError::Closed(_)
            | CallError::Channel(_)
            | CallError::Cancelled
            | CallError::Unanswered
            | CallError::NoGoodbye => Self::Session,
            CallError::Nonsense(_) => Self::Final,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_server_makes_a_client_wait_for_ever() {
        let told =
            |retry_after| told_pause(&RequestError { retry_after, ..RequestError::new(ErrorCode::Throttled, "") });
        assert_eq!(told(None), Duration::ZERO);
        assert_eq!(told(Some(7)), Duration::from_secs(7));
        assert_eq!(told(Some(u64::MAX)), Duration::from_secs(3600));
    }
}
