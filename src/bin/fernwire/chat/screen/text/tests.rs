//! Rows of friendly and of hostile text, and what a terminal makes of them.

use std::collections::VecDeque;
use std::num::NonZero;

use proptest::prelude::*;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::{Terminal, TerminalOptions, Viewport};

use super::*;

const PLAIN: Style = Style::new();

fn wrapped(text: &str, width: u16, indent: u16) -> Vec<String> {
    wrap(&[(PLAIN, text)], width, indent).iter().map(Row::text).collect()
}

fn one(text: &str, width: u16) -> String {
    line(&[(PLAIN, text)], width).text()
}

/// The row of a buffer, as drawn.
fn drawn(row: &Row, width: u16) -> Vec<String> {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, 1));
    row.draw(0, 0, width, &mut buffer);
    buffer.content.iter().map(|cell| cell.symbol().to_owned()).collect()
}

#[test]
fn rows_end_between_words_and_begin_indented() {
    assert_eq!(wrapped("the quick brown fox", 12, 2), ["the quick", "  brown fox"]);
    assert_eq!(wrapped("the quick  brown   ", 9, 0), ["the quick", "brown   "]);
    assert_eq!(wrapped("", 9, 3), [""]);
    assert_eq!(wrapped("  let x = 1;", 20, 3), ["  let x = 1;"]);
}

#[test]
fn a_line_feed_begins_a_row() {
    assert_eq!(wrapped("one\r\ntwo\n\nthree", 20, 2), ["one", "  two", "  ", "  three"]);
    assert_eq!(one("one\r\ntwo\n\nthree", 20), "one two  three");
}

#[test]
fn a_word_longer_than_a_row_is_cut() {
    assert_eq!(wrapped("a supercalifragilistic b", 10, 2), ["a", "  supercal", "  ifragili", "  stic b"]);
}

#[test]
fn addresses_and_compounds_end_behind_slashes_and_hyphens() {
    assert_eq!(wrapped("see https://example.org/some/path", 24, 0), ["see https://example.org/", "some/path"]);
    assert_eq!(wrapped("well-known -5 --flag", 9, 0), ["well-", "known -5", "--flag"]);
}

#[test]
fn spaces_that_do_not_break_keep_what_is_beside_them_together() {
    assert_eq!(wrapped("it was said\u{a0}✓", 11, 0), ["it was", "said ✓"]);
    assert_eq!(wrapped("日本語日本\u{a0}✓", 11, 0), ["日本語日", "本 ✓"]);
}

#[test]
fn chinese_and_japanese_end_anywhere_but_before_what_closes() {
    assert_eq!(wrapped("日本語日本語。", 12, 0), ["日本語日本", "語。"]);
    assert_eq!(wrapped("日本語日本語", 7, 0), ["日本語", "日本語"]);
}

#[test]
fn an_indent_leaves_room_for_text() {
    assert_eq!(wrapped("abcdefghijkl", 9, 200), ["abcdefghi", " jkl"]);
    assert_eq!(wrapped("ab", 1, 5), ["a", "b"]);
    assert_eq!(wrapped("日本", 1, 5), [" ", " "]);
    assert_eq!(wrapped("ab", 0, 5), [""]);
}

#[test]
fn styles_stay_with_their_letters() {
    let bold = PLAIN.add_modifier(Modifier::BOLD);
    let rows = wrap(&[(PLAIN, "ada: "), (bold, "hello world")], 12, 0);
    let styles = rows.iter().map(|row| row.glyphs.iter().map(|(_, glyph)| glyph.style).collect::<Vec<_>>());
    assert_eq!(styles.collect::<Vec<_>>(), [[vec![PLAIN; 5], vec![bold; 5]].concat(), vec![bold; 5]]);
}

#[test]
fn a_line_that_is_too_long_says_so() {
    assert_eq!(one("abcdef", 6), "abcdef");
    assert_eq!(one("abcdefg", 6), "abcde…");
    assert_eq!(one("日本語", 5), "日本…");
    assert_eq!(one("日本語", 4), "日…");
    assert_eq!(one("abc", 1), "…");
    assert_eq!(one("abc", 0), "");
}

#[test]
fn of_a_line_no_more_is_made_than_is_seen() {
    let long = "a message of many words, \u{1b} and lines\n".repeat(2000);
    let made = glyphs::first_paragraphs(&[(PLAIN, "ada: "), (PLAIN, &long), (PLAIN, &long)], 100);
    let count: usize = made.iter().map(|glyphs| glyphs.iter().count()).sum();
    assert!(count < 200, "{count}");
}

#[test]
fn what_a_terminal_would_obey_is_shown_as_an_escape() {
    assert_eq!(one("a\x1b[2Jb\u{202e}c\u{9b}", 80), "a\\u{1b}[2Jb\\u{202e}c\\u{9b}");
    assert_eq!(one("a\tb\u{7}\u{7}\u{7}c", 80), "a    b\\u{7}×3c");
    assert_eq!(one("a\r\rb", 80), "a\\r×2b");
}

#[test]
fn letters_keep_their_marks_and_their_joiners() {
    for text in
        ["e\u{323}\u{302}\u{301}", "می\u{200c}خواهم", "क\u{94d}\u{200d}ष", "한국어 ᄒ\u{1161}ᆫ", "ก็ ที่", "ក\u{17d2}ក"]
    {
        assert_eq!(one(text, 80), text);
    }
}

#[test]
fn what_shows_nothing_is_left_out() {
    for unseen in ["\u{200b}", "\u{2060}", "\u{feff}", "\u{ad}", "\u{e0061}", "\u{3164}", "\u{fe0f}", "\u{200d}"] {
        assert_eq!(one(&format!("a{}b", unseen.repeat(10_000)), 80), "ab");
    }
}

#[test]
fn a_pile_of_marks_takes_few_cells() {
    let pile = format!("a{}b", "\u{315}".repeat(10_000));
    assert_eq!(one(&pile, 80), format!("a{}\\u{{315}}×9994b", "\u{315}".repeat(6)));
    assert_eq!(one(&"\u{302}".repeat(10_000), 80).chars().count(), 6 * 7 + 7 + 5);
    // One of each kind by turns is a pile as well, with joiners between or without.
    for marks in ["\u{315}\u{302}", "\u{93f}\u{94d}\u{200d}"] {
        assert!(one(&format!("क{}", marks.repeat(5000)), u16::MAX).len() < 100_000);
    }
}

#[test]
fn a_mark_with_no_letter_of_its_own_is_shown_as_an_escape() {
    assert_eq!(one("\u{301}a", 80), "\\u{301}a");
    assert_eq!(one("a\u{1161}\u{93e}", 80), "a\\u{1161}\u{93e}");
    let rows = wrap(&[(PLAIN, "a"), (PLAIN, "\u{301}b")], 80, 0);
    assert_eq!(rows[0].text(), "a\\u{301}b");
}

#[test]
fn a_family_is_its_members() {
    assert_eq!(one("👩\u{200d}👩\u{200d}👧", 80), "👩👩👧");
    let families = "👩\u{200d}👧".repeat(10_000);
    let rows = wrap(&[(PLAIN, &families)], 40, 0);
    assert_eq!(rows.len(), 1000);
    assert!(rows.iter().all(|row| row.width() == 40));
}

#[test]
fn emoji_that_terminals_disagree_about_have_room_for_both() {
    for (text, cells) in [
        ("👍🏽b", vec!["👍🏽", " ", " ", " ", "b", " "]),
        ("🇩🇪b", vec!["🇩🇪", " ", " ", " ", "b", " "]),
        ("☝b", vec!["☝ ", " ", " ", "b", " ", " "]),
        ("☝🏽b", vec!["☝🏽", " ", " ", " ", "b", " "]),
        ("❤\u{fe0f}b", vec!["❤", "b", " ", " ", " ", " "]),
        ("1\u{fe0f}\u{20e3}b", vec!["1\u{20e3}", "b", " ", " ", " ", " "]),
    ] {
        assert_eq!(drawn(&line(&[(PLAIN, text)], 6), 6), cells, "{text}");
    }
    assert_eq!(one("🇩b🏽", 80), "\\u{1f1e9}b\\u{1f3fd}");
}

#[test]
fn what_is_kept_free_is_cleared_in_each_frame() {
    let mut buffer = Buffer::empty(Rect::new(0, 0, 6, 1));
    line(&[(PLAIN, "👍🏽b")], 6).draw(0, 0, 6, &mut buffer);
    let again: Vec<u16> = buffer.clone().diff(&buffer).into_iter().map(|(x, ..)| x).collect();
    assert_eq!(again, [2, 3]);
}

#[test]
fn nothing_is_drawn_at_the_end_or_outside() {
    let row = line(&[(PLAIN, "ab日本")], 80);
    let mut buffer = Buffer::filled(Rect::new(2, 1, 8, 1), ratatui::buffer::Cell::new("."));
    row.draw(3, 1, 8, &mut buffer);
    assert_eq!(buffer.content.iter().map(|cell| cell.symbol()).collect::<String>(), ".ab日  ..");
    let before = buffer.clone();
    for (x, y, end) in [(3, 0, 8), (3, 2, 8), (0, 1, 8), (9, 1, 9), (10, 1, 20), (u16::MAX, 1, u16::MAX), (5, 1, 0)] {
        row.draw(x, y, end, &mut buffer);
    }
    assert_eq!(buffer, before);
}

#[test]
fn half_of_a_wide_glyph_gives_way() {
    let mut buffer = Buffer::empty(Rect::new(0, 0, 6, 1));
    line(&[(PLAIN, "日本語")], 6).draw(0, 0, 6, &mut buffer);
    line(&[(PLAIN, "abc")], 6).draw(3, 0, 6, &mut buffer);
    let cells: String = buffer.content.iter().map(|cell| cell.symbol()).collect();
    assert_eq!(cells, "日  abc");
}

#[test]
fn no_character_of_unicode_is_drawn_in_more_than_two_columns() {
    let every: Vec<char> = ('\0'..=char::MAX).collect();
    for block in every.chunks(0x1000) {
        let block: String = block.iter().flat_map(|c| ['x', *c]).collect();
        for (symbol, glyph) in line(&[(PLAIN, &block)], u16::MAX).glyphs.iter() {
            assert!((1..=2).contains(&glyph.drawn), "{symbol:?}");
        }
    }
}

/// What makes trouble, between bars: control sequences, turned directions, marks and joiners, emoji, scripts.
const NASTY: &str = "\x1b|\x1b[2J|\x1b]0;x\x07|\u{9b}5A|\r|\n|\r\n|\t|\u{8}|\0|\u{202e}|\u{2066}|\u{200d}|\u{200c}|\
    \u{200b}|\u{fe0f}|\u{fe0e}|\u{e0067}|\u{20e3}|\u{301}|\u{302}|\u{489}|👍|🏽|👩|🇩|🇪|☝|❤|日|本|。|\u{ff9e}|ｶ|\
    \u{1100}|\u{1161}|\u{11a8}|가|क|\u{94d}|ष|\u{93e}|\u{17d2}|ក|ل|ا|\u{600}|ที่|\u{1160}|\u{3164}|\u{3000}|\u{a0}| |\
    -|/|a|b|word";

/// Text with much of what makes trouble.
fn nasty() -> impl Strategy<Value = String> {
    let bad = || proptest::sample::select(NASTY.split('|').collect::<Vec<_>>());
    let piece = prop_oneof![
        6 => bad().prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => (bad(), 2..40_usize).prop_map(|(piece, count)| piece.repeat(count)),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// What the emulated terminal gives no column, unlike others: the replacement character, and the sound marks of halfwidth
/// katakana.
const EMULATED_OTHERWISE: [char; 3] = ['\u{fffd}', '\u{ff9e}', '\u{ff9f}'];

/// What an emulated terminal shows after each of these rows was drawn in its middle row, left of a border.
fn emulated(rows: &[Row], width: u16) -> vt100::Parser {
    let bytes = bytes_of(rows, width);
    let mut parser = vt100::Parser::new(NonZero::new(3).unwrap(), NonZero::new(width + 1).unwrap(), 10);
    parser.process(&bytes);
    parser
}

/// What a terminal is sent that draws these rows in its middle row, one after the other.
fn bytes_of(rows: &[Row], width: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    let area = Rect::new(0, 0, width + 1, 3);
    let viewport = Viewport::Fixed(area);
    let mut terminal = Terminal::with_options(CrosstermBackend::new(&mut bytes), TerminalOptions { viewport }).unwrap();
    for row in rows {
        terminal
            .draw(|frame| {
                let buffer = frame.buffer_mut();
                buffer.set_string(0, 0, "above", PLAIN);
                buffer.set_string(0, 2, "below", PLAIN);
                buffer.set_string(width, 1, "|", PLAIN);
                row.draw(0, 1, width, buffer);
            })
            .unwrap();
    }
    drop(terminal);
    bytes
}

#[test]
fn hostile_rows_change_nothing_but_themselves() {
    let width = 20;
    for hostile in [
        "\x1b[1;1Hgone\x1b[2J".to_owned(),
        "\u{9b}A\u{8}\u{8}\r\n\u{b}\u{c}up".to_owned(),
        "\u{202e}txet".to_owned(),
        format!("a{}", "\u{315}".repeat(10_000)),
        "👩\u{200d}".repeat(10_000),
        "👍🏽".repeat(100),
        "🇩🇪".repeat(100),
        "☝".repeat(100),
        "\u{200b}".repeat(10_000),
        "क\u{94d}".repeat(1000),
        "ក\u{17d2}ក".repeat(1000),
        "xxxxxxxxxxxxxxxxxxx日".to_owned(),
    ] {
        for row in [line(&[(PLAIN, &hostile)], width)].iter().chain(&wrap(&[(PLAIN, &hostile)], width, 3)[..1]) {
            let shown = emulated(&[row.clone(), line(&[(PLAIN, "plain")], width)], width);
            let rows: Vec<String> = shown.screen().rows(0, width + 1).collect();
            assert_eq!(rows, ["above".to_owned(), format!("{:20}|", "plain"), "below".to_owned()], "{hostile:?}");
        }
    }
}

proptest! {
    #[test]
    fn any_text_stays_in_its_rows(text in nasty(), width in 0..60_u16, indent in 0..30_u16) {
        let rows = wrap(&[(PLAIN, &text)], width, indent);
        let one = line(&[(PLAIN, &text)], width);
        for row in rows.iter().chain([&one]) {
            prop_assert!(row.width() <= width, "{row:?}");
            for (symbol, glyph) in row.glyphs.iter() {
                prop_assert!(symbol.len() <= 32 && (1..=2).contains(&symbol.cell_width()), "{symbol:?}");
                prop_assert_eq!(symbol.cell_width(), u16::from(glyph.drawn));
                prop_assert!(symbol.chars().next().is_some_and(|c| clean::width(c) > 0), "{symbol:?} stands on another");
                prop_assert!(glyph.drawn <= glyph.columns);
                prop_assert!(!symbol.chars().any(fernwire::model::is_treacherous), "{symbol:?}");
            }
        }
        if width >= 4 {
            let shown: String = rows.iter().map(Row::text).collect();
            let mut letters: VecDeque<char> = text.chars().filter(|c| c.is_ascii_alphabetic() || matches!(c, 'क'..='ह' | '一'..='龥')).collect();
            for c in shown.chars() {
                if letters.front() == Some(&c) {
                    letters.pop_front();
                }
            }
            prop_assert!(letters.is_empty(), "{letters:?} are missing in {shown:?}");
        }
    }

    #[test]
    fn a_line_is_the_beginning_of_all_of_it(texts in proptest::collection::vec(nasty(), 1..3), width in 0..40_u16) {
        let pieces: Vec<_> = texts.iter().map(|text| (PLAIN, text.as_str())).collect();
        let mut whole = line(&pieces, u16::MAX).glyphs;
        whole.cut(width);
        prop_assert_eq!(line(&pieces, width).glyphs, whole);
    }

    #[test]
    fn any_row_changes_nothing_but_itself(texts in proptest::collection::vec(nasty(), 1..4), width in 5..40_u16) {
        let texts = texts.iter().map(|text| text.replace(EMULATED_OTHERWISE, ""));
        let mut rows: Vec<Row> = texts.flat_map(|text| wrap(&[(PLAIN, &text)], width, 3)).take(12).collect();
        rows.push(line(&[(PLAIN, "plain")], width));
        let shown = emulated(&rows, width);
        let plain = format!("{:1$}|", "plain", usize::from(width));
        let rows: Vec<String> = shown.screen().rows(0, width + 1).collect();
        prop_assert_eq!(rows, vec!["above".to_owned(), plain, "below".to_owned()]);
    }
}
