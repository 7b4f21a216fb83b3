//! What the person at the server can do: see who is there, speak, answer, keep order.

use std::fmt::Write;
use std::str::FromStr;

use super::caller::{Caller, Dismissal, HeldKey};
use super::chat::{Order, what};
use super::log::Answered;
use super::{Services, now};
use crate::model::Visible;
use crate::model::name::{RoomName, UserName};
use crate::model::peer::Source;
use crate::model::span::parse_span;
use crate::protocol::RequestError;
use crate::protocol::chat::Measure;
use crate::store::{self, Authority, Ban, Store, Whom};

/// What can be typed.
pub const HELP: &str = "\
who                                   the sessions there are
rooms                                 the rooms and their topics
say TEXT                              to everybody in the chat
msg USER TEXT                         to one person in the chat
reply N TEXT                          to session N of the message log
kick [#ROOM] USER|N [REASON]          out of a room; without one, off the server
ban [#ROOM] USER|ADDRESS [10m] [REASON]
unban [#ROOM] USER|ADDRESS            user:NAME for a name that reads as an address
mute [#ROOM] USER [10m], unmute [#ROOM] USER
op #ROOM USER, deop #ROOM USER        an operator of a room
bans                                  who is banned or muted, and until when
submissions [N]                       the last that were submitted
quit                                  finish what has begun, and stop";

/// A command of the operator.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Shows [`HELP`].
    Help,
    /// Lists the sessions.
    Who,
    /// Lists the rooms.
    Rooms,
    /// Says something to everybody.
    Say(String),
    /// Says something to one person.
    Tell(UserName, String),
    /// Answers a session of the message log.
    Reply(u64, String),
    /// Ends a session.
    Dismiss(u64, String),
    /// Does something with somebody, in one room or everywhere.
    Moderate {
        /// Where; everywhere without it.
        room: Option<RoomName>,
        /// Whom.
        whom: Subject,
        /// What.
        measure: Measure,
        /// For how many seconds.
        seconds: Option<u64>,
        /// Why.
        reason: String,
    },
    /// Lists the bans and mutes in force.
    Bans,
    /// Shows what was submitted last.
    Submissions(u32),
    /// Stops the server in order.
    Quit,
}

/// Whom a measure is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// An account.
    User(UserName),
    /// Whoever comes from there.
    Address(Source),
}

/// A line that is no command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotUnderstood(String);

const OP: &str = "op #ROOM USER, or deop #ROOM USER";

fn misuse(usage: &str) -> NotUnderstood {
    NotUnderstood(format!("write it so: {usage}"))
}

impl FromStr for Command {
    type Err = NotUnderstood;

    fn from_str(line: &str) -> Result<Self, NotUnderstood> {
        let mut words = Words(line.trim());
        let verb = words.next().unwrap_or_default().trim_start_matches('/').to_lowercase();
        Ok(match verb.as_str() {
            "help" | "?" => Self::Help,
            "who" => Self::Who,
            "rooms" => Self::Rooms,
            "say" => Self::Say(words.text("say TEXT")?),
            "msg" => Self::Tell(words.parsed("msg USER TEXT")?, words.text("msg USER TEXT")?),
            "reply" => Self::Reply(words.parsed("reply N TEXT")?, words.text("reply N TEXT")?),
            "kick" => kick(words)?,
            "ban" => moderate(words, Measure::Ban, "ban [#ROOM] USER|ADDRESS [10m] [REASON]")?,
            "unban" => moderate(words, Measure::Unban, "unban [#ROOM] USER|ADDRESS")?,
            "mute" => moderate(words, Measure::Mute, "mute [#ROOM] USER [10m]")?,
            "unmute" => moderate(words, Measure::Unmute, "unmute [#ROOM] USER")?,
            "op" => in_a_room(moderate(words, Measure::Op, OP)?)?,
            "deop" => in_a_room(moderate(words, Measure::Deop, OP)?)?,
            "bans" => Self::Bans,
            "submissions" => {
                Self::Submissions(words.next().map_or(Ok(10), str::parse).map_err(|_| misuse("submissions [N]"))?)
            }
            "quit" | "exit" => Self::Quit,
            other => return Err(NotUnderstood(format!("there is no command `{}`; help shows them", Visible(other)))),
        })
    }
}

/// What is left of a line.
struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (word, rest) = self.0.split_once(char::is_whitespace).unwrap_or((self.0, ""));
        self.0 = rest.trim_start();
        (!word.is_empty()).then_some(word)
    }

    fn parsed<T: FromStr>(&mut self, usage: &str) -> Result<T, NotUnderstood> {
        self.next().and_then(|word| word.parse().ok()).ok_or_else(|| misuse(usage))
    }

    /// All of it.
    fn text(&mut self, usage: &str) -> Result<String, NotUnderstood> {
        if self.0.is_empty() { Err(misuse(usage)) } else { Ok(std::mem::take(&mut self.0).to_owned()) }
    }

    fn room(&mut self) -> Result<Option<RoomName>, NotUnderstood> {
        if !self.0.starts_with('#') {
            return Ok(None);
        }
        let word = self.next().unwrap_or_default();
        word.parse().map(Some).map_err(|error| NotUnderstood(format!("{}: {error}", Visible(word))))
    }
}

/// A number is a session, unless a room stands before it; names may be numbers too.
fn kick(mut words: Words<'_>) -> Result<Command, NotUnderstood> {
    let rest = words.0;
    if words.room()?.is_none()
        && let Some(number) = words.next().and_then(|word| word.parse().ok())
    {
        return Ok(Command::Dismiss(number, words.0.to_owned()));
    }
    moderate(Words(rest), Measure::Kick, "kick [#ROOM] USER|N [REASON]")
}

fn moderate(mut words: Words<'_>, measure: Measure, usage: &str) -> Result<Command, NotUnderstood> {
    let room = words.room()?;
    let word = words.next().ok_or_else(|| misuse(usage))?;
    // A name may be digits and dots: what reads as an address is one, unless it is said to be a name, which has no colon.
    let is_name = word.starts_with("user:");
    let word = word.strip_prefix("user:").unwrap_or(word);
    let whom = match word.parse::<Source>() {
        Ok(source) if !is_name && matches!(measure, Measure::Ban | Measure::Unban) => Subject::Address(source),
        _ => Subject::User(word.parse().map_err(|error| NotUnderstood(format!("{}: {error}", Visible(word))))?),
    };
    let before = words.0;
    let seconds = words.next().and_then(parse_span).filter(|_| matches!(measure, Measure::Ban | Measure::Mute));
    let reason = if seconds.is_some() { words.0 } else { before }.to_owned();
    // A time that is mistyped would otherwise be for good.
    if matches!(measure, Measure::Ban | Measure::Mute) && reason.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(NotUnderstood("a time is written as 10m, 2h or 7d; a reason begins with no digit".to_owned()));
    }
    Ok(Command::Moderate { room, whom, measure, seconds, reason })
}

fn in_a_room(command: Command) -> Result<Command, NotUnderstood> {
    match command {
        Command::Moderate { room: None, .. } => Err(misuse(OP)),
        command => Ok(command),
    }
}

impl Services {
    /// Does what the operator wants; the result is for them to read. [`Command::Quit`] is the caller's to do.
    pub async fn obey(&self, store: &Store, command: Command) -> Result<String, RequestError> {
        let chat = || super::offered(&self.chat, "chat");
        Ok(match command {
            Command::Help => HELP.to_owned(),
            Command::Quit => String::new(),
            Command::Who => self.who(),
            Command::Rooms => {
                let rooms = chat()?.rooms().await?;
                let lines = rooms
                    .iter()
                    .map(|room| format!("{}  members: {}  {}", room.name, room.members, Visible(&room.topic)));
                lines.collect::<Vec<_>>().join("\n")
            }
            Command::Say(text) => format!("sessions that were told: {}", chat()?.say(&text)),
            Command::Tell(name, text) => match chat()?.tell(&name, &text).await? {
                0 => format!("{name} is not in the chat now, and was not told"),
                sessions => format!("sessions of {name} that were told: {sessions}"),
            },
            Command::Reply(number, text) => {
                match self.log.as_ref().map_or(Answered::No, |log| log.answer(number, &text)) {
                    Answered::Yes => format!("answered session {number}"),
                    Answered::No => self.unanswered(number),
                    Answered::TooLong(most) => {
                        let length = text.len();
                        format!(
                            "session {number} takes at most {most} bytes at once, and was not answered: these are {length}"
                        )
                    }
                }
            }
            Command::Dismiss(number, reason) => match self.sessions.find(number) {
                Some(caller) => {
                    dismiss(&caller, SENT_AWAY, &reason);
                    format!("session {number} is sent away")
                }
                None => format!("there is no session {number}; who lists them"),
            },
            Command::Moderate { room: Some(room), whom: Subject::User(name), measure, seconds, reason } => {
                chat()?.moderate(None, Order { room, name, measure, seconds, address: false, reason }).await?;
                "done".to_owned()
            }
            Command::Moderate { room, whom, measure, seconds, reason } => {
                self.moderate_everywhere(store, (room, whom, measure), seconds, &reason).await?
            }
            Command::Bans => {
                let bans = store.bans().await.map_err(super::unavailable)?;
                let lines: Vec<_> = bans.iter().map(ban_line).collect();
                if lines.is_empty() { "nobody is banned or muted".to_owned() } else { lines.join("\n") }
            }
            Command::Submissions(count) => {
                let rows = store.last_submissions(count).await.map_err(super::unavailable)?;
                let lines = rows.iter().map(|row| {
                    let submission = &row.submission;
                    format!("{}  {}  {}  {}", row.row, submission.address, submission.format, Visible(&submission.data))
                });
                let lines: Vec<_> = lines.collect();
                if lines.is_empty() { "nothing was submitted".to_owned() } else { lines.join("\n") }
            }
        })
    }

    /// Why nobody was answered.
    fn unanswered(&self, number: u64) -> String {
        let why = match self.sessions.find(number) {
            None => return format!("there is no session {number}; who lists them"),
            Some(caller) if caller.peer().holds == Some(HeldKey::Door) => {
                "came by a Fernet door, where one message is answered once, and only with --console"
            }
            Some(_) => "does not listen in the message log",
        };
        format!("session {number} {why}; it was not answered")
    }

    fn who(&self) -> String {
        let mut table = String::new();
        for caller in self.sessions.all() {
            let peer = caller.peer();
            let name = caller.identity().map_or("-".to_owned(), |identity| identity.name.to_string());
            let key = match peer.holds {
                Some(HeldKey::Secret) => "  holds the secret key",
                Some(HeldKey::Door) if self.log.as_ref().is_some_and(|log| log.waits(caller.number())) => {
                    "  by the Fernet door, waits for an answer"
                }
                Some(HeldKey::Door) => "  by the Fernet door",
                None => "",
            };
            // A String takes every write.
            let _ = writeln!(table, "{:>4}  {name:<16}  {}{key}", caller.number(), peer.address);
        }
        if table.is_empty() { "nobody is connected".to_owned() } else { table.trim_end().to_owned() }
    }

    /// A measure that is not one account's in one room.
    async fn moderate_everywhere(
        &self,
        store: &Store,
        (room, whom, measure): (Option<RoomName>, Subject, Measure),
        seconds: Option<u64>,
        reason: &str,
    ) -> Result<String, RequestError> {
        let until = seconds.map(|seconds| now() + (seconds * 1000) as i64);
        if measure == Measure::Kick {
            let gone = self.dismiss_all(&whom, SENT_AWAY, reason);
            return Ok(format!("sessions sent away: {gone}"));
        }
        let everywhere = room.is_none();
        let subject = match &whom {
            Subject::User(name) => Whom::User(name.clone()),
            Subject::Address(source) => Whom::Address(*source),
        };
        let order = store::Measure {
            by: Authority::Server,
            room: room.clone(),
            whom: subject,
            what: what(measure, until),
            now: now(),
        };
        let done = store.moderate(order).await.map_err(super::unavailable)?;
        done.map_err(|refusal| super::refused(refusal.to_string()))?;
        if everywhere && measure == Measure::Ban {
            let gone = self.dismiss_all(&whom, &format!("you are banned {}", store::Until(until)), reason);
            return Ok(format!("banned {}; sessions sent away: {gone}", store::Until(until)));
        }
        if let (Some(room), Subject::Address(source), Measure::Ban) = (&room, &whom, measure) {
            let gone = super::offered(&self.chat, "chat")?.clear(room, source, reason).await?;
            return Ok(format!("done; people put out of {room}: {gone}"));
        }
        Ok("done".to_owned())
    }

    fn dismiss_all(&self, whom: &Subject, told: &str, reason: &str) -> usize {
        let is_meant = |caller: &Caller| match whom {
            Subject::User(name) => caller.identity().is_some_and(|identity| identity.name == *name),
            Subject::Address(source) => caller.peer().address.source() == *source,
        };
        let meant: Vec<_> = self.sessions.all().into_iter().filter(|caller| is_meant(caller)).collect();
        meant.iter().for_each(|caller| dismiss(caller, told, reason));
        meant.len()
    }
}

fn ban_line(ban: &Ban) -> String {
    let whom = match &ban.whom {
        Whom::User(name) => name.to_string(),
        Whom::Address(source) => source.to_string(),
    };
    let room = ban.room.as_ref().map_or("this server".to_owned(), RoomName::to_string);
    let by = ban.by.as_ref().map_or(String::new(), |name| format!(", by {name}"));
    let what = if ban.is_mute { "muted in" } else { "banned from" };
    format!("{whom} {what} {room} {}{by}", ban.until)
}

/// What somebody is told whose session is ended.
const SENT_AWAY: &str = "the operator has ended this session";

fn dismiss(caller: &Caller, told: &str, reason: &str) {
    let colon = if reason.is_empty() { "" } else { ": " };
    caller.dismiss(Dismissal::Removed(format!("{told}{colon}{reason}")));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Command {
        line.parse().unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    #[test]
    fn commands_are_read_as_people_write_them() {
        assert_eq!(parse("  say  hello  all "), Command::Say("hello  all".into()));
        assert_eq!(parse("reply 3 yes, it is"), Command::Reply(3, "yes, it is".into()));
        assert_eq!(parse("kick 7 enough"), Command::Dismiss(7, "enough".into()));
        let Command::Moderate { room, whom, measure, seconds, reason } = parse("ban #Lobby mallory 2h spam and more")
        else {
            panic!()
        };
        assert_eq!((room, whom), (Some(RoomName::lobby()), Subject::User("mallory".parse().unwrap())));
        assert_eq!((measure, seconds, reason.as_str()), (Measure::Ban, Some(7200), "spam and more"));
        let Command::Moderate { whom, seconds, reason, .. } = parse("ban 192.0.2.7 because") else { panic!() };
        assert_eq!((whom, seconds), (Subject::Address("192.0.2.7".parse().unwrap()), None));
        assert_eq!(reason, "because");
        let Command::Moderate { whom, .. } = parse("kick #lobby 7") else { panic!() };
        assert_eq!(whom, Subject::User("7".parse().unwrap()));
    }

    #[test]
    fn what_is_not_understood_is_told() {
        let refusal = |line: &str| line.parse::<Command>().unwrap_err().to_string();
        assert!(refusal("dance").contains("no command `dance`"));
        assert!(refusal("say").contains("say TEXT"));
        assert!(refusal("reply x y").contains("reply N TEXT"));
        assert!(refusal("op ada").contains("op #ROOM USER"));
        assert!(refusal("mute ada 10 m").contains("10m"));
        assert!(refusal("kick").contains("kick [#ROOM]"));
        assert!(refusal("mute #a/b ada").contains("is none of them"));
        assert!(!refusal("\u{1b}[2J").contains('\u{1b}'));
    }

    #[test]
    fn a_target_is_never_an_address_by_accident() {
        assert!("uid:7".parse::<UserName>().is_err());
        // Whoever takes an address for a name can be banned like everybody else.
        for line in ["mute 192.0.2.7", "ban user:192.0.2.7", "unban #den user:memory"] {
            let Command::Moderate { whom, .. } = parse(line) else { panic!("{line}") };
            assert!(matches!(whom, Subject::User(_)), "{line}");
        }
    }
}
