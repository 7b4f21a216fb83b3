//! The questions, asked at a terminal or answered by the lines of a pipe.

use std::io::{self, IsTerminal};

use anyhow::{anyhow, bail};
use fernwire::client::submit::Submission;
use fernwire::document::Format;
use fernwire::model::{Visible, is_treacherous};
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;

use super::written;
use crate::output;
use crate::signals::Kept;

type Editor = rustyline::Editor<(), MemHistory>;

/// Asks for names and a format, again and again.
pub(crate) struct Questions {
    answers: Answers,
    /// The format, if it is not asked for.
    format: Option<Format>,
    /// Whether anything was answered yet.
    begun: bool,
}

enum Answers {
    /// A person's; the editor is away while it reads.
    Terminal(Option<Box<Editor>>),
    /// The lines of stdin.
    Pipe,
}

impl Questions {
    /// At a terminal, or in a pipe.
    pub(crate) fn open(format: Option<Format>) -> anyhow::Result<Self> {
        let answers = if io::stdin().is_terminal() && io::stdout().is_terminal() {
            let editor = Editor::with_history(rustyline::Config::default(), MemHistory::new())?;
            Answers::Terminal(Some(Box::new(editor)))
        } else {
            Answers::Pipe
        };
        Ok(Self { answers, format, begun: false })
    }

    /// The next to submit; `None` if the person leaves.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<Submission>> {
        let Some(first) = self.ask("First Name: ", name).await? else { return self.unanswered() };
        self.begun = true;
        let Some(last) = self.ask("Last Name: ", name).await? else { return self.unanswered() };
        let format = match self.format {
            Some(format) => Some(format),
            None => self.ask("Choose format (json/binary/xml): ", format_of).await?,
        };
        let Some(format) = format else { return self.unanswered() };
        let pairs = [("first_name".to_owned(), first), ("last_name".to_owned(), last)];
        written(&pairs, format).map(Some)
    }

    /// The same again, if there is more to submit. The end of the input says no.
    pub(crate) async fn another(&mut self) -> anyhow::Result<Option<Submission>> {
        match self.ask("Do you want to add more data? (yes/no): ", yes_or_no).await? {
            Some(true) => self.next().await,
            Some(false) | None => Ok(None),
        }
    }

    /// A person may leave at any time; a pipe that ends in the middle is not what somebody wanted.
    fn unanswered(&self) -> anyhow::Result<Option<Submission>> {
        match self.answers {
            Answers::Terminal(_) => Ok(None),
            Answers::Pipe if self.begun => bail!("the input ends before every question is answered"),
            Answers::Pipe => bail!(
                "there is nothing to submit: give KEY=VALUE, name a --file, or answer the questions line by line on stdin"
            ),
        }
    }

    /// Asks until the answer is one; `None` at the end of the input.
    async fn ask<T>(
        &mut self,
        question: &'static str,
        read: fn(&str) -> Result<T, String>,
    ) -> anyhow::Result<Option<T>> {
        while let Some(line) = self.answers.next(question).await? {
            match read(line.trim()) {
                Ok(answer) => return Ok(Some(answer)),
                Err(complaint) => output::note(complaint),
            }
        }
        Ok(None)
    }
}

impl Answers {
    async fn next(&mut self, question: &'static str) -> anyhow::Result<Option<String>> {
        match self {
            Self::Terminal(place) => {
                let mut editor = place.take().ok_or_else(|| anyhow!("the terminal is not free"))?;
                let reading = tokio::task::spawn_blocking(move || {
                    let line = Kept::begin().map_err(ReadlineError::from).and_then(|_kept| editor.readline(question));
                    (editor, line)
                });
                let (editor, line) = reading.await?;
                *place = Some(editor);
                match line {
                    Ok(line) => Ok(Some(line)),
                    Err(ReadlineError::Eof | ReadlineError::Interrupted) => Ok(None),
                    Err(error) => Err(error.into()),
                }
            }
            Self::Pipe => {
                let reading = tokio::task::spawn_blocking(|| io::stdin().lines().next().transpose());
                reading.await?.map_err(|error| anyhow!("cannot read the answers from stdin: {error}"))
            }
        }
    }
}

fn name(answer: &str) -> Result<String, String> {
    if answer.is_empty() {
        Err("A name has at least one character.".to_owned())
    } else if answer.chars().any(is_treacherous) {
        Err(format!("`{}` has control characters, and is no name.", Visible(answer)))
    } else {
        Ok(capitalized(answer))
    }
}

fn format_of(answer: &str) -> Result<Format, String> {
    answer.to_lowercase().parse().map_err(|_| format!("`{}` is none of json, binary and xml.", Visible(answer)))
}

fn yes_or_no(answer: &str) -> Result<bool, String> {
    match answer.to_lowercase().as_str() {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(format!("`{}` is neither yes nor no.", Visible(answer))),
    }
}

/// The first letter large and the others small, as Python's `str.capitalize` has it.
fn capitalized(text: &str) -> String {
    let Some(first) = text.chars().next() else { return String::new() };
    // A letter may become two, of which the second is small: ß is Ss.
    let mut large = first.to_uppercase();
    let beginning: String = large.next().into_iter().chain(large.flat_map(char::to_lowercase)).collect();
    // All of it is made small, and not the rest alone: the last letter of a Greek word depends on what is before it.
    let small = text.to_lowercase();
    let rest = small.chars().skip(first.to_lowercase().count());
    beginning + &rest.collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_capitalized_as_python_does() {
        for (text, wanted) in [
            ("ada", "Ada"),
            ("LOVELACE", "Lovelace"),
            ("mcGREGOR", "Mcgregor"),
            ("o'brien", "O'brien"),
            ("élodie", "Élodie"),
            ("ßa", "Ssa"),
            ("ΑΣ", "Ας"),
            ("4EVER", "4ever"),
            ("", ""),
        ] {
            assert_eq!(capitalized(text), wanted, "{text}");
        }
    }

    #[test]
    fn only_answers_are_answers() {
        assert_eq!(name("  ".trim()), Err("A name has at least one character.".to_owned()));
        assert!(name("a\u{1b}[2J").is_err_and(|complaint| !complaint.contains('\u{1b}')));
        assert_eq!(format_of("XML"), Ok(Format::Xml));
        assert!(format_of("yaml").is_err());
        assert_eq!((yes_or_no("Yes"), yes_or_no("no")), (Ok(true), Ok(false)));
        assert!(yes_or_no("y").is_err() && yes_or_no("").is_err());
    }
}
