//! All that the screen knows: it learns from the client's events and from answers, and wishes for what it cannot do.
//!
//! Nothing in here waits or writes, so that every screen can be made in a test.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use fernwire::channel::mode::KeyMode;
use fernwire::client::trust::Proof;
use fernwire::model::name::{Target, UserName};
use fernwire::protocol::chat::{Entry, Style};
use fernwire::transport::endpoint::Endpoint;
use jiff::tz::TimeZone;
use ratatui::layout::Rect;

use super::completion::Completion;
use super::editor::Editor;
use super::layout::{Areas, PROMPT};
use super::mention;
use super::overlay::Overlay;
use super::place::Place;
use super::post::{Fate, Post};
use super::search::Search;
use super::text::wrap;
use super::theme::Theme;
use super::timeline::Said;
use super::view::{Anchor, Look, Window};
use super::wish::Wish;

/// An answer that takes longer than this is worth a word.
pub(super) const LATE: Duration = Duration::from_secs(5);
/// The most mentions that are collected.
const MAX_MENTIONS: usize = 200;

mod answers;
mod hearing;

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
    /// The server's rooms, as they were told last.
    pub(super) rooms: Vec<String>,
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
            rooms: Vec::new(),
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

    pub(super) fn position(&self, with: &Target) -> Option<usize> {
        let key = with.key();
        self.places.iter().position(|place| place.key == key)
    }

    /// The place of a conversation, if there is one.
    fn found(&mut self, with: &Target) -> Option<&mut Place> {
        self.position(with).map(|position| &mut self.places[position])
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

    /// A line where one looks.
    pub(super) fn tell_here(&mut self, text: String) {
        match self.here_mut() {
            Some(place) => place.tell(text),
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
        self.drop_outside();
        self.arrive();
    }

    /// Rooms that are none of ours are only kept while one is in them, or something of the reader is.
    fn drop_outside(&mut self) {
        let here = self.here().map(|place| place.key.clone());
        self.places.retain(|place| place.is_ours() || !place.is_idle() || Some(&place.key) == here.as_ref());
        self.current = self.places.iter().position(|place| Some(&place.key) == here.as_ref()).unwrap_or(0);
    }

    fn arrive(&mut self) {
        if self.ready {
            self.ask_names();
        }
    }

    fn ask_names(&mut self) {
        if let Some(position) = (self.current < self.places.len()).then_some(self.current) {
            self.ask_names_of(position);
        }
    }

    /// Asks for the members of a room that one is in, once at a time.
    fn ask_names_of(&mut self, position: usize) {
        let place = &mut self.places[position];
        if let Target::Room(room) = place.with.clone()
            && place.is_ours()
            && place.wants_names()
        {
            self.wishes.push(Wish::Names(room));
        }
    }

    /// Rings, once for all that has come together.
    fn ring(&mut self) {
        if !self.wishes.contains(&Wish::Bell) {
            self.wishes.push(Wish::Bell);
        }
    }

    /// Shows an entry, wherever it is.
    pub(super) fn go_to_entry(&mut self, with: &Target, entry: Entry) {
        self.go_to(with);
        let (seq, me) = (entry.seq, self.me.clone());
        let mentions = !mention::places(&entry.text, &me).is_empty();
        let place = self.place(with);
        if !place.timeline.has(seq) {
            place.say(Said { entry, mine: false, mentions }, false);
        }
        (place.anchor, place.found, place.centred) = (Some(Anchor::entry(seq)), Some(seq), true);
    }

    /// Says something; it is seen at once, and where it stands when the server has it.
    pub(super) fn post(&mut self, to: &Target, style: Style, text: String) {
        self.last_post += 1;
        let number = self.last_post;
        let place = self.place(to);
        let post = Post { number, id: None, style, text: text.clone(), fate: Fate::Sending, since: None };
        place.timeline.posts_mut().push(post);
        place.mark = None;
        place.look_at_end();
        self.wishes.push(Wish::Post { number, to: to.clone(), style, text });
    }

    /// Since when the server owes an answer to a post, if it does.
    pub(super) fn unanswered_since(&self) -> Option<Instant> {
        let posts = self.places.iter().flat_map(|place| place.timeline.posts());
        posts.filter(|post| post.fate == Fate::Sending).filter_map(|post| post.since).min()
    }

    /// Posts are waited for from now on, if they can be answered.
    fn note_waiting(&mut self, now: Instant) {
        let is_up = self.down.is_none();
        for post in self.places.iter_mut().flat_map(|place| place.timeline.posts_mut()) {
            post.since = if is_up { post.since.or(Some(now)) } else { None };
        }
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

    /// Forgets the last of what was not taken in this conversation.
    pub(super) fn drop_failed(&mut self) -> bool {
        let Some(posts) = self.here_mut().map(|place| place.timeline.posts_mut()) else { return false };
        let last = posts.iter().rposition(Post::has_failed);
        last.map(|last| posts.remove(last)).is_some()
    }

    /// Goes to the first of what is new here.
    pub(super) fn go_to_mark(&mut self) {
        let Some(place) = self.here_mut() else { return };
        match place.mark.filter(|mark| *mark < place.last()) {
            Some(mark) => {
                (place.anchor, place.found, place.centred) = (Some(Anchor::entry(mark + 1)), Some(mark + 1), true)
            }
            None => self.flash = Some("nothing here is new since you were here last".to_owned()),
        }
    }

    /// Goes nowhere that is none any more.
    pub(super) fn close_here(&mut self) {
        if self.current < self.places.len() {
            self.places.remove(self.current);
            self.current = self.current.saturating_sub(1);
            self.arrive();
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
        let Some((place, seq)) = self
            .here()
            .and_then(|place| Some((place, place.found.filter(|seq| place.centred && place.timeline.has(*seq))?)))
        else {
            return;
        };
        let anchor = self.look(place, Instant::now()).centred(seq, self.height());
        self.here_mut().into_iter().for_each(|place| place.look_at(anchor));
    }

    /// After something has changed: asks for what is missing in view, and notes what has been seen.
    pub(super) fn settle(&mut self, now: Instant) {
        self.note_waiting(now);
        self.lay_out();
        self.centre();
        let window = self.window(now);
        let height = self.height();
        if let Some(wish) = self.search.wish() {
            self.wishes.push(wish);
        }
        // What comes before it is known where one goes is seen by nobody.
        let ready = self.ready && self.bound_for.is_none();
        let covered = !matches!(self.overlay, Overlay::None);
        let Some(place) = self.places.get_mut(self.current) else { return };
        place.look_at(window.anchor);
        let with = place.with.clone();
        if ready && let Some((page, limit)) = place.missing(&window, height) {
            self.wishes.push(Wish::Load { with: with.clone(), page, limit });
        } else if ready && place.loading.is_none() {
            place.centred = false;
        }
        if place.anchor.is_none() && ready && !covered {
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
        // An answer that is late is counted up, which changes as often.
        let late = self.unanswered_since().map(|since| now.saturating_duration_since(since));
        let late = late.map(|late| {
            if late < LATE {
                LATE - late
            } else {
                Duration::from_secs(1) - Duration::from_nanos(late.subsec_nanos().into())
            }
        });
        let left = ends.map(|until| until.saturating_duration_since(now)).filter(|left| !left.is_zero());
        // As soon as one second less is shown.
        let until_next = left.map(|left| match left.subsec_nanos() {
            0 => Duration::from_secs(1),
            nanos => Duration::from_nanos(nanos.into()),
        });
        until_next.chain(late).min().map(|pause| now + pause)
    }
}
