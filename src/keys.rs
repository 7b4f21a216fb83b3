//! Long-term keys and their files: secret.key and identity.key, their text forms and permissions.
//!
//! | file         | holds                                | text form                                         |
//! |--------------|--------------------------------------|---------------------------------------------------|
//! | secret.key   | 32 bytes that both sides share       | 44 characters, as Python's `Fernet.generate_key()` |
//! | identity.key | the server's X25519 secret, 32 bytes | `fernwire-identity-1 ` and 43 characters           |
//!
//! A loader that is given another kind of key names that kind instead of saying "malformed".

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use fernet::Fernet;
use hkdf::Hkdf;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::model::{KeyId, PUBLIC_IDENTITY_PREFIX, PublicIdentity};

pub(crate) mod files;

use files::{Owner, read_private, write_new};

/// What the one line of an identity.key begins with.
const IDENTITY_PREFIX: &str = "fernwire-identity-1 ";
/// What PEM begins with; OpenSSL writes remarks before it.
pub(crate) const PEM_MARKER: &str = "-----BEGIN ";

/// A pre-shared secret: the 32 bytes of a secret.key. Never a session key itself.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<[u8; 32]>);

impl SecretKey {
    /// A new key from the operating system's randomness.
    pub fn generate() -> Self {
        let text = Zeroizing::new(Fernet::generate_key());
        // The `fernet` crate writes what `from_text` reads; `generated_keys_are_read_back` holds it to that.
        Self::from_text(&text).unwrap_or_else(|_| unreachable!("a generated key is well formed"))
    }

    /// Reads the 44 characters that Python's `Fernet.generate_key()` writes; white space around them is allowed.
    pub fn from_text(text: &str) -> Result<Self, WrongKind> {
        let wrong = || WrongKind { wanted: KeyKind::Secret, given: KeyKind::of(text) };
        let text = text.trim();
        Fernet::new(text).ok_or_else(wrong)?;
        // The `fernet` crate also takes other alphabets and missing padding; we take the one canonical form.
        let bytes = Zeroizing::new(URL_SAFE.decode(text).map_err(|_| wrong())?);
        let bytes: [u8; 32] = bytes.as_slice().try_into().map_err(|_| wrong())?;
        Ok(Self(Zeroizing::new(bytes)))
    }

    /// The key with these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The secret bytes, for the key schedule.
    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether both have the same bytes.
    pub fn is_same(&self, other: &Self) -> bool {
        self.0.ct_eq(&*other.0).into()
    }

    /// `HKDF-Expand(key, "fernwire key id", 8)` (RFC 5869): what two people compare.
    pub fn id(&self) -> KeyId {
        let mut id = [0; 8];
        expand(self.expose(), b"fernwire key id", &mut id);
        KeyId(id)
    }

    /// Reads a secret.key that only its owner can read.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        Self::read(path, Owner::Anyone)
    }

    /// The same, for a file that nobody has named: it counts only if this process's user owns it.
    pub fn load_ours(path: &Path) -> Result<Self, KeyFileError> {
        Self::read(path, Owner::Us)
    }

    fn read(path: &Path, owner: Owner) -> Result<Self, KeyFileError> {
        let text = read_private(path, owner)?;
        Self::from_text(&text).map_err(|wrong| KeyFileError::WrongKind { path: path.into(), wrong })
    }

    /// Writes the key to a new file (0600) that appears whole or not at all; never overwrites.
    pub fn save_new(&self, path: &Path) -> Result<(), KeyFileError> {
        write_new(path, &Zeroizing::new(URL_SAFE.encode(self.expose())))
    }
}

/// A server's long-term X25519 secret (RFC 7748), which proves who it is.
#[derive(Clone)]
pub struct IdentityKey {
    secret: StaticSecret,
    /// Kept, since every handshake needs it and it costs a curve operation.
    public: PublicIdentity,
}

impl IdentityKey {
    /// A new identity from the operating system's randomness.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut_slice())?;
        Ok(Self::from_bytes(*bytes))
    }

    /// The identity with these secret bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let secret = StaticSecret::from(bytes);
        Self { public: PublicIdentity::from_bytes(PublicKey::from(&secret).to_bytes()), secret }
    }

    /// Reads `fernwire-identity-1 <base64url>`; white space around it is allowed.
    pub fn from_text(text: &str) -> Result<Self, WrongKind> {
        let wrong = || WrongKind { wanted: KeyKind::Identity, given: KeyKind::of(text) };
        let encoded = text.trim().strip_prefix(IDENTITY_PREFIX).ok_or_else(wrong)?;
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(encoded).map_err(|_| wrong())?);
        let bytes: [u8; 32] = bytes.as_slice().try_into().map_err(|_| wrong())?;
        Ok(Self::from_bytes(bytes))
    }

    /// The X25519 secret, for the handshake.
    pub(crate) fn secret(&self) -> &StaticSecret {
        &self.secret
    }

    /// The public half, which clients pin.
    pub fn public(&self) -> PublicIdentity {
        self.public
    }

    /// Reads an identity.key that only its owner can read.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        let text = read_private(path, Owner::Anyone)?;
        Self::from_text(&text).map_err(|wrong| KeyFileError::WrongKind { path: path.into(), wrong })
    }

    /// Writes the key to a new file (0600) that appears whole or not at all; never overwrites.
    pub fn save_new(&self, path: &Path) -> Result<(), KeyFileError> {
        let encoded = Zeroizing::new(URL_SAFE_NO_PAD.encode(self.secret.as_bytes()));
        write_new(path, &Zeroizing::new(format!("{IDENTITY_PREFIX}{}", *encoded)))
    }
}

/// `HKDF-Expand(key, info, out.len())` with SHA-256 (RFC 5869), for a 32-byte key and short outputs.
pub(crate) fn expand(key: &[u8; 32], info: &[u8], out: &mut [u8]) {
    let hkdf = Hkdf::<Sha256>::from_prk(key).unwrap_or_else(|_| unreachable!("32 bytes are a SHA-256 PRK"));
    hkdf.expand(info, out).unwrap_or_else(|_| unreachable!("outputs stay under 255 hash lengths"));
}

/// What a text looks like, to a reader who wanted something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// A secret.key.
    Secret,
    /// An identity.key.
    Identity,
    /// A `fwk1_...` public identity.
    PublicIdentity,
    /// PEM: a certificate or a key for TLS or SSH.
    Pem,
    /// An `ssh-...` public key.
    Ssh,
    /// Nothing at all.
    Empty,
    /// None of these.
    Unknown,
}

impl KeyKind {
    /// What the text looks like. Nothing is said about whether it is a good one of its kind.
    pub fn of(text: &str) -> Self {
        let text = text.trim();
        if text.is_empty() {
            Self::Empty
        } else if text.starts_with(PUBLIC_IDENTITY_PREFIX) {
            Self::PublicIdentity
        } else if text.starts_with(IDENTITY_PREFIX.trim_end()) {
            Self::Identity
        } else if text.contains(PEM_MARKER) {
            Self::Pem
        } else if text.starts_with("ssh-") || text.starts_with("ecdsa-sha2-") {
            Self::Ssh
        } else if URL_SAFE.decode(text).is_ok_and(|bytes| bytes.len() == 32) {
            Self::Secret
        } else {
            Self::Unknown
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Secret => "a secret key",
            Self::Identity => "a server's secret identity (identity.key)",
            Self::PublicIdentity => "a public identity (fwk1_...)",
            Self::Pem => "a PEM certificate or key",
            Self::Ssh => "an SSH public key",
            Self::Empty => "nothing",
            Self::Unknown => "something else",
        }
    }
}

/// The text is not the kind of key that was wanted; it is never shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongKind {
    wanted: KeyKind,
    given: KeyKind,
}

impl std::error::Error for WrongKind {}

impl std::fmt::Display for WrongKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let wanted = match self.wanted {
            KeyKind::Identity => "an identity key (`fernwire-identity-1 ` and 43 characters of base64url)",
            _ => "a secret key (44 characters of base64url, as `fernwire keygen` writes)",
        };
        if self.given == self.wanted {
            return write!(f, "this is a damaged {}", wanted.trim_start_matches("an ").trim_start_matches("a "));
        }
        write!(f, "this is {}, not {wanted}", self.given.name())?;
        if self.given == KeyKind::PublicIdentity {
            write!(f, "; a public identity goes behind the `#` of the server's address")?;
        }
        Ok(())
    }
}

/// Why a key file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// There is no such file.
    #[error("there is no key file {}", .path.display())]
    Missing {
        /// The file that was looked for.
        path: PathBuf,
    },
    /// Group or others may read the file.
    #[error("{0} can be read by other users (mode {mode:04o}); run: chmod 600 {0}", .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A key was given where the name of its file belongs; it is not shown again.
    #[error(
        "that is a key itself, where the name of its file belongs; put it into a file (chmod 600) and name that. \
         If it is secret, it is in your shell's history now: better make a new one"
    )]
    KeyAsName,
    /// The file belongs to another user, and nobody has named it.
    #[error("{0} belongs to another user; take it over, or name it with --secret-key if it is the right one", .path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// The file holds another kind of key, or none.
    #[error("{}: {wrong}", .path.display())]
    WrongKind {
        /// The file.
        path: PathBuf,
        /// What was wanted, and what was found.
        wrong: WrongKind,
    },
    /// There is a file already, and keys are never overwritten.
    #[error("{} exists already and is never overwritten; move it away first", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl KeyFileError {
    /// Whether the only trouble is that the file does not exist.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing { .. })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_survive_their_text_forms(bytes: [u8; 32]) {
            let secret = SecretKey::from_text(&URL_SAFE.encode(bytes)).unwrap_or_else(|wrong| panic!("{wrong}"));
            prop_assert_eq!(secret.expose(), &bytes);
            let identity = format!("{IDENTITY_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
            let identity = IdentityKey::from_text(&identity).unwrap_or_else(|wrong| panic!("{wrong}"));
            prop_assert_eq!(identity.secret().as_bytes(), &bytes);
        }

        #[test]
        fn any_text_is_refused_or_is_the_one_form_of_its_key(
            text in "(fernwire-identity-1 )?[A-Za-z0-9_+/-]{42,44}={0,2}"
        ) {
            if let Ok(key) = SecretKey::from_text(&text) {
                prop_assert_eq!(URL_SAFE.encode(key.expose()), text);
            } else if let Ok(key) = IdentityKey::from_text(&text) {
                prop_assert_eq!(format!("{IDENTITY_PREFIX}{}", URL_SAFE_NO_PAD.encode(key.secret().as_bytes())), text);
            }
        }
    }

    proptest! {
        // Each case syncs two files to the disk.
        #![proptest_config(ProptestConfig::with_cases(8))]
        #[test]
        fn keys_survive_their_files(bytes: [u8; 32]) {
            let folder = tempfile::tempdir().unwrap();
            let (secret, identity) = (folder.path().join("secret.key"), folder.path().join("identity.key"));
            SecretKey::from_bytes(bytes).save_new(&secret).unwrap();
            IdentityKey::from_bytes(bytes).save_new(&identity).unwrap();
            let secret = SecretKey::load(&secret).unwrap_or_else(|e| panic!("{e}"));
            prop_assert_eq!(secret.expose(), &bytes);
            let identity = IdentityKey::load(&identity).unwrap_or_else(|e| panic!("{e}"));
            prop_assert_eq!(identity.secret().as_bytes(), &bytes);
        }
    }

    fn wrong(text: &str) -> String {
        SecretKey::from_text(text).err().unwrap().to_string()
    }

    #[test]
    fn generated_keys_are_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        let key = SecretKey::generate();
        key.save_new(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read(&path).unwrap().len(), 45);
        assert_eq!(SecretKey::load(&path).unwrap_or_else(|e| panic!("{e}")).id(), key.id());

        let path = folder.path().join("identity.key");
        let identity = IdentityKey::generate().unwrap();
        identity.save_new(&path).unwrap();
        assert_eq!(IdentityKey::load(&path).unwrap_or_else(|e| panic!("{e}")).public(), identity.public());
    }

    #[test]
    fn a_key_file_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        fs::write(&path, "precious").unwrap();
        let refused = SecretKey::generate().save_new(&path).unwrap_err();
        assert!(matches!(refused, KeyFileError::Exists { .. }), "{refused}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        SecretKey::generate().save_new(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = SecretKey::load(&path).err().unwrap().to_string();
        assert!(refused.ends_with(&format!("(mode 0640); run: chmod 600 {}", path.display())), "{refused}");
    }

    #[test]
    fn a_key_of_another_user_counts_only_if_it_was_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut path = folder.path().join("secret.key");
        SecretKey::generate().save_new(&path).unwrap();
        assert!(SecretKey::load_ours(&path).is_ok());
        // Only root can give a file away; everybody else has one of root's at hand.
        if std::os::unix::fs::chown(&path, Some(12_345), None).is_err() {
            path = "/etc/passwd".into();
        }
        assert!(matches!(SecretKey::load_ours(&path), Err(KeyFileError::NotOurs { .. })));
        assert!(!matches!(SecretKey::load(&path), Err(KeyFileError::NotOurs { .. })));
    }

    #[test]
    fn another_kind_of_key_is_named() {
        let identity = IdentityKey::from_bytes([7; 32]);
        assert!(wrong(&identity.public().to_string()).starts_with("this is a public identity (fwk1_...), not"));
        assert!(wrong("fernwire-identity-1 AAAA").starts_with("this is a server's secret identity"));
        assert!(wrong("-----BEGIN PRIVATE KEY-----").starts_with("this is a PEM certificate or key"));
        assert!(wrong("ssh-ed25519 AAAA").starts_with("this is an SSH public key"));
        assert!(wrong(" \n").starts_with("this is nothing, not a secret key"));
        assert!(wrong("hunter2").starts_with("this is something else"));
        let secret = URL_SAFE.encode([1; 32]);
        let given = IdentityKey::from_text(&secret).err().unwrap().to_string();
        assert!(given.starts_with("this is a secret key, not an identity key"), "{given}");
    }

    #[test]
    fn only_the_canonical_form_of_a_secret_key_is_taken() {
        let secret = URL_SAFE.encode([0xff; 32]);
        assert!(SecretKey::from_text(&secret).is_ok());
        assert!(SecretKey::from_text(&format!("{secret}\r\n")).is_ok());
        assert!(SecretKey::from_text(secret.trim_end_matches('=')).is_err());
        assert!(SecretKey::from_text(&secret.replace('_', "/")).is_err());
        assert!(SecretKey::from_text(&secret[1..]).is_err());
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let refused = SecretKey::load(Path::new("/dev/zero")).err().unwrap().to_string();
        assert_eq!(refused, "cannot read /dev/zero: it is not a regular file");
        assert!(SecretKey::load(Path::new("/no/such.key")).err().unwrap().is_missing());
    }
}
