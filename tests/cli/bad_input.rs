//! What goes wrong, and the one sentence and exit code that come of it; on a server one warning, and nobody else hurt.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::program::{Outcome, RunningServer, Sandbox, unused_port};

const PEM: &str = "-----BEGIN PRIVATE KEY-----\n\
                   MC4CAQAwBQYDK2VuBCIEIHcHbQpzGKV9PBbBclGyZkXfTC+H68CZKrF3+6UduSwq\n\
                   -----END PRIVATE KEY-----\n";

#[track_caller]
fn query_fails(args: &[&str], words: &[&str]) {
    Sandbox::new().run(&[&["query"], args].concat()).fails(words);
}

#[test]
fn an_address_that_is_none_is_explained() {
    query_fails(&["ftp://h:1", "SetA-One"], &["`ftp://` is not a scheme", "tcp://host:port"]);
    query_fails(&["tcp://h:99999", "SetA-One"], &["`99999` is not a port"]);
    query_fails(&["tcp://h:port", "SetA-One"], &["`port` is not a port"]);
    query_fails(&["tcp://::1:1", "SetA-One"], &["IPv6 address in brackets"]);
    query_fails(&["unix://s.sock", "SetA-One"], &["`s.sock` is not an absolute path"]);
    query_fails(&["tcp://h:1#fwk1_short", "SetA-One"], &["not a server's identity", "fwk1_"]);
    let run = |args: &[&str]| Sandbox::new().run(args);
    run(&["query", "--server", "localhost:1", "x"]).is_usage_error(&["--server", "`localhost:1` is not an address"]);
    run(&["serve", "--listen", "udp://h:1"]).is_usage_error(&["--listen", "`udp://` is not a scheme"]);
    let sandbox = Sandbox::new();
    let mut by_environment = sandbox.fernwire(&["query", "SetA-One"]);
    let outcome = sandbox.start(by_environment.env("FERNWIRE_SERVER", "nowhere")).wait();
    outcome.fails(&["FERNWIRE_SERVER: `nowhere` is not an address"]);
}

#[test]
fn an_address_in_the_wrong_place_is_no_query() {
    for words in [
        &["SetA-One", "tcp://127.0.0.1:1"][..],
        &["localhost:3376", "SetA-One"],
        &["tcp://127.0.0.1:1", "127.0.0.1:3376"],
        &["tcp:/127.0.0.1:3376"],
        &["/run/f.sock", "SetA-One"],
        &["unix:/run/f.sock"],
    ] {
        query_fails(words, &["looks like an address", "goes first"]);
    }
    query_fails(&["SetA-One", ""], &["a query is empty"]);
}

#[test]
fn an_address_that_stands_alone_is_written_out() {
    query_fails(&["127.0.0.1:3376"], &["`127.0.0.1:3376` lacks", "write it as tcp://127.0.0.1:3376"]);
    let key = "A".repeat(43);
    let with_a_key = Sandbox::new().run(&["query", &format!("/run/{key}=")]);
    with_a_key.fails(&["write it as unix:///run/(a key, not shown)"]);
    assert!(!with_a_key.stderr.contains(&key), "{with_a_key:?}");
    query_fails(&["/run/f.sock"], &["write it as unix:///run/f.sock"]);
    let chat = Sandbox::new().run(&["chat", "127.0.0.1:45671"]);
    chat.fails(&["`127.0.0.1:45671` lacks", "write it as tcp://127.0.0.1:45671"]);
}

#[test]
fn a_key_in_the_wrong_place_is_not_repeated() {
    let sandbox = Sandbox::new();
    sandbox.run(&["keygen"]);
    sandbox.serve(&["--kex", "x25519"]).stop();
    let secret = sandbox.read("secret.key");
    let secret = secret.trim();
    // Every outcome is searched for the secrets of its sandbox.
    sandbox.run(&["query", secret]).fails(&["one of the arguments is a secret key", "make a new one"]);
    sandbox.run(&["serve", "--kex", "psk", "--secret-key", secret]).fails(&["that is a key itself"]);
    let hidden = ["(a key, not shown)"];
    for text in [secret, PEM, &format!("Bag Attributes\n{PEM}"), &sandbox.read("data/fernwire/identity.key")] {
        let is_hidden = |outcome: &Outcome| {
            outcome.is_usage_error(&hidden);
            assert!(
                !outcome.stderr.contains("MC4C") && outcome.stderr.contains("better make a new one"),
                "{outcome:?}"
            );
        };
        for args in [
            &["query", "--secret-key", text, "x"][..],
            &["query", "--server", text, "x"],
            &["query", "--kex", text, "x"],
            &["query", "--ca", text, "x"],
            &["keygen", text],
            &["certs", "--out", text],
            &["certs", "--host", text],
            &["man", "--out", text],
            &["serve", text],
            &[text],
        ] {
            // An option's value may not begin with dashes.
            if !text.starts_with('-') {
                is_hidden(&sandbox.run(args));
            }
        }
        for name in ["FERNWIRE_KEX", "FERNWIRE_LISTEN", "FERNWIRE_TICK", "FERNWIRE_LOG_LEVEL", "FERNWIRE_LOG_FORMAT"] {
            is_hidden(&sandbox.start(sandbox.fernwire(&["serve"]).env(name, text)).wait());
        }
    }
}

#[test]
fn a_key_in_a_variable_of_clients_is_not_repeated() {
    let sandbox = Sandbox::new();
    sandbox.run(&["keygen"]);
    let secret = sandbox.read("secret.key").trim().to_owned();
    let query = |variable: &str, text: &str, args: &[&str]| {
        let outcome = sandbox.start(sandbox.fernwire(&["query", "SetA-One"]).args(args).env(variable, text)).wait();
        assert!(!outcome.stderr.contains("MC4C"), "{outcome:?}");
        outcome
    };
    for text in [&*secret, PEM] {
        query("FERNWIRE_SERVER", text, &[]).fails(&["FERNWIRE_SERVER: that is a key"]);
        query("FERNWIRE_CA", text, &["--server", "tls://h:1"]).fails(&["FERNWIRE_CA: that is a key itself"]);
    }
    let inside = format!("tcp://{secret}:1");
    query("FERNWIRE_SERVER", &inside, &[]).fails(&["FERNWIRE_SERVER: `(a key, not shown)=", "is not a host"]);
}

#[test]
fn a_mistyped_log_level_does_not_silence_the_server() {
    let sandbox = Sandbox::new();
    let outcome = sandbox.start(sandbox.fernwire(&["serve"]).env("FERNWIRE_LOG_LEVEL", "loud")).wait();
    outcome.is_usage_error(&["'loud' for '--log-level <LEVEL>'", "error, warn, info, debug or trace"]);
}

#[test]
fn a_host_that_cannot_be_found_is_named() {
    query_fails(&["tcp://no-such-host.invalid:1", "SetA-One"], &["cannot find the host `no-such-host.invalid`"]);
}

#[test]
fn a_refused_connection_says_that_nothing_is_listening() {
    let url = format!("tcp://127.0.0.1:{}", unused_port());
    query_fails(&[&url, "SetA-One"], &["nothing is listening at", &url, "`fernwire serve`"]);
    query_fails(&["unix:///nowhere/s.sock", "SetA-One"], &["nothing is listening at unix:///nowhere/s.sock"]);
}

#[test]
fn modes_and_ticks_that_do_not_exist_are_usage_errors() {
    let run = |args: &[&str]| Sandbox::new().run(args);
    run(&["query", "--kex", "rot13", "x"]).is_usage_error(&["--kex", "`rot13` is not a key mode", "x25519+psk"]);
    run(&["serve", "--kex", "psk,"]).is_usage_error(&["--kex", "is not a key mode"]);
    for tick in ["0s", "fast", "-1s", "1000h", "5"] {
        let tick = format!("--tick={tick}");
        run(&["serve", &tick]).is_usage_error(&["--tick", "a tick is a duration from 1ms to 24h"]);
    }
    run(&["dance"]).is_usage_error(&["dance"]);
    run(&["query", "--loud"]).is_usage_error(&["--loud"]);
}

#[test]
fn mode_psk_and_a_pin_exclude_each_other() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&["--kex", "x25519+psk,psk"]);
    let outcome = sandbox.run(&["query", "--kex", "psk", &server.pinned_url(), "SetA-One"]);
    outcome.fails(&["pins the server's identity", "psk proves no identity"]);
}

#[test]
fn a_key_that_is_not_there_is_missed_on_both_sides() {
    query_fails(&["--kex", "psk", "SetA-One"], &["need a secret key, and there is none", "--secret-key"]);
    query_fails(&["--secret-key", "no.key", "SetA-One"], &["there is no key file no.key"]);
    let outcome = Sandbox::new().run(&["serve", "--secret-key", "no.key"]);
    outcome.fails(&["there is no key file no.key", "`fernwire keygen`"]);
}

#[test]
fn whatever_is_not_a_secret_key_is_called_by_its_name() {
    let sandbox = Sandbox::new();
    let running = sandbox.serve(&[]);
    let identity_key = sandbox.read("data/fernwire/identity.key");
    for (text, words) in [
        ("", "this is nothing, not a secret key"),
        ("swordfish", "this is something else, not a secret key"),
        (&"A".repeat(44), "this is something else, not a secret key"),
        (running.identity(), "this is a public identity (fwk1_...), not a secret key"),
        (&*identity_key, "this is a server's secret identity (identity.key), not a secret key"),
        (PEM, "this is a PEM certificate or key, not a secret key"),
    ] {
        let client = Sandbox::new();
        client.write("secret.key", 0o600, text);
        client.run(&["query", running.url(), "SetA-One"]).fails(&["secret.key: ", words]);
        client.run(&["serve", "--kex", "psk"]).fails(&["secret.key: ", words]);
        assert_eq!(client.read("secret.key"), text);
    }
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_command_that_helps() {
    let sandbox = Sandbox::new();
    sandbox.run(&["keygen"]);
    sandbox.write("secret.key", 0o644, &sandbox.read("secret.key"));
    let words = ["secret.key can be read by other users (mode 0644)", "run: chmod 600 secret.key"];
    sandbox.run(&["query", "SetA-One"]).fails(&words);
    sandbox.run(&["serve", "--kex", "psk"]).fails(&words);
    sandbox.paste("chmod 600 secret.key");
    sandbox.serve(&["--kex", "psk"]).stop();

    sandbox.serve(&["--kex", "x25519"]).stop();
    sandbox.write("data/fernwire/identity.key", 0o640, &sandbox.read("data/fernwire/identity.key"));
    sandbox.run(&["serve", "--kex", "x25519"]).fails(&["identity.key can be read by other users", "chmod 600 "]);
    sandbox.run(&["id"]).fails(&["identity.key can be read by other users", "chmod 600 "]);
}

#[test]
fn another_secret_key_is_refused_in_psk_and_auto() {
    for kex in ["psk", "auto"] {
        let sandbox = Sandbox::new();
        sandbox.run(&["keygen"]);
        let server = sandbox.serve(&["--kex", kex]);
        let client = Sandbox::new();
        let id = client.run(&["keygen"]).stdout.trim_end().rsplit(' ').next().unwrap().to_owned();
        let outcome = client.run(&["query", "--kex", kex, server.url(), "SetA-One"]);
        outcome.fails(&["that secret key is not the one held here", &format!("Your secret key has the id {id}")]);
        server.warned_once_and_serves_on(&["the client's secret key is not the one that this server holds"]);
    }
}

#[test]
fn two_sides_without_a_common_mode_are_told_what_each_allows() {
    let server = Sandbox::new().serve(&["--kex", "psk"]);
    let outcome = Sandbox::new().run(&["query", server.url(), "SetA-One"]);
    outcome.fails(&[
        "none of the offered key modes is allowed here",
        "This client offered x25519",
        "copy its secret.key here",
    ]);
    server.warned_once_and_serves_on(&["the client offers x25519, and the server allows psk"]);
}

#[test]
fn http_on_our_port_is_called_by_its_name() {
    let server = Sandbox::new().serve(&[]);
    send(&server, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    server.warned_once_and_serves_on(&["the peer speaks HTTP, not Fernwire"]);
}

#[test]
fn noise_on_our_port_is_one_warning() {
    for noise in [&b"\x01\xff\xff"[..], b"\x01\x00\x08GARBAGE!", b"\x16\x03\x01\x02\x00\x01", &[0; 5000], b""] {
        let server = Sandbox::new().serve(&[]);
        send(&server, noise);
        server.warned_once_and_serves_on(&["handshake failed reason=the peer"]);
    }
}

/// Sends bytes and the end of them, and waits for the server to hang up.
pub(crate) fn send(server: &RunningServer, bytes: &[u8]) {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    // A server that has seen enough may hang up before it has read all of it.
    let _ = stream.write_all(bytes).and_then(|()| stream.shutdown(std::net::Shutdown::Write));
    let _ = stream.read_to_end(&mut Vec::new());
}

#[test]
fn a_server_of_another_protocol_is_recognised() {
    let answer = |bytes: &'static [u8]| foreign_server(move |mut stream| stream.write_all(bytes).unwrap());
    query_fails(&[&answer(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "x"], &["the peer speaks HTTP, not Fernwire"]);
    query_fails(
        &[&answer(b"SSH-2.0-OpenSSH_9.6\r\n"), "x"],
        &["no session with tcp://", "the peer speaks SSH, not Fernwire"],
    );
    query_fails(&[&answer(b"\x99garbage"), "x"], &["no session with tcp://", "a frame of type 153"]);
    query_fails(&[&answer(b"\x02\xff\xff"), "x"], &["no session with tcp://", "65535 bytes; 4096 are allowed"]);
    query_fails(&[&answer(b""), "x"], &["no session with tcp://", "the peer left in the middle of the handshake"]);
}

#[test]
fn a_server_that_stays_silent_is_given_up() {
    let silent = foreign_server(|mut stream| drop(stream.read_to_end(&mut Vec::new())));
    query_fails(&[&silent, "x"], &["did not finish the handshake within 10 s; is it a Fernwire server?"]);
}

/// A server that reads a hello and then does this, once.
fn foreign_server(serve: impl FnOnce(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // To the last byte: what is unread when we hang up would reset the connection.
        let mut header = [0; 3];
        stream.read_exact(&mut header).unwrap();
        stream.read_exact(&mut vec![0; usize::from(u16::from_be_bytes([header[1], header[2]]))]).unwrap();
        serve(stream);
    });
    url
}

#[test]
fn a_port_or_socket_in_use_is_named() {
    let sandbox = Sandbox::new();
    let socket = format!("unix://{}", sandbox.arg("s.sock"));
    let server = sandbox.serve(&["--listen", &socket]);
    for url in [server.url(), &socket] {
        let outcome = sandbox.run(&["serve", "--listen", url, "--data", &sandbox.arg("other")]);
        outcome.fails(&[url, "is in use by another process", "--listen"]);
    }
    let data = sandbox.arg("data");
    sandbox.run(&["serve", "--listen", "tcp://127.0.0.1:0"]).fails(&["another server is using", &data, "stop it"]);
    sandbox.run(&["query", &socket, "SetA-One"]).is_timestamps(1);
}

#[test]
fn a_file_where_the_socket_belongs_is_left_alone() {
    let sandbox = Sandbox::new();
    sandbox.write("s.sock", 0o600, "precious");
    let outcome = sandbox.run(&["serve", "--listen", &format!("unix://{}", sandbox.arg("s.sock"))]);
    outcome.fails(&["s.sock is in the way: it is not a socket"]);
    assert_eq!(sandbox.read("s.sock"), "precious");
}

#[test]
fn a_place_that_cannot_be_listened_on_is_named() {
    let sandbox = Sandbox::new();
    sandbox.run(&["serve", "--listen", "unix:///nowhere/s.sock"]).fails(&["cannot listen at unix:///nowhere/s.sock: "]);
    sandbox.run(&["serve", "--listen", "tcp://192.0.2.1:1"]).fails(&["cannot listen at tcp://192.0.2.1:1: "]);
    let pinned = format!("tcp://127.0.0.1:0#fwk1_{}", "A".repeat(43));
    sandbox.run(&["serve", "--listen", &pinned]).fails(&["--listen: ", "a listener takes no `#` and identity"]);
    sandbox.run(&["serve", "--listen", "memory://x"]).fails(&["memory://x: nobody outside of this process"]);
}

#[test]
fn a_data_directory_that_cannot_be_written_is_named_with_the_reason() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("file", 0o600, "").display().to_string();
    for (data, reason) in [(format!("{file}/data"), "Not a directory"), ("/proc/data".into(), "No such file")] {
        let outcome = sandbox.run(&["serve", "--data", &data]);
        outcome.fails(&["cannot make the data directory", &data, reason, "--data"]);
    }
    let outcome = sandbox.run(&["serve", "--data", "/proc/self"]);
    outcome.fails(&["could not lock /proc/self/fernwire.lock: "]);
    let outcome = sandbox.run(&["serve", "--secret-key", "/proc/secret.key", "--kex", "psk"]);
    outcome.fails(&["cannot write /proc/secret.key: "]);
}

#[test]
fn state_without_a_home_is_impossible_and_says_so() {
    let sandbox = Sandbox::new();
    for args in [&["serve"][..], &["query", "SetA-One"], &["id"]] {
        let mut homeless = sandbox.fernwire(args);
        homeless.env_remove("HOME").env_remove("XDG_DATA_HOME").env_remove("XDG_CONFIG_HOME");
        sandbox.start(&mut homeless).wait().fails(&["no home directory", "set HOME"]);
    }
}

#[test]
fn keygen_never_overwrites() {
    let sandbox = Sandbox::new();
    sandbox.run(&["keygen"]);
    let key = sandbox.read("secret.key");
    sandbox.run(&["keygen"]).fails(&["secret.key exists already and is never overwritten"]);
    assert_eq!(sandbox.read("secret.key"), key);
    sandbox.run(&["keygen", "nowhere/secret.key"]).fails(&["cannot write nowhere/secret.key: "]);
}

#[test]
fn id_without_an_identity_says_how_to_get_one() {
    Sandbox::new().run(&["id"]).fails(&["there is no key file", "`fernwire serve` makes it", "--data"]);
}

#[test]
fn the_name_of_a_file_does_not_act_on_the_terminal() {
    let sandbox = Sandbox::new();
    let hostile = "a\u{1b}[2J\u{9b}1m\u{202e}b";
    let visible = "a\\u{1b}[2J\\u{9b}1m\\u{202e}b";
    for args in
        [&["submit", "--file", hostile][..], &["users", "import", hostile], &["users", "list", "--data", hostile]]
    {
        sandbox.run(args).fails(&[visible]);
    }
}
