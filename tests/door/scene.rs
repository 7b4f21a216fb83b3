//! What these tests are played with: a folder with the old key, a door behind it, and somebody who speaks bare Fernet.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;

use fernet::Fernet;

use crate::program::{Outcome, PATIENCE, Process, RunningServer, Sandbox};
use crate::python::{python_with, repository};

/// A folder with the key that all programs of a test hold.
pub(crate) fn folder_with_key() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("legacy.key", 0o600, &Fernet::generate_key());
    sandbox
}

/// The address of a door to this service, on a port that the system chooses.
pub(crate) fn door_to(service: &str) -> String {
    format!("fernet://127.0.0.1:0?service={service}&key=legacy.key")
}

/// A server with one door.
pub(crate) fn serve(sandbox: &Sandbox, service: &str, args: &[&str]) -> RunningServer {
    sandbox.serve_at(&door_to(service), args)
}

/// A server with one door, and somebody at its terminal.
pub(crate) fn serve_with_operator(sandbox: &Sandbox, service: &str, args: &[&str]) -> (Process, String) {
    let process = sandbox.start_on_pipe(&[&["serve", "--console", "--listen", &door_to(service)], args].concat());
    let banner = process.stdout.wait_for("Stop with Ctrl-C.\n");
    let url = banner.lines().find_map(|line| line.strip_prefix("  listening   ")).unwrap();
    let address = host_and_port(url);
    (process, address)
}

/// Where a URL points.
pub(crate) fn host_and_port(url: &str) -> String {
    let (_, rest) = url.split_once("://").unwrap();
    rest.split('?').next().unwrap().to_owned()
}

pub(crate) fn address(server: &RunningServer) -> String {
    host_and_port(server.url())
}

/// A Python program of this folder, run beside the key.
pub(crate) fn python(sandbox: &Sandbox, script: &str, args: &[&str]) -> Command {
    let mut command = sandbox.command(&python_with("cryptography").display().to_string());
    command.arg(repository("tests/door").join(script)).args(args);
    command
}

/// Runs such a program at a server, to its end.
pub(crate) fn run_python(sandbox: &Sandbox, script: &str, address: &str, args: &[&str]) -> Outcome {
    sandbox.start(python(sandbox, script, &[port(address)]).args(args)).wait()
}

pub(crate) fn port(address: &str) -> &str {
    address.rsplit_once(':').unwrap().1
}

/// Somebody who speaks bare Fernet, and looks more closely than such programs do.
pub(crate) struct Peer {
    stream: TcpStream,
    cipher: Fernet,
    unread: Vec<u8>,
}

impl Peer {
    pub(crate) fn at(address: &str, sandbox: &Sandbox) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, cipher: cipher(sandbox), unread: Vec::new() }
    }

    /// The token of a text.
    pub(crate) fn token(&self, text: impl AsRef<[u8]>) -> String {
        self.cipher.encrypt(text.as_ref())
    }

    /// Sends a text as such programs do.
    pub(crate) fn say(&mut self, text: impl AsRef<[u8]>) {
        let token = self.token(text);
        self.write(token);
    }

    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// The same where the other side may be gone.
    pub(crate) fn try_write(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// The text of the next token; none when the server has ended.
    pub(crate) fn hear(&mut self) -> Option<String> {
        loop {
            if let Some(text) = self.take_token() {
                return Some(text);
            }
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk) {
                Ok(0) => {
                    assert_eq!(String::from_utf8_lossy(&self.unread), "", "the end of something else than tokens");
                    return None;
                }
                Ok(count) => self.unread.extend(&chunk[..count]),
                // The other side did not read all that we said.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("nothing was heard: {error}"),
            }
        }
    }

    /// What comes until one of the words that end an answer, this included.
    pub(crate) fn answer(&mut self) -> Vec<String> {
        let mut answer = Vec::new();
        loop {
            let text = self.hear().unwrap_or_else(|| panic!("the server ended after {answer:?}"));
            answer.push(text);
            if ["END", "EMPTY"].contains(&&**answer.last().unwrap()) {
                return answer;
            }
        }
    }

    /// A question that is answered at once: whoever gets here was not harmed.
    #[track_caller]
    pub(crate) fn is_served(&mut self) {
        self.say("SetZ-Unknown");
        assert_eq!(self.answer(), ["EMPTY"]);
    }

    /// Nothing has come that was not heard.
    #[track_caller]
    pub(crate) fn hears_nothing(&mut self) {
        self.stream.set_nonblocking(true).unwrap();
        let read = self.stream.read(&mut [0; 1]);
        self.stream.set_nonblocking(false).unwrap();
        assert_eq!(read.unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(self.unread.is_empty());
    }

    /// Says that nothing more will come.
    pub(crate) fn finish(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// The shortest beginning of what has come that is a token, with its padding.
    fn take_token(&mut self) -> Option<String> {
        let lengths = (100..=self.unread.len()).step_by(4);
        let found = lengths.filter_map(|length| {
            let token = str::from_utf8(&self.unread[..length]).unwrap();
            Some((length, self.cipher.decrypt(token).ok()?))
        });
        let (length, text) = { found }.next()?;
        self.unread.drain(..length);
        Some(String::from_utf8(text).unwrap())
    }
}

pub(crate) fn cipher(sandbox: &Sandbox) -> Fernet {
    Fernet::new(sandbox.read("legacy.key").trim()).unwrap()
}

/// The lines of a log that complain.
pub(crate) fn complaints(log: &str) -> Vec<&str> {
    log.lines().filter(|line| line.contains(" WARN ") || line.contains(" ERROR ")).collect()
}

/// Starts a Python program that has a person at its keyboard.
pub(crate) fn start_python(sandbox: &Sandbox, script: &str, args: &[&str]) -> Process {
    sandbox.start_piped(&mut python(sandbox, script, args))
}

/// A Python server of this folder, and its address with the key's whole path.
pub(crate) fn python_server(sandbox: &Sandbox, script: &str, args: &[&str]) -> (Process, String) {
    let server = start_python(sandbox, script, args);
    let said = server.stdout.wait_for("\n");
    let port = said.trim().strip_prefix("port ").unwrap();
    let url = format!("fernet://127.0.0.1:{port}?key={}", sandbox.arg("legacy.key"));
    (server, url)
}

/// Says the same to everybody who has said something, and does not hang up. The result is its address, with the key in
/// the working directory.
pub(crate) fn server_that_says(text: String) -> String {
    let mut kept = Vec::new();
    server_that(move |mut stream| {
        let _ = stream.write_all(text.as_bytes());
        kept.push(stream);
    })
}

/// Hangs up on everybody who has said something.
pub(crate) fn server_that_hangs_up() -> String {
    server_that(drop)
}

fn server_that(mut goes_on: impl FnMut(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("fernet://{}?key=legacy.key", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.read(&mut [0; 4096]);
            goes_on(stream);
        }
    });
    url
}
