//! A token bucket: so much at once, and so much a second.

use std::time::Duration;

use tokio::time::Instant;

/// How much there may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    /// At once.
    pub(super) burst: f64,
    /// A second.
    pub(super) per_second: f64,
}

/// What is left of a rate. It can be overdrawn by whoever then waits.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: Rate,
    level: f64,
    at: Instant,
}

impl Bucket {
    pub(super) fn new(rate: Rate) -> Self {
        Self { rate, level: rate.burst, at: Instant::now() }
    }

    /// How long it takes until so much is there.
    pub(super) fn wait_for(&mut self, amount: f64) -> Duration {
        let now = Instant::now();
        let refill = now.duration_since(self.at).as_secs_f64() * self.rate.per_second;
        (self.level, self.at) = ((self.level + refill).min(self.rate.burst), now);
        Duration::from_secs_f64(((amount.min(self.rate.burst) - self.level) / self.rate.per_second).max(0.0))
    }

    /// Takes so much, whether it is there or not.
    pub(super) fn take(&mut self, amount: f64) {
        self.level -= amount;
    }

    /// Whether nothing was taken for long enough to forget it.
    pub(super) fn is_full(&mut self) -> bool {
        self.wait_for(self.rate.burst).is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_free_and_the_rest_waits() {
        let mut bucket = Bucket::new(Rate { burst: 2.0, per_second: 4.0 });
        for _ in 0..2 {
            assert_eq!(bucket.wait_for(1.0), Duration::ZERO);
            bucket.take(1.0);
        }
        assert_eq!(bucket.wait_for(1.0), Duration::from_millis(250));
        bucket.take(1.0);
        assert_eq!(bucket.wait_for(1.0), Duration::from_millis(500));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(bucket.is_full());
        // What is more than a burst waits for a whole one, and no longer.
        bucket.take(2.0);
        assert_eq!(bucket.wait_for(100.0), Duration::from_millis(500));
    }
}
