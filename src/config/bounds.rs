//! What is taken from a person for the numbers and times of a configuration. The bounds are wide, so that they only
//! catch what cannot be meant: a unit mistyped, a zero, a time that would overflow a clock.

use std::fmt;
use std::time::Duration;

use jiff::SignedDuration;

use crate::service::query::{MAX_TICK, MIN_TICK};

/// The largest limit on connections or sessions.
pub const MAX_CONNECTIONS: u32 = 1_000_000;
/// The most timestamps that an entry of a table may be worth: at the default tick, eleven days of them.
pub const MAX_TIMESTAMPS: u32 = 1_000_000;

/// The largest size at which a file is put aside: 1 GB.
pub const MAX_FILE_BYTES: u32 = 1_000_000_000;
/// The most files that are kept after they were put aside.
pub const MAX_KEPT_FILES: u32 = 1000;

/// For `handshake_timeout`. Longer, and whoever stalls would hold a place for nothing.
pub const HANDSHAKE_TIMEOUT: TimeBounds =
    TimeBounds { least: Duration::from_secs(1), most: Duration::from_secs(5 * 60), example: "10s" };
/// For `anonymous_idle_timeout`.
pub const ANONYMOUS_IDLE_TIMEOUT: TimeBounds =
    TimeBounds { least: Duration::from_secs(1), most: Duration::from_secs(24 * 3600), example: "5m" };
/// For `drain_timeout`; none at all cuts every session at once.
pub const DRAIN_TIMEOUT: TimeBounds =
    TimeBounds { least: Duration::ZERO, most: Duration::from_secs(3600), example: "10s" };
/// For `tick`.
pub const TICK: TimeBounds = TimeBounds { least: MIN_TICK, most: MAX_TICK, example: "1s" };

/// The times that a setting may have.
#[derive(Debug, Clone, Copy)]
pub struct TimeBounds {
    /// The shortest.
    pub least: Duration,
    /// The longest.
    pub most: Duration,
    /// One that is fine.
    pub example: &'static str,
}

impl fmt::Display for TimeBounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", in_words(self.least), in_words(self.most))
    }
}

/// A time as people write it, such as `10s` or `1h 30m`, if the bounds allow it.
pub fn parse_time(text: &str, bounds: &TimeBounds) -> Option<Duration> {
    let time = text.parse::<SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok())?;
    (bounds.least..=bounds.most).contains(&time).then_some(time)
}

/// The same time as [`parse_time`] reads it.
pub fn in_words(time: Duration) -> String {
    SignedDuration::try_from(time).map_or_else(|_| format!("{time:?}"), |time| format!("{time:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_bounds_and_units() {
        assert_eq!(parse_time("250ms", &TICK), Some(Duration::from_millis(250)));
        assert_eq!(parse_time("1m 30s", &HANDSHAKE_TIMEOUT), Some(Duration::from_secs(90)));
        assert_eq!(parse_time("0s", &DRAIN_TIMEOUT), Some(Duration::ZERO));
        for text in ["0s", "-1s", "100us", "25h", "1", "soon", "", "99999999999999h", "9223372036854775807s"] {
            assert_eq!(parse_time(text, &TICK), None, "{text}");
        }
    }

    #[test]
    fn times_are_written_as_they_are_read() {
        assert_eq!(TICK.to_string(), "1ms to 24h");
        assert_eq!(DRAIN_TIMEOUT.to_string(), "0s to 1h");
        assert_eq!(in_words(Duration::from_millis(90_250)), "1m 30s 250ms");
    }
}
