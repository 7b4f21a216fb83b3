//! What one conversation holds of what was said and done: entries by their numbers, and between them what has none.
//!
//! Entries are numbered from 1 without a gap, so whatever is missing is known to be missing, and can be asked for.

use std::collections::{BTreeMap, BTreeSet};

use fernwire::client::chat::Page;
use fernwire::model::name::UserName;
use fernwire::protocol::chat::Entry;

use super::post::Post;
use super::presence::Moves;

/// The most entries and other things that are kept; older ones are asked for again when somebody goes back to them.
const MAX_KEPT: usize = 10_000;
/// The most bytes of text of those.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Where something stands: after which entry, and as the how manieth thing there. An entry itself is the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    pub(super) seq: u64,
    nth: u32,
}

impl At {
    /// Where the entry with this number stands.
    pub(super) fn entry(seq: u64) -> Self {
        Self { seq, nth: 0 }
    }

    pub(super) fn is_entry(self) -> bool {
        self.nth == 0 && self.seq != u64::MAX
    }

    /// Right behind it, with nothing said in between.
    fn next(self) -> Self {
        Self { nth: self.nth.saturating_add(1), ..self }
    }

    /// After all that the server has: what is on its way there.
    fn post(number: u32) -> Self {
        Self { seq: u64::MAX, nth: number }
    }
}

/// Something that has lines of its own.
#[derive(Debug)]
pub(super) enum Item {
    /// Somebody said something.
    Said(Said),
    /// Somebody came or went.
    Moved(Moves),
    /// What happened, in a sentence.
    Told(String),
}

impl Item {
    /// What its text takes; what else it takes is bounded by how many there may be.
    fn bytes(&self) -> usize {
        match self {
            Self::Said(said) => said.entry.text.len(),
            Self::Moved(_) => 0,
            Self::Told(text) => text.len(),
        }
    }
}

/// An entry, as far as it matters for how it is shown.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) entry: Entry,
    /// Posted from here: that it is here shows that it was sent.
    pub(super) mine: bool,
    /// Names the person who reads it.
    pub(super) mentions: bool,
}

/// One of the things of a timeline, in their order.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shown<'a> {
    Item(&'a Item),
    Post(&'a Post),
}

/// Entries that are not here: those between these two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) after: u64,
    pub(super) before: u64,
}

impl Gap {
    pub(super) fn size(self) -> u64 {
        self.before.saturating_sub(self.after).saturating_sub(1)
    }
}

#[derive(Debug, Default)]
pub(super) struct Timeline {
    items: BTreeMap<At, Item>,
    /// What was written here and is not an entry yet.
    posts: Vec<Post>,
    /// How many bytes of text the items have.
    bytes: usize,
    /// The ends of gaps in which the server has nothing for us.
    void: BTreeSet<u64>,
}

impl Timeline {
    /// An entry. What was a post until now is one no more. `false`: it was here.
    pub(super) fn say(&mut self, said: Said) -> bool {
        if said.mine {
            self.posts.retain(|post| post.id.as_deref() != Some(&said.entry.post_id));
        }
        let at = At::entry(said.entry.seq);
        let new = !self.items.contains_key(&at);
        self.put(at, Item::Said(said));
        new
    }

    fn put(&mut self, at: At, item: Item) {
        self.bytes += item.bytes();
        if let Some(before) = self.items.insert(at, item) {
            self.bytes -= before.bytes();
        }
    }

    /// Somebody came or went, after the entry with this number. With nothing said in between it is one line with what came
    /// before.
    pub(super) fn moved(&mut self, after: u64, joined: &[UserName], left: &[UserName], more: u64) {
        let end = self.end(after);
        if let Some(Item::Moved(moves)) = self.items.get_mut(&end) {
            moves.add(joined, left, more);
            if moves.is_empty() {
                self.items.remove(&end);
            }
            return;
        }
        let mut moves = Moves::default();
        moves.add(joined, left, more);
        if !moves.is_empty() {
            self.put(end.next(), Item::Moved(moves));
        }
    }

    /// Something happened that is worth a line, after the entry with this number.
    pub(super) fn tell(&mut self, after: u64, text: String) {
        self.put(self.end(after).next(), Item::Told(text));
    }

    /// The last place that is taken, of those after this entry at least.
    fn end(&self, after: u64) -> At {
        let last = self.items.last_key_value().map(|(at, _)| *at);
        last.unwrap_or(At::entry(0)).max(At::entry(after))
    }

    /// What is after this number is not there any more.
    pub(super) fn cut(&mut self, last: u64) {
        let cut = self.items.split_off(&At::entry(last.saturating_add(1)));
        self.bytes -= cut.values().map(Item::bytes).sum::<usize>();
        self.void.retain(|seq| *seq <= last);
    }

    /// Forgets the oldest if there are too many. Never while somebody looks at them. `true`: there were.
    pub(super) fn trim(&mut self) -> bool {
        let before = self.items.len();
        while (self.items.len() > MAX_KEPT || self.bytes > MAX_BYTES)
            && self.items.len() > 1
            && let Some((_, item)) = self.items.pop_first()
        {
            self.bytes -= item.bytes();
        }
        // Before the first that is left there is something now.
        let first = self.items.first_key_value().map_or(0, |(at, _)| at.seq);
        self.void.retain(|seq| *seq > first);
        self.items.len() < before
    }

    /// Whether it is so long that not even somebody who looks at the oldest may keep them.
    pub(super) fn is_far_too_long(&self) -> bool {
        self.items.len() > 4 * MAX_KEPT || self.bytes > 4 * MAX_BYTES
    }

    /// What the server did not have for us, it may have in another session.
    pub(super) fn forget_void(&mut self) {
        self.void.clear();
    }

    pub(super) fn posts(&self) -> &[Post] {
        &self.posts
    }

    pub(super) fn posts_mut(&mut self) -> &mut Vec<Post> {
        &mut self.posts
    }

    /// The number of the last entry that is here.
    pub(super) fn last_seq(&self) -> u64 {
        self.entry_before(At { seq: u64::MAX, nth: 0 }).map_or(0, |entry| entry.seq)
    }

    /// How many of the entries after this one name the reader.
    pub(super) fn mentions_after(&self, seq: u64) -> u64 {
        let later = self.items.range(At::entry(seq.saturating_add(1))..);
        later.filter(|(_, item)| matches!(item, Item::Said(said) if said.mentions)).count() as u64
    }

    pub(super) fn has(&self, seq: u64) -> bool {
        self.items.contains_key(&At::entry(seq))
    }

    /// The thing that stands there, or the last one before.
    pub(super) fn at_or_before(&self, at: At) -> Option<(At, Shown<'_>)> {
        let posts = self.numbered_posts().rfind(|(key, _)| *key <= at);
        posts.or_else(|| self.items.range(..=at).next_back().map(|(at, item)| (*at, Shown::Item(item))))
    }

    pub(super) fn before(&self, at: At) -> Option<(At, Shown<'_>)> {
        let posts = self.numbered_posts().take_while(|(key, _)| *key < at).last();
        posts.or_else(|| self.items.range(..at).next_back().map(|(at, item)| (*at, Shown::Item(item))))
    }

    pub(super) fn after(&self, at: At) -> Option<(At, Shown<'_>)> {
        let mut later = self.items.range(at..).skip_while(|(key, _)| **key == at);
        let item = later.next().map(|(at, item)| (*at, Shown::Item(item)));
        item.or_else(|| self.numbered_posts().find(|(key, _)| *key > at))
    }

    pub(super) fn first(&self) -> Option<(At, Shown<'_>)> {
        let item = self.items.first_key_value().map(|(at, item)| (*at, Shown::Item(item)));
        item.or_else(|| self.numbered_posts().next())
    }

    pub(super) fn last(&self) -> Option<(At, Shown<'_>)> {
        self.at_or_before(At { seq: u64::MAX, nth: u32::MAX })
    }

    fn numbered_posts(&self) -> impl DoubleEndedIterator<Item = (At, Shown<'_>)> {
        self.posts.iter().map(|post| (At::post(post.number), Shown::Post(post)))
    }

    /// The entries before this one that are here, the last first.
    pub(super) fn entries_before(&self, at: At) -> impl Iterator<Item = &Entry> {
        self.items.range(..at).rev().filter_map(|(_, item)| match item {
            Item::Said(said) => Some(&said.entry),
            _ => None,
        })
    }

    /// The entry before this one that is here.
    pub(super) fn entry_before(&self, at: At) -> Option<&Entry> {
        self.entries_before(at).next()
    }

    /// Who said something, the last first; the same person may come again.
    pub(super) fn speakers(&self) -> impl Iterator<Item = &UserName> {
        self.items.values().rev().filter_map(|item| match item {
            Item::Said(said) => Some(&said.entry.from),
            _ => None,
        })
    }

    /// What is missing right before an entry that is here.
    pub(super) fn gap_before(&self, seq: u64) -> Option<Gap> {
        let after = self.entry_before(At::entry(seq)).map_or(0, |entry| entry.seq);
        let gap = Gap { after, before: seq };
        (gap.size() > 0 && !self.void.contains(&seq)).then_some(gap)
    }

    /// The server has answered a question about a gap; what it has not told of, it does not have for us.
    pub(super) fn answered(&mut self, page: Page, seqs: &[u64]) {
        match page {
            Page::Before(before) if seqs.is_empty() => {
                self.void.insert(before);
            }
            Page::After(after) if seqs.is_empty() => {
                let next = self.items.range(At::entry(after.saturating_add(1))..).next();
                self.void.extend(next.map(|(at, _)| at.seq));
            }
            _ => {
                // Within a page nothing is missing that could be had.
                let known = seqs.windows(2).filter(|pair| pair[1] > pair[0].saturating_add(1)).map(|pair| pair[1]);
                self.void.extend(known);
            }
        }
    }
}
