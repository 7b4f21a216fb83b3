//! All that the screen knows: it learns from the client's events and from answers, and wishes for what it cannot do.
//!
//! Nothing in here waits, writes or reads a clock, so that every screen can be made in a test.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use fernwire::channel::mode::KeyMode;
use fernwire::client::chat::{Event, Page};
use fernwire::client::trust::Proof;
use fernwire::model::name::{RoomName, Target, UserName};
use fernwire::protocol::chat::{Conversation, Entry};
use fernwire::transport::endpoint::Endpoint;
use jiff::tz::TimeZone;
use ratatui::layout::Rect;

use super::super::wording;
use super::completion::Completion;
use super::draw::PROMPT;
use super::editor::Editor;
use super::layout::Areas;
use super::mention;
use super::overlay::Overlay;
use super::place::Place;
use super::post::{Fate, Post};
use super::recall::Recall;
use super::search::Search;
use super::text::wrap;
use super::theme::Theme;
use super::timeline::Said;
use super::view::{Anchor, Look, Window};
use super::wish::{Answer, Wish};

/// The most mentions that are collected.
const MAX_MENTIONS: usize = 200;

pub(super) struct State {
    pub(super) me: UserName,
    pub(super) theme: Theme,
    pub(super) zone: TimeZone,
    /// The whole screen.
    pub(super) area: Rect,
    areas: Areas,
    pub(super) server: Option<Server>,
    pub(super) down: Option<Down>,
    /// In the order in which they came, so that their numbers stay.
    pub(super) places: Vec<Place>,
    pub(super) current: usize,
    /// Where to go as soon as it is there.
    pub(super) bound_for: Option<Target>,
    /// What is written while there is no place.
    nowhere: Editor,
    pub(super) recall: Recall,
    pub(super) completion: Completion,
    pub(super) ignored: HashMap<String, UserName>,
    pub(super) overlay: Overlay,
    pub(super) search: Search,
    /// Who named the reader, the newest first.
    pub(super) mentions: VecDeque<(Target, Entry)>,
    /// Something to know right now, until the next key.
    pub(super) flash: Option<String>,
    /// Everything missed has come.
    ready: bool,
    /// A mention was among what was missed.
    missed_mention: bool,
    /// Somebody has asked who is there.
    pub(super) names_asked: bool,
    pub(super) leaving: bool,
    last_post: u32,
    pub(super) wishes: Vec<Wish>,
}

/// The server, and how it is connected to.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) endpoint: Endpoint,
    pub(super) mode: KeyMode,
    pub(super) proof: Proof,
}

/// There is no connection.
#[derive(Debug, Clone)]
pub(super) struct Down {
    /// Why; harmless to show.
    pub(super) reason: String,
    /// When it is tried again.
    pub(super) until: Instant,
}

impl State {
    pub(super) fn new(me: UserName, bound_for: Option<Target>, theme: Theme, zone: TimeZone, area: Rect) -> Self {
        let mut state = Self {
            me,
            theme,
            zone,
            area,
            areas: Areas::default(),
            server: None,
            down: None,
            places: Vec::new(),
            current: 0,
            bound_for,
            nowhere: Editor::new(),
            recall: Recall::new(),
            completion: Completion::default(),
            ignored: HashMap::new(),
            overlay: Overlay::None,
            search: Search::new(),
            mentions: VecDeque::new(),
            flash: None,
            ready: false,
            missed_mention: false,
            names_asked: false,
            leaving: false,
            last_post: 0,
            wishes: Vec::new(),
        };
        state.lay_out();
        state
    }

    pub(super) fn here(&self) -> Option<&Place> {
        self.places.get(self.current)
    }

    pub(super) fn here_mut(&mut self) -> Option<&mut Place> {
        self.places.get_mut(self.current)
    }

    pub(super) fn editor(&self) -> &Editor {
        self.places.get(self.current).map_or(&self.nowhere, |place| &place.draft)
    }

    pub(super) fn editor_mut(&mut self) -> &mut Editor {
        self.places.get_mut(self.current).map_or(&mut self.nowhere, |place| &mut place.draft)
    }

    fn position(&self, with: &Target) -> Option<usize> {
        let key = with.key();
        self.places.iter().position(|place| place.with.key() == key)
    }

    /// The place of a conversation, which is made if there is none.
    pub(super) fn place(&mut self, with: &Target) -> &mut Place {
        let position = self.position(with).unwrap_or_else(|| {
            let mut place = Place::new(with.clone());
            if self.places.is_empty() {
                std::mem::swap(&mut place.draft, &mut self.nowhere);
            }
            self.places.push(place);
            self.places.len() - 1
        });
        &mut self.places[position]
    }

    fn post_mut(&mut self, id: &str) -> Option<&mut Post> {
        let posts = self.places.iter_mut().flat_map(|place| place.timeline.posts_mut());
        posts.into_iter().find(|post| post.id.as_deref() == Some(id))
    }

    /// Posts of which it is not known what became of them.
    pub(super) fn unsettled(&self) -> usize {
        self.places.iter().flat_map(|place| place.timeline.posts()).filter(|post| !post.is_settled()).count()
    }

    /// Something has happened.
    pub(super) fn happened(&mut self, event: Event, now: Instant) {
        match event {
            Event::Online { name, endpoint, mode, proof } => {
                self.me = name;
                self.server = Some(Server { endpoint, mode, proof });
                (self.down, self.ready) = (None, false);
            }
            Event::Down { reason, retry_in } => {
                self.down = Some(Down { reason, until: now + retry_in });
                self.ready = false;
            }
            Event::Conversation(conversation) => self.learn(&conversation),
            Event::NotJoined { room, why } => self.tell_here(format!("{room} is not joined: {}", why.message)),
            Event::Entry { with, entry, mine } => self.hear(with, entry, mine),
            Event::Ready => self.ready(),
            Event::Presence { room, joined, left, more, .. } => self.note_presence(room, joined, left, more),
            Event::Topic { room, topic, by } => {
                let told = wording::topic_set(&topic, by.as_ref());
                let place = self.place(&Target::Room(room));
                place.topic = topic;
                place.timeline.tell(told);
            }
            Event::Left { room } => self.forget(&room),
            Event::Moderated { room, name, measure, until, by, reason } => {
                let told = wording::moderated(&name, measure, until, by.as_ref(), &reason, &self.zone);
                if let Some(position) = self.position(&Target::Room(room.clone())) {
                    self.places[position].timeline.tell(told);
                    self.wishes.push(Wish::Names(room));
                } else {
                    self.tell_here(format!("{room}: {told}"));
                }
            }
            Event::Notice { text, to_you } => {
                self.tell_here(wording::server_says(&text, to_you));
                self.wishes.push(Wish::Bell);
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

    fn learn(&mut self, conversation: &Conversation) {
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
        if !place.say(Said { entry, mine, mentions }, &me) || !is_unread {
            return;
        }
        if let Some(entry) = told {
            self.mentions.push_front((with, entry));
            self.mentions.truncate(MAX_MENTIONS);
            // What was missed rings once, and not for each.
            match self.ready {
                true => self.wishes.push(Wish::Bell),
                false => self.missed_mention = true,
            }
        }
    }

    fn ready(&mut self) {
        self.ready = true;
        if std::mem::take(&mut self.missed_mention) {
            self.wishes.push(Wish::Bell);
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
        let unknown = self.place(&Target::Room(room.clone())).note_presence(&joined, &left, more);
        let is_here = self.here().is_some_and(|place| place.with == Target::Room(room.clone()));
        if (unknown || more > 0) && is_here {
            self.wishes.push(Wish::Names(room));
        }
    }

    /// A room is none of ours any more.
    pub(super) fn forget(&mut self, room: &RoomName) {
        let Some(position) = self.position(&Target::Room(room.clone())) else { return };
        let draft = self.places.remove(position).draft;
        if position < self.current {
            self.current -= 1;
        } else if position == self.current {
            self.current = self.current.min(self.places.len().saturating_sub(1));
            self.arrive();
        }
        // What was being written is the writer's, wherever it was to go.
        if !draft.is_empty() && self.editor().is_empty() {
            *self.editor_mut() = draft;
        }
        self.tell_here(format!("{room}: you are no member any more"));
    }

    /// A line where one looks.
    pub(super) fn tell_here(&mut self, text: String) {
        match self.here_mut() {
            Some(place) => place.timeline.tell(text),
            None => self.flash = Some(text),
        }
    }

    /// Shows a conversation.
    pub(super) fn go_to(&mut self, with: &Target) {
        self.place(with);
        if let Some(position) = self.position(with) {
            self.go(position);
        }
    }

    /// Shows the conversation with this number, from 0.
    pub(super) fn go(&mut self, position: usize) {
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
        self.arrive();
    }

    fn arrive(&mut self) {
        if self.ready {
            self.ask_names();
        }
    }

    fn ask_names(&mut self) {
        if let Some(Target::Room(room)) = self.here().map(|place| place.with.clone()) {
            self.wishes.push(Wish::Names(room));
        }
    }

    /// Shows an entry, wherever it is.
    pub(super) fn go_to_entry(&mut self, with: &Target, entry: Entry) {
        self.go_to(with);
        let (seq, me) = (entry.seq, self.me.clone());
        let mentions = !mention::places(&entry.text, &me).is_empty();
        let place = self.place(with);
        if !place.timeline.has(seq) {
            place.say(Said { entry, mine: false, mentions }, &me);
        }
        (place.anchor, place.found, place.centred) = (Some(Anchor::entry(seq)), Some(seq), true);
    }

    /// Says something; it is seen at once, and where it stands when the server has it.
    pub(super) fn post(&mut self, to: &Target, style: fernwire::protocol::chat::Style, text: String) {
        self.last_post += 1;
        let number = self.last_post;
        let place = self.place(to);
        let post = Post { number, id: None, style, text: text.clone(), fate: Fate::Sending };
        place.timeline.posts_mut().push(post);
        place.mark = None;
        place.look_at_end();
        self.wishes.push(Wish::Post { number, to: to.clone(), style, text });
    }

    /// Says again what was not taken in this conversation.
    pub(super) fn post_again(&mut self) -> bool {
        let Some(place) = self.here_mut() else { return false };
        let with = place.with.clone();
        let failed: Vec<Post> = place.timeline.posts_mut().extract_if(.., |post| post.has_failed()).collect();
        let any = !failed.is_empty();
        failed.into_iter().for_each(|post| self.post(&with, post.style, post.text));
        any
    }

    /// Forgets what was not taken in this conversation.
    pub(super) fn drop_failed(&mut self) -> bool {
        let Some(place) = self.here_mut() else { return false };
        place.timeline.posts_mut().extract_if(.., |post| post.has_failed()).count() > 0
    }

    /// There is an answer.
    pub(super) fn answered(&mut self, answer: Answer) {
        match answer {
            Answer::Posted { number, to, result } => {
                let posts = self.place(&to).timeline.posts_mut();
                if let Some(post) = posts.iter_mut().find(|post| post.number == number) {
                    match result {
                        Ok(id) => post.id = Some(id),
                        Err(error) => post.fate = Fate::Failed { why: error.to_string() },
                    }
                }
            }
            Answer::Joined { room, result } => match result {
                Ok(conversation) => {
                    self.learn(&conversation);
                    self.bound_for = None;
                    self.go_to(&conversation.with);
                }
                Err(error) => self.flash = Some(format!("{room} is not joined: {error}")),
            },
            Answer::Left { room, result } => match result {
                Ok(()) => self.forget(&room),
                Err(error) => self.flash = Some(error.to_string()),
            },
            Answer::Loaded { with, page, result } => {
                self.loaded(&with, page, result.map_err(|error| error.to_string()))
            }
            Answer::Hits { words, before, result } => self.search.answered(&words, before, result),
            Answer::Names { room, result } => self.names(room, result),
            Answer::Rooms(Ok(rooms)) => self.offer_rooms(rooms),
            Answer::Rooms(Err(error)) | Answer::Done(Err(error)) => self.flash = Some(error.to_string()),
            Answer::Done(Ok(())) => {}
        }
    }

    fn loaded(&mut self, with: &Target, page: Page, result: Result<Vec<Entry>, String>) {
        let (me, ignored) = (self.me.clone(), self.ignored.clone());
        let place = self.place(with);
        place.loading = None;
        let entries = match result {
            Ok(entries) => entries,
            Err(why) => {
                // It is not asked again for what is refused.
                place.timeline.answered(page, &[]);
                self.flash = Some(format!("what was said earlier cannot be had: {why}"));
                return;
            }
        };
        let seqs: Vec<u64> = entries.iter().map(|entry| entry.seq).collect();
        for entry in entries {
            let counts = entry.from != me && !ignored.contains_key(&entry.from.key());
            let mentions = counts && !mention::places(&entry.text, &me).is_empty();
            if !place.timeline.has(entry.seq) {
                place.timeline.say(Said { entry, mine: false, mentions });
            }
        }
        place.timeline.answered(page, &seqs);
    }

    fn names(
        &mut self,
        room: RoomName,
        result: Result<Vec<fernwire::client::chat::Member>, fernwire::client::chat::AskError>,
    ) {
        let asked = std::mem::take(&mut self.names_asked);
        match result {
            Ok(mut members) => {
                members.sort_by_key(|member| (!member.present, !member.operator, member.name.key()));
                if asked {
                    self.tell_here(format!("{room}: {}", wording::members(&members)));
                }
                self.place(&Target::Room(room)).members = members;
                // The switcher offers people too, and may have been opened before they were known.
                if matches!(self.overlay, Overlay::Switcher(_)) {
                    self.wishes.push(Wish::Rooms);
                }
            }
            Err(error) if asked => self.flash = Some(error.to_string()),
            Err(_) => {}
        }
    }

    /// Where everything stands, as of the last [`State::lay_out`].
    pub(super) fn areas(&self) -> Areas {
        self.areas
    }

    /// Makes room for everything that is there now.
    pub(super) fn lay_out(&mut self) {
        let has_members = self.here().is_some_and(|place| matches!(place.with, Target::Room(_)));
        let input = self.editor().rows(self.area.width.saturating_sub(PROMPT)).0.len();
        let banner = self.banner().map_or(0, |(style, text)| wrap(&[(style, &text)], self.area.width, 0).len());
        self.areas = Areas::of(self.area, has_members, input, banner);
    }

    /// The current conversation, as it is to be shown.
    pub(super) fn look<'a>(&'a self, place: &'a Place, now: Instant) -> Look<'a> {
        Look {
            timeline: &place.timeline,
            theme: &self.theme,
            zone: &self.zone,
            me: &self.me,
            ignored: &self.ignored,
            width: self.areas().messages.width,
            mark: place.mark,
            found: place.found,
            now,
        }
    }

    /// What is in view of the current conversation.
    pub(super) fn window(&self, now: Instant) -> Window {
        self.here().map(|place| self.look(place, now).window(place.anchor, self.height())).unwrap_or_default()
    }

    /// Moves the view by so many rows; up is negative.
    pub(super) fn scroll(&mut self, rows: isize) {
        let Some(place) = self.here() else { return };
        // How far something is counted down moves nothing.
        let anchor = self.look(place, Instant::now()).scrolled(place.anchor, -rows, self.height());
        if let Some(place) = self.here_mut() {
            place.centred = false;
            place.look_at(anchor);
        }
    }

    /// How many rows of messages there are.
    pub(super) fn height(&self) -> usize {
        self.areas().messages.height.into()
    }

    /// Puts what was looked for in the middle, as long as that is wanted.
    fn centre(&mut self) {
        let Some((place, seq)) = self.here().and_then(|place| Some((place, place.found.filter(|_| place.centred)?)))
        else {
            return;
        };
        let anchor = self.look(place, Instant::now()).centred(seq, self.height());
        self.here_mut().into_iter().for_each(|place| place.look_at(anchor));
    }

    /// After something has changed: asks for what is missing in view, and notes what has been seen.
    pub(super) fn settle(&mut self, now: Instant) {
        self.lay_out();
        self.centre();
        let window = self.window(now);
        let height = self.height();
        if let Some(wish) = self.search.wish() {
            self.wishes.push(wish);
        }
        let (ready, covered) = (self.ready, !matches!(self.overlay, Overlay::None));
        let Some(place) = self.places.get_mut(self.current) else { return };
        place.look_at(window.anchor);
        let with = place.with.clone();
        if ready && let Some((page, limit)) = place.missing(&window, height) {
            place.loading = Some(page);
            self.wishes.push(Wish::Load { with: with.clone(), page, limit });
        } else if ready && place.loading.is_none() {
            place.centred = false;
        }
        if place.anchor.is_none() && !covered {
            place.timeline.trim();
            let read = place.note_read();
            self.wishes.extend(read.map(|seq| Wish::Read(with, seq)));
        }
    }

    /// When the screen changes by itself, if it does: while something is counted down.
    pub(super) fn next_change(&self, now: Instant) -> Option<Instant> {
        let posts = self.here().into_iter().flat_map(|place| place.timeline.posts());
        let waits = posts.filter_map(|post| match post.fate {
            Fate::Waiting { until, .. } => Some(until),
            _ => None,
        });
        let ends = self.down.as_ref().map(|down| down.until).into_iter().chain(waits);
        let left = ends.map(|until| until.saturating_duration_since(now)).filter(|left| !left.is_zero());
        // As soon as one second less is shown.
        let until_next = left.map(|left| match left.subsec_nanos() {
            0 => Duration::from_secs(1),
            nanos => Duration::from_nanos(nanos.into()),
        });
        until_next.min().map(|pause| now + pause)
    }
}
