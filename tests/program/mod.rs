//! The real program in a sandbox: its own home, an environment of ours, output that is read as it comes.

// Each test crate uses a part of it.
#![allow(dead_code, unreachable_pub)]

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The program under test.
pub const FERNWIRE: &str = env!("CARGO_BIN_EXE_fernwire");

/// How long anything may take before a test gives up; nothing takes this long unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What no key of ours is shorter than.
const SHORTEST_SECRET: usize = 40;

/// A home directory and working directory of one user, who has nothing yet.
#[derive(Clone)]
pub struct Sandbox {
    folder: Arc<TempDir>,
    /// What runs every program of the user: a program and its arguments, to which that one and its own are added.
    through: Arc<[String]>,
}

impl Sandbox {
    pub fn new() -> Self {
        Self::through(&[])
    }

    /// A user whose programs are all run by this one, which becomes each of them in the end.
    pub fn through(words: &[String]) -> Self {
        Self { folder: Arc::new(tempfile::tempdir().unwrap()), through: words.into() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A path as an argument.
    pub fn arg(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// A file with these permissions and this content; its folder is made if needed.
    pub fn write(&self, name: &str, mode: u32, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// What the client has recorded.
    pub fn known_hosts(&self) -> String {
        self.read(KNOWN_HOSTS)
    }

    /// Any program, with nothing of the machine's own settings.
    pub fn command(&self, program: &str) -> Command {
        let mut words = self.through.iter().map(String::as_str).chain([program]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).env_clear().env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
        command.current_dir(self.folder.path()).env("HOME", self.folder.path());
        command.env("XDG_DATA_HOME", self.path("data")).env("XDG_CONFIG_HOME", self.path("config"));
        command
    }

    pub fn fernwire(&self, args: &[&str]) -> Command {
        let mut command = self.command(FERNWIRE);
        command.args(args);
        command
    }

    /// Starts a program with nothing on its stdin.
    pub fn start(&self, command: &mut Command) -> Process {
        Process::start(command.stdin(Stdio::null()), self)
    }

    /// Starts the program with a pipe for its stdin.
    pub fn start_on_pipe(&self, args: &[&str]) -> Process {
        self.start_piped(&mut self.fernwire(args))
    }

    /// The same with any program.
    pub fn start_piped(&self, command: &mut Command) -> Process {
        Process::start(command.stdin(Stdio::piped()), self)
    }

    /// Runs the program to its end, with nothing on its stdin.
    pub fn run(&self, args: &[&str]) -> Outcome {
        self.start(&mut self.fernwire(args)).wait()
    }

    /// Pastes a line into a shell.
    pub fn paste(&self, line: &str) -> Outcome {
        self.start(self.command("sh").args(["-c", line])).wait()
    }

    pub fn run_with_input(&self, args: &[&str], input: &str) -> Outcome {
        let mut process = self.start_on_pipe(args);
        process.write(input);
        process.close_stdin();
        process.wait()
    }

    /// A server on a port that the system chooses, with a tick that does not make tests wait.
    pub fn serve(&self, args: &[&str]) -> RunningServer {
        self.serve_at("tcp://127.0.0.1:0", args)
    }

    pub fn serve_at(&self, url: &str, args: &[&str]) -> RunningServer {
        let mut command = self.fernwire(&["serve", "--listen", url]);
        if !args.contains(&"--tick") {
            command.args(["--tick", "20ms"]);
        }
        self.serve_with(command.args(args))
    }

    pub fn serve_with(&self, command: &mut Command) -> RunningServer {
        RunningServer::start(self, command)
    }
}

/// Where the program records servers, inside a sandbox.
pub const KNOWN_HOSTS: &str = "config/fernwire/known_hosts";

/// A running program. It ends with the test, and only it; none may have printed a secret of its sandbox.
pub struct Process {
    child: Child,
    home: Sandbox,
    pub stdout: Output,
    pub stderr: Output,
}

impl Process {
    pub fn start(command: &mut Command, home: &Sandbox) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = Output::of(child.stdout.take().unwrap());
        let stderr = Output::of(child.stderr.take().unwrap());
        Self { child, home: home.clone(), stdout, stderr }
    }

    pub fn write(&mut self, input: &str) {
        self.child.stdin.as_mut().unwrap().write_all(input.as_bytes()).unwrap();
    }

    pub fn close_stdin(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end, and for the end of what it prints.
    pub fn wait(mut self) -> Outcome {
        let status = self.end();
        Outcome { code: status.code(), stdout: self.stdout.rest(), stderr: self.stderr.rest() }
    }

    fn end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "still running: {:?}", self.stderr.so_far());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail if it has ended already, as it should have.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !std::thread::panicking() {
            let printed = self.stdout.so_far() + &self.stderr.so_far();
            let told = secrets_below(self.home.folder.path()).iter().any(|secret| printed.contains(secret));
            assert!(!told, "a secret was printed: {printed}");
        }
    }
}

/// Everything in key files, private or misplaced, that must not be seen outside of them.
pub fn secrets_below(folder: &Path) -> Vec<String> {
    let mut secrets = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            secrets.extend(secrets_below(&path));
        } else if is_secret(&path) && path.exists() {
            let text = fs::read_to_string(&path).unwrap();
            let words =
                text.split_whitespace().filter(|word| word.len() >= SHORTEST_SECRET && !word.starts_with("fwk1_"));
            secrets.extend(words.map(str::to_owned));
        }
    }
    secrets
}

/// `secret.key` and its like, and private keys in PEM, of which each line is a secret.
fn is_secret(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy();
    name.ends_with(".key") || name.ends_with("-key.pem")
}

/// What a program prints, collected as it comes.
pub struct Output(Arc<(Mutex<Printed>, Condvar)>);

#[derive(Default)]
struct Printed {
    text: String,
    ended: bool,
}

impl Output {
    fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let shared: Arc<(Mutex<Printed>, Condvar)> = Arc::default();
        let output = Self(shared.clone());
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let count = pipe.read(&mut buffer).unwrap_or(0);
                let mut printed = shared.0.lock().unwrap();
                // Ours prints ASCII alone, so no character is cut in two.
                printed.text.push_str(&String::from_utf8_lossy(&buffer[..count]));
                printed.ended = count == 0;
                shared.1.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        output
    }

    pub fn so_far(&self) -> String {
        self.0.0.lock().unwrap().text.clone()
    }

    /// Waits until this text has been printed.
    pub fn wait_for(&self, text: &str) -> String {
        let found = self.wait_until(|printed| printed.text.contains(text) || printed.ended);
        assert!(found.contains(text), "`{text}` was not printed, but {found:?}");
        found
    }

    /// Waits until this text has been printed, or nothing more can be; whether it was.
    pub fn comes_to(&self, text: &str) -> bool {
        self.wait_until(|printed| printed.text.contains(text) || printed.ended).contains(text)
    }

    /// Waits until this text has been printed so many times.
    pub fn wait_until_count(&self, text: &str, count: usize) {
        let found = self.wait_until(|printed| printed.text.matches(text).count() >= count || printed.ended);
        assert!(found.matches(text).count() >= count, "`{text}` was not printed {count} times, but {found:?}");
    }

    /// Waits for the end of it.
    fn rest(&self) -> String {
        self.wait_until(|printed| printed.ended)
    }

    fn wait_until(&self, enough: impl Fn(&Printed) -> bool) -> String {
        let printed = self.0.0.lock().unwrap();
        let (printed, waited) = self.0.1.wait_timeout_while(printed, PATIENCE, |printed| !enough(printed)).unwrap();
        let text = printed.text.clone();
        // Before we give up, so that the reading thread does not fall over a poisoned lock.
        drop(printed);
        assert!(!waited.timed_out(), "waited too long; printed so far: {text:?}");
        text
    }
}

/// How notes begin that are no complaint.
const NOTES: [&str; 2] = ["Using ./secret.key, key id ", "Bare Fernet: nothing proves who answers"];

/// How a program ended.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// It printed this many timestamps and nothing else, and found every query.
    #[track_caller]
    pub fn is_timestamps(&self, count: usize) {
        assert_eq!(self.code, Some(0), "{self:?}");
        assert_eq!(self.stdout.lines().count(), count, "{self:?}");
        assert!(self.stdout.lines().all(is_timestamp), "{self:?}");
        assert_eq!(self.complaints(), [""; 0], "{self:?}");
    }

    /// It did nothing but say in one line what is wrong, with all of these words.
    #[track_caller]
    pub fn fails(&self, words: &[&str]) {
        assert_eq!(self.code, Some(2), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        let [complaint] = self.complaints()[..] else { panic!("more or less than one line: {self:?}") };
        assert!(complaint.starts_with("fernwire: "), "{self:?}");
        words.iter().for_each(|word| assert!(complaint.contains(word), "no `{word}` in {complaint:?}"));
    }

    /// It was called wrongly, and says so with these words.
    #[track_caller]
    pub fn is_usage_error(&self, words: &[&str]) {
        assert_eq!(self.code, Some(2), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        let complaint = self.stderr.lines().next().unwrap();
        assert!(complaint.starts_with("error: "), "{self:?}");
        words.iter().for_each(|word| assert!(complaint.contains(word), "no `{word}` in {complaint:?}"));
    }

    /// Stderr without the notes that say which key is in use, and what bare Fernet lacks.
    pub fn complaints(&self) -> Vec<&str> {
        let is_note = |line: &&str| NOTES.iter().any(|note| line.starts_with(note));
        self.stderr.lines().filter(|line| !is_note(line)).collect()
    }
}

/// `DD-MM-YYYY HH:MM:SS`
pub fn is_timestamp(line: &str) -> bool {
    let shape: String = line.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    shape == "99-99-9999 99:99:99"
}

/// A server that has said that it is ready.
pub struct RunningServer {
    process: Process,
    banner: String,
}

impl RunningServer {
    fn start(sandbox: &Sandbox, command: &mut Command) -> Self {
        let process = sandbox.start(command);
        process.stdout.wait_until(|printed| printed.text.contains("Stop with Ctrl-C.\n") || printed.ended);
        let banner = process.stdout.so_far();
        assert!(banner.ends_with("Stop with Ctrl-C.\n"), "no banner: {banner:?}, {:?}", process.stderr.rest());
        Self { process, banner }
    }

    /// Where it listens.
    pub fn urls(&self) -> Vec<&str> {
        self.banner.lines().filter_map(|line| line.strip_prefix("  listening   ")).collect()
    }

    pub fn url(&self) -> &str {
        self.urls()[0]
    }

    /// `host:port` of its first listener.
    pub fn address(&self) -> &str {
        self.url().split_once("://").unwrap().1
    }

    pub fn identity(&self) -> &str {
        self.banner.lines().find_map(|line| line.strip_prefix("  identity    ")).unwrap()
    }

    /// The first listener's URL with the server's identity.
    pub fn pinned_url(&self) -> String {
        format!("{}#{}", self.url(), self.identity())
    }

    /// The commands that the banner tells a person to paste.
    pub fn connect_lines(&self) -> Vec<&str> {
        let after = self.banner.lines().skip_while(|line| *line != "Connect from another terminal:").skip(1);
        after.filter_map(|line| line.strip_prefix("  ")).collect()
    }

    pub fn banner(&self) -> &str {
        &self.banner
    }

    pub fn log(&self) -> &Output {
        &self.process.stderr
    }

    /// What it prints: the banner, and what clients send.
    pub fn screen(&self) -> &Output {
        &self.process.stdout
    }

    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Waits for its end, after a signal.
    pub fn wait(self) -> Outcome {
        self.process.wait()
    }

    /// Tells it to stop; the result is its whole log.
    pub fn stop(self) -> String {
        self.signal("TERM");
        let outcome = self.wait();
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        outcome.stderr
    }

    /// Serves one more client, then stops; nothing but one warning with these words was logged.
    #[track_caller]
    pub fn warned_once_and_serves_on(self, words: &[&str]) {
        self.log().wait_for(" WARN ");
        let next = Sandbox::new();
        next.paste(self.connect_lines()[0]).is_timestamps(2);
        let log = self.stop();
        let warnings: Vec<_> = log.lines().filter(|line| line.contains(" WARN ") || line.contains(" ERROR ")).collect();
        let [warning] = warnings[..] else { panic!("more than one warning: {log}") };
        words.iter().for_each(|word| assert!(warning.contains(word), "no `{word}` in {warning:?}"));
    }
}

/// A port that nobody listens on, below those that the system gives to others on its own (32768 and up). No test of this
/// process gets the same.
pub fn unused_port() -> u16 {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + (std::process::id() % 10_000) as u16 + 10 * GIVEN.fetch_add(1, Ordering::Relaxed);
    (first..).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}
