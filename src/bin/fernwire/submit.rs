//! `fernwire submit`: data from the command line, a file or questions, to be stored on a server.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{anyhow, bail};
use fernwire::client::reconnect::Pauses;
use fernwire::client::submit::{Stored, Submission, Submitter};
use fernwire::config::secrecy::shown;
use fernwire::document::error::DocumentError;
use fernwire::document::{Format, MAX_DOCUMENT, encode};
use fernwire::transport::endpoint::bare::FernetService;
use serde_json::json;

use crate::again::Again;
use crate::bare::Found;
use crate::cli::SubmitArgs;
use crate::connect::find_server_before_texts;
use crate::{account, bare, output};

mod questions;

pub(crate) use questions::Questions;

pub(crate) fn run(mut args: SubmitArgs) -> anyhow::Result<ExitCode> {
    let endpoint = find_server_before_texts(&args.client, &mut args.pairs)?;
    let found = bare::find(endpoint, FernetService::Submit, &args.client)?;
    // Before anybody is connected to: what cannot be sent needs no server.
    let given = match (&args.file, &args.pairs[..]) {
        (Some(_), [_, ..]) => bail!("--file is submitted as it is, so leave KEY=VALUE out, or --file"),
        (Some(file), []) => Some(Submission::new(read(file)?, args.format)?),
        (None, []) => None,
        (None, words) => {
            let pairs = words.iter().map(|word| pair(word)).collect::<anyhow::Result<Vec<_>>>()?;
            Some(written(&pairs, args.format.unwrap_or(Format::Json))?)
        }
    };
    // The session has a thread of its own, so that it lives on while somebody thinks about an answer.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let ended = runtime.block_on(async {
        let mut server = match found {
            Found::Server(server) => server,
            Found::Peer(peer) => {
                bare::refuse_account(&args.account)?;
                return bare::submit::run(peer, given, args.format, args.client.json).await;
            }
        };
        let mut questions = match &given {
            None => Some(Questions::open(args.format)?),
            Some(_) => None,
        };
        let (client, welcome) = account::connect(&mut server, &args.account).await?;
        let mut submitter = Submitter::new(client, Again::new(&server, welcome, &args.account), Pauses::default());
        let mut next = match &mut questions {
            Some(questions) => questions.next().await?,
            None => given,
        };
        while let Some(submission) = next {
            print(submitter.submit(&submission).await?, args.client.json)?;
            next = match &mut questions {
                Some(questions) => questions.another().await?,
                None => None,
            };
        }
        submitter.close().await;
        Ok(ExitCode::SUCCESS)
    });
    // A line that is still being read keeps nobody waiting.
    runtime.shutdown_background();
    ended
}

fn print(stored: Stored, as_json: bool) -> Result<(), output::Unwritten> {
    let Stored { row, format } = stored;
    if as_json {
        output::json(&json!({ "row": row, "format": format.as_str() }))
    } else {
        output::result(format_args!("Stored as number {row} ({format})"))
    }
}

/// What is submitted for these pairs.
fn written(pairs: &[(String, String)], format: Format) -> anyhow::Result<Submission> {
    Ok(Submission::new(encode(format, pairs)?, Some(format))?)
}

fn pair(word: &str) -> anyhow::Result<(String, String)> {
    match word.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => bail!("`{}` is not KEY=VALUE, such as first_name=Ada", shown(word)),
    }
}

/// The whole of a file, or of stdin; no more than a document may have.
fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = MAX_DOCUMENT as u64 + 1;
    let result = if file == Path::new("-") {
        if io::stdin().is_terminal() {
            output::note("Type or paste the data; Ctrl-D ends.");
        }
        io::stdin().lock().take(most).read_to_end(&mut bytes)
    } else {
        File::open(file).and_then(|opened| opened.take(most).read_to_end(&mut bytes))
    };
    result.map_err(|error| anyhow!("cannot read {}: {error}", file.display()))?;
    match (bytes.is_empty(), bytes.len() > MAX_DOCUMENT) {
        (true, _) => Err(DocumentError::Empty.into()),
        (_, true) => bail!("{} has more than the {MAX_DOCUMENT} bytes that a document may have", file.display()),
        _ => Ok(bytes),
    }
}
