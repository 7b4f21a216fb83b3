//! `fernwire query`: one-shot, a pipe, or a prompt.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use anyhow::{anyhow, bail};
use fernwire::channel::DRAIN_TIMEOUT;
use fernwire::client::{CallError, Client};
use fernwire::config::Folders;
use fernwire::model::Visible;
use fernwire::protocol::query::QueryReply;
use fernwire::transport::endpoint::bare::FernetService;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use crate::bare::{self, Found};
use crate::cli::QueryArgs;
use crate::connect::{Server, find_server};
use crate::output;
use crate::signals::Kept;

const PROMPT: &str = "Enter your Query: Eg SetA-One or type 'exit' to quit: ";

pub(crate) fn run(mut args: QueryArgs) -> anyhow::Result<ExitCode> {
    let endpoint = find_server(&args.client, &mut args.words)?;
    let found = bare::find(endpoint, FernetService::Query, &args.client)?;
    if args.words.iter().any(|word| word.trim().is_empty()) {
        bail!("a query is empty; what is looked up looks like SetA-Two");
    }
    // The session has a thread of its own, so that it lives on while stdin or stdout keeps us waiting.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut server = match found {
        Found::Server(server) => server,
        Found::Peer(peer) => return runtime.block_on(bare::query::run(peer, args.words, args.client.json)),
    };
    let form = if args.client.json { Form::Json } else { Form::Plain };
    runtime.block_on(async {
        if !args.words.is_empty() {
            ask_all(&mut server, args.words.into_iter().map(Ok), form).await
        } else if io::stdin().is_terminal() && io::stdout().is_terminal() {
            let form = if args.client.json { Form::Json } else { Form::Prompt };
            Prompt::open(server, form).await
        } else {
            ask_all(&mut server, lines_of_stdin(), form).await
        }
    })
}

/// Queries in a pipe, or from a person whose results go into one.
pub(crate) fn lines_of_stdin() -> impl Iterator<Item = io::Result<String>> {
    if io::stdin().is_terminal() {
        output::note("Type one query a line; Ctrl-D ends.");
    }
    // `exit` ends a pipe too, so that what was typed at the prompt once can be piped.
    io::stdin().lines().take_while(|line| !line.as_ref().is_ok_and(|line| line.trim() == "exit"))
}

/// How replies are printed.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    Plain,
    Prompt,
    Json,
}

impl Form {
    pub(crate) fn print(self, query: &str, reply: &QueryReply) -> Result<(), output::Unwritten> {
        let text = match reply {
            QueryReply::Timestamp { time } => Visible(time).to_string(),
            QueryReply::Empty => "EMPTY".to_owned(),
        };
        match (self, reply) {
            (Self::Plain, _) => output::result(text),
            (Self::Prompt, _) => output::result(format_args!("[CLIENT] Received: {text}")),
            (Self::Json, QueryReply::Timestamp { time }) => {
                output::json(&json!({ "query": query, "kind": "timestamp", "time": time }))
            }
            (Self::Json, QueryReply::Empty) => output::json(&json!({ "query": query, "kind": "empty" })),
        }
    }
}

/// Asks every query in turn over one session. Blank lines ask nothing.
async fn ask_all(
    server: &mut Server,
    queries: impl Iterator<Item = io::Result<String>>,
    form: Form,
) -> anyhow::Result<ExitCode> {
    let client = server.connect().await?;
    let mut all_found = true;
    for query in queries {
        let query = query.map_err(|error| anyhow!("cannot read the queries from stdin: {error}"))?;
        if !query.trim().is_empty() {
            all_found &= ask(&client, query.trim(), form).await?;
        }
    }
    // Every query is answered. A server that stops at this moment, and says so first, takes nothing away from that.
    let _ = client.close().await;
    Ok(if all_found { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Prints the replies to one query; the result is whether the server found it.
async fn ask(client: &Client, query: &str, form: Form) -> anyhow::Result<bool> {
    let mut replies = client.query(query);
    let mut found = true;
    while let Some(reply) = replies.next().await? {
        found &= reply != QueryReply::Empty;
        form.print(query, &reply)?;
    }
    Ok(found)
}

pub(crate) type Editor = rustyline::Editor<(), FileHistory>;

/// A person at a terminal.
struct Prompt {
    server: Server,
    form: Form,
    /// The session in use; a lost one is replaced when the next query needs it.
    client: Option<Client>,
}

impl Prompt {
    async fn open(mut server: Server, form: Form) -> anyhow::Result<ExitCode> {
        let client = Some(server.connect().await?);
        let mut prompt = Self { server, form, client };
        let mut editor = Editor::new()?;
        let history = Folders::from_env(|name| std::env::var_os(name))?.config.join("query_history");
        // A history that cannot be read or kept is no reason not to ask.
        let _ = editor.load_history(&history);
        loop {
            let line;
            (editor, line) = read_line(editor).await?;
            match line {
                Ok(line) if line.trim() == "exit" => break,
                Ok(line) if line.trim().is_empty() => {}
                Ok(line) => {
                    let _ = editor.add_history_entry(line.trim());
                    if let Err(error) = prompt.ask(line.trim()).await {
                        if output::is_closed_pipe(&error) {
                            return Err(error);
                        }
                        output::note(format_args!("fernwire: {error}"));
                    }
                }
                Err(ReadlineError::Interrupted) => output::note("Type exit, or press Ctrl-D, to leave."),
                Err(ReadlineError::Eof) => break,
                Err(error) => return Err(error.into()),
            }
        }
        let _ = std::fs::create_dir_all(history.parent().unwrap_or(&history));
        let _ = editor.save_history(&history);
        if let Some(client) = prompt.client {
            // Whoever leaves does not care how the server takes it, nor wants to wait for it.
            let _ = tokio::time::timeout(DRAIN_TIMEOUT, client.close()).await;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Asks one query. Ctrl-C stops it; a server that does not answer to that is not waited for.
    async fn ask(&mut self, query: &str) -> anyhow::Result<()> {
        // One listener for all of it: between two of them a Ctrl-C would be lost.
        let mut interrupts = signal(SignalKind::interrupt())?;
        if self.client.as_ref().is_none_or(Client::is_closed) {
            tokio::select! {
                client = self.server.connect() => self.client = Some(client?),
                _ = interrupts.recv() => {
                    output::note("Stopped.");
                    return Ok(());
                }
            }
            output::note("Connected again.");
        }
        let Some(client) = &self.client else { return Ok(()) };
        let mut replies = client.query(query);
        let mut cancelled_at = None;
        loop {
            tokio::select! {
                reply = replies.next() => match reply {
                    Ok(Some(reply)) => self.form.print(query, &reply)?,
                    Ok(None) => return Ok(()),
                    Err(CallError::Cancelled) => {
                        output::note("Stopped.");
                        return Ok(());
                    }
                    Err(error) => return Err(error.into()),
                },
                _ = interrupts.recv(), if cancelled_at.is_none() => {
                    cancelled_at = Some(Instant::now());
                    replies.cancel();
                }
                () = sleep_until(cancelled_at.unwrap_or_else(Instant::now) + DRAIN_TIMEOUT), if cancelled_at.is_some() => {
                    output::note("Stopped, though the server does not answer.");
                    return Ok(());
                }
            }
        }
    }
}

/// Reads a line on a thread of its own, so that the session lives on meanwhile.
pub(crate) async fn read_line(mut editor: Editor) -> anyhow::Result<(Editor, rustyline::Result<String>)> {
    let reading = tokio::task::spawn_blocking(move || {
        let line = Kept::begin().map_err(ReadlineError::from).and_then(|_kept| editor.readline(PROMPT));
        (editor, line)
    });
    Ok(reading.await?)
}
