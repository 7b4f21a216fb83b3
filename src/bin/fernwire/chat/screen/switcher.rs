//! Ctrl-K: a few letters of a room or a person, and Enter goes there.

use std::cmp::Reverse;

use fernwire::model::name::{RoomName, Target, UserName};
use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::editor::{Editor, Pressed};

mod draw;

/// Somewhere one can go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) target: Target,
    /// Whether it is a conversation; a room that is none has to be joined.
    pub(super) open: bool,
    pub(super) unread: u64,
    pub(super) mentions: u64,
    /// A room's topic.
    pub(super) topic: String,
}

/// One line of those that fit the query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) what: What,
    /// Which clusters of its name the query is made of.
    pub(super) matched: Vec<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    Item(Item),
    /// A room that nobody has told of.
    Join(RoomName),
    /// A person who is not here.
    Write(UserName),
}

/// What a key led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Stay,
    Close,
    Go(Target),
    Join(RoomName),
}

/// The query, and what fits it.
#[derive(Debug)]
pub(super) struct Switcher {
    query: Editor,
    items: Vec<Item>,
    found: Vec<Found>,
    selected: usize,
}

impl Switcher {
    /// Items that fit equally well keep the order in which they are given.
    pub(super) fn new(items: Vec<Item>) -> Self {
        let mut switcher = Self { query: Editor::new(), items, found: Vec::new(), selected: 0 };
        switcher.find();
        switcher
    }

    /// What fits the query, best first.
    #[cfg(test)]
    pub(super) fn items(&self) -> &[Found] {
        &self.found
    }

    /// Takes other items. The query stays, and whoever was selected is so still.
    pub(super) fn update(&mut self, items: Vec<Item>) {
        let selected = self.found.get(self.selected).map(|found| found.what.target().key());
        self.items = items;
        self.find();
        let same = |found: &Found| Some(found.what.target().key()) == selected;
        let last = self.found.len().saturating_sub(1);
        self.selected = self.found.iter().position(same).unwrap_or(self.selected.min(last));
    }

    /// Puts what was pasted into the query, as one line.
    pub(super) fn paste(&mut self, text: &str) {
        let line: Vec<&str> = text.split_whitespace().collect();
        // What is far longer than any name fits nothing.
        if self.query.insert(&line.join(" ")).is_ok() {
            self.query_changed();
        }
    }

    pub(super) fn press(&mut self, key: KeyEvent) -> Outcome {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => return Outcome::Close,
            KeyCode::Char('k' | 'c' | 'g') if control => return Outcome::Close,
            KeyCode::Enter => return self.choose(),
            KeyCode::Char('j') if control => return self.choose(),
            KeyCode::Up | KeyCode::BackTab => self.select(-1),
            KeyCode::Down | KeyCode::Tab => self.select(1),
            KeyCode::Char('p') if control => self.select(-1),
            KeyCode::Char('n') if control => self.select(1),
            _ => {
                let before = self.query.text().to_owned();
                if self.query.press(key, u16::MAX) == Pressed::Done && self.query.text() != before {
                    self.query_changed();
                }
            }
        }
        Outcome::Stay
    }

    fn choose(&self) -> Outcome {
        match self.found.get(self.selected).map(|found| &found.what) {
            None => Outcome::Stay,
            Some(What::Item(Item { target: Target::Room(room), open: false, .. })) => Outcome::Join(room.clone()),
            Some(What::Item(item)) => Outcome::Go(item.target.clone()),
            Some(What::Join(room)) => Outcome::Join(room.clone()),
            Some(What::Write(person)) => Outcome::Go(person.clone().into()),
        }
    }

    /// Selects another one, past the last the first.
    fn select(&mut self, by: isize) {
        if !self.found.is_empty() {
            let count = self.found.len() as isize;
            self.selected = (self.selected as isize + by).rem_euclid(count) as usize;
        }
    }

    fn query_changed(&mut self) {
        self.selected = 0;
        self.find();
    }

    fn find(&mut self) {
        let query = self.query.text().trim();
        let mut fitting = Fitting::new(query);
        let mut found: Vec<_> = self.items.iter().filter_map(|item| Some((fitting.score(item)?, item))).collect();
        found.sort_by_key(|((score, _), item)| Reverse((*score, item.mentions, item.unread.min(1), item.open)));
        let found = found.into_iter().map(|((_, matched), item)| Found { what: What::Item(item.clone()), matched });
        self.found = found.chain(self.unknown(query)).collect();
    }

    /// What the query names that is none of the items.
    fn unknown(&self, query: &str) -> impl Iterator<Item = Found> {
        let known = |target: &Target| self.items.iter().any(|item| item.target == *target);
        let room = if query.starts_with('#') { query.to_owned() } else { format!("#{query}") };
        let room = room.parse().ok().filter(|room: &RoomName| !known(&room.clone().into()));
        let person = query.parse().ok().filter(|person: &UserName| !known(&person.clone().into()));
        let offered = person.map(What::Write).into_iter().chain(room.map(What::Join));
        offered.map(|what| Found { what, matched: Vec::new() })
    }
}

impl What {
    fn target(&self) -> Target {
        match self {
            Self::Item(item) => item.target.clone(),
            Self::Join(room) => room.clone().into(),
            Self::Write(person) => person.clone().into(),
        }
    }
}

/// How well names fit a query.
struct Fitting {
    pattern: Pattern,
    /// Whether the `#` of a room was written too.
    marked: bool,
    matcher: Matcher,
}

impl Fitting {
    fn new(query: &str) -> Self {
        let pattern = Pattern::new(query, CaseMatching::Smart, Normalization::Smart, AtomKind::Fuzzy);
        let mut config = Config::DEFAULT;
        config.prefer_prefix = true;
        Self { pattern, marked: query.starts_with('#'), matcher: Matcher::new(config) }
    }

    /// The better, the higher; and which clusters of the name it is made of.
    fn score(&mut self, item: &Item) -> Option<(u32, Vec<u32>)> {
        let name = item.target.to_string();
        let skipped = u32::from(!self.marked && name.starts_with('#'));
        let (mut matched, mut characters) = (Vec::new(), Vec::new());
        let name = Utf32Str::new(&name[skipped as usize..], &mut characters);
        let score = self.pattern.indices(name, &mut self.matcher, &mut matched)?;
        matched.iter_mut().for_each(|index| *index += skipped);
        matched.sort_unstable();
        matched.dedup();
        Some((score, matched))
    }
}

#[cfg(test)]
mod tests;
