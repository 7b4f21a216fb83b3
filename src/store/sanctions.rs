//! Why somebody may not do something, and until when; asked in the transaction that would do it.

use std::fmt;

use super::accounts::AccountId;
use super::statements::Statements;
use crate::model::name::{RoomName, UserName};
use crate::model::peer::Source;

/// When a ban or a mute ends; never, without a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Until(pub Option<i64>);

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |until| jiff::Timestamp::from_millisecond(until).and_then(|time| time.round(jiff::Unit::Second));
        match self.0.map(time) {
            Some(Ok(time)) => write!(f, "until {time}"),
            // What lies beyond the year 9999 might as well be for good.
            Some(Err(_)) | None => f.write_str("for good"),
        }
    }
}

/// Why it was not done. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody has ever joined it.
    #[error("there is no such room")]
    NoSuchRoom,
    /// Only members may.
    #[error("you are not in {0}: join it first")]
    NotAMember(RoomName),
    /// There is no such account, or no longer.
    #[error("nobody here is called {0}")]
    NoSuchUser(UserName),
    /// In the room, or on the server.
    #[error("you are banned {until}")]
    Banned {
        /// When it ends.
        until: Until,
    },
    /// In the room, or on the server.
    #[error("you are muted {until}")]
    Muted {
        /// When it ends.
        until: Until,
    },
    /// Somebody else has to do it.
    #[error("only an operator of the room may do this")]
    NotAnOperator,
    /// Whoever asks was deleted.
    #[error("this account was deleted")]
    AccountGone,
    /// Whom it was about is not in the room.
    #[error("{0} is not in {1}")]
    NotThere(UserName, RoomName),
    /// There is nothing to lift.
    #[error("{0} is not banned")]
    NotBanned(String),
    /// There is nothing to lift.
    #[error("{0} is not muted")]
    NotMuted(String),
    /// Nobody but whoever runs the server lifts what they have decided.
    #[error("whoever runs the server has decided this, and nobody else can lift it")]
    NotYours,
    /// The server has no operators but whoever runs it.
    #[error("people are operators of a room: say of which")]
    NeedsARoom,
    /// An address cannot be an operator.
    #[error("only a person can be an operator, not an address")]
    NeedsAPerson,
}

/// What keeps somebody out, or quiet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Ban,
    Mute,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ban => "ban",
            Self::Mute => "mute",
        }
    }

    fn refusal(self, until: Until) -> Refusal {
        match self {
            Self::Ban => Refusal::Banned { until },
            Self::Mute => Refusal::Muted { until },
        }
    }
}

/// Who asks for something, and when.
pub(super) struct Asking<'a> {
    pub(super) account: Option<AccountId>,
    pub(super) source: Option<&'a Source>,
    pub(super) now: i64,
}

impl Asking<'_> {
    /// What is in force against them: on the whole server, and in this conversation. The longest, of several.
    pub(super) fn sanction(
        &self,
        sql: &Statements<'_>,
        kind: Kind,
        conversation: Option<i64>,
    ) -> rusqlite::Result<Option<Until>> {
        let query = "SELECT until FROM sanctions
                     WHERE (account = ?1 OR address = ?2) AND kind = ?3
                       AND (conversation IS NULL OR conversation = ?4) AND (until IS NULL OR until > ?5)
                     ORDER BY until IS NOT NULL, until DESC LIMIT 1";
        let account = self.account.map(|account| account.0);
        let address = self.source.map(ToString::to_string);
        sql.first(query, (account, address, kind.as_str(), conversation, self.now), |row| Ok(Until(row.get(0)?)))
    }

    /// The refusal that a ban or a mute is, if there is one.
    pub(super) fn refused(
        &self,
        sql: &Statements<'_>,
        kinds: &[Kind],
        conversation: Option<i64>,
    ) -> rusqlite::Result<Option<Refusal>> {
        for kind in kinds {
            if let Some(until) = self.sanction(sql, *kind, conversation)? {
                return Ok(Some(kind.refusal(until)));
            }
        }
        Ok(None)
    }
}
