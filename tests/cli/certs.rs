//! `fernwire certs`: what it writes, what OpenSSL thinks of it, what it refuses to touch, and the commands that it prints.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::program::{Outcome, Sandbox};

const FILES: [(&str, u32); 4] =
    [("ca.pem", 0o644), ("ca-key.pem", 0o600), ("server.pem", 0o644), ("server-key.pem", 0o600)];

#[track_caller]
fn makes(sandbox: &Sandbox, args: &[&str]) -> Outcome {
    let outcome = sandbox.run(&[&["certs"], args].concat());
    assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{outcome:?}");
    outcome
}

/// Everything in the folder, with its permissions.
fn contents(sandbox: &Sandbox) -> BTreeMap<String, (u32, String)> {
    let entries = fs::read_dir(sandbox.path("certs")).unwrap().map(|entry| entry.unwrap().path());
    let content = |path: std::path::PathBuf| {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        (path.file_name().unwrap().to_str().unwrap().to_owned(), (mode, fs::read_to_string(&path).unwrap()))
    };
    entries.map(content).collect()
}

fn openssl(sandbox: &Sandbox, args: &[&str]) -> Outcome {
    sandbox.start(sandbox.command("openssl").args(args)).wait()
}

/// Whether OpenSSL, at its strictest, takes the server's certificate; `more` are further conditions.
fn verifies(sandbox: &Sandbox, more: &[&str]) -> bool {
    let verify = ["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "certs/ca.pem"];
    let outcome = openssl(sandbox, &[&verify, more, &["certs/server.pem"]].concat());
    outcome.code == Some(0) && outcome.stdout == "certs/server.pem: OK\n"
}

#[test]
fn the_first_run_makes_what_openssl_accepts() {
    let sandbox = Sandbox::new();
    let outcome = makes(&sandbox, &[]);
    let made = contents(&sandbox);
    assert_eq!(made.len(), FILES.len(), "{:?}", made.keys());
    for (name, mode) in FILES {
        assert_eq!(made[name].0, mode, "{name}");
        assert!(outcome.stdout.contains(&format!("certs/{name} ")), "{outcome:?}");
    }
    for host in [["-verify_hostname", "localhost"], ["-verify_ip", "127.0.0.1"], ["-verify_ip", "::1"]] {
        assert!(verifies(&sandbox, &host), "{host:?}");
    }
    assert!(!verifies(&sandbox, &["-verify_hostname", "example.org"]));
    assert!(!verifies(&sandbox, &["-verify_ip", "127.0.0.2"]));
    let text = openssl(&sandbox, &["x509", "-noout", "-text", "-in", "certs/server.pem"]).stdout;
    for words in ["TLS Web Server Authentication", "CA:FALSE", "Public-Key: (256 bit)"] {
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn a_second_run_renews_the_server_and_keeps_the_authority() {
    let sandbox = Sandbox::new();
    makes(&sandbox, &["--host", "example.org", "--host", "192.0.2.7", "--host", "example.org"]);
    let first = contents(&sandbox);
    let outcome = makes(&sandbox, &[]);
    assert!(outcome.stdout.contains(", kept, until ") && outcome.stdout.contains("for example.org, 192.0.2.7;"));
    let second = contents(&sandbox);
    let changed = |name| first[name] != second[name];
    assert_eq!(FILES.map(|(name, _)| changed(name)), [false, false, true, true]);
    assert!(
        verifies(&sandbox, &["-verify_hostname", "example.org"]) && verifies(&sandbox, &["-verify_ip", "192.0.2.7"])
    );

    makes(&sandbox, &["--host", "*.example.net"]);
    assert!(verifies(&sandbox, &["-verify_hostname", "a.example.net"]));
    assert!(!verifies(&sandbox, &["-verify_hostname", "example.org"]));
    assert_eq!(contents(&sandbox)["ca.pem"], first["ca.pem"]);
    for (name, mode) in FILES {
        assert_eq!(contents(&sandbox)[name].0, mode, "{name}");
    }
}

#[test]
fn force_begins_a_new_authority_with_the_same_names() {
    let sandbox = Sandbox::new();
    makes(&sandbox, &["--host", "example.org"]);
    let first = contents(&sandbox);
    let outcome = makes(&sandbox, &["--force"]);
    assert!(outcome.stdout.contains(", made just now, until "), "{outcome:?}");
    let second = contents(&sandbox);
    assert_eq!(FILES.map(|(name, _)| first[name] != second[name]), [true; 4]);
    assert!(verifies(&sandbox, &["-verify_hostname", "example.org"]));
}

#[test]
fn what_cannot_be_used_is_named_and_nothing_is_changed() {
    let other = Sandbox::new();
    makes(&other, &[]);
    let (foreign, foreign_key) = (other.read("certs/server.pem"), other.read("certs/server-key.pem"));
    let foreign_ca_key = other.read("certs/ca-key.pem");
    // What happens to a file, and what is said about it.
    let cases: [(&str, Option<&str>, &[&str]); 10] = [
        ("ca-key.pem", None, &["ca.pem is there without its key; put ", "ca-key.pem back", "--force"]),
        ("ca.pem", None, &["ca-key.pem is there without ", "ca.pem; put that back", "--force"]),
        ("ca-key.pem", Some(&foreign_ca_key), &["ca-key.pem does not belong to the certificate in ", "ca.pem"]),
        ("ca-key.pem", Some(""), &["ca-key.pem holds nothing, and a private key"]),
        ("ca-key.pem", Some("swordfish"), &["ca-key.pem holds no PEM, and a private key"]),
        ("ca.pem", Some(&foreign), &["the certificate of `localhost` is not an authority's"]),
        ("ca.pem", Some("swordfish"), &["ca.pem holds no PEM, and a certificate"]),
        ("server.pem", Some(&foreign), &["server.pem or its key was not made by this authority", "--force"]),
        ("server.pem", Some("swordfish"), &["server.pem holds no PEM, and a certificate"]),
        ("server.pem", None, &["server.pem or its key was not made by this authority", "move both away"]),
    ];
    for (name, text, words) in cases {
        let sandbox = Sandbox::new();
        makes(&sandbox, &["--host", "example.org"]);
        let path = format!("certs/{name}");
        match text {
            Some(text) => drop(sandbox.write(&path, 0o600, text)),
            None => fs::remove_file(sandbox.path(&path)).unwrap(),
        }
        let before = contents(&sandbox);
        sandbox.run(&["certs"]).fails(words);
        assert_eq!(contents(&sandbox), before, "{words:?}");
        makes(&sandbox, &["--force"]);
        assert!(verifies(&sandbox, &[]), "{words:?}");
    }

    // A server's certificate is no authority's, even with its key; and a key that others can read is none.
    let sandbox = Sandbox::new();
    sandbox.write("certs/ca.pem", 0o644, &foreign);
    sandbox.write("certs/ca-key.pem", 0o600, &foreign_key);
    sandbox.run(&["certs"]).fails(&["the certificate of `localhost` is not an authority's"]);
    makes(&sandbox, &["--force"]);
    sandbox.write("certs/ca-key.pem", 0o640, &sandbox.read("certs/ca-key.pem"));
    sandbox.run(&["certs"]).fails(&["ca-key.pem can be read by other users (mode 0640)", "chmod 600 "]);
    assert_eq!(contents(&sandbox)["ca-key.pem"].0, 0o640);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let sandbox = Sandbox::new();
    sandbox.write("file", 0o600, "");
    sandbox.run(&["certs", "--out", "file/certs"]).fails(&["cannot make file/certs: Not a directory"]);
    sandbox.run(&["certs", "--out", "/proc/self"]).fails(&["cannot write /proc/self/ca-key.pem: "]);
}

#[test]
fn json_says_the_same_as_the_text() {
    let sandbox = Sandbox::new();
    makes(&sandbox, &["--host", "localhost"]);
    let json = makes(&sandbox, &["--json"]).stdout;
    assert_eq!(json.lines().count(), 1, "{json}");
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["authority"]["made"], false);
    assert_eq!(json["server"]["names"], serde_json::json!(["localhost"]));
    for (side, field, name) in [
        ("authority", "file", "ca.pem"),
        ("authority", "key_file", "ca-key.pem"),
        ("server", "file", "server.pem"),
        ("server", "key_file", "server-key.pem"),
    ] {
        assert_eq!(json[side][field], sandbox.arg(&format!("certs/{name}")));
    }
    let text = makes(&sandbox, &[]).stdout;
    for said in [&json["commands"]["server"], &json["commands"]["client"], &json["authority"]["name"]] {
        assert!(text.contains(said.as_str().unwrap()), "{said} is not in {text}");
    }
    for side in ["authority", "server"] {
        assert!(text.contains(&format!("until {}", json[side]["until"].as_str().unwrap())), "{text}");
    }
}

#[test]
fn the_printed_commands_reach_each_other_when_pasted() {
    for names in [&[][..], &["localhost"], &["127.0.0.2"], &["localhost", "fernwire.example"]] {
        let sandbox = Sandbox::new();
        let args: Vec<_> = names.iter().flat_map(|name| ["--host", name]).collect();
        let outcome = makes(&sandbox, &[&["--out", "my certs"], &args[..]].concat());
        let lines: Vec<_> = outcome.stdout.lines().filter_map(|line| line.strip_prefix("  ")).collect();
        let [start, connect] = lines[..] else { panic!("{outcome:?}") };
        // Tests keep off the port that a person's own server may have.
        assert!(start.contains(":3376") && connect.contains(":3376"), "{outcome:?}");
        let line = format!("exec {}", start.replace(":3376", ":0"));
        let server = sandbox.serve_with(sandbox.command("sh").args(["-c", &line]));
        let port = server.address().rsplit_once(':').unwrap().1;
        let line = connect.replace(":3376", &format!(":{port}"));
        Sandbox::new().paste(&line).is_timestamps(2);
    }
}

#[test]
fn the_printed_commands_fit_the_names() {
    for (names, listen, dial) in [
        (&["::1", "localhost"][..], "'tls://[::1]:3376'", "'tls://[::1]:3376'"),
        (&["localhost", "::1"], "tls://127.0.0.1:3376", "tls://localhost:3376"),
        (&["example.org"], "tls://0.0.0.0:3376", "tls://example.org:3376"),
        (&["*.example.org"], "tls://0.0.0.0:3376", "tls://server.example.org:3376"),
        (&["*.example.org", "example.org"], "tls://0.0.0.0:3376", "tls://example.org:3376"),
        (&["example.org", "2001:db8::1"], "'tls://[::]:3376'", "tls://example.org:3376"),
        (&["example.org", "::1"], "tls://0.0.0.0:3376", "tls://example.org:3376"),
        (&["::1", "example.org"], "'tls://[::]:3376'", "'tls://[::1]:3376'"),
    ] {
        let sandbox = Sandbox::new();
        let args: Vec<_> = names.iter().flat_map(|name| ["--host", name]).collect();
        let text = makes(&sandbox, &args).stdout;
        assert!(text.contains(&format!(" serve --listen {listen} --tls-cert ")), "{names:?}: {text}");
        assert!(text.contains(&format!(" query {dial} --ca ")), "{names:?}: {text}");
    }
}
