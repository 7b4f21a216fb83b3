//! Files that hold secrets: read only if nobody else can, written whole or not at all.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::{KeyFileError, KeyKind};

/// No key file is longer than this many bytes; a longer one is refused. The largest are RSA keys in PEM.
const MAX_KEY_FILE: u64 = 16 * 1024;

/// What the names of our temporary files of certificates begin and end with, so that those that a crash has left can be
/// told from everything else, and version control that ignores certificates ignores them.
#[cfg(feature = "tls")]
pub(crate) const STAGED_NAME: [&str; 2] = [".fernwire-", ".pem"];

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
        io::ErrorKind::NotFound => missing(path, owner),
        _ => KeyFileError::Io { action: "read", path: path.into(), source },
    };
    let owned = |found: &fs::Metadata| match owner {
        Owner::Us if found.uid() != rustix::process::geteuid().as_raw() => {
            Err(KeyFileError::NotOurs { path: path.into() })
        }
        _ => Ok(()),
    };
    refuse_key_as_name(path)?;
    owned(&fs::metadata(path).map_err(failed)?)?;
    let (file, opened) = open_regular(path).map_err(failed)?;
    owned(&opened)?;
    let mode = opened.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Exposed { path: path.into(), mode });
    }
    let bytes = read_at_most(file, MAX_KEY_FILE).map_err(failed)?;
    // Text that is not UTF-8 is no key of any kind; what it is instead does not matter.
    Ok(Zeroizing::new(std::str::from_utf8(&bytes).unwrap_or("?").to_owned()))
}

/// Opens a file that is neither a folder nor a pipe nor a device.
pub(crate) fn open_regular(path: &Path) -> io::Result<(File, fs::Metadata)> {
    let check = |found: fs::Metadata| {
        if found.is_file() { Ok(found) } else { Err(io::Error::other("it is not a regular file")) }
    };
    // Looked at before it is opened, since opening a device may do something; and again afterwards, on what was opened,
    // which may be another by then. Opening a pipe must not wait for somebody to write to it.
    check(fs::metadata(path)?)?;
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(nonblocking).open(path)?;
    let opened = check(file.metadata()?)?;
    Ok((file, opened))
}

/// What to say of a file that was not found.
fn missing(path: &Path, owner: Owner) -> KeyFileError {
    match dangling_link(path) {
        // Whoever may write here may not keep us from going on without a key, only we ourselves.
        Some(link) if owner == Owner::Us && link.owner != rustix::process::geteuid().as_raw() => {
            KeyFileError::NotOurs { path: path.into() }
        }
        Some(link) => KeyFileError::Io { action: "read", path: path.into(), source: link.into() },
        None => KeyFileError::Missing { path: path.into() },
    }
}

/// A symbolic link that leads nowhere. Whoever made one meant a file, perhaps on a medium that is elsewhere now, so it
/// must not pass for there being none.
pub(crate) struct DanglingLink {
    /// The user who made it.
    owner: u32,
    target: PathBuf,
}

/// The link because of which there is nothing at this path: the path itself, or a folder above it.
pub(crate) fn dangling_link(path: &Path) -> Option<DanglingLink> {
    let there = path.ancestors().find_map(|above| fs::symlink_metadata(above).ok().map(|found| (above, found)));
    let (above, found) = there?;
    let leads_nowhere = fs::metadata(above).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    let target = fs::read_link(above).ok().filter(|_| leads_nowhere)?;
    Some(DanglingLink { owner: found.uid(), target })
}

impl From<DanglingLink> for io::Error {
    fn from(link: DanglingLink) -> Self {
        let target = link.target.display();
        Self::other(format!("it is a link that leads nowhere; mount what {target} is on, or mend the link"))
    }
}

/// The whole of a file that may hold secrets; it is an error if there is more than this.
pub(crate) fn read_at_most(file: File, limit: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    // As large as it becomes, since a buffer that grows leaves its content behind.
    let length = file.metadata()?.len().min(limit);
    let mut bytes = Zeroizing::new(Vec::with_capacity(length as usize + 1));
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let limit = limit / 1024;
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it is too long for what it should hold ({limit} KiB at most)"),
        ));
    }
    Ok(bytes)
}

/// A key must not become the name of a file or folder.
pub(crate) fn refuse_key_as_name(path: &Path) -> Result<(), KeyFileError> {
    match path.to_str().map(KeyKind::of) {
        Some(KeyKind::Secret | KeyKind::Identity | KeyKind::PublicIdentity) => Err(KeyFileError::KeyAsName),
        _ => Ok(()),
    }
}

/// Writes a new file (0600) with this line, which appears whole or not at all; never overwrites.
pub(super) fn write_new(path: &Path, line: &str) -> Result<(), KeyFileError> {
    let file = write_beside(path, &tempfile::Builder::new(), &[line, "\n"])?;
    file.persist_noclobber(path).map_err(|refused| not_written(path, refused.error))?;
    sync_folder(path)
}

/// A file's new content, complete on the disk under another name beside it.
#[cfg(feature = "tls")]
pub(crate) struct Staged {
    file: NamedTempFile,
    path: PathBuf,
}

#[cfg(feature = "tls")]
impl Staged {
    /// What only its owner will be able to read (0600).
    pub(crate) fn private(path: &Path, text: &str) -> Result<Self, KeyFileError> {
        let [prefix, suffix] = STAGED_NAME;
        let file = write_beside(path, tempfile::Builder::new().prefix(prefix).suffix(suffix), &[text])?;
        Ok(Self { file, path: path.into() })
    }

    /// What everybody will be able to read (0644).
    pub(crate) fn public(path: &Path, text: &str) -> Result<Self, KeyFileError> {
        let staged = Self::private(path, text)?;
        let file = staged.file.as_file();
        let readable = file.set_permissions(fs::Permissions::from_mode(0o644)).and_then(|()| file.sync_all());
        readable.map_err(|source| not_written(path, source))?;
        Ok(staged)
    }

    /// Puts it in the place of what was there.
    pub(crate) fn put(self) -> Result<(), KeyFileError> {
        let Self { file, path } = self;
        file.persist(&path).map_err(|refused| not_written(&path, refused.error))?;
        Ok(())
    }
}

fn not_written(path: &Path, source: io::Error) -> KeyFileError {
    match source.kind() {
        io::ErrorKind::AlreadyExists => KeyFileError::Exists { path: path.into() },
        _ => KeyFileError::Io { action: "write", path: path.into(), source },
    }
}

/// Writes a temporary file beside the path, complete on the disk.
fn write_beside(path: &Path, named: &tempfile::Builder<'_, '_>, text: &[&str]) -> Result<NamedTempFile, KeyFileError> {
    let failed = |source| not_written(path, source);
    refuse_key_as_name(path)?;
    let folder = folder_of(path);
    if !folder.is_dir() {
        return Err(failed(io::Error::new(io::ErrorKind::NotFound, "its folder does not exist")));
    }
    // A temporary file is 0600 from its first moment.
    // Its error names the temporary file, which would say nothing to anybody.
    let mut file = named.tempfile_in(folder).map_err(|error| failed(error.kind().into()))?;
    text.iter().try_for_each(|part| file.write_all(part.as_bytes())).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    Ok(file)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Lets the names in the folder of this file survive a power cut.
fn sync_folder(path: &Path) -> Result<(), KeyFileError> {
    File::open(folder_of(path)).and_then(|folder| folder.sync_all()).map_err(|source| not_written(path, source))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn nothing_is_not_a_link_to_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        symlink("gone", at("dangling")).unwrap();
        fs::write(at("file"), "").unwrap();
        symlink("file", at("link")).unwrap();
        let owner = |name: &str| dangling_link(&at(name)).map(|link| link.owner);
        let us = Some(rustix::process::geteuid().as_raw());
        assert_eq!(["dangling", "dangling/below/it"].map(owner), [us; 2]);
        assert_eq!(["file", "link", "nothing", "no/thing"].map(owner), [None; 4]);
    }
}
