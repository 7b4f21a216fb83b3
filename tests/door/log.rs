//! The message log through the door.

use std::path::Path;

use fernwire::store::Store;

use crate::program::{Process, Sandbox};
use crate::scene::{Peer, address, complaints, folder_with_key, port, serve, serve_with_operator, start_python};

const FILE: &str = "data/fernwire/server_logs.txt";

/// The texts of the log file.
fn logged(sandbox: &Sandbox) -> Vec<String> {
    let text = sandbox.read(FILE);
    text.lines().map(|line| line.split_once(" : ").unwrap().1.to_owned()).collect()
}

/// The texts in the database of a server that has stopped.
fn stored(folder: &Path) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let store = Store::open_beside(folder, false).unwrap();
        let rows = store.log_after(0, 1000).await.unwrap();
        rows.into_iter().map(|row| row.message.text).collect()
    })
}

/// The operator wants the server to stop.
fn quit(mut server: Process) -> String {
    server.write("quit\n");
    let outcome = server.wait();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome.stderr
}

#[test]
fn a_python_program_has_its_messages_kept_and_shown() {
    let sandbox = folder_with_key();
    let server = serve(&sandbox, "log", &[]);
    let mut client = start_python(&sandbox, "log_client.py", &[port(&address(&server))]);
    for (count, message) in (1..).zip(["hello", "", "how are you?\u{1b}[2J"]) {
        client.write(&format!("{message}\n"));
        client.stdout.wait_until_count("Server: Message received\n", count);
    }
    client.write("exit\n");
    let outcome = client.wait();
    assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{outcome:?}");
    assert_eq!(outcome.stdout.lines().count(), 3, "{outcome:?}");
    let messages = ["hello", "", "how are you?\\u{1b}[2J"];
    assert_eq!(logged(&sandbox), messages);
    messages.iter().for_each(|message| drop(server.screen().wait_for(&format!(" : {message}\n"))));
    assert_eq!(complaints(&server.stop()), [""; 0]);
    assert_eq!(stored(&sandbox.path("data/fernwire")), ["hello", "", "how are you?\u{1b}[2J"]);
}

#[test]
fn exit_in_any_case_ends_without_a_reply() {
    let sandbox = folder_with_key();
    let server = serve(&sandbox, "log", &[]);
    for (count, word) in (1..).zip(["exit", "Exit", "EXIT"]) {
        let mut peer = Peer::at(&address(&server), &sandbox);
        peer.say("before");
        assert_eq!(peer.hear().unwrap(), "Message received");
        peer.say(word);
        assert_eq!(peer.hear(), None);
        server.log().wait_until_count("session ends", count);
    }
    // Also where it is the first word, and where it is none.
    let mut peer = Peer::at(&address(&server), &sandbox);
    peer.say("exit");
    assert_eq!(peer.hear(), None);
    let mut peer = Peer::at(&address(&server), &sandbox);
    peer.say("exit ");
    assert_eq!(peer.hear().unwrap(), "Message received");
    assert_eq!(logged(&sandbox), ["before", "before", "before", "exit "]);
    assert_eq!(complaints(&server.stop()), [""; 0]);
}

#[test]
fn messages_that_come_together_are_answered_one_by_one() {
    let sandbox = folder_with_key();
    let server = serve(&sandbox, "log", &[]);
    let mut peer = Peer::at(&address(&server), &sandbox);
    let together: String = ["one", "two", "exit", "three"].iter().map(|text| peer.token(text)).collect();
    peer.write(together);
    assert_eq!(peer.hear().unwrap(), "Message received");
    assert_eq!(peer.hear().unwrap(), "Message received");
    assert_eq!(peer.hear(), None);
    assert_eq!(logged(&sandbox), ["one", "two"]);
}

#[test]
fn a_long_message_is_kept_as_several_lines() {
    let sandbox = folder_with_key();
    let server = serve(&sandbox, "log", &[]);
    let mut peer = Peer::at(&address(&server), &sandbox);
    let long: String = (0..40_000).map(|place| char::from(b'a' + (place % 23) as u8)).collect();
    peer.say(&long);
    assert_eq!(peer.hear().unwrap(), "Message received");
    peer.say("short");
    assert_eq!(peer.hear().unwrap(), "Message received");
    let lines = logged(&sandbox);
    assert_eq!((lines.len(), lines.last().map(String::as_str)), (6, Some("short")));
    assert_eq!(lines[..5].concat(), long);
    server.stop();
    assert_eq!(stored(&sandbox.path("data/fernwire")), lines);
}

#[test]
fn what_is_not_text_is_kept_as_far_as_it_is() {
    let sandbox = folder_with_key();
    let server = serve(&sandbox, "log", &[]);
    let mut peer = Peer::at(&address(&server), &sandbox);
    peer.say(b"a\xffb");
    assert_eq!(peer.hear().unwrap(), "Message received");
    assert_eq!(logged(&sandbox), ["a\u{fffd}b"]);
}

#[test]
fn an_operator_answers_a_python_program() {
    let sandbox = folder_with_key();
    let (mut server, address) = serve_with_operator(&sandbox, "log", &[]);
    let mut client = start_python(&sandbox, "log_client.py", &[port(&address)]);
    for (message, reply) in [("is anybody there?", "yes"), ("good", "what do you need?")] {
        client.write(&format!("{message}\n"));
        server.stdout.wait_for(&format!(" : {message}\n"));
        server.write(&format!("reply 1 {reply}\n"));
        client.stdout.wait_for(&format!("Server: {reply}\n"));
    }
    server.stderr.wait_for("(session 1; `reply 1 TEXT` answers it)");
    client.write("Exit\n");
    let outcome = client.wait();
    assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{outcome:?}");
    assert_eq!(outcome.stdout, "Server: yes\nServer: what do you need?\n");
    assert_eq!(complaints(&quit(server)), [""; 0]);
}

#[test]
fn a_message_is_answered_once_and_not_with_more_than_is_taken_at_once() {
    let sandbox = folder_with_key();
    let (mut server, address) = serve_with_operator(&sandbox, "log", &[]);
    let mut peer = Peer::at(&address, &sandbox);
    peer.say("hello");
    server.stdout.wait_for(" : hello\n");
    server.write(&format!("reply 1 {}\n", "x".repeat(704)));
    server.stdout.wait_for("session 1 takes at most 703 bytes at once, and was not answered: these are 704\n");
    peer.hears_nothing();
    // It still waits.
    let longest = "x".repeat(703);
    server.write(&format!("reply 1 {longest}\nreply 1 more\n"));
    server.stdout.wait_for("answered session 1\n");
    server.stdout.wait_for("session 1 came by a Fernet door, where one message is answered once");
    assert_eq!(peer.hear().unwrap(), longest);
    peer.say("again");
    server.stdout.wait_for(" : again\n");
    server.write("reply 1 at last\n");
    assert_eq!(peer.hear().unwrap(), "at last");
    quit(server);
}

#[test]
fn how_much_is_taken_at_once_stands_in_the_address() {
    let sandbox = folder_with_key();
    let door = "fernet://127.0.0.1:0?service=log&key=legacy.key&max-token=4096";
    let mut server = sandbox.start_on_pipe(&["serve", "--console", "--listen", door]);
    let banner = server.stdout.wait_for("Stop with Ctrl-C.\n");
    let url = banner.lines().find_map(|line| line.strip_prefix("  listening   ")).unwrap();
    let mut peer = Peer::at(&crate::scene::host_and_port(url), &sandbox);
    peer.say("hello");
    server.stdout.wait_for(" : hello\n");
    let longest = "x".repeat(3007);
    server.write(&format!("reply 1 {longest}y\n"));
    server.stdout.wait_for("session 1 takes at most 3007 bytes at once");
    server.write(&format!("reply 1 {longest}\n"));
    assert_eq!(peer.hear().unwrap(), longest);
}

#[test]
fn two_programs_are_answered_each_for_itself() {
    let sandbox = folder_with_key();
    let (mut server, address) = serve_with_operator(&sandbox, "log", &[]);
    let mut peers = [1, 2].map(|number| {
        let mut peer = Peer::at(&address, &sandbox);
        peer.say(format!("I am {number}"));
        server.stdout.wait_for(&format!(" : I am {number}\n"));
        peer
    });
    server.write("who\nreply 2 you are two\n");
    server.stdout.wait_until_count("  by the Fernet door", 2);
    assert_eq!(peers[1].hear().unwrap(), "you are two");
    peers[0].hears_nothing();
    server.write("reply 1 you are one\n");
    assert_eq!(peers[0].hear().unwrap(), "you are one");
    for hint in ["(session 1; `reply 1 TEXT` answers it)", "(session 2; `reply 2 TEXT` answers it)"] {
        server.stderr.wait_for(hint);
    }
    quit(server);
}

#[test]
fn one_who_leaves_is_not_waited_for() {
    let sandbox = folder_with_key();
    let (mut server, address) = serve_with_operator(&sandbox, "log", &[]);
    let mut peer = Peer::at(&address, &sandbox);
    peer.say("hello");
    server.stdout.wait_for(" : hello\n");
    drop(peer);
    server.stderr.wait_for("session ends");
    server.write("reply 1 too late\n");
    server.stdout.wait_for("there is no session 1");
    // Also where more has come, which is kept all the same.
    for (count, words) in (2..).zip([&["one", "exit"][..], &["two", "three"], &["four", "Exit", "never"]]) {
        let mut peer = Peer::at(&address, &sandbox);
        let together: String = words.iter().map(|text| peer.token(text)).collect();
        peer.write(together);
        server.stdout.wait_for(&format!(" : {}\n", words[0]));
        drop(peer);
        server.stderr.wait_until_count("session ends", count);
    }
    assert_eq!(logged(&sandbox), ["hello", "one", "two", "three", "four"]);
    assert_eq!(complaints(&quit(server)), [""; 0]);
}

#[test]
fn what_comes_while_the_operator_is_waited_for_is_kept_at_once_and_answered_in_its_turn() {
    let sandbox = folder_with_key();
    let (mut server, address) = serve_with_operator(&sandbox, "log", &[]);
    let mut peer = Peer::at(&address, &sandbox);
    let messages: Vec<_> = (1..=9).map(|number| format!("message {number}")).collect();
    let together: String = messages.iter().map(|text| peer.token(text)).collect();
    peer.write(together);
    server.stdout.wait_for(" : message 9\n");
    for message in &messages {
        peer.hears_nothing();
        server.write(&format!("reply 1 to {message}\n"));
        assert_eq!(peer.hear().unwrap(), format!("to {message}"));
    }
    assert_eq!(logged(&sandbox), messages);
    server.write("reply 1 more\n");
    server.stdout.wait_for("session 1 came by a Fernet door, where one message is answered once");
}

#[test]
fn exit_ends_also_while_the_operator_is_waited_for() {
    let sandbox = folder_with_key();
    let (mut server, address) = serve_with_operator(&sandbox, "log", &[]);
    let mut peer = Peer::at(&address, &sandbox);
    peer.say("hello");
    server.stdout.wait_for(" : hello\n");
    peer.say("EXIT");
    assert_eq!(peer.hear(), None);
    server.write("reply 1 too late\n");
    server.stdout.wait_for("there is no session 1");
    assert_eq!(complaints(&quit(server)), [""; 0]);
}

#[test]
fn what_is_typed_together_is_answered_together_and_before_anything_ends() {
    let sandbox = folder_with_key();
    for (session, last) in (1..).zip(["kick 1 enough", "kick 2 enough", "quit"]) {
        let (mut server, address) = serve_with_operator(&sandbox, "log", &[]);
        let mut peers: Vec<_> = (1..=session).map(|_| Peer::at(&address, &sandbox)).collect();
        for (count, peer) in (1..).zip(&mut peers) {
            let both = peer.token("one") + &peer.token("two");
            peer.write(both);
            server.stdout.wait_until_count(" : two\n", count);
        }
        server.write(&format!("reply {session} first\nreply {session} second\nreply {session} third\n{last}\n"));
        let mut last_peer = peers.pop().unwrap();
        assert_eq!(
            [last_peer.hear(), last_peer.hear(), last_peer.hear()],
            [Some("first".to_owned()), Some("second".to_owned()), None]
        );
        server.stdout.wait_until_count(&format!("answered session {session}\n"), 2);
        drop((last_peer, peers));
        if last != "quit" {
            server.write("quit\n");
        }
        assert_eq!(server.wait().code, Some(0));
    }
}

#[test]
fn once_nobody_can_answer_messages_are_received_at_once() {
    let sandbox = folder_with_key();
    let (mut server, address) = serve_with_operator(&sandbox, "log", &[]);
    let mut waiting = Peer::at(&address, &sandbox);
    waiting.say("is somebody there?");
    server.stdout.wait_for(" : is somebody there?\n");
    server.write("who\n");
    server.stdout.wait_for("by the Fernet door, waits for an answer\n");
    server.close_stdin();
    assert_eq!(waiting.hear().unwrap(), "Message received");
    waiting.say("and now?");
    assert_eq!(waiting.hear().unwrap(), "Message received");
    let mut next = Peer::at(&address, &sandbox);
    next.say("hello");
    assert_eq!(next.hear().unwrap(), "Message received");
    assert!(server.stderr.so_far().contains("stdin has ended: nobody gives commands, nor answers"));
    assert_eq!(server.stderr.so_far().matches("TEXT` answers it)").count(), 1);
    server.signal("TERM");
    assert_eq!(server.wait().code, Some(0));
}

#[test]
fn without_an_operator_nobody_is_told_how_to_answer() {
    let sandbox = folder_with_key();
    let server = serve(&sandbox, "log", &[]);
    let mut peer = Peer::at(&address(&server), &sandbox);
    peer.say("hello");
    assert_eq!(peer.hear().unwrap(), "Message received");
    server.screen().wait_for(" : hello\n");
    assert!(!server.stop().contains("TEXT"));
}

#[test]
fn an_operator_sends_away_who_waits() {
    let sandbox = folder_with_key();
    let (mut server, address) = serve_with_operator(&sandbox, "log", &[]);
    let mut waiting = Peer::at(&address, &sandbox);
    waiting.say("hello");
    server.stdout.wait_for(" : hello\n");
    server.write("kick 1 enough\n");
    assert_eq!(waiting.hear(), None);
    server.stdout.wait_for("session 1 is sent away\n");
    server.stderr.wait_for("the operator has ended this session: enough");
    assert_eq!(complaints(&quit(server)), [""; 0]);
}

#[test]
fn a_stopping_server_does_not_wait_for_its_operator() {
    let sandbox = folder_with_key();
    let (server, address) = serve_with_operator(&sandbox, "log", &[]);
    let mut waiting = Peer::at(&address, &sandbox);
    waiting.say("hello");
    server.stdout.wait_for(" : hello\n");
    let log = quit(server);
    assert_eq!(waiting.hear(), None);
    assert!(log.contains("session ends") && log.contains("stopped: every session has ended"), "{log}");
    assert_eq!(complaints(&log), [""; 0]);
    assert_eq!(logged(&sandbox), ["hello"]);
}

#[test]
fn an_operator_who_says_nothing_is_waited_for_as_long_as_silence_may_be() {
    let sandbox = folder_with_key();
    let door = "fernet://127.0.0.1:0?service=log&key=legacy.key&idle=1s";
    let server = sandbox.start_on_pipe(&["serve", "--console", "--listen", door]);
    let banner = server.stdout.wait_for("Stop with Ctrl-C.\n");
    let url = banner.lines().find_map(|line| line.strip_prefix("  listening   ")).unwrap();
    let mut peer = Peer::at(&crate::scene::host_and_port(url), &sandbox);
    peer.say("hello");
    assert_eq!(peer.hear(), None);
    let log = quit(server);
    let [complaint] = complaints(&log)[..] else { panic!("{log}") };
    assert!(complaint.contains("session ends, since the operator has not answered time=1s"), "{complaint}");
}
