//! `fernwire log` at servers that speak bare Fernet, where a person replies.

use crate::program::{Process, Sandbox};
use crate::scene::{address, folder_with_key, python_server, serve};

/// The operator sees a message, and types a reply.
fn reply(server: &mut Process, message: &str, reply: &str) {
    server.stdout.wait_for(&format!("message {message}\n"));
    server.write(&format!("{reply}\n"));
}

#[test]
fn a_message_waits_for_its_reply_and_the_next_for_that() {
    let sandbox = folder_with_key();
    let (mut server, url) = python_server(&sandbox, "log_server.py", &[]);
    let mut client = sandbox.start_on_pipe(&["log", &url]);
    client.write("one\ntwo\nthree\n");
    for (message, text) in [("one", "first"), ("two", "second"), ("three", "third")] {
        server.stdout.wait_for(&format!("message {message}\n"));
        assert!(!client.stdout.so_far().contains(text));
        server.write(&format!("{text}\n"));
        client.stdout.wait_for(&format!("{text}\n"));
    }
    client.close_stdin();
    let outcome = client.wait();
    assert_eq!((outcome.code, &*outcome.stdout), (Some(0), "first\nsecond\nthird\n"), "{outcome:?}");
    server.stdout.wait_for("message exit\n");
    assert_eq!(server.stderr.so_far(), "");
}

#[test]
fn words_are_messages_too() {
    let sandbox = folder_with_key();
    let (mut server, url) = python_server(&sandbox, "log_server.py", &[]);
    let client = sandbox.start(&mut sandbox.fernwire(&["log", &url, "is anybody there?", "see http://example.org"]));
    reply(&mut server, "is anybody there?", "yes");
    reply(&mut server, "see http://example.org", "I see\u{1b}[2J");
    let outcome = client.wait();
    assert_eq!((outcome.code, &*outcome.stdout), (Some(0), "yes\nI see\\u{1b}[2J\n"), "{outcome:?}");
    server.stdout.wait_for("message exit\n");

    let asking = sandbox.start(&mut sandbox.fernwire(&["log", &url, "--json", "and now?"]));
    reply(&mut server, "and now?", "now");
    assert_eq!(asking.wait().stdout, "{\"event\":\"reply\",\"text\":\"now\"}\n");
}

#[test]
fn a_word_that_ends_is_sent_once_and_what_is_behind_it_not() {
    let sandbox = folder_with_key();
    let (mut server, url) = python_server(&sandbox, "log_server.py", &[]);
    for (count, word) in (1..).zip(["EXIT", "exit", "!DISCONNECT"]) {
        let mut client = sandbox.start_on_pipe(&["log", &url]);
        client.write(&format!("hello {count}\n{word}\nnever\n"));
        reply(&mut server, &format!("hello {count}"), "hello");
        // One that is a word of these servers alone may have been meant as a message.
        match client.wait() {
            outcome if word == "!DISCONNECT" => assert_eq!(outcome.code, Some(0), "{outcome:?}"),
            outcome => {
                assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), "hello\n"), "{outcome:?}");
                assert!(outcome.stderr.contains("what follows it were not sent"), "{outcome:?}");
            }
        }
        server.stdout.wait_until_count("message exit\n", count);
    }
    let printed = server.stdout.so_far();
    assert!(!printed.contains("never") && !printed.contains("hung up"), "{printed}");
    assert_eq!(printed.matches("message ").count(), 6, "{printed}");
}

#[test]
fn a_message_that_a_server_would_take_for_the_end_is_refused() {
    let sandbox = folder_with_key();
    let url = "fernet://127.0.0.1:1?key=legacy.key";
    sandbox.run(&["log", url, "one", "Exit", "two"]).fails(&["ends a session there", "nothing was sent"]);
}

#[test]
fn who_reads_no_replies_loses_no_messages() {
    let sandbox = folder_with_key();
    let server = serve(&sandbox, "log", &[]);
    let (fernwire, address) = (crate::program::FERNWIRE, address(&server));
    let line =
        format!("seq 1 200 | ({fernwire} log 'fernet://{address}?key=legacy.key'; echo code $? >&2) | head -n 1");
    let outcome = sandbox.paste(&line);
    assert_eq!((&*outcome.stdout, outcome.complaints()), ("Message received\n", vec!["code 0"]), "{outcome:?}");
    let lines = sandbox.read("data/fernwire/server_logs.txt");
    assert_eq!(lines.lines().count(), 200);
    assert!(lines.ends_with(" : 200\n"));
}

#[test]
fn a_server_that_goes_is_an_error() {
    let sandbox = folder_with_key();
    let (server, url) = python_server(&sandbox, "log_server.py", &[]);
    let client = sandbox.start(&mut sandbox.fernwire(&["log", &url, "hello"]));
    server.stdout.wait_for("message hello\n");
    server.signal("KILL");
    client.wait().fails(&["closed the connection without an answer"]);
}

#[test]
fn what_does_not_fit_is_not_sent() {
    let sandbox = folder_with_key();
    let (mut server, url) = python_server(&sandbox, "log_server.py", &[]);
    let long = "x".repeat(704);
    sandbox.run(&["log", &url, &long]).fails(&["message 1: 704 bytes", "1036 characters", "1024"]);
    // It takes its leave as always.
    server.stdout.wait_for("message exit\n");
    // In characters of more than a byte it is the bytes that count.
    sandbox.run(&["log", &url, &"é".repeat(352)]).fails(&["704 bytes"]);
    let client = sandbox.start(&mut sandbox.fernwire(&["log", &url, &long[1..]]));
    reply(&mut server, &long[1..], "that is long");
    assert_eq!(client.wait().stdout, "that is long\n");
}

#[test]
fn chat_has_no_place_there() {
    let sandbox = folder_with_key();
    let url = "fernet://127.0.0.1:1?key=legacy.key";
    sandbox.run(&["chat", url]).fails(&["bare Fernet has no chat", "fernwire log 'fernet://HOST:PORT?key=FILE'"]);
    let with_account = |args: &[&str]| sandbox.run(&[&["log", url, "hello"], args].concat());
    with_account(&["--user", "ada"]).fails(&["--user"]);
    sandbox.write("password", 0o600, "Correct-1-horse\n");
    with_account(&["--password-file", "password"]).fails(&["--password-file"]);
    sandbox.run(&["log", url, ""]).fails(&["a message is empty"]);
}

#[test]
fn our_client_and_our_door_know_each_other() {
    let sandbox: Sandbox = folder_with_key();
    let (mut server, address) = crate::scene::serve_with_operator(&sandbox, "log", &[]);
    let url = format!("fernet://{address}?key=legacy.key");
    let client = sandbox.start(&mut sandbox.fernwire(&["log", &url, "hello"]));
    server.stdout.wait_for(" : hello\n");
    server.write("reply 1 good day\n");
    assert_eq!(client.wait().stdout, "good day\n");
    server.stderr.wait_for("session ends");
}
