//! Long histories: nothing jumps, nothing is loaded twice, and no step costs more than the screen.

use fernwire::client::chat::Page;
use ratatui::crossterm::event::{KeyCode, KeyModifiers};

use super::super::stage::Input;
use super::super::wish::{Answer, Wish};
use super::scene::{Scene, entry, with};
use ratatui::layout::Position;

fn messages(scene: &Scene) -> Vec<String> {
    let area = scene.state.areas().messages;
    let rows = scene.screen();
    let rows = rows.lines().skip(usize::from(area.y)).take(usize::from(area.height));
    rows.map(|row| row.chars().skip(usize::from(area.x)).collect()).collect()
}

fn loads(scene: &mut Scene) -> Vec<(Page, u32)> {
    let loads = scene.wished().into_iter().filter_map(|wish| match wish {
        Wish::Load { page, limit, .. } => Some((page, limit)),
        _ => None,
    });
    loads.collect()
}

#[test]
fn older_messages_are_loaded_without_a_jump() {
    let mut scene = Scene::new(80, 24);
    scene.conversation("#lobby", "", 300, 300);
    assert_eq!(loads(&mut scene), [(Page::Before(301), 100)]);
    let page = |from: u64, to| (from..=to).map(|seq| entry(seq, "bob", &format!("message {seq}"))).collect();
    scene.answer(Answer::Loaded { with: with("#lobby"), page: Page::Before(301), result: Ok(page(201, 300)) });
    assert!(scene.screen().contains("message 300"));
    assert_eq!(loads(&mut scene), []);
    let mut asked = Vec::new();
    while asked.is_empty() {
        scene.key(KeyCode::PageUp);
        asked = loads(&mut scene);
    }
    assert_eq!(asked, [(Page::Before(201), 100)]);
    assert!(scene.screen().contains("200 earlier messages"), "{}", scene.screen());
    scene.key(KeyCode::PageUp);
    assert_eq!(loads(&mut scene), [], "one page at a time");
    let before = messages(&scene);
    scene.answer(Answer::Loaded { with: with("#lobby"), page: Page::Before(201), result: Ok(page(101, 200)) });
    let after = messages(&scene);
    let kept = before.iter().filter(|row| row.contains("message 2")).count();
    assert!(kept > 10);
    // What was in view still is, in the same rows; only the first may have lost a time that is now above it.
    let same = before.iter().zip(&after).filter(|(before, after)| before.contains("message 2") && before == after);
    assert!(same.count() >= kept - 1, "{before:#?}\n{after:#?}");
}

#[test]
fn what_the_server_does_not_have_is_not_asked_for_again() {
    let mut scene = Scene::new(80, 24);
    scene.conversation("#lobby", "", 10, 10);
    let (page, _) = loads(&mut scene)[0];
    let entries = (8..=10).map(|seq| entry(seq, "bob", "late")).collect();
    scene.answer(Answer::Loaded { with: with("#lobby"), page, result: Ok(entries) });
    let (page, _) = loads(&mut scene)[0];
    assert_eq!(page, Page::Before(8));
    scene.answer(Answer::Loaded { with: with("#lobby"), page, result: Ok(Vec::new()) });
    assert_eq!(loads(&mut scene), []);
    assert!(!scene.screen().contains("earlier messages"), "{}", scene.screen());
}

#[test]
fn ten_thousand_messages_scroll_smoothly() {
    let mut scene = Scene::new(120, 40);
    for seq in 1..=10_000 {
        let entry = entry(
            seq,
            ["bob", "cid", "eve"][seq as usize % 3],
            &format!("message {seq} {}", "word ".repeat(seq as usize % 40)),
        );
        scene
            .state
            .happened(fernwire::client::chat::Event::Entry { with: with("#lobby"), entry, mine: false }, scene.now);
    }
    scene.key(KeyCode::End);
    let area = scene.state.areas().messages;
    let (mut before, _) = scene.buffer();
    let (mut cells, mut steps) = (0, 0);
    let up = |scene: &mut Scene| scene.press(KeyCode::Up, KeyModifiers::SHIFT);
    let wheel = |scene: &mut Scene| scene.input(Input::Wheel(-1, Position::ORIGIN));
    let page = |scene: &mut Scene| scene.key(KeyCode::PageUp);
    let ways: [&dyn Fn(&mut Scene); 3] = [&up, &wheel, &page];
    for step in 0..600 {
        super::super::view::laid_out::reset();
        ways[step % 3](&mut scene);
        let (after, _) = scene.buffer();
        let changed = before.diff(&after).len();
        // What is outside of the messages does not change but for the word in the title.
        assert!(changed <= area.area() as usize + 30, "{changed} cells in one step");
        let items = super::super::view::laid_out::count();
        assert!(items <= 12 * usize::from(area.height), "{items} messages laid out in one step");
        (cells, steps, before) = (cells + changed, steps + 1, after);
    }
    println!("{} cells a step, of {} in the area", cells / steps, area.area());
    assert!(!scene.screen().contains("message 10000"), "it has scrolled");
    scene.key(KeyCode::Esc);
    assert!(scene.screen().contains("message 10000"));
}

#[test]
fn the_view_is_full_at_the_very_top_and_follows_the_end_again() {
    let mut scene = Scene::new(80, 24);
    (1..=100).for_each(|seq| scene.says("#lobby", seq, "bob", &format!("message {seq}")));
    for _ in 0..20 {
        scene.key(KeyCode::PageUp);
    }
    let rows = messages(&scene);
    assert!(rows[0].contains("15 November 2023"), "{rows:#?}");
    assert!(rows.iter().all(|row| !row.is_empty()), "{rows:#?}");
    for _ in 0..20 {
        scene.key(KeyCode::PageDown);
    }
    assert_eq!(scene.state.here().unwrap().anchor, None);
    scene.says("#lobby", 101, "bob", "the newest");
    assert!(scene.screen().contains("the newest"));
}

#[test]
fn a_new_size_keeps_what_one_looks_at() {
    let mut scene = Scene::new(80, 24);
    (1..=200).for_each(|seq| scene.says("#lobby", seq, "bob", &format!("message {seq} {}", "word ".repeat(20))));
    scene.key(KeyCode::PageUp);
    scene.key(KeyCode::PageUp);
    let last = |scene: &Scene| {
        let rows = messages(scene).join("\n");
        rows.rsplit("message ").next().and_then(|rest| rest.split(' ').next().map(str::to_owned)).unwrap()
    };
    let seen = last(&scene);
    scene.resize(120, 30);
    scene.resize(40, 12);
    scene.resize(80, 24);
    assert_eq!(last(&scene), seen);
}
