//! A screen without a terminal: what happens, what is typed, and what is drawn then.

use std::time::{Duration, Instant};

use fernwire::channel::mode::KeyMode;
use fernwire::client::chat::{Event, Member};
use fernwire::client::trust::Proof;
use fernwire::model::name::{RoomName, Target, UserName};
use fernwire::protocol::chat::{Conversation, Entry, Style};
use fernwire::protocol::{ErrorCode, RequestError};
use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::{Position, Rect};

use super::super::draw::draw;
use super::super::stage::Input;
use super::super::state::State;
use super::super::theme::Theme;
use super::super::wish::{Answer, Wish};

/// Noon of 15 November 2023 (UTC), in milliseconds.
const NOON: i64 = 1_700_049_600_000;

pub(super) struct Scene {
    pub(super) state: State,
    pub(super) now: Instant,
    /// All that was wished for and not looked at yet.
    pub(super) wishes: Vec<Wish>,
}

pub(super) fn name(text: &str) -> UserName {
    text.parse().unwrap()
}

pub(super) fn room(text: &str) -> RoomName {
    text.parse().unwrap()
}

pub(super) fn with(text: &str) -> Target {
    text.parse().unwrap()
}

/// An entry; each is half a minute after the one before.
pub(super) fn entry(seq: u64, from: &str, text: &str) -> Entry {
    Entry {
        seq,
        time: NOON + 30_000 * seq as i64,
        from: name(from),
        style: Style::Text,
        text: text.to_owned(),
        post_id: format!("their-{seq}"),
    }
}

/// Whether this text can be read on the screen, in one row.
pub(super) fn has(scene: &Scene, text: &str) -> bool {
    scene.screen().contains(text)
}

impl Scene {
    /// Nothing has happened yet.
    pub(super) fn blank(width: u16, height: u16) -> Self {
        let area = Rect::new(0, 0, width, height);
        let state = State::new(name("ada"), Some(with("#lobby")), Theme::from_env(None), TimeZone::UTC, area);
        Self { state, now: Instant::now(), wishes: Vec::new() }
    }

    /// Connected, and in the lobby, in which nothing was said.
    pub(super) fn new(width: u16, height: u16) -> Self {
        let mut scene = Self::blank(width, height);
        scene.online();
        scene.conversation("#lobby", "where everybody meets", 0, 0);
        scene.happens(Event::Ready);
        scene.names("#lobby", &[("ada", true, true), ("bob", false, true), ("cid", false, false)]);
        scene
    }

    pub(super) fn happens(&mut self, event: Event) {
        self.state.happened(event, self.now);
        self.settle();
    }

    pub(super) fn answer(&mut self, answer: Answer) {
        self.state.answered(answer);
        self.settle();
    }

    fn settle(&mut self) {
        self.state.settle(self.now);
        self.wishes.append(&mut self.state.wishes);
    }

    /// What was wished for since this was asked last.
    pub(super) fn wished(&mut self) -> Vec<Wish> {
        std::mem::take(&mut self.wishes)
    }

    pub(super) fn online(&mut self) {
        let endpoint = "tcp://127.0.0.1:3376".parse().unwrap();
        self.happens(Event::Online { name: name("ada"), endpoint, mode: KeyMode::X25519, proof: Proof::KnownHosts });
    }

    pub(super) fn down(&mut self, reason: &str, seconds: u64) {
        self.happens(Event::Down { reason: reason.to_owned(), retry_in: Duration::from_secs(seconds) });
    }

    pub(super) fn conversation(&mut self, place: &str, topic: &str, last: u64, read: u64) {
        let topic = topic.to_owned();
        self.happens(Event::Conversation(Conversation { with: with(place), topic, operator: false, last, read }));
    }

    pub(super) fn hears(&mut self, place: &str, entry: Entry) {
        self.happens(Event::Entry { with: with(place), entry, mine: false });
    }

    pub(super) fn says(&mut self, place: &str, seq: u64, from: &str, text: &str) {
        self.hears(place, entry(seq, from, text));
    }

    /// The server has taken a post, and tells everybody.
    pub(super) fn sent(&mut self, place: &str, id: &str, seq: u64, text: &str) {
        self.happens(Event::Sent { post_id: id.to_owned(), with: with(place), seq, time: NOON });
        let entry = Entry { post_id: id.to_owned(), ..entry(seq, "ada", text) };
        self.happens(Event::Entry { with: with(place), entry, mine: true });
    }

    pub(super) fn failed(&mut self, place: &str, id: &str, why: &str) {
        let why = RequestError::new(ErrorCode::Refused, why);
        self.happens(Event::Failed { post_id: id.to_owned(), with: with(place), why });
    }

    pub(super) fn comes_and_goes(&mut self, place: &str, joined: &[&str], left: &[&str]) {
        let (joined, left) = (joined.iter().map(|who| name(who)).collect(), left.iter().map(|who| name(who)).collect());
        self.happens(Event::Presence { room: room(place), joined, left, more: 0, present: 2 });
    }

    pub(super) fn names(&mut self, place: &str, members: &[(&str, bool, bool)]) {
        let member = |(who, operator, present): &(&str, bool, bool)| Member {
            name: name(who),
            operator: *operator,
            present: *present,
        };
        self.answer(Answer::Names { room: room(place), result: Ok(members.iter().map(member).collect()) });
    }

    pub(super) fn press(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        self.input(Input::Key(KeyEvent::new(code, modifiers)));
    }

    pub(super) fn key(&mut self, code: KeyCode) {
        self.press(code, KeyModifiers::NONE);
    }

    pub(super) fn ctrl(&mut self, c: char) {
        self.press(KeyCode::Char(c), KeyModifiers::CONTROL);
    }

    pub(super) fn alt(&mut self, c: char) {
        self.press(KeyCode::Char(c), KeyModifiers::ALT);
    }

    pub(super) fn input(&mut self, input: Input) {
        self.state.pressed(input);
        self.settle();
    }

    pub(super) fn types(&mut self, text: &str) {
        text.chars().for_each(|c| self.key(KeyCode::Char(c)));
    }

    /// Types a line and sends it. Of a post the result is its number, and the server gives it the id `post-NUMBER`.
    pub(super) fn enters(&mut self, text: &str) -> Option<u32> {
        self.types(text);
        self.key(KeyCode::Enter);
        let (number, to) = self.wishes.iter().rev().find_map(|wish| match wish {
            Wish::Post { number, to, .. } => Some((*number, to.clone())),
            _ => None,
        })?;
        self.answer(Answer::Posted { number, to, result: Ok(format!("post-{number}")) });
        Some(number)
    }

    pub(super) fn resize(&mut self, width: u16, height: u16) {
        self.state.area = Rect::new(0, 0, width, height);
        self.input(Input::Resized);
    }

    pub(super) fn buffer(&self) -> (Buffer, Option<Position>) {
        let mut buffer = Buffer::empty(self.state.area);
        let cursor = draw(&self.state, self.now, &mut buffer);
        (buffer, cursor)
    }

    /// What is drawn, as text; blanks at the ends of lines are left out, and the cursor is not shown.
    pub(super) fn screen(&self) -> String {
        let (buffer, _) = self.buffer();
        let rows = buffer.area.rows().map(|row| {
            let mut text = String::new();
            let mut x = row.x;
            while x < row.right() {
                let cell = &buffer[(x, row.y)];
                text.push_str(cell.symbol());
                x += ratatui::buffer::CellWidth::cell_width(cell.symbol()).max(1);
            }
            text.trim_end().to_owned() + "\n"
        });
        rows.collect()
    }
}
