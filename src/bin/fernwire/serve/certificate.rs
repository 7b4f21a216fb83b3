//! The certificate of `tls://` listeners: the files that were named, or a self-signed pair of our own.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use fernwire::certs;
use fernwire::certs::host_name::HostName;
use fernwire::certs::pem::load_certificates;
use fernwire::certs::summary::{self, Summary};
use fernwire::config::{self, TlsFiles};
use fernwire::transport::endpoint::Endpoint;
use fernwire::transport::tcp;
use fernwire::transport::tls::ServerCertificate;
use tracing::{info, warn};

/// What a server shows its TLS clients.
pub(crate) struct Certificate {
    loaded: ServerCertificate,
    /// Our own pair, which we renew when it is due.
    own: Option<OwnPair>,
    /// Whether this run has made it.
    made: bool,
}

struct OwnPair {
    files: TlsFiles,
    names: Vec<HostName>,
}

impl Certificate {
    /// Reads the named files; without any, our own pair in the data directory, which is made if it is missing or due.
    pub(crate) fn prepare(named: Option<&TlsFiles>, data: &Path, listen: &[Endpoint]) -> anyhow::Result<Self> {
        let Some(files) = named else {
            let own = OwnPair::of(data, listen);
            let made = own.renew_if_due()?;
            let loaded = ServerCertificate::load(&own.files.cert, &own.files.key)?;
            return Ok(Self { loaded, own: Some(own), made });
        };
        Ok(Self { loaded: ServerCertificate::load(&files.cert, &files.key)?, own: None, made: false })
    }

    /// What `prepare` would come to, in words, with nothing made; or what it would fail with.
    pub(crate) fn plan(named: Option<&TlsFiles>, data: &Path, listen: &[Endpoint]) -> anyhow::Result<String> {
        let own = OwnPair::of(data, listen);
        let (files, made) = match (named, own.state()) {
            (Some(files), _) => (files, false),
            (None, state) => match state? {
                State::Good => (&own.files, false),
                State::Due => {
                    return Ok(format!("{}, self-signed, which would be made anew", own.files.cert.display()));
                }
                State::Missing => return Ok(format!("{}, self-signed, which would be made", own.files.cert.display())),
            },
        };
        let certificate = Self { loaded: ServerCertificate::load(&files.cert, &files.key)?, own: None, made };
        Ok(format!("{}\n              ({})", certificate.describe(), certificate.origin()))
    }

    /// For listeners.
    pub(crate) fn shown(&self) -> ServerCertificate {
        self.loaded.clone()
    }

    /// Loads the files anew; what cannot be used changes nothing.
    pub(crate) fn reload(&self) {
        let renewed = self.own.as_ref().map_or(Ok(false), OwnPair::renew_if_due);
        match renewed.and_then(|_| Ok(self.loaded.reload()?)) {
            Ok(()) => {
                info!(certificate = self.describe(), "certificate reloaded; new connections get it");
                self.warn_if_due();
            }
            Err(error) => warn!(reason = %error, "certificate not reloaded; the one before it stays in use"),
        }
    }

    /// Tells the log of a certificate that clients will refuse, or soon.
    pub(crate) fn warn_if_due(&self) {
        let Some(summary) = self.loaded.summary() else { return };
        let until = summary::minute(summary.not_after);
        if summary.has_ended() {
            warn!(until, "the certificate has ended; clients that verify it refuse");
        } else if summary.is_due() {
            warn!(until, "the certificate ends soon; renew it, then send SIGHUP");
        }
        if summary.is_authority {
            warn!("the certificate is an authority's and not a server's; clients that verify it refuse");
        }
    }

    /// For people: its names and its end.
    pub(crate) fn describe(&self) -> String {
        let describe = |summary: Summary| format!("{}; until {}", summary.names(), summary::day(summary.not_after));
        self.loaded.summary().map_or_else(String::new, describe)
    }

    /// For people: where it comes from.
    pub(crate) fn origin(&self) -> String {
        let kind =
            if self.loaded.summary().is_some_and(|summary| summary.is_self_signed) { ", self-signed" } else { "" };
        format!("{}{kind}{}", self.loaded.path().display(), if self.made { ", made just now" } else { "" })
    }

    /// The name under which clients that verify the certificate can reach this host: its own if the certificate is for it.
    pub(crate) fn name_for(&self, host: &str) -> String {
        let names = self.loaded.summary().map(|summary| summary.names).unwrap_or_default();
        let is_for_host = names.iter().any(|name| name == host);
        let other = names.into_iter().find(|name| !is_for_host && !name.starts_with('*'));
        other.unwrap_or_else(|| host.to_owned())
    }

    /// A file that a client can name with --ca, if there is one here: a self-signed certificate vouches for itself, and
    /// beside one of ours lies its authority's.
    pub(crate) fn authority_file(&self) -> Option<PathBuf> {
        let summary = self.loaded.summary()?;
        if summary.is_self_signed {
            return std::path::absolute(self.loaded.path()).ok();
        }
        let beside = std::path::absolute(self.loaded.path().with_file_name(config::CA_FILE)).ok()?;
        let authority = Summary::of(load_certificates(&beside).ok()?.first()?)?;
        (authority.subject == summary.issuer).then_some(beside)
    }
}

/// Whether our own pair can be used.
enum State {
    Good,
    /// It is about to end, or lacks a name.
    Due,
    Missing,
}

impl OwnPair {
    fn of(data: &Path, listen: &[Endpoint]) -> Self {
        Self { files: config::own_tls_files(data), names: own_names(listen) }
    }

    fn state(&self) -> anyhow::Result<State> {
        if !self.files.cert.exists() && !self.files.key.exists() {
            return Ok(State::Missing);
        }
        let loaded = ServerCertificate::load(&self.files.cert, &self.files.key).map_err(|error| {
            let folder = self.files.cert.parent().unwrap_or(&self.files.cert).display();
            anyhow!("{error}; remove tls-cert.pem and tls-key.pem from {folder} to have them made anew")
        })?;
        let is_good = loaded.summary().is_some_and(|summary| {
            !summary.is_due() && self.names.iter().all(|name| summary.names.contains(&name.to_string()))
        });
        Ok(if is_good { State::Good } else { State::Due })
    }

    /// Makes the pair unless it is good; the result is whether it was made.
    fn renew_if_due(&self) -> anyhow::Result<bool> {
        if let State::Good = self.state()? {
            return Ok(false);
        }
        certs::self_signed(&self.names)?.save(&self.files.cert, &self.files.key)?;
        Ok(true)
    }
}

/// What this machine is called, and where the listeners can be reached.
fn own_names(listen: &[Endpoint]) -> Vec<HostName> {
    let hosts =
        listen.iter().filter_map(|endpoint| Some(tcp::reachable(endpoint).address.host_and_port()?.0.to_owned()));
    let hostname = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let always = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut names = Vec::new();
    // A host name that no certificate can have is left out; the others are enough.
    for name in always.into_iter().chain(hosts).chain([hostname]).filter_map(|text| text.parse().ok()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
