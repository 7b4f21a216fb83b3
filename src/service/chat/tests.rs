//! The chat service with real people and a real store: who may do what, what is missed and found, who is told.

use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::flood::MAX_WAIT;
use super::*;
use crate::model::peer::PeerAddr;
use crate::protocol::Request;
use crate::protocol::chat::{MAX_NAMES, Position};
use crate::service::caller::{Dismissal, Peer};
use crate::service::{Services, Upload};
use crate::store::{Authority, Credential, What, Whom};

const DEADLINE: Duration = Duration::from_secs(30);

struct Bed {
    services: Arc<Services>,
    store: Store,
    _folder: TempDir,
}

/// A session of somebody.
struct Person {
    services: Arc<Services>,
    guest: crate::service::Guest,
}

/// A session's stream of events.
struct Events {
    replies: mpsc::Receiver<Reply>,
    task: JoinHandle<Result<(), RequestError>>,
}

impl Bed {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (store, feed) = Store::open(folder.path()).unwrap();
        let services = Services { chat: Some(Chat::new(store.clone(), feed)), ..Services::default() };
        Self { services: Arc::new(services), store, _folder: folder }
    }

    /// A session of the account, which is made if needed.
    async fn person(&self, name: &str) -> Person {
        self.person_at(name, 1000).await
    }

    async fn person_at(&self, name: &str, uid: u32) -> Person {
        let guest = self.stranger(uid);
        let name: UserName = name.parse().unwrap();
        let _ = self.store.create_account(name.clone(), Credential::new("none"), now()).await.unwrap();
        let account = self.store.account(&name).await.unwrap().unwrap();
        guest.identify(Identity { id: account.id, name: account.name }).unwrap();
        Person { services: self.services.clone(), guest }
    }

    fn stranger(&self, uid: u32) -> crate::service::Guest {
        self.services.sessions.enter(Peer { address: PeerAddr::Unix(uid), is_near: true, holds: None })
    }

    fn chat(&self) -> &Chat {
        self.services.chat.as_ref().unwrap()
    }
}

impl Person {
    async fn ask(&self, request: ChatRequest) -> Result<Vec<ChatReply>, RequestError> {
        ask(&self.services, &self.guest, request).await
    }

    async fn join(&self, name: &str) -> Result<Vec<ChatReply>, RequestError> {
        self.ask(ChatRequest::Join { room: room(name) }).await
    }

    async fn say(&self, to: &str, text: &str) -> Result<u64, RequestError> {
        static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.say_as(to, text, &format!("p{number}")).await
    }

    async fn say_as(&self, to: &str, text: &str, post_id: &str) -> Result<u64, RequestError> {
        let (to, post_id, text) = (to.parse().unwrap(), post_id.to_owned(), text.to_owned());
        let replies = self.ask(ChatRequest::Post { to, post_id, style: Style::Text, text }).await?;
        let [ChatReply::Posted { seq, .. }] = replies[..] else { panic!("{replies:?}") };
        Ok(seq)
    }

    async fn moderate(&self, name: &str, measure: Measure, seconds: Option<u64>) -> Result<(), RequestError> {
        let (room, name, reason) = (room("#den"), name.parse().unwrap(), String::new());
        let request = ChatRequest::Moderate { room, name, measure, seconds, address: false, reason };
        self.ask(request).await.map(|_| ())
    }

    fn listen(&self, resume: &[(&str, u64)]) -> Events {
        let resume = resume.iter().map(|(with, seq)| Position { with: with.parse().unwrap(), seq: *seq }).collect();
        let (sink, replies) = ReplySink::new();
        let (services, caller) = (self.services.clone(), self.guest.clone());
        let request = Request::Chat(ChatRequest::Listen { resume });
        let task = tokio::spawn(async move { services.answer(&caller, request, Upload::new(0).0, sink).await });
        Events { replies, task }
    }

    /// Listens, and what it has heard when it is up to date.
    async fn returns(&self) -> (Events, Vec<String>) {
        let mut events = self.listen(&[]);
        let missed = events.until_ready().await;
        (events, missed)
    }
}

async fn ask(services: &Services, caller: &Arc<Caller>, request: ChatRequest) -> Result<Vec<ChatReply>, RequestError> {
    let (sink, mut replies) = ReplySink::new();
    let collecting = async {
        let mut collected = Vec::new();
        while let Some(Reply::Chat(reply)) = replies.recv().await {
            collected.push(reply);
        }
        collected
    };
    let answering = services.answer(caller, Request::Chat(request), Upload::new(0).0, sink);
    let (result, collected) = tokio::join!(answering, collecting);
    result.map(|()| collected)
}

impl Events {
    async fn next(&mut self) -> ChatReply {
        let reply = tokio::time::timeout(DEADLINE, self.replies.recv()).await.unwrap();
        let Some(Reply::Chat(reply)) = reply else { panic!("{reply:?}") };
        reply
    }

    /// The next entry; other events are passed over.
    async fn entry(&mut self) -> String {
        loop {
            if let ChatReply::Entry { with, entry } = self.next().await {
                return format!("{with} {} {}: {}", entry.seq, entry.from, entry.text);
            }
        }
    }

    /// The entries up to where everything missed has come.
    async fn until_ready(&mut self) -> Vec<String> {
        let mut entries = Vec::new();
        loop {
            match self.next().await {
                ChatReply::Ready => return entries,
                ChatReply::Entry { with, entry } => entries.push(format!("{with} {}: {}", entry.from, entry.text)),
                _ => {}
            }
        }
    }

    /// The first event that this picks.
    async fn find<T>(&mut self, pick: impl Fn(ChatReply) -> Option<T>) -> T {
        loop {
            if let Some(found) = pick(self.next().await) {
                return found;
            }
        }
    }
}

fn room(name: &str) -> RoomName {
    name.parse().unwrap()
}

fn code<T: std::fmt::Debug>(result: Result<T, RequestError>) -> ErrorCode {
    result.unwrap_err().code
}

#[tokio::test]
async fn nobody_chats_without_an_account() {
    let bed = Bed::new().await;
    let stranger = bed.stranger(1);
    for request in [
        ChatRequest::Rooms,
        ChatRequest::Conversations,
        ChatRequest::Listen { resume: Vec::new() },
        ChatRequest::Join { room: RoomName::lobby() },
    ] {
        assert_eq!(code(ask(&bed.services, &stranger, request).await), ErrorCode::LoginRequired);
    }
}

#[tokio::test]
async fn who_is_not_in_a_room_neither_reads_nor_writes_there() {
    let bed = Bed::new().await;
    let (ada, eve) = (bed.person("ada").await, bed.person("eve").await);
    ada.join("#den").await.unwrap();
    ada.say("#den", "between us").await.unwrap();
    assert_eq!(code(eve.say("#den", "hello").await), ErrorCode::Refused);
    assert_eq!(code(eve.say("#nowhere", "hello").await), ErrorCode::NotFound);
    assert_eq!(code(eve.say("nobody", "hello").await), ErrorCode::NotFound);
    let den = || Target::Room(room("#den"));
    for request in [
        ChatRequest::History { with: den(), after: None, before: None, limit: 10 },
        ChatRequest::Names { room: room("#den") },
        ChatRequest::Read { with: den(), seq: 1 },
        ChatRequest::Topic { room: room("#den"), topic: "mine".into() },
    ] {
        assert_eq!(code(eve.ask(request).await), ErrorCode::Refused);
    }
    let search = |within| ChatRequest::Search { words: "between".into(), within, before: None, limit: 10 };
    assert!(eve.ask(search(None)).await.unwrap().is_empty());
    assert!(!matches!(eve.ask(search(Some(den()))).await, Ok(hits) if !hits.is_empty()));
    assert_eq!(ada.ask(search(None)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn only_operators_keep_order() {
    let bed = Bed::new().await;
    let (ada, bob, eve) = (bed.person("ada").await, bed.person("bob").await, bed.person("eve").await);
    for person in [&ada, &bob, &eve] {
        person.join("#den").await.unwrap();
    }
    for measure in [Measure::Kick, Measure::Ban, Measure::Mute, Measure::Op, Measure::Deop] {
        assert_eq!(code(bob.moderate("ada", measure, None).await), ErrorCode::Refused, "{measure:?}");
    }
    ada.moderate("eve", Measure::Mute, Some(3600)).await.unwrap();
    let refused = eve.say("#den", "x").await.unwrap_err();
    assert!(refused.code == ErrorCode::Refused && refused.message.contains("muted until"), "{refused:?}");
    ada.moderate("eve", Measure::Unmute, None).await.unwrap();
    eve.say("#den", "again").await.unwrap();
    ada.moderate("eve", Measure::Kick, None).await.unwrap();
    assert_eq!(code(eve.say("#den", "x").await), ErrorCode::Refused);
    eve.join("#den").await.unwrap();
    ada.moderate("eve", Measure::Ban, None).await.unwrap();
    assert_eq!(code(eve.join("#den").await), ErrorCode::Refused);
    ada.moderate("bob", Measure::Op, None).await.unwrap();
    bob.moderate("eve", Measure::Unban, None).await.unwrap();
    eve.join("#den").await.unwrap();
}

#[tokio::test]
async fn a_ban_of_an_address_holds_for_other_accounts_from_there() {
    let bed = Bed::new().await;
    let ada = bed.person_at("ada", 1).await;
    let (eve, other, elsewhere) =
        (bed.person_at("eve", 666).await, bed.person_at("other", 666).await, bed.person_at("bob", 2).await);
    let member = bed.person_at("member", 666).await;
    for person in [&ada, &eve, &member] {
        person.join("#den").await.unwrap();
    }
    let _listening = eve.returns().await;
    let (name, reason) = ("eve".parse().unwrap(), "spam".to_owned());
    let ban =
        ChatRequest::Moderate { room: room("#den"), name, measure: Measure::Ban, seconds: None, address: true, reason };
    ada.ask(ban).await.unwrap();
    assert_eq!(code(other.join("#den").await), ErrorCode::Refused);
    // Who is in the room already is quiet in every way.
    assert_eq!(code(member.say("#den", "x").await), ErrorCode::Refused);
    let topic = ChatRequest::Topic { room: room("#den"), topic: "mine".into() };
    assert_eq!(code(member.ask(topic).await), ErrorCode::Refused);
    elsewhere.join("#den").await.unwrap();
}

#[tokio::test]
async fn what_is_said_while_someone_is_away_is_there_once() {
    let bed = Bed::new().await;
    let (ada, bob) = (bed.person("ada").await, bed.person("bob").await);
    for person in [&ada, &bob] {
        person.join("#den").await.unwrap();
    }
    bob.say("#den", "first").await.unwrap();
    let (events, missed) = ada.returns().await;
    assert_eq!(missed, ["#den bob: first"]);
    ada.ask(ChatRequest::Read { with: Target::Room(room("#den")), seq: 1 }).await.unwrap();
    events.task.abort();
    let _ = events.task.await;
    bob.say("#den", "second").await.unwrap();
    bob.say("ada", "just you").await.unwrap();
    bob.say("#den", "third").await.unwrap();
    let (mut events, mut missed) = ada.returns().await;
    missed.sort();
    assert_eq!(missed, ["#den bob: second", "#den bob: third", "bob bob: just you"]);
    bob.say("#den", "fourth").await.unwrap();
    assert_eq!(events.entry().await, "#den 4 bob: fourth");
    // Another session of hers goes on from where it was, whatever the first has read.
    let second = bed.person("ada").await;
    let mut resumed = second.listen(&[("#den", 2), ("bob", 1)]);
    assert_eq!(resumed.until_ready().await, ["#den bob: third", "#den bob: fourth"]);
}

#[tokio::test]
async fn sessions_of_one_account_and_both_sides_of_a_talk_hear_everything() {
    let bed = Bed::new().await;
    let (ada, again, bob) = (bed.person("ada").await, bed.person("Ada").await, bed.person("bob").await);
    let (mut one, _) = ada.returns().await;
    let (mut two, _) = again.returns().await;
    let (mut other, _) = bob.returns().await;
    ada.join("#den").await.unwrap();
    ada.say("#den", "to me").await.unwrap();
    ada.say("bob", "to you").await.unwrap();
    bob.say("ada", "to you too").await.unwrap();
    for events in [&mut one, &mut two] {
        assert_eq!(events.entry().await, "#den 1 ada: to me");
        assert_eq!(events.entry().await, "bob 1 ada: to you");
        assert_eq!(events.entry().await, "bob 2 bob: to you too");
    }
    assert_eq!(other.entry().await, "ada 1 ada: to you");
    assert_eq!(other.entry().await, "ada 2 bob: to you too");
}

#[tokio::test]
async fn a_post_that_is_repeated_is_said_once() {
    let bed = Bed::new().await;
    let ada = bed.person("ada").await;
    ada.join("#den").await.unwrap();
    let (mut events, _) = ada.returns().await;
    let first = ada.say_as("#den", "once", "same").await.unwrap();
    assert_eq!(ada.say_as("#den", "once", "same").await.unwrap(), first);
    ada.say("#den", "then").await.unwrap();
    assert_eq!(events.entry().await, "#den 1 ada: once");
    assert_eq!(events.entry().await, "#den 2 ada: then");
}

#[tokio::test]
async fn entries_come_in_order_whoever_posts_at_the_same_time() {
    let bed = Bed::new().await;
    let people: Vec<_> = [bed.person("ada").await, bed.person("bob").await, bed.person("cara").await].into();
    for person in &people {
        person.join("#den").await.unwrap();
    }
    let listener = bed.person("dora").await;
    listener.join("#den").await.unwrap();
    let (mut events, _) = listener.returns().await;
    let posting = async {
        for i in 0..40 {
            let text = i.to_string();
            let (a, b, c) =
                tokio::join!(people[0].say("#den", &text), people[1].say("#den", &text), people[2].say("#den", &text));
            assert!(a.is_ok() && b.is_ok() && c.is_ok());
        }
    };
    let hearing = async {
        for seq in 1..=120 {
            let entry = events.entry().await;
            assert!(entry.starts_with(&format!("#den {seq} ")), "{entry}");
        }
    };
    tokio::join!(posting, hearing);
}

#[tokio::test]
async fn a_room_hears_of_comings_and_goings_all_together() {
    let bed = Bed::new().await;
    let ada = bed.person("ada").await;
    ada.join("#den").await.unwrap();
    let (mut events, _) = ada.returns().await;
    let mut others = Vec::new();
    for i in 0..80 {
        let person = bed.person(&format!("p{i}")).await;
        person.join("#den").await.unwrap();
        others.push((person.returns().await.0, person));
    }
    let (mut come, mut told) = (0, 0);
    while come < 81 {
        let (joined, more) = events
            .find(|event| match event {
                ChatReply::Presence { joined, more, .. } => Some((joined.len(), more)),
                _ => None,
            })
            .await;
        assert!(joined <= MAX_NAMES);
        come += joined as u64 + more;
        told += 1;
    }
    assert_eq!(come, 81, "{told} events");
    assert!(told < 40, "{told} events");
    drop(others);
}

#[tokio::test]
async fn who_does_not_read_is_sent_away_and_nobody_waits_for_him() {
    let bed = Bed::new().await;
    let (ada, slow) = (bed.person("ada").await, bed.person("slow").await);
    for person in [&ada, &slow] {
        person.join("#den").await.unwrap();
    }
    let (mut events, _) = ada.returns().await;
    let _never_read = slow.listen(&[]);
    let text = "x".repeat(60_000);
    let mut said = 0;
    let dismissal = loop {
        // More than a queue holds, and within what may be said at once.
        if said < 24 {
            bed.person(&format!("p{said}")).await.join("#den").await.unwrap();
            bed.person(&format!("p{said}")).await.say("#den", &text).await.unwrap();
            events.entry().await;
            said += 1;
        }
        if let Ok(dismissal) = tokio::time::timeout(Duration::from_millis(1), slow.guest.dismissed()).await {
            break dismissal;
        }
    };
    assert!(matches!(dismissal, Dismissal::TooSlow(text) if text.contains("resume")));
    ada.say("#den", "still here").await.unwrap();
    assert!(events.entry().await.ends_with("ada: still here"));
}

#[tokio::test]
async fn a_long_paste_is_one_message_and_too_long_a_text_is_refused() {
    let bed = Bed::new().await;
    let ada = bed.person("ada").await;
    ada.join("#den").await.unwrap();
    let paste = "a line of a paste of ordinary length, as people have them\n".repeat(200);
    ada.say("#den", &paste).await.unwrap();
    assert_eq!(code(ada.say("#den", &"x".repeat(MAX_TEXT + 1)).await), ErrorCode::BadRequest);
    for nothing in ["", "  \n "] {
        assert_eq!(code(ada.say("#den", nothing).await), ErrorCode::BadRequest);
    }
    assert_eq!(code(ada.say_as("#den", "x", "a b").await), ErrorCode::BadRequest);
    assert_eq!(code(ada.say_as("#den", "x", &"x".repeat(MAX_POST_ID + 1)).await), ErrorCode::BadRequest);
}

#[tokio::test(start_paused = true)]
async fn a_flood_is_slowed_down_and_at_last_refused() {
    let flood = Flood::default();
    let account = {
        let bed = Bed::new().await;
        bed.person("ada").await.guest.identity().unwrap().id
    };
    let start = tokio::time::Instant::now();
    for _ in 0..200 {
        flood.admit(account, 10).await.unwrap();
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    for _ in 0..20 {
        flood.admit(account, 10).await.unwrap();
    }
    assert!((900..1100).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    // Bytes count too: a megabyte in pieces takes a while.
    let start = tokio::time::Instant::now();
    for _ in 0..16 {
        flood.admit(account, 64 * 1024).await.unwrap();
    }
    assert!(start.elapsed() > Duration::from_secs(7), "{:?}", start.elapsed());
    // What would wait for too long is told so, and reserves nothing.
    let reserved = (0..2000).filter(|_| flood.reserve(account, 1000.0) <= MAX_WAIT).count();
    assert!((500..2000).contains(&reserved), "{reserved}");
    let refused = flood.admit(account, 1000).await.unwrap_err();
    assert!(refused.code == ErrorCode::Throttled && refused.retry_after > Some(0), "{refused:?}");
}

#[tokio::test]
async fn the_operator_speaks_to_all_and_to_one() {
    let bed = Bed::new().await;
    let (ada, bob) = (bed.person("ada").await, bed.person("bob").await);
    let (mut hers, _) = ada.returns().await;
    let (mut his, _) = bob.returns().await;
    assert_eq!(bed.chat().say("to all"), 2);
    assert_eq!(bed.chat().tell(&"bob".parse().unwrap(), "to you").await.unwrap(), 1);
    assert_eq!(code(bed.chat().tell(&"nobody".parse().unwrap(), "x").await), ErrorCode::NotFound);
    let notice = |event| match event {
        ChatReply::Notice { text, to_you } => Some((text, to_you)),
        _ => None,
    };
    assert_eq!(hers.find(notice).await, ("to all".into(), false));
    assert_eq!(his.find(notice).await, ("to all".into(), false));
    assert_eq!(his.find(notice).await, ("to you".into(), true));
}

#[tokio::test]
async fn a_session_listens_once() {
    let bed = Bed::new().await;
    let ada = bed.person("ada").await;
    let (_events, _) = ada.returns().await;
    assert_eq!(code(ada.ask(ChatRequest::Listen { resume: Vec::new() }).await), ErrorCode::Refused);
}

/// The moment before: what was asked has reached the store, and whoever asked is gone.
async fn ask_and_vanish(person: &Person, request: ChatRequest) {
    let (sink, _replies) = ReplySink::new();
    let (services, caller) = (person.services.clone(), person.guest.clone());
    let mut asking =
        Box::pin(async move { services.answer(&caller, Request::Chat(request), Upload::new(0).0, sink).await });
    std::future::poll_fn(|context| {
        let _ = asking.as_mut().poll(context);
        std::task::Poll::Ready(())
    })
    .await;
}

fn left(event: ChatReply) -> Option<String> {
    match event {
        ChatReply::Left { room } => Some(room.to_string()),
        _ => None,
    }
}

#[tokio::test]
async fn who_is_banned_while_catching_up_hears_nothing_more() {
    let bed = Bed::new().await;
    let (ada, eve) = (bed.person("ada").await, bed.person("eve").await);
    for name in ["#first", "#den"] {
        ada.join(name).await.unwrap();
        eve.join(name).await.unwrap();
        ada.say(name, "before").await.unwrap();
    }
    let mut events = eve.listen(&[]);
    // She stands still in the first room, with the second before her.
    assert!(matches!(events.next().await, ChatReply::Conversation(_)));
    ada.moderate("eve", Measure::Ban, None).await.unwrap();
    ada.say("#den", "without eve").await.unwrap();
    assert_eq!(events.until_ready().await, ["#first ada: before"]);
    ada.say("#den", "and this").await.unwrap();
    ada.say("eve", "to you").await.unwrap();
    assert_eq!(events.entry().await, "ada 1 ada: to you");
}

#[tokio::test]
async fn who_is_banned_in_the_middle_of_a_history_gets_no_more_of_it() {
    let bed = Bed::new().await;
    let (ada, eve) = (bed.person("ada").await, bed.person("eve").await);
    for person in [&ada, &eve] {
        person.join("#den").await.unwrap();
    }
    for text in ["one", "two", "three"] {
        ada.say("#den", text).await.unwrap();
    }
    let mut events = eve.listen(&[]);
    assert_eq!(events.entry().await, "#den 1 ada: one");
    ada.moderate("eve", Measure::Ban, None).await.unwrap();
    ada.say("#den", "without eve").await.unwrap();
    assert_eq!(events.until_ready().await, ["#den ada: two", "#den ada: three"]);
}

#[tokio::test]
async fn who_leaves_or_is_kicked_hears_no_more_though_nobody_waits_for_the_answer() {
    let bed = Bed::new().await;
    let (ada, eve) = (bed.person("ada").await, bed.person("eve").await);
    ada.join("#den").await.unwrap();
    let (mut events, _) = eve.returns().await;
    let kick = ChatRequest::Moderate {
        room: room("#den"),
        name: "eve".parse().unwrap(),
        measure: Measure::Kick,
        seconds: None,
        address: false,
        reason: String::new(),
    };
    for (who, request) in [(&eve, ChatRequest::Leave { room: room("#den") }), (&ada, kick)] {
        eve.join("#den").await.unwrap();
        ask_and_vanish(who, request).await;
        assert_eq!(events.find(left).await, "#den");
        ada.say("#den", "without eve").await.unwrap();
        ada.say("eve", "to you").await.unwrap();
        assert!(events.entry().await.ends_with("ada: to you"));
    }
}

#[tokio::test]
async fn who_leaves_and_comes_back_hears_the_room_in_whatever_order_it_was_told() {
    let bed = Bed::new().await;
    let (ada, bob) = (bed.person("ada").await, bed.person("bob").await);
    for person in [&ada, &bob] {
        person.join("#den").await.unwrap();
    }
    let (mut events, _) = bob.returns().await;
    let (den, account) = (room("#den"), bob.guest.identity().unwrap().id);
    assert!(bed.store.leave(account, &den).await.unwrap());
    bob.join("#den").await.unwrap();
    // Only now comes the word that he had left.
    let chat = bed.chat();
    chat.hub.left(account, &den);
    chat.door.settle(account, &den, false).await;
    ada.say("#den", "hello").await.unwrap();
    assert_eq!(events.entry().await, "#den 1 ada: hello");
}

#[tokio::test]
async fn talks_that_others_begin_keep_nobody_out_of_a_room() {
    let bed = Bed::new().await;
    let ada = bed.person("ada").await;
    let mut writing = tokio::task::JoinSet::new();
    for number in 0..MAX_ROOMS {
        let (store, text, time) = (bed.store.clone(), "hello".to_owned(), now());
        writing.spawn(async move {
            let name = format!("p{number}").parse().unwrap();
            let author = store.create_account(name, Credential::new("none"), time).await.unwrap().unwrap().id;
            let (source, to, kind) =
                (crate::model::peer::Source::Memory, "ada".parse().unwrap(), store::EntryKind::Text);
            store.post(Post { author, source, to, kind, text, post_id: "x".into(), time }).await.unwrap().unwrap();
        });
    }
    writing.join_all().await;
    ada.join("#den").await.unwrap();
}

#[tokio::test]
async fn what_the_servers_operator_has_decided_no_operator_of_a_room_lifts() {
    let bed = Bed::new().await;
    let ada = bed.person("ada").await;
    ada.join("#den").await.unwrap();
    let order = |measure| {
        let (room, name, reason) = (room("#den"), "ada".parse().unwrap(), String::new());
        Order { room, name, measure, seconds: None, address: false, reason }
    };
    bed.chat().moderate(None, order(Measure::Mute)).await.unwrap();
    let listed = bed.services.obey(&bed.store, "bans".parse().unwrap()).await.unwrap();
    assert_eq!(listed, "ada muted in #den for good");
    let refused = ada.moderate("ada", Measure::Unmute, None).await.unwrap_err();
    assert!(refused.message.contains("whoever runs the server"), "{refused:?}");
    // Nor does an operator harm himself by accident.
    for measure in [Measure::Kick, Measure::Ban, Measure::Mute] {
        assert!(ada.moderate("ada", measure, Some(1)).await.unwrap_err().message.contains("that is you"));
    }
    assert_eq!(code(ada.say("#den", "x").await), ErrorCode::Refused);
    bed.chat().moderate(None, order(Measure::Unmute)).await.unwrap();
    ada.say("#den", "x").await.unwrap();
}

#[tokio::test]
async fn a_room_is_called_as_its_maker_called_it_and_forgotten_when_nothing_is_in_it() {
    let bed = Bed::new().await;
    let (ada, bob) = (bed.person("ada").await, bed.person("bob").await);
    ada.join("#Den").await.unwrap();
    let (mut events, _) = ada.returns().await;
    bob.join("#DEN").await.unwrap();
    ada.ask(ChatRequest::Topic { room: room("#den"), topic: "ferns".into() }).await.unwrap();
    let named = |event| match event {
        ChatReply::Topic { room, .. } => Some(room.to_string()),
        _ => None,
    };
    assert_eq!(events.find(named).await, "#Den");
    for person in [&ada, &bob] {
        person.ask(ChatRequest::Leave { room: room("#dEN") }).await.unwrap();
    }
    let left = |event| match event {
        ChatReply::Left { room } => Some(room.to_string()),
        _ => None,
    };
    assert_eq!(events.find(left).await, "#Den");
    let rooms = || async { bed.chat().rooms().await.unwrap().into_iter().map(|room| room.name.to_string()).collect() };
    let names: Vec<String> = rooms().await;
    assert_eq!(names, ["#lobby"]);
    // What was said is kept, and the room with it.
    ada.join("#den").await.unwrap();
    ada.say("#den", "for ever").await.unwrap();
    ada.ask(ChatRequest::Leave { room: room("#den") }).await.unwrap();
    let names: Vec<String> = rooms().await;
    assert_eq!(names, ["#den", "#lobby"]);
}

#[tokio::test]
async fn nobody_bans_the_address_that_he_comes_from_himself() {
    let bed = Bed::new().await;
    let (ada, eve) = (bed.person_at("ada", 7).await, bed.person_at("eve", 7).await);
    for person in [&ada, &eve] {
        person.join("#den").await.unwrap();
    }
    let (_hers, _) = ada.returns().await;
    let (_his, _) = eve.returns().await;
    let (name, reason) = ("eve".parse().unwrap(), String::new());
    let ban =
        ChatRequest::Moderate { room: room("#den"), name, measure: Measure::Ban, seconds: None, address: true, reason };
    ada.ask(ban).await.unwrap();
    assert_eq!(code(eve.join("#den").await), ErrorCode::Refused);
    ada.say("#den", "still here").await.unwrap();
    assert_eq!(bed.store.bans().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_ban_without_a_time_that_makes_sense_is_refused() {
    let bed = Bed::new().await;
    let (ada, eve) = (bed.person("ada").await, bed.person("eve").await);
    for person in [&ada, &eve] {
        person.join("#den").await.unwrap();
    }
    assert_eq!(code(ada.moderate("eve", Measure::Ban, Some(0)).await), ErrorCode::BadRequest);
    assert_eq!(code(ada.moderate("eve", Measure::Ban, Some(u64::MAX)).await), ErrorCode::BadRequest);
    let (mut events, _) = ada.returns().await;
    ada.moderate("eve", Measure::Kick, Some(60)).await.unwrap();
    let until = |event| match event {
        ChatReply::Moderated { until, .. } => Some(until),
        _ => None,
    };
    assert_eq!(events.find(until).await, None);
}

#[tokio::test]
async fn who_is_deleted_or_banned_beside_the_server_is_sent_away() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _feed) = Store::open(folder.path()).unwrap();
    let accounts = crate::service::accounts::Accounts::new(store.clone(), 4);
    let services = Services { accounts: Some(accounts), ..Services::default() };
    let enter = async |name: &str| {
        let guest = services.sessions.enter(Peer { address: PeerAddr::Unix(1), is_near: true, holds: None });
        let made = store.create_account(name.parse().unwrap(), Credential::new("none"), now()).await.unwrap().unwrap();
        guest.identify(Identity { id: made.id, name: made.name }).unwrap();
        guest
    };
    let (ada, bob, cara) = (enter("ada").await, enter("bob").await, enter("cara").await);
    store.delete_account(&"ada".parse().unwrap(), now()).await.unwrap();
    let whom = Whom::User("bob".parse().unwrap());
    let ban = store::Measure { by: Authority::Server, room: None, whom, what: What::Ban { until: None }, now: now() };
    store.moderate(ban).await.unwrap().unwrap();
    let dismissed = async { (ada.dismissed().await, bob.dismissed().await) };
    let (first, second) = tokio::select! {
        dismissed = dismissed => dismissed,
        () = services.watch() => unreachable!("it never completes"),
    };
    assert!(matches!(first, Dismissal::Removed(why) if why.contains("deleted")));
    assert!(matches!(second, Dismissal::Removed(why) if why.contains("banned")));
    assert!(tokio::time::timeout(Duration::from_millis(10), cara.dismissed()).await.is_err());
}
