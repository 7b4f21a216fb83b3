//! What the client in Python asks for, and what comes of it at the server and at the client in Rust.

use serde_json::{Value, json};

use crate::program::{Process, RunningServer, Sandbox};
use crate::{client, run, run_with_input, serve, start_on_pipe};

/// Over one record in JSON, and just what a text may have.
const LONG: usize = 65_536;
/// More than a request has credit for, and not more than one may say at once.
const LONG_TEXTS: usize = 6;

/// The lines of a log, without their times and addresses.
fn logged(owner: &Sandbox) -> Vec<String> {
    let log = owner.read("data/fernwire/server_logs.txt");
    log.lines().map(|line| line.split_once(" : ").unwrap().1.to_owned()).collect()
}

#[test]
fn queries_print_what_is_found_and_exit_as_the_client_in_rust_does() {
    let (_owner, server) = serve(&[]);
    let user = Sandbox::new();
    let url = server.pinned_url();
    run(&user, &["query", &url, "SetB-Three", "SetA-Two"]).is_timestamps(5);
    for ask in [run, |user: &Sandbox, args: &[&str]| user.run(args)] {
        let outcome = ask(&user, &["query", &url, "SetZ-Ninety", "SetA-One"]);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(outcome.stdout.starts_with("EMPTY\n"), "{outcome:?}");
    }
    let outcome = run_with_input(&user, &["query", &url], "SetA-One\nSetA-Two\n");
    outcome.is_timestamps(3);
    run(&user, &["query", "tcp://127.0.0.1:1", "x"]).fails(&["no session with tcp://127.0.0.1:1", "a server is there"]);
    run(&user, &["query", "http://127.0.0.1", "x"]).fails(&["`http://127.0.0.1` is no address"]);
}

#[test]
fn what_is_logged_is_acknowledged_and_in_the_file() {
    let (owner, server) = serve(&[]);
    let user = Sandbox::new();
    let outcome = run(&user, &["log", &server.pinned_url(), "one", "zwei äöü"]);
    assert_eq!((outcome.code, &*outcome.stdout), (Some(0), "Message received\nMessage received\n"), "{outcome:?}");
    let outcome = run_with_input(&user, &["log", &server.pinned_url()], "three\n\nfive\n");
    assert_eq!((outcome.code, outcome.stdout.lines().count()), (Some(0), 3), "{outcome:?}");
    assert_eq!(logged(&owner), ["one", "zwei äöü", "three", "", "five"]);
}

#[test]
fn a_long_line_is_logged_in_pieces_that_an_unproven_client_may_send() {
    let (owner, server) = serve(&[]);
    for line in ["x".repeat(8_192), "\u{1}".repeat(8_192), "\\\"".repeat(5_000), "ä€😀".repeat(3_000)] {
        let before = logged(&owner).len();
        let outcome = run_with_input(&Sandbox::new(), &["log", &server.pinned_url()], &line);
        assert_eq!((outcome.code, &*outcome.stdout), (Some(0), "Message received\n"), "{outcome:?}");
        let shown = line.replace('\u{1}', "\\u{1}");
        assert_eq!(logged(&owner)[before..].concat(), shown);
    }
}

#[test]
fn what_is_submitted_is_stored() {
    let (owner, server) = serve(&[]);
    let user = Sandbox::new();
    user.write("big.json", 0o600, &json!({ "big": "x".repeat(250_000) }).to_string());
    let url = server.pinned_url();
    let outcome = run(&user, &["submit", &url, "first=Ada", "last=<Löwe & Co>"]);
    assert_eq!((outcome.code, &*outcome.stdout), (Some(0), "Stored as number 1 (json)\n"), "{outcome:?}");
    user.write("it.xml", 0o600, "<data><first>Ada</first><last>&lt;Löwe &amp; Co&gt;</last></data>");
    let outcome = run(&user, &["submit", &url, "--file", "it.xml", "--format", "xml"]);
    assert_eq!((outcome.code, &*outcome.stdout), (Some(0), "Stored as number 2 (xml)\n"), "{outcome:?}");
    assert_eq!(run(&user, &["submit", &url, "--file", "big.json"]).stdout, "Stored as number 3 (json)\n");
    let data: Vec<Value> = owner.read("data/fernwire/submissions.jsonl").lines().map(stored_data).collect();
    let small = json!({ "first": "Ada", "last": "<Löwe & Co>" });
    assert_eq!(data[..2], [small.clone(), small]);
    assert_eq!(data[2]["big"].as_str().unwrap().len(), 250_000);
    user.write("bad.json", 0o600, "{\"a\": 1");
    run(&user, &["submit", &url, "--file", "bad.json"]).fails(&["the server refused: "]);
    run(&user, &["submit", &url, "first"]).fails(&["KEY=VALUE"]);
}

fn stored_data(line: &str) -> Value {
    line.parse::<Value>().unwrap()["data"].take()
}

/// Somebody in a chat, who says and hears in lines.
fn chatting(sandbox: &Sandbox, server: &RunningServer, name: &str, in_python: bool) -> Process {
    let url = server.pinned_url();
    let args = ["chat", &url, "--user", name, "--signup"];
    let mut command = if in_python { client(sandbox, &args) } else { sandbox.fernwire(&args) };
    start_on_pipe(sandbox, command.env("FERNWIRE_PASSWORD", crate::PASSWORD))
}

#[test]
fn a_chat_goes_both_ways_with_the_client_in_rust() {
    let (_owner, server) = serve(&[]);
    let user = Sandbox::new();
    let (mut rust, mut python) = (chatting(&user, &server, "rusty", false), chatting(&user, &server, "monty", true));
    server.log().wait_for("signed up name=rusty");
    server.log().wait_for("signed up name=monty");
    python.write("hello from Python äöü\n\n");
    rust.stdout.wait_for("#lobby <monty> hello from Python");
    rust.write("hello from Rust\n/msg monty psst\n");
    python.stdout.wait_for("#lobby <rusty> hello from Rust\n");
    python.stdout.wait_for("] rusty -> you: psst\n");
    python.write("/msg rusty psst to you\n");
    rust.stdout.wait_for("] monty -> you: psst to you\n");
    rust.write(&format!("{}\n", "r".repeat(LONG)));
    python.stdout.wait_for(&format!("<rusty> {}\n", "r".repeat(LONG)));
    python.write(&format!("{}\n", "p".repeat(LONG)));
    rust.stdout.wait_for(&format!("<monty> {}\n", "p".repeat(LONG)));
    python.write("/msg nobody x\n");
    python.stderr.wait_for("! not done: the server refused: ");
    python.write("/quit\n");
    python.stderr.wait_for("! not done: the only command is /msg NAME TEXT\n");
    python.close_stdin();
    assert_eq!(python.wait().code, Some(2));
    rust.close_stdin();
    assert_eq!(rust.wait().code, Some(0));
}

#[test]
fn more_is_heard_than_there_is_credit_for() {
    let (_owner, server) = serve(&[]);
    let user = Sandbox::new();
    let (mut rust, mut python) = (chatting(&user, &server, "rusty", false), chatting(&user, &server, "monty", true));
    server.log().wait_for("signed up name=monty");
    let long = "x".repeat(LONG);
    rust.write(&format!("{long}\n").repeat(LONG_TEXTS));
    python.stdout.wait_until_count(&format!("<rusty> {long}\n"), LONG_TEXTS);
    python.write("heard\n");
    rust.stdout.wait_for("#lobby <monty> heard\n");
    python.close_stdin();
    assert_eq!(python.wait().code, Some(0));
}

#[test]
fn what_was_said_meanwhile_comes_once_and_harmless() {
    let (_owner, server) = serve(&[]);
    let user = Sandbox::new();
    let url = server.pinned_url();
    let chat = |name: &str, more: &[&str], input: &str| {
        let outcome = run_with_input(&user, &[&["chat", &url, "--user", name], more].concat(), input);
        assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{outcome:?}");
        outcome.stdout
    };
    assert_eq!(chat("ada", &["--signup"], "one\n"), "");
    let heard = chat("bob", &["--signup", "--room", "#lobby", "#tea"], "\u{1b}[31mred \u{202e}turned\n");
    assert!(heard.ends_with("] #lobby <ada> one\n"), "{heard}");
    let missed = chat("ada", &[], "");
    assert!(missed.ends_with("] #lobby <bob> \\u{1b}[31mred \\u{202e}turned\n"), "{missed}");
    assert_eq!(chat("ada", &[], ""), "");
}

#[test]
fn what_the_server_refuses_is_told() {
    let (_owner, server) = serve(&[]);
    let url = server.pinned_url();
    let log_in = |more: &[&str]| run(&Sandbox::new(), &[&["chat", &url, "--user", "ada"], more].concat());
    log_in(&[]).fails(&["the server refused: ", "password"]);
    assert_eq!(log_in(&["--signup"]).code, Some(0));
    log_in(&["--signup"]).fails(&["the server refused: ", "ada"]);
}
