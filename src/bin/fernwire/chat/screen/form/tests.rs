use fernwire::model::PublicIdentity;
use fernwire::transport::endpoint::Endpoint;
use ratatui::layout::Position;

use super::calling::{Again, Calling};
use super::question::Question;
use super::*;
use crate::connect::Refusal;

/// Sizes of terminals, from the usual one to those that nobody has.
pub(super) const SIZES: [(u16, u16); 9] =
    [(80, 24), (40, 20), (30, 10), (200, 50), (20, 6), (10, 3), (3, 2), (1, 1), (60, 1)];

/// What is on a screen of this size, without blanks at the ends of lines, and where things are.
pub(super) fn screen(form: &impl Form, (width, height): (u16, u16)) -> (String, Drawn) {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    let drawn = draw(form, area, &Theme::from_env(None), &mut buffer);
    let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    ((0..height).map(line).collect::<Vec<_>>().join("\n"), drawn)
}

/// All that is said, as one line.
pub(super) fn said(form: &impl Form) -> String {
    let (text, _) = screen(form, (200, 50));
    text.replace(['│', '\n'], " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(super) fn press<F: Form>(form: &mut F, code: KeyCode) -> Step<F::Decision> {
    form.press(Input::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

pub(super) fn types(form: &mut impl Form, text: &str) {
    for c in text.chars() {
        assert!(matches!(press(form, KeyCode::Char(c)), Step::Changed), "{c:?}");
    }
}

pub(super) fn paste<F: Form>(form: &mut F, text: &str) -> Step<F::Decision> {
    form.press(Input::Paste(text.to_owned()))
}

/// Draws it at every size; where there is a cursor, it is on the screen.
#[track_caller]
pub(super) fn fits_every_size(form: &impl Form, has_cursor: bool) {
    for size in SIZES.into_iter().chain([(0, 0), (5, 0), (0, 5)]) {
        let (text, drawn) = screen(form, size);
        let is_seen = |at: Position| at.x < size.0 && at.y < size.1;
        let should_be_seen = has_cursor && size.0 > 0 && size.1 > 0;
        assert_eq!(drawn.cursor.is_some_and(is_seen), should_be_seen, "{size:?}: {:?}\n{text}", drawn.cursor);
    }
}

fn identity(byte: u8) -> PublicIdentity {
    PublicIdentity::from_bytes([byte; 32])
}

fn endpoint() -> Endpoint {
    "tcp://example.org:3376".parse().unwrap()
}

fn question() -> Question {
    Question::new(endpoint(), identity(7))
}

fn answer(text: &str) -> Step<Result<(), Refusal>> {
    let mut form = question();
    paste(&mut form, text);
    press(&mut form, KeyCode::Enter)
}

#[test]
fn a_server_that_does_not_answer_is_tried_again_when_a_person_says_so() {
    let mut form = Calling::new(&endpoint());
    assert!(said(&form).contains("Connecting to tcp://example.org:3376 …"), "{}", said(&form));
    assert_eq!(press(&mut form, KeyCode::Enter), Step::Nothing);

    form.fails("nothing is listening at tcp://example.org:3376".to_owned());
    assert!(said(&form).contains("Not connected: nothing is listening at tcp://example.org:3376"), "{}", said(&form));
    assert!(said(&form).contains("Enter tries again, Esc leaves"), "{}", said(&form));
    form.waits(7);
    assert!(said(&form).contains("Trying again in 7 s."), "{}", said(&form));
    assert_eq!(press(&mut form, KeyCode::Enter), Step::Decided(Again));

    form.tries();
    assert!(said(&form).contains("Connecting to tcp://example.org:3376 again …"), "{}", said(&form));
    assert_eq!(press(&mut form, KeyCode::Esc), Step::Leave);
    fits_every_size(&form, false);
}

#[test]
fn what_failed_is_shown_whatever_it_is_made_of() {
    let mut form = Calling::new(&endpoint());
    form.fails(format!("\u{1b}[2J\u{202e}{}", "long ".repeat(200)));
    for size in SIZES {
        let (text, _) = screen(&form, size);
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
    }
}

#[test]
fn the_question_shows_the_whole_identity_and_what_to_compare_it_with() {
    let (text, _) = screen(&question(), (80, 24));
    assert!(text.contains(&identity(7).to_string()), "{text}");
    assert!(said(&question()).contains("with what fernwire id prints on the server"), "{}", said(&question()));
    let (narrow, _) = screen(&question(), (30, 30));
    let together: String = narrow.split_whitespace().collect();
    assert!(together.contains(&identity(7).to_string()), "{narrow}");
    fits_every_size(&question(), true);
}

#[test]
fn the_question_is_answered_as_it_is_without_a_screen() {
    assert_eq!(answer("yes"), Step::Decided(Ok(())));
    assert_eq!(answer(&format!(" {}\n", identity(7))), Step::Decided(Ok(())));
    assert_eq!(answer("no"), Step::Decided(Err(Refusal::No(endpoint()))));
    assert_eq!(answer(&identity(8).to_string()), Step::Decided(Err(Refusal::AnotherIdentity(endpoint()))));
    let secret = format!("{}=", "A".repeat(43));
    assert_eq!(answer(&secret), Step::Decided(Err(Refusal::Secret)));
}

#[test]
fn an_answer_that_is_none_is_asked_for_again() {
    let mut form = question();
    assert_eq!(press(&mut form, KeyCode::Enter), Step::Nothing);
    types(&mut form, "maybe");
    assert_eq!(press(&mut form, KeyCode::Enter), Step::Changed);
    assert!(said(&form).contains("neither yes, no nor an identity"), "{}", said(&form));
    types(&mut form, "y");
    assert!(!said(&form).contains("neither"), "{}", said(&form));
    assert_eq!(press(&mut form, KeyCode::Enter), Step::Decided(Ok(())));
}

#[test]
fn a_secret_that_was_pasted_is_not_shown() {
    let mut form = question();
    let secret = format!("{}=", "Z".repeat(43));
    paste(&mut form, &secret);
    assert!(!said(&form).contains("ZZ"), "{}", said(&form));
    assert!(said(&form).contains("•••"), "{}", said(&form));
}

#[test]
fn escape_and_ctrl_c_leave() {
    assert_eq!(press(&mut question(), KeyCode::Esc), Step::Leave);
    let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(question().press(Input::Key(ctrl_c)), Step::Leave);
}
