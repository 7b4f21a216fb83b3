//! Which servers a client trusts when no person is there to be asked.

use crate::program::{KNOWN_HOSTS, Sandbox};

#[test]
fn an_unknown_server_is_refused_with_the_way_to_pin_it() {
    let server = Sandbox::new().serve(&[]);
    let client = Sandbox::new();
    let outcome = client.run(&["query", server.url(), "SetA-Two"]);
    outcome.fails(&["is not known here", "`fernwire id`", &format!("'{}'", server.pinned_url()), "--accept-new"]);
    assert_eq!(client.known_hosts(), "");
    server.warned_once_and_serves_on(&["that identity is not trusted here"]);
}

#[test]
fn accept_new_records_and_is_not_needed_again() {
    let server = Sandbox::new().serve(&[]);
    let client = Sandbox::new();
    client.run(&["query", "--accept-new", server.url(), "SetA-Two"]).is_timestamps(2);
    assert_eq!(client.known_hosts(), format!("{} {} accepted-new\n", server.url(), server.identity()));
    client.run(&["query", server.url(), "SetA-Two"]).is_timestamps(2);
}

#[test]
fn a_changed_server_key_is_refused_naming_file_and_line() {
    let server = Sandbox::new().serve(&[]);
    let client = Sandbox::new();
    let before = identity('A');
    client.write(KNOWN_HOSTS, 0o600, &format!("# mine\n\n{} {before} confirmed\n", server.url()));
    let words = ["has another identity than before", &before, server.identity(), "known_hosts, line 3"];
    client.run(&["query", server.url(), "SetA-Two"]).fails(&words);
    client.run(&["query", "--accept-new", server.url(), "SetA-Two"]).fails(&words);
    client.run(&["query", &server.pinned_url(), "SetA-Two"]).fails(&words);
    assert!(client.known_hosts().contains(&before));
}

#[test]
fn a_changed_server_key_costs_the_server_one_warning() {
    let server = Sandbox::new().serve(&[]);
    let client = Sandbox::new();
    client.write(KNOWN_HOSTS, 0o600, &format!("{} {} confirmed\n", server.url(), identity('A')));
    client.run(&["query", server.url(), "SetA-Two"]).fails(&["has another identity than before"]);
    server.warned_once_and_serves_on(&["that identity is not trusted here"]);
}

#[test]
fn another_identity_than_the_pinned_one_is_refused() {
    let server = Sandbox::new().serve(&[]);
    let pinned = format!("{}#{}", server.url(), identity('A'));
    let outcome = Sandbox::new().run(&["query", &pinned, "SetA-Two"]);
    outcome.fails(&["is not the one that the address pins", &identity('A'), server.identity()]);
    let outcome = Sandbox::new().run(&["query", "--accept-new", &pinned, "SetA-Two"]);
    outcome.fails(&["is not the one that the address pins"]);
}

#[test]
fn a_mismatched_pin_costs_the_server_one_warning() {
    let server = Sandbox::new().serve(&[]);
    let outcome = Sandbox::new().run(&["query", &format!("{}#{}", server.url(), identity('A')), "SetA-Two"]);
    outcome.fails(&["is not the one that the address pins"]);
    server.warned_once_and_serves_on(&["that identity is not trusted here"]);
}

#[test]
fn a_broken_line_in_known_hosts_is_named() {
    let server = Sandbox::new().serve(&[]);
    let client = Sandbox::new();
    client.write(KNOWN_HOSTS, 0o600, "# mine\ntcp://example.org fwk1_short confirmed\n");
    let outcome = client.run(&["query", "--accept-new", server.url(), "SetA-Two"]);
    outcome.fails(&["known_hosts line 2", "mend or remove that line"]);
}

#[test]
fn what_only_the_key_has_proven_is_not_known_without_it() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&["--kex", "x25519+psk,x25519"]);
    let client = Sandbox::new();
    let key = client.write("secret.key", 0o600, &sandbox.read("secret.key"));
    client.run(&["query", server.url(), "SetA-One"]).is_timestamps(1);
    assert!(client.known_hosts().contains("by-secret-key"));
    std::fs::remove_file(key).unwrap();
    client.run(&["query", server.url(), "SetA-One"]).fails(&["is not known here"]);
}

/// A well-formed identity that no server has.
fn identity(letter: char) -> String {
    format!("fwk1_{}", letter.to_string().repeat(43))
}
