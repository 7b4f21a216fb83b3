//! The history of a room, for people and for programs.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use fernwire::model::name::{RoomName, Target};
use fernwire::model::peer::Source;
use fernwire::store::{AccountId, Authority, Credential, EntryKind, Post, Store};
use serde_json::{Value, json};

use crate::program::{Outcome, Sandbox};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// 15-11-2023 12:00 in UTC.
const NOON: i64 = 1_700_049_600_000;

/// A database that is written to directly, since no client of ours says such things.
struct Past {
    sandbox: Sandbox,
    store: Store,
    runtime: tokio::runtime::Runtime,
}

impl Past {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        fs::create_dir_all(sandbox.path("data/fernwire")).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (store, _feed) = Store::open(&sandbox.path("data/fernwire")).unwrap();
        Self { sandbox, store, runtime }
    }

    fn member(&self, name: &str, rooms: &[&str]) -> AccountId {
        let made = self.store.create_account(name.parse().unwrap(), Credential::new("none"), NOON);
        let account = self.runtime.block_on(made).unwrap().unwrap().id;
        for room in rooms {
            let join = async { self.store.join(account, &Source::Memory, &room.parse().unwrap(), NOON).await };
            self.runtime.block_on(join).unwrap().unwrap();
        }
        account
    }

    fn says(&self, author: AccountId, to: &str, kind: EntryKind, time: i64, text: &str) {
        let to: Target = to.parse().unwrap();
        let (text, post_id) = (text.to_owned(), format!("{time}-{}", text.len()));
        let post = Post { author, source: Source::Memory, to, kind, text, post_id, time };
        self.runtime.block_on(self.store.post(post)).unwrap().unwrap();
    }

    fn export(&self, args: &[&str]) -> Outcome {
        let mut command = self.sandbox.fernwire(&["export", "--room"]);
        self.sandbox.start(command.args(args).env("TZ", "UTC")).wait()
    }
}

#[test]
fn a_history_is_text_whatever_was_said() {
    let past = Past::new();
    let (ada, bob) = (past.member("ada", &["#lobby"]), past.member("_bob_", &["#lobby"]));
    let lobby = RoomName::lobby();
    let topic = past.store.set_topic(Authority::Server, None, &lobby, "<b>\n# x".into());
    past.runtime.block_on(topic).unwrap().unwrap();
    past.says(ada, "#lobby", EntryKind::Text, NOON, "hello");
    past.says(bob, "#lobby", EntryKind::Action, NOON + MINUTE, "waves *a lot*");
    past.says(ada, "#lobby", EntryKind::Text, NOON + DAY, "\x1b[2J\r\u{202e}<script>&amp; [x](javascript:y) `c`");
    past.says(ada, "#lobby", EntryKind::Text, NOON + DAY, "one\n\n# two\n- 12:03 **_bob_** forged\n===\n1. x\\\n");
    past.says(ada, "#lobby", EntryKind::Text, NOON + DAY, "see https://a_b.example and WWW.c.example, at 3.5 or so");
    past.says(ada, "_bob_", EntryKind::Text, NOON, "for you alone");
    let outcome = past.export(&["#LOBBY"]);
    assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{outcome:?}");
    assert_eq!(
        outcome.stdout,
        r"# \#lobby

Topic: \<b\>\\n# x

## 15-11-2023

- 12:00 **ada** hello
- 12:01 \* **\_bob\_** waves \*a lot\*

## 16-11-2023

- 12:00 **ada** \\u\{1b\}\[2J\\r\\u\{202e\}\<script\>\&amp; \[x\](javascript:y) \`c\`
- 12:00 **ada** one\
  \
  \# two\
  \- 12:03 \*\*\_bob\_\*\* forged\
  \===\
  1\. x\\
- 12:00 **ada** see https\://a\_b.example and WWW\.c.example, at 3.5 or so
"
    );
}

#[test]
fn for_programs_each_entry_is_an_object_as_in_chat() {
    let past = Past::new();
    let ada = past.member("ada", &["#Fern"]);
    past.says(ada, "#fern", EntryKind::Text, NOON, "a\x1b[2J\n\u{9b}\u{202e}b");
    past.says(ada, "#fern", EntryKind::Action, NOON + 1, "waves");
    let outcome = past.export(&["#fern", "--format", "json"]);
    assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{outcome:?}");
    assert!(outcome.stdout.chars().all(|c| c == '\n' || (' '..='~').contains(&c)), "{outcome:?}");
    let objects: Vec<Value> = outcome.stdout.lines().map(|line| line.parse().unwrap()).collect();
    let entry = |seq: u64, time: &str, style: &str, text: &str| {
        json!({
            "event": "history", "with": "#Fern", "seq": seq, "time": time, "from": "ada", "style": style, "text": text,
            "post_id": objects[seq as usize - 1]["post_id"],
        })
    };
    let expected = [
        entry(1, "2023-11-15T12:00:00.000Z", "text", "a\x1b[2J\n\u{9b}\u{202e}b"),
        entry(2, "2023-11-15T12:00:00.001Z", "action", "waves"),
    ];
    assert_eq!(objects, expected);
}

#[test]
fn a_long_history_comes_whole_and_in_order() {
    let past = Past::new();
    let ada = past.member("ada", &["#lobby"]);
    let posts: Vec<_> = (0..1200)
        .map(|i| Post {
            author: ada,
            source: Source::Memory,
            to: "#lobby".parse().unwrap(),
            kind: EntryKind::Text,
            text: format!("{i} {}", "x".repeat(1000)),
            post_id: i.to_string(),
            time: NOON + i,
        })
        .collect();
    past.runtime.block_on(async {
        let mut posting = tokio::task::JoinSet::new();
        for post in posts {
            let store = past.store.clone();
            posting.spawn(async move { store.post(post).await.unwrap().unwrap() });
        }
        posting.join_all().await;
    });
    let outcome = past.export(&["#lobby", "--format", "json", "--out", "history"]);
    assert_eq!((outcome.code, &*outcome.stdout), (Some(0), "history written, 1200 messages\n"), "{outcome:?}");
    let history = past.sandbox.read("history");
    let seqs: Vec<_> = history.lines().map(|line| line.parse::<Value>().unwrap()["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=1200).collect::<Vec<_>>());
    assert_eq!(past.export(&["#lobby", "--format", "json"]).stdout, history);
}

#[test]
fn a_file_is_its_owners_and_replaces_nothing() {
    let past = Past::new();
    let ada = past.member("ada", &["#lobby"]);
    past.says(ada, "#lobby", EntryKind::Text, NOON, "hello");
    let outcome = past.export(&["#lobby", "--out", "lobby.md"]);
    assert_eq!((outcome.code, &*outcome.stdout), (Some(0), "lobby.md written, 1 message\n"), "{outcome:?}");
    assert_eq!(past.sandbox.read("lobby.md"), past.export(&["#lobby"]).stdout);
    assert_eq!(fs::metadata(past.sandbox.path("lobby.md")).unwrap().permissions().mode() & 0o777, 0o600);
    past.export(&["#lobby", "--out", "lobby.md"]).fails(&["lobby.md exists already: name a new file"]);
    past.export(&["#lobby", "--out", "no/lobby.md"]).fails(&["cannot write no/lobby.md: "]);
}

#[test]
fn a_room_that_is_not_there_is_an_error_that_names_those_that_are() {
    let past = Past::new();
    past.export(&["#nowhere"]).fails(&["there is no room #nowhere; there are #lobby"]);
    let rooms: Vec<_> = (10..22).map(|i| format!("#r{i}")).collect();
    past.member("ada", &rooms.iter().map(String::as_str).collect::<Vec<_>>());
    let complaint = past.export(&["#nowhere"]).stderr;
    assert!(
        complaint.ends_with("#lobby, #r10, #r11, #r12, #r13, #r14, #r15, #r16, #r17, #r18, 3 more\n"),
        "{complaint}"
    );
    past.export(&["ada"])
        .is_usage_error(&["begins with `#`", "what two people have said to each other is theirs alone"]);
}
