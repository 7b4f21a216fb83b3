//! Who may use a service that keeps what it is sent.

use super::caller::Caller;
use crate::protocol::{ErrorCode, RequestError};

/// To whom a service is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// Whoever is on this machine, has logged in, or holds the secret key or that of the Fernet door to the service.
    #[default]
    Known,
    /// Everybody who can connect.
    Everybody,
}

impl Access {
    /// Whether this one may use the service of this name, or what would change that.
    pub fn check(self, caller: &Caller, service: &str) -> Result<(), RequestError> {
        let peer = caller.peer();
        if self == Self::Everybody || peer.is_near || peer.holds.is_some() || caller.identity().is_some() {
            return Ok(());
        }
        let message = format!(
            "the service `{service}` is for those who log in (--user NAME) or hold the server's secret.key \
             (--secret-key FILE); its operator can open it to everybody with --open {service}"
        );
        Err(RequestError::new(ErrorCode::LoginRequired, message))
    }
}
