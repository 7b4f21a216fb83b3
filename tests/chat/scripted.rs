//! A chat client against a server that loses, repeats, refuses and leaves.

use std::time::Duration;

use fernwire::channel::CloseReason;
use fernwire::channel::mode::KeyMode;
use fernwire::client::ANSWER_TIMEOUT;
use fernwire::client::chat::{AskError, ChatError, ChatOptions, Event, Login, Page};
use fernwire::model::password::Password;
use fernwire::protocol::account::AccountRequest;
use fernwire::protocol::chat::{ChatReply, ChatRequest};
use fernwire::protocol::{ErrorCode, Request, RequestError};

use crate::fake::{Fake, Session, conversation, entry};
use crate::place::{Person, quick};

fn person(fake: &Fake) -> Person {
    Person::begin(options(fake))
}

fn options(fake: &Fake) -> ChatOptions {
    ChatOptions {
        endpoint: fake.pinned(),
        client: fake.options(),
        login: Login::Password { name: "ada".parse().unwrap(), password: Password::new("Correct-1-horse") },
        rooms: Vec::new(),
        pauses: quick(),
        patient: false,
    }
}

fn error(code: ErrorCode, retry_after: Option<u64>) -> RequestError {
    RequestError { retry_after, ..RequestError::new(code, "because") }
}

/// A session that listens, with nothing missed.
async fn ready(fake: &mut Fake) -> (Session, u64) {
    let mut session = fake.accept().await;
    session.welcome().await;
    let (listen, _) = session.listens().await;
    session.reply(listen, ChatReply::Ready).await;
    (session, listen)
}

#[tokio::test]
async fn entries_come_once_and_in_order_whatever_the_server_repeats_and_leaves_out() {
    let mut fake = Fake::new(KeyMode::X25519).await;
    let mut ada = person(&fake);
    let server = async {
        let mut session = fake.accept().await;
        assert!(matches!(session.welcome().await, Request::Account(AccountRequest::Login { .. })));
        let (listen, resume) = session.listens().await;
        assert_eq!(resume, []);
        session.reply(listen, conversation("#a", 2, 0)).await;
        for seq in [1, 2, 2, 1] {
            session.reply(listen, entry("#a", seq)).await;
        }
        session.reply(listen, ChatReply::Ready).await;
        session.reply(listen, entry("#a", 5)).await;
        let (id, request) = session.chat().await;
        assert!(matches!(request, ChatRequest::History { after: Some(2), .. }), "{request:?}");
        for seq in [3, 4] {
            session.reply(id, entry("#a", seq)).await;
        }
        session.end(id).await;
        session.reply(listen, entry("#a", 4)).await;
        session.close(CloseReason::TooSlow, "too slow").await;

        let mut session = fake.accept().await;
        // The password is gone; the ticket logs in.
        assert!(matches!(session.welcome().await, Request::Account(AccountRequest::Resume { .. })));
        let (listen, resume) = session.listens().await;
        assert_eq!(resume, [("#a".to_owned(), 5)]);
        session.reply(listen, conversation("#a", 8, 0)).await;
        session.reply(listen, entry("#a", 6)).await;
        session.reply(listen, ChatReply::Ready).await;
        let (id, request) = session.chat().await;
        assert!(matches!(request, ChatRequest::History { after: Some(6), .. }), "{request:?}");
        session.reply(id, entry("#a", 7)).await;
        session.end(id).await;
        // A hole that the server cannot fill is not asked for again and again.
        let (id, _) = session.chat().await;
        session.end(id).await;
        session.reply(listen, entry("#a", 9)).await;
        session.close(CloseReason::Removed, "no more\x1b[2J").await;
    };
    let client = async {
        loop {
            if let Event::Ended(result) = ada.next().await {
                return result.unwrap_err();
            }
        }
    };
    let (why, ()) = tokio::join!(client, server);
    assert!(matches!(why, ChatError::Removed(_)), "{why:?}");
    assert_eq!(why.to_string(), "the server ended the session: no more\\u{1b}[2J");
    let expected: Vec<_> = [1, 2, 3, 4, 5, 6, 7, 9].iter().map(|seq| format!("#a {seq} bob: text {seq}")).collect();
    assert_eq!(ada.screen, expected);
}

#[tokio::test(start_paused = true)]
async fn posts_wait_fail_and_are_sent_again_in_their_order() {
    let mut fake = Fake::new(KeyMode::X25519).await;
    let mut ada = person(&fake);
    let mut ids = Vec::new();
    for text in ["one", "two", "three", "four"] {
        ids.push(ada.says("#a", text).await);
    }
    let told = ids.clone();
    let server = async {
        let (mut session, _) = ready(&mut fake).await;
        // Nothing is refused but what is tried again, a few times.
        let passing = [
            error(ErrorCode::Throttled, Some(7)),
            error(ErrorCode::TooManyRequests, None),
            error(ErrorCode::Unavailable, None),
            error(ErrorCode::Internal, None),
        ];
        for error in passing {
            let (id, post_id, text) = session.post().await;
            assert_eq!((&post_id, &*text), (&ids[0], "one"));
            session.fails(id, error).await;
        }
        let (id, post_id, _) = session.post().await;
        assert_eq!(post_id, ids[0]);
        session.posted(id, 1).await;
        let (id, post_id, _) = session.post().await;
        assert_eq!(post_id, ids[1]);
        session.fails(id, error(ErrorCode::Refused, None)).await;
        let (_, post_id, _) = session.post().await;
        assert_eq!(post_id, ids[2]);
        // Whether it was kept before the cut, nobody knows; the id tells the server.
        drop(session);
        let (mut session, _) = ready(&mut fake).await;
        for i in [2, 3] {
            let (id, post_id, _) = session.post().await;
            assert_eq!(post_id, ids[i]);
            session.posted(id, i as u64).await;
        }
        assert_eq!(session.next().await, None);
        session.close(CloseReason::Done, "").await;
    };
    let client = async {
        let mut seen = Vec::new();
        loop {
            match ada.next().await {
                Event::Delayed { post_id, pause, .. } => {
                    seen.push((post_id, format!("waits {} ms", pause.as_millis())))
                }
                Event::Failed { post_id, why, .. } => seen.push((post_id, why.message)),
                Event::Sent { post_id, seq, .. } => seen.push((post_id, format!("is {seq}"))),
                Event::Down { retry_in, .. } => assert_eq!(retry_in, Duration::ZERO),
                Event::Ended(result) => return (seen, result.is_ok()),
                _ => {}
            }
            if seen.len() == 7 {
                ada.chat.quit();
            }
        }
    };
    let ((seen, done), ()) = tokio::join!(client, server);
    let line = |i: usize, what: &str| (told[i].clone(), what.to_owned());
    let expected = [
        line(0, "waits 7000 ms"),
        line(0, "waits 500 ms"),
        line(0, "waits 1000 ms"),
        line(0, "is 1"),
        line(1, "because"),
        line(2, "is 2"),
        line(3, "is 3"),
    ];
    assert_eq!(seen, expected);
    assert!(done);
}

#[tokio::test]
async fn what_was_asked_before_a_loss_is_answered_after_it() {
    let mut fake = Fake::new(KeyMode::X25519).await;
    let mut ada = person(&fake);
    let chat = ada.chat.clone();
    let asking = tokio::spawn(async move { chat.rooms().await });
    chat_reads(&ada, "#a", 3);
    let server = async {
        let mut session = fake.accept().await;
        session.welcome().await;
        // The cut comes when all of it was asked.
        for _ in 0..3 {
            session.chat().await;
        }
        drop(session);
        let mut session = fake.accept().await;
        session.welcome().await;
        let mut kinds = Vec::new();
        for _ in 0..3 {
            match session.chat().await {
                (id, ChatRequest::Listen { .. }) => {
                    kinds.push("listen");
                    session.reply(id, ChatReply::Ready).await;
                }
                (id, ChatRequest::Rooms) => {
                    kinds.push("rooms");
                    let name = "#a".parse().unwrap();
                    session.reply(id, ChatReply::Room { name, topic: String::new(), members: 1 }).await;
                    session.end(id).await;
                }
                (id, ChatRequest::Read { seq: 3, .. }) => {
                    kinds.push("read");
                    session.end(id).await;
                }
                other => panic!("{other:?}"),
            }
        }
        kinds.sort();
        assert_eq!(kinds, ["listen", "read", "rooms"]);
        assert_eq!(session.next().await, None);
        session.close(CloseReason::Done, "").await;
    };
    let client = async {
        assert_eq!(asking.await.unwrap().unwrap().len(), 1);
        ada.until(|event| matches!(event, Event::Ready)).await;
        ada.leaves().await;
    };
    tokio::join!(client, server);
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_fails_its_question_and_not_the_session() {
    let mut fake = Fake::new(KeyMode::X25519).await;
    let mut ada = person(&fake);
    let chat = ada.chat.clone();
    let asking = tokio::spawn(async move { (chat.rooms().await, chat.conversations().await) });
    let server = async {
        let mut session = fake.accept().await;
        session.welcome().await;
        for _ in 0..2 {
            match session.chat().await {
                (id, ChatRequest::Listen { .. }) => session.reply(id, ChatReply::Ready).await,
                (id, ChatRequest::Rooms) => session.nonsense(id).await,
                other => panic!("{other:?}"),
            }
        }
        // It is not asked again, and what is asked next is answered.
        let (id, request) = session.chat().await;
        assert!(matches!(request, ChatRequest::Conversations), "{request:?}");
        session.end(id).await;
        assert_eq!(session.next().await, None);
        session.close(CloseReason::Done, "").await;
    };
    let client = async {
        let answers = asking.await.unwrap();
        assert!(matches!(&answers, (Err(AskError::Nonsense), Ok(none)) if none.is_empty()), "{answers:?}");
        ada.until(|event| {
            assert!(!matches!(event, Event::Down { .. }), "{event:?}");
            matches!(event, Event::Ready)
        })
        .await;
        ada.leaves().await;
    };
    tokio::join!(client, server);
}

#[tokio::test]
async fn what_has_no_number_is_no_entry_and_nothing_is_read_that_was_never_said() {
    let mut fake = Fake::new(KeyMode::X25519).await;
    let mut ada = person(&fake);
    let chat = ada.chat.clone();
    let server = async {
        let (mut session, listen) = ready(&mut fake).await;
        session.reply(listen, conversation("#a", 2, 7)).await;
        session.reply(listen, entry("bob", 0)).await;
        session.reply(listen, entry("#a", 0)).await;
        session.reply(listen, entry("#a", 3)).await;
        let (id, request) = session.chat().await;
        assert!(matches!(request, ChatRequest::History { .. }), "{request:?}");
        for seq in [0, 1] {
            session.reply(id, entry("#a", seq)).await;
        }
        session.end(id).await;
        let (id, request) = session.chat().await;
        assert!(matches!(request, ChatRequest::Search { .. }), "{request:?}");
        for seq in [0, 1] {
            let ChatReply::Entry { with, entry } = entry("#a", seq) else { unreachable!() };
            session.reply(id, ChatReply::Hit { with, cursor: 9, entry }).await;
        }
        session.end(id).await;
        for _ in 0..2 {
            let (id, _) = session.chat().await;
            session.reply(id, conversation("#a", 2, 7)).await;
            session.end(id).await;
        }
        assert_eq!(session.next().await, None);
        session.close(CloseReason::Done, "").await;
    };
    let client = async {
        ada.until(|event| match event {
            Event::Conversation(conversation) => {
                assert_eq!((conversation.last, conversation.read), (2, 2));
                false
            }
            event => matches!(event, Event::Entry { .. }),
        })
        .await;
        let with = "#a".parse().unwrap();
        let entries = chat.history(&with, Page::Last, 10).await.unwrap();
        assert_eq!(entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1]);
        let hits = chat.search("text", None, None, 10).await.unwrap();
        assert_eq!(hits.iter().map(|hit| hit.entry.seq).collect::<Vec<_>>(), [1]);
        assert_eq!(chat.conversations().await.unwrap()[0].read, 2);
        assert_eq!(chat.join(&"#a".parse().unwrap()).await.unwrap().read, 2);
        assert_eq!(ada.screen, ["#a 3 bob: text 3"]);
        ada.leaves().await;
    };
    tokio::join!(client, server);
}

fn chat_reads(person: &Person, with: &str, seq: u64) {
    person.chat.mark_read(&with.parse().unwrap(), seq - 1);
    person.chat.mark_read(&with.parse().unwrap(), seq);
}

#[tokio::test]
async fn what_is_read_while_the_last_posts_go_out_is_told() {
    let mut fake = Fake::new(KeyMode::X25519).await;
    let mut ada = person(&fake);
    ada.says("#a", "the last").await;
    let server = async {
        let (mut session, listen) = ready(&mut fake).await;
        let (post, ..) = session.post().await;
        session.reply(listen, entry("#a", 1)).await;
        // Whoever comes back would be told of it once more.
        let (read, request) = session.chat().await;
        assert!(matches!(request, ChatRequest::Read { seq: 1, .. }), "{request:?}");
        session.end(read).await;
        session.posted(post, 2).await;
        assert_eq!(session.next().await, None);
        session.close(CloseReason::Done, "").await;
    };
    let client = async {
        ada.until(|event| matches!(event, Event::Ready)).await;
        ada.chat.quit();
        ada.until(|event| matches!(event, Event::Entry { .. })).await;
        chat_reads(&ada, "#a", 1);
        ada.leaves().await;
    };
    tokio::join!(client, server);
}

#[tokio::test]
async fn a_conversation_that_a_server_set_back_has_forgotten_begins_anew() {
    let mut fake = Fake::new(KeyMode::X25519).await;
    let mut ada = person(&fake);
    let server = async {
        let (mut session, listen) = ready(&mut fake).await;
        for with in ["bob", "#a"] {
            session.reply(listen, conversation(with, 0, 0)).await;
            for seq in 1..=3 {
                session.reply(listen, entry(with, seq)).await;
            }
        }
        session.reply(listen, ChatReply::Left { room: "#a".parse().unwrap() }).await;
        drop(session);
        // Its backup is older than either.
        let (mut session, listen) = ready(&mut fake).await;
        for with in ["bob", "#a"] {
            session.reply(listen, conversation(with, 1, 1)).await;
            for seq in 1..=2 {
                session.reply(listen, entry(with, seq)).await;
            }
        }
        session.close(CloseReason::Removed, "").await;
    };
    let client = async { while !matches!(ada.next().await, Event::Ended(_)) {} };
    tokio::join!(client, server);
    let seen = |with: &str| ada.screen.iter().filter(|line| line.starts_with(with)).count();
    assert_eq!((seen("bob"), seen("#a")), (5, 5), "{:?}", ada.screen);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_lives_and_answers_nothing_is_left_for_a_new_session() {
    let mut fake = Fake::new(KeyMode::X25519).await;
    let mut ada = Person::begin(ChatOptions { rooms: vec!["#a".parse().unwrap()], patient: true, ..options(&fake) });
    ada.says("#a", "at last").await;
    let server = async {
        // It falls silent before the login, before the join, before it tells what was missed, and before a post.
        fake.accept().await.says_nothing().await;
        let mut session = fake.accept().await;
        session.welcome().await;
        session.says_nothing().await;
        let mut session = fake.accept().await;
        session.welcome().await;
        let (join, _) = session.chat().await;
        session.end(join).await;
        session.says_nothing().await;
        let (session, _) = ready(&mut fake).await;
        session.says_nothing().await;
        let (mut session, _) = ready(&mut fake).await;
        let (id, _, text) = session.post().await;
        assert_eq!(text, "at last");
        session.posted(id, 1).await;
        assert_eq!(session.next().await, None);
        session.close(CloseReason::Done, "").await;
    };
    let client = async {
        let mut reasons = Vec::new();
        while ada.sent.is_empty() {
            if let Event::Down { reason, .. } = ada.next_within(2 * ANSWER_TIMEOUT).await {
                reasons.push(reason);
            }
        }
        assert!(reasons.iter().all(|reason| reason.contains("did not answer")), "{reasons:?}");
        assert_eq!(reasons.len(), 4);
        ada.leaves().await;
    };
    tokio::join!(client, server);
}
