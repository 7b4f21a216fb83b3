//! A history as Markdown (CommonMark), in which no text of others is anything but text.
//!
//! Each entry is an item of a list, and everything that it says stays within the item: lines after the first are indented,
//! and characters with a meaning are escaped, at the beginning of a line those too that mean something only there.

use std::fmt::Write;

use fernwire::model::Visible;
use fernwire::store::{Entry, EntryKind, RoomSummary};
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::state::local;

/// What has a meaning wherever it stands: emphasis, code, links, HTML, entities, tables, formulas.
const SPECIAL: &str = r"\`*_[]<>&~|${}";
/// What has a meaning at the beginning of a line: headings, lists, underlines of headings, definitions.
const SPECIAL_FIRST: &str = "#+-=:";
/// As wide as the marker of an item, so that what follows belongs to it.
const INDENT: &str = "  ";

/// Remembers what day it is.
pub(super) struct Markdown {
    zone: TimeZone,
    /// `None`: there is no entry yet; `Some(None)`: a day that no calendar has.
    day: Option<Option<Date>>,
}

impl Markdown {
    pub(super) fn new(zone: TimeZone) -> Self {
        Self { zone, day: None }
    }

    pub(super) fn heading(&self, room: &RoomSummary) -> String {
        let mut text = format!("# {}\n", line(room.name.as_str()));
        if !room.topic.is_empty() {
            // A String takes every write.
            let _ = write!(text, "\nTopic: {}\n", line(&room.topic));
        }
        text
    }

    /// An item, after a heading with the day if that is another than before.
    pub(super) fn entry(&mut self, entry: &Entry) -> String {
        let time = local(entry.time, &self.zone);
        let day = time.as_ref().map(|time| time.date());
        let mut text = String::new();
        if self.day != Some(day) {
            self.day = Some(day);
            let day = day.map_or("No date".to_owned(), |day| day.strftime("%d-%m-%Y").to_string());
            let _ = write!(text, "\n## {day}\n\n");
        }
        let time = time.map_or("--:--".to_owned(), |time| time.strftime("%H:%M").to_string());
        let action = if entry.kind == EntryKind::Action { r"\* " } else { "" };
        let _ = writeln!(text, "- {time} {action}**{}** {}", line(entry.author.as_str()), lines(&entry.text));
        text
    }
}

/// Text of several lines, as a part of an item. A backslash at the end of a line keeps the next one apart.
fn lines(text: &str) -> String {
    let lines: Vec<_> = text.trim_end().split('\n').map(|text| line(text.trim_end_matches('\r'))).collect();
    lines.join(&format!("\\\n{INDENT}"))
}

/// One line, wherever it begins.
fn line(text: &str) -> String {
    let visible = Visible(text).to_string();
    let start = visible.len() - visible.trim_start().len();
    let first = first_to_escape(&visible[start..]).map(|place| start + place);
    let mut escaped = String::with_capacity(visible.len());
    for (place, c) in visible.char_indices() {
        if SPECIAL.contains(c) || first == Some(place) || begins_link(&visible[..place], &visible[place..]) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// What makes the beginning of a line more than text: its first character, or the one after a number.
fn first_to_escape(text: &str) -> Option<usize> {
    let number = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let c = text[number..].chars().next()?;
    let special = if number == 0 { SPECIAL_FIRST.contains(c) } else { ".)".contains(c) };
    special.then_some(number)
}

/// Whether some readers of Markdown would make a link here, with the escapes in its address.
fn begins_link(before: &str, from_here: &str) -> bool {
    let after_www = || before.as_bytes().last_chunk::<3>().is_some_and(|end| end.eq_ignore_ascii_case(b"www"));
    from_here.starts_with("://") || from_here.starts_with('.') && after_www()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_begins_something_only_at_the_beginning_is_left_alone_elsewhere() {
        for (text, escaped) in [
            ("# a # b", r"\# a # b"),
            ("   - a - b", r"   \- a - b"),
            ("12. a 12. b", r"12\. a 12. b"),
            ("12) a", r"12\) a"),
            ("1234", "1234"),
            ("+1 :-) = x", r"\+1 :-) = x"),
            ("", ""),
            ("  ", "  "),
            ("\u{a0}# a", "\u{a0}\\# a"),
            ("\t# a", r"\\t# a"),
        ] {
            assert_eq!(line(text), escaped);
        }
    }

    #[test]
    fn a_text_of_dots_is_escaped_as_fast_as_any_other() {
        let text = ".".repeat(1 << 20);
        assert_eq!(line(&text), text);
    }

    proptest! {
        #[test]
        fn nothing_that_has_a_meaning_is_left(text in r"([ -~\n\r\t]|\PC|[\u{0}-\u{1f}\u{80}-\u{9f}\u{2028}\u{202e}]){0,60}") {
            let escaped = lines(&text);
            let mut lines = escaped.split('\n').peekable();
            while let Some(line) = lines.next() {
                let line = if lines.peek().is_some() { line.strip_suffix('\\').unwrap() } else { line };
                let mut chars = line.chars();
                while let Some(c) = chars.next() {
                    prop_assert!(!c.is_control() && c != '\u{2028}' && c != '\u{202e}', "{escaped:?}");
                    let bare = if c == '\\' { chars.next().is_none() } else { SPECIAL.contains(c) };
                    prop_assert!(!bare, "{c:?} in {escaped:?}");
                }
                prop_assert!(!line.trim_start().starts_with(['#', '+', '-', '=', ':']), "{escaped:?}");
            }
            prop_assert!(escaped.split('\n').skip(1).all(|line| line.starts_with(INDENT)), "{escaped:?}");
        }
    }
}
