//! What one conversation holds of what was said and done: entries by their numbers, and between them what has none.
//!
//! Entries are numbered from 1 without a gap, so whatever is missing is known to be missing, and can be asked for.

use std::collections::{BTreeMap, BTreeSet};

use fernwire::client::chat::Page;
use fernwire::model::name::UserName;
use fernwire::protocol::chat::Entry;

use super::post::Post;
use super::presence::Moves;

/// The most entries that are kept; older ones are asked for again when somebody goes back to them.
const MAX_KEPT: usize = 10_000;

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
        self.before - self.after - 1
    }
}

#[derive(Debug, Default)]
pub(super) struct Timeline {
    items: BTreeMap<At, Item>,
    /// What was written here and is not an entry yet.
    posts: Vec<Post>,
    /// How many entries are kept.
    entries: usize,
    /// The ends of gaps in which the server has nothing for us.
    void: BTreeSet<u64>,
}

impl Timeline {
    /// An entry. What was a post until now is one no more. `false`: it was here.
    pub(super) fn say(&mut self, said: Said) -> bool {
        if said.mine {
            self.posts.retain(|post| post.id.as_deref() != Some(&said.entry.post_id));
        }
        let new = self.items.insert(At::entry(said.entry.seq), Item::Said(said)).is_none();
        self.entries += usize::from(new);
        new
    }

    /// Somebody came or went. With nothing said in between it is one line with what came before.
    pub(super) fn moved(&mut self, joined: &[UserName], left: &[UserName], more: u64) {
        let end = match self.items.last_entry() {
            Some(mut last) => match last.get_mut() {
                Item::Moved(moves) => {
                    moves.add(joined, left, more);
                    if moves.is_empty() {
                        last.remove();
                    }
                    return;
                }
                _ => *last.key(),
            },
            None => At::entry(0),
        };
        let mut moves = Moves::default();
        moves.add(joined, left, more);
        if !moves.is_empty() {
            self.items.insert(At { nth: end.nth + 1, ..end }, Item::Moved(moves));
        }
    }

    /// Something happened that is worth a line.
    pub(super) fn tell(&mut self, text: String) {
        let end = self.items.last_key_value().map_or(At::entry(0), |(at, _)| *at);
        self.items.insert(At { nth: end.nth + 1, ..end }, Item::Told(text));
    }

    /// Forgets the oldest if there are too many. Never while somebody looks at them.
    pub(super) fn trim(&mut self) {
        while self.entries > MAX_KEPT
            && let Some((_, item)) = self.items.pop_first()
        {
            self.entries -= usize::from(matches!(item, Item::Said(_)));
        }
    }

    pub(super) fn posts(&self) -> &[Post] {
        &self.posts
    }

    pub(super) fn posts_mut(&mut self) -> &mut Vec<Post> {
        &mut self.posts
    }

    pub(super) fn last_seq(&self) -> u64 {
        self.items.last_key_value().map_or(0, |(at, _)| at.seq)
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

    /// The entry before this one that is here.
    pub(super) fn entry_before(&self, at: At) -> Option<&Entry> {
        self.items.range(..at).rev().find_map(|(_, item)| match item {
            Item::Said(said) => Some(&said.entry),
            _ => None,
        })
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
                let known = seqs.windows(2).filter(|pair| pair[1] > pair[0] + 1).map(|pair| pair[1]);
                self.void.extend(known);
            }
        }
    }
}
