//! The real Python as the other side: one process for a whole test, asked in JSON, a line a question.

// Each test crate uses a part of it.
#![allow(dead_code, unreachable_pub)]

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// A path in this repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The Python that has this module. Without it there is nothing to compare with, and that must be seen.
pub fn python_with(module: &str) -> PathBuf {
    let path = env::var_os("FERNWIRE_PYTHON").map_or_else(|| repository("target/python/bin/python3"), PathBuf::from);
    let imports = Command::new(&path).args(["-c", &format!("import {module}")]).output();
    assert!(
        imports.is_ok_and(|output| output.status.success()),
        "{} cannot import {module}; run `make test`, or scripts/test-env.sh once",
        path.display()
    );
    path
}

/// A Python process that answers until its input ends.
pub struct Python {
    process: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Python {
    /// Runs a script of this repository that needs a module.
    pub fn start(script: &str, module: &str) -> Self {
        let mut process = Command::new(python_with(module))
            .arg(repository(script))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let requests = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().unwrap());
        Self { process, requests, answers }
    }

    pub fn ask(&mut self, request: Value) -> Value {
        writeln!(self.requests.as_mut().unwrap(), "{request}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("Python answered {answer:?}: {error}"))
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // The end of its input is the end of Python.
        self.requests = None;
        let _ = self.process.wait();
    }
}
