//! The forms before a full-screen chat, on a real terminal: the question about trust, logging in and signing up.

#![allow(missing_docs, clippy::unwrap_used)]

mod program;

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use program::{PATIENCE, RunningServer, Sandbox, unused_port};
use rexpect::process::{PtyProcess, WaitStatus};

const PASSWORD: &str = "Correct-1";
const ESCAPE: &str = "\x1b";
const F2: &str = "\x1bOQ";

/// A terminal of the usual size, and the chat on it.
struct Terminal {
    process: PtyProcess,
    keys: File,
    cells: Arc<Cells>,
    _home: Sandbox,
}

struct Cells {
    parser: Mutex<vt100::Parser>,
    changed: Condvar,
}

impl Terminal {
    fn open(sandbox: &Sandbox, args: &[&str]) -> Self {
        let mut command = sandbox.fernwire(&["chat"]);
        command.args(args).env("TERM", "xterm-256color");
        let process = PtyProcess::new(command).unwrap();
        let parser = vt100::Parser::new(NonZero::new(24).unwrap(), NonZero::new(80).unwrap(), 0);
        let cells = Arc::new(Cells { parser: Mutex::new(parser), changed: Condvar::new() });
        let (mut output, keys) = (process.get_file_handle().unwrap(), process.get_file_handle().unwrap());
        let drawn = cells.clone();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            // A terminal whose last program has ended is an error on Linux.
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                drawn.parser.lock().unwrap().process(&bytes[..count]);
                drawn.changed.notify_all();
            }
        });
        Self { process, keys, cells, _home: sandbox.clone() }
    }

    /// Waits until this is on the screen; the result is all that is.
    #[track_caller]
    fn sees(&self, text: &str) -> String {
        self.comes_to(text, |screen| screen.contents().contains(text))
    }

    #[track_caller]
    fn comes_to(&self, what: &str, is_so: impl Fn(&vt100::Screen) -> bool) -> String {
        let parser = self.cells.parser.lock().unwrap();
        let (parser, wait) =
            self.cells.changed.wait_timeout_while(parser, PATIENCE, |parser| !is_so(parser.screen())).unwrap();
        let contents = parser.screen().contents();
        assert!(!wait.timed_out(), "no `{what}` on\n{contents}");
        contents
    }

    fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for the end; the result is the exit code, and what is left on the screen.
    #[track_caller]
    fn ends(self, last_words: &str) -> (i32, String) {
        let left = self.comes_to(last_words, |screen| {
            let contents = screen.contents().replace('\n', "");
            !screen.alternate_screen() && contents.contains(last_words)
        });
        match self.process.wait().unwrap() {
            WaitStatus::Exited(_, code) => (code, left),
            other => panic!("it did not exit: {other:?}"),
        }
    }
}

/// A server with an account of Ada's, and the sandbox of its owner.
fn server_of_ada(url: &str) -> (Sandbox, RunningServer) {
    let owner = Sandbox::new();
    let server = owner.serve_at(url, &[]);
    let file = owner.write("password", 0o600, PASSWORD).display().to_string();
    let account = ["--user", "ada", "--signup", "--password-file", &file];
    let made = owner.run_with_input(&[&["chat", "--plain", &server.pinned_url()], &account[..]].concat(), "");
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    (owner, server)
}

#[test]
fn whoever_is_new_confirms_the_server_and_signs_up() {
    let server = Sandbox::new().serve(&[]);
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::open(&sandbox, &[server.url()]);
    let asked = terminal.sees("Esc leaves");
    assert!(asked.contains(server.identity()), "{asked}");
    terminal.types("maybe\r");
    terminal.sees("neither yes, no nor an identity");
    assert_eq!(sandbox.known_hosts(), "");
    terminal.types("yes\r");
    terminal.sees("[LOGIN]");
    assert_eq!(sandbox.known_hosts(), format!("{} {} confirmed\n", server.url(), server.identity()));

    terminal.types(F2);
    terminal.sees("· a password has at least 8 characters");
    terminal.types("ada\r");
    terminal.types("correct");
    terminal.sees("✗ a password has at least 8 characters");
    terminal.types(&format!("\x15{PASSWORD}\r"));
    terminal.sees("✓ a password has at least 8 characters");
    terminal.types(&format!("{PASSWORD}\r"));
    terminal.comes_to("the chat", |screen| {
        let contents = screen.contents();
        contents.contains("#lobby") && !contents.contains("SIGNUP")
    });
}

#[test]
fn whoever_says_no_is_told_so_on_the_screen_that_stays() {
    let server = Sandbox::new().serve(&[]);
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::open(&sandbox, &[server.url()]);
    terminal.sees("Esc leaves");
    terminal.types("no\r");
    let (code, left) = terminal.ends("is not trusted; nothing was sent to it");
    assert_eq!(code, 2);
    assert!(!left.contains("Esc leaves"), "{left}");
    assert_eq!(sandbox.known_hosts(), "");
}

#[test]
fn escape_leaves_and_nothing_failed() {
    let server = Sandbox::new().serve(&[]);
    let mut terminal = Terminal::open(&Sandbox::new(), &[&server.pinned_url()]);
    terminal.sees("[LOGIN]");
    terminal.types(ESCAPE);
    assert_eq!(terminal.ends("").0, 0);
}

#[test]
fn a_server_that_is_not_there_yet_is_waited_for() {
    let url = format!("tcp://127.0.0.1:{}", unused_port());
    let terminal = Terminal::open(&Sandbox::new(), &[&url]);
    terminal.sees("Not connected: nothing is listening at");
    let server = Sandbox::new().serve_at(&url, &[]);
    terminal.sees(server.identity());
}

#[test]
fn a_wrong_password_is_typed_again_also_over_another_connection() {
    let url = format!("tcp://127.0.0.1:{}", unused_port());
    let (owner, server) = server_of_ada(&url);
    let mut terminal = Terminal::open(&Sandbox::new(), &[&server.pinned_url(), "--user", "ada"]);
    terminal.sees("[LOGIN]");
    terminal.types("wrong\r");
    let told = terminal.sees("do not belong");
    assert!(told.contains("› Password  ____") && told.contains("SIGNUP"), "{told}");
    server.stop();
    terminal.types(&format!("{PASSWORD}\r"));
    terminal.sees("Not connected: nothing is listening at");
    let _server = owner.serve_at(&url, &[]);
    terminal.sees("#lobby");
}

#[test]
fn with_name_and_password_given_nothing_is_asked() {
    let (owner, server) = server_of_ada("tcp://127.0.0.1:0");
    let url = server.pinned_url();
    let file = |name| owner.path(name).display().to_string();
    let terminal = Terminal::open(&owner, &[&url, "--user", "ada", "--password-file", &file("password")]);
    terminal.sees("#lobby");
    owner.write("wrong", 0o600, "Wrong-1");
    let terminal = Terminal::open(&owner, &[&url, "--user", "ada", "--password-file", &file("wrong")]);
    assert_eq!(terminal.ends("do not belong together; a new account is made with --signup").0, 2);
}
