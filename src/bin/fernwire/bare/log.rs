//! Messages for the log of a program with bare Fernet, each of which is replied to by a person or a program.

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

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
/// How long it is looked whether something follows that.
const A_MOMENT: Duration = Duration::from_millis(100);

pub(crate) async fn run(peer: Peer, messages: Vec<String>, as_json: bool) -> anyhow::Result<ExitCode> {
    if messages.iter().rev().skip(1).any(|message| is_last_word(message)) {
        bail!("`{EXIT}` ends a session there, so that it cannot be a message; nothing was sent");
    }
    let mut talk = Talk { client: peer.connect().await?, as_json, is_read: true };
    let interactive = messages.is_empty() && io::stdin().is_terminal() && io::stdout().is_terminal();
    if interactive {
        let left = talk.with_person().await;
        let ended = talk.client.end(Some(EXIT)).await;
        let code = left?;
        return ended.map(|()| code).map_err(Into::into);
    }
    let mut input = if messages.is_empty() { input::of_stdin()? } else { input::of_words(messages) };
    if io::stdin().is_terminal() && !input.is_closed() {
        output::note(format_args!("Type one message a line; Ctrl-D or {DISCONNECT} ends."));
    }
    let left = talk.leave_all(&mut input).await;
    let ended = talk.client.end(Some(EXIT)).await;
    let last = left?;
    ended?;
    match last {
        Last::Exit => refuse_more(&mut input).await,
        Last::End => Ok(ExitCode::SUCCESS),
    }
}

/// What ended the input.
enum Last {
    /// Its end, or the word that always ends it.
    End,
    /// The word that ends a session of these servers alone, and may have been meant as a message.
    Exit,
}

/// What follows that word is not dropped in silence; but nobody waits for it.
async fn refuse_more(input: &mut mpsc::Receiver<io::Result<String>>) -> anyhow::Result<ExitCode> {
    match tokio::time::timeout(A_MOMENT, input.recv()).await {
        Ok(Some(_)) => {
            bail!("`{EXIT}` ends a session there, so that it cannot be a message; it and what follows it were not sent")
        }
        _ => Ok(ExitCode::SUCCESS),
    }
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
    async fn leave_all(&mut self, input: &mut mpsc::Receiver<io::Result<String>>) -> anyhow::Result<Last> {
        let mut number = 0;
        while let Some(line) = input.recv().await {
            let line = line.map_err(|error| anyhow!("cannot read the messages from stdin: {error}"))?;
            if line.trim() == DISCONNECT {
                break;
            }
            if is_last_word(&line) {
                return Ok(Last::Exit);
            }
            number += 1;
            self.leave(&line).await.map_err(|error| anyhow!("message {number}: {error}"))?;
        }
        Ok(Last::End)
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
