//! Which events are written and which are only counted, so that nobody can fill a disk by making the server complain.
//!
//! Of each kind, an event with its reason, [`MAX_EACH`] a window are written; of each event, [`MAX_REASONS`] reasons are
//! kept apart, and what has another is of one more kind. With some ten events that a peer can cause, lines of 300 bytes
//! (8 KB where one event quotes its peer) and a window of a minute, somebody who varies all that can be varied causes
//! 750 KB a minute, 1.1 GB a day, for as long as he goes on. Somebody who repeats one thing causes 6 KB a minute, 9 MB a
//! day; if it is what quotes him, 160 KB a minute, 230 MB a day.

use std::collections::HashMap;

/// How many events of one kind are written in a window.
const MAX_EACH: u64 = 20;
/// How many reasons of one event are kept apart in a window.
const MAX_REASONS: usize = 8;
/// How many events are kept apart in a window. Ours are far fewer, since their messages are constant.
const MAX_EVENTS: usize = 128;
/// What all others are together.
const OTHER_EVENTS: &str = "other events";
/// The same for the reasons of one event.
const OTHER_REASONS: &str = "other reasons";

/// What makes two events the same to whoever reads the log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Kind {
    /// Its message, which is the same for all of them.
    pub(super) event: String,
    /// Why, if it says so.
    pub(super) reason: Option<String>,
}

/// Counts one window's events.
#[derive(Default)]
pub(super) struct Throttle {
    /// By event, then by reason.
    seen: HashMap<String, HashMap<Option<String>, u64>>,
}

impl Throttle {
    /// Counts an event; the result is whether it is to be written.
    pub(super) fn admit(&mut self, kind: Kind) -> bool {
        let is_kept_apart = self.seen.contains_key(&kind.event) || self.seen.len() < MAX_EVENTS;
        let event = if is_kept_apart { kind.event } else { OTHER_EVENTS.to_owned() };
        let reasons = self.seen.entry(event).or_default();
        let is_kept_apart = reasons.contains_key(&kind.reason) || reasons.len() < MAX_REASONS;
        let reason = if is_kept_apart { kind.reason } else { Some(OTHER_REASONS.to_owned()) };
        let count = reasons.entry(reason).or_default();
        *count += 1;
        *count <= MAX_EACH
    }

    /// Begins the next window; the result is how many of each kind were only counted, in the order of their names.
    pub(super) fn end_window(&mut self) -> Vec<(Kind, u64)> {
        let seen = std::mem::take(&mut self.seen);
        let kinds = seen.into_iter().flat_map(|(event, reasons)| {
            reasons.into_iter().map(move |(reason, count)| (Kind { event: event.clone(), reason }, count))
        });
        let mut counted: Vec<_> =
            kinds.filter(|(_, count)| *count > MAX_EACH).map(|(kind, count)| (kind, count - MAX_EACH)).collect();
        counted.sort();
        counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(event: &str, reason: &str) -> Kind {
        Kind { event: event.into(), reason: Some(reason.into()) }
    }

    fn written(throttle: &mut Throttle, times: u64, kind: &Kind) -> u64 {
        (0..times).map(|_| u64::from(throttle.admit(kind.clone()))).sum()
    }

    #[test]
    fn the_first_are_written_and_the_others_counted() {
        let mut throttle = Throttle::default();
        let failed = kind("handshake failed", "no Fernwire");
        assert_eq!(written(&mut throttle, 1000, &failed), MAX_EACH);
        assert_eq!(throttle.end_window(), [(failed.clone(), 1000 - MAX_EACH)]);
        // A new window begins with nothing.
        assert_eq!(written(&mut throttle, MAX_EACH, &failed), MAX_EACH);
        assert_eq!(throttle.end_window(), []);
    }

    #[test]
    fn a_flood_hides_no_other_reason_and_no_other_event() {
        let mut throttle = Throttle::default();
        written(&mut throttle, 1000, &kind("handshake failed", "no Fernwire"));
        assert!(throttle.admit(kind("handshake failed", "another secret key")));
        assert!(throttle.admit(kind("session failed", "no Fernwire")));
        assert!(throttle.admit(Kind { event: "handshake failed".into(), reason: None }));
    }

    #[test]
    fn reasons_without_end_are_one_kind_and_take_no_memory() {
        let mut throttle = Throttle::default();
        let all = 10_000;
        let written: u64 = (0..all).map(|i| u64::from(throttle.admit(kind("failed", &i.to_string())))).sum();
        let apart = MAX_REASONS as u64;
        assert_eq!(written, apart + MAX_EACH);
        assert_eq!(throttle.seen["failed"].len(), MAX_REASONS + 1);
        assert_eq!(throttle.end_window(), [(kind("failed", OTHER_REASONS), all - written)]);
    }

    #[test]
    fn events_without_end_take_no_memory() {
        let mut throttle = Throttle::default();
        for i in 0..10_000 {
            throttle.admit(kind(&i.to_string(), ""));
        }
        assert_eq!(throttle.seen.len(), MAX_EVENTS + 1);
    }
}
