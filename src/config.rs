//! Validated configuration: which key modes, which files, which limits. Knows no command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use crate::channel::mode::{KeyMode, KeyModes, ParseModeError};
use crate::keys::{IdentityKey, KeyFileError, SecretKey};

pub mod bounds;
mod document;
pub mod file;
pub mod listeners;
pub mod log;
pub mod problem;
pub mod secrecy;
pub mod server;
pub mod services;

/// Where a secret key is looked for when nobody names a file.
pub const SECRET_KEY_FILE: &str = "secret.key";

/// Which key modes a side wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kex {
    /// What the keys at hand allow, never weaker than they do.
    #[default]
    Auto,
    /// Exactly these.
    Modes(KeyModes),
}

impl Kex {
    /// What a server allows. `x25519` beside a secret key must be listed, so that nobody comes in around the key.
    pub fn for_server(self, has_secret_key: bool) -> KeyModes {
        match self {
            Self::Modes(modes) => modes,
            Self::Auto if has_secret_key => [KeyMode::X25519Psk, KeyMode::Psk].into_iter().collect(),
            Self::Auto => [KeyMode::X25519].into_iter().collect(),
        }
    }

    /// What a client offers a server of which it knows so much.
    pub fn for_client(self, has_secret_key: bool, known: ServerKnown) -> Result<KeyModes, PinForbidsPsk> {
        match self {
            Self::Modes(modes) if modes.contains(KeyMode::Psk) && known == ServerKnown::Pinned => Err(PinForbidsPsk),
            Self::Modes(modes) => Ok(modes),
            Self::Auto if !has_secret_key => Ok([KeyMode::X25519].into_iter().collect()),
            // Where the identity is unknown, the secret key is all that can prove the server; where it is known, a mode
            // without identity would be weaker than what we have.
            Self::Auto if known == ServerKnown::No => Ok([KeyMode::X25519Psk, KeyMode::Psk].into_iter().collect()),
            Self::Auto => Ok([KeyMode::X25519Psk, KeyMode::X25519].into_iter().collect()),
        }
    }
}

impl FromStr for Kex {
    type Err = ParseModeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "auto" { Ok(Self::Auto) } else { text.parse().map(Self::Modes) }
    }
}

/// What a client knows of a server's identity before it dials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerKnown {
    /// Nothing.
    No,
    /// known_hosts has an identity for the endpoint.
    Recorded,
    /// The endpoint carries the identity.
    Pinned,
}

/// A pinned identity and a mode that proves none cannot both be wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the address pins the server's identity (#fwk1_...), and key mode psk proves no identity; leave psk out of --kex"
)]
pub struct PinForbidsPsk;

/// What a server puts up with. Every default is what docs/protocol.md states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections that have not finished their handshake, in all.
    pub max_pending: usize,
    /// The same for one address (IPv4, IPv6 /64, user id).
    pub max_pending_per_source: usize,
    /// Sessions in all.
    pub max_sessions: usize,
    /// Sessions of one address that have proven nothing.
    pub max_anonymous_per_source: usize,
    /// Upgrade and handshake together.
    pub handshake_timeout: Duration,
    /// How long a session that has proven nothing may ask nothing.
    pub anonymous_idle_timeout: Duration,
    /// How long a server that was told to stop finishes what it has begun.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_pending: 1024,
            max_pending_per_source: 256,
            max_sessions: 10_000,
            max_anonymous_per_source: 256,
            handshake_timeout: Duration::from_secs(10),
            anonymous_idle_timeout: Duration::from_secs(5 * 60),
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// Where this user's state is kept, after the XDG Base Directory Specification.
#[derive(Debug, Clone)]
pub struct Folders {
    /// A server's state.
    pub data: PathBuf,
    /// A client's state.
    pub config: PathBuf,
}

/// No place for state can be found.
#[derive(Debug, thiserror::Error)]
#[error("there is no home directory to keep state in; set HOME, or XDG_DATA_HOME and XDG_CONFIG_HOME")]
pub struct NoHome;

impl Folders {
    /// The folders that the environment names; `var` reads a variable.
    pub fn from_env(var: impl Fn(&str) -> Option<OsString>) -> Result<Self, NoHome> {
        // A relative path is to be ignored, says the specification.
        let absolute = |name: &str| var(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let folder = |name: &str, below_home: &str| {
            let base = absolute(name).or_else(|| Some(absolute("HOME")?.join(below_home)));
            base.map(|base| base.join("fernwire")).ok_or(NoHome)
        };
        Ok(Self { data: folder("XDG_DATA_HOME", ".local/share")?, config: folder("XDG_CONFIG_HOME", ".config")? })
    }

    /// A client's record of servers' identities.
    pub fn known_hosts(&self) -> PathBuf {
        self.config.join("known_hosts")
    }

    /// The configuration of this user's server.
    pub fn server_config(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// This user's server's identity.
    pub fn identity_key(&self) -> PathBuf {
        identity_key(&self.data)
    }
}

/// The identity of the server that keeps its state in this folder.
pub fn identity_key(data: &Path) -> PathBuf {
    data.join("identity.key")
}

/// The name of an authority's certificate, beside the certificates that it has issued.
pub const CA_FILE: &str = "ca.pem";

/// A certificate and its private key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, perhaps with those between it and its root behind it.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// The pair that a server makes for itself when none is named.
pub fn own_tls_files(data: &Path) -> TlsFiles {
    TlsFiles { cert: data.join("tls-cert.pem"), key: data.join("tls-key.pem") }
}

/// A secret key, and where it came from.
pub struct FoundKey {
    /// The key.
    pub key: SecretKey,
    /// Its file.
    pub path: PathBuf,
    /// Whether nobody named the file.
    pub by_default: bool,
}

/// Reads the named file, or else ./secret.key if there is one; it is an error if another user owns that.
pub fn find_secret_key(named: Option<&Path>) -> Result<Option<FoundKey>, KeyFileError> {
    let found = |key, path: &Path| Ok(Some(FoundKey { key, path: path.into(), by_default: named.is_none() }));
    let default = Path::new(SECRET_KEY_FILE);
    match named {
        Some(path) => found(SecretKey::load(path)?, path),
        None => match SecretKey::load_ours(default) {
            Err(error) if error.is_missing() => Ok(None),
            loaded => found(loaded?, default),
        },
    }
}

/// The identity of the server that keeps its state in this folder, if it has one already.
pub fn find_identity(data: &Path) -> Result<Option<IdentityKey>, KeyFileError> {
    let path = identity_key(data);
    match IdentityKey::load(&path) {
        Err(error) if error.is_missing() => Ok(None),
        loaded => loaded.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(kex: &str, has_secret_key: bool) -> String {
        kex.parse::<Kex>().unwrap().for_server(has_secret_key).to_string()
    }

    fn client(kex: &str, has_secret_key: bool, known: ServerKnown) -> Result<String, PinForbidsPsk> {
        kex.parse::<Kex>().unwrap().for_client(has_secret_key, known).map(|modes| modes.to_string())
    }

    #[test]
    fn auto_is_never_weaker_than_the_keys_at_hand() {
        use ServerKnown::{No, Pinned, Recorded};
        assert_eq!(server("auto", false), "x25519");
        assert_eq!(server("auto", true), "x25519+psk,psk");
        assert_eq!(server("psk,x25519", true), "x25519,psk");
        assert!([No, Recorded, Pinned].into_iter().all(|known| client("auto", false, known).unwrap() == "x25519"));
        assert_eq!(client("auto", true, No).unwrap(), "x25519+psk,psk");
        assert_eq!(client("auto", true, Recorded).unwrap(), "x25519+psk,x25519");
        assert_eq!(client("auto", true, Pinned).unwrap(), "x25519+psk,x25519");
    }

    #[test]
    fn a_pin_and_psk_exclude_each_other() {
        assert_eq!(client("psk", true, ServerKnown::Pinned), Err(PinForbidsPsk));
        assert_eq!(client("x25519+psk,psk", true, ServerKnown::Pinned), Err(PinForbidsPsk));
        assert!(client("psk", true, ServerKnown::Recorded).is_ok());
        assert!(client("x25519", true, ServerKnown::Pinned).is_ok());
    }

    #[test]
    fn folders_follow_the_environment() {
        let env = |pairs: &'static [(&str, &str)]| {
            Folders::from_env(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
        };
        let home = env(&[("HOME", "/h"), ("XDG_DATA_HOME", "relative")]).unwrap();
        assert_eq!(home.data, Path::new("/h/.local/share/fernwire"));
        assert_eq!(home.known_hosts(), Path::new("/h/.config/fernwire/known_hosts"));
        let xdg = env(&[("XDG_DATA_HOME", "/d"), ("XDG_CONFIG_HOME", "/c")]).unwrap();
        assert_eq!(xdg.identity_key(), Path::new("/d/fernwire/identity.key"));
        assert!(env(&[]).is_err());
    }
}
