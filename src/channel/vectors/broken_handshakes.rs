//! Handshake frames that end the connection, and why: each a good frame and what was changed in it.

use serde::Serialize;

use super::super::handshake::{Initiator, Offer, Responder};
use super::super::mode::{KeyMode, KeyModes};
use super::edit::{Edit, edited, resized};
use super::parties::{Field, Held, Inputs, alert, encoded, policy, word};
use super::{Run, client_entropy, hold_to_file, server_entropy};

mod frames;
mod hellos;
mod keys;

#[test]
fn broken_handshakes_are_refused_for_the_reasons_of_their_vectors() {
    let mut broken = Vec::new();
    broken.extend(frames::all());
    broken.extend(hellos::all());
    broken.extend(keys::all());
    let good = KeyMode::ALL.map(Good::of).into();
    hold_to_file("broken-handshakes", &File { inputs: Inputs::known(), good, broken });
}

#[derive(Serialize)]
struct File {
    inputs: Inputs,
    good: Vec<Good>,
    broken: Vec<Broken>,
}

/// The frames before they are changed: the client offers this mode alone, and the server allows it alone.
#[derive(Serialize)]
struct Good {
    mode: &'static str,
    client_hello: String,
    server_hello: String,
    server_finished: String,
    client_finished: String,
}

impl Good {
    fn of(mode: KeyMode) -> Self {
        let run = run(mode);
        Self {
            mode: mode.name(),
            client_hello: hex::encode(run.client_hello),
            server_hello: hex::encode(run.server_hello),
            server_finished: hex::encode(run.server_finished),
            client_finished: hex::encode(run.client_finished),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    ClientHello,
    ServerHello,
    ServerFinished,
    ClientFinished,
}

use Step::*;

/// A frame in the place of a good one; all before it were good.
#[derive(Serialize)]
struct Broken {
    mode: &'static str,
    step: Step,
    changes: Vec<Edit>,
    frame: String,
    refused: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<String>,
}

fn run(mode: KeyMode) -> Run {
    Run::of(mode, [mode].into_iter().collect())
}

fn good(mode: KeyMode, step: Step) -> Vec<u8> {
    let run = run(mode);
    match step {
        ClientHello => run.client_hello,
        ServerHello => run.server_hello,
        ServerFinished => run.server_finished,
        ClientFinished => run.client_finished,
    }
}

/// Changes the good frame, length included, and gives it to whoever reads it.
fn broken(mode: KeyMode, step: Step, reason: &'static str, edits: impl FnOnce(&[u8]) -> Vec<Edit>) -> Broken {
    let frame = good(mode, step);
    let edits = resized(&frame, edits(&frame));
    refuse(mode, step, reason, edits)
}

fn refuse(mode: KeyMode, step: Step, reason: &'static str, changes: Vec<Edit>) -> Broken {
    let frame = edited(&good(mode, step), &changes);
    let modes: KeyModes = [mode].into_iter().collect();
    let held = mode.needs_secret().then_some(Held::Psk);
    let run = run(mode);
    let initiator = || Initiator::start(Offer::new(modes, held.map(Held::key)).unwrap(), client_entropy()).0;
    let responder = || Responder::new(policy(modes, held).unwrap(), server_entropy());
    let result = match step {
        ClientHello => responder().read_client_hello(&frame).map(drop),
        ServerHello => initiator().read_server_hello(&frame).map(drop),
        ServerFinished => {
            initiator().read_server_hello(&run.server_hello).unwrap().read_server_finished(&frame).map(drop)
        }
        ClientFinished => {
            responder().read_client_hello(&run.client_hello).unwrap().0.read_client_finished(&frame).map(drop)
        }
    };
    let error = result.unwrap_err();
    assert_eq!(word(&error), reason, "{error}");
    Broken { mode: mode.name(), step, changes, frame: hex::encode(frame), refused: reason, alert: alert(&error) }
}

/// Where a field of the good hello begins, and its length with type and length.
fn field(hello: &[u8], kind: u16) -> (usize, usize) {
    let mut at = 3 + 9;
    loop {
        let number = |at: usize| u16::from_be_bytes([hello[at], hello[at + 1]]);
        let length = 4 + usize::from(number(at + 2));
        if number(at) == kind {
            return (at, length);
        }
        at += length;
    }
}

/// The edit that puts these fields in the place of one.
fn instead(hello: &[u8], kind: u16, fields: &[Field]) -> Vec<Edit> {
    let (at, length) = field(hello, kind);
    vec![Edit::replace(hello, at, length, &fields.iter().flat_map(encoded).collect::<Vec<_>>())]
}

/// The edit of a field's value.
fn value(hello: &[u8], kind: u16, bytes: &[u8]) -> Edit {
    let (at, length) = field(hello, kind);
    assert_eq!(bytes.len(), length - 4);
    Edit::replace(hello, at + 4, length - 4, bytes)
}

fn appended(hello: &[u8], fields: &[Field]) -> Vec<Edit> {
    trailing(hello, &fields.iter().flat_map(encoded).collect::<Vec<_>>())
}

fn trailing(hello: &[u8], bytes: &[u8]) -> Vec<Edit> {
    vec![Edit::replace(hello, hello.len(), 0, bytes)]
}
