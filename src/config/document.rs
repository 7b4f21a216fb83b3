//! A TOML document whose keys are taken one after the other: what nobody takes is unknown.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeInteger, DeString, DeTable, DeValue};

use super::bounds::{TimeBounds, parse_time};
use super::problem::{ConfigError, Given, Place, Problem};
use super::secrecy::{is_key, reason, shown};
use crate::model::is_treacherous;

/// How many characters may be wrong in a key that a question guesses at.
const MAX_TYPOS: usize = 2;

/// The file, and where its lines begin.
pub(super) struct Source {
    path: Arc<Path>,
    lines: Lines,
}

impl Source {
    /// Reads the text of this file down to its tables.
    pub(super) fn parse<'a>(path: &Path, text: &'a str) -> Result<Section<'a>, ConfigError> {
        let source = Self { path: path.into(), lines: Lines::of(text.as_bytes()) };
        match DeTable::parse(text) {
            Ok(table) => Ok(Section::new(&Arc::new(source), "", Place::Default, table.into_inner())),
            Err(error) => {
                let at = error.span().map_or(text.len(), |span| span.start);
                Err(Problem::Syntax(error.message().to_owned()).at(&source.place(at)))
            }
        }
    }

    fn place(&self, at: usize) -> Place {
        Place::File(self.path.clone(), self.lines.number(at))
    }
}

/// Where the lines of a text end.
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn of(text: &[u8]) -> Self {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        Self(text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at).collect())
    }

    /// The number of the line that has this byte; what is behind the end belongs to the last.
    pub(super) fn number(&self, at: usize) -> usize {
        1 + self.0.partition_point(|end| *end < at)
    }
}

type Entries<'a> = Vec<(Spanned<DeString<'a>>, Spanned<DeValue<'a>>)>;

/// One table of the document.
pub(super) struct Section<'a> {
    source: Arc<Source>,
    /// As it stands between brackets; the outermost has none.
    name: String,
    pub(super) place: Place,
    entries: Entries<'a>,
    /// The keys that were asked for, there or not.
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    fn new(source: &Arc<Source>, name: &str, place: Place, table: DeTable<'a>) -> Self {
        let mut entries: Entries<'a> = table.into_iter().collect();
        // A table is sorted by its keys, a reader goes by lines.
        entries.sort_by_key(|(key, _)| key.span().start);
        Self { source: source.clone(), name: name.to_owned(), place, entries, known: Vec::new() }
    }

    /// The value of this key, if the table has it.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Entry<'a>> {
        self.known.push(key);
        let at = self.entries.iter().position(|(found, _)| found.get_ref() == key)?;
        let (key, value) = self.entries.remove(at);
        Some(self.entry(key, value))
    }

    /// The table of this name inside of this one; empty if there is none.
    pub(super) fn section(&mut self, key: &'static str) -> Result<Self, ConfigError> {
        match self.take(key) {
            Some(entry) => entry.section(),
            None => Ok(Self::new(&self.source, &self.name_of(key), Place::Default, DeTable::new())),
        }
    }

    /// All that is left, whatever the keys; each with its line.
    pub(super) fn rest(mut self) -> Vec<Entry<'a>> {
        std::mem::take(&mut self.entries).into_iter().map(|(key, value)| self.entry(key, value)).collect()
    }

    /// Nothing may be left, since that would be a key that does nothing.
    pub(super) fn finish(self) -> Result<(), ConfigError> {
        let Some((key, _)) = self.entries.first() else { return Ok(()) };
        let text = key.get_ref();
        let meant = self.known.iter().find(|known| is_almost(text, known));
        let problem = Problem::UnknownKey {
            key: shown(text),
            section: if self.name.is_empty() { "here".to_owned() } else { format!("of [{}]", self.name) },
            meant: meant.map_or_else(|| "the".to_owned(), |known| format!("did you mean `{known}`? The")),
            known: self.known.join(", "),
        };
        Err(problem.at(&self.source.place(key.span().start)))
    }

    fn entry(&self, key: Spanned<DeString<'a>>, value: Spanned<DeValue<'a>>) -> Entry<'a> {
        let place = self.source.place(key.span().start);
        let key = key.into_inner().into_owned();
        Entry { source: self.source.clone(), section: self.name_of(&key), key, place, value }
    }

    fn name_of(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }
}

/// One value, its key, and its line.
pub(super) struct Entry<'a> {
    source: Arc<Source>,
    /// What it is called if it is a table.
    section: String,
    pub(super) key: String,
    pub(super) place: Place,
    value: Spanned<DeValue<'a>>,
}

impl<'a> Entry<'a> {
    pub(super) fn section(self) -> Result<Section<'a>, ConfigError> {
        match self.value.into_inner() {
            DeValue::Table(table) => Ok(Section::new(&self.source, &shown(&self.section), self.place, table)),
            other => Err(wrong_type(&self.key, &other, "a table: [NAME], and KEY = VALUE below it").at(&self.place)),
        }
    }

    /// Every value of a list, each with its own line.
    pub(super) fn list(self, wanted: &'static str) -> Result<Given<Vec<Self>>, ConfigError> {
        let Self { source, section, key, place, value } = self;
        let values = match value.into_inner() {
            DeValue::Array(values) => values,
            other => return Err(wrong_type(&key, &other, wanted).at(&place)),
        };
        let values = values.into_iter().map(|value| Self {
            source: source.clone(),
            section: section.clone(),
            key: key.clone(),
            place: source.place(value.span().start),
            value,
        });
        Ok(Given::new(values.collect(), place))
    }

    pub(super) fn switch(self) -> Result<Given<bool>, ConfigError> {
        match self.value.into_inner() {
            DeValue::Boolean(on) => Ok(Given::new(on, self.place)),
            other => Err(wrong_type(&self.key, &other, "true or false, without quotes").at(&self.place)),
        }
    }

    /// A whole number from 1 to this.
    pub(super) fn count(self, most: u32) -> Result<Given<u32>, ConfigError> {
        self.number(1, most)
    }

    /// A whole number from the one to the other.
    pub(super) fn number(self, least: u32, most: u32) -> Result<Given<u32>, ConfigError> {
        let number = match self.value.into_inner() {
            DeValue::Integer(number) => number,
            other => return Err(wrong_type(&self.key, &other, "a whole number, without quotes").at(&self.place)),
        };
        match value_of(&number).filter(|count| (least..=most).contains(count)) {
            Some(count) => Ok(Given::new(count, self.place)),
            None => {
                let (key, given) = (shown(&self.key), shown(&number.to_string()));
                Err(Problem::Count { key, given, least, most }.at(&self.place))
            }
        }
    }

    /// A time such as `10s`.
    pub(super) fn time(self, bounds: &TimeBounds) -> Result<Given<Duration>, ConfigError> {
        let Given { value: (key, text), place } = self.text("a time with its unit in quotes, such as \"10s\"")?;
        let problem = || Problem::Time {
            key,
            given: shown(&text),
            bounds: bounds.to_string(),
            example: bounds.example.to_owned(),
        };
        parse_time(&text, bounds).map(|time| Given::new(time, place.clone())).ok_or_else(|| problem().at(&place))
    }

    /// Any text that its type can read.
    pub(super) fn parsed<T: FromStr<Err: Display>>(self, wanted: &'static str) -> Result<Given<T>, ConfigError> {
        let Given { value: (_, text), place } = self.text(wanted)?;
        if is_key(&text) {
            return Err(Problem::KeyItself.at(&place));
        }
        match text.parse() {
            Ok(value) => Ok(Given::new(value, place)),
            Err(error) => Err(Problem::BadValue(reason(error)).at(&place)),
        }
    }

    /// A path, which begins at the folder of the file if it is relative.
    pub(super) fn path(self) -> Result<Given<PathBuf>, ConfigError> {
        let folder = self.source.path.parent().unwrap_or(Path::new("")).to_owned();
        let Given { value, place } = self.path_elsewhere()?;
        Ok(Given::new(folder.join(value), place))
    }

    /// A path that begins elsewhere if it is relative.
    pub(super) fn path_elsewhere(self) -> Result<Given<PathBuf>, ConfigError> {
        let Given { value: (key, text), place } = self.text("a path in quotes")?;
        let wrong = if is_key(&text) {
            return Err(Problem::KeyItself.at(&place));
        } else if text.is_empty() {
            "is empty; write a path, or leave it out"
        } else if text.chars().any(is_treacherous) {
            "has control characters, which no path of ours has; write another"
        } else if text == "~" || text.starts_with("~/") {
            "begins with `~`, which only a shell replaces; write the path in full"
        } else {
            return Ok(Given::new(text.into(), place));
        };
        Err(Problem::BadPath { key, reason: wrong }.at(&place))
    }

    /// The key as it may be shown, and the text.
    fn text(self, wanted: &'static str) -> Result<Given<(String, String)>, ConfigError> {
        match self.value.into_inner() {
            DeValue::String(text) => Ok(Given::new((shown(&self.key), text.into_owned()), self.place)),
            other => Err(wrong_type(&self.key, &other, wanted).at(&self.place)),
        }
    }
}

fn value_of(number: &DeInteger<'_>) -> Option<u32> {
    u32::from_str_radix(number.as_str(), number.radix()).ok()
}

fn wrong_type(key: &str, value: &DeValue<'_>, wanted: &'static str) -> Problem {
    let given = match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time of day",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    Problem::WrongType { key: shown(key), given, wanted }
}

/// Whether so little has to be changed in one to have the other that a typing error explains it.
fn is_almost(text: &str, known: &str) -> bool {
    // Distances grow with the difference in length, and this keeps the table below small.
    if text.len().abs_diff(known.len()) > MAX_TYPOS {
        return false;
    }
    let (text, known) = (text.to_ascii_lowercase().replace('-', "_"), known.as_bytes());
    let mut row: Vec<usize> = (0..=known.len()).collect();
    for (i, a) in text.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in known.iter().enumerate() {
            let changed = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    // In a short key, two typing errors make another word of it.
    row[known.len()] <= MAX_TYPOS.min(known.len() / 2)
}

#[cfg(test)]
mod tests {
    use super::{Lines, is_almost};

    #[test]
    fn a_line_ends_with_its_newline() {
        let lines = Lines::of(b"ab\n\ncd\n");
        let numbers: Vec<_> = (0..9).map(|at| lines.number(at)).collect();
        assert_eq!(numbers, [1, 1, 1, 2, 3, 3, 3, 3, 3]);
    }

    #[test]
    fn typing_errors_are_guessed_and_other_words_are_not() {
        for text in ["lisen", "listn", "Listen", "listten", "litsen"] {
            assert!(is_almost(text, "listen"), "{text}");
        }
        assert!(is_almost("max-sessions", "max_sessions"));
        assert!(is_almost("key", "kex"));
        assert!(["", "lis", "port", "listen_on"].iter().all(|text| !is_almost(text, "listen")));
        assert!(["x", "tls", "log"].iter().all(|text| !is_almost(text, "kex")));
    }
}
