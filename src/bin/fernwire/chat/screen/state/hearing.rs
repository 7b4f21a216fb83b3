//! What the client's events change.

use std::time::Instant;

use fernwire::client::chat::Event;
use fernwire::model::name::{RoomName, Target, UserName};
use fernwire::protocol::chat::{Conversation, Entry, Measure};

use super::super::super::wording;
use super::super::editor::Editor;
use super::super::mention;
use super::super::overlay::Overlay;
use super::super::place::{Place, Standing};
use super::super::post::Fate;
use super::super::timeline::Said;
use super::{Down, MAX_MENTIONS, Server, State};

impl State {
    /// Something has happened.
    pub(in super::super) fn happened(&mut self, event: Event, now: Instant) {
        match event {
            Event::Online { name, endpoint, mode, proof } => {
                self.me = name;
                self.server = Some(Server { endpoint, mode, proof });
                (self.down, self.ready) = (None, false);
                self.places.iter_mut().for_each(Place::begin_session);
            }
            Event::Down { reason, retry_in } => {
                self.down = Some(Down { reason, until: now + retry_in });
                self.ready = false;
            }
            Event::Conversation(conversation) => {
                if !self.ready
                    && let Some(place) = self.found(&conversation.with)
                {
                    place.set_back(conversation.last);
                }
                self.learn(&conversation);
            }
            Event::NotJoined { room, why } => self.tell_here(format!("{room} is not joined: {}", why.message)),
            Event::Entry { with, entry, mine } => self.hear(with, entry, mine),
            Event::Ready => self.ready(),
            Event::Presence { room, joined, left, more, .. } => self.note_presence(room, joined, left, more),
            Event::Topic { room, topic, by } => {
                let told = wording::topic_set(&topic, by.as_ref());
                if let Some(place) = self.found(&Target::Room(room)) {
                    place.topic = topic;
                    place.tell(told);
                }
            }
            Event::Left { room } => self.part(&room),
            Event::Moderated { room, name, measure, until, by, reason } => {
                let told = wording::moderated(&name, measure, until, by.as_ref(), &reason, &self.zone);
                let parts = matches!(measure, Measure::Kick | Measure::Ban);
                self.note_measure(&room, &name, told, parts);
            }
            Event::Notice { text, to_you } => {
                self.tell_here(wording::server_says(&text, to_you));
                self.ring();
            }
            Event::Sent { post_id, .. } => self.settle_post(&post_id, Fate::Sent),
            Event::Delayed { post_id, why, pause } => {
                self.settle_post(&post_id, Fate::Waiting { why: why.message, until: now + pause });
            }
            Event::Failed { post_id, why, .. } => self.settle_post(&post_id, Fate::Failed { why: why.message }),
            // The end is not shown here.
            Event::Ended(_) => {}
        }
    }

    fn settle_post(&mut self, id: &str, fate: Fate) {
        if let Some(post) = self.post_mut(id) {
            post.fate = fate;
        }
    }

    pub(super) fn learn(&mut self, conversation: &Conversation) {
        self.place(&conversation.with).update(conversation);
        if self.bound_for.as_ref().is_some_and(|with| with.key() == conversation.with.key()) {
            self.bound_for = None;
            // Nobody chose where one was until now.
            let is_free = self.place(&conversation.with).draft.is_empty();
            let draft = is_free.then(|| std::mem::replace(self.editor_mut(), Editor::new()));
            self.go_to(&conversation.with);
            draft.into_iter().for_each(|draft| *self.editor_mut() = draft);
        }
    }

    fn hear(&mut self, with: Target, entry: Entry, mine: bool) {
        let me = self.me.clone();
        let own = entry.from == me;
        let counts = !own && !self.ignored.contains_key(&entry.from.key());
        let mentions = counts && (matches!(with, Target::User(_)) || !mention::places(&entry.text, &me).is_empty());
        let told = mentions.then(|| entry.clone());
        let place = self.place(&with);
        let is_unread = entry.seq > place.timeline.last_seq();
        if !place.say(Said { entry, mine, mentions }, !counts) || !is_unread {
            return;
        }
        if let Some(entry) = told {
            self.mentions.push_front((with, entry));
            self.mentions.truncate(MAX_MENTIONS);
            if let Overlay::Mentions(selected) = &mut self.overlay {
                *selected = (*selected + 1).min(self.mentions.len() - 1);
            }
            // What was missed rings once, and not for each.
            match self.ready {
                true => self.ring(),
                false => self.missed_mention = true,
            }
        }
    }

    fn ready(&mut self) {
        self.ready = true;
        if std::mem::take(&mut self.missed_mention) {
            self.ring();
        }
        // Thrown out while there was no connection.
        let gone = self.places.iter().filter(|place| place.standing == Standing::Ours { confirmed: false });
        let gone: Vec<Target> = gone.map(|place| place.with.clone()).collect();
        for with in gone {
            if let Target::Room(room) = with {
                self.part(&room);
            }
        }
        // A room that could not be joined, or has another name by now.
        if self.bound_for.take().is_some() && self.current >= self.places.len() {
            self.current = 0;
        }
        self.ask_names();
    }

    fn note_presence(&mut self, room: RoomName, mut joined: Vec<UserName>, mut left: Vec<UserName>, more: u64) {
        let me = self.me.clone();
        joined.retain(|name| *name != me);
        left.retain(|name| *name != me);
        let Some(position) = self.position(&Target::Room(room)) else { return };
        let unknown = self.places[position].note_presence(&joined, &left, more);
        if (unknown || more > 0) && position == self.current {
            self.ask_names_of(position);
        }
    }

    /// An operator kept order.
    fn note_measure(&mut self, room: &RoomName, name: &UserName, told: String, parts: bool) {
        let is_me = *name == self.me && parts;
        let Some(position) = self.position(&Target::Room(room.clone())) else {
            return self.tell_here(format!("{room}: {told}"));
        };
        let place = &mut self.places[position];
        if is_me {
            place.measure = Some(told.clone());
        }
        place.tell(told);
        self.ask_names_of(position);
    }

    /// A room is none of ours any more. It stays for as long as one is in it, or something that was written is.
    pub(in super::super) fn part(&mut self, room: &RoomName) {
        let Some(position) = self.position(&Target::Room(room.clone())) else { return };
        let place = &mut self.places[position];
        if !place.is_ours() {
            return;
        }
        place.standing = Standing::Outside;
        place.members.clear();
        let measure = place.measure.take().map(|told| format!("{told}; ")).unwrap_or_default();
        place.tell(format!("you are no member any more; /join {room} comes back"));
        if position != self.current {
            self.tell_here(format!("{room}: {measure}you are no member any more"));
            self.drop_outside();
        }
    }

    /// One has left a room oneself, and goes elsewhere if nothing is left in it.
    pub(in super::super) fn leave(&mut self, room: &RoomName) {
        self.part(room);
        let Some(position) = self.position(&Target::Room(room.clone())) else { return };
        if self.places[position].is_idle() && self.places.len() > 1 {
            self.go(if position == 0 { 1 } else { position - 1 });
        }
    }
}
