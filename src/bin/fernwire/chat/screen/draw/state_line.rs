//! The line that always says how one is connected, and to whom.

use std::time::Instant;

use fernwire::client::trust::Proof;
use fernwire::transport::ProvenBy;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::super::state::{LATE, Server, State};
use super::super::text::{Row, line};

/// As many words as there is room for; the shortest if there is none.
pub(super) fn draw(state: &State, area: Rect, now: Instant, buffer: &mut Buffer) {
    if area.height == 0 {
        return;
    }
    let forms = [Form::Full, Form::Medium, Form::Short, Form::Terse, Form::Least];
    let rows = forms.map(|form| row(state, now, form));
    let fits = rows.iter().find(|row| row.width() <= area.width);
    let row = fits.or(rows.last());
    row.inspect(|row| row.draw(area.x, area.y, area.right(), buffer));
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Full,
    /// Without the address.
    Medium,
    Short,
    Terse,
    /// Without what else would be worth knowing.
    Least,
}

fn row(state: &State, now: Instant, form: Form) -> Row {
    let quiet = state.theme.quiet();
    let mut pieces: Vec<(Style, String)> = vec![connection(state, now, form)];
    match &state.server {
        Some(server) => pieces.extend(facts(server, form).into_iter().map(|fact| (quiet, fact))),
        None => pieces.push((quiet, "not connected yet".to_owned())),
    }
    let is_long = matches!(form, Form::Full | Form::Medium);
    if is_long {
        pieces.push((quiet, format!("as {}", state.me)));
    }
    if let Some(mail) = mail(state, now).filter(|_| form != Form::Least) {
        pieces.insert(1, mail);
    }
    if is_long && state.unsettled() == 0 {
        pieces.push((quiet, "F1 help".to_owned()));
    }
    let between = if is_long { " · " } else { " " };
    let mut all: Vec<(Style, &str)> = Vec::new();
    for (style, text) in &pieces {
        if !all.is_empty() {
            all.push((quiet, between));
        }
        all.push((*style, text));
    }
    line(&all, u16::MAX)
}

fn connection(state: &State, now: Instant, form: Form) -> (Style, String) {
    let Some(down) = &state.down else {
        let word = match form {
            Form::Full | Form::Medium | Form::Short => "● connected",
            Form::Terse | Form::Least => "●",
        };
        return (state.theme.good(), word.to_owned());
    };
    let left = down.until.saturating_duration_since(now).as_secs_f32().ceil();
    let text = match (left > 0.0, form) {
        (true, Form::Terse | Form::Least) => format!("○ in {left} s"),
        (true, _) => format!("○ no connection, again in {left} s"),
        (false, Form::Terse | Form::Least) => "○ trying".to_owned(),
        (false, _) => "○ no connection, trying now".to_owned(),
    };
    (state.theme.bad(), text)
}

/// What is on its way, and what is not any more.
fn mail(state: &State, now: Instant) -> Option<(Style, String)> {
    let failed = state.places.iter().flat_map(|place| place.timeline.posts()).filter(|post| post.has_failed()).count();
    match (failed, state.unsettled()) {
        (0, 0) => None,
        (0, sending) => {
            let late = state.unanswered_since().map(|since| now.saturating_duration_since(since));
            let late = late.filter(|late| *late >= LATE).map(|late| format!(", no answer for {} s", late.as_secs()));
            Some((state.theme.warning(), format!("{sending} sending{}", late.unwrap_or_default())))
        }
        (failed, _) => Some((state.theme.bad(), format!("{failed} not sent"))),
    }
}

fn facts(server: &Server, form: Form) -> Vec<String> {
    let endpoint = &server.endpoint;
    match form {
        Form::Full => vec![
            endpoint.without_identity().to_string(),
            server.mode.to_string(),
            format!("proven by {}", proof(server)),
        ],
        Form::Medium | Form::Short | Form::Terse | Form::Least => {
            vec![endpoint.address.scheme().to_owned(), server.mode.to_string(), in_a_word(server).to_owned()]
        }
    }
}

/// An identity that is not in the address was confirmed by the person, when asked.
fn is_confirmed(server: &Server) -> bool {
    server.proof == Proof::Pin && server.endpoint.identity.is_none()
}

fn proof(server: &Server) -> String {
    if is_confirmed(server) { "your confirmation".to_owned() } else { server.proof.to_string() }
}

fn in_a_word(server: &Server) -> &'static str {
    match server.proof {
        _ if is_confirmed(server) => "confirmed",
        Proof::Pin => "pinned",
        Proof::KnownHosts => "known_hosts",
        Proof::Transport(ProvenBy::SocketOwner) => "socket",
        Proof::Transport(ProvenBy::Certificate) => "certificate",
        Proof::OwnIdentity => "identity.key",
        Proof::SecretKey => "secret.key",
        Proof::AcceptedNew => "unproven",
    }
}
