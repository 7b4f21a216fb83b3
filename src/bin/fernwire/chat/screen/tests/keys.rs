//! What keys do that is not writing.

use ratatui::crossterm::event::KeyCode;

use super::super::wish::Wish;
use super::scene::{Scene, has};

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
