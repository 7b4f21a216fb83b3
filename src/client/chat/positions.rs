//! Which entries have been handed out: each once, and in the order of their numbers, whatever comes twice or is missing.

use std::collections::HashMap;

use crate::model::name::Target;
use crate::protocol::chat::{Conversation, MAX_POSITIONS, Position};

/// How far every conversation has come. Outlives the sessions, so that the next one begins where the last one ended.
#[derive(Debug, Default)]
pub(super) struct Positions {
    places: HashMap<String, Place>,
    /// Grows with whatever happens, to know the conversations in which something happened last.
    clock: u64,
    /// Whether this session has told everything that was missed.
    ready: bool,
}

#[derive(Debug)]
struct Place {
    with: Target,
    /// The last entry that was handed out.
    seq: u64,
    /// The last entry that there is, as far as is known.
    last: u64,
    touched: u64,
    left: bool,
    /// Whether this session has told of it.
    told: bool,
    /// Nothing of it has come yet, and it began while we listened: the server decides where.
    fresh: bool,
}

/// What is to be done with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the next.
    Next,
    /// It was handed out before.
    Known,
    /// Those after this one are missing before it.
    Gap { after: u64 },
}

impl Positions {
    /// A session begins, and will tell what was missed.
    pub(super) fn begin(&mut self) {
        self.ready = false;
        self.places.values_mut().for_each(|place| place.told = false);
    }

    /// Where the server is to go on, for those conversations that are likely to matter.
    pub(super) fn resume(&self) -> Vec<Position> {
        let mut places: Vec<_> = self.places.values().filter(|place| !place.left).collect();
        places.sort_by_key(|place| std::cmp::Reverse(place.touched));
        places.truncate(MAX_POSITIONS);
        places.into_iter().map(|place| Position { with: place.with.clone(), seq: place.seq }).collect()
    }

    /// A conversation is there. The result is the entry after which some are missing that will not come by themselves.
    pub(super) fn conversation(&mut self, conversation: &Conversation) -> Option<u64> {
        let Conversation { with, last, read, .. } = conversation;
        let ready = self.ready;
        let known = self.places.contains_key(&with.key());
        let place = self.place(with, *read);
        let anew = ready && known && !place.told && *last < place.seq;
        place.told = true;
        place.fresh |= ready && (!known || anew);
        if anew {
            // The server was set back to a copy of its database in which this was not ours, and it begins once more.
            place.left = false;
            place.seq = *read;
            place.last = *read;
        }
        if place.left {
            // Who comes back begins with what is new to them, and not with what was said behind their back.
            place.left = false;
            place.seq = place.seq.max(*read);
        }
        if !ready && *last < place.seq {
            // The server has less than it had: it was set back to an older copy of its database.
            place.seq = *last;
            place.last = *last;
        }
        place.last = place.last.max(*last);
        (ready && place.seq < place.last).then_some(place.seq)
    }

    /// Everything that was missed has come. The result is where it has not.
    pub(super) fn ready(&mut self) -> Vec<(Target, u64)> {
        self.ready = true;
        let behind = self.places.values().filter(|place| !place.left && place.seq < place.last);
        behind.map(|place| (place.with.clone(), place.seq)).collect()
    }

    /// An entry has come.
    pub(super) fn verdict(&mut self, with: &Target, seq: u64) -> Verdict {
        // Of a conversation that nobody has announced, the first entry that comes is the first.
        let place = self.place(with, seq.saturating_sub(1));
        if seq <= place.seq && place.fresh {
            // Our own first words count as read from the beginning, and are new all the same.
            place.seq = seq.saturating_sub(1);
            Verdict::Next
        } else if seq <= place.seq {
            Verdict::Known
        } else if seq == place.seq + 1 {
            Verdict::Next
        } else {
            Verdict::Gap { after: place.seq }
        }
    }

    /// An entry is handed out.
    pub(super) fn hand_out(&mut self, with: &Target, seq: u64) {
        let place = self.place(with, seq);
        place.fresh = false;
        place.seq = place.seq.max(seq);
        place.last = place.last.max(seq);
    }

    /// There is an entry with this number.
    pub(super) fn heard_of(&mut self, with: &Target, seq: u64) {
        let place = self.place(with, seq.saturating_sub(1));
        place.last = place.last.max(seq);
    }

    /// The last entry that was handed out, if it is not the last that there is.
    pub(super) fn behind(&self, with: &Target) -> Option<u64> {
        self.places.get(&with.key()).filter(|place| place.seq < place.last).map(|place| place.seq)
    }

    /// The server has no entries between the last one and what it says there is: nothing is missing.
    pub(super) fn give_up_gap(&mut self, with: &Target) {
        let place = self.place(with, 0);
        place.seq = place.last.max(place.seq);
    }

    /// The account is no member any more.
    pub(super) fn leave(&mut self, with: &Target) {
        if let Some(place) = self.places.get_mut(&with.key()) {
            place.left = true;
        }
    }

    fn place(&mut self, with: &Target, seq: u64) -> &mut Place {
        self.clock += 1;
        let place = self.places.entry(with.key()).or_insert_with(|| Place {
            with: with.clone(),
            seq,
            last: seq,
            touched: 0,
            left: false,
            told: false,
            fresh: false,
        });
        place.touched = self.clock;
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn target(text: &str) -> Target {
        text.parse().unwrap()
    }

    fn conversation(with: &str, last: u64, read: u64) -> Conversation {
        Conversation { with: target(with), topic: String::new(), operator: false, last, read }
    }

    /// Takes an entry as the listener does; what a gap hides comes from the history.
    fn take(positions: &mut Positions, with: &Target, seq: u64, screen: &mut Vec<u64>) {
        let first = match positions.verdict(with, seq) {
            Verdict::Known => return,
            Verdict::Next => seq,
            Verdict::Gap { after } => after + 1,
        };
        for seq in first..=seq {
            assert_eq!(positions.verdict(with, seq), Verdict::Next);
            positions.hand_out(with, seq);
            screen.push(seq);
        }
    }

    #[test]
    fn what_was_read_elsewhere_is_not_new_here_and_the_rest_is() {
        let mut positions = Positions::default();
        positions.begin();
        assert_eq!(positions.conversation(&conversation("#a", 9, 7)), None);
        assert_eq!(positions.verdict(&target("#A"), 7), Verdict::Known);
        assert_eq!(positions.verdict(&target("#a"), 8), Verdict::Next);
        positions.hand_out(&target("#a"), 8);
        assert_eq!(positions.ready(), [(target("#a"), 8)]);
    }

    #[test]
    fn a_room_that_is_joined_while_listening_tells_what_is_missing() {
        let mut positions = Positions::default();
        positions.begin();
        positions.ready();
        assert_eq!(positions.conversation(&conversation("#a", 50, 30)), Some(30));
        for seq in 31..=51 {
            positions.hand_out(&target("#a"), seq);
        }
        // The answer to the join may come after what was said since.
        assert_eq!(positions.conversation(&conversation("#a", 50, 30)), None);
        assert_eq!(positions.verdict(&target("#a"), 52), Verdict::Next);
    }

    #[test]
    fn the_first_words_of_a_conversation_come_though_they_count_as_read() {
        let mut positions = Positions::default();
        positions.begin();
        positions.ready();
        assert_eq!(positions.conversation(&conversation("ada", 1, 1)), None);
        assert_eq!(positions.verdict(&target("ada"), 1), Verdict::Next);
        positions.hand_out(&target("ada"), 1);
        assert_eq!(positions.verdict(&target("ada"), 1), Verdict::Known);
        assert_eq!(positions.conversation(&conversation("ada", 1, 1)), None);
        assert_eq!(positions.verdict(&target("ada"), 1), Verdict::Known);
    }

    #[test]
    fn who_comes_back_to_a_room_begins_with_what_is_unread() {
        let mut positions = Positions::default();
        positions.conversation(&conversation("#a", 5, 5));
        positions.leave(&target("#a"));
        assert_eq!(positions.resume(), []);
        positions.ready();
        assert_eq!(positions.conversation(&conversation("#a", 40, 20)), Some(20));
    }

    #[test]
    fn a_server_that_was_set_back_is_followed() {
        let mut positions = Positions::default();
        positions.conversation(&conversation("#a", 9, 9));
        positions.begin();
        assert_eq!(positions.conversation(&conversation("#a", 4, 4)), None);
        assert_eq!(positions.verdict(&target("#a"), 5), Verdict::Next);
    }

    #[test]
    fn what_a_server_that_was_set_back_has_forgotten_begins_anew() {
        let mut positions = Positions::default();
        positions.conversation(&conversation("ada", 9, 9));
        positions.begin();
        positions.ready();
        assert_eq!(positions.conversation(&conversation("ada", 2, 0)), Some(0));
        assert_eq!(positions.verdict(&target("ada"), 1), Verdict::Next);
        // The answer to a join that is older than what has come since is no step back.
        positions.hand_out(&target("ada"), 1);
        positions.hand_out(&target("ada"), 2);
        positions.conversation(&conversation("ada", 1, 0));
        assert_eq!(positions.verdict(&target("ada"), 2), Verdict::Known);
    }

    #[test]
    fn no_more_positions_are_sent_than_are_taken_and_the_latest_are() {
        let mut positions = Positions::default();
        for i in 0..MAX_POSITIONS + 5 {
            positions.hand_out(&target(&format!("user{i}")), 1);
        }
        let resume = positions.resume();
        assert_eq!(resume.len(), MAX_POSITIONS);
        assert_eq!(resume[0].with, target(&format!("user{}", MAX_POSITIONS + 4)));
    }

    /// What the server and the network may do.
    #[derive(Debug, Clone)]
    enum Step {
        /// So many entries are made.
        Said(u64),
        /// The stream brings the entry so far behind its end again, or for the first time.
        Comes(u64),
        /// The connection is cut, and a new session tells so much of what was missed.
        Cut(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![(0..5u64).prop_map(Step::Said), (0..8u64).prop_map(Step::Comes), (0..9u64).prop_map(Step::Cut)]
    }

    proptest! {
        #[test]
        fn each_entry_is_handed_out_once_and_in_order(read in 0..4u64, steps in prop::collection::vec(step(), 0..60)) {
            let with = target("#a");
            let (mut positions, mut screen, mut last) = (Positions::default(), Vec::new(), read);
            positions.begin();
            positions.conversation(&conversation("#a", last, read));
            positions.ready();
            for step in steps.into_iter().chain([Step::Cut(0)]) {
                match step {
                    Step::Said(count) => last += count,
                    Step::Comes(behind) => {
                        let seq = last.saturating_sub(behind).max(1);
                        if seq <= last {
                            take(&mut positions, &with, seq, &mut screen);
                        }
                    }
                    Step::Cut(told) => {
                        positions.begin();
                        let from = positions.resume()[0].seq;
                        prop_assert_eq!(from, screen.last().copied().unwrap_or(read));
                        positions.conversation(&conversation("#a", last, read));
                        for seq in (from + 1..=last).take(told as usize) {
                            take(&mut positions, &with, seq, &mut screen);
                        }
                        for (_, after) in positions.ready() {
                            for seq in after + 1..=last {
                                take(&mut positions, &with, seq, &mut screen);
                            }
                        }
                    }
                }
            }
            prop_assert_eq!(screen, (read + 1..=last).collect::<Vec<_>>());
        }
    }
}
