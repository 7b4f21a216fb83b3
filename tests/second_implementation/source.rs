//! What the client is made of: little, and of nothing but Python and one package.

use std::collections::HashSet;
use std::fs;
use std::process::Command;

use crate::python::{python_with, repository};

const FILES: [&str; 3] = ["fernwire", "fernwire_session", "fernwire_trust"];
const MAX_LINES: usize = 400;
const MAX_COLUMNS: usize = 100;

#[test]
fn its_files_are_small_and_need_one_package() {
    let names = "import sys; print(*sys.stdlib_module_names)";
    let known = Command::new(python_with("cryptography")).args(["-c", names]).output().unwrap().stdout;
    let known = String::from_utf8(known).unwrap();
    let may: HashSet<&str> = known.split_whitespace().chain(FILES).chain(["cryptography"]).collect();
    for file in FILES {
        let source = fs::read_to_string(repository(&format!("examples/python/{file}.py"))).unwrap();
        assert!(source.lines().count() <= MAX_LINES, "{file} has {} lines", source.lines().count());
        for line in source.lines() {
            assert!(line.chars().count() <= MAX_COLUMNS, "{file}: {line}");
            let module = line.strip_prefix("import ").or_else(|| line.strip_prefix("from "));
            let module = module.map(|rest| rest.split([' ', '.']).next().unwrap());
            assert!(module.is_none_or(|module| may.contains(module)), "{file}: {line}");
        }
    }
}
