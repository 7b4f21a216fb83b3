//! Who gets a place at the door, and who may come at all.

use crate::program::PATIENCE;
use crate::scene::{Peer, address, complaints, folder_with_key, serve, serve_with_operator};

#[test]
fn who_has_sent_no_token_makes_way_for_the_next_and_who_has_does_not() {
    let sandbox = folder_with_key();
    sandbox.write("f.toml", 0o600, "[limits]\nmax_pending = 2\n");
    for said in [0, 50] {
        let server = serve(&sandbox, "query", &["--config", "f.toml"]);
        let mut served = Peer::at(&address(&server), &sandbox);
        served.is_served();
        let token = served.token("SetZ-Unknown");
        let mut waiting: Vec<_> = (0..4).map(|_| Peer::at(&address(&server), &sandbox)).collect();
        // Which two are not the last that the server looks at is not in our hands; some may be gone already.
        waiting.iter_mut().for_each(|peer| peer.try_write(&token[..said]));
        server.log().wait_until_count("its place was given to a newer connection", 2);
        waiting.iter_mut().for_each(|peer| peer.try_write(&token[said..]));
        let answers: Vec<_> = waiting.iter_mut().filter_map(Peer::hear).collect();
        assert_eq!(answers, ["EMPTY", "EMPTY"]);
        served.is_served();
        let log = server.stop();
        assert_eq!(complaints(&log).len(), 2, "{log}");
    }
}

#[test]
fn an_address_has_so_many_sessions_and_no_more() {
    let sandbox = folder_with_key();
    sandbox.write("f.toml", 0o600, "[limits]\nmax_anonymous_per_source = 1\n");
    let server = serve(&sandbox, "query", &["--config", "f.toml"]);
    let mut first = Peer::at(&address(&server), &sandbox);
    first.is_served();
    let mut second = Peer::at(&address(&server), &sandbox);
    second.say("SetA-One");
    assert_eq!(second.hear(), None);
    first.is_served();
    server.log().wait_for("your address has 1 sessions");
    first.finish();
    assert_eq!(first.hear(), None);
    // The place is free soon after the session's end.
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let mut third = Peer::at(&address(&server), &sandbox);
        third.say("SetZ-Unknown");
        match third.hear() {
            Some(text) => break assert_eq!(text, "EMPTY"),
            None => assert!(std::time::Instant::now() < deadline, "the place stays taken"),
        }
    }
}

#[test]
fn a_server_has_so_many_sessions_and_no_more() {
    let sandbox = folder_with_key();
    sandbox.write("f.toml", 0o600, "[limits]\nmax_sessions = 2\n");
    let server = serve(&sandbox, "query", &["--config", "f.toml"]);
    let mut seated = [(); 2].map(|()| Peer::at(&address(&server), &sandbox));
    seated.iter_mut().for_each(Peer::is_served);
    let mut third = Peer::at(&address(&server), &sandbox);
    third.say("SetA-One");
    assert_eq!(third.hear(), None);
    server.log().wait_for("the server has 2 sessions and takes no more");
    seated.iter_mut().for_each(Peer::is_served);
}

#[test]
fn a_banned_address_is_turned_away_and_its_sessions_end() {
    let sandbox = folder_with_key();
    let (mut server, address) = serve_with_operator(&sandbox, "query", &[]);
    let mut before = Peer::at(&address, &sandbox);
    before.is_served();
    server.write("ban 127.0.0.1 1h spam\n");
    server.stdout.wait_for("sessions sent away: 1\n");
    assert_eq!(before.hear(), None);
    let mut after = Peer::at(&address, &sandbox);
    after.say("SetA-One");
    assert_eq!(after.hear(), None);
    server.stderr.wait_for("session refused");
    server.write("unban 127.0.0.1\n");
    server.stdout.wait_for("done\n");
    Peer::at(&address, &sandbox).is_served();
}

#[test]
fn where_others_can_reach_it_the_key_is_enough() {
    let sandbox = folder_with_key();
    let doors = ["submit", "query"].map(|service| format!("fernet://0.0.0.0:0?service={service}&key=legacy.key"));
    let more = doors.iter().flat_map(|door| ["--listen", door]).collect::<Vec<_>>();
    let server = sandbox.serve_at("fernet://0.0.0.0:0?service=log&key=legacy.key", &more);
    let peers = server.urls().into_iter().map(|url| {
        let address = crate::scene::host_and_port(url).replace("0.0.0.0", "127.0.0.1");
        Peer::at(&address, &sandbox)
    });
    let [mut log, mut submit, mut query] = peers.collect::<Vec<_>>().try_into().ok().unwrap();
    log.say("hello");
    assert_eq!(log.hear().unwrap(), "Message received");
    query.is_served();
    submit.say("{\"a\": \"b\"}");
    submit.say("session_end");
    assert_eq!(submit.hear(), None);
    server.screen().wait_for("Data format: json\n{\"a\": \"b\"}");
    assert_eq!(complaints(&server.stop()), [""; 0]);
}
