//! `fernwire log`: messages from the command line, a pipe or a prompt into a server's log.

use std::future::Future;
use std::io::{self, IsTerminal};
use std::pin::Pin;
use std::process::ExitCode;

use anyhow::{anyhow, bail};
use fernwire::client::log::{DeliveryError, Event, Events, Lines, deliver};
use fernwire::client::reconnect::Pauses;
use fernwire::model::Visible;
use fernwire::transport::endpoint::bare::FernetService;
use serde_json::json;
use tokio::sync::mpsc;

use crate::again::Again;
use crate::bare::Found;
use crate::cli::MessageLogArgs;
use crate::connect::find_server_before_texts;
use crate::impatience::{self, Wishes};
use crate::{account, bare, output};

pub(crate) mod input;
pub(crate) mod prompt;

/// The line that ends a session.
pub(crate) const DISCONNECT: &str = "!DISCONNECT";

pub(crate) fn run(mut args: MessageLogArgs) -> anyhow::Result<ExitCode> {
    let endpoint = find_server_before_texts(&args.client, &mut args.messages)?;
    let found = bare::find(endpoint, FernetService::Log, &args.client)?;
    if args.messages.iter().any(|word| word.trim().is_empty()) {
        bail!("a message is empty");
    }
    let form = if args.client.json { Form::Json } else { Form::Plain };
    // The session has a thread of its own, so that it lives on while stdin or stdout keeps us waiting.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let ended = runtime.block_on(async {
        let mut server = match found {
            Found::Server(server) => server,
            Found::Peer(peer) => {
                bare::refuse_account(&args.account)?;
                return bare::log::run(peer, args.messages, args.client.json).await;
            }
        };
        let (client, welcome) = account::connect(&mut server, &args.account).await?;
        let again = Again::new(&server, welcome, &args.account);
        let listens = args.messages.is_empty();
        let (lines, events) = deliver(client, again, Pauses::default(), listens)?;
        if !args.messages.is_empty() {
            deliver_all(lines, events, input::of_words(args.messages), form).await
        } else if io::stdin().is_terminal() && io::stdout().is_terminal() {
            prompt::run(lines, events, form).await
        } else {
            if io::stdin().is_terminal() {
                output::note(format_args!("Type one message a line; Ctrl-D or {DISCONNECT} ends."));
            }
            deliver_all(lines, events, input::of_stdin()?, form).await
        }
    });
    // A line that is still being read keeps nobody waiting.
    runtime.shutdown_background();
    ended
}

/// How events are printed.
#[derive(Clone, Copy)]
enum Form {
    Plain,
    Json,
}

impl Form {
    /// A result as a line, if the event is one.
    fn line(self, event: &Event) -> Option<String> {
        match (self, event) {
            (Self::Plain, Event::Received { ends_line, .. }) => ends_line.then(|| "Message received".to_owned()),
            (Self::Json, Event::Received { number, row, .. }) => {
                Some(output::inert(&json!({ "event": "received", "number": number, "row": row })))
            }
            (Self::Plain, Event::Answer(text)) => Some(format!("Server: {}", Visible(text))),
            (Self::Json, Event::Answer(text)) => Some(output::inert(&json!({ "event": "answer", "text": text }))),
            _ => None,
        }
    }
}

/// Something about the connection, if the event is that.
fn note_on(event: &Event) -> Option<String> {
    match event {
        Event::Lost { reason, retry_in } if retry_in.is_zero() => {
            Some(format!("connection lost: {reason}; trying again"))
        }
        Event::Lost { reason, retry_in } => Some(format!("no connection: {reason}; {}", output::again_in(*retry_in))),
        Event::Busy { reason, retry_in } => Some(format!("{reason}; {}", output::again_in(*retry_in))),
        Event::Online => Some("connected again".to_owned()),
        _ => None,
    }
}

/// Why nothing is delivered any more, and what would help.
fn failed(error: &DeliveryError) -> anyhow::Error {
    anyhow!("{error}; what was not acknowledged may not be in the server's log")
}

/// Delivers what comes in until its end, and prints what becomes of it.
async fn deliver_all(
    lines: Lines,
    mut events: Events,
    input: mpsc::Receiver<io::Result<String>>,
    form: Form,
) -> anyhow::Result<ExitCode> {
    impatience::end_at_the_second_signal()?;
    let mut wishes = Wishes::heard()?;
    let mut feeding: Option<Pin<Box<dyn Future<Output = io::Result<()>>>>> = Some(Box::pin(feed(lines, input)));
    let (mut read, mut is_read) = (Ok(()), true);
    loop {
        let fed = async {
            match &mut feeding {
                Some(feeding) => feeding.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            result = fed => {
                feeding = None;
                read = result;
            }
            event = events.next() => match event {
                Some(Event::Ended(result)) => {
                    result.map_err(|error| failed(&error))?;
                    read.map_err(|error| anyhow!("cannot read the messages from stdin: {error}"))?;
                    return Ok(ExitCode::SUCCESS);
                }
                Some(event) => {
                    if let Some(line) = form.line(&event).filter(|_| is_read) {
                        // That nobody reads the acknowledgements is no reason to lose lines.
                        is_read = output::result_if_read(line)?;
                    }
                    note_on(&event).into_iter().for_each(output::note);
                }
                None => bail!("the delivery has failed"),
            },
            // What was read is still delivered, unless that is not wanted either.
            () = wishes.next() => if feeding.take().is_none() { bail!("stopped before everything was acknowledged") },
        }
    }
}

/// Hands lines on until there are no more, one says so, or nobody takes them.
async fn feed(lines: Lines, mut input: mpsc::Receiver<io::Result<String>>) -> io::Result<()> {
    while let Some(line) = input.recv().await.transpose()? {
        if line.trim() == DISCONNECT || !lines.send(&line).await {
            break;
        }
    }
    Ok(())
}
