//! People who talk over the real server, with wires that break and a server that stops.

use std::time::Duration;

use fernwire::client::chat::{AskError, ChatError, ChatOptions, Event, Login, Moderation, Page};
use fernwire::client::reconnect::Pauses;
use fernwire::model::name::Target;
use fernwire::model::password::Password;
use fernwire::protocol::ErrorCode;
use fernwire::protocol::chat::{MAX_TEXT, Measure};
use fernwire::store::Credential;

use crate::place::{Person, Place};
use crate::relay::breaking;

/// What each of them posts while wires break.
const POSTS: usize = 100;

#[tokio::test]
async fn two_people_talk_in_a_room_and_directly() {
    let place = Place::open().await;
    let (mut ada, mut bob) = (place.signup("ada").await, place.signup("bob").await);
    ada.says("#lobby", "hello").await;
    bob.sees(1).await;
    bob.says("#lobby", "hello yourself").await;
    ada.sees(2).await;
    let secret = ada.says("Bob", "only for you").await;
    bob.sees(3).await;
    ada.sees(3).await;
    while !ada.sent.contains(&secret) {
        ada.next().await;
    }
    assert_eq!(bob.screen, ["#lobby 1 ada: hello", "#lobby 2 bob: hello yourself", "ada 1 ada: only for you"]);
    assert_eq!(ada.screen[..2], bob.screen[..2]);
    assert_eq!(ada.screen[2], "bob 1 ada: only for you");
    ada.leaves().await;
    bob.leaves().await;
}

#[tokio::test]
async fn whoever_returns_finds_what_was_missed_once() {
    let place = Place::open().await;
    let bob = place.signup("bob").await.leaves().await;
    assert_eq!(bob.screen, [""; 0]);
    let mut ada = place.signup("ada").await;
    ada.says("#lobby", "anybody there?").await;
    ada.says("bob", "call me").await;
    ada.sees(2).await;
    let bob = place.login("bob").await;
    assert_eq!(bob.screen, ["#lobby 1 ada: anybody there?", "ada 1 ada: call me"]);
    for with in ["#lobby", "ada"] {
        bob.chat.mark_read(&with.parse().unwrap(), 1);
    }
    bob.leaves().await;
    assert_eq!(place.login("bob").await.screen, [""; 0]);
}

#[tokio::test]
async fn no_line_is_lost_doubled_or_reordered_over_cuts() {
    let place = Place::open().await;
    // The handshake and the login alone take about 1,500 bytes.
    let mut people = Vec::new();
    for (name, step) in [("ada", 700), ("bob", 1100)] {
        let lengths = (0..12).map(|i| 2500 + step * i).collect();
        let wire = breaking(place.endpoint(), lengths).await;
        let options =
            fernwire::client::chat::ChatOptions { patient: true, ..place.options_at(&wire, Place::new_account(name)) };
        people.push(Person::enter(options).await);
    }
    let talking = people.into_iter().map(|mut person| {
        tokio::spawn(async move {
            let chat = person.chat.clone();
            let lobby: Target = "#lobby".parse().unwrap();
            let mut posted = Vec::new();
            for i in 0..POSTS {
                posted.push(chat.post(&lobby, Default::default(), format!("line {i}")).await.unwrap());
            }
            let mut losses = 0;
            while person.screen.len() < 2 * POSTS || person.sent.len() < POSTS {
                match person.next().await {
                    Event::Down { .. } => losses += 1,
                    event @ (Event::Ended(_) | Event::Failed { .. }) => panic!("{event:?}"),
                    _ => {}
                }
            }
            assert!(losses >= 5, "the wire broke only {losses} times");
            assert_eq!(person.sent, posted);
            person.leaves().await.screen
        })
    });
    let mut screens = Vec::new();
    for talking in talking.collect::<Vec<_>>() {
        screens.push(talking.await.unwrap());
    }
    assert_eq!(screens[0], screens[1]);
    assert_eq!(screens[0].len(), 2 * POSTS);
    for (entry, seq) in screens[0].iter().zip(1..) {
        assert!(entry.starts_with(&format!("#lobby {seq} ")), "{entry}");
    }
    for name in ["ada", "bob"] {
        let own: Vec<_> = screens[0].iter().filter_map(|entry| entry.split_once(&format!(" {name}: "))).collect();
        let expected: Vec<_> = (0..POSTS).map(|i| format!("line {i}")).collect();
        assert_eq!(own.iter().map(|(_, text)| *text).collect::<Vec<_>>(), expected);
    }
}

#[tokio::test]
async fn a_server_that_was_started_again_goes_on_where_it_was() {
    let mut place = Place::open().await;
    let (mut ada, bob) = (place.signup("ada").await, place.signup("bob").await);
    ada.says("#lobby", "before").await;
    ada.sees(1).await;
    bob.leaves().await;
    place.stop().await;
    ada.until(|event| matches!(event, Event::Down { .. })).await;
    let post = ada.says("#lobby", "while it was away").await;
    place.start().await;
    ada.until(|event| matches!(event, Event::Sent { post_id, .. } if *post_id == post)).await;
    ada.sees(2).await;
    let bob = place.login("bob").await;
    assert_eq!(bob.screen, ["#lobby 1 ada: before", "#lobby 2 ada: while it was away"]);
    assert_eq!(ada.screen, bob.screen);
}

#[tokio::test]
async fn nobody_has_to_wait_for_the_next_attempt() {
    let mut place = Place::open().await;
    drop(place.signup("ada").await);
    let day = Duration::from_secs(24 * 3600);
    let login = Login::Password { name: "ada".parse().unwrap(), password: Password::new("Correct-1-horse") };
    let pauses = Pauses { first: day, longest: day, ..Pauses::default() };
    let mut ada = Person::enter(ChatOptions { pauses, ..place.options(login) }).await;
    place.stop().await;
    // The first attempt is at once, the next some time of this day.
    let is_long = |event: &Event| matches!(event, Event::Down { retry_in, .. } if !retry_in.is_zero());
    ada.until(is_long).await;
    ada.chat.try_now();
    ada.until(is_long).await;
    place.start().await;
    ada.chat.try_now();
    ada.until(|event| matches!(event, Event::Ready)).await;
}

#[tokio::test]
async fn a_post_that_is_refused_has_failed_and_the_next_goes_on() {
    let place = Place::open().await;
    let mut ada = place.signup("ada").await;
    let refused = [("#nowhere", "x"), ("nobody", "x")];
    for (to, text) in refused {
        let post = ada.says(to, text).await;
        let failed = ada.until(|event| matches!(event, Event::Failed { .. } | Event::Sent { .. })).await;
        assert!(matches!(&failed, Event::Failed { post_id, .. } if *post_id == post), "{failed:?}");
    }
    // What cannot be a message is not even tried.
    let lobby = "#lobby".parse().unwrap();
    for text in ["".to_owned(), " \n".to_owned(), "x".repeat(MAX_TEXT + 1)] {
        assert!(ada.chat.post(&lobby, Default::default(), text).await.is_err());
    }
    // After the login a message may be longer than a stranger's.
    let longest = "x".repeat(MAX_TEXT);
    ada.says("#lobby", &longest).await;
    ada.sees(1).await;
    assert_eq!(ada.screen, [format!("#lobby 1 ada: {longest}")]);
    let ada = ada.leaves().await;
    assert!(ada.chat.post(&lobby, Default::default(), "too late").await.is_err());
}

#[tokio::test]
async fn what_is_asked_is_answered() {
    let place = Place::open().await;
    let (mut ada, mut bob) = (place.signup("ada").await, place.signup("bob").await);
    let (garden, with) = ("#garden".parse().unwrap(), "#garden".parse::<Target>().unwrap());
    assert!(ada.chat.join(&garden).await.unwrap().operator);
    for text in ["roses", "tulips", "more roses"] {
        ada.says("#garden", text).await;
    }
    ada.sees(3).await;
    // Who joins gets what was said lately, once.
    assert_eq!(bob.chat.join(&garden).await.unwrap().unread(), 3);
    bob.sees(3).await;
    assert_eq!(bob.screen, ada.screen);
    let page = bob.chat.history(&with, Page::Before(3), 1).await.unwrap();
    assert_eq!(page.iter().map(|entry| &*entry.text).collect::<Vec<_>>(), ["tulips"]);
    assert_eq!(bob.chat.history(&with, Page::After(1), 9).await.unwrap().len(), 2);
    let hits = bob.chat.search("ros", None, None, 9).await.unwrap();
    assert_eq!(hits.iter().map(|hit| hit.entry.seq).collect::<Vec<_>>(), [3, 1]);
    let members = bob.chat.names(&garden).await.unwrap();
    assert_eq!(members.iter().filter(|member| member.operator).count(), 1);
    assert!(bob.chat.rooms().await.unwrap().iter().any(|room| room.name == garden && room.members == 2));
    assert_eq!(bob.chat.conversations().await.unwrap().len(), 2);
    ada.chat.topic(&garden, "flowers").await.unwrap();
    bob.until(|event| matches!(event, Event::Topic { topic, .. } if topic == "flowers")).await;
    let kick = |name: &str| Moderation {
        room: garden.clone(),
        name: name.parse().unwrap(),
        measure: Measure::Kick,
        lasting: None,
        address: false,
        reason: "weeds".to_owned(),
    };
    let refused = bob.chat.moderate(kick("ada")).await.unwrap_err();
    assert!(matches!(refused, AskError::Refused(error) if error.code == ErrorCode::Refused));
    ada.chat.moderate(kick("bob")).await.unwrap();
    bob.until(|event| matches!(event, Event::Left { room } if *room == garden)).await;
    // What was said behind one's back is not told to whoever returns; what is said then is.
    ada.says("#garden", "compost").await;
    ada.sees(4).await;
    bob.chat.join(&garden).await.unwrap();
    ada.says("#garden", "welcome back").await;
    while !bob.screen.iter().any(|entry| entry.ends_with("welcome back")) {
        bob.next().await;
    }
    let mut once = bob.screen.clone();
    once.dedup();
    assert_eq!(once, bob.screen);
    bob.chat.leave(&garden).await.unwrap();
    assert!(bob.chat.names(&garden).await.is_err());
}

#[tokio::test]
async fn a_wrong_password_and_a_revoked_login_end_it() {
    let place = Place::open().await;
    let mut ada = place.signup("ada").await;
    for (name, password) in [("ada", "Wrong-1-horse"), ("nobody", "Correct-1-horse")] {
        let login = Login::Password { name: name.parse().unwrap(), password: Password::new(password) };
        match Person::begin(place.options(login)).next().await {
            Event::Ended(Err(ChatError::Login(error))) => assert!(error.is(ErrorCode::BadCredentials), "{error}"),
            other => panic!("{other:?}"),
        }
    }
    match Person::begin(place.options(Place::new_account("ADA"))).next().await {
        Event::Ended(Err(ChatError::Login(error))) => assert!(error.is(ErrorCode::NameTaken), "{error}"),
        other => panic!("{other:?}"),
    }
    // A changed password revokes every ticket: the next connection is not hers any more.
    let mut place = place;
    let credential = place.store().account(&"ada".parse().unwrap()).await.unwrap().unwrap().credential;
    let credential = Credential::new(credential.expose());
    assert!(place.store().set_credential(&"ada".parse().unwrap(), credential).await.unwrap());
    place.stop().await;
    place.start().await;
    loop {
        match ada.next().await {
            Event::Ended(Err(ChatError::LoggedOut)) => break,
            Event::Ended(other) => panic!("{other:?}"),
            _ => {}
        }
    }
}
