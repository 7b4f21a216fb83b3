//! The form that asks about a server which nothing proves.

use fernwire::config::secrecy::redacted;
use fernwire::keys::KeyKind;
use fernwire::model::PublicIdentity;
use fernwire::transport::endpoint::Endpoint;
use ratatui::crossterm::event::KeyCode;
use zeroize::Zeroizing;

use super::super::stage::Input;
use super::super::text;
use super::super::theme::Theme;
use super::field::{Edit, Field};
use super::panel::Panel;
use super::{Form, Step, is_leaving};
use crate::connect::{Refusal, judge};

/// Whether the server that showed this identity is the right one.
pub(in super::super) struct Question {
    endpoint: Endpoint,
    identity: PublicIdentity,
    answer: Field,
    complaint: Option<&'static str>,
}

impl Question {
    pub(in super::super) fn new(endpoint: Endpoint, identity: PublicIdentity) -> Self {
        Self { endpoint, identity, answer: Field::shown(), complaint: None }
    }

    fn judge(&mut self) -> Step<Result<(), Refusal>> {
        let answer = self.answer.text().trim();
        // Enter alone has decided nothing, and may have been meant for what was there before.
        if answer.is_empty() {
            return Step::Nothing;
        }
        match judge(answer, &self.endpoint, self.identity) {
            Err(Refusal::NoAnswer(_)) => {
                self.answer.clear();
                self.complaint = Some("That was neither yes, no nor an identity.");
                Step::Changed
            }
            decided => Step::Decided(decided),
        }
    }

    fn edited(&mut self, edit: Edit) -> Step<Result<(), Refusal>> {
        // A secret that was pasted here by mistake is not shown to the room.
        let text = self.answer.text();
        self.answer.hide(KeyKind::of(text) != KeyKind::PublicIdentity && redacted(text).is_some());
        match edit {
            Edit::Done => {
                self.complaint = None;
                Step::Changed
            }
            Edit::Full => {
                self.complaint = Some("That is too long for an identity.");
                Step::Changed
            }
            Edit::NotMine => Step::Nothing,
        }
    }
}

impl Form for Question {
    type Decision = Result<(), Refusal>;

    fn press(&mut self, input: Input) -> Step<Self::Decision> {
        match input {
            input if is_leaving(&input) => Step::Leave,
            Input::Key(key) if key.code == KeyCode::Enter => self.judge(),
            Input::Key(key) => {
                let edit = self.answer.press(&key);
                self.edited(edit)
            }
            Input::Paste(text) => {
                let edit = self.answer.insert(&Zeroizing::new(text));
                self.edited(edit)
            }
            Input::Resized => Step::Changed,
            Input::Wheel(..) | Input::Click(_) => Step::Nothing,
        }
    }

    fn panel(&self, theme: &Theme, width: u16) -> Panel {
        let mut panel = Panel::new(width);
        let (plain, quiet) = (theme.text(), theme.quiet());
        let unknown = format!("The server at {} is not known here yet. It showed this identity:", self.endpoint);
        panel.say(&[(plain, &unknown)], 0);
        panel.space();
        panel.say(&[(theme.title(), &self.identity.to_string())], 0);
        panel.space();
        panel.say(
            &[(
                plain,
                "Each server has an identity of its own, which nobody else can show. Somebody between you and the server \
                 would show another. Compare it with what ",
            ), (theme.key(), "fernwire id"), (plain, " prints on the server.")],
            0,
        );
        panel.space();
        panel.say(&[(plain, "Trust it and remember it? (yes, no, or paste the identity that it should have)")], 0);
        let part = self.answer.part(width);
        panel.push(text::line(&[(plain, &part.text), (quiet, &part.blanks)], width));
        panel.focus(Some(part.column));
        if let Some(complaint) = self.complaint {
            panel.say(&[(theme.bad(), complaint)], 0);
        }
        panel.foot(&[(theme.key(), "Enter"), (quiet, " answers, "), (theme.key(), "Esc"), (quiet, " leaves")]);
        panel
    }
}
