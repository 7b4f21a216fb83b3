//! docs/protocol.md against the code: every name, number and limit that the code knows is in the reference tables, and the
//! bytes of the example open.
#![allow(clippy::unwrap_used)]

use fernwire::channel::error::Alert;
use fernwire::channel::handshake::MAX_BODY;
use fernwire::channel::mode::KeyMode;
use fernwire::channel::record::{
    MAX_BYTES_PER_KEY, MAX_CLOSE_TEXT, MAX_PAYLOAD, MAX_RECORDS_PER_KEY, MAX_TOKEN, RecordType,
};
use fernwire::channel::token::{FernetKey, MIN_TOKEN};
use fernwire::channel::{CloseReason, DRAIN_TIMEOUT, KEY_LIFETIME, Keepalive, MAX_MESSAGE, MAX_UNPROVEN_MESSAGE};
use fernwire::config::Limits;
use fernwire::document::{Format, MAX_DIGITS, MAX_DOCUMENT, MAX_NESTING, MAX_VALUES};
use fernwire::model::name::{MAX_ROOM_NAME, MAX_USER_NAME};
use fernwire::model::password::{MAX_PASSWORD, MIN_PASSWORD};
use fernwire::protocol::account::{AccountReply, AccountRequest};
use fernwire::protocol::chat::{self, ChatReply, ChatRequest, Measure, Style};
use fernwire::protocol::log::{self, LogReply, LogRequest};
use fernwire::protocol::query::QueryReply;
use fernwire::protocol::submit::{MAX_SUBMISSION_ID, SubmitReply};
use fernwire::protocol::{self, ClientMessage, ErrorCode, Request, ServerMessage};
use fernwire::server::GOODBYE_TIME;
use fernwire::service::accounts::{MAX_SESSIONS, TICKET_LIFETIME, WATCH};
use fernwire::service::chat::MAX_ROOMS;
use fernwire::service::query::DEFAULT_TICK;
use fernwire::{client, document, store, transport};

const DOCUMENT: &str = include_str!("../docs/protocol.md");
const PSK_VECTORS: &str = include_str!("vectors/psk.json");

/// The names of all variants of an enum. One that is added and not listed does not compile.
macro_rules! variants {
    ($enum:ident: $($variant:ident),+) => {{
        let _every_one = |value: $enum| match value { $($enum::$variant { .. } => ()),+ };
        [$(stringify!($variant)),+]
    }};
}

/// The same with their numbers.
macro_rules! numbered {
    ($enum:ident: $($variant:ident),+) => {{
        let names = variants!($enum: $($variant),+);
        [$($enum::$variant as u8),+].into_iter().zip(names)
    }};
}

/// What stands below a heading, up to the next one.
fn section(heading: &str) -> &'static str {
    let (_, after) = DOCUMENT.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    after.split("\n#").next().unwrap()
}

/// The rows of a section's tables, cell by cell.
fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let lines = section(heading).lines().filter(|line| line.starts_with('|'));
    lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// `TooMany` with this between its words, in lower case.
fn in_words(variant: &str, between: char) -> String {
    let mut words = String::new();
    for c in variant.chars() {
        if c.is_uppercase() && !words.is_empty() {
            words.push(between);
        }
        words.extend(c.to_lowercase());
    }
    words
}

/// Whether a cell of the rows names this in code, after the service that it belongs to.
fn assert_named(rows: &[Vec<&str>], service: &str, variants: &[&str]) {
    for variant in variants.iter().filter(|variant| **variant != "Other") {
        let name = format!("`{}`", in_words(variant, '_'));
        let is_there = rows.iter().any(|row| row[0].starts_with(service) && row[0].contains(&name));
        assert!(is_there, "{service} {name} is in no row of the table");
    }
}

#[test]
fn every_number_of_the_channel_is_there_under_its_name() {
    let has = |heading, number: &str, name: &str| {
        let is_there = rows(heading).iter().any(|row| row[0] == number && row[1] == name);
        assert!(is_there, "{heading}: no row for {number}, {name}");
    };
    for (code, name) in numbered!(Alert: Malformed, Version, NoCommonMode, UnknownKey, BadFinished, Untrusted) {
        has("### 10.2 Alerts", &code.to_string(), &in_words(name, ' '));
    }
    for (code, name) in numbered!(RecordType: Data, Close, Rekey, Ping, Pong) {
        has("### 10.3 Records", &format!("{code:#04x}"), &in_words(name, ' '));
    }
    let reasons = numbered!(CloseReason: Done, GoingAway, ProtocolError, TooMany, TooSlow, Idle, Removed, Other);
    for (code, name) in reasons.filter(|(_, name)| *name != "Other") {
        has("### 10.4 Reasons of a close", &code.to_string(), &in_words(name, ' '));
    }
    for mode in KeyMode::ALL {
        has("### 3.1 Key modes", &format!("`{mode}`"), &(mode as u8).to_string());
    }
}

#[test]
fn every_message_and_error_is_there_under_its_name() {
    let messages = rows("### 10.5 Messages");
    assert_named(&messages, "", &variants!(ClientMessage: Request, Cancel, Credit));
    assert_named(&messages, "", &variants!(ServerMessage: Reply, End, Error, Cancelled));
    let codes = variants!(ErrorCode: BadRequest, UnknownService, TooManyRequests, ShuttingDown, BadCredentials, NameTaken,
        LoginRequired, Refused, NotFound, Throttled, Unavailable, Internal, Other);
    assert_named(&rows("### 10.6 Errors"), "", &codes);

    let requests = rows("### 10.7 Requests");
    assert_named(&requests, "", &variants!(Request: Query, Account, Chat, Log, Submit));
    assert_named(&requests, "`account`", &variants!(AccountRequest: Signup, Login, Resume));
    let verbs = variants!(ChatRequest: Listen, Join, Leave, Post, History, Search, Names, Conversations, Rooms, Topic, Read,
        Moderate);
    assert_named(&requests, "`chat`", &verbs);
    assert_named(&requests, "`log`", &variants!(LogRequest: Append, Listen));
    // Each of them also has a row that says what follows.
    for verb in verbs.into_iter().chain(["Query", "Signup", "Login", "Resume", "Append", "Submit"]) {
        let name = format!("`{}`", in_words(verb, '_'));
        assert!(requests.iter().any(|row| row[0].ends_with(&name) && ["yes", "no"].contains(&row[2])), "{name}");
    }

    let replies = rows("### 10.8 Replies");
    assert_named(&replies, "`query`", &variants!(QueryReply: Timestamp, Empty));
    assert_named(&replies, "`account`", &variants!(AccountReply: Welcome));
    let kinds = variants!(ChatReply: Conversation, Ready, Entry, Hit, Posted, Member, Room, Presence, Topic, Left, Moderated,
        Notice, Other);
    assert_named(&replies, "`chat`", &kinds);
    assert_named(&replies, "`log`", &variants!(LogReply: Received, Answer, Other));
    assert_named(&replies, "`submit`", &variants!(SubmitReply: Stored));

    let choices = [
        ("`measure`", variants!(Measure: Kick, Ban, Unban, Mute, Unmute, Op, Deop).to_vec()),
        ("`style`°", variants!(Style: Text, Action).to_vec()),
        ("`format`°", variants!(Format: Json, Binary, Xml).to_vec()),
    ];
    for (member, names) in choices {
        let row = requests.iter().find(|row| row[1] == member).unwrap();
        assert!(names.iter().all(|name| row[2].contains(&format!("`{}`", in_words(name, '_')))), "{row:?}");
    }
}

/// The number with commas between its thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}

#[test]
fn every_limit_has_the_value_that_the_code_has() {
    let settings = Limits::default();
    let limits = [
        ("body of a handshake frame", MAX_BODY as u64),
        ("pending handshakes, in all †", settings.max_pending as u64),
        ("pending handshakes, one address †", settings.max_pending_per_source as u64),
        ("shortest token of a record", MIN_TOKEN as u64),
        ("longest token of a record", MAX_TOKEN as u64),
        ("payload of a record", MAX_PAYLOAD as u64),
        ("records under one key, the rekey included", MAX_RECORDS_PER_KEY),
        ("tokens under one key", MAX_BYTES_PER_KEY),
        ("text of a close", MAX_CLOSE_TEXT as u64),
        ("message", MAX_MESSAGE as u64),
        ("message of an unproven client", MAX_UNPROVEN_MESSAGE as u64),
        ("integer in JSON", protocol::MAX_INTEGER),
        ("levels of JSON", protocol::MAX_DEPTH as u64),
        ("requests under way", protocol::MAX_IN_FLIGHT as u64),
        ("credit of a request", protocol::STREAM_CREDIT),
        ("text of an error", protocol::MAX_ERROR_TEXT as u64),
        ("sessions, in all †", settings.max_sessions as u64),
        ("unproven sessions, one address †", settings.max_anonymous_per_source as u64),
        ("sessions of an account", MAX_SESSIONS as u64),
        ("tickets of an account", store::MAX_TICKETS.into()),
        ("shortest password", MIN_PASSWORD as u64),
        ("longest password", MAX_PASSWORD as u64),
        ("name of a user, or of a room with its `#`", MAX_USER_NAME as u64),
        ("name of a user, or of a room with its `#`", MAX_ROOM_NAME as u64),
        ("id of a post, of a stream, of a submission", chat::MAX_POST_ID as u64),
        ("id of a post, of a stream, of a submission", log::MAX_LOG_STREAM as u64),
        ("id of a post, of a stream, of a submission", MAX_SUBMISSION_ID as u64),
        ("text of an entry", chat::MAX_TEXT as u64),
        ("topic, reason, words of a search", chat::MAX_TOPIC as u64),
        ("positions in `listen`", chat::MAX_POSITIONS as u64),
        ("rooms of an account", MAX_ROOMS as u64),
        ("entries or hits of an answer", chat::MAX_PAGE.into()),
        ("texts of an answer, together", store::MAX_PAGE_TEXT as u64),
        ("unread entries for who joins first", store::RECENT),
        ("names in `joined` and in `left`", chat::MAX_NAMES as u64),
        ("lines of `append`", log::MAX_LOG_LINES as u64),
        ("line of the log", log::MAX_LOG_TEXT as u64),
        ("document", MAX_DOCUMENT as u64),
        ("levels of a document", MAX_NESTING as u64),
        ("values of a document", MAX_VALUES as u64),
        ("texts, keys and numbers of a document", document::MAX_TEXT as u64),
        ("digits of a whole number of a document", MAX_DIGITS as u64),
    ];
    let table = rows("### 10.9 Limits");
    for (name, value) in limits {
        let row = table.iter().find(|row| row[0] == name).unwrap_or_else(|| panic!("no row for {name}"));
        assert_eq!(row[1], grouped(value), "{name}");
    }
}

#[test]
fn every_time_is_the_one_that_the_code_keeps() {
    let (keepalive, settings) = (Keepalive::default(), Limits::default());
    let times = [
        ("silence before ping", keepalive.ping_after),
        ("silence before death", keepalive.dead_after),
        ("age of a sending key", KEY_LIFETIME),
        ("waiting for the peer's close, wanting nothing more", DRAIN_TIMEOUT),
        ("upgrade of the transport, and handshake †", settings.handshake_timeout),
        ("session of somebody unproven without a request †", settings.anonymous_idle_timeout),
        ("from a client's close to the end of what it asked for", keepalive.dead_after),
        ("drain when the server stops †", settings.drain_timeout),
        ("goodbyes after the drain", GOODBYE_TIME),
        ("tick of `query` †", DEFAULT_TICK),
        ("ticket", TICKET_LIFETIME),
        ("ban or deletion of an account, until a session hears of it", WATCH),
        ("waiting for a connection", transport::DIAL_TIMEOUT),
        ("waiting for the handshake", client::HANDSHAKE_TIMEOUT),
        ("waiting for the next reply to what is answered soon", client::ANSWER_TIMEOUT),
    ];
    let table = rows("### 10.10 Times");
    for (name, value) in times {
        let row = table.iter().find(|row| row[0] == name).unwrap_or_else(|| panic!("no row for {name}"));
        let (number, unit) = row[1].split_once(' ').unwrap();
        let seconds = match unit {
            "s" => 1,
            "min" => 60,
            "h" => 3600,
            "days" => 24 * 3600,
            other => panic!("{name} in {other}"),
        };
        assert_eq!(number.parse::<u64>().unwrap() * seconds, value.as_secs(), "{name}");
    }
}

/// The bytes of a section, one run for each block of hex.
fn hex_blocks(text: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in text.lines() {
        match line.strip_prefix("    ").filter(|line| line.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            Some(hex) => blocks.last_mut().unwrap().push_str(hex),
            None => blocks.push(String::new()),
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}

#[test]
fn the_bytes_of_the_example_are_what_the_text_says() {
    let example = section("## 9. A session, byte by byte");
    let blocks = hex_blocks(example);
    let (handshake, records) = blocks.split_at(4);
    for (frame, name) in handshake.iter().zip(["client_hello", "server_hello", "server_finished", "client_finished"]) {
        assert!(PSK_VECTORS.contains(&format!("\"{name}\": \"{frame}\"")), "{name}");
    }
    let key = |direction: &str| {
        let line = example.lines().find(|line| line.trim().starts_with(&format!("record key_0 {direction}"))).unwrap();
        let hex = line.rsplit(' ').next().unwrap();
        assert!(PSK_VECTORS.contains(hex), "{direction}");
        FernetKey::new(&hex::decode(hex).unwrap().try_into().unwrap())
    };
    let (up, down) = (key("client to server"), key("server to client"));
    let order: [(&FernetKey, RecordType, u64); 5] = [
        (&up, RecordType::Data, 0),
        (&down, RecordType::Data, 0),
        (&down, RecordType::Data, 1),
        (&up, RecordType::Close, 1),
        (&down, RecordType::Close, 2),
    ];
    assert_eq!(records.len(), order.len());
    for (record, (key, kind, sequence)) in records.iter().zip(order) {
        let mut record = hex::decode(record).unwrap();
        let (length, token) = record.split_first_chunk_mut::<4>().unwrap();
        assert_eq!(u32::from_be_bytes(*length) as usize, token.len());
        let plaintext = key.open(token).unwrap();
        let (header, payload) = plaintext.split_at(9);
        assert_eq!(header, [&[kind as u8][..], &sequence.to_be_bytes()].concat());
        match kind {
            RecordType::Data => {
                let (json, text) = payload.split_first().unwrap();
                let text = str::from_utf8(text).unwrap();
                assert!(*json == 0 && example.contains(&format!("`{text}`")), "{text}");
            }
            _ => assert_eq!(payload, [CloseReason::Done as u8]),
        }
    }
}
