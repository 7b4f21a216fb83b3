use fernwire::channel::mode::KeyMode;
use fernwire::client::trust::Proof;
use fernwire::model::PublicIdentity;
use fernwire::transport::ProvenBy;
use ratatui::crossterm::event::KeyModifiers;
use ratatui::layout::Position;

use super::super::tests::{fits_every_size, paste, press, said, screen, types};
use super::*;

const GOOD: &str = "Correct-1";

fn facts(proof: Proof) -> Facts {
    Facts::told("tcp://example.org:3376", KeyMode::X25519, Some(PublicIdentity::from_bytes([7; 32])), proof)
}

fn empty(is_new: bool) -> AccountForm {
    AccountForm::new(facts(Proof::KnownHosts), None, None, is_new)
}

/// A form in which all is filled in, with the cursor in the last field.
fn filled(is_new: bool) -> AccountForm {
    let mut form = empty(is_new);
    types(&mut form, "ada");
    press(&mut form, KeyCode::Enter);
    types(&mut form, GOOD);
    if is_new {
        press(&mut form, KeyCode::Enter);
        types(&mut form, GOOD);
    }
    form
}

fn entry(is_new: bool) -> Entry {
    Entry { is_new, name: "ada".parse().unwrap(), password: Password::new(GOOD) }
}

fn refusal(code: ErrorCode, message: &str, retry_after: Option<u64>) -> LoginError {
    CallError::Request(RequestError { retry_after, ..RequestError::new(code, message) }).into()
}

#[track_caller]
fn assert_says(form: &AccountForm, text: &str) {
    assert!(said(form).contains(text), "{}", said(form));
}

#[test]
fn it_says_which_server_it_is_and_how_that_is_known() {
    let form = empty(false);
    assert_says(&form, "tcp://example.org:3376, key mode x25519");
    assert_says(&form, "Proven by known_hosts: it has the same identity as last time.");
    assert_says(&form, &PublicIdentity::from_bytes([7; 32]).to_string());
    let by_certificate = facts(Proof::Transport(ProvenBy::Certificate));
    let form = AccountForm::new(by_certificate, None, None, false);
    assert_says(&form, "Proven by its TLS certificate: an authority that you trust vouches for its name.");
}

#[test]
fn a_login_as_it_looks_on_a_usual_terminal() {
    let (text, drawn) = screen(&filled(false), (80, 24));
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let inside: Vec<_> = lines.iter().map(|line| line.trim_matches('│').trim_end()).collect();
    let identity = PublicIdentity::from_bytes([7; 32]);
    assert_eq!(inside[1], " tcp://example.org:3376, key mode x25519");
    assert_eq!(inside[2], " Proven by known_hosts: it has the same identity as last time.");
    assert_eq!(inside[3], format!(" {identity}"));
    assert_eq!(inside[5], "   [LOGIN]  SIGNUP   F2");
    assert_eq!(inside[6], format!("   Name      ada{}", "_".repeat(37)));
    assert_eq!(inside[7], format!(" › Password  •••••••••{}", "_".repeat(31)));
    assert_eq!(inside[9], " Enter logs in, F2 to SIGNUP, Esc leaves");
    let row = text.lines().position(|line| line.contains("•")).unwrap();
    let column = text.lines().nth(row).unwrap().chars().position(|c| c == '•').unwrap();
    assert_eq!(drawn.cursor, Some(Position::new(column as u16 + 9, row as u16)));
}

#[test]
fn the_field_with_the_cursor_is_seen_at_every_size() {
    for is_new in [false, true] {
        let mut form = filled(is_new);
        let long = "x".repeat(300);
        paste(&mut form, &long);
        form.is_refused(&refusal(ErrorCode::Internal, &long, None));
        for _ in 0..3 {
            fits_every_size(&form, form.focus != Focus::Tabs);
            press(&mut form, KeyCode::Up);
        }
        form.asks(is_new, true);
        fits_every_size(&form, false);
    }
}

#[test]
fn passwords_are_never_shown() {
    for size in [(80, 24), (30, 10), (200, 50)] {
        let (text, _) = screen(&filled(true), size);
        assert!(!text.contains("Corr") && text.contains("•••••••••"), "{text}");
    }
}

#[test]
fn the_rules_for_an_account_are_marked_as_they_are_kept_and_broken() {
    let mut form = empty(true);
    assert_says(&form, "· a name is made of letters, digits");
    assert_says(&form, "· a password has at least 8 characters");
    types(&mut form, "ad!");
    assert_says(&form, "✗ a name is made of letters, digits, `_`, `.`, `-` and `@`, and `!` is none of them");
    assert_says(&form, "✓ a name has at most 32 characters");
    press(&mut form, KeyCode::Backspace);
    press(&mut form, KeyCode::Down);
    types(&mut form, "correct");
    for rule in [
        "✓ a name is made of letters",
        "✗ a password has at least 8 characters",
        "✓ a password has at most 1024 bytes",
        "✗ a password has at least one digit",
        "✗ a password has at least one uppercase letter",
        "· both passwords are the same",
    ] {
        assert_says(&form, rule);
    }
    assert!(!said(&empty(false)).contains("at least"), "a login has no rules: {}", said(&empty(false)));
}

#[test]
fn every_rule_is_seen_on_a_usual_terminal() {
    let mut form = filled(true);
    form.is_refused(&refusal(
        ErrorCode::NameTaken,
        "the name ada has an owner; log in if it is you, or take another",
        None,
    ));
    let (text, _) = screen(&form, (80, 24));
    assert_eq!(text.matches('✓').count(), 7, "{text}");
    assert!(text.contains("Esc leaves"), "{text}");
}

/// What is on a small screen, as one line.
fn seen(form: &AccountForm, size: (u16, u16)) -> String {
    let (text, _) = screen(form, size);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn on_a_small_screen_broken_rules_come_first() {
    let mut form = filled(true);
    press(&mut form, KeyCode::Backspace);
    types(&mut form, "2");
    form.point(Target::Password);
    press(&mut form, KeyCode::Backspace);
    for size in [(40, 12), (60, 16)] {
        let seen = seen(&form, size);
        let at = |words: &str| seen.find(words).unwrap_or_else(|| panic!("no `{words}` on {seen}"));
        let broken = [at("✗ a password has at least one digit"), at("✗ both passwords are the same")];
        assert!(broken.iter().all(|at| seen.find('✓').is_none_or(|kept| *at < kept)), "{seen}");
        assert!(seen.contains("› Password"), "{seen}");
    }
    let (usual, _) = screen(&form, (80, 24));
    let marks: String = usual.chars().filter(|c| "✓✗".contains(*c)).collect();
    assert_eq!(marks, "✓✓✓✓✗✓✗", "where there is room, each keeps its place");
}

#[test]
fn on_a_small_screen_the_rules_make_way_for_what_went_wrong() {
    let why = "the name ada has an owner; log in if it is you, or take another";
    for size in [(40, 12), (60, 16)] {
        let mut form = filled(true);
        form.is_refused(&refusal(ErrorCode::NameTaken, why, None));
        for target in [Target::Name, Target::Password, Target::Again] {
            form.point(target);
            let seen = seen(&form, size);
            assert!(seen.contains(&format!("{why}. LOGIN (F2) is for whoever has it.")), "{seen}");
        }
    }
}

#[test]
fn what_was_said_goes_when_something_else_is_typed() {
    let mut form = empty(true);
    press(&mut form, KeyCode::Enter);
    assert_says(&form, "A name has at least one character.");
    form.has_paused();
    press(&mut form, KeyCode::Left);
    assert_says(&form, "A name has at least one character.");
    form.point(Target::Again);
    types(&mut form, "x");
    assert!(!said(&form).contains("A name has at least one"), "{}", said(&form));

    let throttled = refusal(ErrorCode::Throttled, "too many wrong passwords; try again in 30 s", Some(30));
    form.is_refused(&throttled);
    form.waits(29);
    types(&mut form, "x");
    assert_says(&form, "too many wrong passwords. You can try again in 29 s.");
    form.waits(0);
    types(&mut form, "x");
    assert!(!said(&form).contains("try again"), "{}", said(&form));
}

#[test]
fn enter_goes_on_to_the_next_field_and_in_the_last_submits() {
    for is_new in [false, true] {
        let mut form = filled(is_new);
        assert_eq!(press(&mut form, KeyCode::Enter), Step::Decided(entry(is_new)));
    }
}

#[test]
fn a_paste_with_a_line_end_submits_nothing() {
    let mut form = empty(false);
    paste(&mut form, "ada\n");
    press(&mut form, KeyCode::Tab);
    assert_eq!(paste(&mut form, &format!("{GOOD}\r\n")), Step::Changed);
    assert_eq!(press(&mut form, KeyCode::Enter), Step::Decided(entry(false)));
}

#[test]
fn what_the_command_line_says_is_filled_in() {
    let name: UserName = "ada".parse().unwrap();
    let mut form = AccountForm::new(facts(Proof::Pin), Some(&name), None, false);
    types(&mut form, GOOD);
    assert_eq!(press(&mut form, KeyCode::Enter), Step::Decided(entry(false)));
    let mut form = AccountForm::new(facts(Proof::Pin), None, Some(&Password::new(GOOD)), true);
    assert_says(&form, "[SIGNUP]");
    types(&mut form, "ada");
    for _ in 0..2 {
        press(&mut form, KeyCode::Enter);
    }
    assert_eq!(press(&mut form, KeyCode::Enter), Step::Decided(entry(true)));
}

#[test]
fn one_tab_is_turned_to_the_other_by_keys_and_clicks() {
    let ctrl_t = Input::Key(KeyEvent::new(KeyCode::Char('t'), KeyModifiers::CONTROL));
    let mut form = empty(false);
    press(&mut form, KeyCode::F(2));
    assert_says(&form, "[SIGNUP]");
    form.press(ctrl_t);
    assert_says(&form, "[LOGIN]");
    press(&mut form, KeyCode::Up);
    press(&mut form, KeyCode::Right);
    assert_says(&form, "› LOGIN [SIGNUP]");
    press(&mut form, KeyCode::Left);
    assert_says(&form, "› [LOGIN]");

    let (text, drawn) = screen(&form, (80, 24));
    let place = |word: &str| {
        let row = text.lines().position(|line| line.contains(word)).unwrap();
        let line = text.lines().nth(row).unwrap();
        let column = line[..line.find(word).unwrap()].chars().count();
        Position::new(column as u16, row as u16)
    };
    assert_eq!(drawn.target(place("SIGNUP")), Some(Target::Signup));
    assert_eq!(drawn.target(place("LOGIN")), Some(Target::Login));
    assert_eq!(drawn.target(place("Password")), Some(Target::Password));
    assert_eq!(drawn.target(place("known_hosts")), None);
    form.point(Target::Signup);
    form.point(Target::Again);
    assert_says(&form, "› Again");
    // The field that is no longer there is left.
    press(&mut form, KeyCode::F(2));
    assert_says(&form, "› Password");
}

#[test]
fn what_breaks_a_rule_is_not_sent() {
    let mut form = empty(true);
    form.point(Target::Again);
    press(&mut form, KeyCode::Enter);
    assert_says(&form, "A name has at least one character.");
    assert_says(&form, "› Name");
    form.has_paused();
    types(&mut form, "ada");
    form.point(Target::Again);
    press(&mut form, KeyCode::Enter);
    assert_says(&form, "The password is missing.");
    assert_says(&form, "› Password");
    types(&mut form, "Correct-");
    form.point(Target::Again);
    press(&mut form, KeyCode::Enter);
    assert_says(&form, "A password has at least one digit.");
    types(&mut form, "1");
    press(&mut form, KeyCode::Enter);
    types(&mut form, "Correct-2");
    assert_eq!(press(&mut form, KeyCode::Enter), Step::Changed);
    assert_says(&form, "These two differ");
    types(&mut form, GOOD);
    assert_eq!(press(&mut form, KeyCode::Enter), Step::Decided(entry(true)));
}

#[test]
fn enter_stays_where_the_name_is_none() {
    for is_new in [false, true] {
        let mut form = empty(is_new);
        types(&mut form, "ad!");
        assert_eq!(press(&mut form, KeyCode::Enter), Step::Changed);
        assert_says(&form, "A name is made of letters, digits, `_`, `.`, `-` and `@`, and `!` is none of them.");
        assert_says(&form, "› Name ad!");
        form.has_paused();
        press(&mut form, KeyCode::Backspace);
        press(&mut form, KeyCode::Enter);
        assert_says(&form, "› Password");
    }
}

#[test]
fn a_password_that_is_typed_without_looking_never_lands_in_the_name() {
    let mut unnamed = empty(true);
    press(&mut unnamed, KeyCode::Enter);
    let mut faulty = empty(true);
    types(&mut faulty, "a!");
    faulty.point(Target::Again);
    press(&mut faulty, KeyCode::Enter);
    let mut taken = filled(true);
    taken.is_refused(&refusal(ErrorCode::NameTaken, "the name ada has an owner", None));
    for mut form in [unnamed, faulty, taken] {
        let name = form.name.text().to_owned();
        assert_says(&form, "› Name");
        for c in "Secret-1".chars() {
            assert_eq!(press(&mut form, KeyCode::Char(c)), Step::Nothing);
        }
        assert_eq!(press(&mut form, KeyCode::Enter), Step::Nothing);
        assert_eq!(paste(&mut form, GOOD), Step::Nothing);
        assert_eq!(form.name.text(), name);
        form.has_paused();
        types(&mut form, "x");
        assert_eq!(form.name.text(), format!("{name}x"));
    }
}

#[test]
fn the_arrows_end_where_the_fields_do() {
    let mut form = filled(true);
    assert_eq!(press(&mut form, KeyCode::Down), Step::Nothing);
    assert_says(&form, "› Again");
    for _ in 0..9 {
        press(&mut form, KeyCode::Up);
    }
    assert_says(&form, "› LOGIN");
    press(&mut form, KeyCode::BackTab);
    assert_says(&form, "› Again");
}

#[test]
fn while_the_server_is_asked_only_leaving_is_heard() {
    let mut form = filled(false);
    form.asks(false, false);
    assert_says(&form, "Logging in …");
    assert_eq!(press(&mut form, KeyCode::Char('x')), Step::Nothing);
    assert_eq!(press(&mut form, KeyCode::Enter), Step::Nothing);
    assert_eq!(form.point(Target::Signup), Step::Nothing);
    assert_eq!(press(&mut form, KeyCode::Esc), Step::Leave);
    assert_eq!(form.press(Input::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL))), Step::Leave);
}

#[test]
fn a_wrong_password_is_typed_again() {
    let mut form = filled(false);
    form.asks(false, false);
    let wrong = refusal(ErrorCode::BadCredentials, "the name and the password do not belong together", None);
    assert_eq!(form.is_refused(&wrong), Duration::ZERO);
    assert_says(&form, "the name and the password do not belong together. If you have no account here yet, SIGNUP");
    assert_says(&form, "› Password ____");
    types(&mut form, GOOD);
    assert_eq!(press(&mut form, KeyCode::Enter), Step::Decided(entry(false)));
    press(&mut form, KeyCode::F(2));
    assert!(!said(&form).contains("do not belong"), "it is no answer to a signup: {}", said(&form));
}

#[test]
fn a_name_that_is_taken_can_be_changed() {
    let mut form = filled(true);
    form.asks(true, false);
    form.is_refused(&refusal(ErrorCode::NameTaken, "the name ada has an owner", None));
    assert_says(&form, "the name ada has an owner. LOGIN (F2) is for whoever has it.");
    form.has_paused();
    types(&mut form, "2");
    assert_says(&form, "› Name ada2");
    assert_says(&form, "•••••••••");
}

#[test]
fn whoever_must_wait_sees_for_how_long() {
    let mut form = filled(false);
    form.asks(false, false);
    let throttled = refusal(ErrorCode::Throttled, "too many wrong passwords; try again in 30 s", Some(30));
    assert_eq!(form.is_refused(&throttled), Duration::from_secs(30));
    form.waits(29);
    assert_says(&form, "too many wrong passwords. You can try again in 29 s.");
    assert_eq!(press(&mut form, KeyCode::Enter), Step::Nothing);
    form.waits(0);
    assert_says(&form, "You can try again now.");
    assert_eq!(press(&mut form, KeyCode::Enter), Step::Decided(entry(false)));
    let endless = refusal(ErrorCode::Throttled, "no", Some(u64::MAX));
    assert_eq!(form.is_refused(&endless), Duration::from_secs(3600));
}

#[test]
fn a_signup_whose_answer_was_lost_becomes_a_login() {
    let mut form = filled(true);
    form.asks(true, false);
    form.is_refused(&CallError::Unanswered.into());
    assert_says(&form, "[LOGIN]");
    assert_says(&form, "The connection was lost while the account was made (the server did not answer");
    assert_says(&form, "Whether it was made is not known");
    assert_eq!(press(&mut form, KeyCode::Enter), Step::Decided(entry(false)));
}

#[test]
fn what_a_server_says_is_harmless() {
    let mut form = filled(false);
    form.is_refused(&refusal(ErrorCode::Refused, "\u{1b}[2J\u{202e}no\nYou are in", None));
    let (text, _) = screen(&form, (80, 24));
    assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
}
