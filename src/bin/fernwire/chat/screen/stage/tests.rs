//! Plays on a real terminal: the program takes it, something happens, and the terminal must be as it was.

use std::fs::File;
use std::process::Command;
use std::time::Duration;

use rexpect::process::{Signal, WaitStatus};
use rexpect::reader::Options;
use rexpect::session::{PtySession, spawn_with_options};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use super::held::{GIVE_BACK, TAKE};

mod actor;

use actor::{PLAY, SHORT};

const PATIENCE: Duration = Duration::from_secs(60);

/// The terminal of a play, seen from the other side.
struct House {
    session: PtySession,
    terminal: File,
    before: String,
}

impl House {
    /// Opens a terminal and has this run on it.
    fn open(command: Command) -> Self {
        Self::open_for(command, "1")
    }

    fn open_for(mut command: Command, play: &str) -> Self {
        command.env("TERM", "xterm").env(PLAY, play);
        let options = Options::new().timeout_ms(Some(PATIENCE.as_millis() as u64));
        let session = spawn_with_options(command, options).unwrap();
        let terminal = session.process().get_file_handle().unwrap();
        // What rexpect has changed once the program runs.
        let mut before = tcgetattr(&terminal).unwrap();
        before.local_modes -= LocalModes::ECHO;
        let house = Self { session, before: format!("{before:?}"), terminal };
        house.resize(80, 24);
        house
    }

    fn resize(&self, columns: u16, rows: u16) {
        let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.terminal, size).unwrap();
    }

    /// Waits for this; the result is what came before it.
    #[track_caller]
    fn sees(&mut self, text: &str) -> String {
        self.session.exp_string(text).unwrap()
    }

    fn types(&mut self, keys: &str) {
        self.session.send(keys).unwrap();
        self.session.flush().unwrap();
    }

    fn signals(&mut self, signal: Signal) {
        self.session.process_mut().signal(signal).unwrap();
    }

    /// Waits for the end; the result is what was still written, and the exit code.
    #[track_caller]
    fn ends(mut self) -> (String, i32) {
        let rest = self.session.exp_eof().unwrap();
        assert_eq!(modes(&self.terminal), self.before, "the modes are not what they were");
        match self.session.process().wait().unwrap() {
            WaitStatus::Exited(_, code) => (rest, code),
            other => panic!("it did not exit: {other:?}"),
        }
    }
}

fn modes(terminal: &File) -> String {
    format!("{:?}", tcgetattr(terminal).unwrap())
}

fn actor_command() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "--nocapture", "chat::screen::stage::tests::actor::actor"]);
    command
}

/// A play that has begun.
fn play_on() -> House {
    begun(House::open(actor_command()))
}

fn begun(mut house: House) -> House {
    house.sees(text(TAKE));
    house.types("a");
    house.sees("<Char('a'):80x24>");
    house
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Everything was given back, once, and what came after it.
#[track_caller]
fn after_the_curtain(written: &str) -> &str {
    let (_, after) = written.split_once(text(GIVE_BACK)).unwrap_or_else(|| panic!("not given back: {written:?}"));
    assert!(!after.contains("\x1b[?"), "something is still done to the terminal: {after:?}");
    after
}

#[test]
fn who_leaves_leaves_the_terminal_as_it_was() {
    let mut house = play_on();
    house.types("q");
    let (rest, code) = house.ends();
    assert_eq!((after_the_curtain(&rest), code), ("[left]\r\n", 0));
}

#[test]
fn a_panic_can_be_read_on_the_terminal_that_was_there_before() {
    let mut house = play_on();
    house.types("p");
    let (rest, code) = house.ends();
    assert!(after_the_curtain(&rest).contains("the scenery fell\r\n"), "{rest:?}");
    assert_eq!(rest.matches("the scenery fell").count(), 1, "{rest:?}");
    assert_eq!(code, 101);
}

#[test]
fn a_panic_in_another_thread_ends_the_play_too() {
    let mut house = play_on();
    house.types("t");
    let (rest, code) = house.ends();
    let after = after_the_curtain(&rest);
    assert!(after.contains("the scenery fell elsewhere\r\n"), "{rest:?}");
    assert!(after.ends_with("[left]\r\n"), "{rest:?}");
    assert_eq!(code, 0);
}

#[test]
fn a_signal_gives_the_terminal_back() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT] {
        let mut house = play_on();
        house.signals(signal);
        let (rest, code) = house.ends();
        assert_eq!((after_the_curtain(&rest), code), ("[left]\r\n", 0), "{signal}");
    }
}

#[test]
fn the_second_signal_ends_what_hangs() {
    let mut house = play_on();
    house.types("h");
    house.sees("<hanging:80x24>");
    // Of two kinds, since two of one may arrive as one.
    house.signals(Signal::SIGTERM);
    house.signals(Signal::SIGINT);
    let (rest, code) = house.ends();
    assert_eq!((after_the_curtain(&rest), code), ("", 2));
}

#[test]
fn a_second_hang_up_is_no_second_signal() {
    let mut house = play_on();
    house.types("d");
    house.sees("<deaf:80x24>");
    for _ in 0..3 {
        house.signals(Signal::SIGHUP);
        house.sees("<deaf:80x24>");
    }
    house.types("b");
    house.sees("<Char('b'):80x24>");
    house.signals(Signal::SIGTERM);
    assert_eq!(house.ends().1, 2);
}

#[test]
fn a_terminal_that_takes_no_bytes_gets_its_modes_back_all_the_same() {
    let mut house = play_on();
    house.types("x");
    house.sees("<stuck:80x24>");
    house.signals(Signal::SIGTERM);
    house.signals(Signal::SIGINT);
    assert_eq!(house.ends().1, 2);
}

#[test]
fn one_signal_is_enough_where_the_terminal_takes_no_bytes() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP] {
        let mut house = begun(House::open_for(actor_command(), SHORT));
        house.types("x");
        house.sees("<stuck:80x24>");
        house.signals(signal);
        assert_eq!(house.ends().1, 2);
    }
}

#[test]
fn a_signal_amid_a_storm_of_sizes_gives_the_terminal_back() {
    let mut house = play_on();
    for step in 0..300 {
        house.resize(20 + step % 90, 5 + step % 40);
        if step == 200 {
            house.signals(Signal::SIGTERM);
        }
    }
    let (rest, code) = house.ends();
    assert_eq!((after_the_curtain(&rest), code), ("[left]\r\n", 0));
}

#[test]
fn the_size_that_the_terminal_has_now_is_drawn() {
    let mut house = play_on();
    house.resize(40, 10);
    house.sees("<Resized:40x10>");
    house.types("q");
    assert_eq!(house.ends().1, 0);
}

#[test]
fn what_a_person_does_arrives() {
    let mut house = play_on();
    for (keys, input) in [
        ("\x1b[200~two\rlines\x1b[201~", r#"Paste("two\rlines")"#),
        ("\x1b[<64;3;4M", "Wheel(-1,Position{x:2,y:3})"),
        ("\x1b[<65;3;4M", "Wheel(1,Position{x:2,y:3})"),
        ("\x1b[<0;3;4M\x1b[<0;3;4m", "Click(Position{x:2,y:3})"),
        ("\x1b[A", "Up"),
        ("\r", "Enter"),
        // Ctrl-J, which is no Enter.
        ("\n", "Char('j')"),
        // Pastes that are not marked as such; one of them is longer than what is read at once.
        ("two\rlines\r", r#"Paste("two\rlines\r")"#),
        (&format!("{}\rb\r", "a".repeat(3000)), "a-paste-of-3003"),
    ] {
        house.types(keys);
        house.sees(&format!("<{input}:80x24>"));
    }
    house.types("q");
    let (rest, code) = house.ends();
    assert_eq!((after_the_curtain(&rest), code), ("[left]\r\n", 0));
}

#[test]
fn of_the_mouse_motion_is_not_listened_to() {
    for mode in ["?1002", "?1003"] {
        assert!(!text(TAKE).contains(mode) && !text(GIVE_BACK).contains(mode));
    }
    let mut house = House::open(actor_command());
    house.types("abq");
    let (written, _) = house.ends();
    assert!(written.contains("\x1b[?1000h") && !written.contains("?1002") && !written.contains("?1003"), "{written:?}");
}

#[test]
fn a_picture_that_stays_is_not_written_again() {
    let mut house = play_on();
    house.types("n");
    house.sees("\x07");
    assert_eq!(house.sees("\x07"), "");
    house.types("q");
    assert_eq!(house.ends().1, 0);
}

#[test]
fn a_frame_is_shown_at_once() {
    let mut house = play_on();
    house.types("b");
    house.sees("\x1b[?2026h");
    assert!(house.sees("\x1b[?2026l").contains("<Char('b'):80x24>"));
    house.types("q");
    assert_eq!(house.ends().1, 0);
}

#[test]
fn where_nobody_could_wake_it_the_program_does_not_stop() {
    let mut house = play_on();
    house.types("s");
    house.sees("<nobody-there:80x24>");
    house.types("q");
    let (rest, code) = house.ends();
    assert_eq!((after_the_curtain(&rest), code), ("[left]\r\n", 0));
}

#[test]
fn what_stopped_it_from_outside_loses_nothing() {
    let mut house = play_on();
    house.signals(Signal::SIGSTOP);
    house.resize(50, 12);
    house.signals(Signal::SIGCONT);
    house.sees(text(TAKE));
    house.sees(":50x12>");
    house.types("q");
    let (rest, code) = house.ends();
    assert_eq!((after_the_curtain(&rest), code), ("[left]\r\n", 0));
}

/// A shell with job control, and the play in its foreground.
fn play_in_shell() -> House {
    let mut shell = Command::new("sh");
    shell.arg("-i").env("PS1", "shell> ").env_remove("ENV");
    let mut house = House::open(shell);
    house.sees("shell> ");
    house.types("stty echo\n");
    house.sees("shell> ");
    house.before = modes(&house.terminal);
    let command = actor_command();
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words.map(|word| format!("'{}'", word.to_str().unwrap())).collect::<Vec<_>>().join(" ");
    house.types(&format!("{line}\n"));
    house.sees(text(TAKE));
    house.types("a");
    house.sees("<Char('a'):80x24>");
    house
}

/// The shell sees nothing of the play.
#[track_caller]
fn is_the_shells(house: &mut House) {
    let rest = house.sees("Stopped");
    after_the_curtain(&rest);
    house.sees("shell> ");
    house.types("stty -a\n");
    let modes = house.sees("shell> ");
    let modes: Vec<_> = modes.split_ascii_whitespace().collect();
    assert!(["icanon", "echo", "isig", "opost"].iter().all(|mode| modes.contains(mode)), "{modes:?}");
}

#[test]
fn suspended_and_resumed_it_goes_on() {
    let mut house = play_in_shell();
    for _ in 0..2 {
        house.types("s");
        is_the_shells(&mut house);
        house.types("fg\n");
        house.sees(text(TAKE));
        house.sees("<continued:80x24>");
    }
    house.types("q");
    after_the_curtain(&house.sees("[left]\r\nshell> "));
    house.types("exit\n");
    let (_, code) = house.ends();
    assert_eq!(code, 0);
}

#[test]
fn a_program_that_wants_it_to_stop_stops_it() {
    let mut house = play_in_shell();
    let group = rustix::termios::tcgetpgrp(&house.terminal).unwrap();
    rustix::process::kill_process_group(group, rustix::process::Signal::TSTP).unwrap();
    is_the_shells(&mut house);
    house.types("fg\n");
    house.sees(text(TAKE));
    house.sees("<continued:80x24>");
    house.types("q");
    after_the_curtain(&house.sees("[left]\r\nshell> "));
    house.types("exit\n");
    assert_eq!(house.ends().1, 0);
}

#[test]
fn ended_while_it_is_stopped_it_leaves_the_shell_alone() {
    let mut house = play_in_shell();
    house.types("s");
    is_the_shells(&mut house);
    // Some shells send the second themselves.
    house.types("kill %1; kill -CONT %1\n");
    let rest = house.sees("[left]");
    assert!(!rest.contains(text(TAKE)), "{rest:?}");
    // Whether the shell still knows of the job is a matter of moments.
    house.types("wait; exit 0\n");
    assert_eq!(house.ends().1, 0);
}

#[test]
fn a_terminal_that_is_gone_ends_the_play() {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    let terminal = File::options().read(true).write(true).open(name).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut command = actor_command();
    // No session of its own, so no SIGHUP comes to help.
    command.env(PLAY, "1").stdin(terminal.try_clone().unwrap()).stdout(terminal).stderr(File::create(&log).unwrap());
    let mut actor = command.spawn().unwrap();
    drop(command);
    let mut ours = File::from(ours);
    let mut seen = Vec::new();
    while !seen.ends_with(b"\x1b[?2026l") {
        let mut bytes = [0; 1];
        std::io::Read::read_exact(&mut ours, &mut bytes).unwrap();
        seen.extend(bytes);
    }
    drop(ours);
    assert!(actor.wait().unwrap().success());
    assert_eq!(std::fs::read_to_string(log).unwrap(), "[left]\n");
}
