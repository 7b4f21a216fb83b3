//! A certificate and its private key as PEM (RFC 7468), in memory and in their two files.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer, X509Certificate, X509Version};
use zeroize::Zeroizing;

use super::folder::{Folder, FolderError};
use crate::keys::KeyFileError;
use crate::keys::files::{dangling_link, open_regular, read_at_most, read_private_key, refuse_key_as_name};

/// No file of certificates is longer than this many bytes; a longer one is refused.
const MAX_CERTIFICATE_FILE: u64 = 1 << 20;

/// What stands in a locked key of OpenSSL's older form (RFC 1421), which is between the markers of an open one.
const LOCKED: &str = "Proc-Type: 4,ENCRYPTED";

/// How the marker of every private key ends.
const PRIVATE_KEY: &str = "PRIVATE KEY-----";

/// Why a certificate or its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The key's file cannot be read, or the files not written.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// There is no certificate in it.
    #[error("{} holds {found}, and a certificate (PEM, `-----BEGIN CERTIFICATE-----`) is wanted", .path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
        /// What is there instead.
        found: &'static str,
    },
    /// There is no private key in it.
    #[error("{} holds {found}, and a private key (PEM, `-----BEGIN PRIVATE KEY-----`) is wanted", .path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
        /// What is there instead.
        found: &'static str,
    },
    /// Something in it is cut off or malformed.
    #[error("{} is damaged or only half written: {reason}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the reader stumbled over.
        reason: String,
    },
    /// The certificate is of an older kind.
    #[error(
        "{} cannot be used, since its version is {version}; TLS wants version 3: have it issued anew, with the names that \
         it is for (`fernwire certs` does so, and OpenSSL with -addext or -extfile)",
        .path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version: 1 or 2.
        version: u32,
    },
    /// The certificate's file holds a private key too, and others can read it.
    #[error(
        "{0} holds a private key beside its certificate, and can be read by other users (mode {mode:04o}); run: chmod \
         600 {0}",
        .path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key is another certificate's.
    #[error("the key in {} does not belong to the certificate in {}; name the two that were made together", .key.display(), .certificate.display())]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
}

/// A certificate with what follows it in its file, and its private key. The key is never shown.
pub struct PemPair {
    /// Wiped like the key, since some keep the key in the same file.
    certificate: Zeroizing<String>,
    key: Zeroizing<String>,
    /// Where they were read from, for messages.
    certificate_path: PathBuf,
    key_path: PathBuf,
}

impl PemPair {
    /// A pair that is in no file yet.
    pub fn new(certificate: String, key: Zeroizing<String>) -> Self {
        let (certificate_path, key_path) = ("the new certificate".into(), "the new key".into());
        Self { certificate: Zeroizing::new(certificate), key, certificate_path, key_path }
    }

    /// Reads both files; nobody but its owner may be able to read the key's.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, PemError> {
        let (text, found) = read_certificates(certificate)?;
        // Before the key is read, since this tells whether the two names were swapped.
        require_version_3(&certificates(&text, certificate)?[0], certificate)?;
        let mode = found.permissions().mode() & 0o7777;
        if text.contains(PRIVATE_KEY) && mode & 0o077 != 0 {
            return Err(PemError::Exposed { path: certificate.into(), mode });
        }
        let pair = Self {
            certificate: text,
            key: read_private_key(key)?,
            certificate_path: certificate.into(),
            key_path: key.into(),
        };
        Zeroizing::new(pair.private_key()?);
        Ok(pair)
    }

    /// Reads a key for which there is no certificate yet.
    pub(super) fn load_key(path: &Path) -> Result<Self, PemError> {
        Ok(Self { key_path: path.into(), ..Self::new(String::new(), read_private_key(path)?) })
    }

    /// The same key with another certificate.
    pub(super) fn with_certificate(self, certificate: String) -> Self {
        Self { certificate: Zeroizing::new(certificate), ..self }
    }

    /// Writes both files of one folder in place of what was there, when nobody else works on it.
    pub fn save(&self, certificate: &Path, key: &Path) -> Result<(), FolderError> {
        let folder = Folder::lock(key.parent().unwrap_or(key), || {})?;
        let mut change = folder.change();
        change.put_pair(self, certificate, key)?;
        change.commit()
    }

    /// The file that the certificate was read from, or words in its place.
    pub(super) fn certificate_path(&self) -> &Path {
        &self.certificate_path
    }

    /// The certificate's PEM.
    pub fn certificate_text(&self) -> &str {
        &self.certificate
    }

    /// The key's PEM.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// The certificate.
    pub fn certificate(&self) -> Result<CertificateDer<'static>, PemError> {
        Ok(self.chain()?.remove(0))
    }

    /// The certificate, and those between it and its root: at least one.
    pub fn chain(&self) -> Result<Vec<CertificateDer<'static>>, PemError> {
        certificates(&self.certificate, &self.certificate_path)
    }

    /// The private key.
    pub fn private_key(&self) -> Result<PrivateKeyDer<'static>, PemError> {
        PrivateKeyDer::from_pem_slice(self.key.as_bytes()).map_err(|error| match error {
            error if self.key.contains(LOCKED) || matches!(error, rustls_pki_types::pem::Error::NoItemsFound) => {
                PemError::NoKey { path: self.key_path.clone(), found: kind_of(&self.key) }
            }
            error => PemError::Damaged { path: self.key_path.clone(), reason: reason(&error) },
        })
    }

    /// What to say of a key that is not this certificate's.
    pub fn mismatch(&self) -> PemError {
        PemError::Mismatch { certificate: self.certificate_path.clone(), key: self.key_path.clone() }
    }

    /// What to say of a pair that a TLS library cannot use.
    pub fn unusable(&self, reason: String) -> PemError {
        PemError::Damaged { path: self.certificate_path.clone(), reason }
    }

    /// What to say of a key that a TLS library cannot use.
    pub fn unusable_key(&self) -> PemError {
        PemError::Damaged { path: self.key_path.clone(), reason: "it is no RSA, ECDSA or Ed25519 key".into() }
    }

    /// Whether this raw public key is the certificate's.
    pub(super) fn check_key(&self, public_key: &[u8], certificate: &CertificateDer<'_>) -> Result<(), PemError> {
        let (_, parsed) = X509Certificate::from_der(certificate).map_err(|error| self.unusable(error.to_string()))?;
        if parsed.public_key().subject_public_key.data == public_key { Ok(()) } else { Err(self.mismatch()) }
    }
}

/// Every certificate in a PEM file of certificates, such as ca.pem: at least one.
pub fn load_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    certificates(&read_certificates(path)?.0, path)
}

/// The certificate of a file that holds it and nothing else in PEM, such as server.pem.
pub fn load_sole_certificate(path: &Path) -> Result<Option<CertificateDer<'static>>, PemError> {
    let (text, _) = read_certificates(path)?;
    let mut found = certificates(&text, path)?;
    Ok((text.matches("-----BEGIN ").count() == 1).then(|| found.remove(0)))
}

fn certificates(text: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let damaged = |reason| PemError::Damaged { path: path.into(), reason };
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let parsed = parsed.map_err(|error| damaged(reason(&error)))?;
    if parsed.is_empty() {
        return Err(PemError::NoCertificate { path: path.into(), found: kind_of(text) });
    }
    for certificate in &parsed {
        X509Certificate::from_der(certificate).map_err(|_| damaged("a certificate in it cannot be read".into()))?;
    }
    Ok(parsed)
}

/// Older ones have no place for names, and no TLS library takes them. An authority may have one.
fn require_version_3(certificate: &CertificateDer<'_>, path: &Path) -> Result<(), PemError> {
    match X509Certificate::from_der(certificate) {
        Ok((_, parsed)) if parsed.version() != X509Version::V3 => {
            // They are counted from 0 (RFC 5280, section 4.1.2.1).
            Err(PemError::Version { path: path.into(), version: parsed.version().0 + 1 })
        }
        _ => Ok(()),
    }
}

fn read_certificates(path: &Path) -> Result<(Zeroizing<String>, Metadata), PemError> {
    let failed = |source| PemError::Read { path: path.into(), source };
    refuse_key_as_name(path)?;
    if let Some(link) = dangling_link(path) {
        return Err(failed(link.into()));
    }
    let (file, found) = open_regular(path).map_err(failed)?;
    let mut bytes = read_at_most(file, MAX_CERTIFICATE_FILE).map_err(failed)?;
    // PEM is ASCII between its markers; what stands around them does not matter. In place, so that no copy is left.
    bytes.iter_mut().filter(|byte| !byte.is_ascii()).for_each(|byte| *byte = b'?');
    let text = String::from_utf8(std::mem::take(&mut *bytes)).unwrap_or_else(|_| unreachable!("it is ASCII"));
    Ok((Zeroizing::new(text), found))
}

/// What the text is instead of what was wanted. Its content is never repeated.
fn kind_of(text: &str) -> &'static str {
    if text.trim().is_empty() {
        "nothing"
    } else if text.contains("ENCRYPTED PRIVATE KEY-----") || text.contains(LOCKED) {
        "a private key that is locked with a password (unlock it with `openssl pkey -in OLD -out NEW`)"
    } else if text.contains(PRIVATE_KEY) {
        "a private key"
    } else if text.contains("-----BEGIN CERTIFICATE-----") {
        "a certificate"
    } else if text.contains("-----BEGIN ") {
        "PEM of another kind"
    } else {
        "no PEM"
    }
}

fn reason(error: &rustls_pki_types::pem::Error) -> String {
    match error {
        rustls_pki_types::pem::Error::MissingSectionEnd { .. } => "a section has no end".into(),
        rustls_pki_types::pem::Error::Base64Decode(_) => "what stands between the markers is not base64".into(),
        _ => "a marker is malformed".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::certs::self_signed;

    struct Files(tempfile::TempDir);

    impl Files {
        fn new() -> Self {
            let files = Self(tempfile::tempdir().unwrap());
            let pair = self_signed(&["localhost".parse().unwrap()]).unwrap();
            pair.save(&files.path("server.pem"), &files.path("server-key.pem")).unwrap();
            files
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn edit(&self, name: &str, change: impl FnOnce(String) -> String) {
            let text = fs::read_to_string(self.path(name)).unwrap();
            fs::write(self.path(name), change(text)).unwrap();
        }

        fn load(&self) -> Result<PemPair, PemError> {
            PemPair::load(&self.path("server.pem"), &self.path("server-key.pem"))
        }

        fn refuses(&self, words: &[&str]) {
            let error = self.load().err().unwrap().to_string();
            words.iter().for_each(|word| assert!(error.contains(word), "no `{word}` in {error:?}"));
        }
    }

    #[test]
    fn a_pair_is_read_back_and_its_key_is_private() {
        let files = Files::new();
        let mode = |name| fs::metadata(files.path(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("server.pem"), mode("server-key.pem")), (0o644, 0o600));
        let pair = files.load().unwrap();
        assert_eq!(pair.chain().unwrap().len(), 1);
        pair.save(&files.path("server.pem"), &files.path("server-key.pem")).unwrap();
        assert_eq!(mode("server-key.pem"), 0o600);
    }

    #[test]
    fn each_mistake_has_its_own_error() {
        let files = Files::new();
        fs::remove_file(files.path("server.pem")).unwrap();
        files.refuses(&["cannot read", "server.pem", "No such file"]);

        let files = Files::new();
        fs::remove_file(files.path("server-key.pem")).unwrap();
        files.refuses(&["no key file", "server-key.pem"]);

        for name in ["server.pem", "server-key.pem"] {
            let files = Files::new();
            fs::remove_file(files.path(name)).unwrap();
            std::os::unix::fs::symlink("/nowhere/at-all.pem", files.path(name)).unwrap();
            files.refuses(&["cannot read ", name, "a link that leads nowhere; mount what /nowhere/at-all.pem is on"]);
        }

        let files = Files::new();
        fs::set_permissions(files.path("server-key.pem"), Permissions::from_mode(0o640)).unwrap();
        files.refuses(&["chmod 600", "server-key.pem"]);

        let files = Files::new();
        files.edit("server.pem", |_| String::new());
        files.refuses(&["server.pem holds nothing", "BEGIN CERTIFICATE"]);

        let files = Files::new();
        files.edit("server-key.pem", |key| key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"));
        files.refuses(&["server-key.pem", "locked with a password"]);
    }

    #[test]
    fn an_older_version_is_called_by_its_number() {
        use base64::Engine;
        use base64::engine::general_purpose::STANDARD;
        let files = Files::new();
        let mut der = load_certificates(&files.path("server.pem")).unwrap()[0].to_vec();
        // `[0] { INTEGER 2 }` (RFC 5280, section 4.1.2.1), of which the others are 0 and 1.
        let version = der.windows(5).position(|bytes| bytes == [0xa0, 3, 2, 1, 2]).unwrap() + 4;
        for number in [0, 1] {
            der[version] = number;
            let body = STANDARD.encode(&der);
            files.edit("server.pem", |_| format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"));
            files.refuses(&["server.pem cannot be used", &format!("version is {}; TLS wants version 3", number + 1)]);
        }
    }

    #[test]
    fn a_key_beside_the_certificate_must_be_private_and_long_files_are_refused() {
        let files = Files::new();
        let key = fs::read_to_string(files.path("server-key.pem")).unwrap();
        files.edit("server.pem", |certificate| certificate + &key);
        files.refuses(&["server.pem holds a private key beside its certificate", "mode 0644", "chmod 600 "]);
        fs::set_permissions(files.path("server.pem"), Permissions::from_mode(0o600)).unwrap();
        files.load().unwrap();
        files.edit("server.pem", |certificate| certificate + &"\n".repeat(MAX_CERTIFICATE_FILE as usize));
        files.refuses(&["cannot read ", "server.pem", "too long", "1024 KiB"]);

        let files = Files::new();
        files.edit("server-key.pem", |key| format!("{key}{}", "\n".repeat(16 * 1024 - key.len())));
        files.load().unwrap();
        files.edit("server-key.pem", |key| key + "\n");
        files.refuses(&["cannot read ", "server-key.pem", "too long", "16 KiB"]);
    }

    #[test]
    fn swapped_names_are_noticed() {
        let files = Files::new();
        let swapped = PemPair::load(&files.path("server-key.pem"), &files.path("server.pem")).err().unwrap();
        let words = "server-key.pem holds a private key, and a certificate (PEM,";
        assert!(swapped.to_string().contains(words), "{swapped}");
    }

    #[test]
    fn every_beginning_of_a_file_is_refused_and_never_shown() {
        for name in ["server.pem", "server-key.pem"] {
            let whole = Files::new();
            let text = fs::read_to_string(whole.path(name)).unwrap();
            let secret = fs::read_to_string(whole.path("server-key.pem")).unwrap().lines().nth(1).unwrap().to_owned();
            for length in 0..text.trim_end().len() {
                whole.edit(name, |_| text[..length].to_owned());
                let error = whole.load().err().unwrap_or_else(|| panic!("{name} of {length} bytes")).to_string();
                assert!(error.contains(name) && !error.contains(&secret), "{error}");
            }
        }
    }
}
