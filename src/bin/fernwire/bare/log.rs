//! Messages for the log of a program with bare Fernet, each of which is replied to by a person or a program.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use anyhow::{anyhow, bail};
use fernwire::channel::bare::BareError;
use fernwire::client::bare::{BareCallError, BareClient};
use fernwire::model::Visible;
use rustyline::error::ReadlineError;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::Peer;
use crate::log::{DISCONNECT, input, prompt};
use crate::output;

/// What ends a session there, in any case.
const EXIT: &str = "exit";

pub(crate) async fn run(peer: Peer, messages: Vec<String>, as_json: bool) -> anyhow::Result<ExitCode> {
    if messages.iter().rev().skip(1).any(|message| is_last_word(message)) {
        bail!("`{EXIT}` ends a session there, so that it cannot be a message; nothing was sent");
    }
    let mut talk = Talk { client: peer.connect().await?, as_json, is_read: true };
    let interactive = messages.is_empty() && io::stdin().is_terminal() && io::stdout().is_terminal();
    let left = if interactive {
        talk.with_person().await
    } else if messages.is_empty() {
        if io::stdin().is_terminal() {
            output::note(format_args!("Type one message a line; Ctrl-D or {DISCONNECT} ends."));
        }
        talk.leave_all(input::of_stdin()?).await
    } else {
        talk.leave_all(input::of_words(messages)).await
    };
    let ended = talk.client.end(Some(EXIT)).await;
    let code = left?;
    ended?;
    Ok(code)
}

/// Messages, and what is replied to them.
struct Talk {
    client: BareClient,
    as_json: bool,
    /// Whether anybody reads the replies. That nobody does is no reason to lose messages.
    is_read: bool,
}

impl Talk {
    /// Leaves what comes in until its end.
    async fn leave_all(&mut self, mut input: mpsc::Receiver<io::Result<String>>) -> anyhow::Result<ExitCode> {
        let mut number = 0;
        while let Some(line) = input.recv().await {
            let line = line.map_err(|error| anyhow!("cannot read the messages from stdin: {error}"))?;
            if line.trim() == DISCONNECT {
                break;
            }
            if is_last_word(&line) {
                return self.refuse_more(&mut input).await;
            }
            number += 1;
            self.leave(&line).await.map_err(|error| anyhow!("message {number}: {error}"))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What follows the word that ends a session is not dropped in silence.
    async fn refuse_more(&self, input: &mut mpsc::Receiver<io::Result<String>>) -> anyhow::Result<ExitCode> {
        if !io::stdin().is_terminal() && input.recv().await.is_some() {
            bail!(
                "`{EXIT}` ends a session there, so that it cannot be a message; it and what follows it were not sent"
            );
        }
        Ok(ExitCode::SUCCESS)
    }

    /// A person leaves messages.
    async fn with_person(&mut self) -> anyhow::Result<ExitCode> {
        let mut editor = prompt::editor()?;
        loop {
            let line;
            (editor, line) = prompt::read_line(editor).await?;
            let line = match line {
                Ok(line) if is_last_word(&line) => return Ok(ExitCode::SUCCESS),
                Ok(line) => line,
                Err(ReadlineError::Eof | ReadlineError::Interrupted) => return Ok(ExitCode::SUCCESS),
                Err(error) => return Err(error.into()),
            };
            if line.trim().is_empty() {
                continue;
            }
            let _ = editor.add_history_entry(line.as_str());
            let mut interrupts = signal(SignalKind::interrupt())?;
            tokio::select! {
                left = self.leave(&line) => match left {
                    Err(Unsaid::Call(BareCallError::Tokens(error @ BareError::TooLong { .. }))) => {
                        output::note(format_args!("fernwire: {error}"));
                    }
                    left => left?,
                },
                _ = interrupts.recv() => {
                    output::note("Not answered; whether the server has taken it is unknown.");
                    return Ok(ExitCode::from(2));
                }
            }
        }
    }

    async fn leave(&mut self, message: &str) -> Result<(), Unsaid> {
        let reply = self.client.say(message).await?;
        let line = match self.as_json {
            true => output::inert(&json!({ "event": "reply", "text": reply })),
            false => Visible(&reply).to_string(),
        };
        if self.is_read {
            self.is_read = output::result_if_read(line)?;
        }
        Ok(())
    }
}

/// Why a message was not left, or its reply not shown.
#[derive(Debug, thiserror::Error)]
enum Unsaid {
    #[error(transparent)]
    Call(#[from] BareCallError),
    #[error(transparent)]
    Unwritten(#[from] output::Unwritten),
}

fn is_last_word(line: &str) -> bool {
    line.trim() == DISCONNECT || line.trim().eq_ignore_ascii_case(EXIT)
}
