//! `fernwire log`, and what a server makes of it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use fernwire::store::Store;

use crate::program::{Outcome, Sandbox, unused_port};

const FILE: &str = "data/fernwire/server_logs.txt";

/// The texts of the log file, whose rows have no gap.
fn logged(sandbox: &Sandbox) -> Vec<String> {
    let text = sandbox.read(FILE);
    let lines = (1..).zip(text.lines()).map(|(row, line)| {
        let (number, rest) = line.split_once(' ').unwrap();
        assert_eq!(number, row.to_string(), "{line}");
        rest.split_once(" : ").unwrap().1.to_owned()
    });
    lines.collect()
}

/// The texts in the database of a server that has stopped.
fn stored(folder: &Path) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let store = Store::open_beside(folder, false).unwrap();
        let mut texts: Vec<String> = Vec::new();
        loop {
            let rows = store.log_after(texts.len() as u64, 1000).await.unwrap();
            if rows.is_empty() {
                return texts;
            }
            texts.extend(rows.into_iter().map(|row| row.message.text));
        }
    })
}

#[track_caller]
fn is_received(outcome: &Outcome, count: usize) {
    assert_eq!((outcome.code, &*outcome.stdout), (Some(0), &*"Message received\n".repeat(count)), "{outcome:?}");
}

#[test]
fn who_is_far_and_proves_nothing_leaves_nothing() {
    let sandbox = Sandbox::new();
    let key = sandbox.run(&["keygen", "shared.key"]);
    assert_eq!(key.code, Some(0));
    sandbox.write("password", 0o600, "Correct-1-horse\n");
    let far = ["--kex", "x25519+psk,x25519", "--secret-key", "shared.key"];
    let server = sandbox.serve_at("tcp://0.0.0.0:0", &far);
    let url = server.pinned_url().replace("0.0.0.0", "127.0.0.1");
    for command in [&["log", &url, "hello"][..], &["submit", &url, "a=b"]] {
        sandbox.run(command).fails(&["the server refused", "--user NAME", "--secret-key FILE", "--open"]);
    }
    assert_eq!(logged(&sandbox), [""; 0]);
    is_received(&sandbox.run(&["log", &url, "with a key", "--secret-key", "shared.key"]), 1);
    let account = ["--user", "ada", "--signup", "--password-file", "password"];
    is_received(&sandbox.run(&[&["log", &url, "with a name"], &account[..]].concat()), 1);
    assert_eq!(logged(&sandbox), ["with a key", "with a name"]);
    assert!(sandbox.read(FILE).contains(" [ada] : with a name\n"));
    server.stop();

    let server = sandbox.serve_at("tcp://0.0.0.0:0", &[&far[..], &["--open", "log"]].concat());
    let url = server.pinned_url().replace("0.0.0.0", "127.0.0.1");
    is_received(&sandbox.run(&["log", &url, "open"]), 1);
    sandbox.run(&["submit", &url, "a=b"]).fails(&["--open submit"]);
}

#[test]
fn a_pipe_is_read_to_its_end_or_to_the_word_that_ends_it() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    is_received(&sandbox.run_with_input(&["log", server.url()], "one\ntwo\n!DISCONNECT\nnever\n"), 2);
    is_received(&sandbox.run_with_input(&["log", server.url()], "three\r\n\nfive"), 3);
    is_received(&sandbox.run_with_input(&["log", server.url()], ""), 0);
    // Texts may hold addresses, also before any other word.
    is_received(
        &sandbox.run(&["log", "see http://example.org", "host.example:80 is down", "--server", server.url()]),
        2,
    );
    let texts = ["one", "two", "three", "", "five", "see http://example.org", "host.example:80 is down"];
    assert_eq!(logged(&sandbox), texts);
    for text in ["one", "five", "host.example:80 is down"] {
        server.screen().wait_for(&format!(" : {text}\n"));
    }
    let outcome = sandbox.run_with_input(&["log", server.url(), "--json"], "eight\n");
    assert_eq!(outcome.stdout, "{\"event\":\"received\",\"number\":1,\"row\":8}\n");
    sandbox.run(&["log", server.url(), " "]).fails(&["a message is empty"]);
    server.stop();
    assert_eq!(stored(&sandbox.path("data/fernwire")).len(), 8);
}

#[test]
fn nobody_forges_a_line_and_a_long_one_comes_in_pieces() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    let hostile = "a\r2 21-11-2026 00:00:00 192.0.2.1:1 : forged\u{1b}[2J\u{202e}\u{85}\u{2028}b";
    let long = "x".repeat(20_000);
    is_received(&sandbox.run(&["log", server.url(), hostile, "b\nc", &long]), 3);
    let visible = "a\\r2 21-11-2026 00:00:00 192.0.2.1:1 : forged\\u{1b}[2J\\u{202e}\\u{85}\\u{2028}b";
    let pieces = [&long[..8192], &long[..8192], &long[..20_000 - 2 * 8192]];
    assert_eq!(logged(&sandbox), [&[visible, "b\\nc"], &pieces[..]].concat());
    server.screen().wait_for(&format!(" : {visible}\n"));
}

#[test]
fn a_server_that_is_killed_and_returns_misses_and_doubles_no_line() {
    let sandbox = Sandbox::new();
    let port = unused_port();
    let url = format!("tcp://127.0.0.1:{port}");
    let mut server = sandbox.serve_at(&url, &[]);
    let lines: Vec<_> = (1..=20_000).map(|line| format!("line {line}")).collect();
    let mut client = sandbox.start_on_pipe(&["log", &url]);
    // So much is on its way at once that the server dies in the middle of it.
    for (part, chunk) in lines.chunks(5000).enumerate() {
        client.write(&(chunk.join("\n") + "\n"));
        client.stdout.wait_until_count("Message received", part * 5000 + 100);
        server.signal("KILL");
        server.wait();
        server = sandbox.serve_at(&url, &[]);
    }
    client.close_stdin();
    let outcome = client.wait();
    is_received(&outcome, lines.len());
    assert!(outcome.stderr.contains("connection lost: ") && outcome.stderr.contains("connected again"), "{outcome:?}");
    assert_eq!(logged(&sandbox), lines);
    server.stop();
    assert_eq!(stored(&sandbox.path("data/fernwire")), lines);
}

#[test]
fn a_pipe_that_is_stopped_delivers_what_it_has_read() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    for signal in ["INT", "TERM"] {
        let mut client = sandbox.start_on_pipe(&["log", server.url()]);
        client.write("one\ntwo\n");
        client.stdout.wait_until_count("Message received\n", 2);
        client.signal(signal);
        is_received(&client.wait(), 2);
    }
    server.stop();
    assert_eq!(stored(&sandbox.path("data/fernwire")).len(), 4);
}

#[test]
fn who_reads_no_acknowledgements_loses_no_lines() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    let fernwire = crate::program::FERNWIRE;
    let line = format!("seq 1 5000 | ({fernwire} log {}; echo code $? >&2) | head -n 1", server.url());
    let outcome = sandbox.paste(&line);
    assert_eq!((&*outcome.stdout, &*outcome.stderr), ("Message received\n", "code 0\n"), "{outcome:?}");
    assert_eq!(logged(&sandbox), (1..=5000).map(|line| line.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_second_signal_ends_it_though_nobody_takes_what_it_prints() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    let (_reader, mut full) = std::io::pipe().unwrap();
    // As much as a pipe holds: the acknowledgement waits.
    full.write_all(&[0; 65536]).unwrap();
    let mut client = sandbox.fernwire(&["log", server.url(), "one"]);
    let mut client = Ended(client.stdin(Stdio::null()).stdout(full).stderr(Stdio::null()).spawn().unwrap());
    server.log().wait_for("session ends");
    for signal in ["INT", "TERM"] {
        let sent = Command::new("kill").args(["-s", signal, &client.0.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
    assert_eq!(client.0.wait().unwrap().code(), Some(2));
}

#[test]
fn a_session_that_outlives_its_ticket_logs_in_with_the_password_of_its_file() {
    let sandbox = Sandbox::new();
    sandbox.write("password", 0o600, "Correct-1-horse\n");
    let url = format!("tcp://127.0.0.1:{}", unused_port());
    let server = sandbox.serve_at(&url, &[]);
    let account = ["log", &url, "--user", "ada", "--signup", "--password-file", "password"];
    let mut client = sandbox.start_on_pipe(&account);
    client.write("one\n");
    client.stdout.wait_until_count("Message received\n", 1);
    sandbox.write("password", 0o600, "Another-1-horse\n");
    // Which ends the ticket, as a month does.
    let changed = sandbox.run(&["users", "passwd", "ada", "--password-file", "password"]);
    assert_eq!(changed.code, Some(0), "{changed:?}");
    server.stop();
    let server = sandbox.serve_at(&url, &[]);
    client.write("two\n");
    client.close_stdin();
    is_received(&client.wait(), 2);
    assert_eq!(logged(&sandbox), ["one", "two"]);
    server.stop();
}

#[test]
fn who_has_nothing_to_say_is_sent_away_and_comes_back_with_something() {
    let sandbox = Sandbox::new();
    sandbox.write("f.toml", 0o600, "[limits]\nanonymous_idle_timeout = \"1s\"\n");
    let server = sandbox.serve_at("tcp://0.0.0.0:0", &["--open", "log", "--config", "f.toml"]);
    let url = server.pinned_url().replace("0.0.0.0", "127.0.0.1");
    let mut client = sandbox.start_on_pipe(&["log", &url]);
    client.write("one\n");
    client.stdout.wait_until_count("Message received\n", 1);
    server.log().wait_for("Idle");
    client.write("two\n");
    client.stdout.wait_until_count("Message received\n", 2);
    server.log().wait_until_count("Idle", 2);
    client.close_stdin();
    let outcome = client.wait();
    is_received(&outcome, 2);
    assert_eq!(outcome.stderr.matches("connected again").count(), 1, "{outcome:?}");
}

#[test]
fn what_cannot_be_written_now_is_written_later() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    let mut client = sandbox.start_on_pipe(&["log", server.url()]);
    client.write("one\n");
    client.stdout.wait_until_count("Message received\n", 1);
    let file = sandbox.path(FILE);
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    client.write("two\nthree\n");
    client.stderr.wait_for("cannot write its file now");
    server.log().wait_for("a file is behind the database");
    assert_eq!(client.stdout.so_far(), "Message received\n");
    fs::remove_dir(&file).unwrap();
    client.close_stdin();
    is_received(&client.wait(), 3);
    assert!(sandbox.read(FILE).starts_with("2 "), "the first line went with the first file");
    // Nobody who shows it shows it twice.
    assert_eq!(server.screen().wait_for(" : three\n").matches(" : two\n").count(), 1);
    server.stop();
    assert_eq!(stored(&sandbox.path("data/fernwire")), ["one", "two", "three"]);
}

/// A program that ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // Both fail if it has ended already, as it should have.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_terminal_that_stands_still_holds_nobody_up() {
    let sandbox = Sandbox::new();
    let url = format!("tcp://127.0.0.1:{}", unused_port());
    let mut server = sandbox.fernwire(&["serve", "--listen", &url]);
    let mut server = Ended(server.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut screen = BufReader::new(server.0.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("Stop with Ctrl-C.") {
        assert_ne!(screen.read_line(&mut line).unwrap(), 0, "{line}");
    }
    // Far more than the pipe and what may wait before it hold.
    let lines = format!("{}\n", "x".repeat(5000)).repeat(2000);
    is_received(&sandbox.run_with_input(&["log", &url], &lines), 2000);
    assert_eq!(logged(&sandbox).len(), 2000);
    // Now somebody looks, and is told what is missing.
    while !line.contains("more from clients") {
        line.clear();
        assert_ne!(screen.read_line(&mut line).unwrap(), 0);
    }
    assert!(Command::new("kill").arg(server.0.id().to_string()).status().unwrap().success());
    assert_eq!(server.0.wait().unwrap().code(), Some(0));
}

#[test]
fn the_operator_answers() {
    let sandbox = Sandbox::new();
    let url = format!("tcp://127.0.0.1:{}", unused_port());
    let mut server = sandbox.start_on_pipe(&["serve", "--listen", &url, "--console"]);
    server.stdout.wait_for("Stop with Ctrl-C.");
    let mut client = sandbox.start_on_pipe(&["log", &url]);
    client.write("is anybody there?\n");
    server.stdout.wait_for(" : is anybody there?\n");
    client.stdout.wait_for("Message received\n");
    server.write("reply 1 yes\u{1b}[2J\nreply 7 nobody\n");
    client.stdout.wait_for("Server: yes\\u{1b}[2J\n");
    server.stdout.wait_for("answered session 1\n");
    server.stdout.wait_for("there is no session 7");
    client.write("!DISCONNECT\n");
    assert_eq!(client.wait().code, Some(0));
    server.write("quit\n");
    assert_eq!(server.wait().code, Some(0));
}

#[test]
fn what_cannot_be_delivered_is_an_error() {
    let sandbox = Sandbox::new();
    sandbox.run(&["log", &format!("tcp://127.0.0.1:{}", unused_port()), "hello"]).fails(&["nothing is listening"]);
    sandbox.write("f.toml", 0o600, "[services.log]\nenabled = false\n[services.query]\nenabled = false\n");
    let server = sandbox.serve(&["--config", "f.toml"]);
    sandbox.run(&["log", server.url(), "hello"]).fails(&["the service `log` is not offered here"]);
    sandbox.run(&["query", server.url(), "SetA-One"]).fails(&["the service `query` is not offered here"]);
    server.stop();
    fs::create_dir(sandbox.path("folder")).unwrap();
    sandbox.write("f.toml", 0o600, &format!("[services.log]\nfile = \"{}\"\n", sandbox.arg("folder")));
    sandbox.run(&["serve", "--listen", "tcp://127.0.0.1:0", "--config", "f.toml"]).fails(&["cannot open", "folder"]);
}

#[test]
fn the_file_is_where_and_as_large_as_the_configuration_says() {
    let sandbox = Sandbox::new();
    sandbox.write("f.toml", 0o600, "[services.log]\nfile = \"mine.txt\"\nmax_bytes = 1\nkeep = 2\n");
    let server = sandbox.serve(&["--config", "f.toml"]);
    is_received(&sandbox.run(&["log", server.url(), "one", "two", "three", "four"]), 4);
    for (name, text) in [("mine.txt", "four"), ("mine.txt.1", "three"), ("mine.txt.2", "two")] {
        assert!(sandbox.read(&format!("data/fernwire/{name}")).ends_with(&format!(" : {text}\n")), "{name}");
    }
    assert!(!sandbox.path("data/fernwire/mine.txt.3").exists());
}
