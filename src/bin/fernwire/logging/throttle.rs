//! Which events are written and which are only counted, so that nobody can fill a disk by making the server complain.
//!
//! Of each kind, which is an event with its reason, [`MAX_EACH`] a window are written. Numbers in a reason do not make it
//! another, so that the reasons are those that the program has, some forty for everything that a peer can cause. With
//! lines of 300 bytes and a window of a minute, somebody who causes all of them goes on at 250 KB a minute, 350 MB a day;
//! somebody who repeats one thing at 6 KB a minute, 9 MB a day. What concerns those who hold the secret key is counted by
//! itself, up to [`MAX_PROVEN`]: their sessions are not lost among those of strangers.

use std::collections::HashMap;

/// How many events of one kind are written in a window.
const MAX_EACH: u64 = 20;
/// The same for what concerns a client that has proven to hold the secret key.
const MAX_PROVEN: u64 = 600;
/// How many reasons of one event are kept apart in a window: more than there are, in case one was forgotten that varies.
const MAX_REASONS: usize = 64;
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
    /// Whether it concerns a client that has proven to hold the secret key.
    pub(super) proven: bool,
}

impl Kind {
    /// How many of it are written in a window.
    fn allowance(&self) -> u64 {
        if self.proven { MAX_PROVEN } else { MAX_EACH }
    }
}

/// Counts one window's events.
#[derive(Default)]
pub(super) struct Throttle {
    /// By event, then by kind.
    seen: HashMap<String, HashMap<Kind, u64>>,
}

impl Throttle {
    /// Counts an event; the result is whether it is to be written.
    pub(super) fn admit(&mut self, mut kind: Kind) -> bool {
        kind.reason = kind.reason.as_deref().map(without_numbers);
        if !self.seen.contains_key(&kind.event) && self.seen.len() >= MAX_EVENTS {
            kind.event = OTHER_EVENTS.to_owned();
        }
        let kinds = self.seen.entry(kind.event.clone()).or_default();
        // What is proven has a few reasons of its own and is not crowded out.
        if !kinds.contains_key(&kind) && kinds.len() >= MAX_REASONS && !kind.proven {
            kind.reason = Some(OTHER_REASONS.to_owned());
        }
        let allowance = kind.allowance();
        let count = kinds.entry(kind).or_default();
        *count += 1;
        *count <= allowance
    }

    /// Begins the next window; the result is how many of each kind were only counted, in the order of their names.
    pub(super) fn end_window(&mut self) -> Vec<(Kind, u64)> {
        let seen = std::mem::take(&mut self.seen);
        let counted = seen.into_values().flatten();
        let counted = counted.map(|(kind, count)| (count.saturating_sub(kind.allowance()), kind));
        let mut counted: Vec<_> = counted.filter(|(over, _)| *over > 0).map(|(over, kind)| (kind, over)).collect();
        counted.sort();
        counted
    }
}

/// Each number as `#`.
fn without_numbers(reason: &str) -> String {
    let mut text = String::new();
    for c in reason.chars() {
        match c {
            '0'..='9' if text.ends_with('#') => {}
            '0'..='9' => text.push('#'),
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(event: &str, reason: &str) -> Kind {
        Kind { event: event.into(), reason: Some(reason.into()), proven: false }
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
        assert!(throttle.admit(Kind { event: "handshake failed".into(), ..Kind::default() }));
        let proven = Kind { proven: true, ..kind("handshake failed", "no Fernwire") };
        assert_eq!(written(&mut throttle, 1000, &proven), MAX_PROVEN);
    }

    #[test]
    fn numbers_make_no_other_reason() {
        let mut throttle = Throttle::default();
        let too_long = |length: u64| kind("handshake failed", &format!("a frame of {length} bytes; 4096 are allowed"));
        assert_eq!((0..1000).map(|length| u64::from(throttle.admit(too_long(length)))).sum::<u64>(), MAX_EACH);
        let told = kind("handshake failed", "a frame of # bytes; # are allowed");
        assert_eq!(throttle.end_window(), [(told, 1000 - MAX_EACH)]);
    }

    #[test]
    fn reasons_without_end_are_one_kind_and_take_no_memory() {
        let mut throttle = Throttle::default();
        let all = 10_000;
        let reason = |i: u64| "x".repeat(i as usize);
        let written: u64 = (0..all).map(|i| u64::from(throttle.admit(kind("failed", &reason(i))))).sum();
        let apart = MAX_REASONS as u64;
        assert_eq!(written, apart + MAX_EACH);
        assert_eq!(throttle.seen["failed"].len(), MAX_REASONS + 1);
        assert_eq!(throttle.end_window(), [(kind("failed", OTHER_REASONS), all - written)]);
    }

    #[test]
    fn events_without_end_take_no_memory() {
        let mut throttle = Throttle::default();
        for i in 0..10_000 {
            throttle.admit(kind(&format!("event {i}"), ""));
        }
        assert_eq!(throttle.seen.len(), MAX_EVENTS + 1);
    }
}
