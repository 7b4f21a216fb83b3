//! Going to conversations, into rooms, and out of them.

use fernwire::client::chat::{AskError, Event, Page};
use fernwire::protocol::chat::{Conversation, Measure};
use fernwire::protocol::{ErrorCode, RequestError};
use ratatui::crossterm::event::{KeyCode, KeyModifiers};

use super::super::wish::{Answer, Wish};
use super::scene::{Scene, entry, has, name, room, with};

#[test]
fn each_conversation_keeps_what_is_written_in_it() {
    let mut scene = Scene::new(80, 20);
    scene.conversation("#rust", "", 0, 0);
    scene.types("for the lobby");
    scene.alt('2');
    assert_eq!(scene.state.editor().text(), "");
    scene.types("for rust");
    scene.press(KeyCode::Up, KeyModifiers::ALT);
    assert_eq!(scene.state.editor().text(), "for the lobby");
    scene.alt('9');
    assert!(has(&scene, "there is no conversation 9"));
}

#[test]
fn what_was_begun_before_any_conversation_came_is_written_where_one_was_bound_for() {
    let mut scene = Scene::blank(80, 20);
    scene.types("for the");
    scene.online();
    scene.conversation("#rust", "", 0, 0);
    assert_eq!(scene.state.editor().text(), "for the");
    scene.types(" lobby");
    scene.conversation("#lobby", "", 0, 0);
    assert_eq!(scene.state.here().unwrap().with, with("#lobby"));
    assert_eq!(scene.state.editor().text(), "for the lobby");
    scene.alt('1');
    assert_eq!(scene.state.editor().text(), "");
}

#[test]
fn people_who_become_known_while_the_switcher_is_open_are_offered_too() {
    let mut scene = Scene::new(80, 20);
    scene.ctrl('k');
    assert!(scene.wished().contains(&Wish::Rooms));
    scene.answer(Answer::Rooms(Ok(Vec::new())));
    scene.names("#lobby", &[("ada", true, true), ("dan", false, true)]);
    assert!(scene.wished().contains(&Wish::Rooms));
    scene.answer(Answer::Rooms(Ok(Vec::new())));
    assert!(has(&scene, "│  dan"), "{}", scene.screen());
}

#[test]
fn nobody_is_moved_out_of_a_room_while_writing_in_it() {
    let mut scene = Scene::new(80, 20);
    scene.conversation("#rust", "", 0, 0);
    scene.alt('2');
    scene.types("my thoughts");
    scene.happens(Event::Moderated {
        room: room("#rust"),
        name: name("ada"),
        measure: Measure::Kick,
        until: None,
        by: Some(name("bob")),
        reason: "rude".to_owned(),
    });
    scene.happens(Event::Left { room: room("#rust") });
    assert!(has(&scene, "bob kicked ada: rude") && has(&scene, "you are no member any more"), "{}", scene.screen());
    assert_eq!(scene.state.here().unwrap().with, with("#rust"));
    scene.types(" go on");
    assert_eq!(scene.state.editor().text(), "my thoughts go on");
    scene.alt('1');
    assert_eq!(scene.state.editor().text(), "");
    assert!(has(&scene, " 2 #rust         left│"), "kept for what was written: {}", scene.screen());
    // And it can be joined again.
    scene.enters("/join #rust");
    assert!(scene.wished().contains(&Wish::Join(room("#rust"))));
}

#[test]
fn a_room_that_was_lost_elsewhere_says_why_and_goes() {
    let mut scene = Scene::new(140, 20);
    scene.conversation("#rust", "", 0, 0);
    scene.happens(Event::Moderated {
        room: room("#rust"),
        name: name("ada"),
        measure: Measure::Ban,
        until: None,
        by: Some(name("bob")),
        reason: String::new(),
    });
    scene.happens(Event::Left { room: room("#rust") });
    assert!(has(&scene, "#rust: bob banned ada for good; you are no member any more"), "{}", scene.screen());
    assert_eq!(scene.state.places.len(), 1);
}

#[test]
fn a_room_that_the_server_does_not_name_any_more_is_none_of_ours() {
    let mut scene = Scene::new(80, 20);
    scene.conversation("#rust", "", 0, 0);
    scene.down("lost", 1);
    scene.online();
    scene.conversation("#lobby", "", 0, 0);
    assert_eq!(scene.state.places.len(), 2);
    scene.happens(Event::Ready);
    assert_eq!(scene.state.places.len(), 1);
    assert!(has(&scene, "#rust: you are no member any more"), "{}", scene.screen());
    // Late answers make nothing of it.
    scene.names("#rust", &[("bob", true, true)]);
    scene.answer(Answer::Loaded { with: with("#rust"), page: Page::Last, result: Ok(vec![entry(1, "bob", "late")]) });
    assert_eq!(scene.state.places.len(), 1);
}

#[test]
fn a_join_that_is_answered_late_moves_nobody_who_writes() {
    let mut scene = Scene::new(80, 20);
    scene.down("lost", 9);
    scene.enters("/join rust");
    assert!(has(&scene, "this is done as soon as there is one"), "{}", scene.screen());
    scene.online();
    scene.types("half a l");
    let conversation = Conversation { with: with("#rust"), topic: String::new(), operator: true, last: 0, read: 0 };
    scene.answer(Answer::Joined { room: room("#rust"), result: Ok(conversation) });
    assert_eq!(scene.state.here().unwrap().with, with("#lobby"));
    assert!(has(&scene, "#rust is joined"), "{}", scene.screen());
}

#[test]
fn what_is_recalled_in_one_conversation_stays_in_it() {
    let mut scene = Scene::new(80, 20);
    scene.conversation("#rust", "", 0, 0);
    scene.enters("one");
    scene.types("draft");
    scene.key(KeyCode::Up);
    scene.alt('2');
    scene.key(KeyCode::Down);
    assert_eq!(scene.state.editor().text(), "");
    scene.alt('1');
    scene.key(KeyCode::Down);
    assert_eq!(scene.state.editor().text(), "draft");
    scene.ctrl('x');
    assert_eq!(scene.state.editor().text(), "");
    scene.key(KeyCode::Up);
    assert_eq!(scene.state.editor().text(), "draft");
}

#[test]
fn a_person_who_is_not_here_can_be_left_again() {
    let mut scene = Scene::new(80, 20);
    scene.enters("/msg carol hello");
    scene.failed("carol", "post-1", "nobody here is called carol");
    scene.enters("/leave");
    assert!(has(&scene, "something here is not sent"), "{}", scene.screen());
    scene.alt('d');
    scene.enters("/leave");
    assert_eq!(scene.state.here().unwrap().with, with("#lobby"));
    assert_eq!(scene.state.places.len(), 1);
    scene.enters("/msg carol");
    assert_eq!(scene.state.here().unwrap().with, with("carol"));
    scene.enters("/names");
    assert!(has(&scene, "this is no room"));
    assert_eq!(scene.state.editor().text(), "", "what cannot be done is not in the way of the next");
}

#[test]
fn joining_goes_there_and_a_message_to_somebody_does_too() {
    let mut scene = Scene::new(80, 20);
    scene.enters("/join rust");
    assert!(scene.wished().contains(&Wish::Join(room("#rust"))));
    let conversation = Conversation { with: with("#rust"), topic: String::new(), operator: true, last: 0, read: 0 };
    scene.answer(Answer::Joined { room: room("#rust"), result: Ok(conversation) });
    assert_eq!(scene.state.here().unwrap().with, with("#rust"));
    scene.enters("/msg Bob between us");
    assert_eq!(scene.state.here().unwrap().with, with("bob"));
    assert!(has(&scene, "ada: between us … sending"), "{}", scene.screen());
}

#[test]
fn a_conversation_that_was_closed_has_its_history_when_it_is_opened_again() {
    let mut scene = Scene::new(80, 20);
    scene.conversation("bob", "", 50, 50);
    scene.alt('2');
    scene.enters("/leave");
    scene.wished();
    scene.enters("/msg bob");
    assert!(scene.wished().contains(&Wish::Load { with: with("bob"), page: Page::Last, limit: 100 }));
    assert!(has(&scene, "is on its way"), "{}", scene.screen());
    let page = (1..=50).map(|seq| entry(seq, "bob", &format!("message {seq}."))).collect();
    scene.answer(Answer::Loaded { with: with("bob"), page: Page::Last, result: Ok(page) });
    assert!(has(&scene, "message 50."), "{}", scene.screen());
}

#[test]
fn a_first_word_to_somebody_is_said_without_complaints() {
    let mut scene = Scene::new(80, 20);
    scene.enters("/msg bob");
    let nothing = Err(AskError::Refused(RequestError::new(ErrorCode::NotFound, "you have not talked with bob yet")));
    scene.answer(Answer::Loaded { with: with("bob"), page: Page::Last, result: nothing });
    assert!(has(&scene, "Nothing was said here yet") && !has(&scene, "cannot be had"), "{}", scene.screen());
    scene.says("bob", 1, "bob", "hello");
    assert!(scene.wished().contains(&Wish::Read(with("bob"), 1)));
}

#[test]
fn names_are_told_of_the_room_that_was_asked_about() {
    let mut scene = Scene::new(90, 20);
    scene.enters("/names #garden");
    scene.names("#lobby", &[("ada", true, true)]);
    assert!(!has(&scene, "#lobby: ada"), "{}", scene.screen());
    scene.names("#garden", &[("eve", false, true)]);
    assert!(has(&scene, "#garden: eve"), "{}", scene.screen());
}
