//! Does what a typed command asks for.

use fernwire::client::chat::Moderation;
use fernwire::model::name::{RoomName, Target, UserName};
use fernwire::protocol::chat::Style;

use super::super::command::{Command, Order};
use super::overlay::Overlay;
use super::state::State;
use super::wish::Wish;

impl State {
    /// Does it. `false`: it could not even be begun, and what was typed is worth keeping; the reason flashes.
    pub(super) fn obey(&mut self, command: Command) -> bool {
        let done = match command {
            Command::Nothing => Ok(()),
            Command::Help => {
                self.overlay = Overlay::Help(0);
                Ok(())
            }
            Command::Say(text) => self.with().map(|to| self.post(&to, Style::Text, text)),
            Command::Act(text) => self.with().map(|to| self.post(&to, Style::Action, text)),
            Command::Tell(to, text) => {
                self.go_to(&to);
                self.post(&to, Style::Text, text);
                Ok(())
            }
            Command::Join(room) => {
                self.join(room);
                Ok(())
            }
            Command::Leave(None) if matches!(self.with(), Ok(Target::User(_))) => self.close(),
            Command::Leave(room) => self.room(room).map(|room| self.leave_room(room)),
            Command::Names(room) => self.room(room).map(|room| {
                self.names_asked = Some(room.clone());
                self.wish_when_connected(Wish::Names(room));
            }),
            Command::Rooms => {
                self.open_switcher();
                Ok(())
            }
            Command::Topic(topic) => self.topic(topic),
            Command::History(rows) => {
                self.scroll(-isize::try_from(rows).unwrap_or(isize::MAX));
                Ok(())
            }
            Command::Search(words) => {
                self.search.query.set(&words);
                self.open_search();
                Ok(())
            }
            Command::Ignore(name) => {
                self.ignore(name);
                Ok(())
            }
            Command::Moderate(order) => self.moderate(order),
            Command::Quit => {
                self.quit();
                Ok(())
            }
        };
        done.map_err(|why: &str| self.flash = Some(why.to_owned())).is_ok()
    }

    /// What is asked of the server while there is none is asked when it is back.
    pub(super) fn wish_when_connected(&mut self, wish: Wish) {
        if self.down.is_some() {
            self.flash = Some("no connection; this is done as soon as there is one".to_owned());
        }
        self.wishes.push(wish);
    }

    fn leave_room(&mut self, room: RoomName) {
        // One that is none of ours is only closed.
        let outside = self.position(&Target::Room(room.clone())).filter(|position| !self.places[*position].is_ours());
        match outside {
            Some(position) if position == self.current => {
                if let Err(why) = self.close() {
                    self.flash = Some(why.to_owned());
                }
            }
            _ => self.wish_when_connected(Wish::Leave(room)),
        }
    }

    /// Closes what one is no member of; not what one has said there, as long as nobody has it.
    fn close(&mut self) -> Result<(), &'static str> {
        if self.here().is_some_and(|place| !place.is_idle()) {
            return Err("something here is not sent; Alt-R sends it again, Alt-D drops it");
        }
        self.close_here();
        Ok(())
    }

    /// Goes to a room, and becomes a member of it if need be.
    pub(super) fn join(&mut self, room: RoomName) {
        match self.position(&Target::Room(room.clone())).filter(|position| self.places[*position].is_ours()) {
            Some(position) => self.go(position),
            None => self.wish_when_connected(Wish::Join(room)),
        }
    }

    fn with(&self) -> Result<Target, &'static str> {
        self.here()
            .map(|place| place.with.clone())
            .ok_or("no conversation is open; /join #ROOM opens one, and Ctrl-K shows what there is")
    }

    fn room(&self, named: Option<RoomName>) -> Result<RoomName, &'static str> {
        match named.map_or_else(|| self.with(), |room| Ok(Target::Room(room)))? {
            Target::Room(room) => Ok(room),
            Target::User(_) => Err("this is no room"),
        }
    }

    fn topic(&mut self, topic: Option<String>) -> Result<(), &'static str> {
        let room = self.room(None)?;
        match topic {
            Some(topic) => self.wish_when_connected(Wish::Topic { room, topic }),
            None => {
                let topic = self.here().map_or("", |place| &place.topic);
                let told = if topic.is_empty() { "no topic".to_owned() } else { format!("the topic: {topic}") };
                self.tell_here(told);
            }
        }
        Ok(())
    }

    fn ignore(&mut self, name: Option<UserName>) {
        let told = match name {
            None if self.ignored.is_empty() => "nobody is ignored".to_owned(),
            None => {
                let mut names: Vec<_> = self.ignored.values().map(ToString::to_string).collect();
                names.sort();
                format!("ignored: {}", names.join(", "))
            }
            Some(name) => match self.ignored.remove(&name.key()) {
                Some(_) => format!("{name} is ignored no longer"),
                None => {
                    let told = format!("{name} is ignored; the same again shows what they say");
                    self.ignored.insert(name.key(), name);
                    told
                }
            },
        };
        self.tell_here(told);
    }

    fn moderate(&mut self, order: Order) -> Result<(), &'static str> {
        let room = self.room(None)?;
        let Order { measure, name, lasting, address, reason } = order;
        self.wish_when_connected(Wish::Moderate(Moderation { room, name, measure, lasting, address, reason }));
        Ok(())
    }
}
