//! Rooms, direct conversations, and what is unread.

use fernwire::store::{Authority, EntryKind, MAX_PAGE_TEXT, Page, Place, Post, RECENT, Refusal};

use crate::scene::{NOW, Scene, post, room, texts, to};

#[tokio::test]
async fn who_makes_a_room_keeps_order_in_it() {
    let scene = Scene::new();
    let (ada, bob) = (scene.sign_up("ada").await, scene.sign_up("bob").await);
    assert!(!scene.join(ada, "#lobby").await.operator, "the lobby was there before");
    assert!(scene.join(ada, "#Garden").await.operator);
    assert!(!scene.join(bob, "#garden").await.operator);
    assert!(scene.join(ada, "#garden").await.operator, "joining twice changes nothing");
    let members = scene.store.members(&room("#GARDEN")).await.unwrap();
    let members: Vec<_> = members.iter().map(|member| (member.name.as_str(), member.operator)).collect();
    assert_eq!(members, [("ada", true), ("bob", false)]);
    let rooms = scene.store.rooms().await.unwrap();
    let rooms: Vec<_> = rooms.iter().map(|room| (room.name.as_str(), room.members)).collect();
    assert_eq!(rooms, [("#Garden", 2), ("#lobby", 1)]);
    assert!(scene.store.leave(ada, &room("#garden")).await.unwrap());
    assert!(!scene.store.leave(ada, &room("#garden")).await.unwrap());
    assert!(!scene.join(ada, "#garden").await.operator);
}

#[tokio::test]
async fn only_members_may_post_and_say_what_a_room_is_about() {
    let mut scene = Scene::new();
    let (ada, bob) = (scene.sign_up("ada").await, scene.sign_up("bob").await);
    assert_eq!(scene.say(ada, "#lobby", "a").await, Err(Refusal::NotAMember(room("#lobby"))));
    assert_eq!(scene.say(ada, "#nowhere", "a").await, Err(Refusal::NoSuchRoom));
    let topic = async |by, text: &str| scene.store.set_topic(by, None, &room("#lobby"), text.into()).await.unwrap();
    let of = Authority::Account;
    assert_eq!(topic(of(bob), "mine").await, Err(Refusal::NotAMember(room("#lobby"))));
    scene.join(bob, "#lobby").await;
    assert_eq!(topic(of(bob), "welcome").await, Ok(()));
    assert_eq!(scene.membership(bob, "#lobby").await.unwrap().topic, "welcome");
    assert_eq!(topic(Authority::Server, "closed").await, Ok(()));
    assert_eq!(scene.store.rooms().await.unwrap()[0].topic, "closed");

    let waves = Post { kind: EntryKind::Action, ..post(bob, "#lobby", "waves") };
    let posted = scene.store.post(waves).await.unwrap().unwrap();
    let committed = scene.feed.next().await.unwrap();
    assert_eq!((committed.entry.kind, committed.entry.seq), (EntryKind::Action, 1));
    assert_eq!(*committed.place, Place::Room { id: posted.conversation, name: room("#lobby") });
    assert_eq!(scene.entries(bob, "#lobby").await, [(*committed.entry).clone()], "what was refused left no trace");
}

#[tokio::test]
async fn the_same_post_again_is_the_first_one() {
    let mut scene = Scene::new();
    let (ada, bob) = (scene.sign_up("ada").await, scene.sign_up("bob").await);
    scene.join(ada, "#lobby").await;
    scene.join(bob, "#lobby").await;
    let first = scene.say(ada, "#lobby", "a").await.unwrap();
    let again = Post { text: "changed".into(), time: NOW + 5, ..post(ada, "#lobby", "a") };
    let again = scene.store.post(again).await.unwrap().unwrap();
    assert_eq!((again.seq, again.time, again.repeated, first.repeated), (first.seq, NOW, true, false));
    assert_eq!(scene.say(bob, "#lobby", "a").await.unwrap().seq, 2, "an id is its author's own");
    scene.store.leave(ada, &room("#lobby")).await.unwrap();
    assert!(scene.say(ada, "#lobby", "a").await.unwrap().repeated, "it stays posted");
    scene.store.clone().close().await;
    let mut heard = Vec::new();
    while let Some(committed) = scene.feed.next().await {
        heard.push((committed.entry.seq, committed.entry.author.to_string()));
    }
    assert_eq!(heard, [(1, "ada".into()), (2, "bob".into())]);
}

#[tokio::test]
async fn a_direct_message_waits_for_whom_it_is_for() {
    let mut scene = Scene::new();
    let (ada, bob) = (scene.sign_up("ada").await, scene.sign_up("Bob").await);
    assert!(matches!(scene.say(bob, "cyd", "?").await, Err(Refusal::NoSuchUser(_))));
    let posted = scene.say(bob, "ADA", "for later").await.unwrap();
    let place = scene.feed.next().await.unwrap().place;
    let Place::Direct { id, between } = &*place else { panic!("{place:?}") };
    assert_eq!(*id, posted.conversation);
    assert_eq!(between.each_ref().map(|(id, name)| (*id, name.as_str())), [(ada, "ada"), (bob, "Bob")]);

    let mut scene = scene.restart().await;
    let waiting = scene.store.memberships(ada).await.unwrap();
    assert_eq!((waiting.len(), &waiting[0].with, waiting[0].unread()), (1, &to("bob"), 1));
    assert_eq!(scene.unread(bob, "ada").await, 0, "one has read one's own words");
    assert_eq!(texts(&scene.entries(ada, "bob").await), ["for later"]);
    scene.say(ada, "bob", "thanks").await.unwrap();
    assert_eq!((scene.unread(ada, "bob").await, scene.unread(bob, "ada").await), (2, 1), "it was not read before");

    scene.say(ada, "ada", "note to self").await.unwrap();
    assert_eq!(scene.unread(ada, "ada").await, 0);
    scene.feed.next().await.unwrap();
    let place = scene.feed.next().await.unwrap().place;
    assert!(matches!(&*place, Place::Direct { between: [(a, _), (b, _)], .. } if a == b));
}

#[tokio::test]
async fn unread_counts_follow_what_was_read() {
    let scene = Scene::new();
    let (ada, bob) = (scene.sign_up("ada").await, scene.sign_up("bob").await);
    scene.join(ada, "#lobby").await;
    for i in 1..=30 {
        scene.say(ada, "#lobby", &i.to_string()).await.unwrap();
    }
    assert_eq!(scene.unread(ada, "#lobby").await, 0);
    let joined = scene.join(bob, "#lobby").await;
    assert_eq!((joined.last, joined.unread()), (30, RECENT));
    let read = async |seq| {
        scene.store.mark_read(bob, joined.id, seq).await.unwrap();
        scene.unread(bob, "#lobby").await
    };
    assert_eq!([read(25).await, read(3).await, read(u64::MAX).await], [5, 5, 0], "only forward, and to the end");
    scene.store.leave(bob, &room("#lobby")).await.unwrap();
    scene.say(ada, "#lobby", "while away").await.unwrap();
    assert_eq!(scene.join(bob, "#lobby").await.unread(), 1, "who comes back has not forgotten what they read");
    scene.say(ada, "#lobby", "more").await.unwrap();
    scene.say(bob, "#lobby", "reply").await.unwrap();
    assert_eq!(scene.unread(bob, "#lobby").await, 3);
    // A position in a conversation that one is not in is none.
    let cyd = scene.sign_up("cyd").await;
    scene.store.mark_read(cyd, joined.id, 5).await.unwrap();
    assert_eq!(scene.membership(cyd, "#lobby").await, None);
}

#[tokio::test]
async fn a_page_is_bounded_in_entries_and_in_bytes() {
    let scene = Scene::new();
    let ada = scene.sign_up("ada").await;
    let id = scene.join(ada, "#lobby").await.id;
    for i in 0..5 {
        scene.say(ada, "#lobby", &i.to_string().repeat(100_000)).await.unwrap();
    }
    scene.say(ada, "#lobby", &"x".repeat(MAX_PAGE_TEXT + 1)).await.unwrap();
    scene.say(ada, "#lobby", "y").await.unwrap();
    let page = async |page| {
        let entries = scene.store.entries(id, page).await.unwrap();
        entries.iter().map(|entry| entry.seq).collect::<Vec<_>>()
    };
    let after = |seq, limit| Page::After { seq, limit };
    let before = |seq, limit| Page::Before { seq, limit };
    assert_eq!(page(after(0, 1)).await, [1]);
    assert_eq!(page(after(0, 0)).await, [] as [u64; 0]);
    assert_eq!(page(after(0, u32::MAX)).await, [1, 2]);
    assert_eq!(page(after(5, 9)).await, [6], "an entry that is larger than a page comes alone");
    assert_eq!(page(after(7, 9)).await, [] as [u64; 0]);
    assert_eq!(page(before(u64::MAX, 9)).await, [7]);
    assert_eq!(page(before(6, 9)).await, [4, 5]);
    assert_eq!(page(before(1, 9)).await, [] as [u64; 0]);
}
