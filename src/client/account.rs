//! Becoming somebody in a session, and which servers are told a password.
//!
//! A password and a ticket go only to a server that is proven to be the right one, or under key mode psk alone, which
//! the user typed and which proves no server.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::trust::Proof;
use super::{CallError, Client};
use crate::channel::mode::KeyMode;
use crate::keys::KeyFileError;
use crate::keys::files::read_private_key;
use crate::model::PublicIdentity;
use crate::model::name::UserName;
use crate::model::password::Password;
use crate::protocol::account::{AccountReply, AccountRequest, Ticket};
use crate::protocol::{ErrorCode, Reply, Request};

/// The session is somebody's.
#[derive(Debug, Clone)]
pub struct Welcome {
    /// The account's name, as it was first written.
    pub name: UserName,
    /// Logs later sessions in.
    pub ticket: Ticket,
    /// How long the ticket is good for.
    pub valid_for: Duration,
}

/// Why a session is nobody's.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LoginError {
    /// Nothing was sent, since anybody could be at the other end.
    #[error(transparent)]
    Unproven(#[from] Unproven),
    /// The server refused, or the session ended.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl LoginError {
    /// Whether the server has refused it with this code.
    pub fn is(&self, code: ErrorCode) -> bool {
        matches!(self, Self::Call(CallError::Request(error)) if error.code == code)
    }
}

/// A server that nothing proves to be the right one.
#[derive(Debug, Clone, thiserror::Error)]
pub struct Unproven {
    proof: Proof,
    identity: Option<PublicIdentity>,
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no password was sent, since nothing proves that this is the right server: ")?;
        match (self.proof, self.identity) {
            (Proof::AcceptedNew, _) => f.write_str(
                "it was met for the first time, and --accept-new only remembers it. From the next connection on it is \
                 known; if you can, compare its line in known_hosts with what `fernwire id` prints on the server first",
            ),
            (_, Some(identity)) => write!(
                f,
                "it holds secret.key, as every other holder does. It showed {identity}; compare that with what \
                 `fernwire id` prints on the server, then put it behind the address: #{identity}"
            ),
            (_, None) => f.write_str(
                "key mode psk shows no identity, and every holder of secret.key can pose as the server. Use its address \
                 with its identity, #fwk1_..., as `fernwire id` prints it on the server",
            ),
        }
    }
}

impl Client {
    /// Whether this server may be told a password.
    pub fn may_have_secrets(&self) -> Result<(), Unproven> {
        let psk_as_wanted = self.wants_psk_alone && self.mode == KeyMode::Psk;
        if self.proof.proves_server() || psk_as_wanted {
            return Ok(());
        }
        Err(Unproven { proof: self.proof, identity: self.identity })
    }

    /// Makes an account; the session is its own from now on.
    pub async fn signup(&self, name: &UserName, password: &Password) -> Result<Welcome, LoginError> {
        self.enter(AccountRequest::Signup { name: name.clone(), password: password.clone() }).await
    }

    /// Logs in with a password.
    pub async fn login(&self, name: &UserName, password: &Password) -> Result<Welcome, LoginError> {
        self.enter(AccountRequest::Login { name: name.clone(), password: password.clone() }).await
    }

    /// Logs in with what an earlier login gave.
    pub async fn resume(&self, ticket: &Ticket) -> Result<Welcome, LoginError> {
        self.enter(AccountRequest::Resume { ticket: ticket.clone() }).await
    }

    async fn enter(&self, request: AccountRequest) -> Result<Welcome, LoginError> {
        self.may_have_secrets()?;
        let mut replies = self.calls.call(Request::Account(request), |reply| match reply {
            Reply::Account(reply) => Some(reply),
            _ => None,
        });
        let mut welcome = None;
        while let Some(AccountReply::Welcome { name, ticket, seconds }) = replies.next_in_time().await? {
            welcome = Some(Welcome { name, ticket, valid_for: Duration::from_secs(seconds) });
        }
        let welcome = welcome.ok_or_else(|| CallError::Nonsense("a login that is neither taken nor refused".into()))?;
        self.calls.lift_message_limit();
        Ok(welcome)
    }
}

/// Why a file gives no password.
#[derive(Debug, thiserror::Error)]
pub enum PasswordFileError {
    /// It cannot be read, or others can.
    #[error("the password file: {0}")]
    File(#[from] KeyFileError),
    /// There is none.
    #[error("there is no password file {}", .0.display())]
    Missing(PathBuf),
    /// It holds nothing, or more than a line.
    #[error("{} does not hold a password: one line of text, and nothing else", .0.display())]
    NoPassword(PathBuf),
}

/// Reads a password from a file that nobody else may read. The end of its only line is not a part of it.
pub fn load_password(path: &Path) -> Result<Password, PasswordFileError> {
    let text = read_private_key(path).map_err(|error| match error {
        KeyFileError::Missing { path } => PasswordFileError::Missing(path),
        error => error.into(),
    })?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    // What is not text comes as `?`, which no password is.
    if line.is_empty() || line == "?" || line.contains(['\n', '\r']) {
        return Err(PasswordFileError::NoPassword(path.into()));
    }
    Ok(Password::new(line))
}
