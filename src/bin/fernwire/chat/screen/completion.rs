//! What Tab makes of the word before the cursor.

use std::ops::Range;

use fernwire::model::name::{RoomName, UserName};

use super::super::command::{COMMANDS, Takes};
use super::editor::Editor;

/// The names that a word can become.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    pub(super) rooms: Vec<String>,
    /// Those who are most likely meant come first.
    pub(super) people: Vec<String>,
}

/// The words that Tab goes through.
#[derive(Debug, Default)]
pub(super) struct Completion {
    cycle: Option<Cycle>,
}

#[derive(Debug)]
struct Cycle {
    choices: Vec<String>,
    chosen: usize,
    /// Where the choice stands in the text.
    place: Range<usize>,
}

/// What the word before the cursor can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Command,
    Room {
        ending: &'static str,
    },
    Person {
        ending: &'static str,
    },
    /// The name of a person behind an `@`, as one calls somebody.
    Called,
}

impl Completion {
    /// Puts what the word before the cursor may become in its place, and the next candidate when it is called again.
    pub(super) fn complete(&mut self, editor: &mut Editor, candidates: &Candidates, forward: bool) {
        let cycle = match self.cycle.take() {
            Some(cycle) if cycle.stands_in(editor) => cycle.turned(forward),
            _ => match Cycle::begin(editor, candidates, forward) {
                Some(cycle) => cycle,
                None => return,
            },
        };
        let start = cycle.place.start;
        let choice = &cycle.choices[cycle.chosen];
        // What there is no room for stays as it was typed.
        if editor.replace(start, choice).is_ok() {
            self.cycle = Some(Cycle { place: start..editor.cursor(), ..cycle });
        }
    }

    /// Ends going through candidates, as any other key does.
    pub(super) fn end(&mut self) {
        self.cycle = None;
    }
}

impl Cycle {
    fn begin(editor: &Editor, candidates: &Candidates, forward: bool) -> Option<Self> {
        let (before, after) = editor.text().split_at(editor.cursor());
        let start = before.trim_end_matches(|c: char| !c.is_whitespace()).len();
        let (context, word) = before.split_at(start);
        let mut choices = choices(kind(context, word)?, word, candidates);
        if after.starts_with(' ') {
            // There is a space behind the cursor already.
            choices.iter_mut().for_each(|choice| choice.truncate(choice.trim_end().len()));
        }
        let chosen = if forward { 0 } else { choices.len().checked_sub(1)? };
        (!choices.is_empty()).then_some(Self { choices, chosen, place: start..before.len() })
    }

    fn stands_in(&self, editor: &Editor) -> bool {
        let shown = editor.text().get(self.place.clone());
        editor.cursor() == self.place.end && shown == Some(self.choices[self.chosen].as_str())
    }

    fn turned(mut self, forward: bool) -> Self {
        let count = self.choices.len();
        self.chosen = if forward { self.chosen + 1 } else { self.chosen + count - 1 } % count;
        self
    }
}

/// What a word behind this text may be.
fn kind(context: &str, word: &str) -> Option<Kind> {
    let line = context.rsplit('\n').next().unwrap_or(context);
    if word.is_empty() && line.trim().is_empty() {
        // Whoever has begun nothing means nobody.
        return None;
    }
    if context.is_empty() && word.starts_with('/') {
        return Some(Kind::Command);
    }
    let takes = taken(context);
    Some(match takes {
        Some(Takes::Nothing) => return None,
        Some(Takes::Room) => Kind::Room { ending: "" },
        Some(Takes::Name) => Kind::Person { ending: "" },
        _ if word.starts_with('#') => Kind::Room { ending: " " },
        None | Some(Takes::Text) if word.starts_with('@') => Kind::Called,
        Some(_) => Kind::Person { ending: " " },
        None if context.is_empty() || context.ends_with('\n') => Kind::Person { ending: ": " },
        None => Kind::Person { ending: " " },
    })
}

/// What the command takes of which this is the whole text so far, if it is one.
fn taken(context: &str) -> Option<Takes> {
    let name = context.strip_prefix('/')?.trim_end().to_lowercase();
    COMMANDS.iter().find(|(command, _)| *command == name).map(|(_, takes)| *takes)
}

fn choices(kind: Kind, word: &str, candidates: &Candidates) -> Vec<String> {
    match kind {
        Kind::Command => {
            let word = word[1..].to_lowercase();
            let mut names: Vec<_> = COMMANDS.iter().filter(|(name, _)| name.starts_with(&word)).collect();
            names.sort_by_key(|(name, _)| *name);
            names
                .iter()
                .map(|(name, takes)| format!("/{name}{}", if *takes == Takes::Nothing { "" } else { " " }))
                .collect()
        }
        Kind::Room { ending } => {
            let Some(begun) = begun(word.strip_prefix('#').unwrap_or(word)) else { return Vec::new() };
            let known = candidates.rooms.iter().filter_map(|room| room.parse().ok());
            let mut rooms: Vec<(String, RoomName)> = known.map(|room: RoomName| (folded(&room.key()), room)).collect();
            rooms.retain(|(key, _)| key.starts_with(&format!("#{begun}")));
            rooms.sort_by(|(one, _), (other, _)| one.cmp(other));
            rooms.iter().map(|(_, room)| format!("{room}{ending}")).collect()
        }
        Kind::Person { ending } => people(word, candidates).map(|name| format!("{name}{ending}")).collect(),
        Kind::Called => {
            // A name may itself begin with the sign.
            let named = people(word, candidates).map(|name| format!("{name} "));
            let called = people(&word[1..], candidates).map(|name| format!("@{name} "));
            named.chain(called).collect()
        }
    }
}

/// The people whose names begin so.
fn people(word: &str, candidates: &Candidates) -> impl Iterator<Item = UserName> {
    let known = candidates.people.iter().filter_map(|name| name.parse().ok());
    let begun = begun(word);
    known.filter(move |name: &UserName| begun.as_ref().is_some_and(|begun| folded(&name.key()).starts_with(begun)))
}

/// What the keys of all names begin with that begin so; none, if no name does.
fn begun(word: &str) -> Option<String> {
    if word.is_empty() {
        return Some(String::new());
    }
    word.parse().ok().map(|name: UserName| folded(&name.key()))
}

/// A key in which the end of a word changes no letter, as it does a sigma.
fn folded(key: &str) -> String {
    key.replace('ς', "σ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates() -> Candidates {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Candidates {
            rooms: owned(&["#rust", "#Rome", "#lobby"]), people: owned(&["bob", "Ada", "anna", "ΟΔΟΣΙΑ"])
        }
    }

    fn written(text: &str) -> Editor {
        let mut editor = Editor::new();
        editor.set(text);
        editor
    }

    /// What a text becomes by so many Tabs, or BackTabs if there are fewer than none.
    fn tabbed(text: &str, tabs: i32) -> String {
        let (mut editor, mut completion) = (written(text), Completion::default());
        for _ in 0..tabs.abs() {
            completion.complete(&mut editor, &candidates(), tabs > 0);
        }
        editor.take()
    }

    #[test]
    fn commands_stand_at_the_start() {
        assert_eq!(tabbed("/jo", 1), "/join ");
        assert_eq!(tabbed("/HE", 1), "/help");
        assert_eq!(tabbed("/m", 1), "/me ");
        assert_eq!(tabbed("/m", 2), "/msg ");
        assert_eq!(tabbed("/m", 3), "/mute ");
        assert_eq!(tabbed("/m", 4), "/me ");
        for no_command in ["x /jo", "//jo", "/xyzzy", "/help a"] {
            assert_eq!(tabbed(no_command, 1), no_command);
        }
    }

    #[test]
    fn names_are_completed_as_they_are_used() {
        assert_eq!(tabbed("b", 1), "bob: ");
        assert_eq!(tabbed("hello\nb", 1), "hello\nbob: ");
        assert_eq!(tabbed("hello B", 1), "hello bob ");
        assert_eq!(tabbed("/msg b", 1), "/msg bob ");
        assert_eq!(tabbed("/op b", 1), "/op bob");
        assert_eq!(tabbed("/ban b", 1), "/ban bob ");
        assert_eq!(tabbed("/me hugs b", 1), "/me hugs bob ");
        assert_eq!(tabbed("οδος", 1), "ΟΔΟΣΙΑ: ");
        assert_eq!(tabbed("x", 1), "x");
        assert_eq!(tabbed("b!", 1), "b!");
    }

    #[test]
    fn rooms_are_completed_by_their_mark_or_where_a_command_takes_one() {
        assert_eq!(tabbed("#ro", 1), "#Rome ");
        assert_eq!(tabbed("see #R", 2), "see #rust ");
        assert_eq!(tabbed("/join #l", 1), "/join #lobby");
        assert_eq!(tabbed("/Join l", 1), "/Join #lobby");
        assert_eq!(tabbed("/msg #l", 1), "/msg #lobby ");
        assert_eq!(tabbed("#", 1), "#lobby ");
    }

    #[test]
    fn whoever_is_called_with_an_at_sign_stays_so() {
        assert_eq!(tabbed("@b", 1), "@bob ");
        assert_eq!(tabbed("thanks @B", 1), "thanks @bob ");
        assert_eq!(tabbed("/me hugs @b", 1), "/me hugs @bob ");
        assert_eq!(tabbed("/me @b", 1), "/me @bob ");
        assert_eq!(tabbed("@a", 2), "@anna ");
        assert_eq!(tabbed("@", 1), "@bob ");
        assert_eq!(tabbed("@x", 1), "@x");
        // A command takes the name alone.
        assert_eq!(tabbed("/msg @b", 1), "/msg @b");
    }

    #[test]
    fn a_name_that_begins_with_an_at_sign_comes_first() {
        let people = vec!["bob".to_owned(), "@Bo".to_owned()];
        let (mut editor, mut completion) = (written("@b"), Completion::default());
        let candidates = Candidates { people, ..Candidates::default() };
        completion.complete(&mut editor, &candidates, true);
        assert_eq!(editor.text(), "@Bo ");
        completion.complete(&mut editor, &candidates, true);
        assert_eq!(editor.text(), "@bob ");
    }

    #[test]
    fn on_an_empty_line_nothing_changes() {
        for (line, tabs) in [("", 1), ("", -1), ("  ", 1), ("hello\n", 1)] {
            assert_eq!(tabbed(line, tabs), line, "{line:?}");
        }
        assert_eq!(tabbed("hello ", 1), "hello bob ");
    }

    #[test]
    fn tab_goes_round_and_backtab_the_other_way() {
        assert_eq!(tabbed("a", 1), "Ada: ");
        assert_eq!(tabbed("a", 2), "anna: ");
        assert_eq!(tabbed("a", 3), "Ada: ");
        assert_eq!(tabbed("a", -1), "anna: ");
        assert_eq!(tabbed("a", -2), "Ada: ");
    }

    #[test]
    fn another_key_ends_the_round() {
        let (mut editor, mut completion) = (written("a"), Completion::default());
        completion.complete(&mut editor, &candidates(), true);
        completion.end();
        completion.complete(&mut editor, &candidates(), true);
        assert_eq!(editor.text(), "Ada: bob ");
        editor.insert("a").unwrap();
        completion.complete(&mut editor, &candidates(), true);
        assert_eq!(editor.text(), "Ada: bob Ada ");
    }

    #[test]
    fn what_is_behind_the_cursor_stays() {
        use ratatui::crossterm::event::KeyCode;
        let (mut editor, mut completion) = (written("tell b now"), Completion::default());
        for _ in 0..4 {
            editor.press(KeyCode::Left.into(), 80);
        }
        completion.complete(&mut editor, &candidates(), true);
        assert_eq!(editor.text(), "tell bob now");
        assert_eq!(editor.cursor(), "tell bob".len());
    }

    #[test]
    fn where_nobody_is_nothing_changes() {
        let (mut editor, mut completion) = (written("a"), Completion::default());
        for forward in [true, false] {
            completion.complete(&mut editor, &Candidates::default(), forward);
        }
        assert_eq!(editor.text(), "a");
    }
}
