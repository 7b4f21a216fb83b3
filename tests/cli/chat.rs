//! `fernwire chat` in pipes, in scripts, and as far as it asks a person.

use rexpect::reader::Options;
use rexpect::session::spawn_with_options;
use serde_json::Value;

use crate::program::{Outcome, PATIENCE, RunningServer, Sandbox, unused_port};

const PASSWORD: &str = "Correct-1-horse";

/// The arguments of somebody whose password is in a file of the sandbox.
fn args<'a>(url: &'a str, name: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["chat", url, "--user", name, "--password-file", "password"], more].concat()
}

/// A server, and a sandbox in which it is known and everybody's password is in a file.
fn server() -> (Sandbox, RunningServer) {
    let sandbox = Sandbox::new();
    sandbox.write("password", 0o600, &format!("{PASSWORD}\n"));
    let server = sandbox.serve(&[]);
    (sandbox, server)
}

/// Says these lines as somebody who is there already, or with `--signup` not yet.
fn chat(sandbox: &Sandbox, url: &str, name: &str, more: &[&str], lines: &str) -> Outcome {
    sandbox.run_with_input(&args(url, name, more), lines)
}

#[track_caller]
fn is_done(outcome: &Outcome) {
    assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{outcome:?}");
}

/// The lines without their times and dates.
fn said(outcome: &Outcome) -> Vec<&str> {
    let lines = outcome.stdout.lines().filter(|line| !line.starts_with("-- "));
    lines.map(|line| line.split_once("] ").map_or(line, |(_, said)| said)).collect()
}

fn objects(outcome: &Outcome) -> Vec<Value> {
    outcome.stdout.lines().map(|line| line.parse().unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
}

#[test]
fn each_line_is_a_message_and_whoever_comes_later_reads_it_once() {
    let (sandbox, server) = server();
    is_done(&chat(&sandbox, server.url(), "bob", &["--signup"], ""));
    let ada = chat(&sandbox, server.url(), "ada", &["--signup"], "one\n\ntwo\n/msg bob psst\n/me waves\n//slash\n");
    is_done(&ada);
    assert_eq!(said(&ada), [""; 0]);
    let bob = chat(&sandbox, server.url(), "bob", &[], "");
    is_done(&bob);
    let mut rooms = said(&bob);
    let direct = rooms.iter().position(|line| *line == "ada -> you: psst").unwrap();
    rooms.remove(direct);
    assert_eq!(rooms, ["#lobby <ada> one", "#lobby <ada> two", "#lobby * ada waves", "#lobby <ada> /slash"]);
    assert!(bob.stdout.contains("-- #lobby: 4 unread\n") && bob.stdout.contains("-- ada: 1 unread\n"), "{bob:?}");
    let again = chat(&sandbox, server.url(), "bob", &[], "");
    is_done(&again);
    assert_eq!(again.stdout, "");
    server.stop();
}

#[test]
fn exit_and_quit_end_it_before_the_input_does() {
    let (sandbox, server) = server();
    is_done(&chat(&sandbox, server.url(), "ada", &["--signup"], "one\nexit\nnot this\n"));
    is_done(&chat(&sandbox, server.url(), "ada", &[], "two\n/quit\nnor this\n"));
    let history = chat(&sandbox, server.url(), "ada", &[], "/history\n");
    assert_eq!(said(&history), ["#lobby <ada> one", "#lobby <ada> two"]);
    // A signal is as good, while the input goes on.
    for signal in ["INT", "TERM"] {
        let process = sandbox.start_on_pipe(&args(server.url(), "ada", &["--json"]));
        process.stdout.wait_for("\"ready\"");
        process.signal(signal);
        is_done(&process.wait());
    }
    server.stop();
}

#[test]
fn json_tells_everything() {
    let (sandbox, server) = server();
    is_done(&chat(&sandbox, server.url(), "bob", &["--signup"], "hello\n"));
    let lines = "first\n/msg bob second\n/names\n/rooms\n/topic x\n/msg nobody third\n";
    let ada = chat(&sandbox, server.url(), "ada", &["--signup", "--json"], lines);
    assert_eq!(ada.code, Some(2), "a message was not sent: {ada:?}");
    let objects = objects(&ada);
    let all = |event: &str| objects.iter().filter(|object| object["event"] == event).collect::<Vec<_>>();
    let [online] = all("online")[..] else { panic!("{ada:?}") };
    assert_eq!((&online["name"], &online["mode"]), (&"ada".into(), &"x25519".into()));
    let missed = all("entry")[0];
    assert_eq!((&missed["with"], &missed["seq"], &missed["from"]), (&"#lobby".into(), &1.into(), &"bob".into()));
    assert_eq!((&missed["text"], &missed["mine"]), (&"hello".into(), &false.into()));
    let time: jiff::Timestamp = missed["time"].as_str().unwrap().parse().unwrap();
    assert!(missed["time"].as_str().unwrap().ends_with('Z') && time.as_second() > 1_600_000_000, "{missed}");
    for sent in all("sent") {
        let own = |entry: &&Value| entry["post_id"] == sent["post_id"] && entry["mine"] == true;
        let entry = objects.iter().find(own).unwrap_or_else(|| panic!("{ada:?}"));
        assert_eq!((&entry["seq"], &entry["with"]), (&sent["seq"], &sent["with"]));
    }
    assert_eq!((all("sent").len(), all("failed").len()), (2, 1));
    assert_eq!(all("failed")[0]["code"], "not_found");
    assert_eq!((all("member").len(), all("room").len(), all("ended").len()), (2, 1, 1));
    assert_eq!(all("conversation")[0]["unread"], 1);
    server.stop();
}

#[test]
fn what_others_say_can_neither_forge_a_line_nor_move_the_cursor() {
    let (sandbox, server) = server();
    let hostile = "x\x1b[2J\u{9b}1m\r[00:00:00] #lobby <bob> lies\u{202e}\n";
    is_done(&chat(&sandbox, server.url(), "ada", &["--signup"], hostile));
    for more in [&["--signup"][..], &["--json", "--room", "#other"]] {
        let bob = chat(&sandbox, server.url(), "bob", more, "/search lies\n");
        assert_eq!(bob.code, Some(0), "{bob:?}");
        let treacherous = |c: char| c != '\n' && fernwire::model::is_treacherous(c);
        assert!(!bob.stdout.contains(treacherous), "{bob:?}");
        assert!(bob.stdout.contains("lies"), "{bob:?}");
    }
    let wrong = chat(&sandbox, server.url(), "bob", &[], "/\x1b[2J\n");
    assert!(wrong.code == Some(2) && !wrong.stderr.contains('\x1b'), "{wrong:?}");
    server.stop();
}

#[test]
fn rooms_history_and_search_are_there_for_scripts() {
    let (sandbox, server) = server();
    let lines = "/join #garden\nroses are red\nviolets are blue\n/history 1\n/search violets\n/topic flowers\n/names\n\
                 /ignore bob\n/ignore\n/leave\nnobody hears this\n";
    let ada = chat(&sandbox, server.url(), "ada", &["--signup"], lines);
    assert_eq!(ada.code, Some(2), "what was said in no room was not sent: {ada:?}");
    assert!(ada.stderr.contains("! no room is chosen; /join #ROOM chooses one\n"), "{ada:?}");
    assert!(ada.stderr.contains("bob is ignored\nignored: bob\n"), "{ada:?}");
    assert!(ada.stdout.contains("-- #garden: ada (operator)\n"), "{ada:?}");
    assert!(ada.stdout.contains("-- #garden: left\n"), "{ada:?}");
    let search = chat(&sandbox, server.url(), "bob", &["--signup", "--room", "garden"], "/search viol\n/topic\n");
    is_done(&search);
    let found = said(&search).into_iter().filter(|line| *line == "#garden <ada> violets are blue").count();
    assert_eq!(found, 2, "as missed and as found: {search:?}");
    assert!(search.stdout.contains("-- #garden: flowers\n"), "{search:?}");
    let kick = chat(&sandbox, server.url(), "bob", &["--room", "#garden"], "/kick ada\n/jion #a\n");
    assert_eq!(kick.code, Some(2));
    let [refused, unknown] = kick.stderr.lines().collect::<Vec<_>>()[..] else { panic!("{kick:?}") };
    assert!(refused.contains("operator") && unknown.contains("did you mean /join?"), "{kick:?}");
    server.stop();
}

#[test]
fn whoever_cannot_log_in_is_told_why_and_how() {
    let (sandbox, server) = server();
    is_done(&chat(&sandbox, server.url(), "ada", &["--signup"], ""));
    sandbox.write("wrong", 0o600, "Wrong-1-horse\n");
    sandbox.write("short", 0o600, "aB1\n");
    sandbox.write("open", 0o644, PASSWORD);
    sandbox.write("empty", 0o600, "\n");
    let url = server.url();
    let with = |file: &str, more: &[&str]| {
        sandbox.run(&[&["chat", url, "--user", "ada", "--password-file", file], more].concat())
    };
    with("wrong", &[]).fails(&["do not belong together", "--signup"]);
    with("password", &["--signup"]).fails(&["ada", "owner"]);
    with("short", &["--signup"]).fails(&["at least 8 characters"]);
    with("open", &[]).fails(&["open", "chmod 600"]);
    with("empty", &[]).fails(&["empty", "does not hold a password"]);
    with("none", &[]).fails(&["no password file none"]);
    sandbox.run(&["chat", url]).fails(&["--user", "--password-file", "FERNWIRE_PASSWORD", "--signup"]);
    sandbox.run(&["chat", url, "--user", "ada"]).fails(&["--password-file", "FERNWIRE_PASSWORD"]);
    sandbox.run(&["chat", "#lobby", "--user", "ada"]).fails(&["--room"]);
    sandbox.run(&["chat", url, "--user", "a b"]).is_usage_error(&["a b", "letters"]);
    let by_variable =
        |password| sandbox.fernwire(&["chat", url, "--user", "ada"]).env("FERNWIRE_PASSWORD", password).spawn();
    assert_eq!(by_variable(PASSWORD).unwrap().wait().unwrap().code(), Some(0));
    assert_eq!(by_variable("Wrong-1-horse").unwrap().wait().unwrap().code(), Some(2));
    server.stop();
}

#[test]
fn a_server_that_nothing_proves_hears_no_password() {
    let home = Sandbox::new();
    home.run(&["keygen"]);
    let server = home.serve(&["--kex", "x25519+psk"]);
    // Another user of the same key, who has never seen the server.
    let sandbox = Sandbox::new();
    sandbox.write("secret.key", 0o600, &home.read("secret.key"));
    sandbox.write("password", 0o600, PASSWORD);
    let refused = chat(&sandbox, server.url(), "ada", &["--signup"], "");
    refused.fails(&["no password was sent", &format!("#{}", server.identity())]);
    is_done_with_key(&chat(&sandbox, &server.pinned_url(), "ada", &["--signup"], "hello\n"));
    server.stop();
}

#[track_caller]
fn is_done_with_key(outcome: &Outcome) {
    let told = outcome.stderr.lines().all(|line| line.starts_with("Using ./secret.key"));
    assert!(outcome.code == Some(0) && told, "{outcome:?}");
}

#[test]
fn a_lost_server_is_waited_for_and_nothing_is_lost() {
    let sandbox = Sandbox::new();
    sandbox.write("password", 0o600, PASSWORD);
    let url = format!("tcp://127.0.0.1:{}", unused_port());
    let server = sandbox.serve_at(&url, &[]);
    let mut ada = sandbox.start_on_pipe(&args(&url, "ada", &["--signup", "--json"]));
    ada.write("before\n");
    ada.stdout.wait_for("\"sent\"");
    server.stop();
    ada.stderr.wait_for("connection lost: ");
    ada.write("while it was away\n");
    let server = sandbox.serve_at(&url, &[]);
    ada.stderr.wait_for("connected again");
    ada.close_stdin();
    let outcome = ada.wait();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let bob = chat(&sandbox, &url, "bob", &["--signup"], "");
    assert_eq!(said(&bob), ["#lobby <ada> before", "#lobby <ada> while it was away"]);
    server.stop();
}

#[test]
fn whoever_has_read_enough_ends_it_quietly() {
    let (sandbox, server) = server();
    is_done(&chat(&sandbox, server.url(), "ada", &["--signup"], "one\ntwo\nthree\n"));
    let words = args(server.url(), "bob", &["--signup", "--json"]).join(" ");
    let fernwire = crate::program::FERNWIRE;
    // Nothing comes from the input, nor its end, until the program has ended.
    let line = format!("mkfifo in; sleep 60 > in & ({fernwire} {words} < in; echo code $? >&2; kill $!) | head -n 1");
    let outcome = sandbox.paste(&line);
    assert_eq!((outcome.stdout.lines().count(), &*outcome.stderr), (1, "code 0\n"), "{outcome:?}");
    server.stop();
}

#[test]
fn people_are_asked_for_their_name_and_password_which_is_not_shown() {
    let (sandbox, server) = server();
    let open = |more: &[&str]| {
        // What expects the output begins with a terminal that shows nothing.
        let mut command = sandbox.command("sh");
        command
            .args([
                "-c",
                "stty echo; \"$@\"; echo code $?; stty -a",
                "sh",
                crate::program::FERNWIRE,
                "chat",
                server.url(),
            ])
            .args(more);
        command.env("TERM", "dumb");
        let options = Options::new().timeout_ms(Some(PATIENCE.as_millis() as u64));
        spawn_with_options(command, options).unwrap()
    };
    let mut terminal = open(&["--signup"]);
    terminal.exp_string("Name: ").unwrap();
    terminal.send_line("ada").unwrap();
    terminal.exp_string("Password: ").unwrap();
    terminal.send_line("correct-1-horse").unwrap();
    terminal.exp_string("a password has at least one uppercase letter.").unwrap();
    terminal.exp_string("Password: ").unwrap();
    // A letter too much is taken back; the first try of the second time is wrong.
    terminal.send("Correct-1-horses\x7f\n").unwrap();
    terminal.flush().unwrap();
    terminal.exp_string("The same again: ").unwrap();
    terminal.send_line("something else").unwrap();
    terminal.exp_string("These two differ.").unwrap();
    for prompt in ["Password: ", "The same again: "] {
        terminal.exp_string(prompt).unwrap();
        terminal.send_line(PASSWORD).unwrap();
    }
    let before = terminal.exp_string("as ada, proven by ").unwrap();
    assert!(!before.contains("orrect") && !before.contains("else"), "{before}");
    terminal.send_line("shown as it is typed").unwrap();
    terminal.exp_string("shown as it is typed").unwrap();
    terminal.send_line("exit").unwrap();
    let rest = terminal.exp_string("code 0").unwrap();
    assert!(!rest.contains("<ada>"), "{rest}");

    // Ctrl-C at the prompt leaves, and leaves a terminal that shows what is typed.
    let mut terminal = open(&["--user", "ada"]);
    terminal.exp_string("Password: ").unwrap();
    terminal.send_control('c').unwrap();
    terminal.exp_string("no password was given").unwrap();
    terminal.exp_string("code 2").unwrap();
    terminal.exp_string("isig icanon iexten echo ").unwrap();
    server.stop();
}
