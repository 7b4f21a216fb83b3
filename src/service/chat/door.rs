//! Who comes into a room and who goes: first in the database, then among those who listen.
//!
//! Each change is a task of its own, since it is to be whole though whoever asked for it vanishes: otherwise somebody would
//! be out of a room and go on hearing it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::hub::Hub;
use super::{Order, not_found, told};
use crate::model::name::{RoomName, Target};
use crate::model::peer::Source;
use crate::protocol::chat::{ChatReply, Measure};
use crate::protocol::{ErrorCode, RequestError};
use crate::service::caller::Identity;
use crate::service::{now, refused, unavailable};
use crate::store::{self, AccountId, Authority, Membership, Store, What, Whom};

/// How long an address is banned from a room at most.
const MAX_ADDRESS_BAN: Duration = Duration::from_secs(24 * 3600);

/// The way into rooms and out of them. Clones are the same one.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) store: Store,
    pub(super) hub: Arc<Hub>,
}

impl Door {
    pub(super) async fn join(
        &self,
        account: AccountId,
        source: Source,
        room: &RoomName,
    ) -> Result<Membership, RequestError> {
        let (door, room) = (self.clone(), room.clone());
        whole(async move {
            let joined = door.store.join(account, &source, &room, now()).await.map_err(unavailable)?;
            let membership = joined.map_err(told)?;
            door.hub.joined(account, &membership);
            door.settle(account, &room, true).await;
            Ok(membership)
        })
        .await
    }

    pub(super) async fn leave(&self, account: AccountId, room: &RoomName) -> Result<(), RequestError> {
        let (door, room) = (self.clone(), room.clone());
        whole(async move {
            if !door.store.leave(account, &room).await.map_err(unavailable)? {
                return Err(not_found(format!("you are no member of {room}")));
            }
            door.hub.left(account, &room);
            door.settle(account, &room, false).await;
            Ok(())
        })
        .await
    }

    /// Does what the order says, until then.
    pub(super) async fn moderate(
        &self,
        by: Option<Identity>,
        order: Order,
        until: Option<i64>,
    ) -> Result<(), RequestError> {
        let door = self.clone();
        whole(async move { door.keep_order(by, order, until).await }).await
    }

    async fn keep_order(&self, by: Option<Identity>, order: Order, until: Option<i64>) -> Result<(), RequestError> {
        let Order { room, name, measure, seconds: _, address, reason } = order;
        let account = self.store.account(&name).await.map_err(unavailable)?;
        let account = account.ok_or_else(|| not_found(format!("there is no account {name}")))?;
        if by.as_ref().is_some_and(|by| by.id == account.id)
            && matches!(measure, Measure::Kick | Measure::Ban | Measure::Mute)
        {
            return Err(refused("that is you; `leave` is the way out"));
        }
        let mut sources =
            if address && measure == Measure::Ban { self.hub.sources(account.id) } else { HashSet::new() };
        if let Some(by) = &by {
            // Whoever is behind one address with the person would be out as well.
            let own = self.hub.sources(by.id);
            sources.retain(|source| !own.contains(source));
        }
        // Addresses change hands, and no operator of a room sees which he has banned.
        let longest = now() + MAX_ADDRESS_BAN.as_millis() as i64;
        let addresses =
            sources.into_iter().map(|source| (Whom::Address(source), Some(until.unwrap_or(longest).min(longest))));
        for (whom, until) in [(Whom::User(account.name.clone()), until)].into_iter().chain(addresses) {
            let measure = store::Measure {
                by: by.as_ref().map_or(Authority::Server, |identity| Authority::Account(identity.id)),
                room: Some(room.clone()),
                whom,
                what: what(measure, until),
                now: now(),
            };
            self.store.moderate(measure).await.map_err(unavailable)?.map_err(told)?;
        }
        let by = by.map(|identity| identity.name);
        // Before the person is out, so that they hear why.
        let name = account.name;
        self.hub.announce(&room, |room| ChatReply::Moderated { room, name, measure, until, by, reason });
        if matches!(measure, Measure::Kick | Measure::Ban) {
            self.hub.left(account.id, &room);
            self.settle(account.id, &room, false).await;
        }
        Ok(())
    }

    /// Those who listen have just been told that the account is in the room, or is not. Others may have changed that and
    /// told so in between, in whatever order; each looks again after telling, so that the last to tell is right.
    pub(super) async fn settle(&self, account: AccountId, room: &RoomName, mut told: bool) {
        let target = Target::Room(room.clone());
        loop {
            match self.store.membership(account, &target).await {
                Ok(Some(membership)) if !told => self.hub.joined(account, &membership),
                Ok(None) if told => self.hub.left(account, room),
                Ok(_) => return,
                // The change itself is done.
                Err(error) => return drop(unavailable(error)),
            }
            told = !told;
        }
    }
}

/// Runs to its end, whatever becomes of whoever waits for it.
async fn whole<T: Send + 'static>(
    change: impl Future<Output = Result<T, RequestError>> + Send + 'static,
) -> Result<T, RequestError> {
    let failed = |_| RequestError::new(ErrorCode::Internal, "the server could not answer; its log says why");
    tokio::spawn(change).await.map_err(failed)?
}

/// The measure in the store's words.
pub(in crate::service) fn what(measure: Measure, until: Option<i64>) -> What {
    match measure {
        Measure::Kick => What::Kick,
        Measure::Ban => What::Ban { until },
        Measure::Unban => What::Unban,
        Measure::Mute => What::Mute { until },
        Measure::Unmute => What::Unmute,
        Measure::Op => What::Op,
        Measure::Deop => What::Deop,
    }
}
