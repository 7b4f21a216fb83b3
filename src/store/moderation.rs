//! Keeping order: who may, against whom, decided in the transaction that does it.

use super::Store;
use super::accounts::{AccountId, living, living_named};
use super::conversations::{Room, forget_if_empty, member, room};
use super::error::StoreError;
use super::sanctions::{Asking, Kind, Refusal, Until};
use super::statements::{Statements, maybe_name};
use crate::model::name::{RoomName, UserName};
use crate::model::peer::Source;

/// Who decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// This account, which has to be an operator of the room.
    Account(AccountId),
    /// Whoever runs the server.
    Server,
}

/// Against whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// One person.
    User(UserName),
    /// Everybody who comes from there.
    Address(Source),
}

impl std::fmt::Display for Whom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(name) => name.fmt(f),
            Self::Address(source) => source.fmt(f),
        }
    }
}

/// What is to happen. A time without a value is for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// They leave the room, and may come back.
    Kick,
    /// They leave the room, and may not come back until then; of the whole server: not log in.
    Ban {
        /// When it ends.
        until: Option<i64>,
    },
    /// The ban ends now.
    Unban,
    /// They may read but not say anything until then.
    Mute {
        /// When it ends.
        until: Option<i64>,
    },
    /// The mute ends now.
    Unmute,
    /// They become an operator of the room.
    Op,
    /// They are no longer one.
    Deop,
}

/// Something done to keep order.
#[derive(Debug, Clone)]
pub struct Measure {
    /// Who decides.
    pub by: Authority,
    /// Where; everywhere without a room, which is for [`Authority::Server`] alone.
    pub room: Option<RoomName>,
    /// Against whom.
    pub whom: Whom,
    /// What.
    pub what: What,
    /// When.
    pub now: i64,
}

/// What a measure has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moderated {
    /// Whom it is about. Nobody, for an address: who comes from there is not known here.
    pub accounts: Vec<(AccountId, UserName)>,
}

/// A ban or a mute that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// In which room; on the whole server, without one.
    pub room: Option<RoomName>,
    /// Whom it is about.
    pub whom: Whom,
    /// Whether they are only muted.
    pub is_mute: bool,
    /// When it ends.
    pub until: Until,
    /// Which operator decided it; whoever runs the server, without one.
    pub by: Option<UserName>,
    /// When it was decided.
    pub since: i64,
}

impl Store {
    /// Does it, or says why not. A ban or a mute takes the place of an earlier one of the same kind in the same room.
    ///
    /// A ban from a room ends the membership there; one from the whole server leaves memberships as they are.
    pub async fn moderate(&self, measure: Measure) -> Result<Result<Moderated, Refusal>, StoreError> {
        self.write(256, move |transaction| {
            let sql = &transaction.sql;
            let room = match permitted(sql, &measure)? {
                Ok(room) => room,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let account = match &measure.whom {
                Whom::Address(_) => None,
                Whom::User(name) => match living_named(sql, name)? {
                    None => return Ok(Err(Refusal::NoSuchUser(name.clone()))),
                    found => found,
                },
            };
            let refused = apply(sql, &measure, room.as_ref(), account.as_ref())?;
            Ok(refused.map_or_else(|| Ok(Moderated { accounts: account.into_iter().collect() }), Err))
        })
        .await
    }

    /// Every ban and every mute that is in force at this moment of the system's clock, for a person to read.
    pub async fn bans(&self) -> Result<Vec<Ban>, StoreError> {
        let now = jiff::Timestamp::now().as_millisecond();
        self.read(move |sql| {
            let query = "SELECT c.name, a.name, s.address, s.until, b.name, s.since, s.kind = 'mute' FROM sanctions s
                         LEFT JOIN conversations c ON c.id = s.conversation
                         LEFT JOIN accounts a ON a.id = s.account
                         LEFT JOIN accounts b ON b.id = s.by
                         WHERE s.until IS NULL OR s.until > ?1 ORDER BY s.id";
            sql.all(query, [now], |row| {
                let whom = match maybe_name(row, 1)? {
                    Some(name) => Whom::User(name),
                    None => Whom::Address(address(row, 2)?),
                };
                let (room, by) = (maybe_name(row, 0)?, maybe_name(row, 4)?);
                Ok(Ban { room, whom, is_mute: row.get(6)?, until: Until(row.get(3)?), by, since: row.get(5)? })
            })
        })
        .await
    }

    /// Whether the account or the address is banned from the whole server, and until when.
    pub async fn is_banned(
        &self,
        account: Option<AccountId>,
        source: &Source,
        now: i64,
    ) -> Result<Option<Until>, StoreError> {
        let source = *source;
        self.read(move |sql| {
            let asking = Asking { account, source: Some(&source), now };
            asking.sanction(sql, Kind::Ban, None)
        })
        .await
    }
}

fn address(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Source> {
    let text = row.get_ref(column)?.as_str()?;
    let damaged = |error: crate::model::peer::ParseSourceError| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, error.into())
    };
    text.parse().map_err(damaged)
}

/// Where it is to happen, or why whoever decides may not.
fn permitted(sql: &Statements<'_>, measure: &Measure) -> rusqlite::Result<Result<Option<Room>, Refusal>> {
    let found = match &measure.room {
        None => None,
        Some(wanted) => match room(sql, wanted)? {
            None => return Ok(Err(Refusal::NoSuchRoom)),
            found => found,
        },
    };
    let Authority::Account(account) = measure.by else { return Ok(Ok(found)) };
    if living(sql, account)?.is_none() {
        return Ok(Err(Refusal::AccountGone));
    }
    let Some(room) = found else { return Ok(Err(Refusal::NotAnOperator)) };
    let asking = Asking { account: Some(account), source: None, now: measure.now };
    if let Some(banned) = asking.refused(sql, &[Kind::Ban], None)? {
        return Ok(Err(banned));
    }
    match member(sql, account, room.id)? {
        Some(true) => Ok(Ok(Some(room))),
        Some(false) | None => Ok(Err(Refusal::NotAnOperator)),
    }
}

/// Changes it, or says why there is nothing to change.
fn apply(
    sql: &Statements<'_>,
    measure: &Measure,
    room: Option<&Room>,
    account: Option<&(AccountId, UserName)>,
) -> rusqlite::Result<Option<Refusal>> {
    match measure.what {
        What::Ban { until } => {
            replace(sql, measure, Kind::Ban, room, account, until)?;
            if let (Some(room), Some((account, _))) = (room, account) {
                expel(sql, *account, room)?;
            }
            Ok(None)
        }
        What::Mute { until } => replace(sql, measure, Kind::Mute, room, account, until).map(|()| None),
        What::Unban => {
            let lifted = lift(sql, measure, Kind::Ban, room, account)?;
            Ok(lifted.refusal(|| Refusal::NotBanned(measure.whom.to_string())))
        }
        What::Unmute => {
            let lifted = lift(sql, measure, Kind::Mute, room, account)?;
            Ok(lifted.refusal(|| Refusal::NotMuted(measure.whom.to_string())))
        }
        What::Kick => match (room, account) {
            (Some(room), Some((id, name))) if !expel(sql, *id, room)? => Ok(Some(not_there(name, room))),
            _ => Ok(None),
        },
        What::Op | What::Deop => match (room, account) {
            (None, _) => Ok(Some(Refusal::NeedsARoom)),
            (_, None) => Ok(Some(Refusal::NeedsAPerson)),
            (Some(room), Some((id, name))) => {
                let change = "UPDATE members SET operator = ?3 WHERE account = ?1 AND conversation = ?2";
                let changed = sql.change(change, (id.0, room.id, measure.what == What::Op))?;
                Ok((changed == 0).then(|| not_there(name, room)))
            }
        },
    }
}

fn not_there(name: &UserName, room: &Room) -> Refusal {
    Refusal::NotThere(name.clone(), room.name.clone())
}

/// Ends a membership; `false` if there was none.
fn expel(sql: &Statements<'_>, account: AccountId, room: &Room) -> rusqlite::Result<bool> {
    let sql_text = "DELETE FROM members WHERE account = ?1 AND conversation = ?2";
    let was_there = sql.change(sql_text, (account.0, room.id))? == 1;
    forget_if_empty(sql, room.id)?;
    Ok(was_there)
}

fn replace(
    sql: &Statements<'_>,
    measure: &Measure,
    kind: Kind,
    room: Option<&Room>,
    account: Option<&(AccountId, UserName)>,
    until: Option<i64>,
) -> rusqlite::Result<()> {
    lift(sql, measure, kind, room, account)?;
    let by = match measure.by {
        Authority::Account(account) => Some(account.0),
        Authority::Server => None,
    };
    let insert = "INSERT INTO sanctions (kind, conversation, account, address, until, by, since)
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let (account, address) = subject(measure, account);
    let room = room.map(|room| room.id);
    sql.change(insert, (kind.as_str(), room, account, address, until, by, measure.now)).map(drop)
}

/// What became of sanctions that were to be lifted.
struct Lifted {
    /// Whether there were any that could be.
    any: bool,
    /// How many are the server's operator's, and stay.
    left: usize,
}

impl Lifted {
    /// Why somebody is not free now, if so.
    fn refusal(self, nothing: impl FnOnce() -> Refusal) -> Option<Refusal> {
        if self.left > 0 { Some(Refusal::NotYours) } else { (!self.any).then(nothing) }
    }
}

/// Ends what is in force, as far as it is whoever decides' to end. What has ended by itself goes too.
fn lift(
    sql: &Statements<'_>,
    measure: &Measure,
    kind: Kind,
    room: Option<&Room>,
    account: Option<&(AccountId, UserName)>,
) -> rusqlite::Result<Lifted> {
    sql.change("DELETE FROM sanctions WHERE until <= ?1", [measure.now])?;
    let found = "SELECT id, by IS NOT NULL FROM sanctions
                 WHERE kind = ?1 AND conversation IS ?2 AND account IS ?3 AND address IS ?4";
    let (account, address) = subject(measure, account);
    let subject = (kind.as_str(), room.map(|room| room.id), account, address);
    let found: Vec<(i64, bool)> = sql.all(found, subject, |row| Ok((row.get(0)?, row.get(1)?)))?;
    let may_lift = |by_an_account: bool| by_an_account || matches!(measure.by, Authority::Server);
    let (lifted, left): (Vec<_>, Vec<_>) = found.into_iter().partition(|(_, by_an_account)| may_lift(*by_an_account));
    for (id, _) in &lifted {
        sql.change("DELETE FROM sanctions WHERE id = ?1", [id])?;
    }
    Ok(Lifted { any: !lifted.is_empty(), left: left.len() })
}

fn subject(measure: &Measure, account: Option<&(AccountId, UserName)>) -> (Option<i64>, Option<String>) {
    match &measure.whom {
        Whom::User(_) => (account.map(|(id, _)| id.0), None),
        Whom::Address(source) => (None, Some(source.to_string())),
    }
}
