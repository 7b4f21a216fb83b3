//! Every way in which a server proves itself to the client in Python, and what it refuses.

use fernwire::transport::endpoint::Endpoint;

use crate::program::{RunningServer, Sandbox};
use crate::{PASSWORD, holder_of_the_key, interpreter, repository, run, serve};

const MODES: [&str; 3] = ["x25519+psk", "x25519", "psk"];
const TLS: &str = "tls://127.0.0.1:0";

/// Of a server that no test runs.
const ANOTHER: &str = "fwk1_e0A3ylpV7gAlBR2k5Y3SZci5xhHfmftFUabjmjL7TDQ";

fn entry(server: &RunningServer, how: &str) -> String {
    format!("{} {} {how}\n", server.url(), server.identity())
}

/// The mode of the session that a line of the server's log is about.
fn mode_of(line: &str) -> &str {
    line.split_once(" mode=").unwrap().1.split([' ', '}']).next().unwrap()
}

/// A server on TLS with a certificate for this name, and somebody who has the authority's.
fn serve_tls(name: &str, args: &[&str]) -> (Sandbox, RunningServer, Sandbox) {
    let owner = Sandbox::new();
    assert_eq!(owner.run(&["certs", "--host", name]).code, Some(0));
    let files = ["--tls-cert", "certs/server.pem", "--tls-key", "certs/server-key.pem"];
    let server = owner.serve_at(TLS, &[&files, args].concat());
    let friend = Sandbox::new();
    friend.write("ca.pem", 0o644, &owner.read("certs/ca.pem"));
    (owner, server, friend)
}

#[test]
fn every_mode_finds_its_server_and_both_clients_share_what_they_know() {
    for mode in MODES {
        let (owner, server) = serve(&["--kex", mode]);
        let user = if mode == "x25519" { Sandbox::new() } else { holder_of_the_key(&owner) };
        let new: &[&str] = if mode == "x25519" { &["--accept-new"] } else { &[] };
        run(&user, &[&["query", server.url(), "SetA-Two"], new].concat()).is_timestamps(2);
        let known = match mode {
            "x25519+psk" => entry(&server, "by-secret-key"),
            "x25519" => entry(&server, "accepted-new"),
            _ => String::new(),
        };
        assert_eq!(user.known_hosts(), known, "{mode}");
        user.run(&["query", server.url(), "--kex", mode, "SetA-One"]).is_timestamps(1);
        run(&user, &["query", server.url(), "--kex", mode, "SetA-One"]).is_timestamps(1);
        assert_eq!(user.known_hosts(), known, "{mode}");
        let log = server.stop();
        let begun = log.lines().filter(|line| line.contains("session begins"));
        assert_eq!(begun.map(mode_of).collect::<Vec<_>>(), [mode; 3]);
    }
}

#[test]
fn both_clients_write_addresses_alike() {
    let urls = ["tcp://Example.ORG", "tls://127.0.0.1:1", "tcp://[FE80:0::1]:80", "tcp://[::ffff:7f00:1]/"];
    let print = "
import sys, fernwire
sys.argv, urls = ['fernwire.py', 'query', 'x'], sys.argv[1:]
[print(fernwire.Server(url, fernwire.arguments()).address) for url in urls]
";
    let sandbox = Sandbox::new();
    let mut command = interpreter(&sandbox);
    command.args(["-c", print]).args(urls).env("PYTHONPATH", repository("examples/python"));
    let ours: String = urls.iter().map(|url| format!("{}\n", url.parse::<Endpoint>().unwrap())).collect();
    assert_eq!(sandbox.start(&mut command).wait().stdout, ours);
}

#[test]
fn a_certificate_proves_a_server_and_a_pin_takes_its_place() {
    let (_owner, server, friend) = serve_tls("127.0.0.1", &[]);
    let query = |more: &[&str]| run(&friend, &[&["query", server.url(), "SetA-Two"], more].concat());
    query(&[]).fails(&["no session with tls://127.0.0.1", "certificate verify failed", "--ca"]);
    query(&["--accept-new"]).fails(&["certificate verify failed"]);
    query(&["--ca", "ca.pem"]).is_timestamps(2);
    assert_eq!(friend.known_hosts(), entry(&server, "by-certificate"));
    let stranger = Sandbox::new();
    run(&stranger, &["query", &server.pinned_url(), "SetA-Two"]).is_timestamps(2);
    assert_eq!(stranger.known_hosts(), "");
    run(&stranger, &["query", &format!("{}#{ANOTHER}", server.url()), "x"]).fails(&["the address has", ANOTHER]);
    assert_eq!(stranger.run(&["certs"]).code, Some(0));
    run(&stranger, &["query", &server.pinned_url(), "--ca", "certs/ca.pem", "x"]).fails(&["certificate verify failed"]);
}

#[test]
fn a_certificate_for_another_host_proves_nothing() {
    let (_owner, server, friend) = serve_tls("example.org", &[]);
    run(&friend, &["query", server.url(), "--ca", "ca.pem", "x"]).fails(&["certificate verify failed", "127.0.0.1"]);
}

#[test]
fn a_servers_own_certificate_proves_it_to_whoever_has_a_copy() {
    let owner = Sandbox::new();
    let server = owner.serve_at(TLS, &[]);
    let friend = Sandbox::new();
    friend.write("server.pem", 0o644, &owner.read("data/fernwire/tls-cert.pem"));
    run(&friend, &["query", server.url(), "--ca", "server.pem", "SetA-Two"]).is_timestamps(2);
}

#[test]
fn nothing_but_the_right_identity_is_accepted_without_asking() {
    let (_owner, server) = serve(&[]);
    let user = Sandbox::new();
    run(&user, &["query", server.url(), "x"]).fails(&["is not known here", server.identity(), "--accept-new"]);
    run(&user, &["query", &format!("{}#{ANOTHER}", server.url()), "x"]).fails(&["the address has", ANOTHER]);
    assert_eq!(user.known_hosts(), "");
    for how in ["confirmed", "by-secret-key"] {
        let changed = format!("{} {ANOTHER} {how}\n", server.url());
        user.write(crate::program::KNOWN_HOSTS, 0o600, &changed);
        run(&user, &["query", server.url(), "--accept-new", "x"]).fails(&["known_hosts has", ANOTHER]);
        run(&user, &["query", &server.pinned_url(), "x"]).fails(&["known_hosts has", ANOTHER]);
        assert_eq!(user.known_hosts(), changed);
    }
    user.write(crate::program::KNOWN_HOSTS, 0o600, "# mine\ntcp://elsewhere:1 fwk1_x confirmed\n");
    run(&user, &["query", server.url(), "--accept-new", "x"]).fails(&["known_hosts line 2 "]);
    let refused = server.stop().matches("the peer says (unverified): that identity is not trusted here").count();
    assert_eq!(refused, 2 + 2 * 2);
}

#[test]
fn what_others_have_recorded_stays_in_the_file() {
    let (_owner, server) = serve(&[]);
    let user = Sandbox::new();
    let others = format!("# mine\n\ntcp://elsewhere:3376 {ANOTHER} confirmed\n");
    let weak = entry(&server, "by-secret-key");
    user.write(crate::program::KNOWN_HOSTS, 0o600, &format!("{weak}{others}"));
    run(&user, &["query", server.url(), "x"]).fails(&["is not known here"]);
    let accepted = run(&user, &["query", server.url(), "--accept-new", "SetA-One"]);
    accepted.is_timestamps(1);
    assert_eq!(user.known_hosts(), format!("{others}{}", entry(&server, "accepted-new")));
}

#[test]
fn the_wrong_secret_key_and_none_are_told() {
    let (_owner, server) = serve(&["--kex", "x25519+psk"]);
    let user = Sandbox::new();
    run(&user, &["query", server.url(), "--kex", "psk", "x"]).fails(&["needs a secret key", "--secret-key"]);
    run(&user, &["query", &server.pinned_url(), "x"]).fails(&["no key mode in common"]);
    assert_eq!(user.run(&["keygen"]).code, Some(0));
    run(&user, &["query", server.url(), "x"]).fails(&["it holds another secret key"]);
    user.write("secret.key", 0o644, &user.read("secret.key"));
    run(&user, &["query", server.url(), "x"]).fails(&["others can read secret.key", "chmod 600"]);
}

#[test]
fn no_password_goes_to_a_server_that_nothing_proves() {
    let (owner, server) = serve(&["--kex", "x25519+psk,x25519"]);
    let log_in = |user: &Sandbox, more: &[&str]| {
        run(user, &[&["chat", server.url(), "--user", "ada", "--signup"], more].concat())
    };
    let holder = holder_of_the_key(&owner);
    log_in(&holder, &[]).fails(&["no password was sent"]);
    log_in(&holder, &[]).fails(&["no password was sent"]);
    log_in(&Sandbox::new(), &["--accept-new"]).fails(&["no password was sent"]);
    let told = server.log().so_far();
    assert!(!told.contains("signed up") && !told.contains(PASSWORD), "{told}");
    run(&holder, &["query", server.url(), "--kex", "x25519", "--accept-new", "SetA-One"]).is_timestamps(1);
    let outcome = log_in(&holder, &[]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    server.log().wait_for("signed up name=ada");
}
