//! What keys do to a text, and where the cursor is seen.

use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation;

use super::*;

const WIDTH: u16 = 10;

fn key(code: KeyCode) -> KeyEvent {
    KeyEvent::new(code, KeyModifiers::NONE)
}

fn with(modifiers: KeyModifiers, code: KeyCode) -> KeyEvent {
    KeyEvent::new(code, modifiers)
}

fn control(c: char) -> KeyEvent {
    with(KeyModifiers::CONTROL, KeyCode::Char(c))
}

fn alt(c: char) -> KeyEvent {
    with(KeyModifiers::ALT, KeyCode::Char(c))
}

/// A text in which `|` is the cursor.
fn editor(text: &str) -> Editor {
    let (before, after) = text.split_once('|').unwrap();
    let mut editor = Editor::new();
    editor.set(&format!("{before}{after}"));
    editor.buffer.set_pos(before.len());
    editor
}

fn shown(editor: &Editor) -> String {
    let (before, after) = editor.text().split_at(editor.cursor());
    format!("{before}|{after}")
}

/// What a text becomes by some keys.
fn after(text: &str, keys: &[KeyEvent]) -> String {
    let mut editor = editor(text);
    for key in keys {
        assert_eq!(editor.press(*key, WIDTH), Pressed::Done, "{key:?}");
    }
    shown(&editor)
}

#[test]
fn what_is_typed_stands_at_the_cursor() {
    assert_eq!(after("a|c", &[key(KeyCode::Char('b'))]), "ab|c");
    assert_eq!(after("|", &[with(KeyModifiers::SHIFT, KeyCode::Char('Ä'))]), "Ä|");
    assert_eq!(after("a|", &[with(KeyModifiers::ALT, KeyCode::Enter), control('j')]), "a\n\n|");
    assert_eq!(after("|", &[with(KeyModifiers::SHIFT, KeyCode::Enter)]), "\n|");
}

#[test]
fn what_altgr_makes_is_text() {
    let altgr = KeyModifiers::CONTROL | KeyModifiers::ALT;
    assert_eq!(after("|", &[with(altgr, KeyCode::Char('@')), with(altgr, KeyCode::Char('€'))]), "@€|");
    assert_eq!(editor("|").press(with(altgr, KeyCode::Char('q')), WIDTH), Pressed::NotMine);
}

#[test]
fn a_character_with_marks_and_an_emoji_are_one() {
    let family = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}";
    for one in ["e\u{301}\u{323}", family, "\u{1f1e9}\u{1f1ea}", "\u{1f44d}\u{1f3fd}", "田", "\u{915}\u{94d}\u{937}"] {
        assert_eq!(after(&format!("a{one}|b"), &[key(KeyCode::Backspace)]), "a|b", "{one}");
        assert_eq!(after(&format!("a|{one}b"), &[key(KeyCode::Delete)]), "a|b", "{one}");
        assert_eq!(after(&format!("a|{one}b"), &[key(KeyCode::Right)]), format!("a{one}|b"));
        assert_eq!(after(&format!("a{one}|b"), &[key(KeyCode::Left)]), format!("a|{one}b"));
    }
}

#[test]
fn the_cursor_moves_behind_a_character_that_forms_around_it() {
    assert_eq!(after("\u{1f1e9}|x\u{1f1ea}", &[key(KeyCode::Delete)]), "\u{1f1e9}\u{1f1ea}|");
    assert_eq!(after("a|\u{1f467}", &[key(KeyCode::Backspace)]), "|\u{1f467}");
    let mut editor = editor("\u{1f468}|\u{1f467}");
    editor.insert("\u{200d}").unwrap();
    assert_eq!(shown(&editor), "\u{1f468}\u{200d}\u{1f467}|");
}

#[test]
fn words_are_gone_over_and_deleted() {
    let (ctrl, alted) = (KeyModifiers::CONTROL, KeyModifiers::ALT);
    for back in [with(ctrl, KeyCode::Left), with(alted, KeyCode::Left), alt('b')] {
        assert_eq!(after("one two-three|", &[back, back]), "one |two-three");
    }
    for on in [with(ctrl, KeyCode::Right), with(alted, KeyCode::Right), alt('f')] {
        assert_eq!(after("|one two", &[on]), "one| two");
    }
    assert_eq!(after("one two-three|.", &[control('w')]), "one |.");
    assert_eq!(after("one two-three|.", &[with(alted, KeyCode::Backspace)]), "one two-|.");
    for next in [alt('d'), with(ctrl, KeyCode::Delete)] {
        assert_eq!(after("one| two three", &[next]), "one| three");
    }
}

#[test]
fn lines_have_ends() {
    for home in [key(KeyCode::Home), control('a')] {
        assert_eq!(after("one\ntw|o\nthree", &[home]), "one\n|two\nthree");
    }
    for end in [key(KeyCode::End), control('e')] {
        assert_eq!(after("one\nt|wo\nthree", &[end]), "one\ntwo|\nthree");
    }
    assert_eq!(after("one\ntw|o", &[control('u')]), "one\n|o");
    assert_eq!(after("o|ne", &[control('d'), control('h')]), "|e");
}

#[test]
fn other_keys_are_somebody_elses() {
    let mut editor = editor("|");
    let characters = ["kfclbd".chars().map(control).collect::<Vec<_>>(), "amr1234567890".chars().map(alt).collect()];
    let codes = [KeyCode::Enter, KeyCode::Esc, KeyCode::Tab, KeyCode::BackTab, KeyCode::PageUp, KeyCode::PageDown];
    for other in characters.concat().into_iter().chain(codes.map(key)) {
        assert_eq!(editor.press(other, WIDTH), Pressed::NotMine, "{other:?}");
    }
    let released = KeyEvent::new_with_kind(KeyCode::Char('a'), KeyModifiers::NONE, KeyEventKind::Release);
    assert_eq!(editor.press(released, WIDTH), Pressed::NotMine);
    assert!(editor.is_empty());
}

#[test]
fn up_and_down_keep_their_column_past_short_and_wide_rows() {
    let (up, down) = (key(KeyCode::Up), key(KeyCode::Down));
    assert_eq!(after("abcde|f\nx\nabcdef", &[down]), "abcdef\nx|\nabcdef");
    assert_eq!(after("abcde|f\nx\nabcdef", &[down, down]), "abcdef\nx\nabcde|f");
    assert_eq!(after("abcde|f\nx\nabcdef", &[down, key(KeyCode::Left), down]), "abcdef\nx\n|abcdef");
    assert_eq!(after("田田田\nabc|d", &[up]), "田|田田\nabcd");
    assert_eq!(after("田田田\nabcd|", &[up, down]), "田田田\nabcd|");
    // Rows of ten columns, of which one line takes two.
    assert_eq!(after("0123456789ab|c", &[up]), "01|23456789abc");
    assert_eq!(after("01234567|89abc", &[down]), "0123456789abc|");
}

#[test]
fn there_is_nothing_above_the_first_row_and_below_the_last() {
    let mut editor = editor("0123456789a|b");
    assert_eq!(editor.press(key(KeyCode::Down), WIDTH), Pressed::AtBottom);
    assert_eq!(editor.press(key(KeyCode::Up), WIDTH), Pressed::Done);
    assert_eq!(editor.press(key(KeyCode::Up), WIDTH), Pressed::AtTop);
    assert_eq!(shown(&editor), "0|123456789ab");
    assert_eq!(editor.press(key(KeyCode::Up), 80), Pressed::AtTop);
    assert_eq!(editor.press(key(KeyCode::Down), 80), Pressed::AtBottom);
}

#[test]
fn what_is_pasted_is_one_text_without_control_characters() {
    let mut editor = editor("a|b");
    editor.insert("one\r\ntwo\rthree\n\n").unwrap();
    assert_eq!(shown(&editor), "aone\ntwo\nthree|b");
    editor.set("");
    editor.insert("\x1b[2J\u{9b}1m\ta\x07\0\u{7f}").unwrap();
    assert_eq!(editor.text(), "[2J1m\ta");
    assert_eq!(editor.take(), "[2J1m\ta");
    assert!(editor.is_empty() && editor.cursor() == 0);
}

#[test]
fn what_is_too_long_leaves_the_text_as_it_was() {
    let mut editor = editor("a|b");
    editor.insert(&"x".repeat(MAX_WRITTEN - 2)).unwrap();
    let full = shown(&editor);
    let error = editor.insert("yz").unwrap_err();
    assert_eq!(error, TooLong(MAX_WRITTEN + 2));
    assert!(error.to_string().contains("at most 65536"), "{error}");
    assert_eq!(editor.press(key(KeyCode::Char('y')), WIDTH), Pressed::Full(TooLong(MAX_WRITTEN + 1)));
    assert_eq!(shown(&editor), full);
    assert_eq!(editor.press(key(KeyCode::Backspace), WIDTH), Pressed::Done);
    assert_eq!(editor.press(key(KeyCode::Char('y')), WIDTH), Pressed::Done);
}

/// What is seen, row by row, and where the cursor is.
fn seen(text: &str, width: u16) -> (Vec<String>, (u16, u16)) {
    let (rows, cursor) = editor(text).rows(width);
    (rows.iter().map(drawn).collect(), cursor)
}

fn drawn(row: &Row) -> String {
    let mut buffer = ratatui::buffer::Buffer::empty(ratatui::layout::Rect::new(0, 0, row.width(), 1));
    row.draw(0, 0, row.width(), &mut buffer);
    buffer.content().iter().map(ratatui::buffer::Cell::symbol).collect()
}

#[test]
fn rows_show_everything_and_the_cursor_in_its_place() {
    let rows = |rows: &[&str]| rows.iter().map(|row| (*row).to_owned()).collect::<Vec<_>>();
    assert_eq!(seen("|", 4), (rows(&[""]), (0, 0)));
    assert_eq!(seen("abc|", 4), (rows(&["abc"]), (3, 0)));
    assert_eq!(seen("abcd|", 4), (rows(&["abcd", ""]), (0, 1)));
    assert_eq!(seen("abcd|e", 4), (rows(&["abcd", "e"]), (0, 1)));
    assert_eq!(seen("a   b|", 4), (rows(&["a   ", "b"]), (1, 1)));
    assert_eq!(seen("a\n|\nb", 4), (rows(&["a", "", "b"]), (0, 1)));
    // As rows of cells have it, there is an empty cell behind a wide character.
    assert_eq!(seen("abc田|", 4), (rows(&["abc", "田 "]), (2, 1)));
    assert_eq!(seen("\tb|", 8), (rows(&["    b"]), (5, 0)));
}

#[test]
fn what_would_turn_the_text_or_cannot_be_seen_is_shown_as_an_escape() {
    assert_eq!(seen("a\u{202e}|b", 20), (vec!["a\\u{202e}b".to_owned()], (9, 0)));
    assert_eq!(seen("a\u{200b}|b", 20), (vec!["a\\u{200b}b".to_owned()], (9, 0)));
    let (rows, (column, row)) = seen("\u{202e}|b", 4);
    assert_eq!((rows.concat().trim_end(), column, row), ("\\u{202e}b", 0, 2));
    // The cursor can stand between two of the same kind.
    assert_eq!(seen("\u{202e}|\u{202e}", 20), (vec!["\\u{202e}\\u{202e}".to_owned()], (8, 0)));
}

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-c 0-9]{1,12}",
        1 => "[田中字]{1,4}",
        1 => "[\u{301}\u{200d}\u{202e}\u{200b}\u{fe0f}\u{1f3fd}\u{3164}\r\t\u{1b}]",
        1 => "[\u{1f468}\u{1f469}\u{1f1e9}\u{1f1ea}\u{1100}\u{1161}\u{915}\u{94d}]{1,4}",
        1 => Just("\n".to_owned()),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn any_key() -> impl Strategy<Value = KeyEvent> {
    let codes = vec![
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::Backspace,
        KeyCode::Delete,
        KeyCode::Enter,
        KeyCode::Char('\u{301}'),
        KeyCode::Char('\u{200d}'),
        KeyCode::Char('\u{1f1e9}'),
    ];
    let code = prop_oneof![
        prop::sample::select(codes),
        "[a-z\u{1f467} ]".prop_map(|c| { KeyCode::Char(c.chars().next().unwrap()) })
    ];
    let modifiers = prop::sample::select(vec![
        KeyModifiers::NONE,
        KeyModifiers::NONE,
        KeyModifiers::CONTROL,
        KeyModifiers::ALT,
        KeyModifiers::SHIFT,
    ]);
    (code, modifiers).prop_map(|(code, modifiers)| KeyEvent::new(code, modifiers))
}

proptest! {
    #[test]
    fn the_cursor_is_always_between_clusters_and_inside_the_rows(
        start in text(),
        width in 0u16..24,
        actions in prop::collection::vec(prop_oneof![5 => any_key().prop_map(Ok), 1 => text().prop_map(Err)], 0..40),
    ) {
        let mut editor = Editor::new();
        editor.set(&start);
        for action in actions {
            match action {
                Ok(key) => { editor.press(key, width); }
                Err(pasted) => editor.insert(&pasted).unwrap(),
            }
            let cursor = editor.cursor();
            let mut ends = editor.text().grapheme_indices(true).map(|(at, _)| at).chain([editor.text().len()]);
            prop_assert!(ends.any(|at| at == cursor), "{:?} in {:?}", cursor, editor.text());
            let (rows, (column, row)) = editor.rows(width);
            prop_assert!(usize::from(row) < rows.len() && column < width.max(1));
            prop_assert!(rows.iter().all(|row| row.width() <= width.max(1)));
        }
    }
}
