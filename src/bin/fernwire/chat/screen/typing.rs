//! What keys, the mouse and a paste do.

use fernwire::model::name::{Target, UserName};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Position;

use super::super::command::{self, Command};
use super::completion::Candidates;
use super::editor::Pressed;
use super::layout::PROMPT;
use super::overlay::Overlay;
use super::stage::Input;
use super::state::State;
use super::wish::Wish;

/// How many rows a notch of the wheel moves.
const NOTCH: isize = 3;

impl State {
    /// A person does something.
    pub(super) fn pressed(&mut self, input: Input) {
        match input {
            Input::Key(key) => self.press(key),
            Input::Paste(text) => self.paste(&text),
            Input::Wheel(notches, _) => self.turn(isize::from(notches)),
            Input::Click(position) => self.click(position),
            Input::Resized => {}
        }
    }

    fn press(&mut self, key: KeyEvent) {
        self.flash = None;
        // The terminal is the same, whatever is shown on it.
        if is_ctrl(key, 'l') || is_ctrl(key, 'z') {
            return self.wishes.push(if is_ctrl(key, 'l') { Wish::Redraw } else { Wish::Suspend });
        }
        if !matches!(self.overlay, Overlay::None) {
            // The question itself takes a second Ctrl-C for a yes.
            return match is_ctrl(key, 'c') && !matches!(self.overlay, Overlay::Leave) {
                true => self.close_overlay(),
                false => self.press_overlay(key),
            };
        }
        match key.code {
            KeyCode::Tab | KeyCode::BackTab => return self.complete(key.code == KeyCode::Tab),
            _ => self.completion.end(),
        }
        let page = isize::try_from(self.height()).unwrap_or(isize::MAX).saturating_sub(2).max(1);
        // Shift, or the lock that is like it, makes no other of a letter.
        let held = key.modifiers.difference(KeyModifiers::SHIFT);
        match key.code {
            KeyCode::PageUp => self.scroll(-page),
            KeyCode::PageDown => self.scroll(page),
            KeyCode::F(1) => self.overlay = Overlay::Help(0),
            KeyCode::Esc => self.back_to_the_end(),
            KeyCode::Char(c) if held == KeyModifiers::CONTROL => self.press_ctrl(c, key),
            KeyCode::Char(c) if held == KeyModifiers::ALT => self.press_alt(c, key),
            KeyCode::Up if key.modifiers == KeyModifiers::ALT => self.step(-1),
            KeyCode::Down if key.modifiers == KeyModifiers::ALT => self.step(1),
            KeyCode::Up if key.modifiers == KeyModifiers::SHIFT => self.scroll(-1),
            KeyCode::Down if key.modifiers == KeyModifiers::SHIFT => self.scroll(1),
            KeyCode::End if key.modifiers == KeyModifiers::CONTROL => self.back_to_the_end(),
            KeyCode::Enter if key.modifiers.is_empty() => self.enter(),
            _ => self.edit(key),
        }
    }

    fn press_ctrl(&mut self, c: char, key: KeyEvent) {
        match c.to_ascii_lowercase() {
            'c' => self.overlay = Overlay::Leave,
            'k' => self.open_switcher(),
            'x' => self.empty(),
            'f' => self.open_search(),
            _ => self.edit(key),
        }
    }

    fn press_alt(&mut self, c: char, key: KeyEvent) {
        match c.to_ascii_lowercase() {
            '1'..='9' => self.go(c as usize - '1' as usize),
            'a' => self.go_to_unread(),
            'u' => self.go_to_mark(),
            'm' => self.overlay = Overlay::Mentions(0),
            'r' if self.post_again() => {}
            'r' => self.flash = Some("nothing here has failed to be sent".to_owned()),
            'd' if self.drop_failed() => {}
            _ => self.edit(key),
        }
    }

    fn close_overlay(&mut self) {
        self.overlay = Overlay::None;
        self.search.is_open = false;
    }

    fn back_to_the_end(&mut self) {
        if let Some(place) = self.here_mut() {
            place.look_at_end();
        }
    }

    /// To the next conversation, or the one before.
    fn step(&mut self, by: isize) {
        let count = self.places.len() as isize;
        if count > 0 {
            self.go((self.current as isize + by).rem_euclid(count) as usize);
        }
    }

    /// To what was not read yet: first where somebody wants something of the reader, then onwards from here.
    fn go_to_unread(&mut self) {
        let count = self.places.len();
        let others = || (1..count).map(|step| (self.current + step) % count);
        let mention = others().find(|position| self.places[*position].unread_mentions > 0);
        let unread = || others().find(|position| self.places[*position].unread() > 0);
        match mention.or_else(unread) {
            Some(position) => self.go(position),
            None => self.flash = Some("everything is read".to_owned()),
        }
    }

    /// Empties the input; Up brings it back.
    fn empty(&mut self) {
        let text = self.editor_mut().take();
        self.here_mut().into_iter().for_each(|place| place.recall.push(&text));
    }

    pub(super) fn edit(&mut self, key: KeyEvent) {
        let width = self.area.width.saturating_sub(PROMPT);
        let pressed = self.editor_mut().press(key, width);
        let current = self.editor().text().to_owned();
        let recalled = match pressed {
            Pressed::AtTop => self.here_mut().and_then(|place| place.recall.up(&current)).map(str::to_owned),
            Pressed::AtBottom => self.here_mut().and_then(|place| place.recall.down(&current)).map(str::to_owned),
            Pressed::Full(error) => {
                self.flash = Some(error.to_string());
                None
            }
            Pressed::Done | Pressed::NotMine => None,
        };
        if let Some(text) = recalled {
            self.editor_mut().set(&text);
        }
    }

    fn paste(&mut self, text: &str) {
        self.flash = None;
        self.completion.end();
        let pasted = match &mut self.overlay {
            Overlay::None => self.editor_mut().insert(text),
            Overlay::Search => self.search.paste(text),
            Overlay::Switcher(switcher) => return switcher.paste(text),
            Overlay::Help(_) | Overlay::Leave | Overlay::Mentions(_) => return,
        };
        if let Err(error) = pasted {
            self.flash = Some(error.to_string());
        }
    }

    fn complete(&mut self, forward: bool) {
        let me = self.me.clone();
        let people = self.here().map(|place| place.people(&me)).unwrap_or_default();
        let mut rooms: Vec<String> =
            self.places.iter().map(|place| place.with.to_string()).filter(|name| name.starts_with('#')).collect();
        rooms.extend(self.rooms.iter().filter(|room| !rooms.contains(room)).cloned().collect::<Vec<_>>());
        let mut completion = std::mem::take(&mut self.completion);
        completion.complete(self.editor_mut(), &Candidates { rooms, people }, forward);
        self.completion = completion;
    }

    fn enter(&mut self) {
        let text = self.editor().text().to_owned();
        if self.leaving {
            self.flash = Some("you are leaving; nothing more can be said".to_owned());
            return;
        }
        let command = match command::parse(&text) {
            // A word that is said easily enough, and not alone.
            Ok(Command::Quit) if !text.starts_with('/') => {
                self.editor_mut().take();
                return self.overlay = Overlay::Leave;
            }
            Ok(Command::Nothing) if self.down.is_some() => return self.wishes.push(Wish::TryNow),
            Ok(command) => command,
            Err(why) => return self.go_to_named(&text, why),
        };
        let from = self.here().map(|place| place.with.clone());
        let is_said = command.is_said();
        self.editor_mut().take();
        // What was to be said is kept; a command is in what can be recalled.
        if !self.obey(command) && is_said {
            return self.editor_mut().set(&text);
        }
        let place = from.and_then(|with| self.position(&with)).map(|position| &mut self.places[position]);
        place.into_iter().for_each(|place| place.recall.push(&text));
    }

    /// `/msg NAME` alone opens a conversation; everything else that cannot be understood stays, to be mended.
    fn go_to_named(&mut self, text: &str, why: String) {
        match text.trim().strip_prefix("/msg ").map(|name| name.trim().parse::<UserName>()) {
            Some(Ok(name)) => {
                self.editor_mut().take();
                self.go_to(&Target::User(name));
            }
            _ => self.flash = Some(why),
        }
    }

    fn turn(&mut self, notches: isize) {
        match &mut self.overlay {
            Overlay::None => self.scroll(notches * NOTCH),
            Overlay::Help(_) => self.turn_help(i16::try_from(notches).unwrap_or_default()),
            Overlay::Search => self.search.select(notches),
            Overlay::Mentions(selected) => {
                *selected = selected.saturating_add_signed(notches).min(self.mentions.len().saturating_sub(1));
            }
            Overlay::Leave | Overlay::Switcher(_) => {}
        }
    }

    fn click(&mut self, position: Position) {
        let Some(places) = self.areas().places.filter(|area| area.contains(position)) else { return };
        let row = usize::from(position.y - places.y) + super::draw::first_place(self, places.height);
        if matches!(self.overlay, Overlay::None) && row < self.places.len() {
            self.go(row);
        }
    }
}

/// Whether it is this letter with Ctrl, and not with Alt too: those two together are AltGr on some terminals.
pub(super) fn is_ctrl(key: KeyEvent, c: char) -> bool {
    let held = key.modifiers.difference(KeyModifiers::SHIFT);
    held == KeyModifiers::CONTROL && matches!(key.code, KeyCode::Char(pressed) if pressed.eq_ignore_ascii_case(&c))
}

/// Whether it writes something.
pub(super) fn is_letter(key: KeyEvent) -> bool {
    matches!(key.code, KeyCode::Char(_)) && key.modifiers.difference(KeyModifiers::SHIFT).is_empty()
}
