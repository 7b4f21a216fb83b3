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
    let forms = [Form::Full, Form::Medium, Form::Short, Form::Terse, Form::Curt, Form::Least];
    let rows = forms.map(|form| row(state, now, form));
    let fits = rows.iter().find(|row| row.width() <= area.width);
    match fits {
        Some(row) => row.draw(area.x, area.y, area.right(), buffer),
        None => squeezed(state, now, area, buffer),
    }
}

/// What proves the server stays at the right for as long as there is any room; the rest is cut.
fn squeezed(state: &State, now: Instant, area: Rect, buffer: &mut Buffer) {
    let mut pieces = pieces(state, now, Form::Least);
    let proof = pieces.pop().map(|(style, text)| (style, format!(" {text}")));
    let proof = line(&proof.iter().map(|(style, text)| (*style, text.as_str())).collect::<Vec<_>>(), area.width);
    let room = area.width - proof.width();
    joined(state, &pieces, " ", room).draw(area.x, area.y, area.x + room, buffer);
    proof.draw(area.x + room, area.y, area.right(), buffer);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Full,
    /// Without the address.
    Medium,
    Short,
    Terse,
    /// Without what else would be worth knowing.
    Curt,
    /// Without how long it will be.
    Least,
}

fn row(state: &State, now: Instant, form: Form) -> Row {
    let between = if is_long(form) { " · " } else { " " };
    joined(state, &pieces(state, now, form), between, u16::MAX)
}

fn joined(state: &State, pieces: &[(Style, String)], between: &str, width: u16) -> Row {
    let mut all: Vec<(Style, &str)> = Vec::new();
    for (style, text) in pieces {
        if !all.is_empty() {
            all.push((state.theme.quiet(), between));
        }
        all.push((*style, text));
    }
    line(&all, width)
}

fn is_long(form: Form) -> bool {
    matches!(form, Form::Full | Form::Medium)
}

fn pieces(state: &State, now: Instant, form: Form) -> Vec<(Style, String)> {
    let quiet = state.theme.quiet();
    let mut pieces: Vec<(Style, String)> = vec![connection(state, now, form)];
    match &state.server {
        Some(server) => pieces.extend(facts(server, form).into_iter().map(|fact| (quiet, fact))),
        None => pieces.push((quiet, "not connected yet".to_owned())),
    }
    if is_long(form) {
        pieces.push((quiet, format!("as {}", state.me)));
    }
    if let Some(mail) = mail(state, now).filter(|_| !matches!(form, Form::Curt | Form::Least)) {
        pieces.insert(1, mail);
    }
    if is_long(form) && state.unsettled() == 0 {
        pieces.push((quiet, "F1 help".to_owned()));
    }
    pieces
}

fn connection(state: &State, now: Instant, form: Form) -> (Style, String) {
    let Some(down) = &state.down else {
        let word = match form {
            Form::Full | Form::Medium | Form::Short => "● connected",
            Form::Terse | Form::Curt | Form::Least => "●",
        };
        return (state.theme.good(), word.to_owned());
    };
    let left = down.until.saturating_duration_since(now).as_secs_f32().ceil();
    let text = match (left > 0.0, form) {
        (_, Form::Least) => "○".to_owned(),
        (true, Form::Terse | Form::Curt) => format!("○ in {left} s"),
        (true, _) => format!("○ no connection, again in {left} s"),
        (false, Form::Terse | Form::Curt) => "○ trying".to_owned(),
        (false, _) => "○ no connection, trying now".to_owned(),
    };
    (state.theme.bad(), text)
}

/// What is on its way, and what is not any more.
fn mail(state: &State, now: Instant) -> Option<(Style, String)> {
    let failed = state.failed();
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
        Form::Medium | Form::Short | Form::Terse | Form::Curt | Form::Least => {
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
