//! The form in which one logs in or signs up, with the rules for a new account as they are kept and broken.

use std::time::Duration;

use fernwire::client::CallError;
use fernwire::client::account::LoginError;
use fernwire::model::name::UserName;
use fernwire::model::password::Password;
use fernwire::protocol::{ErrorCode, RequestError};
use ratatui::crossterm::event::{KeyCode, KeyEvent};
use zeroize::Zeroizing;

use super::super::stage::Input;
use super::super::theme::Theme;
use super::field::{Edit, Field, typed};
use super::panel::Panel;
use super::{Form, Step, Target, is_control, is_leaving};
use facts::Facts;

pub(in super::super) mod facts;
mod look;

/// The longest that a server can make one wait before the next try, in seconds.
const MAX_WAIT: u64 = 3600;

/// Whose session it is to be.
pub(in super::super) struct AccountForm {
    facts: Facts,
    tab: Tab,
    focus: Focus,
    /// The form has moved the focus, or kept it, and the person may not have seen it yet. Until there was a pause, what is
    /// typed may be a password, which is not for a field that is shown.
    is_astray: bool,
    name: Field,
    password: Field,
    again: Field,
    /// What there is to say about the last try.
    notice: Option<String>,
    /// In how many seconds it may be tried again, if it had to wait.
    seconds: Option<u64>,
    /// What the server is being asked. Until it answers, what is typed goes nowhere.
    asking: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tab {
    Login,
    Signup,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Focus {
    Tabs,
    Name,
    Password,
    Again,
}

/// What a person has filled in.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Entry {
    /// Whether the account is to be made.
    pub(in super::super) is_new: bool,
    pub(in super::super) name: UserName,
    pub(in super::super) password: Password,
}

impl AccountForm {
    /// The form with what is known already filled in.
    pub(in super::super) fn new(
        facts: Facts,
        name: Option<&UserName>,
        password: Option<&Password>,
        is_new: bool,
    ) -> Self {
        let tab = if is_new { Tab::Signup } else { Tab::Login };
        let focus = if name.is_some() { Focus::Password } else { Focus::Name };
        let mut form = Self {
            facts,
            tab,
            focus,
            is_astray: false,
            name: Field::shown(),
            password: Field::hidden(),
            again: Field::hidden(),
            notice: None,
            seconds: None,
            asking: None,
        };
        if let Some(name) = name {
            form.name.insert(name.as_str());
        }
        if let Some(password) = password {
            form.password.insert(password.expose());
            form.again.insert(password.expose());
        }
        form
    }

    /// There is another session, of which this is known.
    pub(in super::super) fn meets(&mut self, facts: Facts) {
        self.facts = facts;
    }

    /// The server is being asked, perhaps over a new connection.
    pub(in super::super) fn asks(&mut self, is_new: bool, was_lost: bool) {
        self.asking = Some(match (was_lost, is_new) {
            (false, false) => "Logging in …",
            (false, true) => "Making the account …",
            (true, false) => "The connection was lost, and was made again. Logging in …",
            (true, true) => "The connection was lost, and was made again. Making the account …",
        });
        (self.notice, self.seconds) = (None, None);
    }

    /// The server has refused, or cannot be asked any more. The result is how long to wait before the next try.
    pub(in super::super) fn is_refused(&mut self, error: &LoginError) -> Duration {
        self.asking = None;
        match error {
            LoginError::Call(CallError::Request(error)) => self.is_told(error),
            LoginError::Call(error) if self.tab == Tab::Signup => {
                self.is_unclear(error);
                Duration::ZERO
            }
            error => {
                self.complain(error);
                Duration::ZERO
            }
        }
    }

    fn is_told(&mut self, error: &RequestError) -> Duration {
        let seconds = error.retry_after.map_or(0, |seconds| seconds.min(MAX_WAIT));
        let mut text = CallError::Request(error.clone()).to_string();
        // What counts down is said beside it.
        if let Some(why) = text.strip_suffix(&format!("; try again in {seconds} s")) {
            text = why.to_owned();
        }
        self.complain(&text);
        match error.code {
            ErrorCode::BadCredentials => {
                self.forget_password();
                self.add(" If you have no account here yet, SIGNUP (F2) makes one.");
            }
            ErrorCode::NameTaken => {
                self.lead_to(Focus::Name);
                self.add(" LOGIN (F2) is for whoever has it.");
            }
            _ => {}
        }
        Duration::from_secs(seconds)
    }

    /// The connection was lost while the account was made.
    fn is_unclear(&mut self, why: &CallError) {
        self.tab = Tab::Login;
        self.lead_to(Focus::Password);
        self.again.clear();
        self.complain(format!("the connection was lost while the account was made ({why})"));
        self.add(" Whether it was made is not known, so log in to it; if that fails, make it again.");
    }

    /// It may be tried again in so many seconds; 0 is now.
    pub(in super::super) fn waits(&mut self, seconds: u64) {
        // What was never counted needs no end.
        if seconds > 0 || self.seconds.is_some() {
            self.seconds = Some(seconds);
        }
    }

    fn forget_password(&mut self) {
        self.password.clear();
        self.again.clear();
        self.lead_to(Focus::Password);
    }

    /// Says what is wrong.
    fn complain(&mut self, what: impl ToString) {
        self.notice = Some(format!("{}.", capital(&what.to_string())));
    }

    /// Says more about it.
    fn add(&mut self, help: &str) {
        self.notice.get_or_insert_default().push_str(help);
    }

    fn fields(&self) -> &'static [Focus] {
        match self.tab {
            Tab::Login => &[Focus::Tabs, Focus::Name, Focus::Password],
            Tab::Signup => &[Focus::Tabs, Focus::Name, Focus::Password, Focus::Again],
        }
    }

    /// The next field, or the one before; after the last comes the first.
    fn go(&mut self, forward: bool) {
        let fields = self.fields();
        let there = if forward { self.here() + 1 } else { self.here() + fields.len() - 1 };
        self.focus = fields[there % fields.len()];
    }

    /// Which of the fields one is in.
    fn here(&self) -> usize {
        self.fields().iter().position(|field| *field == self.focus).unwrap_or(0)
    }

    /// Where one is now without having gone there.
    fn lead_to(&mut self, focus: Focus) {
        self.focus = focus;
        self.is_astray = true;
    }

    /// Goes on from the name if it is one.
    fn leave_name(&mut self) {
        match self.name.text().parse::<UserName>() {
            Ok(_) => self.go(true),
            Err(error) => {
                self.complain(error);
                self.lead_to(Focus::Name);
            }
        }
    }

    fn turn(&mut self, tab: Tab) {
        // What was said about the other is of no use here, but the wait is.
        if tab != self.tab && !self.must_wait() {
            (self.notice, self.seconds) = (None, None);
        }
        self.tab = tab;
        if tab == Tab::Login && self.focus == Focus::Again {
            self.focus = Focus::Password;
        }
    }

    fn must_wait(&self) -> bool {
        self.seconds.is_some_and(|seconds| seconds > 0)
    }

    fn other_tab(&self) -> Tab {
        match self.tab {
            Tab::Login => Tab::Signup,
            Tab::Signup => Tab::Login,
        }
    }

    fn field(&mut self) -> Option<&mut Field> {
        match self.focus {
            Focus::Tabs => None,
            Focus::Name => Some(&mut self.name),
            Focus::Password => Some(&mut self.password),
            Focus::Again => Some(&mut self.again),
        }
    }

    fn press_key(&mut self, key: &KeyEvent) -> Step<Entry> {
        match key.code {
            KeyCode::Enter if self.fields().last() == Some(&self.focus) => return self.submit(),
            KeyCode::Enter if self.focus == Focus::Name => self.leave_name(),
            // The arrows end where the fields do.
            KeyCode::Up if self.here() == 0 => return Step::Nothing,
            KeyCode::Down if self.fields().last() == Some(&self.focus) => return Step::Nothing,
            KeyCode::Enter | KeyCode::Tab | KeyCode::Down => self.go(true),
            KeyCode::BackTab | KeyCode::Up => self.go(false),
            KeyCode::F(2) => self.turn(self.other_tab()),
            _ if is_control(key, 't') => self.turn(self.other_tab()),
            KeyCode::Left if self.focus == Focus::Tabs => self.turn(Tab::Login),
            KeyCode::Right if self.focus == Focus::Tabs => self.turn(Tab::Signup),
            _ => return self.edit(|field| field.press(key)),
        }
        Step::Changed
    }

    fn edit(&mut self, edit: impl FnOnce(&mut Field) -> Edit) -> Step<Entry> {
        let length = |form: &mut Self| form.field().map_or(0, |field| field.text().len());
        let before = length(self);
        match self.field().map_or(Edit::NotMine, edit) {
            Edit::Done => {
                // What was said is about what stood there before; the wait is not.
                if length(self) != before && !self.must_wait() {
                    (self.notice, self.seconds) = (None, None);
                }
                Step::Changed
            }
            Edit::Full => {
                self.complain("that is too long, and was not taken");
                Step::Changed
            }
            Edit::NotMine => Step::Nothing,
        }
    }

    /// What was filled in, unless something is missing or wrong that can be said here.
    fn submit(&mut self) -> Step<Entry> {
        if self.must_wait() {
            return Step::Nothing;
        }
        let is_new = self.tab == Tab::Signup;
        let password = Password::new(self.password.text());
        let fault = match self.name.text().parse::<UserName>() {
            Err(error) => (Focus::Name, error.to_string()),
            Ok(_) if password.expose().is_empty() => (Focus::Password, "the password is missing".to_owned()),
            Ok(name) => match password.check() {
                Err(rule) if is_new => (Focus::Password, rule.to_string()),
                _ if is_new && self.again.text() != password.expose() => {
                    self.again.clear();
                    (Focus::Again, "these two differ; type the same password again".to_owned())
                }
                _ => return Step::Decided(Entry { is_new, name, password }),
            },
        };
        self.lead_to(fault.0);
        self.complain(fault.1);
        Step::Changed
    }
}

impl Form for AccountForm {
    type Decision = Entry;

    fn press(&mut self, input: Input) -> Step<Entry> {
        match input {
            input if is_leaving(&input) => Step::Leave,
            Input::Resized => Step::Changed,
            _ if self.asking.is_some() => Step::Nothing,
            input if self.is_astray && self.focus == Focus::Name && is_text(&input) => Step::Nothing,
            Input::Key(key) => self.press_key(&key),
            Input::Paste(text) => {
                let text = Zeroizing::new(text);
                self.edit(|field| field.insert(&text))
            }
            Input::Wheel(..) | Input::Click(_) => Step::Nothing,
        }
    }

    fn has_paused(&mut self) {
        self.is_astray = false;
    }

    fn point(&mut self, target: Target) -> Step<Entry> {
        if self.asking.is_some() {
            return Step::Nothing;
        }
        self.is_astray = false;
        match target {
            Target::Login => self.turn(Tab::Login),
            Target::Signup => self.turn(Tab::Signup),
            Target::Name => self.focus = Focus::Name,
            Target::Password => self.focus = Focus::Password,
            Target::Again => self.focus = Focus::Again,
        }
        Step::Changed
    }

    fn panel(&self, theme: &Theme, width: u16) -> Panel {
        self.look(theme, width)
    }
}

/// Whether it writes something, or ends what was written.
fn is_text(input: &Input) -> bool {
    match input {
        Input::Key(key) => key.code == KeyCode::Enter || typed(key).is_some(),
        Input::Paste(_) => true,
        Input::Wheel(..) | Input::Click(_) | Input::Resized => false,
    }
}

/// The text as the beginning of a sentence.
fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

#[cfg(test)]
mod tests;
