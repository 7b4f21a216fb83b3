//! known_hosts: which identity each server showed before, and how it was proven then.
//!
//! One line a server: its address, its identity, and the proof, with spaces between them. Lines that are empty or begin
//! with `#` mean nothing. The file is rewritten whole, under a lock; a line that makes no sense is an error rather than
//! a server forgotten.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::model::PublicIdentity;
use crate::transport::endpoint::Endpoint;

/// How the server of an entry was proven when it was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provenance {
    /// A person confirmed the identity, or pinned it.
    Confirmed,
    /// `--accept-new` took the first identity that came.
    AcceptedNew,
    /// A trusted authority vouched for the server's TLS certificate.
    Certificate,
    /// The server held secret.key. Proves the server in mode x25519+psk alone.
    SecretKey,
}

impl Provenance {
    const ALL: [Self; 4] = [Self::Confirmed, Self::AcceptedNew, Self::Certificate, Self::SecretKey];

    fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::AcceptedNew => "accepted-new",
            Self::Certificate => "by-certificate",
            Self::SecretKey => "by-secret-key",
        }
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is known of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its identity.
    pub identity: PublicIdentity,
    /// How it was proven.
    pub provenance: Provenance,
    /// The line in the file, from 1.
    pub line: usize,
}

/// Why known_hosts could not be used.
#[derive(Debug, thiserror::Error)]
pub enum KnownHostsError {
    /// A line makes no sense.
    #[error("{} line {line} is not `ADDRESS IDENTITY HOW`; mend or remove that line", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// There is another identity for this server by now.
    #[error(
        "{} has another identity for {address} than the one that it showed now: line {line} was written meanwhile; \
         connect again",
        .path.display()
    )]
    Conflict {
        /// The file.
        path: PathBuf,
        /// The server.
        address: String,
        /// The line, from 1.
        line: usize,
    },
    /// The system refused.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A known_hosts file, which need not exist yet.
#[derive(Debug, Clone)]
pub struct KnownHosts {
    path: PathBuf,
}

impl KnownHosts {
    /// The file at this path.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is known of the server at this endpoint.
    pub fn find(&self, endpoint: &Endpoint) -> Result<Option<Entry>, KnownHostsError> {
        let address = endpoint.without_identity().to_string();
        let mut found = None;
        for (index, line) in self.read()?.lines().enumerate() {
            let malformed = || KnownHostsError::Malformed { path: self.path.clone(), line: index + 1 };
            let (there, identity, provenance) = match parse(line) {
                Ok(Some(parsed)) => parsed,
                Ok(None) => continue,
                Err(()) => return Err(malformed()),
            };
            if there == address && found.is_none() {
                found = Some(Entry { identity, provenance, line: index + 1 });
            }
        }
        Ok(found)
    }

    /// Records a server, in place of how it was proven before. An identity that is recorded already is never changed:
    /// another process may have met the server since this one looked.
    pub fn record(
        &self,
        endpoint: &Endpoint,
        identity: PublicIdentity,
        provenance: Provenance,
    ) -> Result<(), KnownHostsError> {
        let failed = |source| KnownHostsError::Io { action: "write", path: self.path.clone(), source };
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let _lock = self.lock().map_err(failed)?;
        let address = endpoint.without_identity().to_string();
        if let Some(Entry { line, .. }) = self.find(endpoint)?.filter(|entry| entry.identity != identity) {
            return Err(KnownHostsError::Conflict { path: self.path.clone(), address, line });
        }
        let kept = self.read()?;
        let kept = kept.lines().filter(|line| !matches!(parse(line), Ok(Some((there, ..))) if there == address));
        let mut text: String = kept.flat_map(|line| [line, "\n"]).collect();
        text.push_str(&format!("{address} {identity} {provenance}\n"));
        self.replace(folder, &text).map_err(failed)
    }

    fn read(&self) -> Result<String, KnownHostsError> {
        match fs::read_to_string(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            read => read.map_err(|source| KnownHostsError::Io { action: "read", path: self.path.clone(), source }),
        }
    }

    /// Held while the file is read, changed and replaced; the file itself cannot be locked, since it is replaced.
    fn lock(&self) -> io::Result<File> {
        let mut name = self.path.as_os_str().to_owned();
        name.push(".lock");
        let file = File::options().create(true).write(true).truncate(false).mode(0o600).open(name)?;
        file.lock()?;
        Ok(file)
    }

    fn replace(&self, folder: &Path, text: &str) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        File::open(folder)?.sync_all()
    }
}

/// The parts of a line; `None` for one that means nothing.
fn parse(line: &str) -> Result<Option<(&str, PublicIdentity, Provenance)>, ()> {
    if line.trim().is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let mut words = line.split_ascii_whitespace();
    let (Some(address), Some(identity), Some(how), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(());
    };
    let provenance = Provenance::ALL.into_iter().find(|provenance| provenance.name() == how).ok_or(())?;
    Ok(Some((address, identity.parse().map_err(drop)?, provenance)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(byte: u8) -> PublicIdentity {
        PublicIdentity::from_bytes([byte; 32])
    }

    fn file() -> (tempfile::TempDir, KnownHosts) {
        let folder = tempfile::tempdir().unwrap();
        let hosts = KnownHosts::new(folder.path().join("new/known_hosts"));
        (folder, hosts)
    }

    fn endpoint(text: &str) -> Endpoint {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_recorded_is_found_and_replaced_and_the_rest_stays() {
        let (_folder, hosts) = file();
        let (a, b) = (endpoint("tcp://Host:1"), endpoint("unix:///a%20b"));
        assert_eq!(hosts.find(&a).unwrap(), None);
        hosts.record(&a, identity(1), Provenance::SecretKey).unwrap();
        hosts.record(&b, identity(2), Provenance::Confirmed).unwrap();
        fs::write(hosts.path(), format!("# mine\n\n{}", fs::read_to_string(hosts.path()).unwrap())).unwrap();
        hosts.record(&a, identity(1), Provenance::AcceptedNew).unwrap();
        let entry = hosts.find(&endpoint("tcp://host:1")).unwrap().unwrap();
        assert_eq!(entry, Entry { identity: identity(1), provenance: Provenance::AcceptedNew, line: 4 });
        assert_eq!(hosts.find(&b).unwrap().unwrap().identity, identity(2));
        assert!(fs::read_to_string(hosts.path()).unwrap().starts_with("# mine\n\nunix:///a%20b fwk1_"));
    }

    #[test]
    fn an_identity_is_never_changed() {
        let (_folder, hosts) = file();
        hosts.record(&endpoint("tcp://h"), identity(1), Provenance::AcceptedNew).unwrap();
        let refused = hosts.record(&endpoint("tcp://h"), identity(2), Provenance::AcceptedNew).unwrap_err();
        assert!(matches!(refused, KnownHostsError::Conflict { line: 1, .. }), "{refused}");
        assert_eq!(hosts.find(&endpoint("tcp://h")).unwrap().unwrap().identity, identity(1));
    }

    #[test]
    fn a_line_that_makes_no_sense_is_named() {
        let (_folder, hosts) = file();
        hosts.record(&endpoint("tcp://h"), identity(1), Provenance::Confirmed).unwrap();
        let good = fs::read_to_string(hosts.path()).unwrap();
        for bad in ["tcp://x", "tcp://x fwk1_short confirmed", &good.trim().replace("confirmed", "somehow")] {
            fs::write(hosts.path(), format!("{good}{bad}\n")).unwrap();
            let error = hosts.find(&endpoint("tcp://h")).unwrap_err();
            assert!(matches!(error, KnownHostsError::Malformed { line: 2, .. }), "{error}");
        }
    }

    #[test]
    fn recording_at_the_same_time_loses_nothing() {
        let (_folder, hosts) = file();
        std::thread::scope(|scope| {
            for port in 1..=16 {
                let hosts = &hosts;
                scope.spawn(move || {
                    let endpoint = endpoint(&format!("tcp://h:{port}"));
                    hosts.record(&endpoint, identity(port), Provenance::Confirmed).unwrap();
                });
            }
        });
        for port in 1..=16 {
            let found = hosts.find(&endpoint(&format!("tcp://h:{port}"))).unwrap();
            assert_eq!(found.unwrap().identity, identity(port));
        }
    }
}
