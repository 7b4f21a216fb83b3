//! Documents that Python writes are read as what they are, ours are read by Python, and none of them is ever run.
#![allow(clippy::unwrap_used)]

mod python;

use std::path::Path;

use fernwire::document::error::{DocumentError, Reason};
use fernwire::document::{Format, decode, encode};
use python::Python;
use serde_json::{Value, json};

#[test]
fn what_python_writes_is_read_as_what_it_is() {
    let documents = Python::start("tests/documents/peer.py", "xml.etree.ElementTree").ask(json!({ "do": "documents" }));
    for document in documents.as_array().unwrap() {
        let format: Format = text(&document["format"]).parse().unwrap();
        let bytes = bytes(&document["bytes"]);
        let name = text(&document["name"]);
        let (told, value) = decode(&bytes, Some(format)).unwrap_or_else(|error| panic!("{format}, {name}: {error}"));
        assert_eq!(told, format);
        assert!(value.to_json() == text(&document["json"]), "{format}, {name}: {}", value.to_json());
        assert_eq!(decode(&bytes, None), Ok((format, value)), "{format}, {name}, detected");
    }
    assert!(documents.as_array().unwrap().len() > 50);
}

#[test]
fn what_we_write_is_read_by_python() {
    let mut python = Python::start("tests/documents/peer.py", "xml.etree.ElementTree");
    let many: Vec<_> = (0..3000).map(|n| (format!("key{n}"), n.to_string())).collect();
    let long = [pair("long", &"é".repeat(50_000)), pair("longer", &"x".repeat(70_000))];
    for pairs in [&[][..], &awkward_pairs(), &many, &long] {
        for format in Format::ALL {
            let document = encode(format, pairs).unwrap();
            let request = json!({ "do": "load", "format": format, "bytes": hex::encode(&document) });
            assert_eq!(python.ask(request), json!(pairs), "{format}");
        }
    }
    let xml = python.ask(json!({ "do": "write xml", "pairs": awkward_pairs()[1..] }));
    assert_eq!(encode(Format::Xml, &awkward_pairs()[1..]).unwrap(), bytes(&xml));
}

/// The first has a carriage return, which ElementTree itself would write as a line break.
fn awkward_pairs() -> Vec<(String, String)> {
    vec![
        pair("return", "a\r\nb\rc"),
        pair("first_name", "Ada"),
        pair("empty", ""),
        pair("space", " \n\t "),
        pair("markup", "<&>\"'\\ ]]> {\"a\": 1}"),
        pair("Имя", "é ☃ 😀 \u{85} \u{202e}"),
    ]
}

fn pair(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

#[test]
fn no_program_in_a_pickle_runs_here_though_each_runs_in_python() {
    let mut python = Python::start("tests/documents/peer.py", "xml.etree.ElementTree");
    let folder = tempfile::tempdir().unwrap();
    let programs = python.ask(json!({ "do": "programs", "folder": folder.path() }));
    for program in programs.as_array().unwrap() {
        let file = text(&program["file"]);
        let (reason, said) = refused(&bytes(&program["bytes"]));
        assert!(matches!(reason, Reason::WouldRun { .. }), "{file}: {said}");
        assert!(said.contains("would import"), "{file}: {said}");
        assert!(said.contains(text(&program["imports"])), "{file}: {said}");
    }
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);

    for program in programs.as_array().unwrap() {
        python.ask(json!({ "do": "run", "bytes": program["bytes"] }));
        assert!(Path::new(text(&program["file"])).exists(), "harmless after all: {}", program["file"]);
    }
}

#[test]
fn a_pickled_object_is_refused_by_the_name_of_its_class() {
    for object in Python::start("tests/documents/peer.py", "xml.etree.ElementTree")
        .ask(json!({ "do": "object" }))
        .as_array()
        .unwrap()
    {
        let (reason, said) = refused(&bytes(object));
        assert!(matches!(reason, Reason::WouldRun { .. }), "{said}");
        // Before protocol 2, Python begins with copyreg._reconstructor.
        assert!(said.contains("__main__.Stateful") || said.contains("_reconstructor"), "{said}");
    }
}

#[test]
fn data_that_old_protocols_import_is_refused_with_the_protocol_that_has_it() {
    let pickles =
        Python::start("tests/documents/peer.py", "xml.etree.ElementTree").ask(json!({ "do": "needing imports" }));
    for pickle in pickles.as_array().unwrap() {
        let (_, said) = refused(&bytes(&pickle["bytes"]));
        assert!(said.contains(&format!("pickle with protocol {}", pickle["first"])), "{said}");
    }
    assert!(pickles.as_array().unwrap().len() > 20);
}

#[test]
fn what_contains_itself_is_refused() {
    for pickle in Python::start("tests/documents/peer.py", "xml.etree.ElementTree")
        .ask(json!({ "do": "loops" }))
        .as_array()
        .unwrap()
    {
        assert_eq!(refused(&bytes(pickle)).0, Reason::Loop, "{pickle}");
    }
}

#[test]
fn what_expands_beyond_the_limits_is_refused_without_expanding_it() {
    for bomb in Python::start("tests/documents/peer.py", "xml.etree.ElementTree")
        .ask(json!({ "do": "bombs" }))
        .as_array()
        .unwrap()
    {
        let expected = if bomb["kind"] == "values" { Reason::TooManyValues } else { Reason::TooMuchText };
        assert_eq!(refused(&bytes(&bomb["bytes"])).0, expected, "{bomb}");
    }
}

/// Why the document is refused, detected as well as said to be what it is, and the words for it.
fn refused(pickle: &[u8]) -> (Reason, String) {
    let error = decode(pickle, Some(Format::Binary)).unwrap_err();
    // Only what begins with something other than a dictionary is not even detected.
    let detected = decode(pickle, None).unwrap_err();
    assert!(detected == error || matches!(detected, DocumentError::Unrecognized(_)), "{detected}");
    let said = error.to_string();
    match error {
        DocumentError::Refused { format: Format::Binary, reason, .. } => (reason, said),
        other => panic!("{other}"),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn bytes(hex: &Value) -> Vec<u8> {
    hex::decode(text(hex)).unwrap()
}
