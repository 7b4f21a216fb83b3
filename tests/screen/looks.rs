//! What is on the screen at every size and without colours, whatever others send, and that nothing is written for nothing.

use std::time::Duration;

use crate::program::{FERNWIRE, Sandbox};
use crate::scene::Scene;
use crate::terminal::{ENTER, ESC, F1, F2, Terminal, alt, ctrl, text_of};

/// The colours among what was written, as the numbers of SGR.
fn colours(written: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(written).into_owned();
    let sequences = text.split("\x1b[").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != ';' && c != ':')?;
        rest[end..].starts_with('m').then(|| rest[..end].to_owned())
    });
    // 39, 49 and 59 are what the terminal has anyway.
    let is_colour = |number: &str| matches!(number.parse(), Ok(30..=38 | 40..=48 | 58 | 90..=107));
    sequences.filter(|numbers| numbers.split([';', ':']).any(is_colour)).collect()
}

#[test]
fn idle_it_writes_not_one_byte() {
    let scene = Scene::new();
    let ada = scene.enters("ada");
    let bob = scene.enters("bob");
    ada.sees("bob came");
    for person in [&ada, &bob] {
        person.is_quiet_for(Duration::from_millis(500));
    }
    let before = [ada.written(), bob.written()];
    // Nothing is waited for: that nothing happens is what this is about.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!([ada.written(), bob.written()], before);
}

#[test]
fn no_color_is_heeded_everywhere_and_bold_stands_for_it() {
    let scene = Scene::new();
    let mut ada = scene.enters_with("ada", (120, 30), &[("NO_COLOR", "1")]);
    let mut bob = scene.enters("bob");
    bob.enters("ada, look");
    ada.sees("bob: ada, look");
    assert!(ada.cells("ada, look")[..3].iter().all(|cell| cell.bold() && cell.underline()), "{}", ada.screen());
    ada.enters("/jion");
    ada.sees("did you mean /join?");
    for (key, title) in [(F1, "Help"), (&ctrl('k'), "Go to"), (&ctrl('f'), "Search"), (&alt('m'), "Who named you")] {
        ada.types(key);
        ada.sees(title);
        ada.types(ESC);
        ada.sees_no_more(title);
    }
    let home = Sandbox::new();
    let mut newcomer = Terminal::open(&home, &[FERNWIRE, "chat", scene.url()], &[("NO_COLOR", "1")], (80, 24));
    newcomer.sees("Trust it");
    newcomer.types("yes");
    newcomer.types(ENTER);
    newcomer.sees("[LOGIN]");
    newcomer.types(F2);
    newcomer.sees("[SIGNUP]");
    newcomer.types("!");
    newcomer.sees("✗");
    for (who, terminal) in [("ada", &ada.terminal), ("a newcomer", &newcomer)] {
        assert_eq!(colours(&terminal.written_since(0)), [""; 0], "{who}");
    }
    assert!(!colours(&bob.written_since(0)).is_empty(), "colours are seen where they are");
}

#[test]
fn at_forty_columns_all_of_it_can_be_used() {
    let scene = Scene::new();
    let mut ada = scene.enters_with("ada", (40, 16), &[]);
    let mut bob = scene.enters_with("bob", (200, 50), &[]);
    bob.enters("/msg ada between us, in more words than fit in one row");
    ada.sees("@1 unread: Alt-A");
    ada.types(&alt('a'));
    let screen = ada.sees("bob: between us");
    assert!(screen.lines().all(|line| !line.contains('│')), "{screen}");
    assert_eq!(ada.column_of("than fit in one row").unwrap(), 8, "what goes on is indented: {screen}");
    ada.enters("in few");
    bob.sees("ada: in few");
    let wide = bob.screen();
    assert!(wide.contains(">2 ada") && wide.contains("bob: between us, in more words than fit in one row ✓"), "{wide}");
    bob.types(&alt('1'));
    bob.sees("2 here");
    ada.types(F1);
    ada.sees("Help");
}

#[test]
fn the_size_changes_in_the_middle_of_everything() {
    let scene = Scene::new();
    let mut ada = scene.enters_with("ada", (200, 50), &[]);
    let mut bob = scene.enters("bob");
    ada.sees("2 here");
    let overlays = [
        ("", "#lobby"),
        (F1, "Help"),
        ("\x0b", "Go to"),
        ("\x06", "Search"),
        ("\x1bm", "Who named"),
        ("\x03", "Leave?"),
    ];
    for (number, (key, title)) in overlays.into_iter().enumerate() {
        bob.enters(&format!("ada: message {number} is long enough to be wrapped where the screen is narrow"));
        ada.sees(&format!("message {number}"));
        ada.types(key);
        ada.sees(title);
        for (size, below) in [((20, 6), 5), ((100, 30), 29), ((59, 9), 8), ((200, 50), 49)] {
            ada.resizes(size);
            ada.sees_that("an input at the foot", |screen| {
                let text = text_of(screen);
                text.lines().count() == below + 1 && text.lines().last().is_some_and(|line| line.starts_with('>'))
            });
        }
        ada.is_as_if_drawn_at_once();
        if !key.is_empty() {
            ada.types(ESC);
            ada.sees_no_more(title);
        }
    }
    ada.types("typed");
    ada.sees("> typed");
    for size in [(20, 6), (3, 2), (1, 1), (200, 50)] {
        ada.resizes(size);
    }
    ada.sees("> typed");
    ada.is_as_if_drawn_at_once();
}

/// What wants more than to be read.
fn hostile() -> String {
    let lines = [
        "\x1b[2J\x1b[H\x1b]0;title\x07\x1b[?1049l gone".to_owned(),
        "\u{9b}2J\u{90}q\u{9c} and C1".to_owned(),
        "a\r00:00 bob: I said that\x08\x08\x0b\x0c\u{85} forged".to_owned(),
        "\u{202e}gnirts\u{2066}x\u{2069}\u{200f} turned".to_owned(),
        "\u{200b}\u{200d}\u{feff}\u{2060}\u{ad} nothing".to_owned(),
        format!("a{} stacked", "\u{301}".repeat(10_000)),
        format!("{} joined", "\u{1f468}\u{200d}".repeat(100)),
        "👨\u{200d}👩\u{200d}👧 👍🏽 🇩🇪 ❤\u{fe0f} ｗｉｄｅ 中文字 pictures".to_owned(),
    ];
    lines.map(|line| line + "\n").concat()
}

#[test]
fn hostile_text_stays_in_its_rows() {
    let scene = Scene::new();
    let mut ada = scene.enters_with("ada", (80, 40), &[]);
    let mut bob = scene.enters("bob");
    bob.enters("before");
    ada.sees("bob: before");
    ada.types("a draft");
    ada.sees("> a draft");
    let start = ada.written();
    scene.hears("mallory", &hostile());
    ada.sees("pictures");
    bob.enters("after");
    let screen = ada.sees("bob: after");
    for word in ["gone", "and C1", "forged", "turned", "nothing", "stacked", "joined", "pictures"] {
        assert!(screen.contains(word), "no {word}: {screen}");
    }
    let rows: Vec<&str> = screen.lines().collect();
    assert_eq!(rows.len(), 40, "{screen}");
    assert!(rows[..38].iter().all(|row| row.chars().nth(21) == Some('│')), "the border stands: {screen}");
    assert!(rows[0].starts_with(">1 #lobby            │#lobby"), "{screen}");
    assert!(rows[38].starts_with("● connected") && rows[39] == "> a draft", "{screen}");
    for text in ["bob: before", "bob: after"] {
        assert!(rows.iter().any(|row| row.ends_with(text)), "{screen}");
    }
    assert!(!rows.iter().any(|row| row.contains("│00:00")), "a line that nobody said: {screen}");
    let written = ada.written_since(start);
    assert!(!written.windows(2).any(|pair| pair == b"\x1b]"), "a title was set");
    let written = String::from_utf8_lossy(&written).into_owned();
    let unwanted = |c: char| fernwire::model::is_treacherous(c) && c != '\x1b' && c != '\x07';
    assert_eq!(written.chars().find(|c| unwanted(*c)), None);
    ada.is_as_if_drawn_at_once();
}

#[test]
fn keys_amid_a_storm_of_sizes_are_heard_at_once() {
    let scene = Scene::new();
    let mut ada = scene.enters("ada");
    for number in 0..50 {
        ada.types("x");
        ada.resizes((100 + number, 30));
        ada.types("y");
        let typed = "xy".repeat(usize::from(number % 10) + 1);
        ada.sees_that(&typed, |screen| text_of(screen).ends_with(&format!("> {typed}")));
        ada.sees_that("its size", |screen| text_of(screen).lines().count() == 30);
        if number % 10 == 9 {
            ada.types(&ctrl('u'));
            ada.sees_no_more("> x");
        }
    }
}
