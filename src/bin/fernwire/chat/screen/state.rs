//! All that the screen knows: it learns from the client's events and from answers, and wishes for what it cannot do.
//!
//! Nothing in here waits or writes, so that every screen can be made in a test.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use fernwire::channel::mode::KeyMode;
use fernwire::client::trust::Proof;
use fernwire::model::name::{RoomName, Target, UserName};
use fernwire::protocol::chat::Entry;
use fernwire::transport::endpoint::Endpoint;
use jiff::tz::TimeZone;
use ratatui::layout::Rect;

use super::completion::Completion;
use super::editor::Editor;
use super::layout::{Areas, PROMPT};
use super::overlay::Overlay;
use super::place::Place;
use super::post::Fate;
use super::search::Search;
use super::text::wrap;
use super::theme::Theme;
use super::view::{Look, Window};
use super::wish::Wish;

/// An answer that takes longer than this is worth a word.
pub(super) const LATE: Duration = Duration::from_secs(5);
/// The most mentions that are collected.
const MAX_MENTIONS: usize = 200;

mod answers;
mod going;
mod hearing;
mod posting;

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
    /// Somebody has asked who is in this room.
    pub(super) names_asked: Option<RoomName>,
    /// The server is being asked for its rooms.
    pub(super) rooms_asked: bool,
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
            names_asked: None,
            rooms_asked: false,
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

    /// A line where one looks.
    pub(super) fn tell_here(&mut self, text: String) {
        match self.here_mut() {
            Some(place) => place.tell(text),
            None => self.flash = Some(text),
        }
    }

    /// Rings, once for all that has come together.
    fn ring(&mut self) {
        if !self.wishes.contains(&Wish::Bell) {
            self.wishes.push(Wish::Bell);
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
        if place.anchor.is_none() && ready && !covered && height > 0 {
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
