//! Does what a line asks for.

use std::cell::RefCell;

use fernwire::client::chat::{AskError, Chat, Moderation, Page};
use fernwire::model::Visible;
use fernwire::model::name::{RoomName, Target, UserName};
use fernwire::protocol::chat::{MAX_PAGE, Style};

use super::super::command::{Command, Order};
use super::{Form, Screen, json, plain};
use crate::cli::CHAT_COMMANDS;
use crate::output::{self, Unwritten};

/// The hits of a search that are shown.
const MAX_HITS: u32 = 50;

/// Why something was not done.
enum Undone {
    /// Nobody reads the results any more.
    Unwritten(Unwritten),
    /// And this is why.
    Because(String),
}

impl From<Unwritten> for Undone {
    fn from(error: Unwritten) -> Self {
        Self::Unwritten(error)
    }
}

impl From<AskError> for Undone {
    fn from(error: AskError) -> Self {
        Self::Because(Visible(&error.to_string()).to_string())
    }
}

type Done = Result<(), Undone>;

/// Does it, or complains. The screen is never borrowed while something is waited for: events are shown meanwhile.
pub(super) async fn obey(chat: &Chat, screen: &RefCell<Screen>, command: Command) -> Result<(), Unwritten> {
    let done = match command {
        Command::Nothing | Command::Quit => Ok(()),
        Command::Help => {
            output::note(CHAT_COMMANDS);
            Ok(())
        }
        Command::Say(text) => say_here(chat, screen, Style::Text, text).await,
        Command::Act(text) => say_here(chat, screen, Style::Action, text).await,
        Command::Tell(to, text) => say(chat, screen, &to, Style::Text, text).await,
        Command::Join(room) => join(chat, screen, &room).await,
        Command::Leave(room) => leave(chat, screen, room).await,
        Command::Names(room) => names(chat, screen, room).await,
        Command::Rooms => rooms(chat, screen).await,
        Command::Topic(topic) => self::topic(chat, screen, topic).await,
        Command::History(count) => history(chat, screen, count).await,
        Command::Search(words) => search(chat, screen, &words).await,
        Command::Ignore(name) => {
            ignore(&mut screen.borrow_mut(), name);
            Ok(())
        }
        Command::Moderate(order) => moderate(chat, screen, order).await,
    };
    match done {
        Ok(()) => Ok(()),
        Err(Undone::Unwritten(error)) => Err(error),
        Err(Undone::Because(why)) => {
            screen.borrow_mut().complain(why);
            Ok(())
        }
    }
}

/// Where lines go.
fn here(screen: &RefCell<Screen>) -> Result<Target, Undone> {
    let current = screen.borrow().current.clone();
    current.ok_or_else(|| Undone::Because("no room is chosen; /join #ROOM chooses one".to_owned()))
}

fn room_here(screen: &RefCell<Screen>, named: Option<RoomName>) -> Result<RoomName, Undone> {
    match named.map_or_else(|| here(screen), |room| Ok(Target::Room(room)))? {
        Target::Room(room) => Ok(room),
        Target::User(_) => Err(Undone::Because("this is no room".to_owned())),
    }
}

async fn say_here(chat: &Chat, screen: &RefCell<Screen>, style: Style, text: String) -> Done {
    match here(screen) {
        Ok(to) => say(chat, screen, &to, style, text).await,
        Err(undone) => {
            screen.borrow_mut().failed = true;
            Err(undone)
        }
    }
}

async fn say(chat: &Chat, screen: &RefCell<Screen>, to: &Target, style: Style, text: String) -> Done {
    match chat.post(to, style, text.clone()).await {
        Ok(post_id) => screen.borrow_mut().remember(post_id, &text),
        Err(error) => screen.borrow_mut().not_sent("", &error.to_string()),
    }
    Ok(())
}

async fn join(chat: &Chat, screen: &RefCell<Screen>, room: &RoomName) -> Done {
    let conversation = chat.join(room).await?;
    let mut screen = screen.borrow_mut();
    screen.current = Some(conversation.with.clone());
    if let Form::Plain(_) = screen.form {
        output::result(plain::chosen(&conversation.with, &conversation.topic))?;
    }
    screen.conversations.insert(conversation.with.key(), conversation);
    Ok(())
}

async fn leave(chat: &Chat, screen: &RefCell<Screen>, room: Option<RoomName>) -> Done {
    let room = room_here(screen, room)?;
    // Before the event that says the same.
    let known = screen.borrow_mut().conversations.remove(&room.key());
    if let Err(error) = chat.leave(&room).await {
        let key = room.key();
        known.map(|conversation| screen.borrow_mut().conversations.insert(key, conversation));
        return Err(error.into());
    }
    let mut screen = screen.borrow_mut();
    if let Form::Plain(_) = screen.form {
        output::result(format_args!("-- {room}: left"))?;
    }
    screen.forget(&Target::Room(room));
    Ok(())
}

async fn names(chat: &Chat, screen: &RefCell<Screen>, room: Option<RoomName>) -> Done {
    let room = room_here(screen, room)?;
    let members = chat.names(&room).await?;
    let room = Target::Room(room);
    match screen.borrow().form {
        Form::Json => members.iter().try_for_each(|member| output::json(&json::member(&room, member)))?,
        Form::Plain(_) => output::result(plain::members(&room, &members))?,
    }
    Ok(())
}

async fn rooms(chat: &Chat, screen: &RefCell<Screen>) -> Done {
    let rooms = chat.rooms().await?;
    let json = matches!(screen.borrow().form, Form::Json);
    rooms.iter().try_for_each(|room| match json {
        true => output::json(&json::room(room)),
        false => output::result(plain::room(room)),
    })?;
    Ok(())
}

async fn topic(chat: &Chat, screen: &RefCell<Screen>, topic: Option<String>) -> Done {
    let room = room_here(screen, None)?;
    let Some(topic) = topic else {
        let screen = screen.borrow();
        let topic = screen.conversations.get(&room.key()).map_or("", |conversation| &conversation.topic);
        let room = Target::Room(room);
        match screen.form {
            Form::Json => output::json(&json::topic(&room, topic))?,
            Form::Plain(_) => output::result(plain::topic(&room, topic))?,
        }
        return Ok(());
    };
    Ok(chat.topic(&room, topic).await?)
}

async fn history(chat: &Chat, screen: &RefCell<Screen>, count: u32) -> Done {
    let with = here(screen)?;
    let newest = chat.history(&with, Page::Last, 1).await?;
    let last = newest.last().map_or(0, |entry| entry.seq);
    let mut shown = last.saturating_sub(u64::from(count));
    // A page at a time, so that a long history is never all in memory.
    while shown < last {
        let wanted = u32::try_from(last - shown).unwrap_or(MAX_PAGE).min(MAX_PAGE);
        let page = chat.history(&with, Page::After(shown), wanted).await?;
        let Some(end) = page.last().map(|entry| entry.seq) else { break };
        page.iter().try_for_each(|entry| screen.borrow().old_entry(&with, entry))?;
        shown = end;
    }
    Ok(())
}

async fn search(chat: &Chat, screen: &RefCell<Screen>, words: &str) -> Done {
    let hits = chat.search(words, None, None, MAX_HITS).await?;
    let screen = screen.borrow();
    // The newest last, where one looks first.
    for hit in hits.iter().rev() {
        match &screen.form {
            Form::Json => output::json(&json::hit(hit))?,
            Form::Plain(plain) => output::result(plain.hit(hit, &screen.me))?,
        }
    }
    if hits.is_empty() {
        output::note("nothing was found");
    } else if hits.len() == MAX_HITS as usize {
        output::note(format_args!("these are the last {MAX_HITS}; more words find less"));
    }
    Ok(())
}

fn ignore(screen: &mut Screen, name: Option<UserName>) {
    match name {
        None if screen.ignored.is_empty() => output::note("nobody is ignored"),
        None => {
            let mut names: Vec<_> = screen.ignored.values().map(ToString::to_string).collect();
            names.sort();
            output::note(format_args!("ignored: {}", names.join(", ")));
        }
        Some(name) => match screen.ignored.remove(&name.key()) {
            Some(_) => output::note(format_args!("{name} is ignored no longer")),
            None => {
                output::note(format_args!("{name} is ignored"));
                screen.ignored.insert(name.key(), name);
            }
        },
    }
}

async fn moderate(chat: &Chat, screen: &RefCell<Screen>, order: Order) -> Done {
    let room = room_here(screen, None)?;
    let Order { measure, name, lasting, address, reason } = order;
    Ok(chat.moderate(Moderation { room, name, measure, lasting, address, reason }).await?)
}
