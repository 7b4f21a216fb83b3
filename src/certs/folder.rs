//! A folder of certificates that one process changes at a time, and in which nothing is lost.
//!
//! New files are complete on the disk before the first of them appears; then all appear back to back. What somebody may
//! want back is kept beside its successor as `NAME.old`, or `NAME.old.2` and so on.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::pem::PemPair;
use crate::keys::KeyFileError;
use crate::keys::files::{STAGED_NAME, Staged, refuse_key_as_name};

/// How often one name is kept before a person has to tidy up.
const MAX_KEPT: u32 = 100;

/// Why a folder could not be used or changed.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file could not be written, or a key was given as a name.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// The system refused.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was to be done.
        action: &'static str,
        /// The folder or file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Too much is kept already.
    #[error("there are {MAX_KEPT} files such as {}.old already; move some of them elsewhere", .path.display())]
    TooManyKept {
        /// The file that was to be kept.
        path: PathBuf,
    },
}

impl FolderError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// Makes the folder, and those above it, unless it is there; others may read it and never write to it (0755).
pub fn make(path: &Path) -> Result<(), FolderError> {
    refuse_key_as_name(path)?;
    fs::DirBuilder::new().recursive(true).mode(0o755).create(path).map_err(FolderError::io("make", path))
}

/// Whether there is anything at this path, be it a link that leads nowhere.
pub fn is_there(path: &Path) -> Result<bool, FolderError> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(FolderError::io("look at", path)(error)),
    }
}

/// A folder that is ours alone, among those who lock it, until this is dropped.
pub struct Folder {
    path: PathBuf,
    file: File,
}

impl Folder {
    /// Waits until nobody else has it; `waiting` is called before a wait. What a crash has left is removed.
    pub fn lock(path: &Path, waiting: impl FnOnce()) -> Result<Self, FolderError> {
        // The folder itself is locked, so that no file is left of it.
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let file = File::open(path).map_err(FolderError::io("lock", path))?;
        let locked = match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                waiting();
                wait(&file)
            }
            Err(TryLockError::Error(error)) => Err(error),
            Ok(()) => Ok(()),
        };
        let folder = Self { path: path.into(), file };
        // Some network file systems lock no folders; there the last of two wins, as everywhere without locks.
        if locked.is_ok() {
            folder.remove_stale().map_err(FolderError::io("look at", path))?;
        }
        Ok(folder)
    }

    /// Whether somebody else than we and root can change what is in it.
    pub fn is_open_to_others(&self) -> bool {
        let ours = [0, rustix::process::geteuid().as_raw()];
        self.file.metadata().is_ok_and(|found| found.mode() & 0o022 != 0 || !ours.contains(&found.uid()))
    }

    /// A change of several files, of which nothing is seen before it is committed.
    pub fn change(&self) -> Change<'_> {
        Change { folder: self, kept: Vec::new(), staged: Vec::new() }
    }

    fn remove_stale(&self) -> io::Result<()> {
        let [prefix, suffix] = STAGED_NAME;
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let is_staged = entry.file_name().to_str().is_some_and(|name| {
                name.strip_prefix(prefix)
                    .and_then(|rest| rest.strip_suffix(suffix))
                    .is_some_and(|rest| !rest.is_empty())
            });
            if is_staged && entry.file_type()?.is_file() {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

fn wait(file: &File) -> io::Result<()> {
    loop {
        match file.lock() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            locked => return locked,
        }
    }
}

/// What is to be kept, and what is to be written. If this is dropped, nothing has happened.
pub struct Change<'a> {
    folder: &'a Folder,
    kept: Vec<Kept>,
    staged: Vec<Staged>,
}

/// A file, and the further name under which it stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Where it is.
    pub from: PathBuf,
    /// Where it will be.
    pub to: PathBuf,
}

impl Change<'_> {
    /// Keeps those of these files that are there under names with one and the same new ending; the result is those names.
    pub fn keep(&mut self, files: &[&Path]) -> Result<&[Kept], FolderError> {
        let mut there = Vec::new();
        for file in files {
            if is_there(file)? {
                there.push(*file);
            }
        }
        let Some(first) = there.first() else { return Ok(&[]) };
        for number in 1..=MAX_KEPT {
            let kept: Vec<_> =
                there.iter().map(|from| Kept { from: from.to_path_buf(), to: old_name(from, number) }).collect();
            let mut free = true;
            for kept in &kept {
                free &= !is_there(&kept.to)? || kept.is_done();
            }
            if free {
                let before = self.kept.len();
                self.kept.extend(kept);
                return Ok(&self.kept[before..]);
            }
        }
        Err(FolderError::TooManyKept { path: first.to_path_buf() })
    }

    /// Writes a certificate (0644) and its key (0600), the key first.
    pub fn put_pair(&mut self, pair: &PemPair, certificate: &Path, key: &Path) -> Result<(), FolderError> {
        self.staged.push(Staged::private(key, pair.key())?);
        self.put_certificate(pair, certificate)
    }

    /// The same with the certificate first, for whoever recognises a certificate without a key, and no key without one.
    pub fn put_pair_certificate_first(
        &mut self,
        pair: &PemPair,
        certificate: &Path,
        key: &Path,
    ) -> Result<(), FolderError> {
        self.put_certificate(pair, certificate)?;
        self.staged.push(Staged::private(key, pair.key())?);
        Ok(())
    }

    /// Writes a certificate alone (0644).
    pub fn put_certificate(&mut self, pair: &PemPair, certificate: &Path) -> Result<(), FolderError> {
        self.staged.push(Staged::public(certificate, pair.certificate_text())?);
        Ok(())
    }

    /// Lets all of it happen.
    pub fn commit(self) -> Result<(), FolderError> {
        let sync = || self.folder.file.sync_all().map_err(FolderError::io("write", &self.folder.path));
        for kept in &self.kept {
            kept.keep().map_err(FolderError::io("keep", &kept.from))?;
        }
        // Before anything is replaced.
        sync()?;
        self.staged.into_iter().try_for_each(Staged::put)?;
        sync()
    }
}

impl Kept {
    /// Gives it the further name, so that the first one stays valid until its successor comes.
    fn keep(&self) -> io::Result<()> {
        if self.is_done() {
            return Ok(());
        }
        // A link never replaces anything. Where there are none, or not to another user's file, it is moved.
        match fs::hard_link(&self.from, &self.to) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => fs::rename(&self.from, &self.to),
            linked => linked,
        }
    }

    /// Whether a run that was interrupted has given it that name.
    fn is_done(&self) -> bool {
        let which = |path: &Path| path.symlink_metadata().map(|found| (found.dev(), found.ino())).ok();
        which(&self.to).is_some_and(|there| which(&self.from) == Some(there))
    }
}

/// Those files that were this one before and are kept.
pub fn kept_before(file: &Path) -> Vec<PathBuf> {
    (1..=MAX_KEPT).map(|number| old_name(file, number)).filter(|name| name.symlink_metadata().is_ok()).collect()
}

/// `NAME.old`, then `NAME.old.2`.
fn old_name(file: &Path, number: u32) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".old");
    if number > 1 {
        name.push(format!(".{number}"));
    }
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certs::self_signed;

    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn lock(&self) -> Folder {
            Folder::lock(self.0.path(), || {}).unwrap()
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(self.0.path()).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    #[test]
    fn a_change_is_seen_when_it_is_committed_and_leaves_nothing_when_it_is_dropped() {
        let place = Place::new();
        let folder = place.lock();
        let (certificate, key) = (place.path("c.pem"), place.path("k.pem"));
        fs::write(&key, "before").unwrap();
        let pair = self_signed(&["localhost".parse().unwrap()]).unwrap();
        for commit in [false, true] {
            let mut change = folder.change();
            change.keep(&[&certificate, &key]).unwrap();
            change.put_pair(&pair, &certificate, &key).unwrap();
            assert_eq!(fs::read(&key).unwrap(), b"before");
            assert!(!certificate.exists());
            if commit {
                change.commit().unwrap();
            } else {
                drop(change);
                assert_eq!(place.names(), ["k.pem"]);
            }
        }
        assert_eq!(place.names(), ["c.pem", "k.pem", "k.pem.old"]);
        assert_eq!(fs::read(place.path("k.pem.old")).unwrap(), b"before");
        assert_eq!(fs::read_to_string(&key).unwrap(), pair.key());
    }

    #[test]
    fn files_are_kept_together_under_the_next_ending_that_is_free_for_all() {
        let place = Place::new();
        let folder = place.lock();
        let (one, other) = (place.path("a"), place.path("b"));
        for name in ["a", "b", "b.old", "a.old.2"] {
            fs::write(place.path(name), name).unwrap();
        }
        let keep = || {
            let mut change = folder.change();
            let kept = change.keep(&[&one, &other]).unwrap().to_vec();
            change.commit().unwrap();
            kept.into_iter().map(|kept| kept.to).collect::<Vec<_>>()
        };
        assert_eq!(keep(), [place.path("a.old.3"), place.path("b.old.3")]);
        // A run that was cut off before it replaced them has kept them already.
        assert_eq!(keep(), [place.path("a.old.3"), place.path("b.old.3")]);
        assert_eq!(place.names(), ["a", "a.old.2", "a.old.3", "b", "b.old", "b.old.3"]);
        assert_eq!(kept_before(&one), [place.path("a.old.2"), place.path("a.old.3")]);

        // Another file, since the one before it has two names.
        fs::remove_file(&one).unwrap();
        fs::write(&one, "new").unwrap();
        for number in 1..=MAX_KEPT {
            fs::write(old_name(&one, number), "full").unwrap();
        }
        let refused = folder.change().keep(&[&one]).unwrap_err().to_string();
        assert!(refused.contains("100 files such as ") && refused.contains("a.old already"), "{refused}");
    }

    #[test]
    fn a_key_is_no_name() {
        let place = Place::new();
        // With the `=` that ends every secret key.
        let key = place.path(&format!("{}=", "A".repeat(43)));
        let name = Path::new(key.file_name().unwrap());
        assert!(matches!(make(name), Err(FolderError::File(KeyFileError::KeyAsName))));
        assert!(!name.exists());
    }

    #[test]
    fn one_at_a_time_has_the_folder() {
        let place = Place::new();
        let first = place.lock();
        let (waits, waiting) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| {
                let waits = waits;
                let _second = Folder::lock(place.0.path(), || waits.send(()).unwrap()).unwrap();
                place.path("done").exists()
            });
            waiting.recv().unwrap();
            fs::write(place.path("done"), "").unwrap();
            drop(first);
            assert!(second.join().unwrap(), "the second one did not wait");
        });
    }
}
