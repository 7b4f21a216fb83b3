//! Keys that change, silence, and connections that end as they should not.

use std::time::Duration;

use fernwire::channel::Settings;
use fernwire::channel::mode::KeyMode;
use fernwire::config::Limits;

use crate::common::{Bed, LOG_FILE, impatient, rekey_often};
use crate::program::{Process, Sandbox};
use crate::{client, interpreter, serve, start_on_pipe};

/// Runs the client with keys that it changes after a few records, and says so each time.
const REKEYING: &str = "
import asyncio, sys, fernwire

def told(keys, rekey=fernwire.Keys.rekey):
    print('rekeyed', file=sys.stderr)
    rekey(keys)

fernwire.REKEY_RECORDS, fernwire.Keys.rekey = 3, told
asyncio.run(fernwire.main(fernwire.arguments()))
";

/// A server of the tests' own, and somebody who knows it.
async fn bed(mode: KeyMode, settings: Settings) -> (Bed, Sandbox, String) {
    let bed = Bed::with("tcp", mode, Limits::default(), settings).await;
    let sandbox = Sandbox::new();
    bed.secret_key().save_new(&sandbox.path("secret.key")).unwrap();
    let url = bed.pinned(&bed.endpoint).to_string();
    (bed, sandbox, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ends_rekey_while_they_talk_in_every_mode() {
    for mode in KeyMode::ALL {
        let (bed, sandbox, url) = bed(mode, rekey_often()).await;
        let args = ["log", &*url, "--kex", mode.name()];
        let mut command = interpreter(&sandbox);
        command.args(["-c", REKEYING]).args(args).env("PYTHONPATH", crate::repository("examples/python"));
        let mut process = start_on_pipe(&sandbox, &mut command);
        process.write(&(1..=100).map(|n| format!("{n}\n")).collect::<String>());
        process.close_stdin();
        let outcome = process.wait();
        assert_eq!((outcome.code, outcome.stdout.lines().count()), (Some(0), 100), "{mode}: {outcome:?}");
        // A hundred requests, and two answers to each, under keys that seal three records.
        assert!(outcome.stderr.matches("rekeyed").count() > 100, "{mode}: {outcome:?}");
        assert_eq!(bed.file(LOG_FILE).lines().count(), 100);
        bed.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_are_answered_while_nothing_is_said() {
    let settings = impatient();
    let (bed, sandbox, url) = bed(KeyMode::X25519Psk, settings).await;
    let mut process = start_on_pipe(&sandbox, &mut client(&sandbox, &["log", &url]));
    process.write("one\n");
    process.stdout.wait_for("Message received\n");
    // Long enough for the server to give up on whoever does not answer.
    tokio::time::sleep(settings.keepalive.dead_after + Duration::from_millis(500)).await;
    process.write("two\n");
    process.stdout.wait_until_count("Message received\n", 2);
    process.close_stdin();
    assert_eq!(process.wait().code, Some(0));
    bed.stop().await;
}

/// A query that has its first answer, and waits for the next one.
fn waiting_for_more(sandbox: &Sandbox, url: &str) -> Process {
    let process = sandbox.start(&mut client(sandbox, &["query", url, "SetA-Two"]));
    process.stdout.wait_for("\n");
    process
}

#[test]
fn a_connection_that_is_cut_is_told_and_not_taken_for_an_end() {
    let (_owner, server) = serve(&["--tick", "1h"]);
    let sandbox = Sandbox::new();
    let process = waiting_for_more(&sandbox, &server.pinned_url());
    server.signal("KILL");
    let outcome = process.wait();
    assert_eq!((outcome.code, outcome.stdout.lines().count()), (Some(2), 1), "{outcome:?}");
    assert!(outcome.stderr.contains("was cut, changed or silent: it ended without a goodbye"), "{outcome:?}");
}

#[test]
fn a_server_that_stops_says_goodbye() {
    let (_owner, server) = serve(&[]);
    let sandbox = Sandbox::new();
    let mut process = start_on_pipe(&sandbox, &mut client(&sandbox, &["log", &server.pinned_url()]));
    process.write("one\n");
    process.stdout.wait_for("Message received\n");
    server.stop();
    let outcome = process.wait();
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    assert!(outcome.stderr.starts_with("fernwire: the server said goodbye: "), "{outcome:?}");
    assert!(outcome.stderr.ends_with("(reason 1)\n"), "{outcome:?}");
}
