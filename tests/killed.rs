//! A server that is killed again and again under load: what it has acknowledged is there afterwards, once, and its clients
//! go on where they were.
//!
//! `FERNWIRE_ROUNDS=50 cargo test --release --test killed` kills it more often.
#![allow(clippy::unwrap_used)]

#[path = "program/mod.rs"]
mod program;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fernwire::client::chat::{Chat, ChatOptions, Event, Login};
use fernwire::client::connector::{Connector, NotConnected};
use fernwire::client::log::{self, deliver};
use fernwire::client::reconnect::Pauses;
use fernwire::client::submit::{Submission, Submitter};
use fernwire::client::{Client, Options};
use fernwire::document::{Format, encode};
use fernwire::model::name::{RoomName, Target};
use fernwire::model::password::Password;
use fernwire::protocol::chat::{ChatReply, ChatRequest, MAX_PAGE, Style};
use fernwire::transport::endpoint::Endpoint;
use program::{Sandbox, unused_port};
use tokio::sync::Barrier;
use tokio::task::JoinHandle;

const PASSWORD: &str = "Correct-1-horse";
const PEOPLE: [&str; 3] = ["ada", "bob", "cara"];
/// How many posts of one person may wait for their receipts.
const AHEAD: usize = 8;
/// Who comes back at once finds the server as soon as it is there.
const PAUSES: Pauses = Pauses {
    first: Duration::from_millis(20),
    longest: Duration::from_millis(100),
    good_after: Duration::from_secs(60),
};

fn rounds() -> u32 {
    std::env::var("FERNWIRE_ROUNDS").ok().map_or(6, |rounds| rounds.parse().unwrap())
}

/// What somebody in the chat has seen when it is over.
struct Seen {
    /// Each conversation's entries in the order in which they came.
    entries: BTreeMap<String, Vec<(u64, String)>>,
    /// What was acknowledged: to whom, and its number, by its text.
    sent: BTreeMap<String, (String, u64)>,
}

/// Posts to the room and to the next person in turn until it is told to stop, and reads everything.
async fn talk(endpoint: Endpoint, name: &'static str, all_here: Arc<Barrier>, stop: Arc<AtomicBool>) -> Seen {
    let login = Login::Signup { name: name.parse().unwrap(), password: Password::new(PASSWORD) };
    let (client, rooms) = (Options::default(), vec![RoomName::lobby()]);
    let options = ChatOptions { endpoint, client, login, rooms, pauses: PAUSES, patient: true };
    let (chat, mut events) = Chat::start(options).unwrap();
    let next = PEOPLE[(PEOPLE.iter().position(|person| *person == name).unwrap() + 1) % PEOPLE.len()];
    let mut seen = Seen { entries: BTreeMap::new(), sent: BTreeMap::new() };
    let (mut waiting, mut number, mut is_ready) = (BTreeMap::new(), 0, false);
    loop {
        while is_ready && waiting.len() < AHEAD && !stop.load(Ordering::Relaxed) {
            number += 1;
            let to: Target = if number % 4 == 0 { next } else { "#lobby" }.parse().unwrap();
            let text = format!("{name} {number}");
            waiting.insert(chat.post(&to, Style::Text, text.clone()).await.unwrap(), text);
        }
        if stop.load(Ordering::Relaxed) {
            chat.quit();
        }
        match tokio::time::timeout(Duration::from_millis(200), events.next()).await {
            Err(_) => {}
            Ok(None) => unreachable!("the end is an event"),
            Ok(Some(Event::Ready)) if !is_ready => {
                all_here.wait().await;
                is_ready = true;
            }
            Ok(Some(Event::Entry { with, entry, .. })) => {
                seen.entries.entry(with.to_string()).or_default().push((entry.seq, entry.text));
            }
            Ok(Some(Event::Sent { post_id, with, seq, .. })) => {
                let text = waiting.remove(&post_id).expect("a receipt for what was posted, once");
                assert!(seen.sent.insert(text, (with.to_string(), seq)).is_none());
            }
            Ok(Some(Event::Failed { why, .. })) => panic!("{name}: {why}"),
            Ok(Some(Event::Ended(result))) => {
                result.unwrap_or_else(|error| panic!("{name}: {error}"));
                assert!(waiting.is_empty(), "{name} left without receipts for {waiting:?}");
                return seen;
            }
            Ok(Some(_)) => {}
        }
    }
}

/// Makes sessions of nobody.
struct Anybody(Endpoint);

impl Connector for Anybody {
    async fn connect(&mut self) -> Result<Client, NotConnected> {
        Ok(Client::connect(&self.0, &Options::default()).await?)
    }
}

impl Anybody {
    /// The first session, whenever there is a server.
    async fn patiently(&mut self) -> Client {
        loop {
            if let Ok(client) = self.connect().await {
                return client;
            }
            tokio::time::sleep(PAUSES.first).await;
        }
    }
}

/// Logs lines; how many there were.
async fn log_lines(endpoint: Endpoint, stop: Arc<AtomicBool>) -> u64 {
    let mut anybody = Anybody(endpoint);
    let client = anybody.patiently().await;
    let (lines, mut events) = deliver(client, anybody, PAUSES, false).unwrap();
    let receipts = tokio::spawn(async move {
        let mut received = 0;
        while let Some(event) = events.next().await {
            match event {
                log::Event::Received { number, .. } => {
                    assert_eq!(number, received + 1);
                    received = number;
                }
                log::Event::Ended(result) => result.unwrap(),
                _ => {}
            }
        }
        received
    });
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        assert!(lines.send(&format!("line {number}")).await);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(lines);
    assert_eq!(receipts.await.unwrap(), number);
    number
}

/// Submits documents one after the other; how many there were.
async fn submit(endpoint: Endpoint, stop: Arc<AtomicBool>) -> u64 {
    let mut anybody = Anybody(endpoint);
    let client = anybody.patiently().await;
    let mut submitter = Submitter::new(client, anybody, PAUSES);
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let document = encode(Format::Binary, &[("number".to_owned(), number.to_string())]).unwrap();
        let submission = Submission::new(document, None).unwrap();
        // Until it is known to be stored: a server that is away for long is no failure here.
        while let Err(error) = submitter.submit(&submission).await {
            assert!(!error.to_string().contains("refused"), "{error}");
        }
    }
    number
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_or_doubled() {
    let sandbox = Sandbox::new();
    let url = format!("tcp://127.0.0.1:{}", unused_port());
    let mut server = sandbox.serve_at(&url, &[]);
    let endpoint: Endpoint = server.pinned_url().parse().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let all_here = Arc::new(Barrier::new(PEOPLE.len() + 1));
    let talking = |name| tokio::spawn(talk(endpoint.clone(), name, all_here.clone(), stop.clone()));
    let people: Vec<JoinHandle<Seen>> = PEOPLE.into_iter().map(talking).collect();
    let logging = tokio::spawn(log_lines(endpoint.clone(), stop.clone()));
    let submitting = tokio::spawn(submit(endpoint.clone(), stop.clone()));
    // Whether an account was made when the server died is for its owner to find out.
    all_here.wait().await;
    for round in 0..rounds() {
        // Somewhere in the middle of whatever it does.
        tokio::time::sleep(Duration::from_millis(300 + u64::from(round * 37 % 400))).await;
        server.signal("KILL");
        assert_eq!(server.wait().code, None);
        server = sandbox.serve_at(&url, &[]);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.store(true, Ordering::Relaxed);
    let mut seen = Vec::new();
    for person in people {
        seen.push(person.await.unwrap());
    }
    let (lines, submissions) = (logging.await.unwrap(), submitting.await.unwrap());
    for (name, seen) in PEOPLE.into_iter().zip(&seen) {
        for (with, entries) in &seen.entries {
            let history = history(&endpoint, name, with).await;
            let texts: HashSet<_> = history.iter().map(|(_, text)| text).collect();
            assert_eq!(texts.len(), history.len(), "something was kept twice in {name}'s {with}");
            // Without a gap from the first on, each once, in order; what came last, they may have left too early for.
            assert_eq!(entries[..], history[..entries.len()], "{name} in {with}");
            for (text, (to, seq)) in seen.sent.iter().filter(|(_, (to, _))| to == with) {
                assert_eq!(history[*seq as usize - 1], (*seq, text.clone()), "{name} to {to}");
            }
        }
    }
    server.stop();
    let sent: usize = seen.iter().map(|seen| seen.sent.len()).sum();
    let logged: Vec<_> = sandbox.read("data/fernwire/server_logs.txt").lines().map(last_word).collect();
    assert_eq!(logged, (1..=lines).collect::<Vec<_>>());
    let stored = sandbox.read("data/fernwire/submissions.jsonl");
    let stored: Vec<_> = stored.lines().map(|line| line.split("\"number\": \"").nth(1).unwrap()).collect();
    let stored: Vec<u64> = stored.iter().map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect();
    assert_eq!(stored, (1..=submissions).collect::<Vec<_>>());
    println!("{} rounds: {sent} posts, {lines} log lines, {submissions} submissions", rounds());
    assert!(sent > 50 && lines > 50 && submissions > 5, "{sent} {lines} {submissions}");
}

/// All of a conversation, with numbers from 1 on.
async fn history(endpoint: &Endpoint, name: &str, with: &str) -> Vec<(u64, String)> {
    let client = Client::connect(endpoint, &Options::default()).await.unwrap();
    client.login(&name.parse().unwrap(), &Password::new(PASSWORD)).await.unwrap();
    let mut history: Vec<(u64, String)> = Vec::new();
    loop {
        let before = history.len();
        let (with, after) = (with.parse().unwrap(), Some(before as u64));
        let mut page = client.chat(ChatRequest::History { with, after, before: None, limit: MAX_PAGE });
        while let Some(ChatReply::Entry { entry, .. }) = page.next().await.unwrap() {
            history.push((entry.seq, entry.text));
        }
        if history.len() == before {
            assert!(history.iter().map(|(seq, _)| *seq).eq(1..=before as u64));
            return history;
        }
    }
}

fn last_word(line: &str) -> u64 {
    line.rsplit(' ').next().unwrap().parse().unwrap()
}
