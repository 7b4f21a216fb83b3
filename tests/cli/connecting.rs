//! Ways to reach a server and ways to ask it.

use std::net::TcpStream;

use crate::program::{Sandbox, is_timestamp};

#[test]
fn the_connect_line_works_as_it_is_printed() {
    let server = Sandbox::new().serve(&["--tick", "1s"]);
    // Another user on this machine: only what is in the line can help.
    let outcome = Sandbox::new().paste(server.connect_lines()[0]);
    outcome.is_timestamps(2);
    let seconds: Vec<i64> = outcome.stdout.lines().map(|line| line[17..].parse().unwrap()).collect();
    // A second apart, or two if the clock had just ticked.
    assert!((1..=2).contains(&(seconds[1] - seconds[0]).rem_euclid(60)), "{outcome:?}");
}

#[test]
fn every_listener_has_its_own_connect_line() {
    let sandbox = Sandbox::new();
    let socket = format!("unix://{}", sandbox.arg("a b.sock").replace(' ', "%20"));
    let server = sandbox.serve(&["--listen", &socket, "--listen", "tcp://[::1]:0"]);
    assert_eq!(server.urls().len(), 3);
    assert_eq!(server.urls()[1], socket);
    for line in server.connect_lines() {
        Sandbox::new().paste(line).is_timestamps(2);
    }
}

#[test]
fn a_listener_on_all_addresses_shows_one_that_can_be_reached() {
    let server = Sandbox::new().serve_at("tcp://0.0.0.0:0", &[]);
    let line = server.connect_lines()[0];
    assert!(!line.contains("0.0.0.0"), "{line}");
    Sandbox::new().paste(line).is_timestamps(2);
}

#[test]
fn a_query_that_is_not_in_the_table_is_empty() {
    let server = Sandbox::new().serve(&[]);
    let outcome = Sandbox::new().run(&["query", &server.pinned_url(), "SetZ-Unknown"]);
    assert_eq!((outcome.code, &*outcome.stdout, &*outcome.stderr), (Some(1), "EMPTY\n", ""));
}

#[test]
fn several_queries_are_answered_in_order() {
    let server = Sandbox::new().serve(&[]);
    let outcome =
        Sandbox::new().run(&["query", &server.pinned_url(), "SetZ-None", "SetB-Three", "nonsense", "SetA-One"]);
    assert_eq!((outcome.code, &*outcome.stderr), (Some(1), ""));
    assert_eq!(marks(&outcome.stdout), "E t t t E t");
}

#[test]
fn queries_come_from_a_pipe_until_exit() {
    let server = Sandbox::new().serve(&[]);
    let client = Sandbox::new();
    let outcome = client.run_with_input(&["query", &server.pinned_url()], "SetA-Two\n\n  SetA-One \nexit\nSetE-Ten\n");
    outcome.is_timestamps(3);
    client.run_with_input(&["query", &server.pinned_url()], "SetA-One").is_timestamps(1);
    client.run_with_input(&["query", &server.pinned_url()], "").is_timestamps(0);
}

#[test]
fn a_silent_pipe_does_not_keep_the_session_waiting() {
    let server = Sandbox::new().serve(&[]);
    let sandbox = Sandbox::new();
    let mut client = sandbox.start_on_pipe(&["query", &server.pinned_url()]);
    server.log().wait_for("session begins");
    client.write("SetA-One\n");
    client.stdout.wait_for("\n");
    assert!(client.is_running());
    client.close_stdin();
    client.wait().is_timestamps(1);
}

#[test]
fn json_lines_are_json() {
    let server = Sandbox::new().serve(&[]);
    let outcome = Sandbox::new().run(&["query", "--json", &server.pinned_url(), "SetA-Two", "SetZ-Unknown"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let lines: Vec<serde_json::Value> =
        outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    for line in &lines[..2] {
        assert_eq!((&line["query"], &line["kind"]), (&"SetA-Two".into(), &"timestamp".into()));
        assert!(is_timestamp(line["time"].as_str().unwrap()), "{line}");
    }
    assert_eq!(lines[2], serde_json::json!({ "query": "SetZ-Unknown", "kind": "empty" }));
}

#[test]
fn the_server_of_the_same_user_needs_no_pin() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    sandbox.run(&["query", server.url(), "SetA-Two"]).is_timestamps(2);
    assert_eq!(sandbox.known_hosts(), "");
}

#[test]
fn the_server_is_named_by_url_flag_or_environment() {
    let server = Sandbox::new().serve(&[]);
    let (client, url) = (Sandbox::new(), server.pinned_url());
    client.run(&["query", &url, "SetA-One"]).is_timestamps(1);
    client.run(&["query", "--server", &url, "SetA-One"]).is_timestamps(1);
    client.start(client.fernwire(&["query", "SetA-One"]).env("FERNWIRE_SERVER", &url)).wait().is_timestamps(1);
    // What is typed counts more than the environment; two servers on one line are a mistake.
    let other = "tcp://127.0.0.1:1";
    let mut flag = client.fernwire(&["query", "--server", &url, "SetA-One"]);
    client.start(flag.env("FERNWIRE_SERVER", other)).wait().is_timestamps(1);
    let mut first = client.fernwire(&["query", &url, "SetA-One"]);
    client.start(first.env("FERNWIRE_SERVER", other)).wait().is_timestamps(1);
    client.run(&["query", &url, "--server", other, "SetA-One"]).fails(&["the server is named twice"]);
}

#[test]
fn a_unix_socket_of_our_own_needs_no_pin() {
    let sandbox = Sandbox::new();
    let url = format!("unix://{}", sandbox.arg("s.sock"));
    let server = sandbox.serve_at(&url, &[]);
    assert_eq!(server.url(), url);
    Sandbox::new().run(&["query", &url, "SetA-Two"]).is_timestamps(2);
}

#[test]
fn id_prints_the_identity_and_lines_that_connect() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    let outcome = sandbox.run(&["id", "--listen", server.url()]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let lines: Vec<_> = outcome.stdout.lines().collect();
    assert_eq!(lines, [server.identity(), server.connect_lines()[0]]);
    let json = sandbox.run(&["id", "--json", "--listen", server.url()]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json, serde_json::json!({ "identity": server.identity(), "endpoints": [server.pinned_url()] }));
}

#[test]
fn a_reader_that_leaves_early_ends_the_query_quietly() {
    let server = Sandbox::new().serve(&["--tick", "50ms"]);
    let query = format!("'{}' query '{}' SetE-Ten", crate::program::FERNWIRE, server.pinned_url());
    // The exit code of the first command of a pipe goes to stderr, which is where a panic would be seen too.
    let outcome = Sandbox::new().paste(&format!("{{ {query}; echo \"exit $?\" >&2; }} | head -n 1"));
    assert_eq!(marks(&outcome.stdout), "t");
    assert_eq!(outcome.stderr, "exit 0\n");
}

#[test]
fn stalled_connections_keep_nobody_out() {
    let server = Sandbox::new().serve(&[]);
    let stalled: Vec<_> = (0..200).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
    Sandbox::new().run(&["query", &server.pinned_url(), "SetA-Two"]).is_timestamps(2);
    drop(stalled);
}

/// `t` for a timestamp, `E` for EMPTY.
fn marks(stdout: &str) -> String {
    let mark = |line| match line {
        "EMPTY" => "E",
        line if is_timestamp(line) => "t",
        _ => "?",
    };
    stdout.lines().map(mark).collect::<Vec<_>>().join(" ")
}
