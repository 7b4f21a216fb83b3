//! Where text goes: results to stdout, line by line; notes to stderr. Neither can panic.

use std::fmt::Display;
use std::io::{self, Write};

/// Prints a result as one line, and at once, since whoever reads may be a program that waits for it.
pub(crate) fn result(line: impl Display) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// Tells a person something that is not a result.
pub(crate) fn note(line: impl Display) {
    // Without a stderr there is nobody to tell.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Whether the trouble is only that nobody reads the results any more.
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
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
    use super::shell_word;

    #[test]
    fn words_are_quoted_when_a_shell_would_eat_them() {
        assert_eq!(shell_word("/usr/bin/fernwire"), "/usr/bin/fernwire");
        assert_eq!(shell_word("tcp://h:1#fwk1_x"), "'tcp://h:1#fwk1_x'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(shell_word(""), "''");
    }
}
