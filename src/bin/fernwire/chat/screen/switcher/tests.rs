//! What is found, what keys choose, and how it is drawn.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Modifier;

use super::super::theme::Theme;
use super::*;

fn item(target: &str, open: bool, unread: u64, mentions: u64) -> Item {
    Item { target: target.parse().unwrap(), open, unread, mentions, topic: String::new() }
}

fn items() -> Vec<Item> {
    vec![
        item("#lobby", true, 0, 0),
        item("#rust", true, 3, 0),
        item("bob", true, 1, 1),
        Item { topic: "Bees and hives".to_owned(), ..item("#global-bees", false, 0, 0) },
        item("Lola", false, 0, 0),
    ]
}

fn typed(text: &str) -> Switcher {
    let mut switcher = Switcher::new(items());
    text.chars().for_each(|c| assert_eq!(press(&mut switcher, KeyCode::Char(c)), Outcome::Stay));
    switcher
}

fn press(switcher: &mut Switcher, code: KeyCode) -> Outcome {
    switcher.press(code.into())
}

fn control(switcher: &mut Switcher, c: char) -> Outcome {
    switcher.press(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL))
}

fn names(switcher: &Switcher) -> Vec<String> {
    let name = |found: &Found| match &found.what {
        What::Item(item) => item.target.to_string(),
        What::Join(room) => format!("join {room}"),
        What::Write(person) => format!("write to {person}"),
    };
    switcher.items().iter().map(name).collect()
}

#[test]
fn without_a_query_mentions_and_unread_come_first() {
    assert_eq!(names(&typed("")), ["bob", "#rust", "#lobby", "#global-bees", "Lola"]);
}

#[test]
fn a_few_letters_find_names_with_or_without_their_mark() {
    assert_eq!(names(&typed("lo")), ["#lobby", "Lola", "#global-bees", "write to lo", "join #lo"]);
    assert_eq!(names(&typed("#lo")), ["#lobby", "#global-bees", "join #lo"]);
    assert_eq!(names(&typed("Lo")), ["Lola", "write to Lo", "join #Lo"]);
    assert_eq!(names(&typed("#LOBBY")), Vec::<String>::new());
    assert_eq!(names(&typed("lobby")), ["#lobby", "write to lobby"]);
    assert_eq!(names(&typed("x y!")), Vec::<String>::new());
}

#[test]
fn the_letters_that_were_found_are_known() {
    assert_eq!(typed("lb").items()[0].matched, [1, 3]);
    assert_eq!(typed("#lb").items()[0].matched, [0, 1, 3]);
    assert!(typed("").items()[0].matched.is_empty());
}

#[test]
fn enter_goes_there_or_joins() {
    let outcome = |query: &str| press(&mut typed(query), KeyCode::Enter);
    let room = |name: &str| name.parse::<RoomName>().unwrap();
    assert_eq!(outcome("lobby"), Outcome::Go(room("#lobby").into()));
    assert_eq!(outcome("bees"), Outcome::Join(room("#global-bees")));
    assert_eq!(outcome("lola"), Outcome::Go("lola".parse().unwrap()));
    assert_eq!(outcome("#new"), Outcome::Join(room("#new")));
    assert_eq!(outcome("newcomer"), Outcome::Go("newcomer".parse().unwrap()));
    assert_eq!(outcome("!"), Outcome::Stay);
    assert_eq!(control(&mut typed("lobby"), 'j'), Outcome::Go(room("#lobby").into()));
}

#[test]
fn keys_select_round_and_close() {
    let mut switcher = typed("");
    press(&mut switcher, KeyCode::Up);
    assert_eq!(press(&mut switcher, KeyCode::Enter), Outcome::Go("Lola".parse().unwrap()));
    press(&mut switcher, KeyCode::Tab);
    control(&mut switcher, 'n');
    assert_eq!(press(&mut switcher, KeyCode::Enter), Outcome::Go("#rust".parse().unwrap()));
    for c in ['k', 'c'] {
        assert_eq!(control(&mut switcher, c), Outcome::Close);
    }
    assert_eq!(press(&mut switcher, KeyCode::Esc), Outcome::Close);
}

#[test]
fn news_changes_neither_the_query_nor_the_selection() {
    let mut switcher = typed("");
    press(&mut switcher, KeyCode::Down);
    let mut news = items();
    news[0].mentions = 5;
    switcher.update(news.clone());
    assert_eq!(names(&switcher)[..3], ["#lobby", "bob", "#rust"]);
    assert_eq!(press(&mut switcher, KeyCode::Enter), Outcome::Go("#rust".parse().unwrap()));
    news.retain(|item| item.target.to_string() != "#rust");
    switcher.update(news);
    assert_ne!(press(&mut switcher, KeyCode::Enter), Outcome::Stay);
    switcher.update(Vec::new());
    assert_eq!(press(&mut switcher, KeyCode::Enter), Outcome::Stay);
    press(&mut switcher, KeyCode::Down);
}

#[test]
fn a_paste_is_one_line_of_the_query() {
    let mut switcher = typed("");
    switcher.paste("#lob\nby\n");
    assert_eq!(switcher.query.text(), "#lob by");
    assert_eq!(names(&switcher), ["#lobby"]);
}

fn drawn(switcher: &Switcher, width: u16, height: u16) -> (Buffer, Position) {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    let cursor = switcher.draw(buffer.area, &Theme::from_env(None), &mut buffer);
    (buffer, cursor)
}

fn rows(buffer: &Buffer) -> Vec<String> {
    let rows = buffer.content().chunks(buffer.area.width.into());
    rows.map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect()).collect()
}

#[test]
fn it_is_a_box_with_the_query_and_what_fits() {
    let (buffer, cursor) = drawn(&typed(""), 34, 8);
    assert_eq!(
        rows(&buffer),
        [
            "┌Go to───────────────────────────┐",
            "│>                               │",
            "│▸ bob  1@                       │",
            "│  #rust  3                      │",
            "│  #lobby                        │",
            "│  #global-bees  Bees and hives  │",
            "│  Lola                          │",
            "└────────────────────────────────┘",
        ]
    );
    assert_eq!(cursor, Position::new(3, 1));
    let (buffer, cursor) = drawn(&typed("newer"), 24, 5);
    assert_eq!(
        rows(&buffer)[1..4],
        ["│> newer               │", "│▸ write to newer      │", "│  join #newer         │"]
    );
    assert_eq!(cursor, Position::new(8, 1));
    assert!(rows(&drawn(&typed("!"), 24, 5).0)[2].contains("nothing is called so"));
}

#[test]
fn found_letters_stand_out_without_colour() {
    let (buffer, _) = drawn(&typed("lb"), 34, 8);
    let underlined = |x: u16| buffer[(x, 2)].modifier.contains(Modifier::UNDERLINED);
    let marked: String = (1..33).filter(|x| underlined(*x)).map(|x| buffer[(x, 2)].symbol()).collect();
    assert_eq!(marked, "lb");
}

#[test]
fn the_selected_one_and_the_end_of_the_query_are_in_sight_in_any_size() {
    let mut switcher = typed("");
    press(&mut switcher, KeyCode::Up);
    assert!(rows(&drawn(&switcher, 20, 5).0)[3].starts_with("│▸ Lola"));
    switcher = typed(&"long ".repeat(20));
    switcher.paste(&"田\u{202e}".repeat(30));
    for (width, height) in (0..12).flat_map(|width| (0..6).map(move |height| (width, height))) {
        let (buffer, cursor) = drawn(&switcher, width, height);
        assert!(buffer.area.is_empty() || buffer.area.contains(cursor), "{width}x{height}");
    }
    let mut small = Buffer::empty(Rect::new(0, 0, 10, 4));
    switcher.draw(Rect::new(5, 2, 100, 100), &Theme::from_env(None), &mut small);
}
