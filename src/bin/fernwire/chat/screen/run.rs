//! The loop: keys, events and answers come in, wishes go out, and what has changed is drawn.

use std::pin::Pin;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use fernwire::client::chat::{Chat, Event, Events};
use fernwire::model::Visible;
use fernwire::model::name::Target;
use jiff::tz::TimeZone;
use ratatui::layout::{Position, Rect};
use tokio::sync::mpsc;

use super::super::options;
use super::door::{self, Entered};
use super::draw::draw;
use super::post::Fate;
use super::search::MAX_HITS;
use super::stage::input::Inputs;
use super::stage::signals::{Signals, Wish as Signal};
use super::stage::{Input, Stage, TYPING_PAUSE};
use super::state::State;
use super::theme::Theme;
use super::wish::{Answer, Wish};
use crate::account::Account;
use crate::cli::ChatArgs;
use crate::connect::Server;
use crate::output;

/// The most that happens between two drawings, however much there is.
const MAX_BATCH: usize = 256;
/// How long a program that was told to end by a signal may take to send what is unsent.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(10);
/// How much of a message is repeated when it was not sent.
const EXCERPT: usize = 40;

pub(in super::super) async fn run(server: Server, account: Account, args: ChatArgs) -> anyhow::Result<ExitCode> {
    let theme = Theme::from_env(std::env::var_os("NO_COLOR").as_deref());
    // Before the terminal is taken, so that no signal comes between.
    let mut signals = Signals::new(LEAVE_TIMEOUT)?;
    let mut stage = Stage::take()?;
    let mut inputs = Inputs::read()?;
    let entered = door::enter(&mut stage, &mut inputs, &mut signals, &server, account, &theme).await?;
    let Some(Entered { client, welcome, typed_ahead }) = entered else { return Ok(ExitCode::SUCCESS) };
    let bound_for = args.room.first().cloned().map(Target::Room);
    let state = State::new(
        welcome.name.clone(),
        bound_for,
        theme,
        TimeZone::system(),
        Rect::from((Position::ORIGIN, stage.size())),
    );
    inputs.join_lines();
    let (chat, events) = Chat::start(options(&server, client, welcome, args.room))?;
    let (answers, answered) = mpsc::unbounded_channel();
    let changes = make_in_order(answers.clone());
    let deaf_until = typed_ahead.map(|when| when.into_std() + TYPING_PAUSE);
    let mut run = Run { stage, state, chat, answers, changes, deaf_until, leave_by: None };
    let ended = run.talk(Sources { inputs, events, answered, signals }).await;
    run.stage.give_back();
    let code = run.say_what_was_not_sent();
    ended.map(|()| code)
}

/// Where things come from.
struct Sources {
    inputs: Inputs,
    events: Events,
    answered: mpsc::UnboundedReceiver<Answer>,
    signals: Signals,
}

/// Something that has come.
enum Came {
    Input(Option<Input>),
    Event(Option<Event>),
    Answer(Answer),
    Signal(Signal),
    /// It is time to draw again, or to end.
    Time,
}

impl Sources {
    async fn next(&mut self) -> Came {
        tokio::select! {
            input = self.inputs.next() => Came::Input(input),
            signal = self.signals.next() => Came::Signal(signal),
            Some(answer) = self.answered.recv() => Came::Answer(answer),
            event = self.events.next() => Came::Event(event),
        }
    }

    /// What is there already.
    async fn next_at_once(&mut self) -> Option<Came> {
        tokio::select! {
            biased;
            came = self.next() => Some(came),
            () = std::future::ready(()) => None,
        }
    }
}

type Change = Pin<Box<dyn Future<Output = Answer> + Send>>;

struct Run {
    stage: Stage,
    state: State,
    chat: Chat,
    answers: mpsc::UnboundedSender<Answer>,
    /// What changes something, made one after the other.
    changes: mpsc::UnboundedSender<Change>,
    /// Until then what is typed is not for the chat.
    deaf_until: Option<Instant>,
    /// When it ends, sent or not.
    leave_by: Option<Instant>,
}

impl Run {
    /// Until the session is over.
    async fn talk(&mut self, mut sources: Sources) -> anyhow::Result<()> {
        loop {
            if self.grant_all()? {
                return Ok(());
            }
            self.show()?;
            let mut next = Some(self.next(&mut sources).await);
            let mut taken = 0;
            // Whatever was fetched is taken.
            while let Some(came) = next {
                if let Some(ended) = self.take(came)? {
                    return ended;
                }
                taken += 1;
                next = if taken < MAX_BATCH { sources.next_at_once().await } else { None };
            }
        }
    }

    async fn next(&self, sources: &mut Sources) -> Came {
        let now = Instant::now();
        let change = self.state.next_change(now).into_iter().chain(self.leave_by).min();
        let change = async {
            match change {
                Some(change) => tokio::time::sleep_until(change.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            came = sources.next() => came,
            () = change => Came::Time,
        }
    }

    /// Takes in what has come; the result is the end, if that is it.
    fn take(&mut self, came: Came) -> anyhow::Result<Option<anyhow::Result<()>>> {
        match came {
            Came::Input(Some(Input::Resized)) => self.is_resized()?,
            Came::Input(Some(input)) => self.hear(input),
            // The terminal is gone.
            Came::Input(None) => self.leave_soon(),
            Came::Signal(Signal::Leave) => self.leave_soon(),
            Came::Signal(Signal::Suspend) => self.suspend()?,
            Came::Signal(Signal::Continued) => self.resume()?,
            Came::Answer(answer) => self.state.answered(answer),
            Came::Event(Some(Event::Ended(result))) => return Ok(Some(result.map_err(Into::into))),
            Came::Event(None) => return Ok(Some(Err(anyhow::anyhow!("the client has ended without saying why")))),
            Came::Event(Some(event)) => self.state.happened(event, Instant::now()),
            Came::Time if self.leave_by.is_some_and(|end| end <= Instant::now()) => return Ok(Some(Ok(()))),
            Came::Time => {}
        }
        Ok(None)
    }

    fn hear(&mut self, input: Input) {
        let now = Instant::now();
        match self.deaf_until.filter(|end| now < *end) {
            Some(_) => self.deaf_until = Some(now + TYPING_PAUSE),
            None => self.state.pressed(input),
        }
    }

    fn leave_soon(&mut self) {
        self.state.leaving = true;
        self.chat.quit();
        self.leave_by.get_or_insert(Instant::now() + LEAVE_TIMEOUT);
    }

    fn suspend(&mut self) -> anyhow::Result<()> {
        if !self.stage.suspend()? {
            self.state.flash = Some("nobody is there who could let it go on, so it was not suspended".to_owned());
        }
        Ok(())
    }

    /// A terminal that was small for a moment may have lost what was on it, and have the size that was known again.
    fn is_resized(&mut self) -> anyhow::Result<()> {
        self.stage.redraw_all()?;
        self.state.area = self.area();
        Ok(())
    }

    fn resume(&mut self) -> anyhow::Result<()> {
        self.stage.resume()?;
        self.state.area = self.area();
        Ok(())
    }

    fn area(&self) -> Rect {
        Rect::from((Position::ORIGIN, self.stage.size()))
    }

    fn show(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        let Self { stage, state, .. } = self;
        stage.draw(|frame| {
            // The terminal may have another size by now than its last event has said.
            if state.area != frame.area() {
                state.area = frame.area();
                state.lay_out();
            }
            if let Some(position) = draw(state, now, frame.buffer_mut()) {
                frame.set_cursor_position(position);
            }
        })?;
        Ok(())
    }

    /// Does what is wished for. `true`: to leave at once.
    fn grant_all(&mut self) -> anyhow::Result<bool> {
        self.state.settle(Instant::now());
        while !self.state.wishes.is_empty() {
            for wish in std::mem::take(&mut self.state.wishes) {
                if wish == Wish::QuitNow {
                    return Ok(true);
                }
                self.grant(wish)?;
            }
            self.state.settle(Instant::now());
        }
        Ok(false)
    }

    fn grant(&mut self, wish: Wish) -> anyhow::Result<()> {
        let chat = self.chat.clone();
        match wish {
            Wish::Post { number, to, style, text } => {
                let result = chat.try_post(&to, style, text);
                self.state.answered(Answer::Posted { number, to, result });
            }
            Wish::Read(with, seq) => chat.mark_read(&with, seq),
            Wish::TryNow => chat.try_now(),
            Wish::Bell => self.stage.bell()?,
            Wish::Redraw => self.stage.redraw_all()?,
            Wish::Suspend => self.suspend()?,
            Wish::Quit => chat.quit(),
            // Seen to by the caller.
            Wish::QuitNow => {}
            Wish::Join(room) => self.change(async move {
                let result = chat.join(&room).await;
                Answer::Joined { room, result }
            }),
            Wish::Leave(room) => self.change(async move {
                let result = chat.leave(&room).await;
                Answer::Left { room, result }
            }),
            Wish::Load { with, page, limit } => self.ask(async move {
                let result = chat.history(&with, page, limit).await;
                Answer::Loaded { with, page, result }
            }),
            Wish::Search { words, before } => self.ask(async move {
                let result = chat.search(&words, None, before, MAX_HITS).await;
                Answer::Hits { words, before, result }
            }),
            Wish::Names(room) => self.ask(async move {
                let result = chat.names(&room).await;
                Answer::Names { room, result }
            }),
            Wish::Rooms => self.ask(async move { Answer::Rooms(chat.rooms().await) }),
            Wish::Topic { room, topic } => self.change(async move { Answer::Done(chat.topic(&room, topic).await) }),
            Wish::Moderate(moderation) => self.change(async move { Answer::Done(chat.moderate(moderation).await) }),
        }
        Ok(())
    }

    /// The same, after all changes that were wished for before it.
    fn change(&self, change: impl Future<Output = Answer> + Send + 'static) {
        // Its receiver lives as long as this does.
        let _ = self.changes.send(Box::pin(change));
    }

    /// Waits for an answer beside everything else.
    fn ask(&self, question: impl Future<Output = Answer> + Send + 'static) {
        let answers = self.answers.clone();
        tokio::spawn(async move {
            // Nobody waits for it after the end.
            let _ = answers.send(question.await);
        });
    }

    /// On the terminal as it was before, what is not on the server; a script would read it in the exit code.
    fn say_what_was_not_sent(&self) -> ExitCode {
        let mut unsettled = 0;
        for post in self.state.posts() {
            let excerpt: String = post.text.chars().take(EXCERPT).collect();
            match &post.fate {
                Fate::Sent => {}
                Fate::Failed { .. } => output::note(format_args!("! not sent: {}", Visible(&excerpt))),
                Fate::Sending | Fate::Waiting { .. } => {
                    unsettled += 1;
                    output::note(format_args!("! not known whether it was sent: {}", Visible(&excerpt)));
                }
            }
        }
        ExitCode::from(if unsettled == 0 { 0 } else { 2 })
    }
}

/// Makes changes one after the other, each when the one before is answered.
fn make_in_order(answers: mpsc::UnboundedSender<Answer>) -> mpsc::UnboundedSender<Change> {
    let (changes, mut wanted) = mpsc::unbounded_channel::<Change>();
    tokio::spawn(async move {
        while let Some(change) = wanted.recv().await {
            // Nobody waits for it after the end.
            let _ = answers.send(change.await);
        }
    });
    changes
}
