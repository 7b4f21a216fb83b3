//! When to try again after a connection was lost: at once, then ever later, and never all clients together.

use std::time::Duration;

use tokio::time::Instant;

/// How long the pauses between two attempts are: any time up to a bound that doubles (full jitter), so that the clients
/// of a server that comes back do not come all at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pauses {
    /// The bound of the first pause; the first attempt of all has none.
    pub first: Duration,
    /// The largest bound.
    pub longest: Duration,
    /// A connection that has lived so long was a good one: the next attempt is a first one again.
    pub good_after: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(500),
            longest: Duration::from_secs(30),
            good_after: Duration::from_secs(60),
        }
    }
}

/// Counts the attempts since the last good connection.
#[derive(Debug)]
pub struct Backoff {
    pauses: Pauses,
    attempts: u32,
    connected_at: Option<Instant>,
}

impl Backoff {
    /// Nothing was tried yet.
    pub fn new(pauses: Pauses) -> Self {
        Self { pauses, attempts: 0, connected_at: None }
    }

    /// There is a connection.
    pub fn connected(&mut self) {
        self.connected_at = Some(Instant::now());
    }

    /// There is none, or none any more. The result is how long to wait before the next attempt.
    pub fn lost(&mut self) -> Duration {
        self.lost_with(random_fraction())
    }

    fn lost_with(&mut self, fraction: f64) -> Duration {
        let lived = self.connected_at.take().map_or(Duration::ZERO, |since| since.elapsed());
        if lived >= self.pauses.good_after {
            self.attempts = 0;
        }
        let Some(doublings) = self.attempts.checked_sub(1) else {
            self.attempts = 1;
            return Duration::ZERO;
        };
        self.attempts = self.attempts.saturating_add(1);
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.pauses.first.saturating_mul(factor).min(self.pauses.longest).mul_f64(fraction)
    }
}

/// At least 0 and less than 1.
fn random_fraction() -> f64 {
    // Without random bytes the pauses are as long as they may be, which harms nobody.
    getrandom::u32().map_or(1.0, |random| f64::from(random) / (f64::from(u32::MAX) + 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(backoff: &mut Backoff, count: usize) -> Vec<u128> {
        (0..count).map(|_| backoff.lost_with(1.0).as_millis()).collect()
    }

    #[test]
    fn the_first_attempt_is_at_once_and_the_pauses_double_up_to_their_bound() {
        let mut backoff = Backoff::new(Pauses::default());
        assert_eq!(pauses(&mut backoff, 9), [0, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        assert_eq!(pauses(&mut backoff, 60).last(), Some(&30_000));
    }

    #[test]
    fn any_part_of_a_pause_may_be_the_pause() {
        for (fraction, pause) in [(0.0, 0), (0.25, 125), (0.5, 250)] {
            let mut backoff = Backoff::new(Pauses::default());
            assert_eq!(backoff.lost_with(fraction), Duration::ZERO);
            assert_eq!(backoff.lost_with(fraction).as_millis(), pause);
        }
        assert!((0..1000).all(|_| (0.0..1.0).contains(&random_fraction())));
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_connection_that_has_lived_for_a_minute_begins_anew() {
        let mut backoff = Backoff::new(Pauses::default());
        assert_eq!(pauses(&mut backoff, 3), [0, 500, 1000]);
        backoff.connected();
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(pauses(&mut backoff, 2), [2000, 4000]);
        backoff.connected();
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(pauses(&mut backoff, 2), [0, 500]);
    }
}
