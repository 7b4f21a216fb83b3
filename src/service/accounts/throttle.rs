//! Whoever guesses passwords waits: longer each time, for a name and for an address.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::peer::Source;

/// Wrong passwords for one name that cost nothing.
const FREE_FOR_NAME: u32 = 5;
/// The same from one address, behind which there may be several people.
const FREE_FOR_SOURCE: u32 = 20;
/// The longest wait.
const MAX_WAIT: Duration = Duration::from_secs(15 * 60);
/// After how long without a failure all is forgotten.
const MEMORY: Duration = Duration::from_secs(3600);
/// The most names and addresses that are remembered; beyond it, those that were quiet for longest are forgotten.
const MAX_REMEMBERED: usize = 20_000;

/// Remembers who failed.
#[derive(Default)]
pub(super) struct Throttle {
    /// A std mutex: held for map operations, never across an await.
    failures: Mutex<HashMap<Key, Failures>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Name(String),
    Source(Source),
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
    /// Before this, nothing is tried.
    until: Instant,
}

/// A try that counts as failed until it has [`succeeded`](Self::succeeded), so that many at once are as dear as many one
/// after the other.
pub(super) struct Attempt<'a> {
    throttle: &'a Throttle,
    name: Key,
    source: Key,
}

impl Throttle {
    /// Lets a password be tried, or says how long to wait.
    pub(super) fn attempt(&self, name: &str, source: Source) -> Result<Attempt<'_>, Duration> {
        let (name, source) = (Key::Name(name.to_owned()), Key::Source(source));
        let now = Instant::now();
        let mut failures = self.lock();
        let until = [&name, &source].into_iter().filter_map(|key| failures.get(key)).map(|failed| failed.until).max();
        if let Some(until) = until.filter(|until| *until > now) {
            return Err(until - now);
        }
        if failures.len() >= MAX_REMEMBERED {
            forget(&mut failures, now);
        }
        for (key, free) in [(&name, FREE_FOR_NAME), (&source, FREE_FOR_SOURCE)] {
            let failed = failures.entry(key.clone()).or_insert(Failures { count: 0, last: now, until: now });
            if now - failed.last > MEMORY {
                failed.count = 0;
            }
            failed.count += 1;
            failed.last = now;
            failed.until = now + wait_after(failed.count, free);
        }
        drop(failures);
        Ok(Attempt { throttle: self, name, source })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Failures>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    /// The password was right: the name starts anew, and the address has not failed this time.
    pub(super) fn succeeded(self) {
        let mut failures = self.throttle.lock();
        failures.remove(&self.name);
        take_back(&mut failures, &self.source);
    }

    /// It was never tried, for a reason of the server's own: nobody has failed.
    pub(super) fn withdrawn(self) {
        let mut failures = self.throttle.lock();
        take_back(&mut failures, &self.name);
        take_back(&mut failures, &self.source);
    }
}

fn take_back(failures: &mut HashMap<Key, Failures>, key: &Key) {
    if let Some(failed) = failures.get_mut(key) {
        failed.count -= 1;
        failed.until = failed.last;
        if failed.count == 0 {
            failures.remove(key);
        }
    }
}

/// Nothing while it is free, then 1 s, 2 s, 4 s, ...
fn wait_after(count: u32, free: u32) -> Duration {
    match count.checked_sub(free) {
        None => Duration::ZERO,
        Some(beyond) => Duration::from_secs(1).saturating_mul(1 << beyond.min(16)).min(MAX_WAIT),
    }
}

/// Makes room.
fn forget(failures: &mut HashMap<Key, Failures>, now: Instant) {
    failures.retain(|_, failed| now - failed.last <= MEMORY);
    if failures.len() >= MAX_REMEMBERED {
        let mut times: Vec<_> = failures.values().map(|failed| failed.last).collect();
        times.sort_unstable();
        let middle = times[times.len() / 2];
        failures.retain(|_, failed| failed.last > middle || failed.until > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Source = Source::Uid(1);
    const THERE: Source = Source::Uid(2);

    #[tokio::test(start_paused = true)]
    async fn a_name_that_is_guessed_at_waits_longer_each_time() {
        let throttle = Throttle::default();
        for _ in 0..FREE_FOR_NAME {
            assert!(throttle.attempt("ada", HERE).is_ok());
        }
        let mut waits = Vec::new();
        for _ in 0..12 {
            let wait = throttle.attempt("ada", THERE).err().unwrap();
            waits.push(wait.as_secs());
            tokio::time::advance(wait).await;
            assert!(throttle.attempt("ada", THERE).is_ok());
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
        // Others are not held up.
        assert!(throttle.attempt("bob", HERE).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_waits_whatever_names_it_tries() {
        let throttle = Throttle::default();
        for i in 0..FREE_FOR_SOURCE {
            assert!(throttle.attempt(&format!("name{i}"), HERE).is_ok());
        }
        assert_eq!(throttle.attempt("another", HERE).err(), Some(Duration::from_secs(1)));
        assert!(throttle.attempt("another", THERE).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn success_and_time_forget() {
        let throttle = Throttle::default();
        for _ in 0..100 {
            throttle.attempt("ada", HERE).ok().unwrap().succeeded();
        }
        assert!(throttle.lock().is_empty());
        for _ in 0..FREE_FOR_NAME {
            assert!(throttle.attempt("ada", HERE).is_ok());
        }
        assert!(throttle.attempt("ada", HERE).is_err());
        tokio::time::advance(MEMORY + Duration::from_secs(1)).await;
        for _ in 0..FREE_FOR_NAME {
            assert!(throttle.attempt("ada", HERE).is_ok());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_attempt_counts_as_failed() {
        let throttle = Throttle::default();
        let together: Vec<_> = (0..FREE_FOR_NAME).map(|_| throttle.attempt("ada", HERE).ok().unwrap()).collect();
        assert!(throttle.attempt("ada", HERE).is_err());
        drop(together);
        assert!(throttle.attempt("ada", HERE).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_bounded() {
        let throttle = Throttle::default();
        for uid in 0..2 * MAX_REMEMBERED as u32 {
            let _ = throttle.attempt(&format!("name{uid}"), Source::Uid(uid));
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert!(throttle.lock().len() <= MAX_REMEMBERED + 2);
    }
}
