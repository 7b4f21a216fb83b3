//! How a door is opened: only when asked for, with a key of its own, to a service that there is.

use fernet::Fernet;

use crate::program::{Sandbox, unused_port};
use crate::scene::{Peer, address, complaints, door_to, folder_with_key, host_and_port, port, serve};

/// Neither does it run so, nor does it say that it would.
#[track_caller]
fn is_refused(sandbox: &Sandbox, args: &[&str], words: &[&str]) {
    for command in [&["serve"][..], &["serve", "--check"]] {
        sandbox.run(&[command, args].concat()).fails(words);
    }
}

#[track_caller]
fn is_refused_at(sandbox: &Sandbox, parameters: &str, words: &[&str]) {
    is_refused(sandbox, &["--listen", &format!("fernet://127.0.0.1:0{parameters}")], words);
}

#[test]
fn a_door_needs_a_service_and_a_key() {
    let sandbox = folder_with_key();
    is_refused_at(
        &sandbox,
        "",
        &["--listen", "say what it is for, query, log or submit", "?service=query&key=legacy.key"],
    );
    is_refused_at(&sandbox, "?key=legacy.key", &["say what it is for"]);
    is_refused_at(&sandbox, "?service=query", &["name the file of the key", "&key=legacy.key"]);
    for (parameters, words) in [
        ("?service=chat&key=legacy.key", "there are query, log and submit"),
        ("?service=query&key=legacy.key&idle=0s", "`idle=0s` is not a time"),
        ("?service=query&key=legacy.key&max-token=100000", "`max-token=100000` is not a number of characters"),
        ("?service=query&key=legacy.key#fwk1_x", "bare Fernet proves no identity"),
    ] {
        for command in [&["serve"][..], &["serve", "--check"]] {
            let listen = format!("fernet://127.0.0.1:0{parameters}");
            sandbox.run(&[command, &["--listen", &listen]].concat()).is_usage_error(&[words]);
        }
    }
}

#[test]
fn its_key_is_in_a_file_that_only_its_owner_reads() {
    let sandbox = folder_with_key();
    is_refused_at(&sandbox, "?service=query&key=k.key", &["no key file k.key", "that the other programs hold"]);
    sandbox.write("k.key", 0o644, &Fernet::generate_key());
    is_refused_at(&sandbox, "?service=query&key=k.key", &["k.key can be read by other users", "chmod 600 k.key"]);
    sandbox.write("k.key", 0o600, "nothing of the kind");
    is_refused_at(&sandbox, "?service=query&key=k.key", &["k.key: this is something else, not a secret key"]);
    serve(&sandbox, "query", &[]).stop();
    let identity = "data/fernwire/identity.key";
    is_refused_at(&sandbox, &format!("?service=query&key={identity}"), &[identity, "a server's secret identity"]);
    let key = Fernet::generate_key();
    let itself = sandbox.run(&["serve", "--listen", &format!("fernet://127.0.0.1:0?service=query&key={key}")]);
    itself.fails(&["that is a key itself"]);
    assert!(!itself.stderr.contains(&key[..20]), "{itself:?}");
}

#[test]
fn its_key_is_no_secret_key() {
    let sandbox = folder_with_key();
    let same = sandbox.read("legacy.key");
    let words = &["holds the same key as", "keep elsewhere/shared.key from being Fernwire's", "a key of its own"];
    let door = door_to("query");
    sandbox.write("elsewhere/shared.key", 0o600, &same);
    is_refused(&sandbox, &["--listen", &door, "--secret-key", "elsewhere/shared.key"], words);
    for kex in ["auto", "x25519"] {
        for check in [&[][..], &["--check"]] {
            let mut by_variable = sandbox.fernwire(&[&["serve", "--listen", &door, "--kex", kex], check].concat());
            by_variable.env("FERNWIRE_SECRET_KEY_FILE", "elsewhere/shared.key");
            sandbox.start(&mut by_variable).wait().fails(words);
        }
    }
    // The same bytes, written in another way.
    sandbox.write("secret.key", 0o600, &format!("{}\n", same.trim()));
    let by_name = door.replace("legacy.key", "secret.key");
    let move_it = &["secret.key is the secret key of Fernwire", "start the server in another folder"];
    for kex in ["auto", "psk", "x25519"] {
        is_refused(&sandbox, &["--listen", &door, "--kex", kex], &["holds the same key as secret.key"]);
        is_refused(&sandbox, &["--listen", &by_name, "--kex", kex], move_it);
    }
    // One that cannot be read may be the same.
    sandbox.write("secret.key", 0o644, &same);
    is_refused(&sandbox, &["--listen", &door, "--kex", "x25519"], &["cannot be known", "chmod 600 secret.key"]);
    sandbox.write("f.toml", 0o600, &format!("listen = [\"{door}\"]\nsecret_key = \"elsewhere/shared.key\"\n"));
    is_refused(&sandbox, &["--config", "f.toml"], words);
    // Each with its own: both work side by side.
    sandbox.write("secret.key", 0o600, &Fernet::generate_key());
    let server = serve(&sandbox, "query", &["--listen", "tcp://127.0.0.1:0", "--kex", "psk"]);
    Peer::at(&address(&server), &sandbox).is_served();
    sandbox.paste(server.connect_lines()[0]).is_timestamps(2);
}

#[test]
fn a_secret_key_that_is_to_be_made_is_none_for_a_door() {
    let sandbox = Sandbox::new();
    let door = "fernet://127.0.0.1:0?service=query&key=secret.key";
    is_refused(&sandbox, &["--listen", door, "--kex", "psk"], &["there is no key file secret.key"]);
    assert!(!sandbox.path("secret.key").exists());
}

#[test]
fn it_leads_to_a_service_that_there_is() {
    let sandbox = folder_with_key();
    for service in ["query", "log", "submit"] {
        let text = format!("listen = [\"{}\"]\n[services.{service}]\nenabled = false\n", door_to(service));
        sandbox.write("f.toml", 0o600, &text);
        let told = format!("this server does not offer {service}");
        is_refused(&sandbox, &["--config", "f.toml"], &["f.toml:1", &told]);
        is_refused(&sandbox, &["--config", "f.toml", "--listen", &door_to(service)], &["--listen", &told]);
    }
}

#[test]
fn in_a_file_its_key_is_beside_the_file() {
    let sandbox = folder_with_key();
    let key = sandbox.read("legacy.key");
    sandbox.write("etc/beside.key", 0o600, &key);
    sandbox.write("etc/f.toml", 0o600, "listen = [\"fernet://127.0.0.1:0?service=query&key=beside.key\"]\n");
    let server = sandbox.serve_with(&mut sandbox.fernwire(&["serve", "--config", "etc/f.toml"]));
    Peer::at(&address(&server), &sandbox).is_served();
    assert!(server.url().ends_with("key=etc/beside.key"), "{}", server.url());
    let checked = sandbox.run(&["serve", "--check", "--config", "etc/f.toml"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(checked.stdout.contains("key=etc/beside.key\n"), "{checked:?}");
    server.stop();
    sandbox.write("etc/f.toml", 0o600, "listen = [\"fernet://127.0.0.1:0?service=query&key=legacy.key\"]\n");
    is_refused(&sandbox, &["--config", "etc/f.toml"], &["no key file etc/legacy.key"]);
}

#[test]
fn a_port_is_one_door() {
    let sandbox = folder_with_key();
    let port = unused_port();
    let door = |service: &str| format!("fernet://127.0.0.1:{port}?service={service}&key=legacy.key");
    for other in [door("query"), door("log"), format!("tcp://127.0.0.1:{port}")] {
        is_refused(&sandbox, &["--listen", &door("query"), "--listen", &other], &["listens already"]);
    }
    // On ports of their own, as many as one likes.
    let server = serve(&sandbox, "query", &["--listen", &door_to("query"), "--listen", &door_to("log")]);
    let addresses: Vec<_> = server.urls().into_iter().map(host_and_port).collect();
    assert_eq!(addresses.len(), 3);
    addresses[..2].iter().for_each(|address| Peer::at(address, &sandbox).is_served());
    let mut log = Peer::at(&addresses[2], &sandbox);
    log.say("SetA-One");
    assert_eq!(log.hear().unwrap(), "Message received");
}

#[test]
fn it_is_told_what_a_door_lacks_where_there_is_one() {
    let sandbox = folder_with_key();
    let warning = "  warning     fernet://127.0.0.1:PORT?service=query:\n              bare Fernet has no forward secrecy, no \
                   protection against replay or reordering,\n              and no proof of who is there\n";
    let server = serve(&sandbox, "query", &["--listen", "tcp://127.0.0.1:0"]);
    let here = warning.replace("PORT", port(&address(&server)));
    assert_eq!(server.banner().matches("warning").count(), 1, "{}", server.banner());
    assert!(server.banner().contains(&here), "{}", server.banner());
    server.stop();
    let checked = sandbox.run(&["serve", "--check", "--listen", &door_to("query")]);
    assert!(checked.stdout.contains(&warning.replace("PORT", "0")), "{checked:?}");
    let without = sandbox.serve(&[]);
    assert!(!without.banner().contains("Fernet"), "{}", without.banner());
}

#[test]
fn its_connect_lines_work_as_they_are_printed() {
    let sandbox = folder_with_key();
    sandbox.write("a folder/it's.key", 0o600, &sandbox.read("legacy.key"));
    let awkward = "fernet://0.0.0.0:0?service=query&key=a%20folder/it%27s.key";
    let six = door_to("query").replace("127.0.0.1", "[::1]");
    let more = [door_to("log"), door_to("submit"), awkward.to_owned(), six];
    let more: Vec<_> = more.iter().flat_map(|door| ["--listen", door]).collect();
    let server = serve(&sandbox, "query", &more);
    let elsewhere = Sandbox::new();
    let outcomes: Vec<_> = server.connect_lines().into_iter().take(5).map(|line| elsewhere.paste(line)).collect();
    outcomes[0].is_timestamps(2);
    assert_eq!((outcomes[1].code, &*outcomes[1].stdout), (Some(0), "Message received\n"), "{:?}", outcomes[1]);
    assert_eq!(outcomes[2].code, Some(0), "{:?}", outcomes[2]);
    outcomes[3].is_timestamps(2);
    outcomes[4].is_timestamps(2);
    server.screen().wait_for(" : hello\n");
    server.screen().wait_for("Data format: json\n{\"first_name\": \"Ada\"}\n");
    assert_eq!(complaints(&server.stop()), [""; 0]);
}

#[test]
fn no_log_says_where_the_key_is() {
    let sandbox = folder_with_key();
    let server = serve(&sandbox, "query", &["--log-level", "trace"]);
    Peer::at(&address(&server), &sandbox).is_served();
    let mut stranger = Peer::at(&address(&server), &sandbox);
    stranger.write("!");
    assert_eq!(stranger.hear(), None);
    let log = server.stop();
    assert_eq!(complaints(&log).len(), 1, "{log}");
    assert!(log.contains("mode=\"fernet\"") || log.contains("mode=fernet"), "{log}");
    assert!(!log.contains("legacy") && !log.contains("&key="), "{log}");
}
