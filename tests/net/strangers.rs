//! What a server on another host knows of its clients, and they of it: nobody there is at home.

use crate::hosts::{HOME, Hosts};
use crate::program::{RunningServer, Sandbox};
use crate::scene::{PASSWORD, PORT};

/// A server on every address of its host.
fn serve(home: &Sandbox, args: &[&str]) -> RunningServer {
    home.serve_at(&format!("tcp://0.0.0.0:{PORT}"), &[&["--listen", "tcp://[::]:3377"], args].concat())
}

fn urls() -> [String; 2] {
    [format!("tcp://{}:{PORT}", HOME[0]), format!("tcp://[{}]:3377", HOME[1])]
}

fn with_a_key(home: &Sandbox) {
    assert_eq!(home.run(&["keygen", "shared.key"]).code, Some(0));
}

/// Somebody away who holds the key.
fn holder(hosts: &Hosts, home: &Sandbox) -> Sandbox {
    let client = hosts.away.user();
    client.write("shared.key", 0o600, &home.read("shared.key"));
    client
}

#[test]
fn a_server_is_known_by_its_identity_once_it_was_accepted() {
    let hosts = Hosts::new();
    let home = hosts.home.user();
    let server = serve(&home, &[]);
    let client = hosts.away.user();
    for url in urls() {
        let query = ["query", &*url, "SetA-Two"];
        client.run(&query).fails(&["is not known here", "--accept-new", &format!("'{url}#{}'", server.identity())]);
        client.run(&[&query[..], &["--accept-new"]].concat()).is_timestamps(2);
        assert!(client.known_hosts().ends_with(&format!("{url} {} accepted-new\n", server.identity())));
        client.run(&query).is_timestamps(2);
    }
    let before = server.identity().to_owned();
    server.stop();
    // Another host that has taken the addresses.
    let other = hosts.home.user();
    let server = serve(&other, &[]);
    assert_ne!(server.identity(), before);
    for url in urls() {
        let words = ["has another identity than before", &before, server.identity(), "known_hosts, line "];
        client.run(&["query", &url, "--accept-new", "SetA-Two"]).fails(&words);
    }
    server.stop();
}

#[test]
fn holders_of_the_key_need_no_more_and_others_get_nothing() {
    let hosts = Hosts::new();
    let home = hosts.home.user();
    with_a_key(&home);
    for kex in ["psk", "x25519+psk"] {
        let server = serve(&home, &["--kex", kex, "--secret-key", "shared.key"]);
        let (client, stranger) = (holder(&hosts, &home), hosts.away.user());
        assert_eq!(stranger.run(&["keygen", "shared.key"]).code, Some(0));
        for url in urls() {
            let query = ["query", &*url, "--kex", kex, "--secret-key", "shared.key", "SetA-Two"];
            client.run(&query).is_timestamps(2);
            stranger.run(&query).fails(&[&format!("no session with {url}"), "secret key"]);
        }
        server.stop();
    }
}

#[test]
fn what_is_kept_comes_from_those_who_hold_the_key_or_log_in() {
    let hosts = Hosts::new();
    let home = hosts.home.user();
    with_a_key(&home);
    let server = serve(&home, &["--kex", "x25519+psk,x25519", "--secret-key", "shared.key"]);
    let (stranger, client) = (hosts.away.user(), holder(&hosts, &home));
    stranger.write("password", 0o600, PASSWORD);
    for (round, url) in urls().into_iter().enumerate() {
        let url = format!("{url}#{}", server.identity());
        for refused in [&["log", &*url, "hello"][..], &["submit", &url, "a=b"]] {
            stranger.run(refused).fails(&["the server refused", "--user NAME", "--secret-key FILE", "--open"]);
        }
        let name = format!("ada{round}");
        let account = ["--user", &name, "--signup", "--password-file", "password"];
        let key = ["--secret-key", "shared.key"];
        for (number, (sandbox, proof)) in (1..).zip([(&stranger, &account[..]), (&client, &key)]) {
            // Whoever has signed up logs in.
            let again: Vec<_> = proof.iter().copied().filter(|word| *word != "--signup").collect();
            let text = format!("line {}", 2 * round + number);
            let outcome = sandbox.run(&[&["log", &url, &text], proof].concat());
            assert_eq!((outcome.code, &*outcome.stdout), (Some(0), "Message received\n"), "{outcome:?}");
            let outcome = sandbox.run(&[&["submit", &url, "a=b"], &again[..]].concat());
            assert_eq!(outcome.stdout, format!("Stored as number {} (json)\n", 2 * round + number), "{outcome:?}");
        }
    }
    let log = home.read("data/fernwire/server_logs.txt");
    let texts: Vec<_> = log.lines().map(|line| line.split_once(" : ").unwrap().1).collect();
    assert_eq!(texts, ["line 1", "line 2", "line 3", "line 4"]);
    server.stop();
}
