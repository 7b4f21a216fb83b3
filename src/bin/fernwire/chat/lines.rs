//! Chat in lines: one line in, one message out, in a pipe or on a terminal.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::rc::Rc;

use fernwire::client::chat::{Chat, Event, Events};
use fernwire::model::Visible;
use fernwire::model::name::{RoomName, Target, UserName};
use fernwire::protocol::chat::{Conversation, Entry};
use jiff::tz::TimeZone;
use tokio::sync::{Notify, watch};

mod input;
pub(crate) mod json;
mod obey;
mod plain;

use super::{command, options};
use crate::account::Account;
use crate::cli::ChatArgs;
use crate::connect::Server;
use crate::impatience::{self, Wishes};
use crate::output::{self, Unwritten};
use input::Input;
use plain::Plain;

/// How much of a message is repeated when it was not sent.
const EXCERPT: usize = 40;

pub(super) async fn run(mut server: Server, account: Account, args: ChatArgs) -> anyhow::Result<ExitCode> {
    let (client, welcome) = account.connect(&mut server).await?;
    let screen = Screen::new(args.client.json, welcome.name.clone(), &args.room);
    let (chat, events) = Chat::start(options(&server, client, welcome, args.room))?;
    talk(chat, events, screen).await
}

/// Talks until the end of the input, or of the session.
async fn talk(chat: Chat, events: Events, screen: Screen) -> anyhow::Result<ExitCode> {
    let screen = Rc::new(RefCell::new(screen));
    let ready = screen.borrow().ready.subscribe();
    impatience::end_at_the_second_signal()?;
    let mut wishes = Wishes::heard()?;
    let mut showing = std::pin::pin!(show(&chat, events, &screen));
    let typing = async {
        // A script's lines come at once, and are about what is there when everything missed has come.
        if !screen.borrow().on_terminal {
            wait_until(ready.clone()).await;
        }
        let result = type_lines(&chat, &screen).await;
        wait_until(ready).await;
        chat.quit();
        result
    };
    let mut typing = std::pin::pin!(typing);
    let (mut typed, mut interrupted) = (false, false);
    loop {
        tokio::select! {
            ended = &mut showing => {
                return match ended {
                    Ok(()) => Ok(screen.borrow().exit_code()),
                    Err(error) => screen.borrow().unread(error),
                };
            }
            result = &mut typing, if !typed && !interrupted => {
                typed = true;
                if let Err(error) = result {
                    return screen.borrow().unread(error.into());
                }
            }
            () = wishes.next() => {
                if interrupted {
                    return Ok(ExitCode::from(if screen.borrow().leaves_posts() { 2 } else { 0 }));
                }
                interrupted = true;
                chat.quit();
            }
        }
    }
}

async fn wait_until(mut ready: watch::Receiver<bool>) {
    // Its sender outlives this.
    let _ = ready.wait_for(|ready| *ready).await;
}

/// Does what is typed, until there is no more.
async fn type_lines(chat: &Chat, screen: &RefCell<Screen>) -> Result<(), Unwritten> {
    let mut lines = input::lines();
    while let Some(input) = lines.recv().await {
        let command = match input {
            Input::Line(line) => command::parse(&line),
            Input::Unfit(why) => Err(why),
        };
        // A script's /leave is meant for after what it has said before.
        if !screen.borrow().on_terminal && !matches!(&command, Ok(command) if command.is_said()) {
            wait_until_settled(screen).await;
        }
        match command {
            Ok(command::Command::Quit) => return Ok(()),
            Ok(command) => obey::obey(chat, screen, command).await?,
            Err(why) => screen.borrow_mut().complain(why),
        }
    }
    Ok(())
}

async fn wait_until_settled(screen: &RefCell<Screen>) {
    let settled = screen.borrow().settled.clone();
    while !screen.borrow().posts.is_empty() {
        settled.notified().await;
    }
}

/// Shows what happens, until it is over.
async fn show(chat: &Chat, mut events: Events, screen: &RefCell<Screen>) -> anyhow::Result<()> {
    while let Some(event) = events.next().await {
        screen.borrow_mut().show(&event)?;
        match event {
            // It is on the screen, or in the pipe.
            Event::Entry { with, entry, .. } => chat.mark_read(&with, entry.seq),
            Event::Ended(result) => return Ok(result?),
            _ => {}
        }
    }
    Ok(())
}

/// What is shown, and what has to be known for it.
struct Screen {
    form: Form,
    me: UserName,
    /// Where lines go.
    current: Option<Target>,
    conversations: HashMap<String, Conversation>,
    ignored: HashMap<String, UserName>,
    /// The beginnings of messages that are not settled.
    posts: HashMap<String, String>,
    /// One of them is.
    settled: Rc<Notify>,
    ready: watch::Sender<bool>,
    was_down: bool,
    /// Why there is no connection, as it was told last.
    down_for: Option<String>,
    on_terminal: bool,
    failed: bool,
}

enum Form {
    Plain(Plain),
    Json,
}

impl Screen {
    fn new(json: bool, me: UserName, rooms: &[RoomName]) -> Self {
        Self {
            form: if json { Form::Json } else { Form::Plain(Plain::new(TimeZone::system())) },
            me,
            current: rooms.first().cloned().map(Target::Room),
            conversations: HashMap::new(),
            ignored: HashMap::new(),
            posts: HashMap::new(),
            settled: Rc::default(),
            ready: watch::Sender::new(false),
            was_down: false,
            down_for: None,
            on_terminal: io::stdin().is_terminal(),
            failed: false,
        }
    }

    /// A person has seen what went wrong; a script reads it here.
    fn exit_code(&self) -> ExitCode {
        ExitCode::from(if self.failed { 2 } else { 0 })
    }

    /// Whether it is not known of some messages what became of them, which is told.
    fn leaves_posts(&self) -> bool {
        let unsettled = self.posts.len();
        if unsettled > 0 {
            output::note(format_args!("! stopped; of {unsettled} messages it is not known whether they were sent"));
        }
        unsettled > 0
    }

    /// Nothing more can be shown. Whoever reads no more has had enough, but a script's messages are not his to stop.
    fn unread(&self, error: anyhow::Error) -> anyhow::Result<ExitCode> {
        if output::is_closed_pipe(&error) && self.leaves_posts() { Ok(ExitCode::from(2)) } else { Err(error) }
    }

    /// Something that was asked for is not done.
    fn complain(&mut self, why: impl std::fmt::Display) {
        self.failed |= !self.on_terminal;
        output::note(format_args!("! {why}"));
    }

    fn not_sent(&mut self, post_id: &str, why: &str) {
        self.failed = true;
        let excerpt = self.posts.remove(post_id).unwrap_or_default();
        self.settled.notify_one();
        output::note(format_args!("! not sent: {}: {}", Visible(&excerpt), Visible(why)));
    }

    /// Remembers a message until it is known what became of it.
    fn remember(&mut self, post_id: String, text: &str) {
        let cut = text.char_indices().nth(EXCERPT).map_or(text.len(), |(end, _)| end);
        let dots = if cut < text.len() { "..." } else { "" };
        self.posts.insert(post_id, format!("{}{dots}", &text[..cut]));
    }

    fn show(&mut self, event: &Event) -> Result<(), Unwritten> {
        self.tell(event);
        let hidden = matches!(event, Event::Entry { entry, .. } if self.ignored.contains_key(&entry.from.key()));
        // Our own /leave has said so already.
        let stale = matches!(event, Event::Left { room } if !self.conversations.contains_key(&room.key()));
        let written = match &mut self.form {
            _ if hidden => Ok(()),
            Form::Json => output::json(&json::event(event)),
            Form::Plain(plain) => match event {
                // What one has typed, one has seen; and a pipe wants what others say.
                Event::Entry { mine: true, .. } => Ok(()),
                Event::Entry { with, entry, .. } => output::result(plain.entry(with, entry, &self.me)),
                Event::Conversation(conversation) if !*self.ready.borrow() => {
                    plain::unread(conversation).map_or(Ok(()), output::result)
                }
                _ if stale => Ok(()),
                event => plain.event(event, &self.me).map_or(Ok(()), output::result),
            },
        };
        self.learn(event);
        written
    }

    /// What a person or a script's log should know beside the results.
    fn tell(&mut self, event: &Event) {
        match event {
            Event::Online { name, endpoint, proof, .. } if !self.was_down && self.on_terminal => {
                output::note(format_args!(
                    "Connected to {} as {name}, proven by {proof}. /help shows what there is.",
                    endpoint.without_identity()
                ))
            }
            Event::Online { .. } if self.was_down => output::note("connected again"),
            Event::Down { reason, retry_in } => {
                let what = if self.was_down { "still no connection" } else { "connection lost" };
                // A reason is told once, and not with every attempt.
                let known = self.down_for.replace(reason.clone()).as_ref() == Some(reason);
                let why = if known { String::new() } else { format!(": {reason}") };
                self.was_down = true;
                output::note(format_args!("{what}{why}; {}", output::again_in(*retry_in)));
            }
            Event::NotJoined { room, why } => {
                self.failed = true;
                output::note(format_args!("! {room} is not joined: {}", Visible(&why.message)));
            }
            Event::Delayed { why, pause, .. } => {
                output::note(format_args!(
                    "{}; sending goes on in {} s",
                    Visible(&why.message),
                    pause.as_secs_f32().ceil()
                ));
            }
            Event::Failed { post_id, why, .. } => self.not_sent(post_id, &why.message),
            _ => {}
        }
    }

    fn learn(&mut self, event: &Event) {
        match event {
            Event::Online { .. } => (self.was_down, self.down_for) = (false, None),
            Event::Conversation(conversation) => {
                self.conversations.insert(conversation.with.key(), conversation.clone());
            }
            Event::Topic { room, topic, .. } => {
                if let Some(conversation) = self.conversations.get_mut(&room.key()) {
                    conversation.topic.clone_from(topic);
                }
            }
            Event::Left { room } => self.forget(&Target::Room(room.clone())),
            Event::Sent { post_id, .. } => {
                self.posts.remove(post_id);
                self.settled.notify_one();
            }
            Event::Ready => drop(self.ready.send_replace(true)),
            _ => {}
        }
    }

    fn forget(&mut self, with: &Target) {
        self.conversations.remove(&with.key());
        if self.current.as_ref() == Some(with) {
            self.current = None;
        }
    }

    fn old_entry(&self, with: &Target, entry: &Entry) -> Result<(), Unwritten> {
        match &self.form {
            Form::Json => output::json(&json::history(with, entry)),
            Form::Plain(plain) => output::result(plain.old_entry(with, entry, &self.me)),
        }
    }
}
