//! The way in: a server that nobody knows yet or that is away, a new account, and a password that is wrong at first.

use crate::program::{FERNWIRE, Sandbox};
use crate::scene::{PASSWORD, Scene, USUAL, home};
use crate::terminal::{ENTER, ESC, F2, TAB, Terminal, ctrl, text_of};

/// Somebody who comes with these arguments.
fn comes(home: &Sandbox, args: &[&str]) -> Terminal {
    Terminal::open(home, &[&[FERNWIRE, "chat"], args].concat(), &[], USUAL)
}

#[test]
fn the_first_run_asks_about_the_server_and_makes_an_account() {
    let (scene, home) = (Scene::new(), Sandbox::new());
    let mut ada = comes(&home, &[scene.url()]);
    let question = ada.sees("Trust it and remember it?");
    assert!(question.contains(scene.identity()), "{question}");
    ada.enters("perhaps");
    ada.sees("That was neither yes, no nor an identity.");
    assert_eq!(home.known_hosts(), "");
    ada.enters("yes");
    ada.sees("[LOGIN]");
    assert_eq!(home.known_hosts(), format!("{} {} confirmed\n", scene.url(), scene.identity()));
    ada.sees("Proven by its identity, which you have just confirmed.");
    ada.types(F2);
    ada.sees("[SIGNUP]");
    ada.sees("· a name is made of");
    ada.types("a da");
    ada.sees("✗ a name is made of");
    ada.types(&ctrl('u'));
    ada.types("ada");
    ada.sees("✓ a name is made of");
    ada.types(TAB);
    ada.types("correct-");
    ada.sees_that("broken rules", |screen| text_of(screen).matches("✗ ").count() == 2);
    ada.types(&ctrl('u'));
    ada.types(PASSWORD);
    ada.sees_no_more("✗ ");
    ada.types(TAB);
    ada.types("another");
    ada.sees("✗ both passwords are the same");
    ada.types(ENTER);
    ada.sees("These two differ");
    ada.types(PASSWORD);
    ada.sees("✓ both passwords are the same");
    ada.types(ENTER);
    ada.sees(">1 #lobby");
    let secret = PASSWORD.as_bytes();
    assert!(!ada.written_since(0).windows(secret.len()).any(|part| part == secret), "the password was shown");
    ada.enters("here I am");
    ada.sees("ada: here I am ✓");
}

#[test]
fn the_right_identity_pasted_is_as_good_as_yes() {
    let (scene, home) = (Scene::new(), Sandbox::new());
    let mut ada = comes(&home, &[scene.url()]);
    ada.sees("Trust it and remember it?");
    ada.pastes(scene.identity());
    ada.types(ENTER);
    ada.sees("[LOGIN]");
}

#[test]
fn whoever_leaves_at_the_door_was_never_there() {
    let scene = Scene::new();
    for (answer, code, told) in [(ESC, 0, ""), ("no\r", 2, "fernwire: the server at ")] {
        let home = Sandbox::new();
        let mut ada = comes(&home, &[scene.url()]);
        ada.sees("Trust it and remember it?");
        ada.types(answer);
        let (said, ended) = ada.ends();
        assert_eq!(ended, Some(code), "{said}");
        assert!(said.starts_with(told) && said.is_empty() == told.is_empty(), "{said}");
        assert_eq!(home.known_hosts(), "");
    }
}

#[test]
fn a_wrong_password_is_told_and_the_right_one_lets_in_over_another_connection_too() {
    let (mut scene, home) = (Scene::new(), Sandbox::new());
    scene.hears("ada", "");
    let mut ada = comes(&home, &[scene.pinned_url(), "--user", "ada"]);
    ada.sees("[LOGIN]");
    ada.enters("Wrong-2-horse");
    let told = ada.sees("The server refused");
    assert!(told.contains("› Password  ____") && told.contains("SIGNUP (F2)"), "{told}");
    scene.stops();
    ada.enters(PASSWORD);
    ada.sees("Not connected");
    scene.comes_back();
    ada.sees(">1 #lobby");
}

#[test]
fn whoever_types_on_behind_a_name_that_is_none_shows_no_password() {
    let scene = Scene::new();
    let mut ada = comes(&Sandbox::new(), &[scene.pinned_url()]);
    ada.sees("[LOGIN]");
    ada.types(&format!("ada!{ENTER}{PASSWORD}{ENTER}{F2}"));
    let form = ada.sees("[SIGNUP]");
    assert!(form.contains("› Name      ada!____"), "{form}");
}

#[test]
fn a_server_that_is_not_there_yet_is_waited_for() {
    let (mut scene, home) = (Scene::new(), Sandbox::new());
    scene.stops();
    let ada = comes(&home, &[scene.url()]);
    ada.sees("Not connected: nothing is listening at");
    scene.comes_back();
    ada.sees(scene.identity());
}

#[test]
fn with_name_and_password_given_nothing_is_asked() {
    let (scene, home) = (Scene::new(), home());
    scene.hears("ada", "");
    home.write("wrong", 0o600, "Wrong-1");
    let ada = comes(&home, &[scene.pinned_url(), "--user", "ada", "--password-file", "password"]);
    ada.sees(">1 #lobby");
    let ada = comes(&home, &[scene.pinned_url(), "--user", "ada", "--password-file", "wrong"]);
    let (told, code) = ada.ends();
    assert_eq!(code, Some(2), "{told}");
    assert!(told.replace('\n', " ").contains("do not belong together; a new account is made with --signup"), "{told}");
}
