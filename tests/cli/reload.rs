//! SIGHUP: a renewed certificate is shown to whoever comes next, and nothing else changes.

use std::fs;

use crate::program::{FERNWIRE, RunningServer, Sandbox};

/// A server whose certificate `fernwire certs` has made, with this tick.
fn server(sandbox: &Sandbox, tick: &str) -> RunningServer {
    certs(sandbox);
    let named = ["--tls-cert", "certs/server.pem", "--tls-key", "certs/server-key.pem", "--tick", tick];
    sandbox.serve_at("tls://127.0.0.1:0", &named)
}

fn certs(sandbox: &Sandbox) {
    assert_eq!(sandbox.run(&["certs", "--host", "127.0.0.1"]).code, Some(0));
}

/// The certificate that the server shows now, as OpenSSL sees it.
fn shown(server: &RunningServer) -> String {
    let sandbox = Sandbox::new();
    let mut openssl = sandbox.command("openssl");
    let outcome = sandbox.start(openssl.args(["s_client", "-showcerts", "-connect", server.address()])).wait();
    certificate(&outcome.stdout)
}

/// The first certificate in a text, in one line.
fn certificate(text: &str) -> String {
    let (_, after) = text.split_once("-----BEGIN CERTIFICATE-----").unwrap_or_else(|| panic!("{text}"));
    after.split_once("-----END CERTIFICATE-----").unwrap().0.split_whitespace().collect()
}

#[test]
fn a_renewed_certificate_disturbs_no_query_and_is_shown_to_the_next_client() {
    let sandbox = Sandbox::new();
    let server = server(&sandbox, "300ms");
    let before = shown(&server);
    assert_eq!(before, certificate(&sandbox.read("certs/server.pem")));
    let client = Sandbox::new();
    let mut asking = client.start(&mut client.fernwire(&["query", &server.pinned_url(), "SetE-Ten"]));
    asking.stdout.wait_for("\n");
    certs(&sandbox);
    server.signal("HUP");
    server.log().wait_for("certificate reloaded; new connections get it");
    let after = shown(&server);
    assert!(asking.is_running(), "the query was over before the new certificate was there");
    assert_eq!(after, certificate(&sandbox.read("certs/server.pem")));
    assert_ne!(after, before);
    let ca = sandbox.arg("certs/ca.pem");
    Sandbox::new().run(&["query", server.url(), "--ca", &ca, "SetA-One"]).is_timestamps(1);
    asking.wait().is_timestamps(10);
    assert_eq!(warnings(&server.stop()), 0);
}

/// How many warnings there are, apart from those for OpenSSL, which leaves after it has seen the certificate.
fn warnings(log: &str) -> usize {
    log.lines()
        .filter(|line| line.contains(" WARN ") && !line.contains("handshake failed reason=the peer left"))
        .count()
}

#[test]
fn a_broken_file_keeps_the_certificate_that_was_there_and_the_log_says_why() {
    let sandbox = Sandbox::new();
    let server = server(&sandbox, "20ms");
    let before = shown(&server);
    let text = sandbox.read("certs/server.pem");
    sandbox.write("certs/server.pem", 0o644, &text[..text.len() / 2]);
    server.signal("HUP");
    let log = server.log().wait_for("the one before it stays in use");
    assert!(log.contains("server.pem is damaged or only half written"), "{log}");
    assert_eq!(shown(&server), before);
    let ca = sandbox.arg("certs/ca.pem");
    Sandbox::new().run(&["query", server.url(), "--ca", &ca, "SetA-One"]).is_timestamps(1);
    // Once it is mended, it counts.
    sandbox.write("certs/server.pem", 0o644, &text);
    certs(&sandbox);
    server.signal("HUP");
    server.log().wait_for("certificate reloaded; new connections get it");
    assert_ne!(shown(&server), before);
    let log = server.stop();
    assert_eq!(warnings(&log), 1, "{log}");
}

#[test]
fn a_servers_own_pair_is_made_anew_when_it_is_missing() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve_at("tls://127.0.0.1:0", &[]);
    let before = shown(&server);
    server.signal("HUP");
    server.log().wait_for("certificate reloaded");
    assert_eq!(shown(&server), before);
    for name in ["tls-cert.pem", "tls-key.pem"] {
        fs::remove_file(sandbox.path("data/fernwire").join(name)).unwrap();
    }
    server.signal("HUP");
    server.log().wait_until_count("certificate reloaded", 2);
    assert_ne!(shown(&server), before);
    Sandbox::new().paste(server.connect_lines()[0]).is_timestamps(2);
}

#[test]
fn without_a_certificate_it_ends_the_server() {
    let server = Sandbox::new().serve(&[]);
    server.signal("HUP");
    let outcome = server.wait();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stderr.contains("SIGHUP: there is no certificate to reload; the server stops"), "{outcome:?}");
}

#[test]
fn a_server_that_nohup_keeps_serves_on() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command("nohup");
    command.args([FERNWIRE, "serve", "--listen", "tcp://127.0.0.1:0", "--tick", "20ms"]);
    let server = sandbox.serve_with(&mut command);
    server.signal("HUP");
    server.log().wait_for("SIGHUP: there is no certificate to reload");
    Sandbox::new().paste(server.connect_lines()[0]).is_timestamps(2);
    assert!(!server.stop().contains(" WARN "));
}

/// Runs a program on a terminal of its own until it has said that it is ready, closes the terminal, and prints how the
/// program ended; what does not end by itself is killed.
const CLOSED_TERMINAL: &str = "
import os, pty, sys, time
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
seen = b''
while b'Stop with Ctrl-C.' not in seen:
    seen += os.read(terminal, 4096)
os.close(terminal)
for turn in range(1000):
    ended, status = os.waitpid(pid, os.WNOHANG)
    if ended:
        break
    time.sleep(0.02)
else:
    os.kill(pid, 9)
    status = os.waitpid(pid, 0)[1]
print(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 'killed')
";

#[test]
fn a_closed_terminal_ends_the_server_that_was_started_on_it() {
    let sandbox = Sandbox::new();
    for url in ["tls://127.0.0.1:0", "tcp://127.0.0.1:0"] {
        let mut python = sandbox.command("python3");
        let outcome = sandbox.start(python.args(["-c", CLOSED_TERMINAL, FERNWIRE, "serve", "--listen", url])).wait();
        assert_eq!(outcome.stdout, "0\n", "{url}: {outcome:?}");
    }
}
