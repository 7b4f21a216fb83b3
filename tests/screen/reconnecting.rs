//! The server goes away and comes back, while people go on.

use std::time::Duration;

use crate::scene::{Person, Scene};
use crate::terminal::text_of;

/// What was said, from above: who and what, without times and marks.
fn said(person: &Person) -> Vec<String> {
    let screen = person.screen();
    let rows = screen.lines().filter_map(|line| {
        let start = line.find("ada: ").or_else(|| line.find("bob: "))?;
        Some(line[start..].trim_end_matches(" ✓").to_owned())
    });
    rows.collect()
}

/// The seconds to the next try.
fn countdown(screen: &vt100::Screen) -> Option<u32> {
    text_of(screen).split_once("again in ")?.1.split_once(" s")?.0.parse().ok()
}

#[test]
fn what_is_said_without_a_connection_is_there_once_and_in_one_order() {
    let mut scene = Scene::new();
    let mut ada = scene.enters("ada");
    let mut bob = scene.enters("bob");
    ada.enters("before it");
    bob.sees("ada: before it");
    scene.stops();
    for person in [&mut ada, &mut bob] {
        person.sees("○ no connection");
        person.sees("What you write is kept");
        person.enters("first, without");
        person.sees(": first, without … sending");
        person.enters("second, without");
        person.sees(": second, without … sending");
        person.types("half a sen");
        person.sees_that("a countdown", |screen| countdown(screen).is_some());
        person.sees("2 sending");
    }
    scene.comes_back();
    for person in [&mut ada, &mut bob] {
        person.sees("● connected");
        person.sees_no_more("sending");
        person.sees_that("everything", |screen| text_of(screen).matches(", without").count() == 4);
    }
    ada.types("tence");
    ada.enters("");
    bob.sees("ada: half a sentence");
    ada.sees("ada: half a sentence ✓");
    assert_eq!(said(&ada), said(&bob));
    let mut all = said(&ada);
    assert_eq!((&*all[0], &*all[5]), ("ada: before it", "ada: half a sentence"));
    all.sort();
    let expected = [
        "ada: before it",
        "ada: first, without",
        "ada: half a sentence",
        "ada: second, without",
        "bob: first, without",
        "bob: second, without",
    ];
    assert_eq!(all, expected);
    assert!(bob.screen().ends_with("> half a sen"), "{}", bob.screen());
    ada.is_as_if_drawn_at_once();
}

#[test]
fn whoever_leaves_without_a_connection_is_told_what_was_not_sent() {
    let mut scene = Scene::new();
    let mut ada = scene.enters("ada");
    scene.stops();
    ada.sees("○ no connection");
    ada.enters("unsent words");
    ada.sees("1 sending");
    ada.types("\x03");
    ada.sees("Leave, when 1 more are sent? (y or n)");
    ada.types("y");
    ada.sees("Leaving when 1 more are sent");
    ada.types("\x03");
    ada.sees("Leave at once");
    ada.types("y");
    let (told, code) = ada.terminal.ends();
    assert_eq!((&*told, code), ("! not known whether it was sent: unsent words", Some(2)));
}

#[test]
fn whoever_leaves_without_a_connection_waits_for_no_answer() {
    let mut scene = Scene::new();
    let mut ada = scene.enters("ada");
    scene.stops();
    ada.sees("○ no connection");
    // The switcher asks for the server's rooms.
    ada.types("\x0b");
    ada.sees("Go to");
    ada.types("\x1b");
    ada.sees_no_more("Go to");
    ada.types("\x03");
    ada.sees("Leave? (y or n)");
    ada.types("y");
    assert_eq!(ada.terminal.ends(), (String::new(), Some(0)));
}

#[test]
fn without_a_connection_one_small_frame_is_drawn_a_second() {
    let mut scene = Scene::new();
    let ada = scene.enters("ada");
    scene.stops();
    ada.sees_that("a long pause", |screen| countdown(screen) >= Some(3));
    let start = ada.written();
    // How much is drawn in a time is what this is about.
    std::thread::sleep(Duration::from_secs(2));
    let written = ada.written_since(start);
    let frames = String::from_utf8_lossy(&written).matches("\x1b[?2026h").count();
    assert!((1..=3).contains(&frames), "{frames} frames: {}", written.escape_ascii());
    assert!(written.len() < 100 * frames, "{} bytes: {}", written.len(), written.escape_ascii());
}
