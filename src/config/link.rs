//! Symbolic links that lead nowhere: whoever made one meant a file, so it must not pass for there being none.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The user who made the link because of which there is nothing at this path: the path itself, or a folder above it.
pub(super) fn dangling_link(path: &Path) -> Option<u32> {
    let there = path.ancestors().find_map(|above| fs::symlink_metadata(above).ok().map(|found| (above, found)));
    let (above, found) = there?;
    let leads_nowhere = fs::metadata(above).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    (found.is_symlink() && leads_nowhere).then(|| found.uid())
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
        let us = Some(rustix::process::geteuid().as_raw());
        assert_eq!(["dangling", "dangling/below/it"].map(|name| dangling_link(&at(name))), [us; 2]);
        assert_eq!(["file", "link", "nothing", "no/thing"].map(|name| dangling_link(&at(name))), [None; 4]);
    }
}
