//! What was said before: scrolled to, in order and without a gap, and found.

use crate::scene::Scene;
use crate::terminal::{DOWN, ENTER, ESC, PAGE_UP, WHEEL_DOWN, WHEEL_UP, alt, ctrl, text_of};

/// How much was said: more than the server tells whoever comes.
const SAID: usize = 300;

/// Lines that can be told apart, `line 1.` and on.
fn lines(numbers: std::ops::RangeInclusive<usize>) -> String {
    numbers.map(|number| format!("line {number}.\n")).collect()
}

/// A server where a lot was said in this room, by two, since one alone would be slowed down.
fn told(room: &str) -> Scene {
    let scene = Scene::new();
    scene.hears_in(room, "bob", &lines(1..=SAID / 2));
    scene.hears_in(room, "cid", &lines(SAID / 2 + 1..=SAID));
    scene
}

/// The numbers of the lines on the screen, from above.
fn numbers(screen: &str) -> Vec<usize> {
    let rest = screen.split(": line ").skip(1);
    rest.filter_map(|rest| rest.split_once('.')?.0.parse().ok()).collect()
}

#[test]
fn page_up_leads_to_the_very_first_and_nothing_is_missing_or_doubled() {
    let scene = told("#lobby");
    let mut ada = scene.enters("ada");
    let mut seen = numbers(&ada.sees("line 300."));
    loop {
        // What is being loaded changes what is in view without any key.
        let screen = ada.sees_that("all of a page", |screen| !text_of(screen).contains("earlier messages"));
        let now = numbers(&screen);
        assert!(now.is_sorted_by(|one, next| one + 1 == *next), "{screen}");
        let first = seen[0];
        let news = now.iter().take_while(|number| **number < first).count();
        assert!(now.get(news).is_none_or(|next| *next == first) && now.last() >= Some(&(first - 1)), "a gap: {screen}");
        seen.splice(..0, now[..news].iter().copied());
        if seen[0] == 1 {
            break;
        }
        ada.types(PAGE_UP);
        ada.sees_that("earlier lines", |screen| numbers(&text_of(screen)).first() < Some(&now[0]));
    }
    assert_eq!(seen, Vec::from_iter(1..=SAID));
    ada.is_as_if_drawn_at_once();
    ada.types(ESC);
    ada.sees("line 300.");
}

#[test]
fn the_wheel_scrolls_and_motion_is_not_listened_to() {
    let scene = told("#lobby");
    let mut ada = scene.enters("ada");
    ada.sees("line 300.");
    // So that more than the first few are here.
    ada.types(PAGE_UP);
    ada.sees("line 279.");
    let last = |screen: &vt100::Screen| numbers(&text_of(screen)).last().copied().unwrap();
    let start = ada.ask(last);
    ada.types(&WHEEL_UP.repeat(3));
    ada.sees_that("nine lines up", |screen| last(screen) == start - 9);
    ada.types(WHEEL_DOWN);
    ada.sees_that("three lines down", |screen| last(screen) == start - 6);
    ada.types(&WHEEL_DOWN.repeat(20));
    ada.sees_that("the end", |screen| last(screen) == SAID);
    ada.sees_no_more("Esc: to the end");
    assert_eq!(ada.ask(vt100::Screen::mouse_protocol_mode), vt100::MouseProtocolMode::PressRelease);
    let written = String::from_utf8_lossy(&ada.written_since(0)).into_owned();
    assert!(!written.contains("?1002h") && !written.contains("?1003h"));
}

#[test]
fn a_search_finds_what_was_said_in_another_room_and_goes_there() {
    let scene = told("#hay");
    scene.hears_in("#barn", "dan", "nothing to see\n");
    let mut ada = scene.enters("ada");
    ada.enters("/join #hay");
    ada.sees(">2 #hay");
    ada.sees("line 300.");
    ada.types(&alt('1'));
    ada.sees(">1 #lobby");
    ada.types(&ctrl('f'));
    ada.sees("┌ Search");
    ada.types("line 40");
    ada.sees("#hay bob: line 40.");
    ada.types(ENTER);
    ada.sees(">2 #hay");
    let around = ada.sees_that("what is around it", |screen| {
        let numbers = numbers(&text_of(screen));
        numbers.contains(&39) && numbers.contains(&41)
    });
    assert!(numbers(&around).is_sorted_by(|one, next| one + 1 == *next), "{around}");
    ada.types(&ctrl('f'));
    ada.sees("#hay bob: line 40.");
    ada.types(&ctrl('u'));
    ada.types("nothing");
    ada.sees("nothing");
    ada.types(DOWN);
    // A room in which one is not is nobody's business.
    ada.sees_no_more("line 40.");
    assert!(!ada.screen().contains("#barn"), "{}", ada.screen());
}
