//! Search in all conversations, as it is typed.

use fernwire::client::chat::{AskError, Hit};
use ratatui::crossterm::event::{KeyCode, KeyEvent};

use super::editor::{Editor, TooLong};
use super::typing::is_letter;
use super::wish::Wish;

/// The hits that are asked for at once.
pub(super) const MAX_HITS: u32 = 50;
/// The fewest letters that are searched for.
const MIN_LETTERS: usize = 2;
/// No query is as wide as this, so that it never wraps.
const ONE_ROW: u16 = u16::MAX;

/// What is searched for and what was found; both stay when somebody goes to a hit, and comes back for the next.
pub(super) struct Search {
    pub(super) query: Editor,
    pub(super) hits: Vec<Hit>,
    pub(super) selected: usize,
    /// What the hits are hits for.
    words: String,
    /// What was asked for and is not answered yet.
    asked: Option<(String, Option<u64>)>,
    /// There may be more: the server has not said yet that there are none. It also ends a page where its answer becomes too
    /// long, so that a short one says nothing.
    more: bool,
    pub(super) error: Option<String>,
    pub(super) is_open: bool,
    /// The words are those of the last time: the first letter begins others.
    is_old: bool,
}

/// What a key in it means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Stay,
    Close,
    Go(Box<Hit>),
}

impl Search {
    pub(super) fn new() -> Self {
        Self {
            query: Editor::new(),
            hits: Vec::new(),
            selected: 0,
            words: String::new(),
            asked: None,
            more: false,
            error: None,
            is_open: false,
            is_old: false,
        }
    }

    pub(super) fn open(&mut self) {
        (self.is_open, self.is_old) = (true, true);
    }

    pub(super) fn press(&mut self, key: KeyEvent) -> Outcome {
        if std::mem::replace(&mut self.is_old, false) && is_letter(key) {
            self.query.take();
        }
        match key.code {
            KeyCode::Esc => return Outcome::Close,
            KeyCode::Enter => {
                if let Some(hit) = self.hits.get(self.selected).filter(|_| !self.is_pending()) {
                    return Outcome::Go(Box::new(hit.clone()));
                }
            }
            KeyCode::Up => self.select(-1),
            KeyCode::Down => self.select(1),
            KeyCode::PageUp => self.select(-10),
            KeyCode::PageDown => self.select(10),
            _ => drop(self.query.press(key, ONE_ROW)),
        }
        Outcome::Stay
    }

    /// Of a paste of several lines the first is searched for.
    pub(super) fn paste(&mut self, text: &str) -> Result<(), TooLong> {
        self.query.insert(text.trim_start().lines().next().unwrap_or_default())
    }

    pub(super) fn select(&mut self, by: isize) {
        self.selected = self.selected.saturating_add_signed(by).min(self.hits.len().saturating_sub(1));
    }

    fn wanted(&self) -> &str {
        self.query.text().trim()
    }

    /// Whether what is shown is not yet what is searched for.
    pub(super) fn is_pending(&self) -> bool {
        self.wanted() != self.words && self.wanted().chars().count() >= MIN_LETTERS
    }

    /// One question at a time: the next is asked when the last is answered, for what is there by then.
    pub(super) fn wish(&mut self) -> Option<Wish> {
        if self.asked.is_some() || !self.is_open {
            return None;
        }
        let before = match self.is_pending() {
            true => None,
            // The last hit is selected, so the next are wanted.
            false if self.more && self.wanted() == self.words && self.selected + 1 >= self.hits.len() => {
                Some(self.hits.last()?.cursor)
            }
            false => return None,
        };
        let words = self.wanted().to_owned();
        self.asked = Some((words.clone(), before));
        Some(Wish::Search { words, before })
    }

    pub(super) fn answered(&mut self, words: &str, before: Option<u64>, result: Result<Vec<Hit>, AskError>) {
        self.asked = None;
        words.clone_into(&mut self.words);
        if before.is_none() {
            self.hits.clear();
            self.selected = 0;
        }
        self.error = None;
        match result {
            Ok(hits) => {
                self.more = !hits.is_empty();
                self.hits.extend(hits);
            }
            Err(error) => (self.more, self.error) = (false, Some(error.to_string())),
        }
    }

    /// What there is to say of it.
    pub(super) fn state(&self, is_connected: bool) -> String {
        match (&self.error, self.hits.len()) {
            _ if self.is_pending() && !is_connected => {
                "no connection; it is searched as soon as there is one".to_owned()
            }
            _ if self.is_pending() => "searching…".to_owned(),
            (Some(error), _) => error.clone(),
            (None, _) if self.wanted().chars().count() < MIN_LETTERS => {
                "Words that were said, in all your conversations; the last may be unfinished.".to_owned()
            }
            (None, 0) => "nothing was found".to_owned(),
            (None, count) if self.more => format!("{count} found so far; Enter goes to one"),
            (None, count) => format!("{count} found; Enter goes to one"),
        }
    }
}

#[cfg(test)]
mod tests {
    use fernwire::protocol::chat::{Entry, Style};

    use super::*;

    fn hits(count: u64) -> Vec<Hit> {
        let hit = |seq| {
            let (from, text, post_id) = ("bob".parse().unwrap(), "words".to_owned(), String::new());
            let entry = Entry { seq, time: 0, from, style: Style::Text, text, post_id };
            Hit { with: "#lobby".parse().unwrap(), cursor: 1000 - seq, entry }
        };
        (1..=count).map(hit).collect()
    }

    #[test]
    fn a_short_page_is_not_the_last_but_an_empty_one_is() {
        let mut search = Search::new();
        search.is_open = true;
        search.paste("words").unwrap();
        assert!(search.wish().is_some());
        search.answered("words", None, Ok(hits(12)));
        assert_eq!(search.state(true), "12 found so far; Enter goes to one");
        assert_eq!(search.wish(), None);
        search.select(11);
        assert_eq!(search.wish(), Some(Wish::Search { words: "words".to_owned(), before: Some(988) }));
        search.answered("words", Some(988), Ok(Vec::new()));
        assert_eq!(search.state(true), "12 found; Enter goes to one");
        assert_eq!(search.wish(), None);
    }
}
