//! A copy of the database: made beside a running server, and put in its place.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::program::{RunningServer, Sandbox};

fn chat(sandbox: &Sandbox, server: &RunningServer, more: &[&str], input: &str) -> String {
    sandbox.write("password", 0o600, "Correct-1\n");
    let url = server.pinned_url();
    let args = [&["chat", &url, "--user", "ada", "--password-file", "password"], more].concat();
    let outcome = sandbox.run_with_input(&args, input);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome.stdout
}

#[test]
fn a_copy_of_a_live_server_has_everything_and_takes_its_place() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    chat(&sandbox, &server, &["--signup"], "one\ntwo\n");
    let outcome = sandbox.run(&["backup", "copy.db"]);
    let size = fs::metadata(sandbox.path("copy.db")).unwrap().len();
    assert_eq!((outcome.code, outcome.stdout), (Some(0), format!("copy.db written, {size} bytes\n")));
    assert_eq!(fs::metadata(sandbox.path("copy.db")).unwrap().permissions().mode() & 0o777, 0o600);
    chat(&sandbox, &server, &[], "three, which the copy does not have\n");

    // As the database of another folder.
    fs::create_dir(sandbox.path("other")).unwrap();
    fs::copy(sandbox.path("copy.db"), sandbox.path("other/fernwire.db")).unwrap();
    let listed = |args: &[&str]| sandbox.run(&[&["users", "list"], args].concat()).stdout;
    assert_eq!(listed(&["--data", "other"]), listed(&[]));
    let texts = |args: &[&str]| {
        let history = sandbox.run(&[&["export", "--room", "#lobby", "--format", "json"], args].concat()).stdout;
        let objects = history.lines().map(|line| line.parse::<Value>().unwrap());
        objects.map(|object| object["text"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(texts(&["--data", "other"]), ["one", "two"]);
    assert_eq!(texts(&[]).len(), 3);

    // And in its old place, as the command said.
    server.stop();
    let restore = outcome.stderr.strip_prefix("To restore it, stop the server, and then: ").unwrap();
    assert_eq!(sandbox.paste(restore).code, Some(0));
    let server = sandbox.serve(&[]);
    assert_eq!(texts(&[]), ["one", "two"]);
    chat(&sandbox, &server, &[], "on\n");
    assert_eq!(texts(&[]), ["one", "two", "on"]);
}

#[test]
fn a_copy_replaces_nothing_and_needs_a_database() {
    let sandbox = Sandbox::new();
    sandbox.run(&["backup", "copy.db"]).fails(&["there is no database ", "--data"]);
    sandbox.serve(&[]).stop();
    sandbox.write("copy.db", 0o600, "mine");
    sandbox.run(&["backup", "copy.db"]).fails(&["copy.db exists already: name a new file"]);
    assert_eq!(sandbox.read("copy.db"), "mine");
    sandbox.run(&["backup", "no/copy.db"]).fails(&["could not write no/copy.db: "]);
    let outcome = sandbox.run(&["backup", "other.db", "--json"]);
    let object: Value = outcome.stdout.parse().unwrap();
    let size = fs::metadata(sandbox.path("other.db")).unwrap().len();
    assert_eq!((&object["file"], &object["bytes"]), (&"other.db".into(), &size.into()));
    assert_eq!(outcome.stderr, "");
}
