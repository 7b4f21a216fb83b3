//! Files that hold secrets: read only if nobody else can, written whole or not at all.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use tempfile::{NamedTempFile, PersistError};
use zeroize::Zeroizing;

use super::{KeyFileError, KeyKind};

/// No key file is longer than this many bytes; more is not read. The largest are RSA keys in PEM.
const MAX_KEY_FILE: u64 = 16 * 1024;

/// Whose file it may be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Us,
    Anyone,
}

/// Reads a private key of a kind that this layer does not know, such as PEM.
#[cfg(feature = "tls")]
pub(crate) fn read_private_key(path: &Path) -> Result<Zeroizing<String>, KeyFileError> {
    read_private(path, Owner::Anyone)
}

pub(super) fn read_private(path: &Path, owner: Owner) -> Result<Zeroizing<String>, KeyFileError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => KeyFileError::Missing { path: path.into() },
        _ => KeyFileError::Io { action: "read", path: path.into(), source },
    };
    let check = |found: &fs::Metadata| {
        if owner == Owner::Us && found.uid() != rustix::process::geteuid().as_raw() {
            return Err(KeyFileError::NotOurs { path: path.into() });
        }
        if found.is_file() { Ok(()) } else { Err(failed(io::Error::other("it is not a regular file"))) }
    };
    refuse_key_as_name(path)?;
    // Looked at before it is opened, since opening a device may do something; and again afterwards, on what was opened,
    // which may be another by then. Opening a pipe must not wait for somebody to write to it.
    check(&fs::metadata(path).map_err(failed)?)?;
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(nonblocking).open(path).map_err(failed)?;
    let opened = file.metadata().map_err(failed)?;
    check(&opened)?;
    let mode = opened.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Exposed { path: path.into(), mode });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_KEY_FILE as usize));
    file.take(MAX_KEY_FILE).read_to_end(&mut bytes).map_err(failed)?;
    // Text that is not UTF-8 is no key of any kind; what it is instead does not matter.
    Ok(Zeroizing::new(std::str::from_utf8(&bytes).unwrap_or("?").to_owned()))
}

fn refuse_key_as_name(path: &Path) -> Result<(), KeyFileError> {
    match path.to_str().map(KeyKind::of) {
        Some(KeyKind::Secret | KeyKind::Identity | KeyKind::PublicIdentity) => Err(KeyFileError::KeyAsName),
        _ => Ok(()),
    }
}

/// Writes a new file (0600) with this line; never overwrites.
pub(super) fn write_new(path: &Path, line: &str) -> Result<(), KeyFileError> {
    write(path, &[line, "\n"], |file| file.persist_noclobber(path).map(drop))
}

/// Writes a file that only its owner can read (0600), in place of any that was there.
#[cfg(feature = "tls")]
pub(crate) fn replace_private(path: &Path, text: &str) -> Result<(), KeyFileError> {
    write(path, &[text], |file| file.persist(path).map(drop))
}

/// Writes a file that everybody can read (0644), in place of any that was there.
#[cfg(feature = "tls")]
pub(crate) fn replace_public(path: &Path, text: &str) -> Result<(), KeyFileError> {
    write(path, &[text], |file| {
        if let Err(error) = file.as_file().set_permissions(fs::Permissions::from_mode(0o644)) {
            return Err(PersistError { error, file });
        }
        file.persist(path).map(drop)
    })
}

/// Writes a temporary file beside the path and puts it in its place, so that it appears whole or not at all.
fn write(
    path: &Path,
    text: &[&str],
    put: impl FnOnce(NamedTempFile) -> Result<(), PersistError>,
) -> Result<(), KeyFileError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => KeyFileError::Exists { path: path.into() },
        _ => KeyFileError::Io { action: "write", path: path.into(), source },
    };
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    refuse_key_as_name(path)?;
    if !folder.is_dir() {
        return Err(failed(io::Error::new(io::ErrorKind::NotFound, "its folder does not exist")));
    }
    // A temporary file is 0600 from its first moment.
    // Its error names the temporary file, which would say nothing to anybody.
    let mut file = NamedTempFile::new_in(folder).map_err(|error| failed(error.kind().into()))?;
    text.iter().try_for_each(|part| file.write_all(part.as_bytes())).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    put(file).map_err(|refused| failed(refused.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}
