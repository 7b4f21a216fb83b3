//! The link is cut in the middle of what people do, and comes back.

use std::time::Duration;

use crate::hosts::{HOME, Host, Hosts, NAME};
use crate::program::{Outcome, Sandbox, is_timestamp};
use crate::scene::{Person, Seen, gen_certs, serve_tls, url};

/// How long there is no link. This is what these tests are about; nothing else in them waits for a time.
const CUT: Duration = Duration::from_secs(10);
/// How much each of two people says while there is none.
const LINES: usize = 10;

/// Ada is away, over IPv6; bob is on the server's host, and notices nothing.
fn ada_and_bob(hosts: &Hosts, home: &Sandbox) -> [Person; 2] {
    let ca = home.arg("certs/ca.pem");
    let enters = |host: &Host, knows, name| {
        Person::enters(&host.user_who_knows(&[(knows, NAME)]), name, &url(), &["--signup", "--ca", &ca])
    };
    let mut ada = enters(&hosts.away, HOME[1], "ada");
    let bob = enters(&hosts.home, HOME[0], "bob");
    ada.says("before it");
    bob.hears("before it");
    ada.has_sent(1);
    ada.has_heard(1);
    [ada, bob]
}

fn lines(name: &str) -> Vec<String> {
    (1..=LINES).map(|number| format!("{name} {number}")).collect()
}

/// Both say their lines; the link is cut, and bob's are on the server all the same.
fn both_go_on([ada, bob]: &mut [Person; 2]) {
    lines("ada").iter().for_each(|line| ada.says(line));
    lines("bob").iter().for_each(|line| bob.says(line));
    bob.has_sent(LINES);
}

/// Both have seen everything once and in the same order, and it is what was said.
fn leave([ada, bob]: [Person; 2]) -> [Seen; 2] {
    [&ada, &bob].iter().for_each(|person| person.has_heard(1 + 2 * LINES));
    let seen = [ada.leaves(), bob.leaves()];
    assert_eq!(seen[0].said, seen[1].said);
    seen[0].is_whole();
    assert_eq!(seen[0].said_by("ada"), [&["before it".to_owned()], &lines("ada")[..]].concat());
    assert_eq!(seen[0].said_by("bob"), lines("bob"));
    seen
}

/// A chat while this end of the link is down for a while; the other sees a cable without a signal.
fn chat_while_down(end: impl Fn(&Hosts) -> &Host) {
    let hosts = Hosts::new();
    let home = hosts.home.user();
    gen_certs(&home, &[NAME]);
    let server = serve_tls(&home, &[]);
    let mut people = ada_and_bob(&hosts, &home);
    end(&hosts).is_cut_off();
    both_go_on(&mut people);
    std::thread::sleep(CUT);
    // Nothing she says is lost or refused; it is not there yet, and there is no word about it: ten seconds of silence are
    // no lost connection, and TCP sends again what was on its way.
    assert_eq!(people[0].so_far(), (1, 1, String::new()));
    end(&hosts).connects();
    for seen in leave(people) {
        assert_eq!(seen.told, "");
    }
    let log = server.stop();
    assert_eq!(log.matches("session begins").count(), 2, "somebody came again: {log}");
}

#[test]
fn a_chat_goes_on_when_the_clients_link_comes_back() {
    chat_while_down(|hosts| &hosts.away);
}

#[test]
fn a_chat_goes_on_when_the_servers_link_comes_back() {
    chat_while_down(|hosts| &hosts.home);
}

#[test]
fn a_query_gets_its_remaining_timestamps_when_the_link_comes_back() {
    let hosts = Hosts::new();
    let home = hosts.home.user();
    gen_certs(&home, &[NAME]);
    let server = serve_tls(&home, &["--tick", "1s"]);
    let ca = home.arg("certs/ca.pem");
    let asking: Vec<_> = HOME
        .iter()
        .map(|address| {
            let client = hosts.away.user_who_knows(&[(address, NAME)]);
            client.start(&mut client.fernwire(&["query", &url(), "--ca", &ca, "SetE-Ten"]))
        })
        .collect();
    asking.iter().for_each(|client| drop(client.stdout.wait_for("\n")));
    hosts.away.is_cut_off();
    // Longer than the server takes to send everything.
    std::thread::sleep(CUT);
    for client in &asking {
        assert!(client.stdout.so_far().lines().count() < 10, "the query was over before the link was cut");
    }
    hosts.away.connects();
    asking.into_iter().for_each(|client| client.wait().is_timestamps(10));
    server.stop();
}

#[test]
fn a_server_that_dies_while_the_link_is_cut_is_found_again_by_the_chat_and_told_to_the_query() {
    let hosts = Hosts::new();
    let home = hosts.home.user();
    gen_certs(&home, &[NAME]);
    let server = serve_tls(&home, &["--tick", "1s"]);
    let mut people = ada_and_bob(&hosts, &home);
    let (client, ca) = (hosts.away.user(), home.arg("certs/ca.pem"));
    let asking = client.start(&mut client.fernwire(&["query", &url(), "--ca", &ca, "SetE-Ten"]));
    asking.stdout.wait_for("\n");
    hosts.away.is_cut_off();
    server.signal("KILL");
    server.wait();
    let server = serve_tls(&home, &[]);
    both_go_on(&mut people);
    hosts.away.connects();
    for seen in leave(people) {
        assert!(seen.told.contains("connection lost: ") && seen.told.contains("connected again"), "{}", seen.told);
    }
    ends_in_the_middle(&asking.wait());
    server.stop();
}

/// A query that has printed some of its timestamps, and one line about why there are no more.
fn ends_in_the_middle(outcome: &Outcome) {
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    let lines: Vec<_> = outcome.stdout.lines().collect();
    assert!((1..10).contains(&lines.len()) && lines.iter().all(|line| is_timestamp(line)), "{outcome:?}");
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
    assert!(outcome.stderr.starts_with("fernwire: "), "{outcome:?}");
}
