//! What a person has typed as an error may repeat it: short, harmless to a terminal, and never a key.

use std::fmt;
use std::path::Path;

use crate::keys::{KeyKind, PEM_MARKER};
use crate::model::Visible;

/// The longest text in characters that an error repeats.
const MAX_SHOWN: usize = 80;
/// The longest reason of a parser in characters; all of ours are shorter by far if what they repeat is short.
const MAX_REASON: usize = 280;
/// The characters that hold the 32 bytes of a key, without what may stand at their end.
const KEY_CHARACTERS: usize = 43;
/// What stands in their place.
const HIDDEN: &str = "(a key, not shown)";

/// Text as an error may repeat it: harmless to a terminal, not long, and without what could be a key.
pub fn shown(text: &str) -> String {
    let text = without_keys(text);
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// What a parser says, which may repeat what it was given and ends in what would be right.
pub fn reason(error: impl fmt::Display) -> String {
    let reason = without_keys(&error.to_string());
    match (reason.char_indices().nth(MAX_SHOWN), reason.char_indices().nth_back(MAX_REASON - MAX_SHOWN)) {
        (Some((head, _)), Some((tail, _))) if head < tail => format!("{}…{}", &reason[..head], &reason[tail..]),
        _ => reason,
    }
}

/// Whether the text is something that belongs into a file of its own, or was before it was damaged.
pub fn is_key(text: &str) -> bool {
    let kind = KeyKind::of(text);
    matches!(kind, KeyKind::Secret | KeyKind::Identity | KeyKind::PublicIdentity | KeyKind::Pem)
        || without_keys(text.trim().trim_end_matches('=')) == HIDDEN
}

/// Whether somebody has put a key where the name of its file belongs, perhaps with a folder before it.
pub fn names_a_key(path: &Path) -> bool {
    [Some(path.as_os_str()), path.file_name()].into_iter().flatten().any(|name| name.to_str().is_some_and(is_key))
}

/// The text without what could be a secret, if there is such a thing in it; PEM goes with all that is around it.
pub fn redacted(text: &str) -> Option<String> {
    let is_secret = is_key(text) && KeyKind::of(text) != KeyKind::PublicIdentity;
    let hidden = if is_secret { HIDDEN.to_owned() } else { without_keys(text) };
    hidden.contains(HIDDEN).then_some(hidden)
}

pub(super) fn without_keys(text: &str) -> String {
    let (text, pem) = text.split_once(PEM_MARKER).map_or((text, ""), |(before, _)| (before, HIDDEN));
    let in_key = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mut shown = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let run = rest.find(|c| !in_key(c)).unwrap_or(rest.len());
        let word = if run == KEY_CHARACTERS { HIDDEN } else { &rest[..run] };
        shown.push_str(word);
        let next = rest[run..].find(in_key).map_or(rest.len(), |found| run + found);
        shown.push_str(&Visible(&rest[run..next]).to_string());
        rest = &rest[next..];
    }
    shown + pem
}

#[cfg(test)]
mod tests {
    use super::super::problem::Place;
    use super::*;

    #[test]
    fn what_could_be_a_key_is_never_shown() {
        let key = "A".repeat(KEY_CHARACTERS);
        assert_eq!(shown(&format!("psk,{key}=,x")), "psk,(a key, not shown)=,x");
        assert_eq!(shown(&format!("fernwire-identity-1 {key}")), "fernwire-identity-1 (a key, not shown)");
        assert_eq!(shown("`a\n-----BEGIN PRIVATE KEY-----\nMC4"), "`a\\n(a key, not shown)");
        assert_eq!(Place::File(Path::new(&key).into(), 7).to_string(), "(a key, not shown):7");
    }

    #[test]
    fn a_key_is_known_even_if_it_is_damaged() {
        let key = "B".repeat(KEY_CHARACTERS);
        let pem = "-----BEGIN PRIVATE KEY-----";
        for text in [&*key, &format!(" {key}=\n"), "fwk1_x", "fernwire-identity-1 x", pem, &format!("Bag: 1\n{pem}")] {
            assert!(is_key(text), "{text}");
        }
        assert!(!["secret.key", "", "psk", "/etc/fernwire/keys/secret-key-of-this-server"].into_iter().any(is_key));
    }

    #[test]
    fn only_what_has_a_secret_in_it_is_redacted() {
        let key = "B".repeat(KEY_CHARACTERS);
        assert_eq!(redacted(&format!("{key}=")).unwrap(), HIDDEN);
        assert_eq!(redacted(&format!("psk,{key}=")).unwrap(), "psk,(a key, not shown)=");
        assert_eq!(redacted("Bag: 1\n-----BEGIN PRIVATE KEY-----").unwrap(), HIDDEN);
        assert_eq!(redacted(&format!("fwk1_{key}")), None);
        assert_eq!(redacted("tcp://h:x"), None);
    }

    #[test]
    fn what_is_shown_is_short_and_harmless() {
        assert_eq!(shown("tcp://h:1"), "tcp://h:1");
        assert_eq!(shown("a\u{1b}[2J\nb"), "a\\u{1b}[2J\\nb");
        assert_eq!(reason("short; do better"), "short; do better");
        let long = reason(format!("`{}` is wrong; do better", "é".repeat(10_000)));
        assert!(long.starts_with("`é") && long.ends_with("; do better") && long.chars().count() <= MAX_REASON + 2);
        assert_eq!(shown(&"é".repeat(200)), format!("{}…", "é".repeat(MAX_SHOWN)));
    }
}
