//! Where text goes: results to stdout, line by line; notes to stderr. Neither can panic.

use std::fmt::Display;
use std::io::{self, Write};
use std::time::Duration;

use fernwire::model::{Visible, is_treacherous};
use serde_json::Value;

/// Prints a result as one line, and at once, since whoever reads may be a program that waits for it.
pub(crate) fn result(line: impl Display) -> Result<(), Unwritten> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}").and_then(|()| stdout.flush()).map_err(Unwritten)
}

/// The same; false if nobody reads the results any more.
pub(crate) fn result_if_read(line: impl Display) -> Result<bool, Unwritten> {
    match result(line) {
        Ok(()) => Ok(true),
        Err(Unwritten(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

/// A result could not be written.
#[derive(Debug)]
pub(crate) struct Unwritten(io::Error);

impl std::error::Error for Unwritten {}

impl Display for Unwritten {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot write the results: {}", self.0)
    }
}

/// Prints a result as one JSON object. Characters that a terminal would obey are escaped, which JSON itself demands of
/// some of them only.
pub(crate) fn json(object: &Value) -> Result<(), Unwritten> {
    result(inert(object))
}

/// One JSON object as a line that no terminal obeys.
pub(crate) fn inert(object: &Value) -> String {
    let mut text = String::new();
    for c in object.to_string().chars() {
        match c {
            // Outside of strings JSON is ASCII, and inside of them this is how any character can be written.
            c if is_treacherous(c) => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text
}

/// Tells a person something that is not a result, in one line or several. Names of files are in it, which others may have
/// given them.
pub(crate) fn note(text: impl Display) {
    let text = text.to_string();
    let lines: Vec<_> = text.split('\n').map(|line| Visible(line).to_string()).collect();
    // Without a stderr there is nobody to tell.
    let _ = writeln!(io::stderr(), "{}", lines.join("\n"));
}

/// When it is tried again, as people count.
pub(crate) fn again_in(pause: Duration) -> String {
    match pause.as_secs_f32().ceil() {
        0.0 => "trying again".to_owned(),
        seconds => format!("trying again in {seconds} s"),
    }
}

/// Whether the trouble is only that nobody reads the results any more.
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Unwritten>().is_some_and(|error| error.0.kind() == io::ErrorKind::BrokenPipe)
}

/// This program, as a word that a shell finds: after `cargo run` nothing is on PATH.
pub(crate) fn own_program() -> String {
    let program = std::env::current_exe().map_or("fernwire".into(), |path| path.display().to_string());
    shell_word(&program)
}

/// Text as one word for a POSIX shell.
pub(crate) fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::{inert, shell_word};
    use serde_json::{Value, json};

    #[test]
    fn hostile_text_in_json_is_inert_and_reads_back() {
        let object = json!({ "time": "a\u{1b}[2J\u{9b}2J\u{7f}\u{202e}é" });
        assert_eq!(inert(&object), r#"{"time":"a\u001b[2J\u009b2J\u007f\u202eé"}"#);
        assert_eq!(inert(&object).parse::<Value>().unwrap(), object);
    }

    #[test]
    fn words_are_quoted_when_a_shell_would_eat_them() {
        assert_eq!(shell_word("/usr/bin/fernwire"), "/usr/bin/fernwire");
        assert_eq!(shell_word("tcp://h:1#fwk1_x"), "'tcp://h:1#fwk1_x'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(shell_word(""), "''");
    }
}
