//! What a typed line means.

use std::time::Duration;

use fernwire::model::name::{NameError, RoomName, Target, UserName};
use fernwire::model::span::parse_span;
use fernwire::protocol::chat::Measure;

use crate::cli::{CHAT_COMMANDS, named_room};

/// How many entries `/history` shows if nobody says how many.
const USUAL_HISTORY: u32 = 20;
/// The most entries that /history shows at once.
const MAX_HISTORY: u32 = 1_000_000;

/// What a line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    Nothing,
    Say(String),
    Help,
    Join(RoomName),
    Leave(Option<RoomName>),
    Tell(Target, String),
    Act(String),
    Names(Option<RoomName>),
    Rooms,
    Topic(Option<String>),
    History(u32),
    Search(String),
    Ignore(Option<UserName>),
    Moderate(Order),
    Quit,
}

impl Command {
    /// Whether it is a message, which waits for its turn behind the others.
    pub(super) fn is_said(&self) -> bool {
        matches!(self, Self::Nothing | Self::Say(_) | Self::Act(_) | Self::Tell(..))
    }
}

/// What is done with somebody in the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) measure: Measure,
    pub(super) name: UserName,
    pub(super) lasting: Option<Duration>,
    pub(super) address: bool,
    pub(super) reason: String,
}

/// What stands behind a command's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    Text,
    Room,
    /// The name of a person.
    Name,
    /// The name of a person, and more after it.
    NameAndMore,
    /// The name of a person or a room, and a text.
    TargetAndText,
}

/// Every command, and what it takes.
pub(super) const COMMANDS: [(&str, Takes); 20] = [
    ("help", Takes::Nothing),
    ("join", Takes::Room),
    ("leave", Takes::Room),
    ("msg", Takes::TargetAndText),
    ("me", Takes::Text),
    ("names", Takes::Room),
    ("rooms", Takes::Nothing),
    ("topic", Takes::Text),
    ("history", Takes::Text),
    ("search", Takes::Text),
    ("ignore", Takes::Name),
    ("kick", Takes::NameAndMore),
    ("ban", Takes::NameAndMore),
    ("unban", Takes::Name),
    ("mute", Takes::NameAndMore),
    ("unmute", Takes::Name),
    ("op", Takes::Name),
    ("deop", Takes::Name),
    ("quit", Takes::Nothing),
    ("exit", Takes::Nothing),
];

/// Reads a line. The error says what is wrong with it; nothing that begins with one slash is ever said aloud.
pub(super) fn parse(line: &str) -> Result<Command, String> {
    let line = line.trim_end();
    if line.trim_start().is_empty() {
        return Ok(Command::Nothing);
    }
    if line.trim() == "exit" {
        return Ok(Command::Quit);
    }
    let Some(rest) = line.strip_prefix('/') else { return Ok(Command::Say(line.to_owned())) };
    if rest.starts_with('/') {
        return Ok(Command::Say(rest.to_owned()));
    }
    let (word, rest) = split(rest);
    let word = &*word.to_lowercase();
    let needs = |what: &str| format!("/{word} needs {what}: {}", usage(word));
    let text = || if rest.is_empty() { Err(needs("a text")) } else { Ok(rest.to_owned()) };
    let room_here = || if rest.is_empty() { Ok(None) } else { room(rest).map(Some) };
    Ok(match word {
        "help" => Command::Help,
        "join" if rest.is_empty() => return Err(needs("the name of a room")),
        "join" => Command::Join(room(rest)?),
        "leave" => Command::Leave(room_here()?),
        "msg" => {
            let (to, text) = split(rest);
            if text.is_empty() {
                return Err(needs("a name and a text"));
            }
            Command::Tell(to.parse().map_err(wrong_name(to))?, text.to_owned())
        }
        "me" => Command::Act(text()?),
        "names" => Command::Names(room_here()?),
        "rooms" => Command::Rooms,
        "topic" => Command::Topic(Some(rest).filter(|text| !text.is_empty()).map(str::to_owned)),
        "history" if rest.is_empty() => Command::History(USUAL_HISTORY),
        "history" => match rest.parse() {
            Ok(count @ 1..=MAX_HISTORY) => Command::History(count),
            _ => return Err(format!("/history takes a number from 1 to {MAX_HISTORY}")),
        },
        "search" => Command::Search(text()?),
        "ignore" if rest.is_empty() => Command::Ignore(None),
        "ignore" => Command::Ignore(Some(rest.parse().map_err(wrong_name(rest))?)),
        "quit" | "exit" => Command::Quit,
        word => match measure(word) {
            Some(_) if rest.is_empty() => return Err(needs("a name")),
            Some(measure) => Command::Moderate(parse_order(measure, rest)?),
            None => return Err(unknown(word)),
        },
    })
}

/// The first word, and the rest.
fn split(text: &str) -> (&str, &str) {
    text.split_once(char::is_whitespace).map_or((text, ""), |(word, rest)| (word, rest.trim_start()))
}

fn room(text: &str) -> Result<RoomName, String> {
    named_room(text).map_err(wrong_name(text))
}

/// How a command is written, as the help has it.
fn usage(word: &str) -> &'static str {
    let mut usages = CHAT_COMMANDS.lines().filter_map(|line| line.trim_start().split("  ").next());
    let is_its = |usage: &&str| usage.strip_prefix('/').is_some_and(|usage| split(usage).0 == word);
    usages.find(is_its).unwrap_or("/help")
}

fn wrong_name(text: &str) -> impl FnOnce(NameError) -> String {
    move |error| format!("`{}` is no name here: {error}", text.escape_debug())
}

fn measure(word: &str) -> Option<Measure> {
    Some(match word {
        "kick" => Measure::Kick,
        "ban" => Measure::Ban,
        "unban" => Measure::Unban,
        "mute" => Measure::Mute,
        "unmute" => Measure::Unmute,
        "op" => Measure::Op,
        "deop" => Measure::Deop,
        _ => return None,
    })
}

fn parse_order(measure: Measure, rest: &str) -> Result<Order, String> {
    let (name, mut rest) = split(rest);
    let name = name.parse().map_err(wrong_name(name))?;
    let mut order = Order { measure, name, lasting: None, address: false, reason: String::new() };
    loop {
        let (word, after) = split(rest);
        if matches!(measure, Measure::Ban | Measure::Mute) && order.lasting.is_none() && parse_span(word).is_some() {
            order.lasting = parse_span(word).map(Duration::from_secs);
        } else if measure == Measure::Ban && word == "--address" {
            order.address = true;
        } else {
            break;
        }
        rest = after;
    }
    // A time that is mistyped would otherwise be for good.
    let is_timed = matches!(measure, Measure::Ban | Measure::Mute) && order.lasting.is_none();
    if is_timed && rest.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(format!(
            "`{}` begins with no time; write it as 10m, 2h or 7d, from 1s to 3660d",
            rest.escape_debug()
        ));
    }
    order.reason = rest.to_owned();
    Ok(order)
}

fn unknown(word: &str) -> String {
    let nearest = COMMANDS.iter().map(|(name, _)| (distance(word, name), name)).min();
    let hint = match nearest {
        Some((letters @ 0..=2, name)) if 2 * letters <= word.chars().count() => format!("; did you mean /{name}?"),
        _ => String::new(),
    };
    format!("there is no command /{}{hint} (/help lists them, // says a line that begins with /)", word.escape_debug())
}

/// How many letters have to be put in, taken out or changed to make one word the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    // What is much longer is far away; how far does not matter.
    let one = one.chars().take(other.len() + 3);
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, c) in one.enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, d) in other.iter().enumerate() {
            let change = diagonal + usize::from(c != *d);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(text: &str) -> Result<Command, String> {
        Ok(Command::Say(text.to_owned()))
    }

    fn order(line: &str) -> Order {
        match parse(line) {
            Ok(Command::Moderate(order)) => order,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_no_command_is_said() {
        assert_eq!(parse("hello there "), say("hello there"));
        assert_eq!(parse("//join is a command"), say("/join is a command"));
        assert_eq!(parse("  /join"), say("  /join"));
        assert_eq!(parse("exit now"), say("exit now"));
        assert_eq!(parse(" \t"), Ok(Command::Nothing));
        assert_eq!(parse(" exit "), Ok(Command::Quit));
    }

    #[test]
    fn commands_take_their_words() {
        let room = |text: &str| text.parse::<RoomName>().unwrap();
        assert_eq!(parse("/join #a"), Ok(Command::Join(room("#a"))));
        assert_eq!(parse("/join a"), Ok(Command::Join(room("#a"))));
        assert_eq!(parse("/leave"), Ok(Command::Leave(None)));
        assert_eq!(parse("/msg ada  how are you"), Ok(Command::Tell("ada".parse().unwrap(), "how are you".into())));
        assert_eq!(parse("/me waves"), Ok(Command::Act("waves".into())));
        assert_eq!(parse("/topic"), Ok(Command::Topic(None)));
        assert_eq!(parse("/history"), Ok(Command::History(20)));
        assert_eq!(parse("/history 5"), Ok(Command::History(5)));
        assert_eq!(parse("/ignore Bob"), Ok(Command::Ignore(Some("bob".parse().unwrap()))));
    }

    #[test]
    fn operators_say_for_how_long_and_why() {
        let ban = order("/ban bob 2h --address rude to everybody");
        assert_eq!((ban.measure, ban.lasting), (Measure::Ban, Some(Duration::from_secs(7200))));
        assert!(ban.address);
        assert_eq!(ban.reason, "rude to everybody");
        assert_eq!(order("/ban bob --address 7d").lasting, Some(Duration::from_secs(7 * 24 * 3600)));
        assert_eq!(order("/mute bob 10m").lasting, Some(Duration::from_secs(600)));
        let kick = order("/kick bob 2h --address");
        assert_eq!((kick.lasting, kick.address, &*kick.reason), (None, false, "2h --address"));
        for allowed in ["1s", "3660d"] {
            assert!(order(&format!("/ban bob {allowed}")).lasting.is_some(), "{allowed}");
        }
        for reason in ["m", "-1h", "because of 2 h"] {
            assert_eq!(order(&format!("/ban bob {reason}")).reason, reason);
        }
        for mistyped in ["0m", "1y", "3661d", "99999999999d", "2 h"] {
            assert!(
                parse(&format!("/ban bob {mistyped}"))
                    .unwrap_err()
                    .contains("no time; write it as 10m, 2h or 7d, from 1s to 3660d"),
                "{mistyped}"
            );
        }
    }

    #[test]
    fn a_wrong_command_is_an_error_that_helps() {
        assert!(parse("/jion #a").unwrap_err().contains("did you mean /join?"));
        for far in ["/foo", "/x"] {
            assert!(!parse(far).unwrap_err().contains("did you mean"), "{far}");
        }
        assert!(parse("/mute ada 10 m").unwrap_err().contains("write it as 10m"));
        assert_eq!(parse("/HISTORY 5"), parse("/history 5"));
        assert!(parse("/xyzzy").unwrap_err().starts_with("there is no command /xyzzy (/help"));
        for line in ["/join", "/join #a b", "/msg", "/msg ada", "/me", "/kick", "/op", "/search", "/history x", "/"] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert_eq!(parse("/me"), Err("/me needs a text: /me TEXT".to_owned()));
        assert_eq!(parse("/join"), Err("/join needs the name of a room: /join #ROOM".to_owned()));
        assert_eq!(parse("/MSG ada"), Err("/msg needs a name and a text: /msg NAME TEXT".to_owned()));
        assert_eq!(parse("/ban"), Err("/ban needs a name: /ban NAME [TIME] [--address] [REASON]".to_owned()));
        let hostile = parse("/\u{1b}[2J").unwrap_err();
        assert!(!hostile.contains('\u{1b}'), "{hostile}");
    }

    #[test]
    fn every_command_is_known_and_takes_what_it_says() {
        for (name, takes) in COMMANDS {
            let fitting = match takes {
                Takes::Nothing => "",
                Takes::Text => "5",
                Takes::Room => "#a",
                Takes::Name => "ada",
                Takes::NameAndMore | Takes::TargetAndText => "ada more",
            };
            assert!(parse(&format!("/{name} {fitting}")).is_ok(), "{name}");
            let is_told = name == "exit" || usage(name).split(' ').next() == Some(&format!("/{name}"));
            assert!(is_told, "{name} is in the help");
        }
    }

    #[test]
    fn words_are_as_far_apart_as_it_takes_letters() {
        for (one, other, letters) in [("join", "join", 0), ("jion", "join", 2), ("", "me", 2), ("helpp", "help", 1)] {
            assert_eq!(distance(one, other), letters, "{one} {other}");
        }
    }
}
