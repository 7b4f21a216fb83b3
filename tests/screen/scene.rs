//! A server, and people who chat on it, each on a terminal and with a home of their own.

use std::ops::{Deref, DerefMut};

use crate::program::{FERNWIRE, Outcome, RunningServer, Sandbox, unused_port};
use crate::terminal::Terminal;

pub(crate) const PASSWORD: &str = "Correct-1-horse";
/// What most terminals begin with.
pub(crate) const USUAL: (u16, u16) = (80, 24);

/// A server that can be stopped, and comes back at the same place.
pub(crate) struct Scene {
    home: Sandbox,
    url: String,
    pinned_url: String,
    server: Option<RunningServer>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let home = Sandbox::new();
        let server = home.serve_at(&format!("tcp://127.0.0.1:{}", unused_port()), &[]);
        Self { home, url: server.url().to_owned(), pinned_url: server.pinned_url(), server: Some(server) }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn pinned_url(&self) -> &str {
        &self.pinned_url
    }

    pub(crate) fn identity(&self) -> &str {
        self.server.as_ref().unwrap().identity()
    }

    pub(crate) fn stops(&mut self) {
        self.server.take().unwrap().stop();
    }

    pub(crate) fn comes_back(&mut self) {
        self.server = Some(self.home.serve_at(&self.url, &[]));
    }

    /// Somebody new, who stands in the lobby.
    #[track_caller]
    pub(crate) fn enters(&self, name: &str) -> Person {
        self.enters_with(name, USUAL, &[])
    }

    /// The same on a terminal of this size, with these variables.
    #[track_caller]
    pub(crate) fn enters_with(&self, name: &str, size: (u16, u16), variables: &[(&str, &str)]) -> Person {
        let home = home();
        let args = [FERNWIRE, "chat", self.pinned_url(), "--user", name, "--password-file", "password", "--signup"];
        let terminal = Terminal::open(&home, &args, variables, size);
        terminal.sees("#lobby");
        terminal.sees("●");
        Person { terminal, _home: home }
    }

    /// Says these lines as somebody new, through a pipe.
    #[track_caller]
    pub(crate) fn hears(&self, name: &str, lines: &str) -> Outcome {
        self.hears_in("#lobby", name, lines)
    }

    /// The same in this room.
    #[track_caller]
    pub(crate) fn hears_in(&self, room: &str, name: &str, lines: &str) -> Outcome {
        let chat = ["chat", self.pinned_url(), "--plain", "--room", room];
        let account = ["--user", name, "--password-file", "password", "--signup"];
        let outcome = home().run_with_input(&[chat.as_slice(), &account].concat(), lines);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        outcome
    }
}

/// Somebody at a terminal.
pub(crate) struct Person {
    pub(crate) terminal: Terminal,
    /// Kept as long as the program runs.
    _home: Sandbox,
}

impl Deref for Person {
    type Target = Terminal;

    fn deref(&self) -> &Terminal {
        &self.terminal
    }
}

impl DerefMut for Person {
    fn deref_mut(&mut self) -> &mut Terminal {
        &mut self.terminal
    }
}

/// A home with the password in a file.
pub(crate) fn home() -> Sandbox {
    let home = Sandbox::new();
    home.write("password", 0o600, &format!("{PASSWORD}\n"));
    home
}
