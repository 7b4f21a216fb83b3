//! The part of a timeline that is in view, as rows: always full, and anchored at its last row, so that what is loaded above
//! it or said below it moves nothing.

use std::collections::HashMap;
use std::time::Instant;

use fernwire::model::Visible;
use fernwire::model::name::UserName;
use fernwire::protocol::chat::{Entry, Style as Manner};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use ratatui::style::Style;

use super::mention;
use super::post::{Fate, Post};
use super::text::{Row, line, wrap};
use super::theme::Theme;
use super::timeline::{At, Gap, Item, Said, Shown, Timeline};
use crate::state::local;

/// How far the second and later rows of a message are indented: past the time, and a little.
const INDENT: u16 = 8;
/// A space behind which what is said of a message stays with the end of it.
const WITH_THE_LAST_WORD: &str = "\u{a0}";
/// What a time takes, with the space after it.
const BLANK_TIME: &str = "      ";
/// Below this width rows are too short for times: one column is left of them, to show what was looked for.
const NARROW: u16 = 30;
/// The indent there. As elsewhere it is more than a row has that begins with a name, so that nobody can write a row that looks
/// like one of somebody else.
const NARROW_INDENT: u16 = 3;
const NARROW_TIME: &str = " ";

/// The most things that are looked at for one view; those of ignored people have no rows.
const MAX_LOOKED_AT: usize = 1000;

/// The last row in view: so many rows above the last one of this item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Anchor {
    pub(super) at: At,
    up: usize,
}

impl Anchor {
    pub(super) fn entry(seq: u64) -> Self {
        Self { at: At::entry(seq), up: 0 }
    }
}

/// What is in view.
#[derive(Debug, Default)]
pub(super) struct Window {
    pub(super) rows: Vec<Row>,
    /// Where it ends; `None` if that is the end of everything, and stays so.
    pub(super) anchor: Option<Anchor>,
    /// What is missing in it or right above it.
    pub(super) gaps: Vec<Gap>,
    /// The numbers of the entries in view, the last first.
    pub(super) seqs: Vec<u64>,
}

/// How things are to be shown.
pub(super) struct Look<'a> {
    pub(super) timeline: &'a Timeline,
    pub(super) theme: &'a Theme,
    pub(super) zone: &'a TimeZone,
    pub(super) me: &'a UserName,
    pub(super) ignored: &'a HashMap<String, UserName>,
    pub(super) width: u16,
    /// The last entry before the mark of what is new.
    pub(super) mark: Option<u64>,
    /// The entry that was looked for.
    pub(super) found: Option<u64>,
    pub(super) now: Instant,
}

impl Look<'_> {
    /// As many rows as there are up to this height, the last being the anchor's.
    pub(super) fn window(&self, anchor: Option<Anchor>, height: usize) -> Window {
        let mut window = Window::default();
        let start = match anchor {
            Some(anchor) => self.timeline.at_or_before(anchor.at).or_else(|| self.timeline.first()),
            None => self.timeline.last(),
        };
        let Some((start, first)) = start else { return window };
        let rows = self.rows(start, first);
        let hidden = anchor.filter(|anchor| anchor.at == start).map_or(0, |anchor| anchor.up);
        let hidden = hidden.min(rows.len().saturating_sub(1));
        let mut reversed: Vec<Row> = rows.iter().take(rows.len() - hidden).rev().cloned().collect();
        window.notice(self, start);
        let mut above = start;
        for _ in 0..MAX_LOOKED_AT {
            if reversed.len() >= height {
                break;
            }
            let Some((at, shown)) = self.timeline.before(above) else { break };
            reversed.extend(self.rows(at, shown).into_iter().rev());
            window.notice(self, at);
            above = at;
        }
        reversed.truncate(height);
        reversed.reverse();
        window.rows = reversed;
        window.anchor = self.fill_below(&mut window, &rows[rows.len() - hidden..], start, height);
        if anchor.is_none() {
            window.anchor = None;
        }
        window
    }

    /// What of the rows below the anchor is needed for a full view. The result is where the view ends then.
    fn fill_below(&self, window: &mut Window, rest: &[Row], start: At, height: usize) -> Option<Anchor> {
        let (mut at, mut up) = (start, rest.len());
        let mut rest = rest.to_vec();
        for _ in 0..MAX_LOOKED_AT {
            let missing = height.saturating_sub(window.rows.len());
            let taken = missing.min(rest.len());
            window.rows.extend(rest.drain(..taken));
            up -= taken;
            if !rest.is_empty() {
                return Some(Anchor { at, up });
            }
            let (next, shown) = self.timeline.after(at)?;
            if window.rows.len() == height {
                return Some(Anchor { at, up });
            }
            rest = self.rows(next, shown);
            window.notice(self, next);
            (at, up) = (next, rest.len());
        }
        Some(Anchor { at, up })
    }

    /// The anchor so many rows further up, or down if negative.
    pub(super) fn scrolled(&self, anchor: Option<Anchor>, by: isize, height: usize) -> Option<Anchor> {
        let Anchor { mut at, mut up } = match self.window(anchor, height).anchor {
            Some(anchor) => anchor,
            None => Anchor { at: self.timeline.last()?.0, up: 0 },
        };
        let (item, shown) = self.timeline.at_or_before(at)?;
        (at, up) = (item, up.min(self.rows(item, shown).len().saturating_sub(1)));
        if by < 0 {
            return self.further_down(at, up, by.unsigned_abs(), height);
        }
        up += by.unsigned_abs();
        while let Some((item, shown)) = self.timeline.at_or_before(at) {
            let rows = self.rows(item, shown).len();
            match self.timeline.before(item) {
                Some((before, _)) if up >= rows => (at, up) = (before, up - rows),
                _ => break,
            }
        }
        self.window(Some(Anchor { at, up }), height).anchor
    }

    /// The anchor that shows an entry in the middle.
    pub(super) fn centred(&self, seq: u64, height: usize) -> Option<Anchor> {
        self.further_down(At::entry(seq), 0, height / 2, height)
    }

    fn further_down(&self, mut at: At, mut up: usize, by: usize, height: usize) -> Option<Anchor> {
        let mut left = by;
        while left > up {
            left -= up;
            let (next, shown) = self.timeline.after(at)?;
            (at, up) = (next, self.rows(next, shown).len());
        }
        self.window(Some(Anchor { at, up: up - left }), height).anchor
    }

    /// The rows of one thing.
    fn rows(&self, at: At, shown: Shown<'_>) -> Vec<Row> {
        #[cfg(test)]
        laid_out::note();
        match shown {
            Shown::Item(Item::Said(said)) => self.said(said),
            Shown::Item(Item::Moved(moves)) => self.told(self.theme.quiet(), "· ", &moves.sentence()),
            Shown::Item(Item::Told(text)) => self.told(self.theme.notice(), "- ", text),
            Shown::Post(post) => self.post(at, post),
        }
    }

    fn said(&self, said: &Said) -> Vec<Row> {
        let entry = &said.entry;
        let mut rows = Vec::new();
        if let Some(gap) = self.timeline.gap_before(entry.seq) {
            let what = if gap.after == 0 { "earlier messages" } else { "messages in between" };
            rows.push(self.rule(self.theme.quiet(), &format!("{} {what}", gap.size())));
        }
        if self.is_ignored(entry) {
            return rows;
        }
        // Compared with what stands above it.
        let before = self.timeline.entries_before(At::entry(entry.seq)).find(|before| !self.is_ignored(before));
        let (date, time) = self.date_and_time(entry.time);
        let (date_before, time_before) = before.map_or((None, None), |before| self.date_and_time(before.time));
        if let Some(date) = date.filter(|date| date_before != Some(*date)) {
            rows.push(self.rule(self.theme.quiet(), &date.strftime("%A, %-d %B %Y").to_string()));
        }
        if self.mark.is_some_and(|mark| entry.seq > mark && before.is_none_or(|before| before.seq <= mark)) {
            rows.push(self.rule(self.theme.mark(), "new"));
        }
        let repeated = date == date_before && time == time_before;
        let time = time.filter(|_| !repeated).map_or(BLANK_TIME.to_owned(), |time| format!("{time} "));
        let time = if self.is_narrow() { NARROW_TIME } else { &time };
        let time_style = if self.found == Some(entry.seq) { self.theme.selected() } else { self.theme.quiet() };
        let sent = if said.mine { "✓" } else { "" };
        let tail = (self.theme.quiet(), sent);
        rows.extend(self.message((time_style, time), &entry.from, (entry.style, &entry.text), said.mentions, tail));
        rows
    }

    fn is_ignored(&self, entry: &Entry) -> bool {
        !self.ignored.is_empty() && self.ignored.contains_key(&entry.from.key())
    }

    fn post(&self, at: At, post: &Post) -> Vec<Row> {
        let (state, style) = match &post.fate {
            Fate::Sending => ("… sending".to_owned(), self.theme.quiet()),
            Fate::Waiting { why, until } => {
                let seconds = until.saturating_duration_since(self.now).as_secs_f32().ceil();
                (format!("… waiting {seconds} s: {}", Visible(why)), self.theme.warning())
            }
            Fate::Sent => ("✓".to_owned(), self.theme.quiet()),
            Fate::Failed { why } => {
                (format!("✗ not sent: {} (Alt-R sends it again, Alt-D drops it)", Visible(why)), self.theme.bad())
            }
        };
        debug_assert!(at.seq == u64::MAX);
        let time = (self.theme.quiet(), self.blank_time());
        self.message(time, self.me, (post.style, &post.text), false, (style, &state))
    }

    fn message(
        &self,
        time: (Style, &str),
        from: &UserName,
        (manner, text): (Manner, &str),
        mentions: bool,
        tail: (Style, &str),
    ) -> Vec<Row> {
        let nick = if from == self.me { self.theme.me() } else { self.theme.nick(from) };
        let (body, mut pieces) = match manner {
            Manner::Text => (self.theme.text(), vec![time, (nick, from.as_str()), (self.theme.text(), ": ")]),
            Manner::Action => (
                self.theme.action(),
                vec![time, (self.theme.action(), "* "), (nick, from.as_str()), (self.theme.action(), " ")],
            ),
        };
        let mut done = 0;
        let named = if mentions { mention::places(text, self.me) } else { Vec::new() };
        for place in named {
            pieces.push((body, &text[done..place.start]));
            pieces.push((self.theme.mention(), &text[place.clone()]));
            done = place.end;
        }
        pieces.push((body, &text[done..]));
        if !tail.1.is_empty() {
            pieces.extend([(tail.0, WITH_THE_LAST_WORD), tail]);
        }
        wrap(&pieces, self.width, self.indent())
    }

    fn told(&self, style: Style, sign: &str, text: &str) -> Vec<Row> {
        wrap(&[(style, self.blank_time()), (style, sign), (style, text)], self.width, self.indent())
    }

    fn is_narrow(&self) -> bool {
        self.width < NARROW
    }

    fn blank_time(&self) -> &'static str {
        if self.is_narrow() { NARROW_TIME } else { BLANK_TIME }
    }

    fn indent(&self) -> u16 {
        if self.is_narrow() { NARROW_INDENT } else { INDENT }
    }

    /// A line across, with a word in it.
    fn rule(&self, style: Style, text: &str) -> Row {
        let room = usize::from(self.width).saturating_sub(text.chars().count() + 2);
        let (left, right) = ("─".repeat(room / 2), "─".repeat(room - room / 2));
        line(&[(style, &left), (style, " "), (style, text), (style, " "), (style, &right)], self.width)
    }

    fn date_and_time(&self, millis: i64) -> (Option<Date>, Option<String>) {
        local(millis, self.zone).map(|time| (time.date(), time.strftime("%H:%M").to_string())).unzip()
    }
}

impl Window {
    pub(super) fn ends_at_the_end(&self) -> bool {
        self.anchor.is_none()
    }

    fn notice(&mut self, look: &Look<'_>, at: At) {
        if at.is_entry() {
            self.seqs.push(at.seq);
            self.gaps.extend(look.timeline.gap_before(at.seq));
        }
    }
}

/// How many things were laid out, for the test that says how many may be.
#[cfg(test)]
pub(super) mod laid_out {
    use std::cell::Cell;

    thread_local!(static COUNT: Cell<usize> = const { Cell::new(0) });

    pub(in super::super) fn note() {
        COUNT.set(COUNT.get() + 1);
    }

    pub(in super::super) fn reset() {
        COUNT.set(0);
    }

    pub(in super::super) fn count() -> usize {
        COUNT.get()
    }
}
