//! A process that is killed while it writes: what it was told is kept, and kept once.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use fernwire::store::{AccountId, Credential, LogMessage, Page, Post, RoomSummary, Store, StoreError, Submission};

use crate::scene::{NOW, here, post, room, user};

const ROUNDS: u32 = 12;
const FOLDER: &str = "FERNWIRE_TEST_CRASH_FOLDER";
const ROUND: &str = "FERNWIRE_TEST_CRASH_ROUND";
const PEOPLE: [&str; 3] = ["ada", "bob", "cyd"];

/// What was acknowledged: what was written, under which number.
type Acknowledged = BTreeMap<String, u64>;

#[tokio::test]
async fn nothing_that_was_acknowledged_is_lost_or_doubled_by_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    sign_up(folder.path()).await;
    let mut acknowledged = Acknowledged::new();
    for round in 0..ROUNDS {
        let mut random = [0; 2];
        getrandom::fill(&mut random).unwrap();
        let enough = 1 + usize::from(u16::from_le_bytes(random) % 300);
        let heard = run_until_killed(folder.path(), round, enough);
        println!("round {round}: {} acknowledged", heard.len());
        assert!(heard.len() >= enough);
        acknowledged.extend(heard);

        let (store, _feed) = Store::open(folder.path()).unwrap();
        check(&store, &acknowledged).await;
        repeat_what_was_cut_off(&store, round, &mut acknowledged).await;
        check(&store, &acknowledged).await;
        store.close().await;
    }
}

/// Not a test of its own: what the test above starts as another process, which ends only by being killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_until_it_is_killed() {
    let (Ok(folder), Ok(round)) = (std::env::var(FOLDER), std::env::var(ROUND)) else { return };
    let round: u32 = round.parse().unwrap();
    let (store, _feed) = Store::open(Path::new(&folder)).unwrap();
    // The test harness has begun a line of its own.
    println!();
    let mut writers = Vec::new();
    for what in PEOPLE.iter().chain(&["log", "data"]) {
        let store = store.clone();
        writers.push(tokio::spawn(async move {
            for i in 0..u32::MAX {
                let id = id(round, what, i);
                let number = write(&store, what, &id).await.unwrap();
                println!("kept {id} {number}");
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
}

fn id(round: u32, what: &str, i: u32) -> String {
    format!("{what}/{round}/{i}")
}

/// Writes what belongs to this id; gives its number.
async fn write(store: &Store, what: &str, id: &str) -> Result<u64, StoreError> {
    let (address, text) = ("here".to_owned(), id.to_owned());
    match what {
        "log" => {
            let message = LogMessage { stream: text.clone(), number: 7, time: NOW, address, account: None, text };
            Ok(store.append_log(message).await?.row)
        }
        "data" => {
            let (format, id) = ("json".into(), text.clone());
            let submission = Submission { id, time: NOW, address, account: None, format, data: text };
            Ok(store.append_submission(submission).await?.row)
        }
        name => {
            let author = account(store, name).await;
            // Of different lengths, so that pages are cut at different places.
            let text = format!("{id} {}", "word ".repeat(id.len() * 7 % 300));
            let post = Post { text, ..post(author, "#lobby", id) };
            Ok(store.post(post).await?.unwrap().seq)
        }
    }
}

async fn account(store: &Store, name: &str) -> AccountId {
    store.account(&user(name)).await.unwrap().unwrap().id
}

async fn sign_up(folder: &Path) {
    let (store, _feed) = Store::open(folder).unwrap();
    for name in PEOPLE {
        let made = store.create_account(user(name), Credential::new("hash"), NOW).await.unwrap().unwrap();
        store.join(made.id, &here(), &room("#lobby"), NOW).await.unwrap().unwrap();
    }
    store.close().await;
}

/// Kills the writing process once it has acknowledged so much; gives all that it has acknowledged.
fn run_until_killed(folder: &Path, round: u32, enough: usize) -> Acknowledged {
    let mut child = Writing(
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::writes_until_it_is_killed", "--nocapture", "--test-threads=1"])
            .env(FOLDER, folder)
            .env(ROUND, round.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut heard = Acknowledged::new();
    let mut lines = BufReader::new(child.0.stdout.take().unwrap());
    let mut line = String::new();
    // A line that was cut off by the end has acknowledged nothing.
    while lines.read_line(&mut line).unwrap() > 0 && line.ends_with('\n') {
        if let Some(("kept", rest)) = line.trim_end().split_once(' ') {
            let (id, number) = rest.split_once(' ').unwrap();
            heard.insert(id.to_owned(), number.parse().unwrap());
        }
        line.clear();
        if heard.len() == enough {
            // SIGKILL. What it has written before is still in the pipe.
            child.0.kill().unwrap();
        }
    }
    heard
}

struct Writing(Child);

impl Drop for Writing {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Everything that is there, by its id; no number is missing and no id is there twice.
async fn check(store: &Store, acknowledged: &Acknowledged) {
    let ada = account(store, "ada").await;
    let lobby = store.membership(ada, &"#lobby".parse().unwrap()).await.unwrap().unwrap();
    let mut posts = Vec::new();
    loop {
        let page = Page::After { seq: posts.len() as u64, limit: u32::MAX };
        let page = store.entries(lobby.id, page).await.unwrap();
        if page.is_empty() {
            break;
        }
        posts.extend(page.into_iter().map(|entry| (entry.post_id, entry.seq)));
    }
    let RoomSummary { last, .. } = store.rooms().await.unwrap().remove(0);
    assert_eq!(last, posts.len() as u64);
    let mut log = Vec::new();
    loop {
        let rows = store.log_after(log.len() as u64, u32::MAX).await.unwrap();
        if rows.is_empty() {
            break;
        }
        log.extend(rows.into_iter().map(|row| (row.message.text, row.row)));
    }
    let mut data = Vec::new();
    loop {
        let rows = store.submissions_after(data.len() as u64, u32::MAX).await.unwrap();
        if rows.is_empty() {
            break;
        }
        data.extend(rows.into_iter().map(|row| (row.submission.data, row.row)));
    }
    let mut there = Acknowledged::new();
    for kept in [posts, log, data] {
        let numbers: Vec<_> = kept.iter().map(|(_, number)| *number).collect();
        assert_eq!(numbers, (1..=kept.len() as u64).collect::<Vec<_>>());
        let ids: BTreeSet<_> = kept.iter().map(|(id, _)| id).collect();
        assert_eq!(ids.len(), kept.len(), "an id is there once");
        there.extend(kept);
    }
    for (id, number) in acknowledged {
        assert_eq!(there.get(id), Some(number), "{id}");
    }
}

/// Each writer tries its last acknowledged and its first unacknowledged again, as clients do.
async fn repeat_what_was_cut_off(store: &Store, round: u32, acknowledged: &mut Acknowledged) {
    for what in PEOPLE.iter().chain(&["log", "data"]) {
        let cut = (0..).find(|i| !acknowledged.contains_key(&id(round, what, *i))).unwrap();
        for i in cut.saturating_sub(1)..=cut {
            let id = id(round, what, i);
            let number = write(store, what, &id).await.unwrap();
            assert_eq!(*acknowledged.entry(id).or_insert(number), number);
        }
    }
}
