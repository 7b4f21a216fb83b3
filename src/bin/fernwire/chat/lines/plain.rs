//! Events as lines for people, of which none can be forged by what others say.
//!
//! A line of an entry begins with its time in brackets, one of anything else with `--`; whatever further lines a text has
//! are indented.

use std::fmt::Write;

use fernwire::client::chat::{Event, Hit, Member, Room};
use fernwire::model::Visible;
use fernwire::model::name::{Target, UserName};
use fernwire::protocol::chat::{Conversation, Entry, Style};
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::super::wording;
use crate::state::local;

/// What the second and later lines of a text begin with.
const INDENT: &str = "    ";

/// Remembers what day it is on the screen.
pub(super) struct Plain {
    zone: TimeZone,
    day: Option<Date>,
}

impl Plain {
    pub(super) fn new(zone: TimeZone) -> Self {
        Self { zone, day: None }
    }

    /// Something that was said, after a line with the date if that is another than before.
    pub(super) fn entry(&mut self, with: &Target, entry: &Entry, me: &UserName) -> String {
        let said = said(with, entry, me);
        let Some(time) = local(entry.time, &self.zone) else { return format!("[--:--:--] {said}") };
        let mut text = String::new();
        if self.day != Some(time.date()) {
            self.day = Some(time.date());
            // A String takes every write.
            let _ = writeln!(text, "-- {}", time.strftime("%A, %-d %B %Y"));
        }
        let _ = write!(text, "[{}] {said}", time.strftime("%H:%M:%S"));
        text
    }

    /// Something that was said at some other time.
    pub(super) fn old_entry(&self, with: &Target, entry: &Entry, me: &UserName) -> String {
        let time = local(entry.time, &self.zone);
        let time = time.map_or("-".to_owned(), |time| time.strftime("%Y-%m-%d %H:%M:%S").to_string());
        format!("[{time}] {}", said(with, entry, me))
    }

    pub(super) fn hit(&self, hit: &Hit, me: &UserName) -> String {
        self.old_entry(&hit.with, &hit.entry, me)
    }

    /// What is worth a line, of what is no entry. `None`: nothing.
    pub(super) fn event(&self, event: &Event, me: &UserName) -> Option<String> {
        let text = match event {
            Event::Presence { room, joined, left, more, present } => {
                let changes = [came(joined, me, "came"), came(left, me, "left")];
                let mut changes: Vec<_> = changes.into_iter().flatten().collect();
                if *more > 0 {
                    changes.push(format!("{more} more came or left"));
                }
                if changes.is_empty() {
                    return None;
                }
                format!("{room}: {} ({present} here)", changes.join("; "))
            }
            Event::Topic { room, topic, by } => format!("{room}: {}", wording::topic_set(topic, by.as_ref())),
            Event::Left { room } => format!("{room}: you are no member any more"),
            Event::Moderated { room, name, measure, until, by, reason } => {
                let told = wording::moderated(name, *measure, *until, by.as_ref(), reason, &self.zone);
                format!("{room}: {told}")
            }
            Event::Notice { text, to_you } => wording::server_says(&lines(text), *to_you),
            _ => return None,
        };
        Some(format!("-- {text}"))
    }
}

/// How much there is to be read, if there is something.
pub(super) fn unread(conversation: &Conversation) -> Option<String> {
    match conversation.unread() {
        0 => None,
        unread => Some(format!("-- {}: {unread} unread", conversation.with)),
    }
}

pub(super) fn topic(room: &Target, topic: &str) -> String {
    match topic {
        "" => format!("-- {room}: no topic"),
        topic => format!("-- {room}: {}", Visible(topic)),
    }
}

/// After a join: where lines go, and what that room is about.
pub(super) fn chosen(room: &Target, topic: &str) -> String {
    let topic = if topic.is_empty() { "no topic".to_owned() } else { Visible(topic).to_string() };
    format!("-- your lines go to {room} now: {topic}")
}

pub(super) fn members(room: &Target, members: &[Member]) -> String {
    format!("-- {room}: {}", wording::members(members))
}

pub(super) fn room(Room { name, topic, members }: &Room) -> String {
    let colon = if topic.is_empty() { "" } else { ": " };
    format!("-- {name} ({members} member{}){colon}{}", if *members == 1 { "" } else { "s" }, Visible(topic))
}

fn said(with: &Target, entry: &Entry, me: &UserName) -> String {
    let (name, text) = (Visible(entry.from.as_str()), lines(&entry.text));
    match (with, entry.style) {
        (Target::Room(room), Style::Text) => format!("{room} <{name}> {text}"),
        (Target::Room(room), Style::Action) => format!("{room} * {name} {text}"),
        (Target::User(_), Style::Text) if entry.from != *me => format!("{name} -> you: {text}"),
        (Target::User(_), Style::Action) if entry.from != *me => format!("{name} -> you: * {name} {text}"),
        (Target::User(to), Style::Text) => format!("you -> {to}: {text}"),
        (Target::User(to), Style::Action) => format!("you -> {to}: * {name} {text}"),
    }
}

/// A text of several lines, in which nothing can look as if it were not its own.
fn lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(|line| Visible(line.trim_end_matches('\r')).to_string()).collect();
    lines.join(&format!("\n{INDENT}"))
}

fn came(names: &[UserName], me: &UserName, what: &str) -> Option<String> {
    let others: Vec<_> =
        names.iter().filter(|name| *name != me).map(|name| Visible(name.as_str()).to_string()).collect();
    (!others.is_empty()).then(|| format!("{} {what}", others.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_700_049_600_000;

    fn name(text: &str) -> UserName {
        text.parse().unwrap()
    }

    fn entry(from: &str, style: Style, text: &str) -> Entry {
        Entry { seq: 1, time: NOON, from: name(from), style, text: text.to_owned(), post_id: "p".to_owned() }
    }

    fn shown(with: &str, from: &str, style: Style, text: &str) -> String {
        let mut plain = Plain::new(TimeZone::UTC);
        plain.day = Some("2023-11-15".parse().unwrap());
        plain.entry(&with.parse().unwrap(), &entry(from, style, text), &name("Me"))
    }

    #[test]
    fn who_says_what_to_whom() {
        assert_eq!(shown("#a", "ada", Style::Text, "hello"), "[12:00:00] #a <ada> hello");
        assert_eq!(shown("#a", "ada", Style::Action, "waves"), "[12:00:00] #a * ada waves");
        assert_eq!(shown("ada", "ada", Style::Text, "hello"), "[12:00:00] ada -> you: hello");
        assert_eq!(shown("ada", "me", Style::Text, "hello"), "[12:00:00] you -> ada: hello");
        assert_eq!(shown("ada", "me", Style::Action, "waves"), "[12:00:00] you -> ada: * me waves");
    }

    #[test]
    fn nobody_forges_a_line_or_moves_the_cursor() {
        let hostile = "hi\r\n[12:00:01] #a <bob> lies\n-- #a: bob left\u{1b}[2J\u{202e}\r";
        let shown = shown("#a", "ada", Style::Text, hostile);
        let lines: Vec<_> = shown.split('\n').collect();
        assert_eq!(lines[0], "[12:00:00] #a <ada> hi");
        assert!(lines[1..].iter().all(|line| line.starts_with(INDENT)), "{lines:?}");
        assert!(!shown.chars().any(|c| c != '\n' && fernwire::model::is_treacherous(c)), "{shown:?}");
        let topic = topic(&"#a".parse().unwrap(), "x\n[12:00:00] #a <bob> lies");
        assert_eq!(topic.lines().count(), 1);
    }

    #[test]
    fn a_new_day_is_told_once() {
        let mut plain = Plain::new(TimeZone::UTC);
        let (with, me) = ("#a".parse().unwrap(), name("me"));
        let mut said = entry("ada", Style::Text, "one");
        let first = plain.entry(&with, &said, &me);
        assert_eq!(first, "-- Wednesday, 15 November 2023\n[12:00:00] #a <ada> one");
        assert_eq!(plain.entry(&with, &said, &me), "[12:00:00] #a <ada> one");
        said.time += 24 * 3600 * 1000;
        assert!(plain.entry(&with, &said, &me).starts_with("-- Thursday"));
        said.time = i64::MAX;
        assert_eq!(plain.entry(&with, &said, &me), "[--:--:--] #a <ada> one");
    }

    #[test]
    fn only_the_coming_and_going_of_others_is_told() {
        let plain = Plain::new(TimeZone::UTC);
        let me = name("me");
        let mut event = Event::Presence {
            room: "#a".parse().unwrap(),
            joined: vec![name("me"), name("ada")],
            left: vec![name("bob")],
            more: 3,
            present: 7,
        };
        let told = plain.event(&event, &me).unwrap();
        assert_eq!(told, "-- #a: ada came; bob left; 3 more came or left (7 here)");
        if let Event::Presence { joined, left, more, .. } = &mut event {
            (*joined, *left, *more) = (vec![name("ME")], Vec::new(), 0);
        }
        assert_eq!(plain.event(&event, &me), None);
    }
}
