//! The keys of a server: what is there, what is made, and what would be made.

use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use fernwire::channel::handshake::Policy;
use fernwire::config::server::ServerConfig;
use fernwire::config::{self, Folders, Kex, SECRET_KEY_FILE, find_identity, find_secret_key};
use fernwire::keys::{IdentityKey, KeyFileError, SecretKey};

use crate::output;

/// A key with the file that holds it.
pub(crate) struct KeyFile<K> {
    pub(crate) key: K,
    pub(crate) path: PathBuf,
    /// Whether this run has made it.
    made: bool,
}

impl<K> KeyFile<K> {
    pub(crate) fn origin(&self) -> String {
        format!("{}{}", self.path.display(), if self.made { ", made just now" } else { "" })
    }
}

/// The keys that a server runs with, and what its banner says of them.
pub(crate) struct Keys {
    pub(crate) policy: Policy,
    pub(crate) identity: Option<KeyFile<IdentityKey>>,
    pub(crate) secret_key: Option<KeyFile<SecretKey>>,
}

impl Keys {
    /// Reads the keys that the modes need, and makes those that are missing.
    pub(crate) fn prepare(config: &ServerConfig) -> anyhow::Result<Self> {
        let secret_key = prepare_secret_key(config)?;
        let modes = config.kex.for_server(secret_key.is_some());
        let identity = if modes.need_share() { Some(prepare_identity(&data_folder(config)?)?) } else { None };
        let policy = Policy::new(
            modes,
            identity.as_ref().map(|file| file.key.clone()),
            secret_key.as_ref().map(|file| file.key.clone()),
        )?;
        Ok(Self { policy, identity, secret_key })
    }
}

/// A key's file as it is before the server runs: with its key, or without, and then the key is to be made.
pub(crate) struct Planned<K> {
    pub(crate) key: Option<K>,
    pub(crate) path: PathBuf,
}

/// A secret key if there is one, or if the listed modes need one: then it is to be made.
pub(crate) fn plan_secret_key(config: &ServerConfig) -> anyhow::Result<Option<Planned<SecretKey>>> {
    let wanted = match config.kex {
        Kex::Auto => false,
        Kex::Modes(modes) if modes.need_secret() => true,
        Kex::Modes(_) => return Ok(None),
    };
    let named = config.secret_key.as_deref();
    match find_secret_key(named) {
        Ok(Some(found)) => return Ok(Some(Planned { key: Some(found.key), path: found.path })),
        Ok(None) if !wanted => return Ok(None),
        Ok(None) => {}
        Err(error) if error.is_missing() && wanted => {}
        Err(error) if error.is_missing() => {
            bail!("{error}; make it with `fernwire keygen`, or name a key mode with psk in --kex to have it made")
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Some(Planned { key: None, path: named.unwrap_or(Path::new(SECRET_KEY_FILE)).to_owned() }))
}

fn prepare_secret_key(config: &ServerConfig) -> anyhow::Result<Option<KeyFile<SecretKey>>> {
    Ok(match plan_secret_key(config)? {
        None => None,
        Some(Planned { key: Some(key), path }) => Some(KeyFile { key, path, made: false }),
        Some(Planned { key: None, path }) => {
            let key = SecretKey::generate();
            key.save_new(&path)?;
            Some(KeyFile { key, path, made: true })
        }
    })
}

/// Where the server's state is kept.
pub(crate) fn data_folder(config: &ServerConfig) -> anyhow::Result<PathBuf> {
    match &config.data {
        Some(data) => Ok(data.clone()),
        None => Ok(Folders::from_env(|name| std::env::var_os(name))?.data),
    }
}

/// The same where only a certificate is kept there; if one was named, nothing is, and no home is needed.
pub(crate) fn certificate_folder(config: &ServerConfig) -> anyhow::Result<PathBuf> {
    if config.tls.is_some() { Ok(PathBuf::new()) } else { data_folder(config) }
}

/// The identity that is kept in this folder, or is to be made there.
pub(crate) fn plan_identity(data: &Path) -> Result<Planned<IdentityKey>, KeyFileError> {
    Ok(Planned { key: find_identity(data)?, path: config::identity_key(data) })
}

pub(crate) fn prepare_folder(data: &Path) -> anyhow::Result<()> {
    if data.exists() && !data.is_dir() {
        bail!("the data directory {} is a file; name another with --data", data.display());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(|error| {
        anyhow!("cannot make the data directory {}: {error}; name another with --data", data.display())
    })?;
    let mode = data.metadata()?.permissions().mode() & 0o7777;
    if mode & 0o002 != 0 {
        bail!(
            "everybody can write into the data directory {} (mode {mode:03o}), and so take the keys away; run: chmod 700 {}",
            data.display(),
            output::shell_word(&data.display().to_string())
        );
    }
    Ok(())
}

fn prepare_identity(data: &Path) -> anyhow::Result<KeyFile<IdentityKey>> {
    prepare_folder(data)?;
    let Planned { key, path } = plan_identity(data)?;
    if let Some(key) = key {
        return Ok(KeyFile { key, path, made: false });
    }
    let key = IdentityKey::generate()?;
    match key.save_new(&path) {
        Ok(()) => Ok(KeyFile { key, path, made: true }),
        // Another server made it between our look and our write: that one counts.
        Err(KeyFileError::Exists { .. }) => Ok(KeyFile { key: IdentityKey::load(&path)?, path, made: false }),
        Err(error) => Err(error.into()),
    }
}
