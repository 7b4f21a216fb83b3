//! Sessions over TLS: a server's own certificate, one from files, what proves it to clients, and each mistake on the way.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::program::{RunningServer, Sandbox};

const TLS: &str = "tls://127.0.0.1:0";
/// The pair that a server makes for itself.
const OWN: [&str; 2] = ["data/fernwire/tls-cert.pem", "data/fernwire/tls-key.pem"];

/// Somebody who has run `fernwire certs` for these names.
fn with_certs(names: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    let mut args = vec!["certs"];
    args.extend(names.iter().flat_map(|name| ["--host", name]));
    assert_eq!(sandbox.run(&args).code, Some(0));
    sandbox
}

/// A server on TLS with the certificate that `fernwire certs` has made here.
fn serve_certs(sandbox: &Sandbox, args: &[&str]) -> RunningServer {
    let named = ["--tls-cert", "certs/server.pem", "--tls-key", "certs/server-key.pem"];
    sandbox.serve_at(TLS, &[&named, args].concat())
}

fn mode(sandbox: &Sandbox, name: &str) -> u32 {
    fs::metadata(sandbox.path(name)).unwrap().permissions().mode() & 0o777
}

fn own_pair(sandbox: &Sandbox) -> [String; 2] {
    OWN.map(|name| sandbox.read(name))
}

#[test]
fn a_server_without_files_makes_a_pair_once_and_its_line_connects() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve_at(TLS, &[]);
    assert!(server.banner().contains("tls-cert.pem, self-signed, made just now)\n"), "{}", server.banner());
    assert_eq!(OWN.map(|name| mode(&sandbox, name)), [0o644, 0o600]);
    Sandbox::new().paste(server.connect_lines()[0]).is_timestamps(2);
    let made = own_pair(&sandbox);
    server.stop();
    let again = sandbox.serve_at(TLS, &[]);
    assert!(again.banner().contains("tls-cert.pem, self-signed)\n"), "{}", again.banner());
    assert_eq!(own_pair(&sandbox), made);
    Sandbox::new().paste(again.connect_lines()[0]).is_timestamps(2);
}

#[test]
fn a_servers_own_pair_is_made_again_when_it_is_due_or_lacks_a_name() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve_at(TLS, &[]);
    let line = server.banner().lines().find_map(|line| line.strip_prefix("  certificate ")).unwrap();
    let names = line.split_once(';').unwrap().0.to_owned();
    server.stop();
    for (days, names, is_good) in [("365", &*names, true), ("10", &names, false), ("365", "localhost", false)] {
        self_signed(&sandbox, OUR_MARK, days, names);
        let put = own_pair(&sandbox);
        sandbox.write("before.pem", 0o644, &put[0]);
        let server = sandbox.serve_at(TLS, &[]);
        let now = own_pair(&sandbox);
        assert_eq!(now[0] == put[0], is_good, "{days} days for {names}");
        assert_eq!(now[1], put[1], "the key, by which clients may know the server, is another");
        assert_eq!(server.banner().contains("made just now"), !is_good, "{}", server.banner());
        assert_eq!(mode(&sandbox, OWN[1]), 0o600);
        Sandbox::new().paste(server.connect_lines()[0]).is_timestamps(2);
        let (url, before) = (server.url(), sandbox.arg("before.pem"));
        Sandbox::new().run(&["query", url, "--ca", &before, "SetA-Two"]).is_timestamps(2);
    }
}

#[test]
fn a_pair_that_somebody_put_in_the_place_of_the_servers_own_is_never_replaced() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.path("data/fernwire")).unwrap();
    for (name, days, warnings) in [
        ("own", "365", &["lacks localhost"][..]),
        ("Fernwire self-signed", "10", &["lacks localhost", "the certificate ends soon"]),
        ("Fernwire CA 01234567", "365", &["lacks localhost"]),
    ] {
        self_signed(&sandbox, name, days, "example.org");
        let put = own_pair(&sandbox);
        let planned = sandbox.run(&["serve", "--check", "--listen", TLS]);
        assert!(planned.stdout.contains("tls-cert.pem, self-signed)\n"), "{planned:?}");
        let server = sandbox.serve_at(TLS, &[]);
        server.signal("HUP");
        server.log().wait_for("certificate reloaded");
        Sandbox::new().paste(server.connect_lines()[0]).is_timestamps(2);
        assert_eq!(own_pair(&sandbox), put, "{name}");
        let log = server.stop();
        warnings.iter().for_each(|words| assert!(log.contains(words), "no `{words}` in {log}"));
    }

    let authority = with_certs(&["example.org"]);
    for (name, file) in OWN.iter().zip(["certs/server.pem", "certs/server-key.pem"]) {
        sandbox.write(name, 0o600, &authority.read(file));
    }
    let planned = sandbox.run(&["serve", "--check", "--listen", TLS]);
    assert!(planned.stdout.contains("example.org; until ") && planned.stdout.contains("tls-cert.pem)"), "{planned:?}");
    let server = sandbox.serve_at(TLS, &[]);
    assert!(server.banner().contains("tls-cert.pem)\n"), "{}", server.banner());
    assert_eq!(own_pair(&sandbox)[0], authority.read("certs/server.pem"));
}

#[test]
fn of_servers_that_start_at_once_in_a_fresh_folder_one_runs() {
    for _ in 0..5 {
        let sandbox = Sandbox::new();
        // The identity is another file, made before.
        sandbox.serve(&[]).stop();
        let servers: Vec<_> =
            (0..3).map(|_| sandbox.start(&mut sandbox.fernwire(&["serve", "--listen", TLS]))).collect();
        // The others say why they do not, and end.
        let (winner, losers): (Vec<_>, Vec<_>) =
            servers.into_iter().partition(|server| server.stdout.comes_to("Stop with Ctrl-C.\n"));
        assert_eq!(winner.len(), 1);
        losers.into_iter().for_each(|server| server.wait().fails(&["another server is using"]));
        assert!(winner[0].stdout.so_far().contains("made just now"));
        drop(winner);
        assert!(sandbox.serve_at(TLS, &[]).banner().contains("tls-cert.pem, self-signed)\n"));
    }
}

#[test]
fn a_pair_that_is_ours_and_does_not_belong_together_is_made_anew() {
    let sandbox = Sandbox::new();
    sandbox.serve_at(TLS, &[]).stop();
    let good = own_pair(&sandbox);
    let other = Sandbox::new();
    other.serve_at(TLS, &[]).stop();
    // As after a crash, and as two servers that started at once have left it.
    for key in [None, Some(other.read(OWN[1]))] {
        sandbox.write(OWN[0], 0o644, &good[0]);
        match &key {
            Some(key) => drop(sandbox.write(OWN[1], 0o600, key)),
            None => fs::remove_file(sandbox.path(OWN[1])).unwrap(),
        }
        let planned = sandbox.run(&["serve", "--check", "--listen", TLS]);
        assert!(planned.stdout.contains("tls-cert.pem, self-signed, which would be made anew"), "{planned:?}");
        let server = sandbox.serve_at(TLS, &[]);
        assert!(server.banner().contains("self-signed, made just now"), "{}", server.banner());
        Sandbox::new().paste(server.connect_lines()[0]).is_timestamps(2);
        assert!(key.is_none_or(|key| own_pair(&sandbox)[1] == key), "a key that may be somebody's is gone");
    }
}

/// A name that only certificates of ours have.
const OUR_MARK: &str = "Fernwire self-signed 0123abcd";

/// Puts a certificate that is called so and is for these names in the place of the server's own.
fn self_signed(sandbox: &Sandbox, common_name: &str, days: &str, names: &str) {
    let kind = |name: &str| if name.parse::<std::net::IpAddr>().is_ok() { "IP" } else { "DNS" };
    let names: Vec<_> = names.split(", ").map(|name| format!("{}:{name}", kind(name))).collect();
    let mut openssl = sandbox.command("openssl");
    openssl.args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes".split(' '));
    openssl.args(["-subj", &format!("/CN={common_name}"), "-addext", "basicConstraints=critical,CA:FALSE"]);
    openssl.args(["-days", days, "-addext", &format!("subjectAltName={}", names.join(","))]);
    let outcome = sandbox.start(openssl.args(["-out", OWN[0], "-keyout", OWN[1]])).wait();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}

#[test]
fn a_broken_own_pair_is_left_alone_and_named_with_the_way_out() {
    let sandbox = Sandbox::new();
    sandbox.serve_at(TLS, &[]).stop();
    let good = own_pair(&sandbox);
    let half = |text: &str| text[..text.len() / 2].to_owned();
    for (name, text, words) in [
        (OWN[0], Some(String::new()), "tls-cert.pem holds nothing"),
        (OWN[0], Some(half(&good[0])), "tls-cert.pem is damaged or only half written"),
        (OWN[0], None, "cannot read "),
        (OWN[1], Some(half(&good[1])), "tls-key.pem is damaged or only half written"),
        (OWN[1], Some(String::new()), "tls-key.pem holds nothing"),
    ] {
        match text {
            Some(text) => drop(sandbox.write(name, 0o600, &text)),
            None => fs::remove_file(sandbox.path(name)).unwrap(),
        }
        let broken = own_pair(&sandbox);
        let outcome = sandbox.run(&["serve", "--listen", TLS]);
        outcome.fails(&[words, "remove both tls-cert.pem and tls-key.pem from ", "to have them made anew"]);
        assert_eq!(own_pair(&sandbox), broken);
        for (name, text) in OWN.iter().zip(&good) {
            sandbox.write(name, 0o600, text);
        }
    }
    sandbox.serve_at(TLS, &[]).stop();
}

#[test]
fn the_line_of_mode_psk_names_an_authority_and_connects() {
    let own = Sandbox::new();
    let named = with_certs(&["127.0.0.1"]);
    // The address in the line is one that the certificate is for.
    let by_name = with_certs(&["*.example.org", "localhost"]);
    for (server, file, host) in [
        (own.serve_at(TLS, &["--kex", "psk"]), own.arg(OWN[0]), "tls://127.0.0.1:"),
        (serve_certs(&named, &["--kex", "psk"]), named.arg("certs/ca.pem"), "tls://127.0.0.1:"),
        (serve_certs(&by_name, &["--kex", "psk"]), by_name.arg("certs/ca.pem"), "tls://localhost:"),
    ] {
        let line = server.connect_lines()[0];
        assert!(line.contains(&format!("--ca {file} ")) && line.contains(host), "{line}");
        Sandbox::new().paste(line).is_timestamps(2);
        // Without the authority, holding the secret key is not enough.
        Sandbox::new().paste(&line.replace(&format!("--ca {file} "), "")).fails(&["no TLS with tls://"]);
    }
}

#[test]
fn an_authority_is_named_by_flag_variable_or_system() {
    let sandbox = with_certs(&["127.0.0.1"]);
    let server = serve_certs(&sandbox, &[]);
    let (url, ca) = (server.url(), sandbox.arg("certs/ca.pem"));
    Sandbox::new().run(&["query", url, "--ca", &ca, "SetA-Two"]).is_timestamps(2);
    for variable in ["FERNWIRE_CA", "SSL_CERT_FILE"] {
        let client = Sandbox::new();
        let mut query = client.fernwire(&["query", url, "SetA-Two"]);
        client.start(query.env(variable, &ca)).wait().is_timestamps(2);
        assert_eq!(client.known_hosts(), format!("{url} {} by-certificate\n", server.identity()));
        // What is recorded does not replace the certificate.
        let words = ["no TLS with tls://127.0.0.1:", "issued by `Fernwire CA ", "whom this system does not trust"];
        client.run(&["query", url, "SetA-Two"]).fails(&words);
        client.run(&["query", "--accept-new", url, "SetA-Two"]).fails(&words);
    }
    Sandbox::new().run(&["query", &server.pinned_url(), "SetA-Two"]).is_timestamps(2);
}

#[test]
fn an_authority_in_a_variable_is_for_the_servers_that_need_it() {
    let sandbox = with_certs(&["127.0.0.1"]);
    let (over_tls, over_tcp) = (serve_certs(&sandbox, &[]), Sandbox::new().serve(&[]));
    let (ca, pinned) = (sandbox.arg("certs/ca.pem"), over_tcp.pinned_url());
    let query = |variable: &str, args: &[&str]| {
        let client = Sandbox::new();
        let mut query = client.fernwire(&["query", "SetA-One"]);
        client.start(query.args(args).env("FERNWIRE_CA", variable)).wait()
    };
    for file in [&*ca, "no.pem", ""] {
        query(file, &["--server", &pinned]).is_timestamps(1);
        // The identity proves the server, whatever its certificate.
        query(file, &["--server", &over_tls.pinned_url()]).is_timestamps(1);
    }
    query("no.pem", &["--server", over_tls.url()]).fails(&["no.pem"]);
    let outcome = query("", &["--server", &pinned, "--ca", &ca]);
    assert!(outcome.stderr.starts_with("Not used: --ca, since tcp://"), "{outcome:?}");
    // Of another authority: nothing of the kind vouches for this server.
    let other = with_certs(&["127.0.0.1"]);
    query(&other.arg("certs/ca.pem"), &["--server", &over_tls.pinned_url()]).is_timestamps(1);
    let named = ["--server", &over_tls.pinned_url(), "--ca", &other.arg("certs/ca.pem")];
    query("", &named).fails(&["no TLS with tls://"]);
}

#[test]
fn a_name_that_is_not_in_the_certificate_is_compared_with_those_that_are() {
    let sandbox = with_certs(&["localhost", "example.org"]);
    let server = serve_certs(&sandbox, &[]);
    let ca = sandbox.arg("certs/ca.pem");
    let outcome = Sandbox::new().run(&["query", server.url(), "--ca", &ca, "SetA-One"]);
    outcome.fails(&[
        "certificate is for localhost, example.org, and not for 127.0.0.1",
        "`fernwire certs --host localhost --host example.org --host 127.0.0.1`",
    ]);
    let by_name = server.url().replace("127.0.0.1", "localhost");
    Sandbox::new().run(&["query", &by_name, "--ca", &ca, "SetA-One"]).is_timestamps(1);
    server.warned_once_and_serves_on(&["the client broke the TLS handshake off"]);
}

#[test]
fn each_side_says_when_only_the_other_speaks_tls() {
    let server = Sandbox::new().serve_at(TLS, &[]);
    let plain = server.pinned_url().replace("tls://", "tcp://");
    let words = ["no session with tcp://127.0.0.1:", "what answers there speaks TLS; use tls:// in the address"];
    Sandbox::new().run(&["query", &plain, "SetA-One"]).fails(&words);
    server.warned_once_and_serves_on(&["handshake failed reason=", "the client does not speak TLS"]);

    for pinned in [true, false] {
        let server = Sandbox::new().serve(&[]);
        let url = if pinned { server.pinned_url() } else { server.url().to_owned() };
        let words = ["no TLS with tls://127.0.0.1:", "check the port, and that the server listens on tls://"];
        Sandbox::new().run(&["query", &url.replace("tcp://", "tls://"), "SetA-One"]).fails(&words);
        server.warned_once_and_serves_on(&["handshake failed reason=the peer speaks TLS, not Fernwire"]);
    }
}

#[test]
fn noise_on_a_tls_port_is_one_warning() {
    for noise in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x16\x03\x01\x00\x04\x01\x00\xff\xff", &[0; 5000], b""] {
        let server = Sandbox::new().serve_at(TLS, &[]);
        crate::bad_input::send(&server, noise);
        server.warned_once_and_serves_on(&["handshake failed reason=the transport failed: the client "]);
    }
}

#[test]
fn whatever_is_not_an_authoritys_certificate_is_called_by_its_name() {
    let sandbox = with_certs(&["127.0.0.1"]);
    sandbox.write("empty.pem", 0o600, "");
    sandbox.write("junk.pem", 0o600, "swordfish\n");
    sandbox.write("half.pem", 0o600, &sandbox.read("certs/ca.pem")[..300]);
    for (file, words) in [
        ("missing.pem", "cannot read missing.pem: "),
        ("certs", "cannot read certs: it is not a regular file"),
        ("certs/ca-key.pem", "certs/ca-key.pem holds a private key, and a certificate (PEM, "),
        ("empty.pem", "empty.pem holds nothing, and a certificate (PEM, "),
        ("junk.pem", "junk.pem holds no PEM, and a certificate (PEM, "),
        ("half.pem", "half.pem is damaged or only half written: "),
    ] {
        sandbox.run(&["query", "--ca", file, "tls://127.0.0.1:1", "SetA-One"]).fails(&[words]);
    }
}

#[test]
fn each_mistake_with_the_servers_files_has_its_own_sentence() {
    let sandbox = with_certs(&["127.0.0.1"]);
    for (command, file) in [("pkcs8 -topk8", "locked-key.pem"), ("ec -aes128", "old-locked-key.pem")] {
        let mut openssl = sandbox.command("openssl");
        openssl.args(command.split(' ')).args(["-in", "certs/server-key.pem", "-passout", "pass:x", "-out", file]);
        assert_eq!(sandbox.start(&mut openssl).wait().code, Some(0));
        sandbox.write(file, 0o600, &sandbox.read(file));
    }
    sandbox.write("exposed-key.pem", 0o644, &sandbox.read("certs/server-key.pem"));
    let both = sandbox.read("certs/server.pem") + &sandbox.read("certs/server-key.pem");
    sandbox.write("exposed-both-key.pem", 0o644, &both);
    sandbox.write("both-key.pem", 0o600, &both);
    sandbox.write("long-key.pem", 0o600, &(sandbox.read("certs/server-key.pem") + &"\n".repeat(16 * 1024)));
    sandbox.write("long.pem", 0o644, &(sandbox.read("certs/server.pem") + &"\n".repeat(1024 * 1024)));
    let mut mkfifo = sandbox.command("mkfifo");
    assert_eq!(sandbox.start(mkfifo.arg("pipe.pem")).wait().code, Some(0));
    std::os::unix::fs::symlink("/nowhere/server.pem", sandbox.path("link.pem")).unwrap();
    let (certificate, key) = ("certs/server.pem", "certs/server-key.pem");
    for (named, words) in [
        ([key, certificate], &["server-key.pem holds a private key, and a certificate "][..]),
        ([certificate, "certs/ca-key.pem"], &["ca-key.pem does not belong to the certificate in certs/server.pem"]),
        ([certificate, "exposed-key.pem"], &["exposed-key.pem can be read by other users (mode 0644)", "chmod 600 "]),
        ([certificate, "locked-key.pem"], &["locked-key.pem holds a private key that is locked with a password"]),
        ([certificate, "old-locked-key.pem"], &["old-locked-key.pem holds a private key that is locked with"]),
        ([certificate, "missing.pem"], &["there is no key file missing.pem"]),
        (["missing.pem", key], &["cannot read missing.pem: "]),
        (
            ["exposed-both-key.pem", "both-key.pem"],
            &["exposed-both-key.pem holds a private key beside its certificate", "mode 0644", "chmod 600 exposed-both"],
        ),
        ([certificate, "long-key.pem"], &["cannot read long-key.pem: it is too long", "16 KiB at most"]),
        (["long.pem", key], &["cannot read long.pem: it is too long", "1024 KiB at most"]),
        (["pipe.pem", key], &["cannot read pipe.pem: it is not a regular file"]),
        (
            ["link.pem", key],
            &["cannot read link.pem: it is a link that leads nowhere; mount what /nowhere/server.pem is on"],
        ),
    ] {
        let [certificate, key] = named;
        let flags = ["serve", "--listen", TLS, "--tls-cert", certificate, "--tls-key", key];
        sandbox.run(&flags).fails(words);
    }
    let flags = ["--tls-cert", "both-key.pem", "--tls-key", "both-key.pem"];
    Sandbox::new().paste(sandbox.serve_at(TLS, &flags).connect_lines()[0]).is_timestamps(2);
    assert!(!sandbox.path(OWN[0]).exists(), "no pair of our own stands in for files that were named");
}

#[test]
fn a_certificate_and_its_key_are_named_together() {
    let sandbox = with_certs(&["127.0.0.1"]);
    for (flag, file, other) in
        [("--tls-cert", "certs/server.pem", "tls-key"), ("--tls-key", "certs/server-key.pem", "tls-cert")]
    {
        let outcome = sandbox.run(&["serve", "--listen", TLS, flag, file]);
        assert_eq!((outcome.code, &*outcome.stdout), (Some(2), ""), "{outcome:?}");
        assert!(outcome.stderr.contains(other), "{outcome:?}");
    }
}

#[test]
fn mode_psk_and_a_pin_exclude_each_other_on_tls() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve_at(TLS, &["--kex", "x25519+psk,psk"]);
    let outcome = sandbox.run(&["query", "--kex", "psk", &server.pinned_url(), "SetA-One"]);
    outcome.fails(&["pins the server's identity", "psk proves no identity"]);
    let log = server.stop();
    assert!(!log.contains("session{"), "somebody was dialled: {log}");
}
