//! Text from anybody, made harmless: nothing in it moves a cursor, turns a direction, or piles up without taking room.

use std::fmt::Write as _;

use fernwire::model::{Visible, is_treacherous};
use ratatui::buffer::CellWidth;

/// What a tab is shown as.
const TAB: &str = "    ";

/// The most characters without a width of their own that a letter carries; those of every script have fewer.
const MAX_MARKS: usize = 6;

/// The text with line feeds, and with nothing else that a terminal would obey.
///
/// What would be obeyed, and marks beyond those of any letter, appear as escapes, many in a row as one with their number.
/// What shows nothing is left out.
///
/// It ends behind so many letters, each of which takes a column or more.
pub(super) fn clean(text: &str, most: usize) -> String {
    let room = text.len().min(most);
    let mut cleaned = Cleaned { text: String::with_capacity(room), letters: 0, last: None, marks: 0, escaped: None };
    let mut rest = text.chars().peekable();
    while cleaned.letters < most
        && let Some(c) = rest.next()
    {
        match c {
            '\r' if rest.peek() == Some(&'\n') => {}
            '\n' => cleaned.letter(c),
            '\t' => TAB.chars().for_each(|c| cleaned.letter(c)),
            c if is_treacherous(c) => cleaned.escape(c, Reason::Obeyed(c)),
            c if is_unseen(c) => {}
            '\u{200c}' | '\u{200d}' if !cleaned.last.is_some_and(takes_joiner) => {}
            c if is_tone(c) && !cleaned.last.is_some_and(takes_tone) => cleaned.escape(c, Reason::Obeyed(c)),
            c if width(c) == 0 => cleaned.mark(c),
            c => cleaned.letter(c),
        }
    }
    cleaned.finish()
}

/// How many columns the character takes.
pub(super) fn width(c: char) -> u16 {
    c.encode_utf8(&mut [0; 4]).cell_width()
}

/// Whether it gives the emoji before it a colour of skin.
pub(super) fn is_tone(c: char) -> bool {
    ('\u{1f3fb}'..='\u{1f3ff}').contains(&c)
}

/// Whether it is one of the people and hands that are one column wide by the tables, and two for some terminals.
pub(super) fn is_narrow_person(c: char) -> bool {
    matches!(
        c,
        '\u{261d}'
            | '\u{26f9}'
            | '\u{270c}'
            | '\u{270d}'
            | '\u{1f3cb}'
            | '\u{1f3cc}'
            | '\u{1f574}'
            | '\u{1f575}'
            | '\u{1f590}'
    )
}

fn takes_tone(c: char) -> bool {
    is_narrow_person(c)
        || matches!(c, '\u{270a}' | '\u{270b}' | '\u{1f300}'..='\u{1faff}') && width(c) == 2 && !is_tone(c)
}

/// Whether it belongs to a script in which joiners decide about the forms of letters (Arabic and its kin, India's and
/// their neighbours').
///
/// Elsewhere they are left out. Between emoji above all: some terminals draw a family as one glyph of two columns, others
/// its members one after the other, and without joiners all do the latter.
fn takes_joiner(c: char) -> bool {
    matches!(c, '\u{600}'..='\u{dff}' | '\u{f00}'..='\u{109f}' | '\u{1780}'..='\u{18af}' | '\u{a840}'..='\u{abff}'
        | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}' | '\u{10a00}'..='\u{11fff}' | '\u{1e900}'..='\u{1e95f}')
}

/// Whether it takes no room and shows nothing, so that any number could hide in a text.
///
/// Variation selectors are among them: they choose between looks of a character, and terminals disagree about how wide
/// the chosen one is.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

struct Cleaned {
    text: String,
    /// What takes a column at least; an escape counts as one.
    letters: usize,
    last: Option<char>,
    /// How many characters without width have followed the last letter.
    marks: usize,
    /// What was escaped last, and how often in a row.
    escaped: Option<(Reason, usize)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// Somebody's terminal would obey it, or show it anywhere.
    Obeyed(char),
    /// There are too many marks.
    Piled,
}

impl Cleaned {
    fn letter(&mut self, c: char) {
        self.count();
        self.letters += 1;
        self.text.push(c);
        self.last = Some(c);
        self.marks = 0;
    }

    fn mark(&mut self, c: char) {
        self.marks += 1;
        if self.marks > MAX_MARKS {
            return self.escape(c, Reason::Piled);
        }
        self.count();
        self.text.push(c);
        self.last = Some(c);
    }

    fn escape(&mut self, c: char, reason: Reason) {
        match &mut self.escaped {
            Some((last, count)) if *last == reason => *count += 1,
            _ => {
                self.count();
                self.letters += 1;
                self.escaped = Some((reason, 1));
                // A mark is escaped for its number, of which `Visible` knows nothing here.
                let _ = match reason {
                    Reason::Obeyed(c) if is_treacherous(c) => {
                        write!(self.text, "{}", Visible(c.encode_utf8(&mut [0; 4])))
                    }
                    _ => write!(self.text, "{}", c.escape_unicode()),
                };
            }
        }
        self.last = None;
    }

    /// Ends a run of escapes.
    fn count(&mut self) {
        if let Some((_, count)) = self.escaped.take()
            && count > 1
        {
            let _ = write!(self.text, "×{count}");
        }
    }

    fn finish(mut self) -> String {
        self.count();
        self.text
    }
}
