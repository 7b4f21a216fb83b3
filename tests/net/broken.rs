//! Every service over a bad line: late, in single bytes, and with connections that break at random.

use std::net::SocketAddr;

use crate::bad_line::{BadLine, Breaks, Random};
use crate::hosts::{HOME, Hosts, NAME};
use crate::program::{RunningServer, Sandbox, is_timestamp};
use crate::scene::{PASSWORD, PORT, Person, gen_certs, serve_tls};

/// Where the server listens on tcp://; on tls:// it is where it always is.
const TCP_PORT: u16 = 4000;

/// A server that can be reached by either scheme, and where accounts are made without harm.
struct Scene {
    hosts: Hosts,
    home: Sandbox,
    server: RunningServer,
    random: Random,
    lines: u16,
}

/// How a client names the server behind a bad line, and what proves it.
struct Way {
    url: String,
    ca: Option<String>,
    line: BadLine,
}

impl Scene {
    fn new() -> Self {
        let hosts = Hosts::new();
        let home = hosts.home.user();
        gen_certs(&home, &[NAME]);
        let tcp = format!("tcp://{}:{TCP_PORT}", HOME[0]);
        let server = serve_tls(&home, &["--listen", &tcp, "--tick", "20ms", "--kex", "x25519"]);
        Self { hosts, home, server, random: Random::seeded(), lines: 0 }
    }

    /// Both schemes, each behind a line of its own.
    fn ways(&mut self, breaks: usize, per_connection: u64) -> [Way; 2] {
        ["tls", "tcp"].map(|scheme| self.way(scheme, breaks, per_connection))
    }

    /// A line that breaks so many times: first when so many bytes at most have followed the handshakes and the login, then
    /// anywhere up to there.
    fn way(&mut self, scheme: &str, breaks: usize, per_connection: u64) -> Way {
        self.lines += 1;
        let port = 5000 + self.lines;
        let (url, to, handshakes, ca) = match scheme {
            "tls" => (format!("tls://{NAME}:{port}"), PORT, 8000, Some(self.home.arg("certs/ca.pem"))),
            _ => (format!("tcp://{}:{port}#{}", HOME[0], self.server.identity()), TCP_PORT, 3000, None),
        };
        let first = handshakes + self.random.below(per_connection);
        let target = SocketAddr::new(HOME[0].parse().unwrap(), to);
        let breaks = Breaks { first, then: (handshakes + per_connection, breaks - 1) };
        Way { url, ca, line: BadLine::before(target, &self.hosts.home, port, &breaks, &mut self.random) }
    }

    /// Somebody away who knows the server by its IPv4 address, and has an account there.
    fn member(&self, name: &str) -> Sandbox {
        let sandbox = self.hosts.away.user_who_knows(&[(HOME[0], NAME)]);
        sandbox.write("password", 0o600, &format!("{PASSWORD}\n"));
        let url = format!("tls://{NAME}:{PORT}");
        let account =
            ["--user", name, "--password-file", "password", "--signup", "--ca", &self.home.arg("certs/ca.pem")];
        let outcome = sandbox.run(&[&["chat", &url, "--room", "#elsewhere"], &account[..]].concat());
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        sandbox
    }
}

impl Way {
    /// The arguments of a command that goes this way.
    fn args<'a>(&'a self, command: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let ca: &[&str] = match &self.ca {
            Some(file) => &["--ca", file],
            None => &[],
        };
        [&[command, &*self.url], ca, more].concat()
    }
}

/// How many connections a query is asked over that may break.
const BREAKS: usize = 10;
const ACCOUNT: [&str; 4] = ["--user", "ada", "--password-file", "password"];

#[test]
fn a_query_gets_its_timestamps_or_says_why_not() {
    let mut scene = Scene::new();
    for way in scene.ways(BREAKS, 4000) {
        let client = scene.hosts.away.user_who_knows(&[(HOME[0], NAME)]);
        // A connection that did not break was one of those that were to.
        for _ in 0..BREAKS {
            let outcome = client.run(&way.args("query", &["SetE-Ten"]));
            let (lines, told): (Vec<_>, Vec<_>) = (outcome.stdout.lines().collect(), outcome.stderr.lines().collect());
            assert!(lines.iter().all(|line| is_timestamp(line)), "{outcome:?}");
            match (outcome.code, &told[..]) {
                (Some(0), []) => assert_eq!(lines.len(), 10, "{outcome:?}"),
                (Some(2), [told]) => assert!(told.starts_with("fernwire: ") && lines.len() <= 10, "{outcome:?}"),
                _ => panic!("{outcome:?}"),
            }
            println!("{} timestamps; {told:?}", lines.len());
        }
        client.run(&way.args("query", &["SetE-Ten"])).is_timestamps(10);
    }
    scene.server.stop();
}

#[test]
fn each_logged_line_is_there_once_and_in_order() {
    let mut scene = Scene::new();
    let ada = scene.member("ada");
    let mut count = 0;
    for way in scene.ways(4, 4000) {
        let mut client = ada.start_on_pipe(&way.args("log", &ACCOUNT));
        let before = count;
        while !way.line.is_good() {
            let lines: Vec<_> = (count + 1..=count + 20).map(|line| format!("line {line}\n")).collect();
            client.write(&lines.concat());
            count += 20;
            client.stdout.wait_until_count("Message received\n", count - before);
        }
        client.close_stdin();
        let outcome = client.wait();
        assert_eq!((outcome.code, &*outcome.stdout), (Some(0), &*"Message received\n".repeat(count - before)));
        assert!(outcome.stderr.contains("connection lost: "), "{outcome:?}");
    }
    let log = scene.home.read("data/fernwire/server_logs.txt");
    let texts: Vec<_> = log.lines().map(|line| line.split_once(" : ").unwrap().1).collect();
    assert_eq!(texts, (1..=count).map(|line| format!("line {line}")).collect::<Vec<_>>());
    scene.server.stop();
}

#[test]
fn each_submission_is_there_once_and_in_order() {
    let mut scene = Scene::new();
    let ada = scene.member("ada");
    let mut count = 0;
    for way in scene.ways(4, 4000) {
        let mut client = ada.start_on_pipe(&way.args("submit", &[&ACCOUNT[..], &["--format", "xml"]].concat()));
        let before = count;
        while !way.line.is_good() {
            count += 1;
            let more = if count == before + 1 { "" } else { "yes\n" };
            client.write(&format!("{more}ada\n{}\n", letters(count)));
            client.stdout.wait_for(&format!("Stored as number {count} (xml)\n"));
        }
        client.write("no\n");
        let outcome = client.wait();
        assert_eq!((outcome.code, outcome.stdout.lines().count()), (Some(0), count - before), "{outcome:?}");
    }
    let stored = scene.home.read("data/fernwire/submissions.jsonl");
    assert_eq!(stored.lines().count(), count, "{stored}");
    for (number, line) in (1..).zip(stored.lines()) {
        assert!(line.contains(&format!("\"{}\"", capitalized(&letters(number)))), "{number}: {line}");
    }
    scene.server.stop();
}

/// A name that is this number.
fn letters(number: usize) -> String {
    number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect()
}

fn capitalized(name: &str) -> String {
    name[..1].to_uppercase() + &name[1..]
}

#[test]
fn a_chat_loses_and_doubles_nothing() {
    let mut scene = Scene::new();
    let homes = ["ada", "bob"].map(|name| scene.member(name));
    for scheme in ["tls", "tcp"] {
        let ways = [scene.way(scheme, 3, 6000), scene.way(scheme, 3, 6000)];
        let room = format!("#{scheme}");
        let names = ["ada", "bob"];
        let mut people: Vec<_> = (0..2)
            .map(|i| {
                let args = ways[i].args("chat", &["--room", &room]);
                Person::enters(&homes[i], names[i], args[1], &args[2..])
            })
            .collect();
        let mut count = 0;
        while !ways.iter().all(|way| way.line.is_good()) {
            count += 1;
            for (person, name) in people.iter_mut().zip(names) {
                person.says(&format!("{name} {count}"));
            }
            people.iter().for_each(|person| person.has_sent(count));
        }
        people.iter().for_each(|person| person.has_heard(2 * count));
        let seen: Vec<_> = people.into_iter().map(Person::leaves).collect();
        assert_eq!(seen[0].said, seen[1].said);
        seen[0].is_whole();
        for name in names {
            let said: Vec<_> = (1..=count).map(|number| format!("{name} {number}")).collect();
            assert_eq!(seen[0].said_by(name), said);
        }
        assert!(seen.iter().all(|seen| seen.told.contains("connection lost: ")), "nobody has lost the connection");
    }
    scene.server.stop();
}
