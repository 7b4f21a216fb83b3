//! Data for a program with bare Fernet, which acknowledges nothing.

use std::process::ExitCode;

use anyhow::{anyhow, bail};
use fernwire::channel::bare::{BareError, token_characters};
use fernwire::client::bare::BareClient;
use fernwire::client::submit::Submission;
use fernwire::document::Format;
use fernwire::model::Visible;
use serde_json::json;

use super::Peer;
use crate::output;
use crate::submit::Questions;

/// What ends a session there.
const SESSION_END: &str = "session_end";

/// Submits what is given, or what is answered to the questions.
pub(crate) async fn run(
    peer: Peer,
    given: Option<Submission>,
    format: Option<Format>,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let mut questions = match &given {
        None => Some(Questions::open(format)?),
        Some(_) => None,
    };
    // Before anybody is connected to: what cannot be sent needs no server.
    if let Some(given) = &given {
        refuse_too_long(&peer, given)?;
    }
    let mut client = peer.connect().await?;
    let mut next = match &mut questions {
        Some(questions) => questions.next().await?,
        None => given,
    };
    while let Some(submission) = next {
        match refuse_too_long(&peer, &submission) {
            Err(error) if questions.is_some() => output::note(format_args!("fernwire: {error}")),
            _ => submit(&mut client, &submission, as_json).await?,
        }
        next = match &mut questions {
            Some(questions) => questions.another().await?,
            None => None,
        };
    }
    client.end(Some(SESSION_END)).await?;
    Ok(ExitCode::SUCCESS)
}

fn refuse_too_long(peer: &Peer, submission: &Submission) -> Result<(), BareError> {
    let (bytes, max_token) = (submission.document().len(), peer.max_token());
    if token_characters(bytes) > max_token { Err(BareError::TooLong { bytes, max_token }) } else { Ok(()) }
}

async fn submit(client: &mut BareClient, submission: &Submission, as_json: bool) -> anyhow::Result<()> {
    if submission.document() == SESSION_END.as_bytes() {
        bail!("a server of this kind would take this document for the end of the session");
    }
    let submitting = client.submit(submission.document()).await;
    let said = submitting.map_err(|error| anyhow!("{error}; whether the document is stored is unknown"))?;
    match (said, as_json) {
        (None, true) => output::json(&json!({ "event": "sent", "acknowledged": false }))?,
        (Some(said), true) => output::json(&json!({ "event": "sent", "acknowledged": false, "text": said }))?,
        (Some(said), false) => output::result(format_args!("Sent; the server says: {}", Visible(&said)))?,
        (None, false) => {
            output::result("Sent; a server of this kind acknowledges nothing, so whether it is stored is unknown")?;
        }
    }
    Ok(())
}
