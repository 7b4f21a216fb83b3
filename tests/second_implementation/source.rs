//! What the client is made of: little, and of nothing but Python and one package.

use std::collections::HashSet;
use std::fs;
use std::process::Command;

use crate::CLIENT;
use crate::python::{python_with, repository};

const MAX_LINES: usize = 400;
const MAX_COLUMNS: usize = 110;

#[test]
fn it_is_one_small_file_and_needs_one_package() {
    let names = "import sys; print(*sys.stdlib_module_names)";
    let known = Command::new(python_with("cryptography")).args(["-c", names]).output().unwrap().stdout;
    let known = String::from_utf8(known).unwrap();
    let may: HashSet<&str> = known.split_whitespace().chain(["cryptography"]).collect();
    let folder = repository(CLIENT).parent().unwrap().read_dir().unwrap();
    assert_eq!(folder.filter(|entry| entry.as_ref().unwrap().path().is_file()).count(), 1);
    let source = fs::read_to_string(repository(CLIENT)).unwrap();
    assert!(source.lines().count() <= MAX_LINES, "{} lines", source.lines().count());
    for line in source.lines() {
        assert!(line.chars().count() <= MAX_COLUMNS, "{line}");
        let modules = match (line.strip_prefix("import "), line.strip_prefix("from ")) {
            (Some(list), _) => list.split(", ").collect(),
            (_, Some(from)) => vec![from.split([' ', '.']).next().unwrap()],
            _ => vec![],
        };
        assert!(modules.iter().all(|module| may.contains(module)), "{line}");
    }
}
