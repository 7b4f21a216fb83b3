//! Certificates for TLS (X.509 v3, RFC 5280): an authority of our own, server certificates under it, and self-signed
//! ones.
//!
//! ```text
//! Authority (ca.pem, ca-key.pem) --issue--> PemPair (server.pem, server-key.pem)      self_signed() --> PemPair
//! Folder --change--> keep, put_pair --commit--> all of it, back to back
//! ```
//! All keys are ECDSA on P-256, which every TLS library takes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType, SerialNumber,
};
use time::OffsetDateTime;
use zeroize::Zeroizing;

pub mod folder;
pub mod host_name;
pub mod pem;
pub mod signature;
pub mod summary;

use host_name::HostName;
use pem::{PemError, PemPair};
use summary::Summary;

/// How long an authority's certificate is valid: 10 years.
pub const AUTHORITY_LIFETIME: Duration = Duration::from_secs(3650 * DAY);
/// How long a server's certificate is valid: a year, and never longer than its authority's.
pub const SERVER_LIFETIME: Duration = Duration::from_secs(365 * DAY);
/// How long before its end a certificate should be renewed.
pub const RENEWAL_TIME: Duration = Duration::from_secs(30 * DAY);
/// Certificates begin this long before they are made, for clients whose clocks are behind.
const CLOCK_SKEW: Duration = Duration::from_secs(3600);

const DAY: u64 = 24 * 3600;

/// What the names of our authorities begin with.
pub const AUTHORITY_NAME: &str = "Fernwire CA";
/// How the names of our self-signed certificates begin, by which they are known as ours.
const SELF_SIGNED: &str = "Fernwire self-signed";

/// Why no certificate could be made.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// No names were given.
    #[error("a server's certificate needs at least one name or address")]
    NoNames,
    /// The authority has ended, or ends too soon to be of use.
    #[error("the authority `{name}` is valid until {not_after} and can issue no more; begin a new one with --force")]
    AuthorityEnds {
        /// The authority's name.
        name: String,
        /// Its last day.
        not_after: String,
    },
    /// The certificate is a server's.
    #[error("the certificate of `{0}` is not an authority's, so it can issue none")]
    NotAnAuthority(String),
    /// One of the files cannot be used.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// The system gave no random bytes.
    #[error("the operating system gave no random bytes: {0}")]
    Entropy(#[from] getrandom::Error),
    /// The authority's certificate or key serves for something else.
    #[error("the authority of {} could issue nothing: {source}", .path.display())]
    Issue {
        /// Its certificate's file.
        path: PathBuf,
        /// What the generator says.
        source: rcgen::Error,
    },
    /// The generator refused.
    #[error("no certificate could be made: {0}")]
    Generator(#[from] rcgen::Error),
}

/// A certificate authority (CA): whoever trusts its certificate trusts the servers that it has issued one for.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    summary: Summary,
    pem: PemPair,
}

impl Authority {
    /// A new authority with a name of its own, so that two are never taken for each other.
    pub fn generate() -> Result<Self, CertificateError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = params(&marked_name(AUTHORITY_NAME)?, OffsetDateTime::now_utc() + AUTHORITY_LIFETIME)?;
        // It issues certificates of servers, and no further authorities.
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?;
        Self::from_pem(PemPair::new(certificate.pem(), Zeroizing::new(key.serialize_pem())))
    }

    /// The authority of this certificate and key.
    pub fn from_pem(pem: PemPair) -> Result<Self, CertificateError> {
        let certificate = pem.certificate()?;
        let summary = Summary::of(&certificate).ok_or_else(|| pem.unusable("it cannot be read".into()))?;
        if !summary.is_authority {
            return Err(CertificateError::NotAnAuthority(summary.subject));
        }
        let key = key_pair(&pem)?;
        pem.check_key(key.public_key_raw(), &certificate)?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key)
            .map_err(|source| CertificateError::Issue { path: pem.certificate_path().to_owned(), source })?;
        Ok(Self { issuer, summary, pem })
    }

    /// What its certificate says.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Its certificate and key.
    pub fn pem(&self) -> &PemPair {
        &self.pem
    }

    /// A new key, and a certificate for a server under these names.
    pub fn issue(&self, names: &[HostName]) -> Result<PemPair, CertificateError> {
        let now = OffsetDateTime::now_utc();
        let not_after = (now + SERVER_LIFETIME).min(self.summary.not_after);
        if not_after < now + RENEWAL_TIME {
            return Err(CertificateError::AuthorityEnds {
                name: self.summary.subject.clone(),
                not_after: summary::day(self.summary.not_after),
            });
        }
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let signed = server_params(&common_name(names)?, names, not_after)?.signed_by(&key, &self.issuer);
        let certificate = signed
            .map_err(|source| CertificateError::Issue { path: self.pem.certificate_path().to_owned(), source })?;
        Ok(PemPair::new(certificate.pem(), Zeroizing::new(key.serialize_pem())))
    }
}

/// A new key, and a certificate that nobody but itself vouches for: for clients that pin the server's identity.
pub fn self_signed(names: &[HostName]) -> Result<PemPair, CertificateError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = self_sign(&marked_name(SELF_SIGNED)?, names, &key)?;
    Ok(PemPair::new(certificate, Zeroizing::new(key.serialize_pem())))
}

/// A new self-signed certificate for the key in this file, for those who know the server by it. It is called as the one
/// before it, if that is for the same key.
pub fn self_signed_again(names: &[HostName], before: &Path, key: &Path) -> Result<PemPair, CertificateError> {
    let before = load_pair(before, key).and_then(|pair| pair.certificate()).ok().filter(signature::is_own);
    let common_name = match before.as_ref().and_then(Summary::of) {
        Some(before) => before.subject,
        None => marked_name(SELF_SIGNED)?,
    };
    let key = PemPair::load_key(key)?;
    let certificate = self_sign(&common_name, names, &key_pair(&key)?)?;
    Ok(key.with_certificate(certificate))
}

fn self_sign(common_name: &str, names: &[HostName], key: &KeyPair) -> Result<String, CertificateError> {
    let params = server_params(common_name, names, OffsetDateTime::now_utc() + SERVER_LIFETIME)?;
    Ok(params.self_signed(key)?.pem())
}

/// Reads a certificate and its key, which must belong together.
pub fn load_pair(certificate: &Path, key: &Path) -> Result<PemPair, PemError> {
    let pair = PemPair::load(certificate, key)?;
    pair.check_key(key_pair(&pair)?.public_key_raw(), &pair.certificate()?)?;
    Ok(pair)
}

/// Whatever form the key is in.
fn key_pair(pem: &PemPair) -> Result<KeyPair, PemError> {
    KeyPair::try_from(&*Zeroizing::new(pem.private_key()?)).map_err(|_| pem.unusable_key())
}

/// A name that begins like this and is nobody else's.
fn marked_name(kind: &str) -> Result<String, CertificateError> {
    let mut mark = [0; 4];
    getrandom::fill(&mut mark)?;
    Ok(format!("{kind} {:08x}", u32::from_be_bytes(mark)))
}

/// What every certificate of ours has.
fn params(common_name: &str, not_after: OffsetDateTime) -> Result<CertificateParams, CertificateError> {
    let mut params = CertificateParams::default();
    params.not_before = OffsetDateTime::now_utc() - CLOCK_SKEW;
    params.not_after = not_after;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    // RFC 5280, section 4.1.2.2: positive, unique for the issuer, at most 20 bytes.
    let mut serial = [0; 16];
    getrandom::fill(&mut serial)?;
    serial[0] = serial[0] & 0x7f | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(params)
}

/// Clients look at the alternative names alone; the common name is for people.
fn server_params(
    common_name: &str,
    names: &[HostName],
    not_after: OffsetDateTime,
) -> Result<CertificateParams, CertificateError> {
    if names.is_empty() {
        return Err(CertificateError::NoNames);
    }
    let mut params = params(common_name, not_after)?;
    params.use_authority_key_identifier_extension = true;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.subject_alt_names = names.iter().map(alternative_name).collect::<Result<_, _>>()?;
    Ok(params)
}

/// The first name. RFC 5280, appendix A.1: a common name has at most 64 characters.
fn common_name(names: &[HostName]) -> Result<String, CertificateError> {
    Ok(names.first().ok_or(CertificateError::NoNames)?.to_string().chars().take(64).collect())
}

fn alternative_name(name: &HostName) -> Result<SanType, rcgen::Error> {
    Ok(match name {
        HostName::Ip(address) => SanType::IpAddress(*address),
        HostName::Dns(name) => SanType::DnsName(name.as_str().try_into()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(texts: &[&str]) -> Vec<HostName> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn an_authority_issues_what_was_asked_for() {
        let authority = Authority::generate().unwrap();
        assert!(authority.summary().is_authority && authority.summary().is_self_signed);
        let issued = authority.issue(&names(&["Example.org", "*.example.org", "10.0.0.7", "::1"])).unwrap();
        let summary = Summary::of(&issued.certificate().unwrap()).unwrap();
        assert_eq!(summary.names, ["example.org", "*.example.org", "10.0.0.7", "::1"]);
        assert_eq!(summary.issuer, authority.summary().subject);
        assert!(!summary.is_authority && !summary.is_self_signed);
        let lifetime = summary.not_after - summary.not_before;
        assert_eq!(lifetime, time::Duration::try_from(SERVER_LIFETIME + CLOCK_SKEW).unwrap());
        assert!(!summary.is_due() && !summary.has_ended());
    }

    #[test]
    fn an_authority_survives_its_files_and_issues_again() {
        let authority = Authority::generate().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("ca.pem"), folder.path().join("ca-key.pem"));
        authority.pem().save(&certificate, &key).unwrap();
        let again = Authority::from_pem(PemPair::load(&certificate, &key).unwrap()).unwrap();
        assert_eq!(again.summary(), authority.summary());
        let issued = again.issue(&names(&["localhost"])).unwrap();
        assert_eq!(Summary::of(&issued.certificate().unwrap()).unwrap().issuer, authority.summary().subject);
    }

    #[test]
    fn two_authorities_have_two_names() {
        let [one, other] = [(); 2].map(|()| Authority::generate().unwrap().summary().subject.clone());
        assert_ne!(one, other);
    }

    #[test]
    fn a_server_is_no_authority_and_a_key_belongs_to_one_certificate() {
        let authority = Authority::generate().unwrap();
        let server = authority.issue(&names(&["localhost"])).unwrap();
        assert!(matches!(Authority::from_pem(server).err(), Some(CertificateError::NotAnAuthority(_))));
        let other = Authority::generate().unwrap();
        let mixed =
            PemPair::new(authority.pem().certificate_text().to_owned(), Zeroizing::new(other.pem().key().to_owned()));
        assert!(matches!(Authority::from_pem(mixed).err(), Some(CertificateError::Pem(PemError::Mismatch { .. }))));
    }

    #[test]
    fn a_self_signed_certificate_is_a_servers() {
        let pair = self_signed(&names(&["localhost"])).unwrap();
        let summary = Summary::of(&pair.certificate().unwrap()).unwrap();
        assert!(summary.is_self_signed && !summary.is_authority);
        assert!(matches!(self_signed(&[]).err(), Some(CertificateError::NoNames)));
    }
}
