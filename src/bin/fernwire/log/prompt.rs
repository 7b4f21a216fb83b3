//! A person at a terminal, who leaves messages and may be answered.

use std::pin::pin;
use std::process::ExitCode;

use anyhow::bail;
use fernwire::channel::DRAIN_TIMEOUT;
use fernwire::client::log::{Event, Events, Lines};
use rustyline::ExternalPrinter;
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use tokio::signal::unix::{SignalKind, signal};

use super::{DISCONNECT, Form, failed, note_on};
use crate::output;
use crate::signals::Kept;

const PROMPT: &str = "Enter a message: ";

pub(crate) type Editor = rustyline::Editor<(), MemHistory>;

/// Asks for messages until the person has no more.
pub(super) async fn run(lines: Lines, mut events: Events, form: Form) -> anyhow::Result<ExitCode> {
    let mut editor = editor()?;
    let mut printer = editor.create_external_printer()?;
    loop {
        let mut reading = pin!(read_line(editor));
        let line;
        (editor, line) = loop {
            tokio::select! {
                read = &mut reading => break read?,
                event = events.next() => {
                    // Above the prompt, and what is being typed stays.
                    let Some(text) = shown(event, form)? else { continue };
                    printer.print(format!("{text}\n"))?;
                }
            }
        };
        match line {
            Ok(line) if line.trim() == DISCONNECT => break,
            Ok(line) if line.trim().is_empty() => {}
            Ok(line) => {
                let _ = editor.add_history_entry(line.as_str());
                if !leave(&lines, &line, &mut events, form).await? {
                    break;
                }
            }
            Err(ReadlineError::Eof | ReadlineError::Interrupted) => break,
            Err(error) => return Err(error.into()),
        }
    }
    drop(lines);
    // Whoever leaves does not care how the server takes it, nor wants to wait for it: everything is acknowledged, or
    // the person has stopped waiting.
    let ending = async { while events.next().await.is_some() {} };
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, ending).await;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn editor() -> rustyline::Result<Editor> {
    Editor::with_history(rustyline::Config::default(), MemHistory::new())
}

/// Reads a line on a thread of its own, so that the session lives on meanwhile.
pub(crate) async fn read_line(mut editor: Editor) -> anyhow::Result<(Editor, rustyline::Result<String>)> {
    let reading = tokio::task::spawn_blocking(move || {
        let line = Kept::begin().map_err(ReadlineError::from).and_then(|_kept| editor.readline(PROMPT));
        (editor, line)
    });
    Ok(reading.await?)
}

/// Sends one message and waits until it is acknowledged; false if the person does not want to wait any more.
async fn leave(lines: &Lines, line: &str, events: &mut Events, form: Form) -> anyhow::Result<bool> {
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut sending = Box::pin(lines.send(line));
    let mut sent = false;
    loop {
        tokio::select! {
            _ = &mut sending, if !sent => sent = true,
            event = events.next() => {
                let is_received = matches!(event, Some(Event::Received { ends_line: true, .. }));
                let is_result = event.as_ref().is_some_and(|event| form.line(event).is_some());
                if let Some(text) = shown(event, form)? {
                    if is_result { output::result(text)? } else { output::note(text) }
                }
                if is_received {
                    return Ok(true);
                }
            }
            _ = interrupts.recv() => {
                output::note("Not acknowledged; it may not be in the server's log.");
                return Ok(false);
            }
        }
    }
}

/// What the person sees of an event.
fn shown(event: Option<Event>, form: Form) -> anyhow::Result<Option<String>> {
    match event {
        Some(Event::Ended(Err(error))) => Err(failed(&error)),
        Some(event) => Ok(form.line(&event).or_else(|| note_on(&event))),
        None => bail!("the session has ended"),
    }
}
