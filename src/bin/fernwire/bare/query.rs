//! Time queries at a program with bare Fernet.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use anyhow::anyhow;
use fernwire::client::bare::BareClient;
use fernwire::protocol::query::QueryReply;
use rustyline::error::ReadlineError;
use tokio::signal::unix::{SignalKind, signal};

use super::Peer;
use crate::output;
use crate::query::{Editor, Form, lines_of_stdin, read_line};

pub(crate) async fn run(peer: Peer, words: Vec<String>, as_json: bool) -> anyhow::Result<ExitCode> {
    let form = if as_json { Form::Json } else { Form::Plain };
    if !words.is_empty() {
        ask_all(&peer, words.into_iter().map(Ok), form).await
    } else if io::stdin().is_terminal() && io::stdout().is_terminal() {
        prompt(&peer, if as_json { Form::Json } else { Form::Prompt }).await
    } else {
        ask_all(&peer, lines_of_stdin(), form).await
    }
}

/// Asks every query in turn over one connection. Blank lines ask nothing.
async fn ask_all(
    peer: &Peer,
    queries: impl Iterator<Item = io::Result<String>>,
    form: Form,
) -> anyhow::Result<ExitCode> {
    let mut client = peer.connect().await?;
    let mut all_found = true;
    for query in queries {
        let query = query.map_err(|error| anyhow!("cannot read the queries from stdin: {error}"))?;
        if !query.trim().is_empty() {
            all_found &= ask(&mut client, query.trim(), form).await?;
        }
    }
    client.end(None).await?;
    Ok(if all_found { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Prints the replies to one query; the result is whether the server found it.
async fn ask(client: &mut BareClient, query: &str, form: Form) -> anyhow::Result<bool> {
    client.ask(query).await?;
    while let Some(reply) = client.next_reply().await? {
        form.print(query, &reply)?;
        if reply == QueryReply::Empty {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A person asks. What cannot be cancelled ends with the connection, and the next query makes another.
async fn prompt(peer: &Peer, form: Form) -> anyhow::Result<ExitCode> {
    let mut client = Some(peer.connect().await?);
    let mut editor = Editor::new()?;
    loop {
        let line;
        (editor, line) = read_line(editor).await?;
        let line = match line {
            Ok(line) if line.trim() == "exit" => break,
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => {
                output::note("Type exit, or press Ctrl-D, to leave.");
                continue;
            }
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error.into()),
        };
        if line.trim().is_empty() {
            continue;
        }
        let _ = editor.add_history_entry(line.trim());
        let mut interrupts = signal(SignalKind::interrupt())?;
        let asking = async {
            let mut connected = match client.take() {
                Some(client) => client,
                None => peer.connect().await?,
            };
            ask(&mut connected, line.trim(), form).await?;
            anyhow::Ok(connected)
        };
        tokio::select! {
            asked = asking => match asked {
                Ok(connected) => client = Some(connected),
                Err(error) if output::is_closed_pipe(&error) => return Err(error),
                Err(error) => output::note(format_args!("fernwire: {error}")),
            },
            _ = interrupts.recv() => output::note("Stopped."),
        }
    }
    if let Some(client) = client {
        client.end(None).await?;
    }
    Ok(ExitCode::SUCCESS)
}
