//! What keys and events do.

use std::time::Duration;

use fernwire::client::chat::{AskError, Event, Page};
use fernwire::protocol::chat::{Conversation, Measure, Style};
use fernwire::protocol::{ErrorCode, RequestError};
use ratatui::crossterm::event::{KeyCode, KeyModifiers};

use super::super::stage::Input;
use super::super::wish::{Answer, Wish};
use super::scene::{Scene, entry, name, room, with};

fn has(scene: &Scene, text: &str) -> bool {
    scene.screen().contains(text)
}

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
fn unread_is_counted_and_read_when_it_was_seen() {
    let mut scene = Scene::new(80, 20);
    scene.conversation("#rust", "", 4, 4);
    scene.wished();
    scene.says("#rust", 5, "bob", "news");
    scene.says("#rust", 6, "bob", "more news");
    assert!(has(&scene, "#rust"), "{}", scene.screen());
    assert!(scene.screen().lines().any(|line| line.starts_with(" 2 #rust            2│")), "{}", scene.screen());
    assert_eq!(scene.wished(), [], "nothing of it was seen");
    scene.alt('a');
    assert!(scene.wished().contains(&Wish::Read(with("#rust"), 6)));
    scene.alt('a');
    assert!(has(&scene, "everything is read"));
}

#[test]
fn what_comes_while_one_looks_further_up_is_not_read() {
    let mut scene = Scene::new(80, 12);
    (1..=40).for_each(|seq| scene.says("#lobby", seq, "bob", &format!("line {seq}.")));
    scene.key(KeyCode::PageUp);
    scene.wished();
    let before = scene.screen();
    scene.says("#lobby", 41, "bob", "the newest");
    assert_eq!(scene.screen().replace("1│", " │"), before.replace("1│", " │"), "nothing moves");
    assert_eq!(scene.wished(), []);
    scene.key(KeyCode::Esc);
    assert!(has(&scene, "the newest"));
    assert_eq!(scene.wished(), [Wish::Read(with("#lobby"), 41)]);
}

#[test]
fn mentions_ring_and_are_collected_but_not_what_was_missed_one_by_one() {
    let mut scene = Scene::new(80, 20);
    scene.says("#lobby", 1, "bob", "nobody in particular");
    assert!(!scene.wished().contains(&Wish::Bell));
    scene.says("#lobby", 2, "bob", "ADA, look");
    assert!(scene.wished().contains(&Wish::Bell));
    scene.says("bob", 1, "bob", "between us");
    assert!(scene.wished().contains(&Wish::Bell));
    scene.down("lost", 1);
    scene.online();
    (3..=5).for_each(|seq| scene.says("#lobby", seq, "bob", "ada?"));
    assert!(!scene.wished().contains(&Wish::Bell));
    scene.happens(Event::Ready);
    assert_eq!(scene.wished().iter().filter(|wish| **wish == Wish::Bell).count(), 1);
    assert_eq!(scene.state.mentions.len(), 5);
    // The same again, as after another loss, is nothing new.
    scene.says("#lobby", 5, "bob", "ada?");
    assert_eq!(scene.state.mentions.len(), 5);
}

#[test]
fn ignored_people_are_not_seen_and_do_not_ring() {
    let mut scene = Scene::new(80, 20);
    scene.says("#lobby", 1, "bob", "before");
    scene.enters("/ignore BOB");
    scene.wished();
    scene.says("#lobby", 2, "bob", "ada! ada!");
    assert!(!has(&scene, "before") && !has(&scene, "ada!"), "{}", scene.screen());
    assert!(!scene.wished().contains(&Wish::Bell));
    scene.enters("/ignore bob");
    assert!(has(&scene, "ada! ada!"));
}

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
fn the_terminal_is_drawn_anew_or_suspended_whatever_lies_over_the_conversation() {
    let mut scene = Scene::new(80, 20);
    scene.key(KeyCode::F(1));
    scene.ctrl('l');
    scene.ctrl('z');
    assert!(has(&scene, "Esc closes it"), "{}", scene.screen());
    let wished = scene.wished();
    assert!(wished.contains(&Wish::Redraw) && wished.contains(&Wish::Suspend), "{wished:?}");
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
fn nothing_is_read_before_it_is_known_where_one_goes() {
    let mut scene = Scene::blank(80, 20);
    scene.state.bound_for = Some(with("#rust"));
    scene.online();
    scene.conversation("#lobby", "", 1, 0);
    scene.says("#lobby", 1, "bob", "unread");
    scene.conversation("#rust", "", 0, 0);
    scene.happens(Event::Ready);
    assert_eq!(scene.state.here().unwrap().with, with("#rust"));
    assert!(!scene.wished().iter().any(|wish| matches!(wish, Wish::Read(..))));
    assert_eq!(scene.state.places[0].unread(), 1);
}

#[test]
fn the_server_is_told_that_one_has_read_what_one_said() {
    let mut scene = Scene::new(80, 20);
    scene.says("#lobby", 1, "bob", "one");
    scene.enters("two");
    scene.wished();
    scene.sent("#lobby", "post-1", 2, "two");
    assert_eq!(scene.wished(), [Wish::Read(with("#lobby"), 2)]);
}

#[test]
fn a_server_that_was_set_back_is_followed() {
    let mut scene = Scene::new(80, 20);
    (1..=9).for_each(|seq| scene.says("#lobby", seq, "bob", &format!("old {seq}.")));
    scene.down("lost", 1);
    scene.online();
    scene.conversation("#lobby", "", 5, 5);
    scene.happens(Event::Ready);
    scene.says("#lobby", 6, "bob", "ada, this is new");
    let screen = scene.screen();
    assert!(screen.contains("old 5.") && !screen.contains("old 6."), "{screen}");
    assert!(screen.contains("this is new"), "{screen}");
    assert_eq!(scene.state.mentions.len(), 1);
}

#[test]
fn a_page_that_brings_nothing_is_not_asked_for_again() {
    let mut scene = Scene::new(80, 20);
    scene.conversation("#lobby", "", 10, 10);
    let loads = |scene: &mut Scene| scene.wished().into_iter().filter(|wish| matches!(wish, Wish::Load { .. })).count();
    assert_eq!(loads(&mut scene), 1);
    scene.answer(Answer::Loaded { with: with("#lobby"), page: Page::Before(11), result: Ok(Vec::new()) });
    assert_eq!(loads(&mut scene), 0);
    scene.says("#lobby", 11, "bob", "new");
    scene.says("#lobby", 11, "bob", "new");
    scene.says("#lobby", 20, "bob", "newer");
    assert_eq!(loads(&mut scene), 1);
    let part = vec![entry(15, "bob", "fifteen")];
    scene.answer(Answer::Loaded { with: with("#lobby"), page: Page::After(11), result: Ok(part) });
    // Whatever is still missing is asked for once.
    for _ in 0..5 {
        let pages = scene.wished().into_iter().filter_map(|wish| match wish {
            Wish::Load { page, .. } => Some(page),
            _ => None,
        });
        for page in pages.collect::<Vec<_>>() {
            scene.answer(Answer::Loaded { with: with("#lobby"), page, result: Ok(Vec::new()) });
        }
    }
    scene.key(KeyCode::PageUp);
    assert_eq!(loads(&mut scene), 0);
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
fn the_first_of_what_is_new_is_a_key_away() {
    let mut scene = Scene::blank(80, 16);
    scene.online();
    scene.conversation("#lobby", "", 100, 10);
    (11..=100).for_each(|seq| scene.says("#lobby", seq, "bob", &format!("message {seq}.")));
    scene.happens(Event::Ready);
    assert!(has(&scene, "Alt-U: new") && !has(&scene, "message 11."), "{}", scene.screen());
    scene.alt('u');
    assert!(has(&scene, "message 11.") && has(&scene, "─ new ─"), "{}", scene.screen());
    assert!(!has(&scene, "Alt-U"));
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
fn help_goes_away_with_the_next_letter_and_does_not_take_it() {
    let mut scene = Scene::new(80, 20);
    scene.key(KeyCode::F(1));
    scene.types("hello");
    assert_eq!(scene.state.editor().text(), "hello");
}

#[test]
fn a_search_begins_anew_with_the_first_letter() {
    let mut scene = Scene::new(80, 20);
    scene.ctrl('f');
    scene.types("old words");
    scene.key(KeyCode::Esc);
    scene.down("lost", 3);
    scene.ctrl('f');
    scene.types("new");
    assert_eq!(scene.state.search.query.text(), "new");
    assert!(has(&scene, "no connection; it is searched"), "{}", scene.screen());
    scene.key(KeyCode::Esc);
    scene.ctrl('f');
    scene.key(KeyCode::End);
    scene.types("er");
    assert_eq!(scene.state.search.query.text(), "newer");
}

#[test]
fn floods_are_kept_in_bounds_wherever_they_come() {
    let mut scene = Scene::new(80, 20);
    scene.conversation("#rust", "", 0, 0);
    let text = "x".repeat(60_000);
    for seq in 1..=300 {
        let entry = entry(seq, "bob", &text);
        scene.state.happened(Event::Entry { with: with("#rust"), entry, mine: false }, scene.now);
    }
    let kept = (1..=300).filter(|seq| scene.state.places[1].timeline.has(*seq)).count();
    assert!((100..150).contains(&kept), "{kept}");
    assert!(scene.state.places[1].timeline.has(300));
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
fn up_recalls_and_a_wrong_command_stays_to_be_mended() {
    let mut scene = Scene::new(80, 20);
    scene.enters("first");
    scene.enters("second");
    scene.key(KeyCode::Up);
    scene.key(KeyCode::Up);
    assert_eq!(scene.state.editor().text(), "first");
    scene.key(KeyCode::Down);
    scene.key(KeyCode::Down);
    assert_eq!(scene.state.editor().text(), "");
    scene.types("/jion #rust");
    scene.key(KeyCode::Enter);
    assert_eq!(scene.state.editor().text(), "/jion #rust");
    assert!(has(&scene, "did you mean /join?"));
}

#[test]
fn tab_completes_who_spoke_last() {
    let mut scene = Scene::new(80, 20);
    scene.says("#lobby", 1, "bea", "hello");
    scene.types("b");
    scene.key(KeyCode::Tab);
    assert_eq!(scene.state.editor().text(), "bea: ");
    scene.key(KeyCode::Tab);
    assert_eq!(scene.state.editor().text(), "bob: ");
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
fn a_hit_is_shown_with_what_was_said_around_it() {
    let mut scene = Scene::new(80, 20);
    scene.conversation("#rust", "", 500, 500);
    scene.wished();
    let hit = entry(100, "bob", "the needle");
    scene.state.go_to_entry(&with("#rust"), hit);
    scene.input(Input::Resized);
    assert!(has(&scene, "bob: the needle"));
    let loads = |scene: &mut Scene| -> Vec<Page> {
        let loads = scene.wished().into_iter().filter_map(|wish| match wish {
            Wish::Load { page, .. } => Some(page),
            _ => None,
        });
        loads.collect()
    };
    assert_eq!(loads(&mut scene), [Page::After(100)]);
    let page = (101..=200).map(|seq| entry(seq, "eve", &format!("next {seq}"))).collect();
    scene.answer(Answer::Loaded { with: with("#rust"), page: Page::After(100), result: Ok(page) });
    assert_eq!(loads(&mut scene), [Page::Before(100)]);
    let page = (1..100).map(|seq| entry(seq, "eve", &format!("early {seq}"))).collect();
    scene.answer(Answer::Loaded { with: with("#rust"), page: Page::Before(100), result: Ok(page) });
    assert_eq!(loads(&mut scene), []);
    let screen = scene.screen();
    assert!(screen.contains("early 99") && screen.contains("the needle") && screen.contains("next 101"), "{screen}");
    scene.key(KeyCode::Esc);
    assert_eq!(loads(&mut scene), [Page::Before(501)], "and the end is the end");
    let page = (401..=500).map(|seq| entry(seq, "eve", &format!("late {seq}"))).collect();
    scene.answer(Answer::Loaded { with: with("#rust"), page: Page::Before(501), result: Ok(page) });
    assert!(has(&scene, "late 500"));
}

#[test]
fn what_happens_in_a_room_that_was_not_opened_yet_hides_nothing_of_it() {
    let mut scene = Scene::new(80, 20);
    scene.conversation("#rust", "", 62, 62);
    scene.comes_and_goes("#rust", &["bob"], &[]);
    scene.happens(Event::Topic { room: room("#rust"), topic: "crabs".to_owned(), by: None });
    scene.wished();
    scene.alt('2');
    let load = Wish::Load { with: with("#rust"), page: Page::Before(63), limit: 100 };
    assert!(scene.wished().contains(&load));
    let page = (1..=62).map(|seq| entry(seq, "bob", &format!("message {seq}."))).collect();
    scene.answer(Answer::Loaded { with: with("#rust"), page: Page::Before(63), result: Ok(page) });
    let screen = scene.screen();
    assert!(screen.find("message 62.") < screen.find("bob came"), "{screen}");
    // And what is missed later is still unread.
    scene.says("#rust", 63, "bob", "ada?");
    assert_eq!(scene.state.mentions.len(), 1);
}

#[test]
fn a_refused_page_is_missing_and_not_none() {
    let mut scene = Scene::new(80, 20);
    scene.conversation("#lobby", "", 100, 100);
    scene.says("#lobby", 101, "bob", "new");
    let refused = Err(AskError::Refused(RequestError::new(ErrorCode::TooManyRequests, "later")));
    scene.answer(Answer::Loaded { with: with("#lobby"), page: Page::Before(101), result: refused });
    assert!(has(&scene, "100 earlier messages"), "{}", scene.screen());
    scene.wished();
    scene.down("lost", 1);
    scene.online();
    scene.conversation("#lobby", "", 101, 101);
    scene.happens(Event::Ready);
    assert!(scene.wished().iter().any(|wish| matches!(wish, Wish::Load { page: Page::Before(101), .. })));
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
fn whoever_is_ignored_does_not_hide_the_others() {
    let mut scene = Scene::new(80, 20);
    scene.enters("/ignore bob");
    scene.conversation("#lobby", "", 3000, 3000);
    for _ in 0..60 {
        let loads = scene.wished().into_iter().filter_map(|wish| match wish {
            Wish::Load { page: Page::Before(before), .. } => Some(before),
            _ => None,
        });
        for before in loads.collect::<Vec<_>>() {
            let from = before.saturating_sub(100).max(1);
            let page = (from..before).map(|seq| match seq {
                1..=40 => entry(seq, "cid", &format!("message {seq}.")),
                _ => entry(seq, "bob", "noise"),
            });
            let page = page.collect();
            scene.answer(Answer::Loaded { with: with("#lobby"), page: Page::Before(before), result: Ok(page) });
        }
        scene.key(KeyCode::PageUp);
    }
    assert!(has(&scene, "cid: message "), "{}", scene.screen());
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

#[test]
fn hostile_numbers_are_only_numbers() {
    let mut scene = Scene::new(80, 20);
    scene.conversation("#lobby", "", u64::MAX, 0);
    for _ in 0..2 {
        scene.happens(Event::Presence {
            room: room("#lobby"),
            joined: Vec::new(),
            left: Vec::new(),
            more: u64::MAX,
            present: u64::MAX,
        });
    }
    scene.says("#lobby", u64::MAX - 1, "bob", "far");
    scene.says("#lobby", u64::MAX, "bob", "farther");
    scene.says("#lobby", 1, "ada", "own");
    scene.key(KeyCode::PageUp);
    scene.screen();
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

#[test]
fn what_is_kept_of_a_place_one_has_left_scrolled_up_is_bounded_too() {
    let mut scene = Scene::new(80, 20);
    scene.conversation("#rust", "", 0, 0);
    (1..=60).for_each(|seq| scene.says("#lobby", seq, "bob", "line"));
    scene.key(KeyCode::PageUp);
    scene.alt('2');
    let text = "x".repeat(60_000);
    for seq in 61..=400 {
        let entry = entry(seq, "bob", &text);
        scene.state.happened(Event::Entry { with: with("#lobby"), entry, mine: false }, scene.now);
    }
    assert!(!scene.state.places[0].timeline.has(200));
}
