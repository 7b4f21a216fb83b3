//! Runs of coming and going, folded into one line.

use std::collections::HashMap;

use fernwire::model::name::UserName;

/// The most names that are shown of each kind; the others are counted.
const MAX_SHOWN: usize = 8;

/// Who came and went since the last thing that was said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Moves {
    /// Whether somebody was here before and is here now.
    people: Vec<(UserName, bool, bool)>,
    /// Where each of them stands there, by the key of the name.
    positions: HashMap<String, usize>,
    more: u64,
}

impl Moves {
    pub(super) fn add(&mut self, joined: &[UserName], left: &[UserName], more: u64) {
        joined.iter().for_each(|name| self.turn(name, true));
        left.iter().for_each(|name| self.turn(name, false));
        self.more = self.more.saturating_add(more);
    }

    fn turn(&mut self, name: &UserName, here: bool) {
        let next = self.people.len();
        let position = *self.positions.entry(name.key()).or_insert(next);
        match self.people.get_mut(position) {
            Some((_, _, now)) => *now = here,
            None => self.people.push((name.clone(), !here, here)),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.people.is_empty() && self.more == 0
    }

    /// The line: `ada, bob came; cid left; eve came and left; 3 more came or left`.
    pub(super) fn sentence(&self) -> String {
        let kinds = [
            ((false, true), "came"),
            ((true, false), "left"),
            ((false, false), "came and left"),
            ((true, true), "left and came back"),
        ];
        let mut parts: Vec<String> = kinds.iter().filter_map(|(kind, what)| self.part(*kind, what)).collect();
        if self.more > 0 {
            parts.push(format!("{} more came or left", self.more));
        }
        parts.join("; ")
    }

    fn part(&self, kind: (bool, bool), what: &str) -> Option<String> {
        let names: Vec<&str> = self
            .people
            .iter()
            .filter(|(_, before, now)| (*before, *now) == kind)
            .map(|(name, ..)| name.as_str())
            .collect();
        let more = names.len().saturating_sub(MAX_SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let shown = names.get(..MAX_SHOWN).unwrap_or(&names).join(", ");
        (!names.is_empty()).then(|| format!("{shown}{more} {what}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<UserName> {
        text.split_whitespace().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn a_run_of_coming_and_going_is_one_sentence() {
        let mut moves = Moves::default();
        moves.add(&names("ada bob"), &names("cid dan"), 0);
        moves.add(&names("cid"), &names("bob"), 3);
        let told = moves.sentence();
        assert_eq!(told, "ada came; dan left; bob came and left; cid left and came back; 3 more came or left");
    }

    #[test]
    fn many_are_counted() {
        let mut moves = Moves::default();
        moves.add(&names("a b c d e f g h i j"), &[], 0);
        assert_eq!(moves.sentence(), "a, b, c, d, e, f, g, h and 2 more came");
        assert!(Moves::default().is_empty());
    }
}
