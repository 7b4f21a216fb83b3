//! The terminal is given back as it was, however the program ends or stops.

use crate::program::{FERNWIRE, Sandbox};
use crate::scene::{Scene, USUAL, home};
use crate::terminal::{ENTER, Terminal, ctrl, text_of};

#[test]
fn ctrl_c_asks_and_y_leaves() {
    let scene = Scene::new();
    let mut ada = scene.enters("ada");
    ada.types("half a sentence");
    ada.types(&ctrl('c'));
    ada.sees("Leave? What you were writing is lost. (y or n)");
    ada.types("n");
    ada.sees_no_more("Leave?");
    ada.types(", whole");
    ada.sees("> half a sentence, whole");
    ada.types(&ctrl('c'));
    ada.sees("Leave?");
    ada.types("y");
    assert_eq!(ada.terminal.ends(), (String::new(), Some(0)));
}

#[test]
fn a_signal_ends_it_in_the_chat_and_at_the_door() {
    let scene = Scene::new();
    for signal in ["TERM", "HUP", "INT"] {
        let name = format!("ada-{}", signal.to_lowercase());
        let mut ada = scene.enters(&name);
        ada.enters("last words");
        // The key was heard; what was said may be on its way or sent.
        ada.sees(&format!("{name}: last words"));
        ada.signal(signal);
        assert_eq!(ada.terminal.ends(), (String::new(), Some(0)), "SIG{signal}");
        let newcomer = Sandbox::new();
        let terminal = Terminal::open(&newcomer, &[FERNWIRE, "chat", scene.url()], &[], USUAL);
        terminal.sees("Trust it and remember it?");
        terminal.signal(signal);
        assert_eq!(terminal.ends(), (String::new(), Some(0)), "SIG{signal}");
    }
    let all = scene.hears("eve", "");
    assert_eq!(all.stdout.matches("last words").count(), 3, "{all:?}");
}

#[test]
fn a_terminal_that_is_closed_ends_it() {
    let scene = Scene::new();
    let mut ada = scene.enters("ada");
    ada.enters("last words");
    ada.sees("ada: last words ✓");
    assert_eq!(ada.terminal.closes(), Some(0));
    let newcomer = Sandbox::new();
    let terminal = Terminal::open(&newcomer, &[FERNWIRE, "chat", scene.url()], &[], USUAL);
    terminal.sees("Trust it and remember it?");
    assert_eq!(terminal.closes(), Some(0));
}

#[test]
fn ctrl_z_stops_it_in_a_shell_and_fg_comes_back() {
    let scene = Scene::new();
    let home = home();
    home.write(".inputrc", 0o600, "set enable-bracketed-paste off\n");
    let shell = ["bash", "--noprofile", "--norc", "-i"];
    let mut ada = Terminal::open(&home, &shell, &[("PS1", "shell> ")], USUAL);
    ada.sees("shell>");
    let chat = format!("{FERNWIRE} chat {} --user ada --password-file password --signup", scene.pinned_url());
    ada.enters(&chat);
    ada.sees("● connected");
    ada.types("half a sen");
    ada.sees("> half a sen");
    for round in 1..=2 {
        ada.types(&ctrl('z'));
        ada.sees_that("the shell", |screen| {
            let text = text_of(screen);
            text.matches("Stopped").count() == round && text.ends_with("shell>")
        });
        ada.has_its_screen_back();
        // The shell runs what is typed, and shows it.
        ada.enters("echo $((40 + 2))");
        ada.sees("\n42\n");
        let start = ada.written();
        ada.enters("fg");
        ada.sees("> half a sen");
        ada.is_sent(b"\x1b[?1049h", start);
        ada.is_as_if_drawn_at_once();
    }
    ada.types("tence");
    ada.types(ENTER);
    ada.sees("ada: half a sentence ✓");
    ada.types(&ctrl('c'));
    ada.sees("Leave?");
    ada.types("y");
    ada.sees_that("the shell", |screen| text_of(screen).ends_with("\nshell>"));
    ada.enters("echo code $?");
    ada.sees("\ncode 0\n");
    ada.enters("exit");
    assert_eq!(ada.ends().1, Some(0));
}

#[test]
fn where_nobody_could_let_it_go_on_ctrl_z_stops_nothing() {
    let scene = Scene::new();
    let mut ada = scene.enters("ada");
    ada.types(&ctrl('z'));
    ada.sees("nobody is there who could let it go on");
    ada.enters("still here");
    ada.sees("ada: still here ✓");
}
