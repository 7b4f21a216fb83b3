//! A thousand sessions in one room: coming in costs each of them little, and what is said reaches all.
//!
//! `cargo test --release --test crowd -- --nocapture` also says how long it took.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::time::Instant;

use common::{Bed, DEADLINE};
use fernwire::channel::mode::KeyMode;
use fernwire::client::{Client, Replies};
use fernwire::model::name::RoomName;
use fernwire::model::password::Password;
use fernwire::protocol::chat::{ChatReply, ChatRequest, Style};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::task::JoinSet;

const SESSIONS: usize = 1000;
/// Who comes in at a time; those who have not logged in yet are limited for one address.
const TOGETHER: usize = 50;

/// Somebody in the room, and what they have heard so far.
struct Member {
    client: Client,
    events: Replies<ChatReply>,
    presence: usize,
}

impl Member {
    async fn comes(bed: &Bed, name: String) -> Self {
        let client = bed.client().await;
        client.signup(&name.parse().unwrap(), &Password::new("Correct-1-horse")).await.unwrap();
        let mut joined = client.chat(ChatRequest::Join { room: RoomName::lobby() });
        while joined.next().await.unwrap().is_some() {}
        let events = client.chat(ChatRequest::Listen { resume: Vec::new() });
        let mut member = Self { client, events, presence: 0 };
        while member.next().await != ChatReply::Ready {}
        member
    }

    async fn next(&mut self) -> ChatReply {
        let event = tokio::time::timeout(DEADLINE, self.events.next()).await.unwrap().unwrap().unwrap();
        self.presence += usize::from(matches!(event, ChatReply::Presence { .. }));
        event
    }

    /// Waits for the text; how many events of presence came before it.
    async fn hears(mut self, wanted: &str) -> usize {
        loop {
            if let ChatReply::Entry { entry, .. } = self.next().await {
                assert_eq!(entry.text, wanted);
                return self.presence;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_sessions_share_a_room() {
    // Both ends of every connection are in this process.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let bed = Arc::new(Bed::start("tcp", KeyMode::X25519).await);
    let (start, mut members, mut halfway) = (Instant::now(), Vec::new(), None);
    for first in (0..SESSIONS).step_by(TOGETHER) {
        let mut coming = JoinSet::new();
        for number in first..first + TOGETHER {
            let bed = bed.clone();
            coming.spawn(async move { Member::comes(&bed, format!("person{number}")).await });
        }
        members.extend(coming.join_all().await);
        if members.len() >= SESSIONS / 2 && halfway.is_none() {
            halfway = Some(start.elapsed());
        }
    }
    let (all, half) = (start.elapsed(), halfway.unwrap());
    println!("{SESSIONS} sessions came in {all:.1?}: the first half in {half:.1?}, the second in {:.1?}", all - half);

    let said = Instant::now();
    let to = RoomName::lobby().into();
    let post = ChatRequest::Post { to, post_id: "p".into(), style: Style::Text, text: "good morning, all".into() };
    let mut answer = members[0].client.chat(post);
    while answer.next().await.unwrap().is_some() {}
    println!("a message was durable after {:.1?}", said.elapsed());
    let hearing: JoinSet<usize> = members.into_iter().map(|member| member.hears("good morning, all")).collect();
    let presence = hearing.join_all().await;
    println!("and heard by all {} after {:.1?}", presence.len(), said.elapsed());
    assert_eq!(presence.len(), SESSIONS);
    // If each heard of each, that would be half a million.
    let told: usize = presence.iter().sum();
    println!("comings were told in {told} events");
    assert!(told < SESSIONS * SESSIONS / 10, "{told}");
    Arc::into_inner(bed).unwrap().stop().await;
}
