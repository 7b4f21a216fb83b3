//! The client in Python, which was written from the protocol's page alone, against the real server.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../program/mod.rs"]
mod program;
#[path = "../python/mod.rs"]
mod python;

mod channel;
mod services;
mod source;
mod trust;

use std::process::{Command, Stdio};

use program::{Outcome, Process, RunningServer, Sandbox};
use python::{python_with, repository};

const CLIENT: &str = "examples/python/fernwire.py";
const PASSWORD: &str = "Correct-1-horse";

/// Python in a sandbox, with nothing of this client in its arguments yet.
fn interpreter(sandbox: &Sandbox) -> Command {
    let mut command = sandbox.command(python_with("cryptography").to_str().unwrap());
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("FERNWIRE_PASSWORD", PASSWORD);
    command
}

fn client(sandbox: &Sandbox, args: &[&str]) -> Command {
    let mut command = interpreter(sandbox);
    command.arg(repository(CLIENT)).args(args);
    command
}

/// Runs the client to its end, with nothing on its stdin.
fn run(sandbox: &Sandbox, args: &[&str]) -> Outcome {
    sandbox.start(&mut client(sandbox, args)).wait()
}

fn start_on_pipe(sandbox: &Sandbox, command: &mut Command) -> Process {
    Process::start(command.stdin(Stdio::piped()), sandbox)
}

fn run_with_input(sandbox: &Sandbox, args: &[&str], input: &str) -> Outcome {
    let mut process = start_on_pipe(sandbox, &mut client(sandbox, args));
    process.write(input);
    process.close_stdin();
    process.wait()
}

/// Somebody else, who holds the secret key of this server's owner.
fn holder_of_the_key(owner: &Sandbox) -> Sandbox {
    let holder = Sandbox::new();
    holder.write("secret.key", 0o600, &owner.read("secret.key"));
    holder
}

/// A server whose owner's machine is not this user's.
fn serve(args: &[&str]) -> (Sandbox, RunningServer) {
    let owner = Sandbox::new();
    let server = owner.serve(args);
    (owner, server)
}
