//! What `fernwire certs` finds in its folder, and what of it may be replaced.

use std::path::Path;

use anyhow::{anyhow, bail};
use fernwire::certs::folder::{is_there, kept_before};
use fernwire::certs::pem::{PemError, PemPair, load_certificates, load_sole_certificate};
use fernwire::certs::{self, Authority, CertificateError, signature};
use fernwire::config::TlsFiles;
use rustls_pki_types::CertificateDer;

use super::Files;

/// The authority in use.
pub(super) struct Found {
    pub(super) key: Authority,
    pub(super) is_new: bool,
    /// Its certificate, or that of the one before it.
    known: Vec<CertificateDer<'static>>,
}

/// The server's pair that is there.
pub(super) enum FoundServer {
    Missing,
    /// The authority can make another at any time.
    Ours,
    /// The certificate is, and the key belongs to something else.
    OurCertificate,
    /// An authority issued it that has been replaced since.
    Outdated,
    /// Somebody may want it back, and this is why.
    Foreign(String),
}

const BEGIN_ANEW: &str = "or begin a new authority with --force, whose ca.pem every client then needs";

impl Files {
    /// The authority that is there, or a new one; nothing is written yet.
    pub(super) fn authority(&self, force: bool) -> anyhow::Result<Found> {
        let (ca, ca_key) = (self.ca.display(), self.ca_key.display());
        let there = (is_there(&self.ca)?, is_there(&self.ca_key)?);
        if force {
            let known = load_certificates(&self.ca).unwrap_or_default();
            return Ok(Found { key: Authority::generate()?, is_new: true, known });
        }
        match there {
            (true, true) => {
                let loaded = PemPair::load(&self.ca, &self.ca_key).map_err(CertificateError::from);
                let key = loaded.and_then(Authority::from_pem).map_err(|error| self.explain(error))?;
                let known = vec![key.pem().certificate()?];
                Ok(Found { key, is_new: false, known })
            }
            (true, false) => {
                bail!("{ca} is there without its key; put {ca_key} back to issue certificates with it, {BEGIN_ANEW}")
            }
            (false, true) => bail!("{ca_key} is there without {ca}; put that back, {BEGIN_ANEW}"),
            // Perhaps a run with --force was interrupted; in any case there has been an authority.
            (false, false) if !kept_before(&self.ca).is_empty() => {
                bail!("{ca} is not there, and {ca}.old is; put that back, with its key, {BEGIN_ANEW}")
            }
            (false, false) => Ok(Found { key: Authority::generate()?, is_new: true, known: Vec::new() }),
        }
    }

    /// A run with --force that was interrupted leaves a new key with the old certificate.
    fn explain(&self, error: CertificateError) -> anyhow::Error {
        match error {
            CertificateError::Pem(PemError::Mismatch { .. }) => {
                let (ca, ca_key) = (self.ca.display(), self.ca_key.display());
                let before = match kept_before(&self.ca_key).last() {
                    Some(kept) => format!("put the one that does back ({} may be it)", kept.display()),
                    None => "put the one that does back".to_owned(),
                };
                anyhow!("the key in {ca_key} does not belong to the authority in {ca}; {before}, {BEGIN_ANEW}")
            }
            error => error.into(),
        }
    }

    /// What is at server.pem and server-key.pem, by signatures and keys, since anybody can write a name.
    pub(super) fn server(&self, authority: &Found) -> anyhow::Result<FoundServer> {
        let TlsFiles { cert, key } = &self.server;
        let has_key = match (is_there(cert)?, is_there(key)?) {
            (false, false) => return Ok(FoundServer::Missing),
            (false, true) => {
                return Ok(FoundServer::Foreign(format!("{} is there without {}", key.display(), cert.display())));
            }
            (true, has_key) => has_key,
        };
        let certificate = match load_sole_certificate(cert) {
            Ok(certificate) => certificate,
            Err(error) => return Ok(FoundServer::Foreign(error.to_string())),
        };
        // What `certs` has written holds one certificate and nothing else.
        let issued_by = |authorities: &[CertificateDer<'_>]| {
            let certificate = certificate.as_ref();
            certificate.is_some_and(|found| authorities.iter().any(|known| signature::has_issued(known, found)))
        };
        let before = kept_before(&self.ca).into_iter().flat_map(|kept| load_certificates(&kept).unwrap_or_default());
        Ok(match issued_by(&authority.known) {
            true if !has_key || certs::load_pair(cert, key).is_ok() => FoundServer::Ours,
            true => FoundServer::OurCertificate,
            false if issued_by(&before.collect::<Vec<_>>()) => FoundServer::Outdated,
            false => FoundServer::Foreign(format!("{} was not issued by this authority", cert.display())),
        })
    }

    /// Without --force. That would replace the authority too, so it is no advice.
    pub(super) fn refuse(&self, reason: &str) -> anyhow::Error {
        let TlsFiles { cert, key } = &self.server;
        anyhow!(
            "{reason}, and it may be wanted; move both {} and {} away to have new ones made, or name another folder with \
             --out",
            cert.display(),
            key.display()
        )
    }

    /// What cannot be made again.
    pub(super) fn worth_keeping(&self, found: &FoundServer) -> Vec<&Path> {
        let TlsFiles { cert, key } = &self.server;
        match found {
            FoundServer::Missing | FoundServer::Ours => vec![],
            FoundServer::OurCertificate => vec![key],
            FoundServer::Outdated | FoundServer::Foreign(_) => vec![cert, key],
        }
    }
}
