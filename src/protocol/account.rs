//! Accounts: a session becomes somebody's by signing up, by logging in, or with a ticket from an earlier login.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroizing;

use crate::model::name::UserName;
use crate::model::password::Password;

/// Makes or proves an account. A session that is somebody's stays that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum AccountRequest {
    /// Makes an account, and logs into it.
    Signup {
        /// A name that nobody has.
        name: UserName,
        /// A password that keeps the rules.
        password: Password,
    },
    /// Logs in.
    Login {
        /// The account's name.
        name: UserName,
        /// Its password.
        password: Password,
    },
    /// Logs in with what an earlier login gave, without the cost of a password.
    Resume {
        /// The ticket.
        ticket: Ticket,
    },
}

/// An answer to whoever made or proved an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AccountReply {
    /// The session is this account's from now on.
    Welcome {
        /// The account's name, as it was first written.
        name: UserName,
        /// For later sessions. It ends with a change of the password, and after [`Self::Welcome::seconds`].
        ticket: Ticket,
        /// How long the ticket is good for.
        seconds: u64,
    },
}

/// Proves an earlier login: 32 random bytes in base64url, of which the server keeps only a hash. It is never shown.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Ticket(Zeroizing<String>);

impl<'de> Deserialize<'de> for Ticket {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The reader's own error would quote what is no text, such as a number.
        Zeroizing::deserialize(deserializer).map(Self).map_err(|_| D::Error::custom("a ticket is a text"))
    }
}

impl Ticket {
    /// The ticket with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Its text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket(..)")
    }
}
