//! Colours by the numbers of WCAG, and what reaches a terminal.

use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::*;

fn name(name: &str) -> UserName {
    name.parse().unwrap()
}

/// Every style that a theme has.
fn styles(theme: &Theme) -> Vec<Style> {
    let mut styles = vec![
        theme.text(),
        theme.quiet(),
        theme.me(),
        theme.action(),
        theme.mention(),
        theme.unread(),
        theme.unread_mention(),
        theme.title(),
        theme.border(),
        theme.selected(),
        theme.good(),
        theme.bad(),
        theme.warning(),
        theme.mark(),
        theme.notice(),
        theme.key(),
    ];
    let people: Vec<Style> = (0..500).map(|number| theme.nick(&name(&format!("person{number}")))).collect();
    styles.extend(people);
    styles
}

/// The red, green and blue of one of the colours that are the same everywhere.
fn rgb(colour: u8) -> [u8; 3] {
    const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    match colour {
        0..=15 => panic!("people choose what {colour} looks like"),
        16..=231 => [36, 6, 1].map(|step| LEVELS[usize::from((colour - 16) / step % 6)]),
        232..=255 => [8 + 10 * (colour - 232); 3],
    }
}

/// Relative luminance (WCAG 2.2).
fn luminance(rgb: [u8; 3]) -> f64 {
    let [red, green, blue] = rgb.map(linear);
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

fn linear(level: u8) -> f64 {
    match f64::from(level) / 255.0 {
        low if low <= 0.04045 => low / 12.92,
        level => ((level + 0.055) / 1.055).powf(2.4),
    }
}

fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// Lightness, and how red and how yellow it is (CIELAB, white is that of sRGB).
fn lab(rgb: [u8; 3]) -> [f64; 3] {
    let [red, green, blue] = rgb.map(linear);
    let bent = |part: f64| if part > 216.0 / 24389.0 { part.cbrt() } else { (24389.0 / 27.0 * part + 16.0) / 116.0 };
    let x = bent((0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505);
    let y = bent(luminance(rgb));
    let z = bent((0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.0891);
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// How different two colours look (CIE94), which plain distances overrate where both are vivid.
fn difference(one: [f64; 3], other: [f64; 3]) -> f64 {
    let chroma = |lab: [f64; 3]| lab[1].hypot(lab[2]);
    let [lightness, redness, yellowness] = [0, 1, 2].map(|axis| one[axis] - other[axis]);
    let vividness = chroma(one) - chroma(other);
    let hue = (redness.powi(2) + yellowness.powi(2) - vividness.powi(2)).max(0.0).sqrt();
    let vivid = (chroma(one) * chroma(other)).sqrt();
    lightness.hypot(vividness / (1.0 + 0.045 * vivid)).hypot(hue / (1.0 + 0.015 * vivid))
}

#[test]
fn every_colour_can_be_read_on_dark_and_on_light() {
    let backgrounds = [
        ("black", [0, 0, 0], 4.0),
        ("white", [255, 255, 255], 4.0),
        ("almost black", [0x1e, 0x1e, 0x1e], 3.0),
        ("cream", [0xfd, 0xf6, 0xe3], 3.0),
        ("dark blue", [0x00, 0x2b, 0x36], 3.0),
    ];
    let mut seen = 0;
    for style in styles(&Theme::from_env(None)) {
        assert_eq!(style.bg, None);
        let Some(colour) = style.fg else { continue };
        let Color::Indexed(colour) = colour else { panic!("{colour:?} looks different everywhere") };
        seen += 1;
        for (background, shade, least) in backgrounds {
            let contrast = contrast(rgb(colour), shade);
            assert!(contrast >= least, "{colour} on {background}: {contrast:.2}");
        }
    }
    assert!(seen > 500);
}

#[test]
fn contrast_is_that_of_the_guidelines() {
    assert!((contrast([0; 3], [255; 3]) - 21.0).abs() < 0.01);
    assert!((contrast([119; 3], [255; 3]) - 4.48).abs() < 0.01);
}

#[test]
fn a_person_has_one_colour_by_whatever_case() {
    let theme = Theme::from_env(None);
    assert_eq!(theme.nick(&name("Ada")), theme.nick(&name("aDA")));
    // These are for ever: the next version shows the same.
    assert_eq!(["ada", "grace", "łukasz", "linus"].map(|person| place(&name(person), 12)), [7, 7, 0, 0]);
}

#[test]
fn people_can_be_told_apart() {
    let theme = Theme::from_env(None);
    let shown: std::collections::HashSet<_> = (0..500).map(|n| theme.nick(&name(&format!("p{n}"))).fg).collect();
    assert_eq!(shown.len(), PEOPLE.len());
    for (index, one) in PEOPLE.iter().enumerate() {
        for other in &PEOPLE[index + 1..] {
            let difference = difference(lab(rgb(*one)), lab(rgb(*other)));
            assert!(difference > 10.0, "{one} and {other} look alike: {difference:.1}");
        }
    }
}

#[test]
fn people_whose_places_are_neighbours_can_be_told_apart_at_a_glance() {
    for (index, one) in PEOPLE.iter().enumerate() {
        for steps in [1, 2] {
            let other = PEOPLE[(index + steps) % PEOPLE.len()];
            let difference = difference(lab(rgb(*one)), lab(rgb(other)));
            assert!(difference > 25.0, "{one} and {other} look alike: {difference:.1}");
        }
    }
}

#[test]
fn differences_are_those_that_people_see() {
    let [red, orange, green] = [[255, 0, 0], [255, 40, 0], [0, 255, 0]].map(lab);
    assert!(difference(red, orange) < 5.0 && difference(red, green) > 50.0);
    assert!((difference(lab([0; 3]), lab([255; 3])) - 100.0).abs() < 0.1);
}

#[test]
fn without_colours_the_same_things_stand_out() {
    let theme = Theme::from_env(Some(OsStr::new("1")));
    for style in styles(&theme) {
        assert_eq!((style.fg, style.bg), (None, None));
    }
    let text = theme.text();
    for style in [theme.unread(), theme.unread_mention(), theme.mention(), theme.bad(), theme.warning(), theme.me()] {
        assert_ne!(style, text);
    }
    assert_ne!(theme.unread(), theme.unread_mention());
    assert_ne!(theme.bad(), theme.warning());
    assert_ne!(theme.me(), theme.nick(&name("ada")));
}

#[test]
fn only_a_value_asks_for_no_colours() {
    assert!(Theme::from_env(None).colours);
    assert!(Theme::from_env(Some(OsStr::new(""))).colours);
    assert!(!Theme::from_env(Some(OsStr::new("0"))).colours);
}

/// What a terminal is sent for every style of a theme, one in each row.
fn sent(theme: &Theme) -> String {
    // As the whole program does: crossterm would look at NO_COLOR itself, and send a reset that ends bold too.
    ratatui::crossterm::style::force_color_output(true);
    let styles = styles(theme);
    let mut buffer = Buffer::empty(Rect::new(0, 0, 1, styles.len() as u16));
    for (y, style) in styles.iter().enumerate() {
        buffer[(0, y as u16)].set_symbol("x").set_style(*style);
    }
    let mut bytes = Vec::new();
    let cells = buffer.content.iter().enumerate().map(|(y, cell)| (0, y as u16, cell));
    CrosstermBackend::new(&mut bytes).draw(cells).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// The numbers of each sequence that sets colours or attributes.
fn renditions(sent: &str) -> Vec<Vec<u16>> {
    let sequences = sent.split("\x1b[").filter_map(|rest| rest.split_once('m'));
    let numbers = sequences.filter(|(numbers, _)| numbers.chars().all(|c| c.is_ascii_digit() || c == ';'));
    numbers.map(|(numbers, _)| numbers.split(';').map(|number| number.parse().unwrap_or(0)).collect()).collect()
}

#[test]
fn without_colours_a_terminal_is_sent_none_and_bold_all_the_same() {
    let renditions = renditions(&sent(&Theme::from_env(Some(OsStr::new("1")))));
    // 39 and 49 take colours back, and are no colours.
    let colour = |n: &u16| matches!(n, 30..=38 | 40..=48 | 90..=97 | 100..=107);
    assert!(!renditions.iter().flatten().any(colour), "{renditions:?}");
    assert!(renditions.contains(&vec![1]), "{renditions:?}");
}

#[test]
fn with_colours_a_terminal_is_sent_those_of_the_theme() {
    let sent = sent(&Theme::from_env(None));
    assert!(sent.contains("38;5;243"), "{sent:?}");
}
