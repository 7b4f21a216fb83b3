//! The certificate of `tls://` listeners: the files that were named, or a self-signed pair of our own.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use fernwire::certs::folder::{Folder, is_there};
use fernwire::certs::host_name::{HostName, names_in};
use fernwire::certs::pem::{PemError, load_certificates};
use fernwire::certs::summary::{self, Summary};
use fernwire::certs::{self, signature};
use fernwire::config::{self, TlsFiles};
use fernwire::transport::endpoint::Endpoint;
use fernwire::transport::tcp;
use fernwire::transport::tls::ServerCertificate;
use rustls_pki_types::CertificateDer;
use tracing::{info, warn};

/// What a server shows its TLS clients.
pub(crate) struct Certificate {
    loaded: ServerCertificate,
    /// The pair in the data directory, which we renew when it is due and ours.
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
            let (made, loaded) = own.renewed(|files| Ok(ServerCertificate::load(&files.cert, &files.key)?))?;
            return Ok(Self { loaded, own: Some(own), made });
        };
        Ok(Self { loaded: ServerCertificate::load(&files.cert, &files.key)?, own: None, made: false })
    }

    /// What `prepare` would come to, in words, and what would be warned of, with nothing made; or what it would fail with.
    pub(crate) fn plan(
        named: Option<&TlsFiles>,
        data: &Path,
        listen: &[Endpoint],
    ) -> anyhow::Result<(String, Vec<String>)> {
        let (files, own) = match named {
            Some(files) => (files.clone(), None),
            None => {
                let own = OwnPair::of(data, listen);
                let made = match own.state()? {
                    State::Good | State::Foreign => None,
                    State::Missing => Some("made"),
                    State::Due | State::KeyMissing => Some("made anew"),
                };
                if let Some(made) = made {
                    let plan = format!("{}, self-signed, which would be {made}", own.files.cert.display());
                    return Ok((plan, Vec::new()));
                }
                (own.files.clone(), Some(own))
            }
        };
        let loaded = ServerCertificate::load(&files.cert, &files.key)?;
        let certificate = Self { loaded, own, made: false };
        let plan = format!("{}\n              ({})", certificate.describe(), certificate.origin());
        Ok((plan, certificate.warnings()))
    }

    /// For listeners.
    pub(crate) fn shown(&self) -> ServerCertificate {
        self.loaded.clone()
    }

    /// Loads the files anew; what cannot be used changes nothing.
    pub(crate) fn reload(&self) {
        let reloaded = match &self.own {
            Some(own) => own.renewed(|_| Ok(self.loaded.reload()?)).map(|(_, ())| ()),
            None => self.loaded.reload().map_err(anyhow::Error::from),
        };
        match reloaded {
            Ok(()) => {
                info!(certificate = self.describe(), "certificate reloaded; new connections get it");
                self.warn();
            }
            Err(error) => warn!(reason = %error, "certificate not reloaded; the one before it stays in use"),
        }
    }

    /// What is done from time to time: our own pair is renewed when it is due, of any other the log tells.
    pub(crate) fn look_after(&self) {
        match self.own.as_ref().map(OwnPair::is_due) {
            Some(true) => self.reload(),
            _ => self.warn(),
        }
    }

    /// Tells the log what keeps clients from accepting the certificate, or soon will.
    pub(crate) fn warn(&self) {
        for reason in self.warnings() {
            warn!(reason, "clients that verify the certificate refuse it, or will");
        }
    }

    /// What keeps clients that verify the certificate from accepting it, or soon will.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let Some(summary) = self.loaded.summary() else { return Vec::new() };
        let until = summary::minute(summary.not_after);
        let lacking = self.lacking_names();
        let found = [
            (summary.has_ended(), format!("the certificate has ended: it was valid until {until}")),
            (!summary.has_ended() && summary.is_due(), format!("the certificate ends soon, {until}; renew it")),
            (!summary.has_begun(), format!("the certificate begins at {}", summary::minute(summary.not_before))),
            (summary.is_authority, "the certificate is an authority's and not a server's; name server.pem".to_owned()),
            (!summary.is_for_servers, "the certificate is not meant for servers (its extended key usage)".to_owned()),
            (summary.names.is_empty(), "the certificate is for no name; clients look for one in it".to_owned()),
            (!lacking.is_empty(), format!("the certificate was not made by this server, and lacks {lacking}")),
        ];
        found.into_iter().filter(|(applies, _)| *applies).map(|(_, words)| words).collect()
    }

    /// Somebody's own pair in the place of ours stays as it is, so that person has to see to its names.
    fn lacking_names(&self) -> String {
        let (Some(own), Some(shown)) = (&self.own, self.in_file()) else { return String::new() };
        if signature::is_own(&shown) {
            return String::new();
        }
        own.lacking(&shown).map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    /// The certificate in its file.
    fn in_file(&self) -> Option<CertificateDer<'static>> {
        load_certificates(self.loaded.path()).ok()?.into_iter().next()
    }

    /// For people: its names and its end.
    pub(crate) fn describe(&self) -> String {
        let describe = |summary: Summary| format!("{}; until {}", summary.names(), summary::day(summary.not_after));
        self.loaded.summary().map_or_else(String::new, describe)
    }

    /// For people: where it comes from.
    pub(crate) fn origin(&self) -> String {
        let is_self_signed = self.in_file().is_some_and(|certificate| signature::is_self_signed(&certificate));
        let kind = if is_self_signed { ", self-signed" } else { "" };
        format!("{}{kind}{}", self.loaded.path().display(), if self.made { ", made just now" } else { "" })
    }

    /// The name under which clients that verify the certificate can reach this host: its own if the certificate is for it.
    pub(crate) fn name_for(&self, host: &str) -> String {
        let names = self.in_file().map(|certificate| names_in(&certificate)).unwrap_or_default();
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let is_for_host = names.iter().any(|name| name == host);
        let other = names.into_iter().find(|name| !is_for_host && !name.starts_with('*'));
        other.unwrap_or_else(|| host.to_owned())
    }

    /// A file that a client can name with --ca, if there is one here: a self-signed certificate vouches for itself, and
    /// beside one of ours lies its authority's.
    pub(crate) fn authority_file(&self) -> Option<PathBuf> {
        let shown = self.in_file()?;
        if signature::is_self_signed(&shown) {
            return std::path::absolute(self.loaded.path()).ok();
        }
        let beside = std::path::absolute(self.loaded.path().with_file_name(config::CA_FILE)).ok()?;
        signature::has_issued(load_certificates(&beside).ok()?.first()?, &shown).then_some(beside)
    }
}

/// Whether our own pair can be used.
enum State {
    Good,
    /// It is ours, and about to end, or lacks a name, or is not for the key.
    Due,
    /// The certificate is ours, and its key was not written or is lost.
    KeyMissing,
    Missing,
    /// Somebody has put another pair in its place.
    Foreign,
}

impl OwnPair {
    fn of(data: &Path, listen: &[Endpoint]) -> Self {
        Self { files: config::own_tls_files(data), names: own_names(listen) }
    }

    fn folder(&self) -> &Path {
        self.files.cert.parent().unwrap_or(&self.files.cert)
    }

    /// The same for `--check` and for serving.
    fn state(&self) -> anyhow::Result<State> {
        let TlsFiles { cert, key } = &self.files;
        let has_key = is_there(key)?;
        if !has_key && !is_there(cert)? {
            return Ok(State::Missing);
        }
        let own = load_certificates(cert).ok().and_then(|found| found.into_iter().next()).filter(signature::is_own);
        match (ServerCertificate::load(cert, key), own) {
            (Ok(_), None) => Ok(State::Foreign),
            (Ok(loaded), Some(own)) => {
                let is_due = loaded.summary().is_none_or(|summary| summary.is_due());
                Ok(if is_due || self.lacking(&own).next().is_some() { State::Due } else { State::Good })
            }
            (Err(_), Some(_)) if !has_key => Ok(State::KeyMissing),
            (Err(PemError::Mismatch { .. }), Some(_)) => Ok(State::Due),
            (Err(error), _) => Err(anyhow!(
                "{error}; remove both tls-cert.pem and tls-key.pem from {} to have them made anew",
                self.folder().display()
            )),
        }
    }

    /// Whether it is ours to make, and should be.
    fn is_due(&self) -> bool {
        matches!(self.state(), Ok(State::Due | State::Missing | State::KeyMissing))
    }

    /// The names that the certificate should have and does not.
    fn lacking<'a>(&'a self, certificate: &CertificateDer<'_>) -> impl Iterator<Item = &'a HostName> {
        let there = names_in(certificate);
        self.names.iter().filter(move |name| !there.contains(name))
    }

    /// Makes what is missing or due, and loads it, while no other server does so; tells whether anything was made.
    fn renewed<T>(&self, load: impl FnOnce(&TlsFiles) -> anyhow::Result<T>) -> anyhow::Result<(bool, T)> {
        let folder = Folder::lock(self.folder(), || info!("waiting for another server that looks at its certificate"))?;
        let made = self.make(&folder)?;
        Ok((made, load(&self.files)?))
    }

    /// A certificate that is made anew keeps its key, by which clients may know the server.
    fn make(&self, folder: &Folder) -> anyhow::Result<bool> {
        let TlsFiles { cert, key } = &self.files;
        let mut change = folder.change();
        match self.state()? {
            State::Good | State::Foreign => return Ok(false),
            State::Due => change.put_certificate(&certs::self_signed_again(&self.names, cert, key)?, cert)?,
            // A crash between the two leaves a certificate that is known as ours; a key alone is known as nobody's.
            State::Missing | State::KeyMissing => {
                change.put_pair_certificate_first(&certs::self_signed(&self.names)?, cert, key)?;
            }
        }
        change.commit()?;
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
