//! What the answers to wishes change.

use fernwire::client::chat::{AskError, Member, Page};
use fernwire::model::name::{RoomName, Target};
use fernwire::protocol::ErrorCode;
use fernwire::protocol::chat::Entry;

use super::super::super::wording;
use super::super::mention;
use super::super::overlay::Overlay;
use super::super::post::Fate;
use super::super::timeline::Said;
use super::super::wish::Answer;
use super::State;

impl State {
    /// There is an answer.
    pub(in super::super) fn answered(&mut self, answer: Answer) {
        match answer {
            Answer::Posted { number, to, result } => {
                let posts = self.found(&to).into_iter().flat_map(|place| place.timeline.posts_mut());
                if let Some(post) = posts.into_iter().find(|post| post.number == number) {
                    match result {
                        Ok(id) => post.id = Some(id),
                        Err(error) => post.fate = Fate::Failed { why: error.to_string() },
                    }
                }
            }
            Answer::Joined { room, result } => match result {
                Ok(conversation) => {
                    self.learn(&conversation);
                    if conversation.operator && conversation.last == 0 {
                        self.place(&conversation.with).tell("nobody was here before; you are an operator".to_owned());
                    }
                    self.bound_for = None;
                    // Whoever has begun to write something meanwhile is not moved away from it.
                    match self.editor().is_empty() {
                        true => self.go_to(&conversation.with),
                        false => self.flash = Some(format!("{room} is joined, and in the list now")),
                    }
                }
                Err(error) => self.flash = Some(format!("{room} is not joined: {error}")),
            },
            Answer::Left { room, result } => match result {
                Ok(()) => self.leave(&room),
                Err(error) => self.flash = Some(error.to_string()),
            },
            Answer::Loaded { with, page, result } => self.loaded(&with, page, result),
            Answer::Hits { words, before, result } => self.search.answered(&words, before, result),
            Answer::Names { room, result } => self.names(room, result),
            Answer::Rooms(Ok(rooms)) => self.offer_rooms(rooms),
            Answer::Rooms(Err(error)) => {
                self.rooms_asked = false;
                self.flash = Some(error.to_string());
            }
            Answer::Done(Err(error)) => self.flash = Some(error.to_string()),
            Answer::Done(Ok(())) => {}
        }
    }

    fn loaded(&mut self, with: &Target, page: Page, result: Result<Vec<Entry>, AskError>) {
        let (me, ignored) = (self.me.clone(), self.ignored.clone());
        let Some(place) = self.found(with) else { return };
        place.loading = None;
        let entries = match result {
            Ok(entries) => entries,
            // Nothing was said between the two yet.
            Err(AskError::Refused(error)) if error.code == ErrorCode::NotFound && page == Page::Last => Vec::new(),
            // The same is not asked again before something new is heard.
            Err(why) => {
                self.flash = Some(format!("what was said earlier cannot be had: {why}"));
                return;
            }
        };
        let seqs: Vec<u64> = entries.iter().map(|entry| entry.seq).collect();
        for entry in entries {
            let counts = entry.from != me && !ignored.contains_key(&entry.from.key());
            let mentions = counts && !mention::places(&entry.text, &me).is_empty();
            let mine = place.timeline.posts().iter().any(|post| post.id.as_ref() == Some(&entry.post_id));
            if !place.timeline.has(entry.seq) {
                place.timeline.say(Said { entry, mine, mentions });
            }
        }
        place.note_page(&seqs);
        place.timeline.answered(page, &seqs);
    }

    fn names(&mut self, room: RoomName, result: Result<Vec<Member>, AskError>) {
        let asked = self.names_asked.take_if(|asked| *asked == room).is_some();
        let told = match &result {
            Ok(members) => wording::members(members),
            Err(error) => error.to_string(),
        };
        if asked {
            self.tell_here(format!("{room}: {told}"));
        }
        let Some(position) = self.position(&Target::Room(room)) else { return };
        let again = self.places[position].names_known();
        if let Ok(mut members) = result {
            members.sort_by_cached_key(|member| (!member.present, !member.operator, member.name.key()));
            self.places[position].members = members;
        }
        if again {
            self.ask_names_of(position);
        }
        // The switcher offers people too, and may have been opened before they were known.
        if matches!(self.overlay, Overlay::Switcher(_)) {
            self.ask_rooms();
        }
    }
}
