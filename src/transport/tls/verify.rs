//! Whether a server's certificate proves it, and if not, why: in words that compare what came with what was wanted.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use time::OffsetDateTime;

use crate::certs::AUTHORITY_NAME;
use crate::certs::pem::{PemError, load_certificates};
use crate::certs::summary::{self, Summary};

/// The most names that a command to paste repeats.
const MAX_HOSTS: usize = 10;

/// Who vouches for servers: the authorities that this system trusts, and those of a file.
#[derive(Debug, Clone, Default)]
pub struct Roots {
    file: Option<PathBuf>,
    authorities: Vec<CertificateDer<'static>>,
    /// The public keys of servers whose own certificates are in the file: each vouches for itself and nobody else.
    servers: Vec<Vec<u8>>,
}

impl Roots {
    /// The system's authorities, and those in this file (PEM), such as ca.pem. A certificate in it that is no authority's
    /// makes the server with its key trusted, under the names and until the day that the server's certificate then has.
    pub fn with_file(path: &Path) -> Result<Self, PemError> {
        let (mut authorities, mut servers) = (Vec::new(), Vec::new());
        for certificate in load_certificates(path)? {
            match Summary::of(&certificate) {
                Some(server) if !server.is_authority => servers.push(server.public_key),
                _ => authorities.push(certificate),
            }
        }
        Ok(Self { file: Some(path.into()), authorities, servers })
    }

    /// Whether somebody has named a file, and does not only go by the system's authorities.
    pub(super) fn are_named(&self) -> bool {
        self.file.is_some()
    }

    async fn store(&self) -> RootCertStore {
        let mut store = RootCertStore::empty();
        // A system without any, or with some that cannot be read, trusts fewer.
        let system = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
        store.add_parsable_certificates(system.map(|loaded| loaded.certs).unwrap_or_default());
        store.add_parsable_certificates(self.authorities.iter().cloned());
        store
    }

    /// `neither this system nor FILE`
    fn nobody(&self) -> String {
        match &self.file {
            Some(file) if self.authorities.is_empty() => format!(
                "this system does not trust (and {} has no authority's certificate in it, but a server's)",
                file.display()
            ),
            Some(file) => format!("neither this system nor {} trusts", file.display()),
            None => "this system does not trust".to_owned(),
        }
    }
}

/// Why a certificate was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is for other hosts.
    #[error("its certificate is for {names}, and not for {wanted}; connect under a name that is in it, or {remedy}")]
    Name {
        /// What it is for.
        names: String,
        /// What was dialled.
        wanted: String,
        /// How to come by one that is for both.
        remedy: String,
    },
    /// It has ended.
    #[error(
        "its certificate was valid until {not_after}, and now it is {now}; renew it where it was made, then send the \
         server SIGHUP; or set this clock"
    )]
    Expired {
        /// Its last moment.
        not_after: String,
        /// This machine's time.
        now: String,
    },
    /// It has not begun.
    #[error("its certificate is valid from {not_before} on, and here it is {now}; set the clock that is wrong")]
    NotYetValid {
        /// Its first moment.
        not_before: String,
        /// This machine's time.
        now: String,
    },
    /// Nobody who is trusted has issued it.
    #[error(
        "its certificate was issued by `{issuer}`, whom {nobody}; take that authority's certificate (ca.pem) from whoever \
         runs the server and name it with --ca, or use the address with the server's identity, #fwk1_..., which \
         `fernwire id` prints there"
    )]
    UnknownIssuer {
        /// Who has issued it.
        issuer: String,
        /// Who does not trust them.
        nobody: String,
    },
    /// It vouches for itself.
    #[error(
        "its certificate is self-signed (`{subject}`), and nobody vouches for it; use the address with the server's \
         identity, #fwk1_..., which `fernwire id` prints there, or have a certificate issued with `fernwire certs`"
    )]
    SelfSigned {
        /// Whose it says it is.
        subject: String,
    },
    /// It names a trusted issuer who has not signed it.
    #[error(
        "its certificate names `{issuer}` as its issuer and was not signed with that authority's key; an older ca.pem \
         may be at hand, or somebody may be posing as the server"
    )]
    BadSignature {
        /// The issuer that it names.
        issuer: String,
    },
    /// It is an authority's own.
    #[error(
        "its certificate is that of an authority (`{subject}`) and not of a server; on the server, name server.pem with \
         --tls-cert, and not ca.pem"
    )]
    Authority {
        /// Whose it is.
        subject: String,
    },
    /// It is not for servers.
    #[error("its certificate (`{subject}`) is not meant for servers; have one made with `fernwire certs`")]
    Purpose {
        /// Whose it is.
        subject: String,
    },
    /// Anything else.
    #[error("its certificate was refused: {0}")]
    Other(String),
}

impl Refused {
    fn new(
        error: &Error,
        certificate: &CertificateDer<'_>,
        host: &ServerName<'_>,
        now: UnixTime,
        roots: &Roots,
    ) -> Self {
        let (Error::InvalidCertificate(error), Some(summary)) = (error, Summary::of(certificate)) else {
            return Self::Other(error.to_string());
        };
        let now = moment(now);
        match error {
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                let wanted = host.to_str().into_owned();
                Self::Name { names: summary.names(), remedy: another_name(&summary, &wanted), wanted }
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                Self::Expired { not_after: summary::minute(summary.not_after), now }
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotYetValid { not_before: summary::minute(summary.not_before), now }
            }
            _ if summary.is_authority => Self::Authority { subject: summary.subject },
            // The name in a self-signed certificate may by chance be that of a trusted authority with another key.
            CertificateError::UnknownIssuer
            | CertificateError::BadSignature
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. }
                if summary.is_self_signed =>
            {
                Self::SelfSigned { subject: summary.subject }
            }
            CertificateError::UnknownIssuer => Self::UnknownIssuer { issuer: summary.issuer, nobody: roots.nobody() },
            CertificateError::BadSignature
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                Self::BadSignature { issuer: summary.issuer }
            }
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                Self::Purpose { subject: summary.subject }
            }
            other => Self::Other(other.to_string()),
        }
    }
}

/// How to have a certificate that is for one more name. Whoever issues one names all: the others would be gone.
fn another_name(certificate: &Summary, wanted: &str) -> String {
    let names = certificate.names.iter().map(String::as_str).chain([wanted]);
    if certificate.is_self_signed {
        "use the address with the server's identity, #fwk1_..., which `fernwire id` prints on the server".to_owned()
    } else if certificate.issuer.starts_with(AUTHORITY_NAME) && certificate.names.len() <= MAX_HOSTS {
        let hosts: Vec<_> = names.map(|name| format!("--host {name}")).collect();
        format!("have it made again, where it was made, with `fernwire certs {}`", hosts.join(" "))
    } else {
        format!("ask whoever issued it, `{}`, for one that is for {wanted} too", certificate.issuer)
    }
}

/// Whether it has begun and not ended. For certificates from authorities webpki looks after this.
fn verify_time(certificate: &Summary, now: UnixTime) -> Result<(), Error> {
    match date(now) {
        Some(now) if now < certificate.not_before => Err(CertificateError::NotValidYet.into()),
        Some(now) if now <= certificate.not_after => Ok(()),
        _ => Err(CertificateError::Expired.into()),
    }
}

fn date(now: UnixTime) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(i64::try_from(now.as_secs()).ok()?).ok()
}

fn moment(now: UnixTime) -> String {
    date(now).map_or_else(|| "an impossible time".to_owned(), summary::minute)
}

/// Who vouches for a server, ready to be asked.
struct Trusted {
    roots: Roots,
    store: RootCertStore,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Trusted {
    /// Verifies a certificate for the host's name (RFC 5280, RFC 9525).
    fn verify(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Error> {
        let parsed = ParsedCertificate::try_from(certificate)?;
        if let Some(server) = Summary::of(certificate).filter(|shown| self.roots.servers.contains(&shown.public_key)) {
            verify_time(&server, now)?;
            return verify_server_name(&parsed, host);
        }
        verify_server_cert_signed_by_trust_anchor(&parsed, &self.store, intermediates, now, self.algorithms.all)?;
        verify_server_name(&parsed, host)
    }
}

/// Decides about a server's certificate, and remembers why one was refused.
pub(super) struct Verifier {
    /// Nobody where the identity in the endpoint stands in their place: then any certificate will do whose key the server
    /// holds.
    trusted: Option<Trusted>,
    algorithms: WebPkiSupportedAlgorithms,
    refused: Mutex<Option<Refused>>,
}

impl Verifier {
    /// Accepts what these vouch for.
    pub(super) async fn new(roots: &Roots, provider: &CryptoProvider) -> Self {
        let algorithms = provider.signature_verification_algorithms;
        let trusted = Trusted { roots: roots.clone(), store: roots.store().await, algorithms };
        Self { trusted: Some(trusted), algorithms, refused: Mutex::default() }
    }

    /// Accepts any certificate.
    pub(super) fn pinned(provider: &CryptoProvider) -> Self {
        let algorithms = provider.signature_verification_algorithms;
        Self { trusted: None, algorithms, refused: Mutex::default() }
    }

    /// Why the server's certificate was refused, if it was.
    pub(super) fn refusal(&self) -> Option<Refused> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(trusted) = &self.trusted else { return Ok(ServerCertVerified::assertion()) };
        let verified = trusted.verify(certificate, intermediates, host, now);
        verified.map(|()| ServerCertVerified::assertion()).inspect_err(|error| {
            let refused = Refused::new(error, certificate, host, now, &trusted.roots);
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(refused);
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}
