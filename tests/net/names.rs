//! Which names and certificates prove a server on another host.

use rcgen::{CertificateParams, SanType, date_time_ymd};

use crate::forge::{Authority, Pair};
use crate::hosts::{AWAY, HOME, Hosts, NAME};
use crate::program::{RunningServer, Sandbox};
use crate::scene::{PORT, gen_certs, serve_tls, url};

#[test]
fn the_name_proves_the_server_over_ipv4_and_ipv6_and_whichever_is_there() {
    let hosts = Hosts::new();
    let home = hosts.home.user();
    gen_certs(&home, &[NAME]);
    let server = serve_tls(&home, &[]);
    let (url, ca) = (url(), home.arg("certs/ca.pem"));
    let [v4, v6] = HOME.map(|address| (address, NAME));
    for (names, from) in [(&[v4][..], &AWAY[..1]), (&[v6], &AWAY[1..]), (&[v4, v6], &AWAY), (&[v6, v4], &AWAY)] {
        let client = hosts.away.user_who_knows(names);
        client.run(&["query", &url, "--ca", &ca, "SetA-Two"]).is_timestamps(2);
        assert_eq!(client.known_hosts(), format!("{url} {} by-certificate\n", server.identity()));
        let log = server.log().so_far();
        let came = log.lines().rfind(|line| line.contains("session begins")).unwrap_or_else(|| panic!("{log}"));
        assert!(from.iter().any(|address| came.contains(address)), "{names:?}: {came}");
    }
    server.stop();
    // Of a name's addresses one is enough.
    for address in [HOME[0].to_owned(), format!("[{}]", HOME[1])] {
        let named = ["--tls-cert", "certs/server.pem", "--tls-key", "certs/server-key.pem"];
        let server = home.serve_at(&format!("tls://{address}:{PORT}"), &named);
        hosts.away.user().run(&["query", &url, "--ca", &ca, "SetA-Two"]).is_timestamps(2);
        server.stop();
    }
}

#[test]
fn another_name_for_the_same_host_proves_nothing() {
    let hosts = Hosts::new();
    let home = hosts.home.user();
    gen_certs(&home, &[NAME]);
    let server = serve_tls(&home, &[]);
    let ca = home.arg("certs/ca.pem");
    let other = "other.fernwire.test";
    let client = hosts.away.user_who_knows(&HOME.map(|address| (address, other)));
    for host in [other, HOME[0], &format!("[{}]", HOME[1])] {
        let outcome = client.run(&["query", &format!("tls://{host}:{PORT}"), "--ca", &ca, "SetA-Two"]);
        let plain = host.trim_matches(['[', ']']);
        outcome.fails(&[
            &format!("no TLS with tls://{host}:{PORT}: its certificate is for {NAME}, and not for {plain};"),
            &format!("`fernwire certs --host {NAME} --host {plain}`"),
        ]);
    }
    assert_eq!(client.known_hosts(), "");
    // The server's identity does prove it, under any name.
    let pinned = format!("tls://{other}:{PORT}#{}", server.identity());
    client.run(&["query", &pinned, "SetA-Two"]).is_timestamps(2);
}

#[test]
fn an_expired_a_foreign_and_an_unvouched_certificate_are_refused() {
    let hosts = Hosts::new();
    let (authority, foreign) = (Authority::new("Our Authority"), Authority::new("Somebody"));
    let for_name = |params: &mut CertificateParams| {
        params.subject_alt_names = vec![SanType::DnsName(NAME.try_into().unwrap())];
    };
    let expired = authority.issue(|params| {
        for_name(params);
        params.not_after = date_time_ymd(2001, 2, 3);
    });
    let client = hosts.away.user();
    client.write("ca.pem", 0o644, &authority.pair.certificate);
    for (pair, words) in [
        (expired, &["its certificate was valid until 2001-02-03", "renew it"][..]),
        (foreign.issue(for_name), &["issued by `Somebody`, whom neither this system nor ca.pem trusts", "--ca"]),
        // That it bears the authority's name makes no difference.
        (Authority::new("Our Authority").issue(for_name), &["names `Our Authority` as its issuer and was not signed"]),
        (Pair::self_signed(for_name), &["its certificate is self-signed", "nobody vouches for it"]),
    ] {
        let home = hosts.home.user();
        let server = shows(&home, &pair);
        let outcome = client.run(&["query", &url(), "--ca", "ca.pem", "SetA-Two"]);
        outcome.fails(&[&[&*format!("no TLS with {}: ", url())], words].concat());
        assert_eq!(client.known_hosts(), "");
        let pinned = format!("{}#{}", url(), server.identity());
        hosts.away.user().run(&["query", &pinned, "SetA-Two"]).is_timestamps(2);
        server.stop();
    }
    let server = shows(&hosts.home.user(), &authority.issue(for_name));
    client.run(&["query", &url(), "--ca", "ca.pem", "SetA-Two"]).is_timestamps(2);
    server.stop();
}

/// A server with this certificate.
fn shows(home: &Sandbox, pair: &Pair) -> RunningServer {
    std::fs::create_dir(home.path("certs")).unwrap();
    pair.save(&home.path("certs"));
    serve_tls(home, &[])
}
