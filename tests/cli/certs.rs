//! `fernwire certs`: what it writes, what OpenSSL thinks of it, what it refuses to touch, and the commands that it prints.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::Value;

use crate::program::{FERNWIRE, Outcome, Sandbox};

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

    let outcome = sandbox.run(&["certs", "--host", "*.example.net"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stderr.contains("no longer for example.org, 192.0.2.7; name all"), "{outcome:?}");
    assert!(verifies(&sandbox, &["-verify_hostname", "a.example.net"]));
    assert!(!verifies(&sandbox, &["-verify_hostname", "example.org"]));
    assert_eq!(contents(&sandbox)["ca.pem"], first["ca.pem"]);
    for (name, mode) in FILES {
        assert_eq!(contents(&sandbox)[name].0, mode, "{name}");
    }
}

#[test]
fn force_begins_a_new_authority_with_the_same_names_and_keeps_the_old_one() {
    let sandbox = Sandbox::new();
    makes(&sandbox, &["--host", "example.org"]);
    let first = contents(&sandbox);
    let outcome = makes(&sandbox, &["--force"]);
    assert!(outcome.stdout.contains(", a new authority, until "), "{outcome:?}");
    assert!(outcome.stdout.contains("is kept: ca.pem.old, ca-key.pem.old\n"), "{outcome:?}");
    let second = contents(&sandbox);
    assert_eq!(FILES.map(|(name, _)| first[name] != second[name]), [true; 4]);
    assert!(verifies(&sandbox, &["-verify_hostname", "example.org"]));

    let json: Value = serde_json::from_str(&makes(&sandbox, &["--force", "--json"]).stdout).unwrap();
    assert_eq!(
        json["kept"],
        serde_json::json!(["ca.pem.old.2", "ca-key.pem.old.2"].map(|name| { sandbox.arg(&format!("certs/{name}")) }))
    );
    let third = contents(&sandbox);
    // The server's pairs can be made again at any time.
    assert_eq!(third.len(), 8, "{:?}", third.keys());
    for (name, ending, before) in
        [("ca.pem", "", &first), ("ca-key.pem", "", &first), ("ca.pem", ".2", &second), ("ca-key.pem", ".2", &second)]
    {
        assert_eq!(third[&format!("{name}.old{ending}")], before[name], "{name} {ending}");
    }
}

/// What happens to a file, and what is said about it.
type Damage<'a> = (&'a str, Option<&'a str>, &'a [&'a str]);

fn damage(sandbox: &Sandbox, (name, text, _): Damage<'_>) {
    let path = format!("certs/{name}");
    match text {
        Some(text) => drop(sandbox.write(&path, 0o600, text)),
        None => fs::remove_file(sandbox.path(&path)).unwrap(),
    }
}

/// Whether everything that was there is there now, under whatever name.
#[track_caller]
fn nothing_is_lost(before: &BTreeMap<String, (u32, String)>, after: &BTreeMap<String, (u32, String)>) {
    for (name, content) in before {
        assert!(after.values().any(|kept| kept == content), "{name} is lost; there are {:?}", after.keys());
    }
}

#[test]
fn an_authority_that_cannot_be_used_is_named_and_force_keeps_it() {
    let other = Sandbox::new();
    makes(&other, &[]);
    let foreign = other.read("certs/server.pem");
    let foreign_ca_key = other.read("certs/ca-key.pem");
    let cases: [Damage<'_>; 7] = [
        ("ca-key.pem", None, &["ca.pem is there without its key; put ", "ca-key.pem back", "--force"]),
        ("ca.pem", None, &["ca-key.pem is there without ", "ca.pem; put that back", "--force"]),
        ("ca-key.pem", Some(&foreign_ca_key), &["ca-key.pem does not belong to the authority in ", "ca.pem"]),
        ("ca-key.pem", Some(""), &["ca-key.pem holds nothing, and a private key"]),
        ("ca-key.pem", Some("swordfish"), &["ca-key.pem holds no PEM, and a private key"]),
        ("ca.pem", Some(&foreign), &["the certificate of `localhost` is not an authority's"]),
        ("ca.pem", Some("swordfish"), &["ca.pem holds no PEM, and a certificate"]),
    ];
    for case in cases {
        let sandbox = Sandbox::new();
        makes(&sandbox, &["--host", "example.org"]);
        damage(&sandbox, case);
        let before = contents(&sandbox);
        sandbox.run(&["certs"]).fails(case.2);
        assert_eq!(contents(&sandbox), before, "{case:?}");
        makes(&sandbox, &["--force"]);
        assert!(verifies(&sandbox, &["-verify_hostname", "example.org"]), "{case:?}");
        let authority = before.into_iter().filter(|(name, _)| name.starts_with("ca"));
        nothing_is_lost(&authority.collect(), &contents(&sandbox));
    }

    // A server's certificate is no authority's, even with its key; and a key that others can read is none.
    let sandbox = Sandbox::new();
    sandbox.write("certs/ca.pem", 0o644, &foreign);
    sandbox.write("certs/ca-key.pem", 0o600, &other.read("certs/server-key.pem"));
    sandbox.run(&["certs"]).fails(&["the certificate of `localhost` is not an authority's"]);
    makes(&sandbox, &["--force"]);
    sandbox.write("certs/ca-key.pem", 0o640, &sandbox.read("certs/ca-key.pem"));
    sandbox.run(&["certs"]).fails(&["ca-key.pem can be read by other users (mode 0640)", "chmod 600 "]);
    assert_eq!(contents(&sandbox)["ca-key.pem"].0, 0o640);
}

#[test]
fn a_server_pair_that_may_be_somebodys_is_refused_and_force_keeps_it() {
    let other = Sandbox::new();
    makes(&other, &["--host", "example.net"]);
    let foreign = other.read("certs/server.pem");
    // Names can be copied: this is issued by one who is called as ours is, and is for the same host.
    let twin = |sandbox: &Sandbox| {
        let name = Authority::of(sandbox).name;
        for step in [
            format!("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k -out c -subj/CN={name}"),
            "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout s -out r -subj/CN=example.org".into(),
            "x509 -req -in r -CA c -CAkey k -CAcreateserial -out t".into(),
        ] {
            let words: Vec<_> = step.split("-subj/").collect();
            let mut args: Vec<_> = words[0].split_whitespace().collect();
            let subject = words.get(1).map(|name| format!("/{name}"));
            args.extend(subject.iter().flat_map(|name| ["-subj", name]));
            assert_eq!(openssl(sandbox, &args).code, Some(0), "{step}");
        }
        sandbox.read("t")
    };
    for wrong in ["foreign", "twin", "twice", "with a key", "junk", "half", "missing"] {
        let sandbox = Sandbox::new();
        makes(&sandbox, &["--host", "example.org"]);
        let own = sandbox.read("certs/server.pem");
        let (text, words) = match wrong {
            "foreign" => (foreign.clone(), "server.pem was not issued by this authority"),
            "twin" => (twin(&sandbox), "server.pem was not issued by this authority"),
            "twice" => (own.clone() + &own, "server.pem was not issued by this authority"),
            "with a key" => (own + &other.read("certs/server-key.pem"), "server.pem was not issued by this authority"),
            "junk" => ("swordfish".into(), "server.pem holds no PEM, and a certificate"),
            "half" => (own[..own.len() / 2].to_owned(), "server.pem is damaged or only half written"),
            _ => (String::new(), "server-key.pem is there without "),
        };
        damage(&sandbox, ("server.pem", Some(&text).filter(|text| !text.is_empty()).map(|text| &**text), &[]));
        let before = contents(&sandbox);
        for args in [&["certs"][..], &["certs", "--host", "example.org"]] {
            let outcome = sandbox.run(args);
            outcome.fails(&[words, "move both ", "server.pem and ", "server-key.pem away", "--out"]);
            assert!(!outcome.stderr.contains("--force"), "that would replace the authority too: {outcome:?}");
        }
        assert_eq!(contents(&sandbox), before, "{wrong}");
        makes(&sandbox, &["--force"]);
        assert!(verifies(&sandbox, &[]), "{wrong}");
        nothing_is_lost(&before, &contents(&sandbox));
    }
}

/// The authority as the program shows it.
struct Authority {
    name: String,
}

impl Authority {
    fn of(sandbox: &Sandbox) -> Self {
        let json: Value = serde_json::from_str(&makes(sandbox, &["--json"]).stdout).unwrap();
        Self { name: json["authority"]["name"].as_str().unwrap().to_owned() }
    }
}

#[test]
fn a_key_that_is_not_our_servers_is_kept_and_the_server_gets_another() {
    let other = Sandbox::new();
    makes(&other, &[]);
    for (mode, key) in [(0o600, other.read("certs/server-key.pem")), (0o600, "swordfish".into()), (0o644, "x".into())] {
        let sandbox = Sandbox::new();
        makes(&sandbox, &["--host", "example.org"]);
        sandbox.write("certs/server-key.pem", mode, &key);
        let outcome = makes(&sandbox, &[]);
        assert!(outcome.stdout.contains("is kept: server-key.pem.old\n"), "{outcome:?}");
        assert_eq!(sandbox.read("certs/server-key.pem.old"), key);
        assert!(verifies(&sandbox, &["-verify_hostname", "example.org"]));
        assert_eq!(contents(&sandbox)["server-key.pem"].0, 0o600);
        assert!(!makes(&sandbox, &[]).stdout.contains("is kept"));
    }
    // Where there is none, nobody misses it.
    let sandbox = Sandbox::new();
    makes(&sandbox, &[]);
    fs::remove_file(sandbox.path("certs/server-key.pem")).unwrap();
    assert!(!makes(&sandbox, &[]).stdout.contains("is kept"));
}

#[test]
fn a_run_that_was_cut_off_is_healed_or_explained_by_the_next() {
    let sandbox = Sandbox::new();
    makes(&sandbox, &["--host", "example.org"]);
    let before = contents(&sandbox);
    makes(&sandbox, &["--force"]);
    let after = contents(&sandbox);
    // The order in which the files get their new content, with what the old authority was given as further names first.
    let order = ["ca-key.pem", "ca.pem", "server-key.pem", "server.pem"];
    for done in 0..=order.len() {
        let sandbox = Sandbox::new();
        for (name, (mode, text)) in &after {
            let is_done = !order[done..].contains(&&**name);
            let (mode, text) = if is_done { (*mode, text) } else { (before[name].0, &before[name].1) };
            sandbox.write(&format!("certs/{name}"), mode, text);
        }
        sandbox.write("certs/.fernwire-Ab12Cd.pem", 0o600, "half of a key");
        let cut_off = contents(&sandbox);
        let outcome = sandbox.run(&["certs"]);
        if done == 1 {
            outcome.fails(&["ca-key.pem does not belong to the authority in ", "ca-key.pem.old may be it", "--force"]);
            makes(&sandbox, &["--force"]);
        } else {
            assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{done}: {outcome:?}");
        }
        assert!(verifies(&sandbox, &["-verify_hostname", "example.org"]), "{done}");
        assert!(!sandbox.path("certs/.fernwire-Ab12Cd.pem").exists());
        let authorities = cut_off.into_iter().filter(|(name, _)| name.starts_with("ca"));
        nothing_is_lost(&authorities.collect(), &contents(&sandbox));
    }

    // Without its links to the old files, an authority is not begun as if there had been none.
    let sandbox = Sandbox::new();
    for name in ["ca.pem", "ca-key.pem"] {
        sandbox.write(&format!("certs/{name}.old"), 0o600, &before[name].1);
    }
    sandbox.run(&["certs"]).fails(&["ca.pem is not there, and ", "ca.pem.old is; put that back", "--force"]);
}

#[test]
fn what_a_crash_leaves_is_removed_and_nothing_that_looks_like_it() {
    let sandbox = Sandbox::new();
    sandbox.write("certs/.fernwire-Ab12Cd.pem", 0o600, "half of a key");
    let others = [".fernwire-notes.txt", "fernwire-1.pem", ".fernwire-.pem", ".other.pem"];
    others.iter().for_each(|name| drop(sandbox.write(&format!("certs/{name}"), 0o600, "mine")));
    makes(&sandbox, &[]);
    let there = contents(&sandbox);
    assert!(!there.contains_key(".fernwire-Ab12Cd.pem"));
    others.iter().for_each(|name| assert_eq!(there[*name].1, "mine"));
    assert_eq!(there.len(), FILES.len() + others.len(), "{:?}", there.keys());
}

#[test]
fn runs_at_once_end_with_one_authority() {
    for _ in 0..5 {
        let sandbox = Sandbox::new();
        let runs: Vec<_> = (0..4).map(|_| sandbox.start(&mut sandbox.fernwire(&["certs"]))).collect();
        let outcomes: Vec<_> = runs.into_iter().map(|run| run.wait()).collect();
        outcomes.iter().for_each(|outcome| assert_eq!(outcome.code, Some(0), "{outcome:?}"));
        let made = outcomes.iter().filter(|outcome| outcome.stdout.contains("a new authority")).count();
        assert_eq!(made, 1, "{outcomes:?}");
        assert_eq!(contents(&sandbox).len(), FILES.len());
        assert!(verifies(&sandbox, &[]));
        // Each of the two keys belongs to its certificate.
        assert!(!makes(&sandbox, &[]).stdout.contains("is kept"));
    }
}

#[test]
fn a_link_that_leads_nowhere_is_no_reason_for_a_new_authority() {
    for name in ["ca.pem", "server.pem"] {
        let sandbox = Sandbox::new();
        makes(&sandbox, &[]);
        fs::remove_file(sandbox.path(&format!("certs/{name}"))).unwrap();
        let target = format!("/nowhere/{name}");
        symlink(&target, sandbox.path(&format!("certs/{name}"))).unwrap();
        let words = format!("{name}: it is a link that leads nowhere; mount what {target} is on");
        sandbox.run(&["certs"]).fails(&["cannot read ", &words]);
        assert_eq!(fs::read_link(sandbox.path(&format!("certs/{name}"))).unwrap().to_str(), Some(&*target));
        makes(&sandbox, &["--force"]);
        assert!(verifies(&sandbox, &[]), "{name}");
        assert_eq!(fs::read_link(sandbox.path(&format!("certs/{name}.old"))).unwrap().to_str(), Some(&*target));
    }
}

#[test]
fn authorities_of_openssl_issue_too_whatever_form_their_key_has() {
    for key in [
        // Begins with -----BEGIN EC PARAMETERS-----.
        "ecparam -name prime256v1 -genkey -out certs/ca-key.pem",
        "ecparam -name prime256v1 -genkey -noout -out certs/ca-key.pem",
        "genrsa -traditional -out certs/ca-key.pem 2048",
        "genpkey -algorithm ed25519 -out certs/ca-key.pem",
    ] {
        let sandbox = Sandbox::new();
        fs::create_dir(sandbox.path("certs")).unwrap();
        let certificate = "req -x509 -key certs/ca-key.pem -days 400 -subj /CN=Ours -out certs/ca.pem \
                           -addext keyUsage=critical,keyCertSign";
        for step in [key, certificate] {
            assert_eq!(openssl(&sandbox, &step.split(' ').collect::<Vec<_>>()).code, Some(0), "{step}");
        }
        sandbox.write("certs/ca-key.pem", 0o600, &sandbox.read("certs/ca-key.pem"));
        let before = contents(&sandbox);
        assert!(makes(&sandbox, &[]).stdout.contains("`Ours`, kept"), "{key}");
        assert!(verifies(&sandbox, &["-verify_hostname", "localhost"]), "{key}");
        // It is known as issued by that authority.
        assert!(!makes(&sandbox, &[]).stdout.contains("is kept"), "{key}");
        assert_eq!(
            (&contents(&sandbox)["ca.pem"], &contents(&sandbox)["ca-key.pem"]),
            (&before["ca.pem"], &before["ca-key.pem"])
        );
    }
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("certs")).unwrap();
    for step in [
        "genpkey -algorithm ed448 -out certs/ca-key.pem",
        "req -x509 -key certs/ca-key.pem -days 400 -subj /CN=Ours -out certs/ca.pem",
    ] {
        assert_eq!(openssl(&sandbox, &step.split(' ').collect::<Vec<_>>()).code, Some(0), "{step}");
    }
    sandbox.run(&["certs"]).fails(&["ca-key.pem", "it is no RSA, ECDSA or Ed25519 key"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let sandbox = Sandbox::new();
    sandbox.write("file", 0o600, "");
    sandbox.run(&["certs", "--out", "file/certs"]).fails(&["cannot make file/certs: Not a directory"]);
    sandbox.run(&["certs", "--out", "/proc/self"]).fails(&["cannot write /proc/self/ca-key.pem: "]);
}

#[test]
fn only_its_owner_can_write_to_the_folder_or_hears_of_it() {
    let sandbox = Sandbox::new();
    let made = sandbox.paste(&format!("umask 0; exec {FERNWIRE} certs --out a/b"));
    assert_eq!((made.code, &*made.stderr), (Some(0), ""), "{made:?}");
    for folder in ["a", "a/b"] {
        let mode = fs::metadata(sandbox.path(folder)).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode, 0o755, "{folder}");
    }
    fs::set_permissions(sandbox.path("a/b"), fs::Permissions::from_mode(0o777)).unwrap();
    let warned = sandbox.run(&["certs", "--out", "a/b"]);
    assert_eq!(warned.code, Some(0), "{warned:?}");
    assert!(warned.stderr.starts_with("warning: others can write to a/b "), "{warned:?}");
    assert!(warned.stderr.ends_with("chmod go-w a/b\n"), "{warned:?}");
}

#[test]
fn a_key_does_not_become_a_name_and_is_not_shown() {
    let sandbox = Sandbox::new();
    sandbox.run(&["keygen"]);
    let key = sandbox.read("secret.key");
    // A key may begin with a dash.
    let [out, ca] = ["--out", "--ca"].map(|flag| format!("{flag}={}", key.trim()));
    sandbox.run(&["certs", &out]).is_usage_error(&["a key, not shown", "--out"]);
    sandbox.run(&["query", &ca, "tls://127.0.0.1:1", "SetA-One"]).is_usage_error(&["a key, not shown", "--ca"]);
    assert!(!sandbox.path(key.trim()).exists());
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
