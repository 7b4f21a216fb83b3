//! What the form for an account looks like.

use ratatui::style::{Modifier, Style};

use super::super::super::text;
use super::super::super::theme::Theme;
use super::super::Target;
use super::super::field::Field;
use super::super::panel::{Panel, Worth};
use super::super::rules::{Standing, standings};
use super::{AccountForm, Focus, Tab};

/// The columns before what is typed, if there is room for them.
const LABEL: u16 = 12;
/// The most columns of a field.
const MAX_FIELD_WIDTH: u16 = 40;
/// How far the marks of the rules push the words.
const MARK: u16 = 2;

impl AccountForm {
    pub(super) fn look(&self, theme: &Theme, width: u16) -> Panel {
        let mut panel = Panel::new(width);
        self.say_facts(theme, &mut panel);
        panel.space();
        self.push_tabs(theme, &mut panel);
        self.push_field(theme, &mut panel, Focus::Name);
        self.push_field(theme, &mut panel, Focus::Password);
        if self.tab == Tab::Signup {
            self.push_field(theme, &mut panel, Focus::Again);
        }
        if self.asking.is_some() || self.notice.is_some() {
            panel.space();
        }
        self.say_notice(theme, &mut panel);
        panel.need();
        if self.tab == Tab::Signup {
            panel.space();
            self.list_rules(theme, &mut panel);
        }
        self.put_foot(theme, &mut panel);
        panel
    }

    fn say_facts(&self, theme: &Theme, panel: &mut Panel) {
        let (text, quiet) = (theme.text(), theme.quiet());
        let address = self.facts.endpoint.to_string();
        let mode = format!(", key mode {}", self.facts.mode);
        panel.say(&[(theme.title(), &address), (text, &mode)], 0);
        panel.say(&[(text, &self.facts.proof())], 0);
        if let Some(identity) = self.facts.identity {
            panel.say(&[(quiet, &identity.to_string())], 0);
        }
    }

    fn push_tabs(&self, theme: &Theme, panel: &mut Panel) {
        let look = |tab, name: &str| match self.tab == tab {
            true => (theme.selected(), format!("[{name}]")),
            false => (theme.text(), format!(" {name} ")),
        };
        let (login, signup) = (look(Tab::Login, "LOGIN"), look(Tab::Signup, "SIGNUP"));
        let mark = self.mark(Focus::Tabs);
        let pieces = [
            (theme.key(), mark),
            (login.0, &login.1),
            (theme.text(), " "),
            (signup.0, &signup.1),
            (theme.quiet(), "  F2"),
        ];
        panel.push(text::line(&pieces, panel.width()));
        if self.focus == Focus::Tabs {
            panel.focus(None);
        }
        panel.target(2, 7, Target::Login);
        panel.target(10, 8, Target::Signup);
    }

    fn push_field(&self, theme: &Theme, panel: &mut Panel, focus: Focus) {
        let (label, field, target): (_, &Field, _) = match focus {
            Focus::Password => ("Password  ", &self.password, Target::Password),
            Focus::Again => ("Again     ", &self.again, Target::Again),
            Focus::Name | Focus::Tabs => ("Name      ", &self.name, Target::Name),
        };
        // Where it is narrow, what is typed is worth more than what it is called.
        let label_width = if panel.width() >= 2 * LABEL { LABEL } else { 0 };
        let style = if self.focus == focus { theme.key() } else { theme.text() };
        let width = (panel.width() - label_width).min(MAX_FIELD_WIDTH);
        let (label, mark) = if label_width > 0 { (label, self.mark(focus)) } else { ("", "") };
        let part = field.part(width);
        let pieces = [(style, mark), (style, label), (theme.text(), &part.text), (theme.quiet(), &part.blanks)];
        panel.push(text::line(&pieces, label_width + width));
        panel.target(0, label_width + width, target);
        if self.focus == focus {
            panel.focus(self.asking.is_none().then_some(label_width + part.column));
        }
    }

    /// What stands before the place where one is.
    fn mark(&self, focus: Focus) -> &'static str {
        if self.focus == focus { "› " } else { "  " }
    }

    fn say_notice(&self, theme: &Theme, panel: &mut Panel) {
        if let Some(asking) = self.asking {
            panel.say(&[(theme.notice(), asking)], 0);
        }
        let notice = self.notice.as_deref().unwrap_or_default();
        let countdown = match self.seconds {
            None => String::new(),
            Some(0) => " You can try again now.".to_owned(),
            Some(seconds) => format!(" You can try again in {seconds} s."),
        };
        if !notice.is_empty() || !countdown.is_empty() {
            panel.say(&[(theme.bad(), notice), (theme.text(), &countdown)], 0);
        }
    }

    fn list_rules(&self, theme: &Theme, panel: &mut Panel) {
        for (standing, words) in standings(self.name.text(), self.password.text(), self.again.text()) {
            let (style, mark, worth) = marked(theme, standing);
            panel.list(worth, &[(style, mark), (style, &words)], MARK);
        }
    }

    fn put_foot(&self, theme: &Theme, panel: &mut Panel) {
        let (key, quiet) = (theme.key(), theme.quiet());
        if self.asking.is_some() {
            panel.foot(&[(key, "Esc"), (quiet, " leaves")]);
            return;
        }
        let enter = match (self.fields().last() == Some(&self.focus), self.tab) {
            (false, _) => " goes on, ",
            (true, Tab::Login) => " logs in, ",
            (true, Tab::Signup) => " signs up, ",
        };
        let other = if self.tab == Tab::Login { " to SIGNUP, " } else { " to LOGIN, " };
        panel.foot(&[(key, "Enter"), (quiet, enter), (key, "F2"), (quiet, other), (key, "Esc"), (quiet, " leaves")]);
    }
}

/// How a rule is shown, and how much depends on that it is; none is told from another by its colour alone.
fn marked(theme: &Theme, standing: Standing) -> (Style, &'static str, Worth) {
    match standing {
        Standing::Open => (theme.quiet(), "· ", Worth::Some),
        Standing::Kept => (theme.good(), "✓ ", Worth::Least),
        Standing::Broken => (theme.bad().add_modifier(Modifier::BOLD), "✗ ", Worth::Most),
    }
}
