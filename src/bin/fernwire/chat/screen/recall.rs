//! What was sent from here, to be written again.

use std::collections::{BTreeMap, VecDeque};

/// The most texts that are remembered.
const MAX_SENT: usize = 500;

/// What was sent, and which of it is being looked at.
#[derive(Debug, Default)]
pub(super) struct Recall {
    /// The newest is the last.
    sent: VecDeque<String>,
    /// Which one is shown; behind the last is what has not been sent yet.
    at: usize,
    /// What has been made of those that were shown since the last was sent, and of what was not sent.
    changed: BTreeMap<usize, String>,
}

impl Recall {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Remembers what was sent, and shows nothing earlier any more.
    pub(super) fn push(&mut self, text: &str) {
        if !text.is_empty() && self.sent.back().is_none_or(|last| last != text) {
            self.sent.push_back(text.to_owned());
        }
        if self.sent.len() > MAX_SENT {
            self.sent.pop_front();
        }
        self.at = self.sent.len();
        self.changed.clear();
    }

    /// The text before the one that is shown. What is written now is kept for `down`.
    pub(super) fn up(&mut self, current: &str) -> Option<&str> {
        let at = self.at.checked_sub(1)?;
        self.go(at, current)
    }

    /// The text behind the one that is shown; at last what was being written at first.
    pub(super) fn down(&mut self, current: &str) -> Option<&str> {
        if self.at == self.sent.len() {
            return None;
        }
        self.go(self.at + 1, current)
    }

    fn go(&mut self, to: usize, current: &str) -> Option<&str> {
        self.changed.insert(self.at, current.to_owned());
        self.at = to;
        let unchanged = self.sent.get(to).map(String::as_str);
        self.changed.get(&to).map(String::as_str).or(unchanged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(texts: &[&str]) -> Recall {
        let mut recall = Recall::new();
        texts.iter().for_each(|text| recall.push(text));
        recall
    }

    #[test]
    fn up_goes_back_and_down_comes_back_to_what_was_not_sent() {
        let mut recall = sent(&["one", "two"]);
        assert_eq!(recall.down("unsent"), None);
        assert_eq!(recall.up("unsent"), Some("two"));
        assert_eq!(recall.up("two"), Some("one"));
        assert_eq!(recall.up("one"), None);
        assert_eq!(recall.down("one"), Some("two"));
        assert_eq!(recall.down("two"), Some("unsent"));
        assert_eq!(recall.down("unsent"), None);
    }

    #[test]
    fn what_is_changed_on_the_way_is_not_lost_until_something_is_sent() {
        let mut recall = sent(&["one", "two"]);
        recall.up("");
        recall.up("two, changed");
        assert_eq!(recall.down("one"), Some("two, changed"));
        recall.push("two, changed");
        assert_eq!(recall.up(""), Some("two, changed"));
        assert_eq!(recall.up("two, changed"), Some("two"));
    }

    #[test]
    fn what_is_sent_twice_is_remembered_once() {
        let mut recall = sent(&["one", "one", "", "two", "one"]);
        let mut seen = Vec::new();
        while let Some(text) = recall.up("") {
            seen.push(text.to_owned());
        }
        assert_eq!(seen, ["one", "two", "one"]);
        assert_eq!(Recall::new().up("text"), None);
    }

    #[test]
    fn the_oldest_is_forgotten_first() {
        let texts: Vec<String> = (0..=MAX_SENT).map(|n| n.to_string()).collect();
        let mut recall = sent(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        let oldest = std::iter::from_fn(|| recall.up("").map(str::to_owned)).last();
        assert_eq!(oldest.as_deref(), Some("1"));
    }
}
