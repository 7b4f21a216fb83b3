//! What a person at a terminal sees and types: the question about trust, and the prompt.

#![allow(missing_docs, clippy::unwrap_used)]

mod program;

use program::{PATIENCE, RunningServer, Sandbox, unused_port};
use rexpect::process::{Signal, WaitStatus};
use rexpect::reader::Options;
use rexpect::session::{PtySession, spawn_with_options};
use rustix::termios::{LocalModes, tcgetattr};

const QUESTION: &str = "Trust it and remember it? (yes, no, or paste the identity that it should have): ";
const PROMPT: &str = "Enter your Query: Eg SetA-One or type 'exit' to quit: ";
const MESSAGE_PROMPT: &str = "Enter a message: ";
const TIMESTAMP: &str = r"\[CLIENT\] Received: \d\d-\d\d-\d{4} \d\d:\d\d:\d\d\r\n";
const UP: &str = "\x1b[A";

/// The program on a terminal of its own.
struct Terminal(PtySession);

impl Terminal {
    fn open(sandbox: &Sandbox, args: &[&str]) -> Self {
        let mut command = sandbox.fernwire(args);
        command.env("TERM", "xterm");
        let options = Options::new().timeout_ms(Some(PATIENCE.as_millis() as u64)).strip_ansi_escape_codes(true);
        Self(spawn_with_options(command, options).unwrap())
    }

    /// Waits for this text; the result is what came before it.
    #[track_caller]
    fn sees(&mut self, text: &str) -> String {
        self.0.exp_string(text).unwrap()
    }

    #[track_caller]
    fn sees_timestamps(&mut self, count: usize) {
        for _ in 0..count {
            self.0.exp_regex(TIMESTAMP).unwrap();
        }
    }

    fn types(&mut self, keys: &str) {
        self.0.send(keys).unwrap();
        self.0.flush().unwrap();
    }

    fn types_line(&mut self, line: &str) {
        self.types(&format!("{line}\n"));
    }

    fn presses_ctrl(&mut self, key: char) {
        self.0.send_control(key).unwrap();
    }

    /// Waits for the end; the result is what was still printed, and the exit code.
    #[track_caller]
    fn ends(mut self) -> (String, i32) {
        let rest = self.0.exp_eof().unwrap();
        match self.0.process().wait().unwrap() {
            WaitStatus::Exited(_, code) => (rest, code),
            other => panic!("it did not exit: {other:?}"),
        }
    }
}

/// A server that nobody knows yet, and a person who is about to ask it something.
fn question(server: &RunningServer) -> (Sandbox, Terminal) {
    let sandbox = Sandbox::new();
    let mut terminal = Terminal::open(&sandbox, &["query", server.url(), "SetA-Two"]);
    let explained = terminal.sees(QUESTION);
    assert!(explained.contains("is not known here yet"), "{explained}");
    assert!(explained.contains(&format!("\r\n    {}\r\n", server.identity())), "{explained}");
    assert!(explained.contains("`fernwire id`"), "{explained}");
    (sandbox, terminal)
}

/// Nothing was asked and nothing recorded, and these words say why.
#[track_caller]
fn is_refused(sandbox: &Sandbox, terminal: Terminal, words: &str) {
    let (rest, code) = terminal.ends();
    assert_eq!(code, 2, "{rest}");
    let [complaint] = rest.trim().lines().collect::<Vec<_>>()[..] else { panic!("more than one line: {rest}") };
    assert!(complaint.starts_with("fernwire: ") && complaint.contains(words), "{complaint}");
    assert_eq!(sandbox.known_hosts(), "");
}

#[test]
fn no_refuses_the_server_and_records_nothing() {
    let server = Sandbox::new().serve(&[]);
    for answer in ["no", ""] {
        let (sandbox, mut terminal) = question(&server);
        terminal.types_line(answer);
        is_refused(&sandbox, terminal, "is not trusted; nothing was sent to it");
    }
}

#[test]
fn yes_trusts_the_server_and_asks_no_more() {
    let server = Sandbox::new().serve(&[]);
    let (sandbox, mut terminal) = question(&server);
    terminal.types_line("yes");
    let (timestamps, code) = terminal.ends();
    assert_eq!(code, 0, "{timestamps}");
    assert!(timestamps.trim().lines().all(program::is_timestamp), "{timestamps}");
    assert_eq!(timestamps.trim().lines().count(), 2, "{timestamps}");
    assert_eq!(sandbox.known_hosts(), format!("{} {} confirmed\n", server.url(), server.identity()));

    let (timestamps, code) = Terminal::open(&sandbox, &["query", server.url(), "SetA-Two"]).ends();
    assert_eq!(code, 0, "{timestamps}");
    assert!(timestamps.trim().lines().all(program::is_timestamp), "{timestamps}");
}

#[test]
fn the_right_identity_pasted_is_as_good_as_yes() {
    let server = Sandbox::new().serve(&[]);
    let (sandbox, mut terminal) = question(&server);
    terminal.types_line(&format!("  {} ", server.identity()));
    assert_eq!(terminal.ends().1, 0);
    assert!(sandbox.known_hosts().ends_with(" confirmed\n"));
}

#[test]
fn another_identity_pasted_refuses_the_server() {
    let server = Sandbox::new().serve(&[]);
    let (sandbox, mut terminal) = question(&server);
    terminal.types_line(&format!("fwk1_{}", "A".repeat(43)));
    is_refused(&sandbox, terminal, "the identity that you pasted is not the one that the server");
}

#[test]
fn a_secret_pasted_is_called_a_secret_and_not_repeated() {
    let owner = Sandbox::new();
    owner.run(&["keygen"]);
    let server = owner.serve(&["--kex", "x25519"]);
    for file in ["secret.key", "data/fernwire/identity.key"] {
        let secret = owner.read(file);
        let (sandbox, mut terminal) = question(&server);
        terminal.types_line(secret.trim());
        // The whole line is known, so the secret is not in it.
        let said =
            "fernwire: what you pasted is a secret; it belongs in its file, and nowhere else. Nothing was sent\r\n";
        assert_eq!(terminal.ends(), (said.to_owned(), 2));
        assert_eq!(sandbox.known_hosts(), "");
    }
}

#[test]
fn an_answer_that_is_none_refuses_the_server() {
    let server = Sandbox::new().serve(&[]);
    let (sandbox, mut terminal) = question(&server);
    terminal.types_line("perhaps");
    is_refused(&sandbox, terminal, "the answer was neither yes, no nor an identity");
}

/// A server with this tick, and its user at the prompt.
fn prompt(tick: &str) -> (RunningServer, Terminal) {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&["--tick", tick]);
    let mut terminal = Terminal::open(&sandbox, &["query", server.url()]);
    assert_eq!(terminal.sees(PROMPT).trim(), "");
    (server, terminal)
}

#[test]
fn the_prompt_prints_what_the_client_receives() {
    let (_server, mut terminal) = prompt("20ms");
    terminal.types_line("SetA-Two");
    terminal.sees_timestamps(2);
    terminal.sees(PROMPT);
    terminal.types_line("SetZ-Unknown");
    terminal.sees("[CLIENT] Received: EMPTY\r\n");
    terminal.sees(PROMPT);
    terminal.types_line("");
    terminal.sees(PROMPT);
    terminal.types_line("exit");
    assert_eq!(terminal.ends().1, 0);
}

#[test]
fn json_at_the_prompt_stays_json() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    let mut terminal = Terminal::open(&sandbox, &["query", "--json", server.url()]);
    terminal.sees(PROMPT);
    terminal.types_line("SetZ-Unknown");
    let line = terminal.0.exp_regex(r"\{.*\}").unwrap().1;
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value["kind"], "empty");
    terminal.types_line("exit");
}

#[test]
fn up_recalls_the_last_query_in_this_run_and_the_next() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    for first in [true, false] {
        let mut terminal = Terminal::open(&sandbox, &["query", server.url()]);
        terminal.sees(PROMPT);
        if first {
            terminal.types_line("SetA-One");
            terminal.sees_timestamps(1);
            terminal.sees(PROMPT);
        }
        terminal.types(UP);
        terminal.sees("SetA-One");
        terminal.types_line("");
        terminal.sees_timestamps(1);
        terminal.sees(PROMPT);
        terminal.types_line("exit");
        assert_eq!(terminal.ends().1, 0);
    }
}

#[test]
fn ctrl_c_stops_the_query_and_not_the_program() {
    let (_server, mut terminal) = prompt("300ms");
    terminal.types_line("SetE-Ten");
    terminal.sees_timestamps(1);
    terminal.presses_ctrl('c');
    let received = terminal.sees("Stopped.\r\n");
    assert!(received.matches("Received").count() < 9, "it was not stopped: {received}");
    terminal.sees(PROMPT);
    terminal.types_line("SetA-One");
    terminal.sees_timestamps(1);
    terminal.sees(PROMPT);
    terminal.types_line("exit");
    assert_eq!(terminal.ends().1, 0);
}

#[test]
fn ctrl_c_at_the_prompt_says_how_to_leave() {
    let (_server, mut terminal) = prompt("20ms");
    terminal.presses_ctrl('c');
    terminal.sees("Type exit, or press Ctrl-D, to leave.");
    terminal.sees(PROMPT);
    terminal.types_line("SetA-One");
    terminal.sees_timestamps(1);
    terminal.sees(PROMPT);
    terminal.presses_ctrl('d');
    assert_eq!(terminal.ends().1, 0);
}

#[test]
fn a_server_that_comes_back_is_connected_again() {
    let sandbox = Sandbox::new();
    let url = format!("tcp://127.0.0.1:{}", unused_port());
    let server = sandbox.serve_at(&url, &[]);
    let mut terminal = Terminal::open(&sandbox, &["query", &url]);
    terminal.sees(PROMPT);
    terminal.types_line("SetA-One");
    terminal.sees_timestamps(1);
    terminal.sees(PROMPT);
    server.stop();
    terminal.types_line("SetA-One");
    terminal.sees("fernwire: nothing is listening at");
    terminal.sees(PROMPT);
    let _server = sandbox.serve_at(&url, &[]);
    terminal.types_line("SetA-Two");
    terminal.sees("Connected again.");
    terminal.sees_timestamps(2);
    terminal.sees(PROMPT);
    terminal.types_line("exit");
    assert_eq!(terminal.ends().1, 0);
}

#[test]
fn a_person_leaves_messages_and_is_answered() {
    let sandbox = Sandbox::new();
    let url = format!("tcp://127.0.0.1:{}", unused_port());
    let mut server = sandbox.start_on_pipe(&["serve", "--listen", &url, "--console"]);
    server.stdout.wait_for("Stop with Ctrl-C.");
    let mut terminal = Terminal::open(&sandbox, &["log", &url]);
    terminal.sees(MESSAGE_PROMPT);
    terminal.types_line("is anybody there?");
    terminal.sees("Message received");
    terminal.sees(MESSAGE_PROMPT);
    // Before the next message is sent, and while it is being typed.
    terminal.types("and ");
    server.write("reply 1 yes\u{1b}[2J\n");
    terminal.sees("Server: yes\\u{1b}[2J");
    terminal.types_line("thanks");
    terminal.sees("Message received");
    server.stdout.wait_for(" : and thanks\n");
    terminal.sees(MESSAGE_PROMPT);
    terminal.types_line("!DISCONNECT");
    assert_eq!(terminal.ends().1, 0);
    let mut terminal = Terminal::open(&sandbox, &["log", &url]);
    terminal.sees(MESSAGE_PROMPT);
    terminal.presses_ctrl('d');
    assert_eq!(terminal.ends().1, 0);
}

#[test]
fn a_person_is_asked_for_data_until_there_is_no_more() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    let mut terminal = Terminal::open(&sandbox, &["submit", server.url()]);
    for (question, answers) in [
        ("First Name: ", &["", "  aDA "][..]),
        ("Last Name: ", &["LOVELACE"]),
        ("Choose format (json/binary/xml): ", &["yaml", "xml"]),
        ("Do you want to add more data? (yes/no): ", &["maybe", "yes"]),
        ("First Name: ", &["grace"]),
        ("Last Name: ", &["hopper"]),
        ("Choose format (json/binary/xml): ", &["json"]),
        ("Do you want to add more data? (yes/no): ", &["no"]),
    ] {
        for answer in answers {
            terminal.sees(question);
            terminal.types_line(answer);
        }
        if question.starts_with("Choose") {
            terminal.sees("Stored as number ");
        }
    }
    assert_eq!(terminal.ends().1, 0);
    let printed =
        server.screen().wait_for("Data format: json\n{\"first_name\": \"Grace\", \"last_name\": \"Hopper\"}\n");
    assert!(
        printed.contains("Data format: xml\n{\"first_name\": \"Ada\", \"last_name\": \"Lovelace\"}\n"),
        "{printed}"
    );
}

/// A door to this service, and a person who goes there with a client.
fn at_a_door(service: &str, args: &[&str]) -> (RunningServer, Sandbox, Terminal) {
    let sandbox = Sandbox::new();
    sandbox.run(&["keygen", "legacy.key"]);
    let server = sandbox.serve_at(&format!("fernet://127.0.0.1:0?service={service}&key=legacy.key"), args);
    let mut terminal = Terminal::open(&sandbox, &[service, server.url()]);
    terminal.sees("Bare Fernet: nothing proves who answers");
    (server, sandbox, terminal)
}

#[test]
fn a_person_asks_a_program_with_bare_fernet() {
    let (_server, _sandbox, mut terminal) = at_a_door("query", &["--tick", "300ms"]);
    terminal.sees(PROMPT);
    terminal.types_line("SetA-Two");
    terminal.sees_timestamps(2);
    terminal.sees(PROMPT);
    terminal.types_line("SetZ-None");
    terminal.sees("[CLIENT] Received: EMPTY");
    // What cannot be cancelled there ends with the connection, and the next query makes another.
    terminal.sees(PROMPT);
    terminal.types_line("SetE-Ten");
    terminal.sees_timestamps(1);
    terminal.presses_ctrl('c');
    terminal.sees("Stopped.");
    terminal.sees(PROMPT);
    terminal.types_line("SetA-One");
    terminal.sees_timestamps(1);
    terminal.sees(PROMPT);
    terminal.types_line("exit");
    assert_eq!(terminal.ends().1, 0);
}

#[test]
fn a_person_leaves_messages_at_a_program_with_bare_fernet() {
    let (server, sandbox, mut terminal) = at_a_door("log", &[]);
    terminal.sees(MESSAGE_PROMPT);
    terminal.types_line("hello");
    terminal.sees("Message received");
    terminal.sees(MESSAGE_PROMPT);
    terminal.types_line(&"x".repeat(800));
    terminal.sees("make a token of");
    terminal.sees(MESSAGE_PROMPT);
    terminal.types_line("Exit");
    assert_eq!(terminal.ends().1, 0);
    server.log().wait_for("session ends");
    assert_eq!(sandbox.read("data/fernwire/server_logs.txt").lines().count(), 1);
}

#[test]
fn a_person_hands_data_to_a_program_with_bare_fernet() {
    let (server, sandbox, mut terminal) = at_a_door("submit", &[]);
    for (question, answer) in [("First Name: ", "ada"), ("Last Name: ", "lovelace"), ("(json/binary/xml): ", "binary")]
    {
        terminal.sees(question);
        terminal.types_line(answer);
    }
    terminal.sees("Sent; a server of this kind acknowledges nothing");
    terminal.sees("(yes/no): ");
    terminal.types_line("no");
    assert_eq!(terminal.ends().1, 0);
    server.log().wait_for("session ends");
    assert!(sandbox.read("data/fernwire/submissions.jsonl").contains(r#""Lovelace""#));
}

#[test]
fn a_signal_at_a_prompt_leaves_the_terminal_as_it_was() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&["--kex", "x25519"]);
    let url = server.url();
    for (args, prompt) in [
        (&["log", url, "--user", "ann"][..], "Password: "),
        (&["chat", url, "--user", "ann", "--plain"], "Password: "),
        (&["log", url], MESSAGE_PROMPT),
        (&["query", url], PROMPT),
        (&["submit", url], "First Name: "),
    ] {
        for signal in [Signal::SIGTERM, Signal::SIGHUP] {
            let mut terminal = Terminal::open(&sandbox, args);
            let file = terminal.0.process().get_file_handle().unwrap();
            let mut before = tcgetattr(&file).unwrap();
            terminal.sees(prompt);
            // The prompt is shown when the modes are changed already; rexpect alone has changed this one.
            before.local_modes -= LocalModes::ECHO;
            assert!(!tcgetattr(&file).unwrap().local_modes.contains(LocalModes::ICANON), "{args:?}");
            terminal.0.process_mut().signal(signal).unwrap();
            assert_eq!(terminal.ends().1, 2, "{args:?} {signal}");
            assert_eq!(format!("{:?}", tcgetattr(&file).unwrap()), format!("{before:?}"), "{args:?} {signal}");
        }
    }
}
