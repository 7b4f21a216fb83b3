//! Narrow screens, odd keys, and words with line breaks in them.

use fernwire::channel::mode::KeyMode;
use fernwire::client::chat::Event;
use fernwire::client::trust::Proof;
use ratatui::crossterm::event::{KeyCode, KeyModifiers};

use super::super::overlay::Overlay;
use super::scene::{Scene, name};

#[test]
fn how_the_server_is_proven_is_seen_at_every_width() {
    let mut scene = Scene::new(80, 12);
    let endpoint = "unix:///run/fernwire.sock".parse().unwrap();
    let (mode, proof) = (KeyMode::X25519Psk, Proof::OwnIdentity);
    scene.happens(Event::Online { name: name("ada"), endpoint, mode, proof });
    scene.enters("on its way");
    scene.down("lost", 300);
    for width in 14..=40 {
        scene.resize(width, 12);
        let (buffer, _) = scene.buffer();
        let area = scene.state.areas().state;
        let line: String = (area.x..area.right()).map(|x| buffer[(x, area.y)].symbol()).collect();
        assert!(line.trim_end().ends_with(" identity.key"), "{width}: {line:?}");
        assert!(width < 30 || line.contains(" unix x25519+psk "), "{width}: {line:?}");
    }
}

#[test]
fn the_help_goes_no_further_than_its_end() {
    let mut scene = Scene::new(80, 24);
    scene.key(KeyCode::F(1));
    for _ in 0..30 {
        scene.key(KeyCode::PageDown);
    }
    let end = scene.screen();
    scene.key(KeyCode::Up);
    assert_ne!(scene.screen(), end);
    scene.key(KeyCode::PageDown);
    assert_eq!(scene.screen(), end);
    // It is all in view, and where it began is where it is.
    scene.resize(80, 80);
    scene.resize(80, 24);
    scene.key(KeyCode::PageDown);
    assert_eq!(scene.screen(), end);
}

#[test]
fn letters_with_alt_do_not_mind_shift_and_those_with_both_alt_and_ctrl_are_others() {
    let mut scene = Scene::new(80, 24);
    scene.press(KeyCode::Char('M'), KeyModifiers::ALT | KeyModifiers::SHIFT);
    assert!(matches!(scene.state.overlay, Overlay::Mentions(0)));
    scene.key(KeyCode::Esc);
    scene.press(KeyCode::Char('c'), KeyModifiers::ALT | KeyModifiers::CONTROL);
    assert!(matches!(scene.state.overlay, Overlay::None));
    scene.press(KeyCode::Char('C'), KeyModifiers::CONTROL | KeyModifiers::SHIFT);
    assert!(matches!(scene.state.overlay, Overlay::Leave));
}

#[test]
fn why_a_message_was_refused_takes_no_more_rows_than_its_words() {
    let mut scene = Scene::new(80, 24);
    let number = scene.enters("refuse me").unwrap();
    scene.failed("#lobby", &format!("post-{number}"), &format!("because{}of that", "\n".repeat(3)));
    assert!(scene.screen().contains("refuse me ✗ not sent: because\\n\\n\\nof that"), "{}", scene.screen());
}

#[test]
fn a_sign_stands_beside_the_last_word() {
    for width in 24..=50 {
        let mut scene = Scene::new(width, 12);
        let number = scene.enters("several words that are wrapped").unwrap();
        scene.sent("#lobby", &format!("post-{number}"), 1, "several words that are wrapped");
        let screen = scene.screen();
        assert!(screen.lines().any(|row| row.ends_with("wrapped ✓")), "{screen}");
    }
}
