//! From one conversation to another, and to a place in it.

use fernwire::model::name::Target;
use fernwire::protocol::chat::Entry;

use super::super::mention;
use super::super::timeline::Said;
use super::super::view::Anchor;
use super::super::wish::Wish;
use super::State;

impl State {
    /// Shows a conversation.
    pub(in super::super) fn go_to(&mut self, with: &Target) {
        self.place(with);
        if let Some(position) = self.position(with) {
            self.go(position);
        }
    }

    /// Shows the conversation with this number, from 0.
    pub(in super::super) fn go(&mut self, position: usize) {
        if position >= self.places.len() {
            self.flash = Some(format!("there is no conversation {}", position + 1));
            return;
        }
        if position != self.current
            && let Some(place) = self.here_mut()
        {
            place.leave_off();
        }
        self.completion.end();
        self.current = position;
        self.drop_outside();
        self.arrive();
    }

    /// Rooms that are none of ours are only kept while one is in them, or something of the reader is.
    pub(in super::super) fn drop_outside(&mut self) {
        let here = self.here().map(|place| place.key.clone());
        self.places.retain(|place| place.is_ours() || !place.is_idle() || Some(&place.key) == here.as_ref());
        self.current = self.places.iter().position(|place| Some(&place.key) == here.as_ref()).unwrap_or(0);
    }

    pub(in super::super) fn arrive(&mut self) {
        if self.ready {
            self.ask_names();
        }
    }

    pub(in super::super) fn ask_names(&mut self) {
        if let Some(position) = (self.current < self.places.len()).then_some(self.current) {
            self.ask_names_of(position);
        }
    }

    /// Asks for the members of a room that one is in, once at a time.
    pub(in super::super) fn ask_names_of(&mut self, position: usize) {
        let place = &mut self.places[position];
        if let Target::Room(room) = place.with.clone()
            && place.is_ours()
            && place.wants_names()
        {
            self.wishes.push(Wish::Names(room));
        }
    }

    /// Shows an entry, wherever it is.
    pub(in super::super) fn go_to_entry(&mut self, with: &Target, entry: Entry) {
        self.go_to(with);
        let (seq, me) = (entry.seq, self.me.clone());
        let mentions = !mention::places(&entry.text, &me).is_empty();
        let place = self.place(with);
        if !place.timeline.has(seq) {
            place.say(Said { entry, mine: false, mentions }, false);
        }
        (place.anchor, place.found, place.centred) = (Some(Anchor::entry(seq)), Some(seq), true);
    }

    /// Goes to the first of what is new here.
    pub(in super::super) fn go_to_mark(&mut self) {
        let Some(place) = self.here_mut() else { return };
        match place.mark.filter(|mark| *mark < place.last()) {
            Some(mark) => {
                (place.anchor, place.found, place.centred) = (Some(Anchor::entry(mark + 1)), Some(mark + 1), true)
            }
            None => self.flash = Some("nothing here is new since you were here last".to_owned()),
        }
    }

    /// Goes nowhere that is none any more.
    pub(in super::super) fn close_here(&mut self) {
        if self.current < self.places.len() {
            self.places.remove(self.current);
            self.current = self.current.saturating_sub(1);
            self.arrive();
        }
    }
}
