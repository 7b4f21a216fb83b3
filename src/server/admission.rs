//! Who may come in: the places for handshakes and for sessions, in all and for each address.
//!
//! At a limit of pending handshakes the oldest of that address (at the limit of all, of the busiest address) gives way
//! to the newcomer, so that whoever stalls hurts only those who stall beside him.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::config::Limits;
use crate::model::peer::Source;

/// The places of one server.
pub(super) struct Admission {
    limits: Limits,
    /// A std mutex: held for map operations, never across an await.
    places: Mutex<Places>,
}

#[derive(Default)]
struct Places {
    pending: HashMap<Source, VecDeque<Waiting>>,
    pending_total: usize,
    next_number: u64,
    sessions: usize,
    anonymous: HashMap<Source, usize>,
}

struct Waiting {
    number: u64,
    /// Dropping it tells the connection to go.
    _keep: oneshot::Sender<()>,
}

/// There is no place for another session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    #[error("the server has {0} sessions and takes no more; try again later")]
    Server(usize),
    #[error("your address has {0} sessions that have not proven who they are; use secret.key, or close some")]
    Source(usize),
}

impl Admission {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, places: Mutex::default() }
    }

    /// Takes a place for a handshake, at the cost of an older one where there are too many.
    pub(super) fn enter(&self, source: Source) -> Pending<'_> {
        let mut places = self.lock();
        if places.pending.get(&source).map_or(0, VecDeque::len) >= self.limits.max_pending_per_source {
            places.evict_oldest(source);
        } else if places.pending_total >= self.limits.max_pending {
            let busiest = places.pending.iter().max_by_key(|(_, waiting)| waiting.len()).map(|(source, _)| *source);
            busiest.iter().for_each(|busiest| places.evict_oldest(*busiest));
        }
        let (keep, evicted) = oneshot::channel();
        let number = places.next_number;
        places.next_number += 1;
        places.pending_total += 1;
        places.pending.entry(source).or_default().push_back(Waiting { number, _keep: keep });
        Pending { admission: self, source, number, evicted }
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    fn evict_oldest(&mut self, source: Source) {
        if let Some(oldest) = self.pending.get(&source).and_then(|waiting| waiting.front()) {
            self.leave(source, oldest.number);
        }
    }

    /// Gives a pending place back, unless it has been taken away.
    fn leave(&mut self, source: Source, number: u64) {
        let Some(waiting) = self.pending.get_mut(&source) else { return };
        let before = waiting.len();
        waiting.retain(|place| place.number != number);
        self.pending_total -= before - waiting.len();
        if waiting.is_empty() {
            self.pending.remove(&source);
        }
    }
}

/// A place for a handshake; dropping it gives it back.
pub(super) struct Pending<'a> {
    admission: &'a Admission,
    source: Source,
    number: u64,
    evicted: oneshot::Receiver<()>,
}

impl<'a> Pending<'a> {
    /// Completes when the place is given to somebody else.
    pub(super) async fn evicted(&mut self) {
        let _ = (&mut self.evicted).await;
    }

    /// Turns the place into a session's; `proven` ones do not count against their address.
    pub(super) fn admit(self, proven: bool) -> Result<Seat<'a>, Full> {
        let limits = &self.admission.limits;
        let mut places = self.admission.lock();
        if places.sessions >= limits.max_sessions {
            return Err(Full::Server(places.sessions));
        }
        if !proven {
            let anonymous = places.anonymous.entry(self.source).or_default();
            if *anonymous >= limits.max_anonymous_per_source {
                return Err(Full::Source(*anonymous));
            }
            *anonymous += 1;
        }
        places.sessions += 1;
        Ok(Seat { admission: self.admission, anonymous: (!proven).then_some(self.source) })
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.admission.lock().leave(self.source, self.number);
    }
}

/// A session's place; dropping it gives it back.
pub(super) struct Seat<'a> {
    admission: &'a Admission,
    anonymous: Option<Source>,
}

impl Seat<'_> {
    /// Whoever sits here has proven who it is, and does not count against its address any more.
    pub(super) fn prove(&mut self) {
        let Some(source) = self.anonymous.take() else { return };
        let mut places = self.admission.lock();
        if let Some(count) = places.anonymous.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                places.anonymous.remove(&source);
            }
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.prove();
        self.admission.lock().sessions -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(max_pending: usize, max_pending_per_source: usize) -> Admission {
        let limits = Limits { max_sessions: 3, max_anonymous_per_source: 2, ..Limits::default() };
        Admission::new(Limits { max_pending, max_pending_per_source, ..limits })
    }

    fn is_evicted(pending: &mut Pending<'_>) -> bool {
        pending.evicted.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    #[test]
    fn at_its_limit_an_address_loses_its_own_oldest() {
        let admission = admission(100, 2);
        let mut other = admission.enter(Source::Uid(2));
        let mut first = admission.enter(Source::Uid(1));
        let mut second = admission.enter(Source::Uid(1));
        let mut third = admission.enter(Source::Uid(1));
        assert!(is_evicted(&mut first));
        assert!(![&mut other, &mut second, &mut third].into_iter().any(|pending| is_evicted(pending)));
    }

    #[test]
    fn at_the_limit_of_all_the_busiest_address_loses_its_oldest() {
        let admission = admission(3, 100);
        let mut quiet = admission.enter(Source::Uid(1));
        let mut busy = [admission.enter(Source::Uid(2)), admission.enter(Source::Uid(2))];
        let mut newcomer = admission.enter(Source::Uid(3));
        assert!(is_evicted(&mut busy[0]));
        assert!(![&mut quiet, &mut busy[1], &mut newcomer].into_iter().any(|pending| is_evicted(pending)));
    }

    #[test]
    fn places_come_back() {
        let admission = admission(2, 2);
        for _ in 0..5 {
            let mut pending = admission.enter(Source::Uid(1));
            assert!(!is_evicted(&mut pending));
        }
        assert_eq!(admission.lock().pending_total, 0);
        assert!(admission.lock().pending.is_empty());
        let seats = [1, 1].map(|uid| admission.enter(Source::Uid(uid)).admit(false).ok().unwrap());
        drop(seats);
        assert!(admission.lock().anonymous.is_empty());
        assert_eq!(admission.lock().sessions, 0);
    }

    #[test]
    fn only_the_unproven_count_against_their_address() {
        let admission = admission(10, 10);
        let enter = |proven| admission.enter(Source::Uid(1)).admit(proven);
        let _first = enter(false).ok().unwrap();
        let _second = enter(false).ok().unwrap();
        assert_eq!(enter(false).err(), Some(Full::Source(2)));
        let _proven = enter(true).ok().unwrap();
        assert_eq!(enter(true).err(), Some(Full::Server(3)));
    }
}
