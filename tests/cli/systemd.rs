//! What a service manager hears, and the unit file that we give it.

use std::os::unix::net::UnixDatagram;
use std::process::Command;

use crate::program::{FERNWIRE, PATIENCE, Process, Sandbox};

/// A service manager that starts servers and listens to them.
struct Manager {
    sandbox: Sandbox,
    socket: UnixDatagram,
}

impl Manager {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let socket = UnixDatagram::bind(sandbox.path("notify.sock")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { sandbox, socket }
    }

    fn start(&self, args: &[&str]) -> Process {
        let mut command = self.sandbox.fernwire(&["serve", "--tick", "20ms"]);
        self.sandbox.start(command.args(args).env("NOTIFY_SOCKET", self.sandbox.path("notify.sock")))
    }

    /// The lines of the next notification.
    fn hears(&self) -> Vec<String> {
        let mut message = [0; 4096];
        let length = self.socket.recv(&mut message).unwrap();
        std::str::from_utf8(&message[..length]).unwrap().lines().map(str::to_owned).collect()
    }

    /// Where the server says that it listens, when it is ready.
    fn hears_ready(&self) -> Vec<String> {
        let message = self.hears();
        let [ready, status] = &message[..] else { panic!("{message:?}") };
        assert_eq!(ready, "READY=1");
        status.strip_prefix("STATUS=Listening at ").unwrap().split(", ").map(str::to_owned).collect()
    }

    /// Whether anything else has been said.
    fn has_heard_more(&self) -> bool {
        self.socket.set_nonblocking(true).unwrap();
        self.socket.recv(&mut [0; 1]).is_ok()
    }
}

#[test]
fn a_server_is_ready_when_every_listener_listens_and_stops_when_it_is_told_to() {
    let manager = Manager::new();
    let socket = format!("unix://{}", manager.sandbox.arg("s.sock"));
    for signal in ["TERM", "INT"] {
        let server = manager.start(&["--listen", "tcp://127.0.0.1:0", "--listen", &socket]);
        let urls = manager.hears_ready();
        assert_eq!((urls.len(), &urls[1]), (2, &socket));
        for url in &urls {
            manager.sandbox.run(&["query", url, "SetA-One"]).is_timestamps(1);
        }
        server.signal(signal);
        let message = manager.hears();
        let [stopping, patience, status] = &message[..] else { panic!("{message:?}") };
        assert_eq!(stopping, "STOPPING=1");
        assert_eq!(patience, "EXTEND_TIMEOUT_USEC=15000000");
        assert_eq!(status, "STATUS=Stopping; what is being answered has 10s");
        let outcome = server.wait();
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert!(outcome.stdout.ends_with("Stop with Ctrl-C.\n"), "{outcome:?}");
    }
    assert!(!manager.has_heard_more());
}

#[test]
fn a_reload_is_over_when_new_clients_get_the_new_certificate() {
    let manager = Manager::new();
    let sandbox = &manager.sandbox;
    let files = ["--tls-cert", "certs/server.pem", "--tls-key", "certs/server-key.pem"];
    assert_eq!(sandbox.run(&["certs"]).code, Some(0));
    let server = manager.start(&[&["--listen", "tls://127.0.0.1:0"], &files[..]].concat());
    let urls = manager.hears_ready();
    for _ in 0..2 {
        assert_eq!(sandbox.run(&["certs", "--force"]).code, Some(0));
        server.signal("HUP");
        let message = manager.hears();
        let [reloading, time] = &message[..] else { panic!("{message:?}") };
        assert_eq!(reloading, "RELOADING=1");
        assert!(time.strip_prefix("MONOTONIC_USEC=").unwrap().parse::<u64>().unwrap() > 0);
        assert_eq!(manager.hears_ready(), urls);
        // Nothing but the certificate proves the server to somebody new.
        Sandbox::new().run(&["query", &urls[0], "--ca", &sandbox.arg("certs/ca.pem"), "SetA-One"]).is_timestamps(1);
    }
    server.signal("TERM");
    assert_eq!(manager.hears()[0], "STOPPING=1");
    assert_eq!(server.wait().code, Some(0));
}

#[test]
fn a_reload_that_fails_and_one_without_anything_to_reload_end_too() {
    let manager = Manager::new();
    for url in ["tls://127.0.0.1:0", "tcp://127.0.0.1:0"] {
        let server = manager.start(&["--listen", url]);
        let urls = manager.hears_ready();
        let banner = server.stdout.wait_for("Stop with Ctrl-C.");
        if url.starts_with("tls") {
            manager.sandbox.write("data/fernwire/tls-cert.pem", 0o644, "nothing of the kind\n");
        }
        server.signal("HUP");
        assert_eq!(manager.hears()[0], "RELOADING=1");
        assert_eq!(manager.hears_ready(), urls);
        let connect = banner.lines().find(|line| line.contains(" query ")).unwrap();
        manager.sandbox.paste(connect.trim()).is_timestamps(2);
    }
}

#[test]
fn a_manager_that_cannot_be_reached_is_a_warning_and_an_empty_name_is_none() {
    for (socket, warnings) in [("/nowhere/notify.sock", 2), ("", 0)] {
        let sandbox = Sandbox::new();
        let mut serve = sandbox.fernwire(&["serve", "--listen", "tcp://127.0.0.1:0", "--tick", "20ms"]);
        let server = sandbox.serve_with(serve.env("NOTIFY_SOCKET", socket));
        sandbox.run(&["query", server.url(), "SetA-One"]).is_timestamps(1);
        let log = server.stop();
        assert_eq!(log.matches(" WARN ").count(), warnings, "{log}");
        assert_eq!(log.matches("systemd could not be told").count(), warnings, "{log}");
        assert_eq!(log.contains("state=READY=1"), warnings > 0, "{log}");
    }
}

#[test]
fn the_program_would_run_as_the_unit_file_starts_it() {
    let unit = include_str!("../../docs/fernwire.service");
    let value = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap();
    let sandbox = Sandbox::new();
    sandbox.write("etc/fernwire/config.toml", 0o644, "listen = [\"tls://0.0.0.0:3376\"]\nkex = \"x25519+psk\"\n");
    sandbox.write("var/lib/fernwire/none", 0o644, "");
    let line = value("ExecStart").replace("/usr/local/bin/fernwire", FERNWIRE);
    let line = line.replace("/etc/", &sandbox.arg("etc/")).replace("/var/lib/", &sandbox.arg("var/lib/"));
    let words: Vec<_> = line.split(' ').collect();
    assert_eq!(words[0], FERNWIRE);
    let folder = sandbox.path(value("WorkingDirectory").strip_prefix('/').unwrap());
    let outcome = sandbox.start(sandbox.command(words[0]).args(&words[1..]).arg("--check").current_dir(folder)).wait();
    assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{outcome:?}");
    let folder = sandbox.arg("var/lib/fernwire");
    for name in ["identity.key, which would be made", "tls-cert.pem, self-signed, which would be made"] {
        assert!(outcome.stdout.contains(&format!("{folder}/{name}")), "{outcome:?}");
    }
    assert!(outcome.stdout.contains("  secret key  secret.key, which would be made"), "{outcome:?}");
}

#[test]
fn the_unit_file_has_nothing_that_systemd_does_not_know() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        return eprintln!("skipped: there is no systemd-analyze");
    }
    let sandbox = Sandbox::new();
    let unit = include_str!("../../docs/fernwire.service").replace("/usr/local/bin/fernwire", FERNWIRE);
    let file = sandbox.write("fernwire.service", 0o644, &unit);
    let outcome = sandbox.start(sandbox.command("systemd-analyze").args(["verify", "--man=no"]).arg(&file)).wait();
    let complaints: Vec<_> = outcome.stderr.lines().filter(|line| line.contains("fernwire.service")).collect();
    assert_eq!(complaints, [""; 0], "{outcome:?}");
}
