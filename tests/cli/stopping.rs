//! How a server stops: orderly at the first signal, at once at the second.

use std::time::{Duration, Instant};

use crate::program::{Process, RunningServer, Sandbox, is_timestamp};

#[test]
fn a_signal_lets_a_running_query_finish_and_takes_the_socket_away() {
    for signal in ["TERM", "INT"] {
        let sandbox = Sandbox::new();
        let url = format!("unix://{}", sandbox.arg("s.sock"));
        let server = sandbox.serve_at(&url, &["--tick", "50ms"]);
        let client = Sandbox::new();
        let asking = client.start(&mut client.fernwire(&["query", &url, "SetE-Ten"]));
        asking.stdout.wait_for("\n");
        server.signal(signal);
        server.log().wait_for("stopping: no new connections");
        client.run(&["query", &url, "SetA-One"]).fails(&["nothing is listening at unix://"]);
        asking.wait().is_timestamps(10);
        let outcome = server.wait();
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert!(outcome.stderr.contains("stopped: every session has ended"), "{outcome:?}");
        assert!(!outcome.stderr.contains(" WARN "), "{outcome:?}");
        assert!(!sandbox.path("s.sock").exists());
    }
}

/// A server on every transport whose sessions have 3 s to finish and 3 s for their goodbyes.
fn draining_server(sandbox: &Sandbox) -> RunningServer {
    let listen =
        format!("listen = [\"tcp://127.0.0.1:0\", \"tls://127.0.0.1:0\", \"unix://{}\"]", sandbox.arg("s.sock"));
    let service =
        "[services.query]\ntick = \"100ms\"\ntable = { Short = { Query = 10 }, Endless = { Query = 1000000 } }";
    sandbox.write("f.toml", 0o600, &format!("{listen}\nlimits.drain_timeout = \"6s\"\n{service}\n"));
    sandbox.serve_with(&mut sandbox.fernwire(&["serve", "--config", "f.toml"]))
}

/// Two clients at each listener who have had their first answer.
fn asking(server: &RunningServer, query: &str) -> Vec<Process> {
    let urls = server.urls().into_iter().map(|url| format!("{url}#{}", server.identity()));
    let clients: Vec<_> = urls
        .flat_map(|url| [url.clone(), url])
        .map(|url| {
            let client = Sandbox::new();
            client.start(&mut client.fernwire(&["query", &url, query]))
        })
        .collect();
    clients.iter().for_each(|client| drop(client.stdout.wait_for("\n")));
    clients
}

#[test]
fn under_load_what_can_finish_does_and_what_cannot_is_told_so() {
    let sandbox = Sandbox::new();
    let server = draining_server(&sandbox);
    let endless = asking(&server, "Endless-Query");
    let short = asking(&server, "Short-Query");
    server.signal("TERM");
    server.log().wait_for("stopping: no new connections");
    for url in server.urls() {
        sandbox.run(&["query", url, "Short-Query"]).fails(&["nothing is listening at ", url]);
    }
    short.into_iter().for_each(|client| client.wait().is_timestamps(10));
    for client in endless {
        let outcome = client.wait();
        let goodbye = "fernwire: the server closed the session: the server stops\n";
        assert_eq!((outcome.code, &*outcome.stderr), (Some(2), goodbye), "{outcome:?}");
        assert!(outcome.stdout.lines().count() > 1 && outcome.stdout.lines().all(is_timestamp), "{outcome:?}");
    }
    let outcome = server.wait();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stderr.contains("stopped: every session has ended"), "{outcome:?}");
    assert!(!outcome.stderr.contains(" WARN "), "{outcome:?}");
}

#[test]
fn an_idle_client_does_not_delay_the_stop() {
    let server = Sandbox::new().serve(&[]);
    let sandbox = Sandbox::new();
    let client = sandbox.start_on_pipe(&["query", &server.pinned_url()]);
    server.log().wait_for("session begins");
    let began = Instant::now();
    let log = server.stop();
    assert!(began.elapsed() < Duration::from_secs(5), "a drain may take 10 s: {log}");
    assert!(log.contains("stopped: every session has ended"), "{log}");
    drop(client);
}

#[test]
fn a_second_signal_ends_the_server_at_once() {
    let server = Sandbox::new().serve(&["--tick", "1h"]);
    let sandbox = Sandbox::new();
    let client = sandbox.start(&mut sandbox.fernwire(&["query", &server.pinned_url(), "SetE-Ten"]));
    client.stdout.wait_for("\n");
    let began = Instant::now();
    server.signal("TERM");
    server.log().wait_for("stopping: no new connections");
    server.signal("INT");
    let outcome = server.wait();
    assert!(began.elapsed() < Duration::from_secs(5), "a drain takes 10 s: {outcome:?}");
    assert!(outcome.stderr.contains("stopped at once by a second signal"), "{outcome:?}");
    let outcome = client.wait();
    assert_eq!(
        (outcome.code, &*outcome.stderr),
        (Some(2), "fernwire: the connection was cut off: it ended without a goodbye\n")
    );
}

#[test]
fn a_server_that_was_killed_can_start_again_on_its_socket() {
    let sandbox = Sandbox::new();
    let url = format!("unix://{}", sandbox.arg("s.sock"));
    let server = sandbox.serve_at(&url, &[]);
    server.signal("KILL");
    assert_eq!(server.wait().code, None);
    assert!(sandbox.path("s.sock").exists());
    sandbox.run(&["query", &url, "SetA-One"]).fails(&["nothing is listening at unix://"]);
    let _server = sandbox.serve_at(&url, &[]);
    sandbox.run(&["query", &url, "SetA-One"]).is_timestamps(1);
}
