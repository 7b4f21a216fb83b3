//! Messages for the log of a program with bare Fernet, each of which is replied to by a person or a program.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use anyhow::anyhow;
use fernwire::client::bare::BareClient;
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
    let mut client = peer.connect().await?;
    let interactive = messages.is_empty() && io::stdin().is_terminal() && io::stdout().is_terminal();
    if interactive {
        if !converse(&mut client, as_json).await? {
            return Ok(ExitCode::from(2));
        }
    } else if messages.is_empty() {
        if io::stdin().is_terminal() {
            output::note(format_args!("Type one message a line; Ctrl-D or {DISCONNECT} ends."));
        }
        leave_all(&mut client, input::of_stdin()?, as_json).await?;
    } else {
        leave_all(&mut client, input::of_words(messages), as_json).await?;
    }
    client.end(Some(EXIT)).await?;
    Ok(ExitCode::SUCCESS)
}

/// Leaves what comes in until its end.
async fn leave_all(
    client: &mut BareClient,
    mut input: mpsc::Receiver<io::Result<String>>,
    as_json: bool,
) -> anyhow::Result<()> {
    while let Some(line) = input.recv().await {
        let line = line.map_err(|error| anyhow!("cannot read the messages from stdin: {error}"))?;
        if is_last_word(&line) {
            break;
        }
        leave(client, &line, as_json).await?;
    }
    Ok(())
}

/// A person leaves messages; false if they did not wait for a reply.
async fn converse(client: &mut BareClient, as_json: bool) -> anyhow::Result<bool> {
    let mut editor = prompt::editor()?;
    loop {
        let line;
        (editor, line) = prompt::read_line(editor).await?;
        match line {
            Ok(line) if is_last_word(&line) => return Ok(true),
            Ok(line) if line.trim().is_empty() => {}
            Ok(line) => {
                let _ = editor.add_history_entry(line.as_str());
                let mut interrupts = signal(SignalKind::interrupt())?;
                tokio::select! {
                    left = leave(client, &line, as_json) => left?,
                    _ = interrupts.recv() => {
                        output::note("Not answered; whether the server has taken it is unknown.");
                        return Ok(false);
                    }
                }
            }
            Err(ReadlineError::Eof | ReadlineError::Interrupted) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
}

fn is_last_word(line: &str) -> bool {
    line.trim() == DISCONNECT || line.trim().eq_ignore_ascii_case(EXIT)
}

async fn leave(client: &mut BareClient, message: &str, as_json: bool) -> anyhow::Result<()> {
    let reply = client.say(message).await?;
    if as_json {
        output::json(&json!({ "event": "reply", "text": reply }))?;
    } else {
        output::result(Visible(&reply))?;
    }
    Ok(())
}
