//! A server at home with certificates of `scripts/gen-certs.sh`, and people who chat on it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::hosts::{HOME, NAME};
use crate::program::{FERNWIRE, Outcome, Process, RunningServer, Sandbox};

pub(crate) const PASSWORD: &str = "Correct-1-horse";
/// The port of every server here; each test has its hosts for itself.
pub(crate) const PORT: u16 = 3376;

/// What the lines of messages that have come have in them, and those of messages that are on the server.
const ENTRY: &str = r#""event":"entry""#;
const SENT: &str = r#""event":"sent""#;

/// Stands in the place of cargo: runs what is built already, with the arguments behind `--`.
const CARGO: &str = r#"#!/bin/sh
while [ "$1" != -- ]; do shift; done
shift
exec "$FERNWIRE" "$@"
"#;

/// Runs `scripts/gen-certs.sh` with these arguments, as if the user's home were a clone.
pub(crate) fn gen_certs(home: &Sandbox, args: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/gen-certs.sh");
    home.write("scripts/gen-certs.sh", 0o755, &fs::read_to_string(script).unwrap());
    home.write("bin/cargo", 0o755, CARGO);
    let path = format!("{}:/usr/bin:/bin:/usr/sbin:/sbin", home.arg("bin"));
    let mut command = home.command(&home.arg("scripts/gen-certs.sh"));
    let outcome = home.start(command.args(args).env("PATH", path).env("FERNWIRE", FERNWIRE)).wait();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}

/// A server on TLS at both addresses of its host, with the certificate that is in `certs/`.
pub(crate) fn serve_tls(home: &Sandbox, args: &[&str]) -> RunningServer {
    let [v4, v6] = HOME;
    let second = format!("tls://[{v6}]:{PORT}");
    let named = ["--tls-cert", "certs/server.pem", "--tls-key", "certs/server-key.pem", "--listen", &second];
    home.serve_at(&format!("tls://{v4}:{PORT}"), &[&named, args].concat())
}

/// The server by its name.
pub(crate) fn url() -> String {
    format!("tls://{NAME}:{PORT}")
}

/// Somebody who chats through pipes.
pub(crate) struct Person {
    process: Process,
    name: String,
}

impl Person {
    /// Signs up or logs in at this server, which these arguments prove.
    pub(crate) fn enters(home: &Sandbox, name: &str, url: &str, more: &[&str]) -> Self {
        home.write("password", 0o600, &format!("{PASSWORD}\n"));
        let args = ["chat", url, "--json", "--user", name, "--password-file", "password"];
        let process = home.start_on_pipe(&[&args, more].concat());
        process.stdout.wait_for(r#""event":"ready""#);
        Self { process, name: name.to_owned() }
    }

    pub(crate) fn says(&mut self, text: &str) {
        self.process.write(&format!("{text}\n"));
    }

    /// Waits until this was said by somebody, and has come.
    pub(crate) fn hears(&self, text: &str) {
        self.process.stdout.wait_for(&format!(r#""text":"{text}""#));
    }

    /// Waits until so many messages of this person are on the server.
    pub(crate) fn has_sent(&self, count: usize) {
        self.process.stdout.wait_until_count(SENT, count);
    }

    /// Waits until so many messages have come, the person's own among them.
    pub(crate) fn has_heard(&self, count: usize) {
        self.process.stdout.wait_until_count(ENTRY, count);
    }

    /// How many messages have come, how many of this person's are on the server, and what else there was to tell.
    pub(crate) fn so_far(&self) -> (usize, usize, String) {
        let printed = self.process.stdout.so_far();
        let count = |event| printed.matches(event).count();
        (count(ENTRY), count(SENT), self.process.stderr.so_far())
    }

    /// Leaves when everything was sent; everything that was seen, in the order in which it came.
    pub(crate) fn leaves(mut self) -> Seen {
        self.process.close_stdin();
        let outcome = self.process.wait();
        assert_eq!(outcome.code, Some(0), "{}: {outcome:?}", self.name);
        Seen::of(&outcome)
    }
}

/// What somebody has seen: who has said what, and under which number.
pub(crate) struct Seen {
    pub(crate) said: Vec<(u64, String, String)>,
    pub(crate) told: String,
}

impl Seen {
    fn of(outcome: &Outcome) -> Self {
        let objects = outcome.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let entry = |object: Value| {
            let is_one = object["event"] == "entry";
            is_one.then(|| (object["seq"].as_u64().unwrap(), text(&object["from"]), text(&object["text"])))
        };
        Self { said: objects.filter_map(entry).collect(), told: outcome.stderr.clone() }
    }

    /// Everything is there without a gap, once, in the order of the server.
    pub(crate) fn is_whole(&self) {
        let numbers: Vec<_> = self.said.iter().map(|(number, ..)| *number).collect();
        assert_eq!(numbers, (1..=self.said.len() as u64).collect::<Vec<_>>());
    }

    /// What this one has said.
    pub(crate) fn said_by(&self, name: &str) -> Vec<&str> {
        self.said.iter().filter(|(_, from, _)| from == name).map(|(.., text)| text.as_str()).collect()
    }
}
