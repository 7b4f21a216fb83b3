//! What lies over the conversation for a while.

use std::collections::HashSet;

use ratatui::crossterm::event::{KeyCode, KeyEvent};

use super::draw::last_first_of_help;
use super::place::Place;
use super::search::Outcome as Found;
use super::state::State;
use super::switcher::{Item, Outcome as Chosen, Switcher};
use super::typing::{is_ctrl, is_letter};
use super::wish::Wish;
use fernwire::client::chat::Room;
use fernwire::model::name::Target;

pub(super) enum Overlay {
    None,
    /// Keys and commands, from this row on.
    Help(u16),
    /// Whether one really wants to leave.
    Leave,
    Switcher(Switcher),
    Search,
    /// Who named the reader; this one is selected.
    Mentions(usize),
}

impl State {
    /// Keys while something lies over the conversation.
    pub(super) fn press_overlay(&mut self, key: KeyEvent) {
        match &mut self.overlay {
            Overlay::None => {}
            Overlay::Help(_) => match key.code {
                KeyCode::Down => self.turn_help(1),
                KeyCode::Up => self.turn_help(-1),
                KeyCode::PageDown | KeyCode::Char(' ') => self.turn_help(10),
                KeyCode::PageUp => self.turn_help(-10),
                _ => {
                    self.overlay = Overlay::None;
                    // Whoever goes on writing has read enough.
                    if is_letter(key) {
                        self.edit(key);
                    }
                }
            },
            Overlay::Leave => self.press_leave(key),
            Overlay::Switcher(switcher) => match switcher.press(key) {
                Chosen::Stay => {}
                Chosen::Close => self.overlay = Overlay::None,
                Chosen::Go(with) => {
                    self.overlay = Overlay::None;
                    self.go_to(&with);
                }
                Chosen::Join(room) => {
                    self.overlay = Overlay::None;
                    self.join(room);
                }
            },
            Overlay::Search => match self.search.press(key) {
                Found::Stay => {}
                Found::Close => self.close_search(),
                Found::Go(hit) => {
                    self.close_search();
                    self.go_to_entry(&hit.with, hit.entry);
                }
            },
            Overlay::Mentions(selected) => match key.code {
                KeyCode::Up => *selected = selected.saturating_sub(1),
                KeyCode::Down => *selected = (*selected + 1).min(self.mentions.len().saturating_sub(1)),
                KeyCode::Enter => {
                    let chosen = self.mentions.get(*selected).cloned();
                    self.overlay = Overlay::None;
                    if let Some((with, entry)) = chosen {
                        self.go_to_entry(&with, entry);
                    }
                }
                KeyCode::Esc => self.overlay = Overlay::None,
                _ => {}
            },
        }
    }

    /// So many rows on in the help, but not past its end.
    pub(super) fn turn_help(&mut self, rows: i16) {
        let last = last_first_of_help(self);
        if let Overlay::Help(row) = &mut self.overlay {
            // The terminal may have become larger since.
            *row = (*row).min(last).saturating_add_signed(rows).min(last);
        }
    }

    fn press_leave(&mut self, key: KeyEvent) {
        match key.code {
            KeyCode::Char('y' | 'Y') => self.quit(),
            _ if is_ctrl(key, 'c') => self.quit(),
            _ => self.overlay = Overlay::None,
        }
    }

    /// Leaves when everything is sent; asked again, at once.
    pub(super) fn quit(&mut self) {
        self.overlay = Overlay::None;
        self.wishes.push(if self.leaving { Wish::QuitNow } else { Wish::Quit });
        self.leaving = true;
    }

    pub(super) fn open_search(&mut self) {
        self.overlay = Overlay::Search;
        self.search.open();
    }

    fn close_search(&mut self) {
        self.overlay = Overlay::None;
        self.search.is_open = false;
    }

    pub(super) fn open_switcher(&mut self) {
        self.overlay = Overlay::Switcher(Switcher::new(self.items(&[])));
        self.ask_rooms();
    }

    pub(super) fn ask_rooms(&mut self) {
        if !std::mem::replace(&mut self.rooms_asked, true) {
            self.wishes.push(Wish::Rooms);
        }
    }

    /// The rooms of the server have come.
    pub(super) fn offer_rooms(&mut self, rooms: Vec<Room>) {
        self.rooms_asked = false;
        self.rooms = rooms.iter().map(|room| room.name.to_string()).collect();
        let items = self.items(&rooms);
        if let Overlay::Switcher(switcher) = &mut self.overlay {
            switcher.update(items);
        }
    }

    /// Where one can go: to one's conversations, to other rooms, to people who are about.
    fn items(&self, rooms: &[Room]) -> Vec<Item> {
        // Where one is comes last, since one rarely wants to go there.
        let (before, after) = self.places.split_at(self.current.min(self.places.len()));
        let mut others: Vec<&Place> = before.iter().chain(after.iter().skip(1)).collect();
        others.extend(after.first());
        let mut items: Vec<Item> = others
            .into_iter()
            .map(|place| Item {
                target: place.with.clone(),
                open: true,
                unread: place.unread(),
                mentions: place.unread_mentions,
                topic: place.topic.clone(),
            })
            .collect();
        let mut known: HashSet<String> = self.places.iter().map(|place| place.with.key()).collect();
        let other_rooms = rooms.iter().map(|room| (Target::Room(room.name.clone()), room.topic.clone()));
        let people = self.places.iter().flat_map(|place| &place.members);
        let people = people.filter(|member| member.name != self.me);
        let people = people.map(|member| (Target::User(member.name.clone()), String::new()));
        for (with, note) in other_rooms.chain(people) {
            if known.insert(with.key()) {
                items.push(Item { target: with, open: false, unread: 0, mentions: 0, topic: note });
            }
        }
        items
    }
}
