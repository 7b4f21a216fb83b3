//! `fernwire submit`, and what a server makes of it.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::program::{Outcome, Sandbox};
use crate::python::python_with;

const FILE: &str = "data/fernwire/submissions.jsonl";

/// What is in the file, each as its format and its data.
fn submitted(sandbox: &Sandbox) -> Vec<(String, Value)> {
    let text = sandbox.read(FILE);
    let lines = (1..).zip(text.lines()).map(|(row, line)| {
        let object: Value = serde_json::from_str(line).unwrap();
        assert_eq!(object["row"], row, "{line}");
        assert!(object["address"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");
        (object["format"].as_str().unwrap().to_owned(), object["data"].clone())
    });
    lines.collect()
}

#[track_caller]
fn is_stored(outcome: &Outcome, receipts: &str) {
    assert_eq!((outcome.code, &*outcome.stdout), (Some(0), receipts), "{outcome:?}");
}

/// Lets Python write files into the sandbox.
fn python(sandbox: &Sandbox, script: &str) {
    let status = Command::new(python_with("pickle")).args(["-c", script]).current_dir(sandbox.path("")).status();
    assert!(status.unwrap().success());
}

#[test]
fn what_is_refused_is_told_and_not_kept() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    python(
        &sandbox,
        r#"
import builtins, os, pickle
def program(function, *arguments):
    class Program:
        def __reduce__(self): return function, arguments
    return Program()
for protocol in range(6):
    open(f"system{protocol}", "wb").write(pickle.dumps({"a": program(os.system, "touch ran")}, protocol))
    open(f"eval{protocol}", "wb").write(pickle.dumps({"a": program(builtins.eval, "open('ran', 'w')")}, protocol))
loop = {}
loop["a"] = loop
open("loop", "wb").write(pickle.dumps(loop))
lol = "".join(f'<!ENTITY l{i} "&l{i-1};&l{i-1};&l{i-1};">' for i in range(1, 20))
open("laughs", "w").write(f'<!DOCTYPE d [<!ENTITY l0 "lol">{lol}]><data><a>&l19;</a></data>')
open("deep", "w").write('{"a":' * 100 + "1" + "}" * 100)
open("large", "w").write('{"a":"' + "x" * 300000 + '"}')
open("words", "w").write("Ada Lovelace")
open("empty", "w").close()
"#,
    );
    let programs = (0..6).flat_map(|protocol| [format!("system{protocol}"), format!("eval{protocol}")]);
    for file in programs.chain(["loop".to_owned()]) {
        sandbox.run(&["submit", server.url(), "--file", &file]).fails(&["refused as binary"]);
    }
    sandbox.run(&["submit", server.url(), "--file", "laughs"]).fails(&["refused as xml"]);
    sandbox.run(&["submit", server.url(), "--file", "deep"]).fails(&["refused as json", "32"]);
    sandbox.run(&["submit", server.url(), "--file", "large"]).fails(&["large", "262144 bytes"]);
    sandbox.run(&["submit", server.url(), "--file", "words"]).fails(&["tells none of the formats"]);
    sandbox.run(&["submit", server.url(), "--file", "words", "--format", "json"]).fails(&["refused as json"]);
    sandbox.run(&["submit", server.url(), "--file", "empty"]).fails(&["the document is empty"]);
    sandbox.run(&["submit", server.url(), "--file", "missing"]).fails(&["cannot read missing"]);
    sandbox.run(&["submit", server.url(), "--file", "words", "a=b"]).fails(&["leave KEY=VALUE out"]);
    sandbox.run(&["submit", server.url(), "Ada"]).fails(&["`Ada` is not KEY=VALUE"]);
    sandbox.run(&["submit", server.url(), "a=1", "a=2"]).fails(&["cannot be written as json"]);
    sandbox.run(&["submit", server.url(), "--format", "xml", "1a=1"]).fails(&["cannot be written as xml"]);
    sandbox.run(&["submit", server.url(), "--format", "yaml", "a=1"]).is_usage_error(&["json, binary or xml"]);
    assert!(!sandbox.path("ran").exists());
    assert_eq!(submitted(&sandbox), []);
    assert!(!server.screen().so_far().contains("Data format"));
}

#[test]
fn the_same_data_is_kept_and_printed_in_every_format() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    let data = json!({ "first_name": "Ada", "last_name": "Lovelace" });
    for (row, format) in (1..).zip(["json", "binary", "xml"]) {
        let pairs = ["first_name=Ada", "last_name=Lovelace"];
        let outcome = sandbox.run(&[&["submit", server.url(), "--format", format], &pairs[..]].concat());
        is_stored(&outcome, &format!("Stored as number {row} ({format})\n"));
        let printed = format!("Data format: {format}\n{{\"first_name\": \"Ada\", \"last_name\": \"Lovelace\"}}\n");
        server.screen().wait_for(&printed);
        assert_eq!(submitted(&sandbox).pop().unwrap(), (format.to_owned(), data.clone()));
    }
    let outcome = sandbox.run(&["submit", server.url(), "url=http://example.org/?a=b", "--json"]);
    is_stored(&outcome, "{\"format\":\"json\",\"row\":4}\n");
    assert_eq!(submitted(&sandbox).pop().unwrap().1, json!({ "url": "http://example.org/?a=b" }));
}

#[test]
fn a_file_of_pythons_is_told_by_its_beginning() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    python(
        &sandbox,
        r#"
import json, pickle, xml.etree.ElementTree as tree
data = {"first_name": "Zo\u00eb", "last_name": "O'Neil"}
for protocol in range(6):
    open(f"pickle{protocol}", "wb").write(pickle.dumps(data, protocol))
open("json", "w").write(json.dumps(data))
root = tree.Element("data")
for key, value in data.items():
    tree.SubElement(root, key).text = value
tree.ElementTree(root).write("xml", encoding="utf-8", xml_declaration=True)
"#,
    );
    let pickles = (0..6).map(|protocol| (format!("pickle{protocol}"), "binary"));
    let files: Vec<_> = pickles.chain([("json".to_owned(), "json"), ("xml".to_owned(), "xml")]).collect();
    for (row, (file, format)) in (1..).zip(&files) {
        let outcome = sandbox.run(&["submit", server.url(), "--file", file]);
        is_stored(&outcome, &format!("Stored as number {row} ({format})\n"));
    }
    let data = json!({ "first_name": "Zo\u{eb}", "last_name": "O'Neil" });
    assert!(submitted(&sandbox).iter().all(|(_, found)| *found == data), "{:?}", submitted(&sandbox));
    let outcome = sandbox.run_with_input(&["submit", server.url(), "--file", "-"], "{\"a\": 1}");
    is_stored(&outcome, "Stored as number 9 (json)\n");
}

#[test]
fn the_lines_of_a_pipe_answer_the_questions() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&[]);
    let answers = "\n  aDA \nLOVELACE\nyaml\nbinary\nmaybe\nyes\ngrace\nhopper\nXML\nno\nnever read\n";
    let outcome = sandbox.run_with_input(&["submit", server.url()], answers);
    is_stored(&outcome, "Stored as number 1 (binary)\nStored as number 2 (xml)\n");
    for complaint in ["at least one character", "`yaml` is none of", "`maybe` is neither"] {
        assert!(outcome.stderr.contains(complaint), "{outcome:?}");
    }
    let named = |first: &str, last: &str| json!({ "first_name": first, "last_name": last });
    let both = [("binary".to_owned(), named("Ada", "Lovelace")), ("xml".to_owned(), named("Grace", "Hopper"))];
    assert_eq!(submitted(&sandbox), both);
    // Without a last word about more, nothing is amiss; in the middle, it is.
    is_stored(
        &sandbox.run_with_input(&["submit", server.url(), "--format", "json"], "alan\nturing\n"),
        "Stored as number 3 (json)\n",
    );
    sandbox.run_with_input(&["submit", server.url()], "alan\n").fails(&["before every question is answered"]);
    sandbox.run(&["submit", server.url()]).fails(&["there is nothing to submit"]);
    assert_eq!(submitted(&sandbox).len(), 3);
}

#[test]
fn what_becomes_of_data_is_the_operators_choice() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve(&["--submissions", "print"]);
    is_stored(&sandbox.run(&["submit", server.url(), "a=1"]), "Stored as number 1 (json)\n");
    server.screen().wait_for("{\"a\": \"1\"}\n");
    server.stop();
    assert!(!sandbox.path(FILE).exists());

    sandbox.write("f.toml", 0o600, "[services.submit]\nto = [\"file\"]\nfile = \"mine.jsonl\"\n");
    let server = sandbox.serve(&["--config", "f.toml"]);
    is_stored(&sandbox.run(&["submit", server.url(), "a=2"]), "Stored as number 2 (json)\n");
    // What was kept before there was a file is in it, too.
    let lines = fs::read_to_string(sandbox.path("data/fernwire/mine.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 2, "{lines}");
    // The log is shown by the same task, in order.
    sandbox.run(&["log", server.url(), "afterwards"]);
    let printed = server.screen().wait_for(" : afterwards\n");
    assert!(!printed.contains("Data format"), "{printed}");
}
