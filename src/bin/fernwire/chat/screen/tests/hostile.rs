//! What other people send cannot leave its rows, and no size of the terminal is too small.

use fernwire::client::chat::Event;
use fernwire::protocol::chat::Entry;
use ratatui::crossterm::event::{KeyCode, KeyModifiers};

use super::scene::{Scene, entry, name, room};

/// Texts that want more than to be read.
fn hostile() -> Vec<String> {
    let mut texts: Vec<String> = [
        "\u{1b}[2J\u{1b}[H\u{1b}]0;title\u{7}gone",
        "\u{9b}2J\u{90}q\u{9c}",
        "a\r\n12:00 bob: I said that\n\n\n\u{b}\u{c}\u{85}",
        "\u{202e}gnirts\u{2066}x\u{2069}\u{200f}",
        "\u{200b}\u{200d}\u{feff}\u{2060}\u{00ad}",
        "👨\u{200d}👩\u{200d}👧\u{200d}👦 👍🏽 🇩🇪 ❤\u{fe0f} 1\u{fe0f}\u{20e3}",
        "ｗｉｄｅ 中文字\u{3000}",
    ]
    .map(str::to_owned)
    .into();
    texts.push(format!("a{}", "\u{301}".repeat(10_000)));
    texts.push("\u{1f468}\u{200d}".repeat(10_000));
    texts.push("\u{200b}".repeat(10_000));
    texts.push("x".repeat(60_000));
    texts
}

#[test]
fn hostile_text_stays_in_its_own_rows_and_cells() {
    for text in hostile() {
        let mut scene = Scene::new(100, 24);
        scene.says("#lobby", 1, "bob", "before");
        scene.says("#lobby", 2, "bob", &text);
        scene.says("#lobby", 3, "bob", "after");
        scene.happens(Event::Topic {
            room: room("#lobby"),
            topic: text.chars().take(500).collect(),
            by: Some(name("bob")),
        });
        scene.down(&text, 3);
        let (buffer, cursor) = scene.buffer();
        for cell in buffer.content() {
            assert!(!cell.symbol().chars().any(fernwire::model::is_treacherous), "{:?}", cell.symbol());
            assert!(cell.symbol().len() <= 32, "{:?}", cell.symbol());
        }
        let area = scene.state.areas();
        assert_eq!(buffer[(area.messages.x - 1, 3)].symbol(), "│", "the border stands");
        assert!(cursor.is_some_and(|cursor| area.input.contains(cursor)));
        // Nobody can make a line that begins as an entry does: further rows are indented.
        let forged = scene.screen().lines().filter(|line| line.contains("│12:00 bob: I said")).count();
        assert_eq!(forged, 0);
    }
}

/// Where the text of a row of messages begins, with the text.
fn begins(row: &str) -> (usize, &str) {
    let row = row.rsplit('│').next().unwrap();
    (row.len() - row.trim_start().len(), row.trim_start())
}

#[test]
fn at_no_width_does_a_further_row_look_like_one_of_somebody_else() {
    for width in 12..=60 {
        let mut scene = Scene::new(width, 20);
        scene.says("#lobby", 1, "bob", "hi");
        // At the same minute as what is before, so that its time is hidden.
        scene.hears("#lobby", Entry { time: entry(1, "bob", "").time, ..entry(2, "bob", "so") });
        scene.says("#lobby", 3, "cid", "hello\n      bob: I\n    bob: I\nbob: I");
        let screen = scene.screen();
        let rows: Vec<_> = screen.lines().map(begins).collect();
        let (real, _) = rows.iter().find(|(_, text)| *text == "bob: so").unwrap_or_else(|| panic!("{screen}"));
        let forged = rows.iter().skip_while(|(_, text)| !text.contains("cid: hello"));
        let forged: Vec<_> = forged.filter(|(_, text)| text.starts_with("bob")).collect();
        assert_eq!(forged.len(), 3, "{width}: {screen}");
        assert!(forged.iter().all(|(blanks, _)| blanks > real), "{width}: {screen}");
    }
}

#[test]
fn no_size_is_too_small_in_any_state() {
    let keys = [
        (KeyCode::Null, KeyModifiers::NONE),
        (KeyCode::F(1), KeyModifiers::NONE),
        (KeyCode::Char('k'), KeyModifiers::CONTROL),
        (KeyCode::Char('f'), KeyModifiers::CONTROL),
        (KeyCode::Char('m'), KeyModifiers::ALT),
        (KeyCode::Char('c'), KeyModifiers::CONTROL),
    ];
    for (code, modifiers) in keys {
        let mut scene = Scene::new(80, 24);
        for (text, seq) in hostile().iter().zip(1..) {
            scene.says("#lobby", seq, "bob", &text.chars().take(1000).collect::<String>());
        }
        scene.says("bob", 1, "bob", "between us");
        scene.types("中文 e\u{301} and more than fits in one row");
        scene.down("lost", 3);
        scene.press(code, modifiers);
        for (width, height) in
            [(0, 0), (1, 1), (2, 3), (3, 2), (5, 5), (10, 3), (3, 30), (19, 9), (59, 8), (60, 2), (100, 1), (130, 50)]
        {
            scene.resize(width, height);
            scene.buffer();
            scene.key(KeyCode::PageUp);
            scene.buffer();
        }
    }
}
