//! A certificate that is replaced while sessions run.

use std::fs;

use crate::hosts::{Hosts, NAME};
use crate::scene::{Person, gen_certs, serve_tls, url};

#[test]
fn sessions_go_on_under_the_old_certificate_and_new_ones_see_the_new() {
    let hosts = Hosts::new();
    let home = hosts.home.user();
    gen_certs(&home, &[NAME]);
    let server = serve_tls(&home, &["--tick", "1s"]);
    let [old, new] = ["old.pem", "certs/ca.pem"].map(|name| home.arg(name));
    fs::copy(&new, &old).unwrap();
    let mut ada = Person::enters(&hosts.away.user(), "ada", &url(), &["--signup", "--ca", &old]);
    let client = hosts.away.user();
    let mut asking = client.start(&mut client.fernwire(&["query", &url(), "--ca", &old, "SetE-Ten"]));
    asking.stdout.wait_for("\n");
    // Under another authority, so that it can be told which of the two a client is shown.
    gen_certs(&home, &[NAME, "--force"]);
    server.signal("HUP");
    server.log().wait_for("certificate reloaded; new connections get it");
    let next = hosts.away.user();
    next.run(&["query", &url(), "--ca", &old, "SetA-One"]).fails(&["issued by `Fernwire CA ", "old.pem trusts"]);
    next.run(&["query", &url(), "--ca", &new, "SetA-One"]).is_timestamps(1);
    assert!(asking.is_running(), "the query was over before the new certificate was there");
    let mut bob = Person::enters(&hosts.away.user(), "bob", &url(), &["--signup", "--ca", &new]);
    ada.says("under the old one");
    bob.hears("under the old one");
    bob.says("under the new one");
    ada.hears("under the new one");
    asking.wait().is_timestamps(10);
    let [ada, bob] = [ada.leaves(), bob.leaves()];
    assert_eq!((&*ada.told, &*bob.told), ("", ""), "somebody was disturbed");
    assert_eq!(ada.said, bob.said);
    server.stop();
}
