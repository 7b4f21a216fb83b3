//! The form while there is no connection: what is tried, what failed, and when it is tried again.

use fernwire::transport::endpoint::Endpoint;
use ratatui::crossterm::event::KeyCode;

use super::super::stage::Input;
use super::super::theme::Theme;
use super::panel::Panel;
use super::{Form, Step, is_leaving};

/// A server that is called until it answers.
pub(in super::super) struct Calling {
    endpoint: Endpoint,
    /// Why there is no connection, in the words of the error.
    failure: Option<String>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Trying,
    Entering {
        is_new: bool,
    },
    /// It is tried again in so many seconds.
    Waiting(u64),
    /// It is tried again when a person says so.
    Stuck,
}

/// It is tried again at once.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Again;

impl Calling {
    pub(in super::super) fn new(endpoint: &Endpoint) -> Self {
        Self { endpoint: endpoint.without_identity(), failure: None, state: State::Trying }
    }

    /// There is a connection, and the server is asked to let somebody in.
    pub(in super::super) fn entering(endpoint: &Endpoint, is_new: bool) -> Self {
        Self { state: State::Entering { is_new }, ..Self::new(endpoint) }
    }

    /// It is being tried.
    pub(in super::super) fn tries(&mut self) {
        self.state = State::Trying;
    }

    /// It failed, and waits for a person.
    pub(in super::super) fn fails(&mut self, why: String) {
        self.failure = Some(why);
        self.state = State::Stuck;
    }

    /// It is tried again in so many seconds.
    pub(in super::super) fn waits(&mut self, seconds: u64) {
        self.state = State::Waiting(seconds);
    }

    fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting(_) | State::Stuck)
    }
}

impl Form for Calling {
    type Decision = Again;

    fn press(&mut self, input: Input) -> Step<Again> {
        match input {
            input if is_leaving(&input) => Step::Leave,
            Input::Key(key) if key.code == KeyCode::Enter && self.is_waiting() => Step::Decided(Again),
            Input::Resized => Step::Changed,
            _ => Step::Nothing,
        }
    }

    fn panel(&self, theme: &Theme, width: u16) -> Panel {
        let mut panel = Panel::new(width);
        if let Some(failure) = &self.failure {
            panel.say(
                &[(theme.bad(), "Not connected"), (theme.text(), ": "), (theme.text(), failure), (theme.text(), ".")],
                0,
            );
            panel.space();
        }
        let now = match (self.state, &self.failure) {
            (State::Trying, None) => format!("Connecting to {} …", self.endpoint),
            (State::Trying, Some(_)) => format!("Connecting to {} again …", self.endpoint),
            (State::Entering { is_new: false }, _) => format!("Logging in at {} …", self.endpoint),
            (State::Entering { is_new: true }, _) => format!("Making the account at {} …", self.endpoint),
            (State::Waiting(seconds), _) => format!("Trying again in {seconds} s."),
            (State::Stuck, _) => "It is not tried again by itself.".to_owned(),
        };
        panel.say(&[(theme.text(), &now)], 0);
        panel.focus(None);
        let (key, quiet) = (theme.key(), theme.quiet());
        match self.is_waiting() {
            true => panel.foot(&[(key, "Enter"), (quiet, " tries again, "), (key, "Esc"), (quiet, " leaves")]),
            false => panel.foot(&[(key, "Esc"), (quiet, " leaves")]),
        }
        panel
    }
}
