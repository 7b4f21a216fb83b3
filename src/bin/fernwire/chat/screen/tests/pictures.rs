//! Each screen is kept as a text beside this file. `WRITE_SCREENS=1 cargo test --bin fernwire pictures` writes them
//! anew; look at the difference before you keep it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use fernwire::client::chat::{Event, Hit, Room};
use fernwire::protocol::chat::{Measure, Style};
use ratatui::crossterm::event::{KeyCode, KeyModifiers};

use super::super::wish::Answer;
use super::scene::{Scene, entry, name, room, with};

#[track_caller]
fn looks_like(name: &str, scene: &Scene) {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin/fernwire/chat/screen/tests").join(format!("{name}.txt"));
    let drawn = scene.screen();
    if std::env::var_os("WRITE_SCREENS").is_some() {
        fs::write(&path, &drawn).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(drawn == kept, "{name} looks otherwise:\n{drawn}\nand not:\n{kept}");
}

/// A room in which a few things have happened.
fn lively(width: u16, height: u16) -> Scene {
    let mut scene = Scene::new(width, height);
    scene.conversation("#rust", "", 12, 12);
    scene.says("#lobby", 1, "bob", "good morning! is anybody here who knows how the certificates are renewed?");
    scene.says(
        "#lobby",
        2,
        "cid",
        "by the script, and the server takes the new one when it gets SIGHUP; sessions go on",
    );
    scene.comes_and_goes("#lobby", &["dan", "eve"], &["cid"]);
    scene.comes_and_goes("#lobby", &["cid"], &["dan"]);
    scene.says("#lobby", 3, "bob", "ada: 今日は e\u{301} 👍 did you see that?");
    scene.enters("yes, I did");
    scene.sent("#lobby", "post-1", 4, "yes, I did");
    let action = fernwire::protocol::chat::Entry { style: Style::Action, ..entry(5, "bob", "waves") };
    scene.hears("#lobby", action);
    scene.says("#rust", 13, "bob", "something else");
    scene.says("bob", 1, "bob", "between us");
    scene
}

#[test]
fn a_lively_room_at_every_width() {
    for (width, height) in [(120, 24), (99, 24), (80, 24), (59, 20), (40, 20), (200, 30)] {
        looks_like(&format!("lively-{width}x{height}"), &lively(width, height));
    }
}

#[test]
fn a_message_is_being_sent_and_another_has_failed() {
    let mut scene = lively(100, 24);
    scene.enters("this one is on its way");
    scene.enters("and this one nobody wants");
    scene.failed("#lobby", "post-3", "you are muted here for an hour");
    looks_like("sending-and-failed", &scene);
}

#[test]
fn without_a_connection() {
    for (width, height) in [(100, 20), (40, 16)] {
        let mut scene = lively(width, height);
        scene.down("the server at tcp://127.0.0.1:3376 refused the connection", 8);
        scene.enters("kept until then");
        scene.types("half a th");
        scene.now += Duration::from_millis(2500);
        looks_like(&format!("down-{width}x{height}"), &scene);
    }
}

#[test]
fn where_one_left_off() {
    let mut scene = Scene::blank(80, 16);
    scene.online();
    scene.conversation("#lobby", "", 5, 2);
    for seq in 1..=5 {
        scene.says("#lobby", seq, "bob", &format!("message {seq}"));
    }
    scene.happens(Event::Ready);
    looks_like("mark", &scene);
}

#[test]
fn a_text_of_several_lines_is_written() {
    let mut scene = lively(70, 20);
    scene.types("a first line that is long enough to need a second row of the screen, and more");
    scene.press(KeyCode::Enter, KeyModifiers::ALT);
    scene.types("a second line");
    looks_like("several-lines", &scene);
}

#[test]
fn measures_topics_and_the_operators_words_are_told() {
    let mut scene = Scene::new(90, 18);
    scene.happens(Event::Topic { room: room("#lobby"), topic: "releases".to_owned(), by: Some(name("bob")) });
    scene.happens(Event::Moderated {
        room: room("#lobby"),
        name: name("cid"),
        measure: Measure::Mute,
        until: Some(1_700_053_200_000),
        by: Some(name("bob")),
        reason: "noise".to_owned(),
    });
    scene.happens(Event::Notice { text: "back in a minute".to_owned(), to_you: false });
    scene.enters("/join");
    looks_like("told", &scene);
}

#[test]
fn search_in_all_conversations() {
    let mut scene = lively(100, 20);
    scene.ctrl('f');
    scene.types("certif");
    looks_like("search-asked", &scene);
    let hit = |place: &str, seq, from: &str, text: &str| Hit {
        with: with(place),
        cursor: seq,
        entry: entry(seq, from, text),
    };
    let hits = vec![
        hit("#lobby", 1, "bob", "is anybody here who knows how the certificates are renewed?"),
        hit("#rust", 9, "eve", "a certificate has\nan end"),
    ];
    // What was asked first, and what is wanted by now.
    scene.answer(Answer::Hits { words: "ce".to_owned(), before: None, result: Ok(Vec::new()) });
    scene.answer(Answer::Hits { words: "certif".to_owned(), before: None, result: Ok(hits) });
    scene.key(KeyCode::Down);
    looks_like("search-found", &scene);
}

#[test]
fn the_switcher_finds_rooms_and_people() {
    let mut scene = lively(80, 20);
    scene.ctrl('k');
    let rooms = vec![
        Room { name: room("#rust"), topic: String::new(), members: 3 },
        Room { name: room("#releases"), topic: "what is next".to_owned(), members: 9 },
    ];
    scene.answer(Answer::Rooms(Ok(rooms)));
    looks_like("switcher", &scene);
    scene.types("re");
    looks_like("switcher-typed", &scene);
}

#[test]
fn mentions_are_collected() {
    let mut scene = lively(80, 20);
    scene.alt('m');
    looks_like("mentions", &scene);
}

#[test]
fn help_and_the_question_before_leaving() {
    let mut scene = lively(80, 30);
    scene.key(KeyCode::F(1));
    looks_like("help", &scene);
    scene.key(KeyCode::Esc);
    scene.ctrl('c');
    looks_like("leave", &scene);
}
