//! Sessions with a secret key, in every mode, and what becomes of the key.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::program::{RunningServer, Sandbox, secrets_below};

/// A server whose key was made by the first start with these modes.
fn server_with_key(modes: &str) -> (Sandbox, RunningServer) {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&["--kex", modes]);
    (sandbox, server)
}

/// Somebody who was given the server's key, and keeps it in the working directory.
fn holder_of_the_key(server: &Sandbox) -> Sandbox {
    let client = Sandbox::new();
    client.write("secret.key", 0o600, &server.read("secret.key"));
    client
}

#[test]
fn a_server_told_to_use_the_key_makes_it_and_says_where() {
    let (sandbox, server) = server_with_key("psk");
    assert!(server.banner().contains("(secret.key, made just now)"), "{}", server.banner());
    assert_eq!(fs::metadata(sandbox.path("secret.key")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(sandbox.read("secret.key").trim().len(), 44);
    assert!(!sandbox.path("data/fernwire/identity.key").exists(), "mode psk has no use for an identity");
    let key = sandbox.read("secret.key");
    server.stop();
    let again = sandbox.serve(&["--kex", "psk"]);
    assert!(again.banner().contains("(secret.key)\n"), "{}", again.banner());
    assert_eq!(sandbox.read("secret.key"), key);
}

#[test]
fn the_connect_line_of_each_mode_works_as_it_is_printed() {
    for modes in ["psk", "x25519+psk", "x25519+psk,psk", "x25519+psk,x25519,psk"] {
        let (_sandbox, server) = server_with_key(modes);
        Sandbox::new().paste(server.connect_lines()[0]).is_timestamps(2);
    }
}

#[test]
fn a_copied_key_connects_in_each_mode_with_it() {
    for mode in ["psk", "x25519+psk"] {
        let (sandbox, server) = server_with_key(mode);
        let outcome = holder_of_the_key(&sandbox).run(&["query", server.url(), "--kex", mode, "SetA-Two"]);
        outcome.is_timestamps(2);
        assert!(outcome.stderr.starts_with("Using ./secret.key, key id "), "{outcome:?}");
        let id = outcome.stderr.trim_end().trim_end_matches('.').rsplit(' ').next().unwrap();
        assert!(server.banner().contains(&format!("id {id}")), "both sides show one id: {outcome:?}");
        server.log().wait_for(&format!("mode={mode} key={id}"));
    }
}

#[test]
fn the_key_is_found_by_flag_or_environment_and_then_not_announced() {
    let (sandbox, server) = server_with_key("psk");
    let key = sandbox.arg("secret.key");
    let client = Sandbox::new();
    let by_flag = client.run(&["query", server.url(), "--kex", "psk", "--secret-key", &key, "SetA-One"]);
    by_flag.is_timestamps(1);
    assert_eq!(by_flag.stderr, "");
    let mut by_variable = client.fernwire(&["query", server.url(), "--kex", "psk", "SetA-One"]);
    client.start(by_variable.env("FERNWIRE_SECRET_KEY_FILE", &key)).wait().is_timestamps(1);
}

#[test]
fn auto_takes_the_strongest_mode_that_the_keys_allow() {
    let sandbox = Sandbox::new();
    sandbox.run(&["keygen"]);
    let server = sandbox.serve(&[]);
    assert!(server.banner().contains("key modes   x25519+psk,psk\n"), "{}", server.banner());
    let client = holder_of_the_key(&sandbox);
    client.run(&["query", server.url(), "SetA-Two"]).is_timestamps(2);
    server.log().wait_for("mode=x25519+psk");
    // The key has proven the server, and that is what is remembered.
    assert_eq!(client.known_hosts(), format!("{} {} by-secret-key\n", server.url(), server.identity()));
    client.run(&["query", server.url(), "SetA-Two"]).is_timestamps(2);
    assert!(!server.stop().contains("mode=psk"));
}

#[test]
fn a_client_without_the_key_gets_in_only_where_x25519_is_listed() {
    let (_sandbox, server) = server_with_key("x25519+psk,x25519");
    Sandbox::new().run(&["query", &server.pinned_url(), "SetA-One"]).is_timestamps(1);
    server.log().wait_for("mode=x25519}");
}

#[test]
fn keygen_makes_a_key_that_both_sides_can_use() {
    let sandbox = Sandbox::new();
    let outcome = sandbox.run(&["keygen", "new.key"]);
    let id = outcome.stdout.strip_prefix("new.key written, key id ").unwrap().trim_end();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(fs::metadata(sandbox.path("new.key")).unwrap().permissions().mode() & 0o777, 0o600);
    let server = sandbox.serve(&["--secret-key", "new.key", "--kex", "psk"]);
    assert!(server.banner().contains(id));
    sandbox.run(&["query", server.url(), "--kex", "psk", "--secret-key", "new.key", "SetA-One"]).is_timestamps(1);
}

#[test]
fn no_log_level_shows_a_secret() {
    // Every outcome is searched for the secrets of its sandbox; here it is known that there are some to be found.
    let sandbox = Sandbox::new();
    let mut serve = sandbox.fernwire(&["serve", "--listen", "tcp://127.0.0.1:0", "--kex", "x25519+psk,psk"]);
    let server = sandbox.serve_with(serve.env("FERNWIRE_LOG_LEVEL", "trace"));
    assert_eq!(secrets_below(&sandbox.path("")).len(), 2, "secret.key and identity.key");
    for mode in ["x25519+psk", "psk"] {
        let mut query = sandbox.fernwire(&["query", server.url(), "--kex", mode, "SetZ-Unknown"]);
        assert_eq!(sandbox.start(query.env("FERNWIRE_LOG_LEVEL", "trace")).wait().code, Some(1));
    }
    server.stop();
}
