//! What is unread, what is missing and asked for, and who is not heard.

use fernwire::client::chat::{AskError, Event, Page};
use fernwire::protocol::{ErrorCode, RequestError};
use ratatui::crossterm::event::KeyCode;

use super::super::stage::Input;
use super::super::wish::{Answer, Wish};
use super::scene::{Scene, entry, has, room, with};

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
