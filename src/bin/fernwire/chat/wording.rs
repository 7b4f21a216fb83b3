//! The sentences in which a chat tells what has happened; other people's words in them are made visible.

use fernwire::client::chat::Member;
use fernwire::model::Visible;
use fernwire::model::name::UserName;
use fernwire::protocol::chat::Measure;
use jiff::tz::TimeZone;

use crate::state::local;

pub(super) fn topic_set(topic: &str, by: Option<&UserName>) -> String {
    format!("{} set the topic: {}", Visible(operator(by)), Visible(topic))
}

pub(super) fn moderated(
    name: &UserName,
    measure: Measure,
    until: Option<i64>,
    by: Option<&UserName>,
    reason: &str,
    zone: &TimeZone,
) -> String {
    let until = match until.and_then(|until| local(until, zone)) {
        Some(until) => until.strftime(" until %Y-%m-%d %H:%M").to_string(),
        None if matches!(measure, Measure::Ban | Measure::Mute) => " for good".to_owned(),
        None => String::new(),
    };
    let reason = if reason.is_empty() { String::new() } else { format!(": {}", Visible(reason)) };
    format!("{} {} {}{until}{reason}", Visible(operator(by)), done(measure), Visible(name.as_str()))
}

pub(super) fn server_says(text: &str, to_you: bool) -> String {
    format!("the server says{}: {text}", if to_you { " to you" } else { "" })
}

/// Everybody, and who of them is what.
pub(super) fn members(members: &[Member]) -> String {
    let names: Vec<_> = members
        .iter()
        .map(|Member { name, operator, present }| {
            let notes = match (operator, present) {
                (true, true) => " (operator)",
                (true, false) => " (operator, away)",
                (false, true) => "",
                (false, false) => " (away)",
            };
            format!("{}{notes}", Visible(name.as_str()))
        })
        .collect();
    names.join(", ")
}

fn operator(by: Option<&UserName>) -> &str {
    by.map_or("the server's operator", UserName::as_str)
}

fn done(measure: Measure) -> &'static str {
    match measure {
        Measure::Kick => "kicked",
        Measure::Ban => "banned",
        Measure::Unban => "lifted the ban of",
        Measure::Mute => "muted",
        Measure::Unmute => "unmuted",
        Measure::Op => "made an operator of",
        Measure::Deop => "took the operator's rights of",
    }
}
