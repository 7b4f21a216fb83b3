//! What is said here, from the key to the entry.

use std::time::Duration;

use fernwire::client::chat::Event;
use fernwire::protocol::chat::Style;
use fernwire::protocol::{ErrorCode, RequestError};
use ratatui::crossterm::event::KeyCode;

use super::super::stage::Input;
use super::super::wish::{Answer, Wish};
use super::scene::{Scene, entry, has, room, with};

#[test]
fn a_post_is_seen_at_once_and_stands_where_the_server_has_it() {
    let mut scene = Scene::new(80, 20);
    scene.enters("one");
    assert!(has(&scene, "ada: one … sending"), "{}", scene.screen());
    let posted = Wish::Post { number: 1, to: with("#lobby"), style: Style::Text, text: "one".to_owned() };
    assert!(scene.wished().contains(&posted));
    scene.says("#lobby", 1, "bob", "earlier");
    scene.sent("#lobby", "post-1", 2, "one");
    let screen = scene.screen();
    assert!(screen.find("bob: earlier") < screen.find("ada: one ✓"), "{screen}");
    assert_eq!(screen.matches("one").count(), 1, "{screen}");
}

#[test]
fn an_entry_that_comes_before_its_acknowledgement_is_there_once() {
    let mut scene = Scene::new(80, 20);
    scene.enters("one");
    let entry = fernwire::protocol::chat::Entry { post_id: "post-1".to_owned(), ..entry(1, "ada", "one") };
    scene.happens(Event::Entry { with: with("#lobby"), entry, mine: true });
    scene.happens(Event::Sent { post_id: "post-1".to_owned(), with: with("#lobby"), seq: 1, time: 0 });
    assert_eq!(scene.screen().matches("ada: one").count(), 1, "{}", scene.screen());
    assert_eq!(scene.state.unsettled(), 0);
}

#[test]
fn what_has_failed_says_so_and_can_be_sent_again_or_dropped() {
    let mut scene = Scene::new(80, 20);
    scene.enters("one");
    scene.enters("two");
    scene.failed("#lobby", "post-1", "you are muted");
    scene.failed("#lobby", "post-2", "you are muted");
    assert!(has(&scene, "✗ not sent: you are muted"), "{}", scene.screen());
    assert!(has(&scene, "2 not sent"));
    scene.wished();
    scene.alt('r');
    let again: Vec<String> = scene
        .wished()
        .into_iter()
        .filter_map(|wish| match wish {
            Wish::Post { text, .. } => Some(text),
            _ => None,
        })
        .collect();
    assert_eq!(again, ["one", "two"]);
    assert!(!has(&scene, "not sent"));
    scene.answer(Answer::Posted { number: 3, to: with("#lobby"), result: Ok("post-3".to_owned()) });
    scene.failed("#lobby", "post-3", "you are muted");
    scene.alt('d');
    assert!(!has(&scene, "ada: one"), "{}", scene.screen());
    assert!(has(&scene, "ada: two"), "{}", scene.screen());
}

#[test]
fn without_a_connection_it_counts_down_and_keeps_what_is_typed() {
    let mut scene = Scene::new(80, 20);
    assert_eq!(scene.state.next_change(scene.now), None, "idle costs nothing");
    scene.down("refused", 3);
    assert!(has(&scene, "again in 3 s"), "{}", scene.screen());
    let next = scene.state.next_change(scene.now).unwrap();
    assert_eq!(next - scene.now, Duration::from_secs(1));
    scene.now = next;
    assert!(has(&scene, "again in 2 s"), "{}", scene.screen());
    scene.types("half");
    scene.now += Duration::from_secs(2);
    assert!(has(&scene, "trying now"), "{}", scene.screen());
    assert_eq!(scene.state.next_change(scene.now), None);
    scene.online();
    assert!(has(&scene, "● connected"));
    assert_eq!(scene.state.editor().text(), "half");
}

#[test]
fn what_is_unsent_in_a_lost_room_is_not_forgotten() {
    let mut scene = Scene::new(80, 20);
    scene.conversation("#rust", "", 0, 0);
    scene.alt('2');
    scene.enters("on its way");
    scene.happens(Event::Left { room: room("#rust") });
    scene.alt('1');
    assert_eq!(scene.state.unsettled(), 1);
    scene.failed("#rust", "post-1", "you are no member");
    scene.alt('2');
    assert!(has(&scene, "on its way ✗ not sent: you are no member"), "{}", scene.screen());
    scene.alt('d');
    scene.alt('1');
    assert_eq!(scene.state.places.len(), 1);
}

#[test]
fn a_late_answer_is_counted_and_an_empty_enter_tries_now() {
    let mut scene = Scene::new(100, 20);
    scene.enters("hello?");
    assert!(has(&scene, "1 sending · "), "{}", scene.screen());
    assert_eq!(scene.state.next_change(scene.now).unwrap() - scene.now, Duration::from_secs(5));
    scene.now += Duration::from_secs(7);
    assert!(has(&scene, "1 sending, no answer for 7 s"), "{}", scene.screen());
    scene.wished();
    scene.key(KeyCode::Enter);
    assert_eq!(scene.wished(), [], "there is a connection");
    scene.down("lost", 30);
    scene.key(KeyCode::Enter);
    assert!(scene.wished().contains(&Wish::TryNow));
}

#[test]
fn the_word_exit_asks_and_enter_is_no_yes() {
    let mut scene = Scene::new(80, 20);
    scene.enters("exit");
    assert!(has(&scene, "Leave? (y or n)"), "{}", scene.screen());
    scene.key(KeyCode::Enter);
    assert!(!scene.wished().contains(&Wish::Quit));
    scene.types("a draft");
    scene.ctrl('c');
    assert!(has(&scene, "Leave? What you were writing is lost. (y or n)"), "{}", scene.screen());
}

#[test]
fn a_paste_of_many_lines_is_one_message() {
    let mut scene = Scene::new(80, 20);
    scene.input(Input::Paste("one\ntwo\r\nthree\n".to_owned()));
    assert!(!scene.wished().iter().any(|wish| matches!(wish, Wish::Post { .. })));
    scene.enters("");
    let posts: Vec<Wish> = scene.wished().into_iter().filter(|wish| matches!(wish, Wish::Post { .. })).collect();
    assert!(matches!(&posts[..], [Wish::Post { text, .. }] if text == "one\ntwo\nthree"), "{posts:?}");
    scene.input(Input::Paste("x".repeat(100_000)));
    assert_eq!(scene.state.editor().text(), "", "too long a paste is no half of one");
    assert!(scene.state.flash.is_some());
}

#[test]
fn leaving_is_asked_and_waits_for_what_is_unsent() {
    let mut scene = Scene::new(80, 20);
    scene.ctrl('c');
    scene.types("n");
    assert_eq!(scene.wished().iter().filter(|wish| matches!(wish, Wish::Quit | Wish::QuitNow)).count(), 0);
    scene.enters("unsent");
    scene.ctrl('c');
    assert!(has(&scene, "Leave, when 1 more are sent?"), "{}", scene.screen());
    scene.types("y");
    assert!(scene.wished().contains(&Wish::Quit));
    assert!(has(&scene, "Leaving when 1 more"), "{}", scene.screen());
    scene.ctrl('c');
    scene.types("y");
    assert!(scene.wished().contains(&Wish::QuitNow));
}

#[test]
fn a_post_that_waits_for_another_is_not_late() {
    let mut scene = Scene::new(100, 20);
    scene.enters("one");
    scene.enters("two");
    let why = RequestError::new(ErrorCode::Throttled, "too fast");
    scene.happens(Event::Delayed { post_id: "post-1".to_owned(), why, pause: Duration::from_secs(20) });
    scene.now += Duration::from_secs(10);
    scene.key(KeyCode::Null);
    assert!(has(&scene, "waiting 10 s: too fast") && !has(&scene, "no answer"), "{}", scene.screen());
    scene.now += Duration::from_secs(11);
    scene.key(KeyCode::Null);
    assert!(has(&scene, "one … sending"), "{}", scene.screen());
}
