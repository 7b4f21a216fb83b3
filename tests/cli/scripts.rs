//! The scripts that a person runs by hand, from a clean clone.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{Outcome, Sandbox};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What git would have in a clone if everything here were committed now. It is at one place and with the times of our
/// files, so that Cargo builds it again only if something has changed, and in place of what it has built before.
fn clean_clone() -> PathBuf {
    let clone = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clean-clone");
    if clone.exists() {
        fs::remove_dir_all(&clone).unwrap();
    }
    for name in git(Path::new(ROOT), &["ls-files", "--cached", "--others", "--exclude-standard"]).lines() {
        let (from, to) = (Path::new(ROOT).join(name), clone.join(name));
        // What was removed and is not committed yet is not there.
        if from.is_file() {
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(&from, &to).unwrap();
            let modified = fs::metadata(&from).unwrap().modified().unwrap();
            File::options().write(true).open(to).unwrap().set_modified(modified).unwrap();
        }
    }
    git(&clone, &["init", "--quiet"]);
    git(&clone, &["add", "--all"]);
    clone
}

fn git(folder: &Path, args: &[&str]) -> String {
    let outcome = Command::new("git").arg("-C").arg(folder).args(args).output().unwrap();
    assert!(outcome.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&outcome.stderr));
    String::from_utf8(outcome.stdout).unwrap()
}

/// Runs a script of the clone. Cargo finds here what is built already, and puts what it builds into the clone.
fn run(clone: &Path, script: &str, args: &[&str]) -> Outcome {
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let mut command = Command::new(clone.join(script));
    // From another folder, since the script must find its own way.
    command.args(args).current_dir("/").env("FERNWIRE_PROFILE", profile).env("CARGO_NET_OFFLINE", "true");
    command.env("CARGO_BUILD_BUILD_DIR", built).env("CARGO_TARGET_DIR", clone.join("target"));
    command.env("CARGO_INCREMENTAL", "0");
    // A build takes as long as it takes.
    let outcome = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Outcome { code: outcome.status.code(), stdout: text(outcome.stdout), stderr: text(outcome.stderr) }
}

#[test]
fn certificates_are_made_from_a_clean_clone() {
    let clone = &clean_clone();
    let made = run(clone, "scripts/gen-certs.sh", &[]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let mut names: Vec<_> =
        fs::read_dir(clone.join("certs")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["README.md", "ca-key.pem", "ca.pem", "server-key.pem", "server.pem"]);
    assert_eq!(git(clone, &["ls-files", "--others", "--exclude-standard"]), "", "git would list these");

    let lines: Vec<_> = made.stdout.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    let [start, connect] = lines[..] else { panic!("{made:?}") };
    let sandbox = Sandbox::new();
    let line = format!("exec {}", start.replace(":3376", ":0"));
    let server = sandbox.serve_with(sandbox.command("sh").args(["-c", &line]));
    let port = server.address().rsplit_once(':').unwrap().1;
    Sandbox::new().paste(&connect.replace(":3376", &format!(":{port}"))).is_timestamps(2);

    let authority = fs::read(clone.join("certs/ca.pem")).unwrap();
    let renewed = run(clone, "scripts/gen-certs.sh", &["example.org", "192.0.2.7"]);
    assert!(renewed.stdout.contains("for example.org, 192.0.2.7;"), "{renewed:?}");
    assert_eq!(fs::read(clone.join("certs/ca.pem")).unwrap(), authority);
    let forced = run(clone, "scripts/gen-certs.sh", &["--force"]);
    assert!(forced.stdout.contains("for example.org, 192.0.2.7;"), "{forced:?}");
    assert_ne!(fs::read(clone.join("certs/ca.pem")).unwrap(), authority);
    let help = run(clone, "scripts/gen-certs.sh", &["--help"]);
    assert!(help.stdout.starts_with("usage: scripts/gen-certs.sh [NAME]..."), "{help:?}");
    let wrong = run(clone, "scripts/gen-certs.sh", &["--loud"]);
    assert_eq!((wrong.code, &*wrong.stdout), (Some(2), ""), "{wrong:?}");
    assert!(wrong.stderr.starts_with("error: invalid value '--loud' for '--host <NAME>'"), "{wrong:?}");
}
