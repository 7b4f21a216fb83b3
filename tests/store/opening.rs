//! Opening a folder: whose it is, and what cannot be used.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use fernwire::store::{Credential, OpenError, Page, Store, StoreError};
use rusqlite::Connection;

use crate::scene::{Folder, NOW, Scene, user};

fn database(folder: &Path) -> PathBuf {
    folder.join("fernwire.db")
}

/// A folder whose server has stopped, with some history.
async fn left_behind() -> Folder {
    let scene = Scene::new();
    let ada = scene.sign_up("ada").await;
    scene.join(ada, "#lobby").await;
    for i in 0..40 {
        scene.say(ada, "#lobby", &format!("{i} {}", "word ".repeat(400))).await.unwrap();
    }
    let Scene { store, folder, .. } = scene;
    store.close().await;
    folder
}

/// Why it is not opened, in words; both ways give the same error where both look.
fn refused(folder: &Path) -> OpenError {
    let error = Store::open(folder).unwrap_err();
    assert!(error.to_string().contains(folder.to_str().unwrap()), "{error}");
    error
}

#[tokio::test]
async fn files_are_for_their_owner_alone() {
    let scene = Scene::new();
    scene.sign_up("ada").await;
    let mode = |name: &str| fs::metadata(scene.folder.path().join(name)).unwrap().permissions().mode() & 0o777;
    for name in ["fernwire.db", "fernwire.db-wal", "fernwire.db-shm", "fernwire.lock"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    let mut names: Vec<_> =
        fs::read_dir(scene.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["fernwire.db", "fernwire.db-shm", "fernwire.db-wal", "fernwire.lock"]);
    let Scene { store, folder, .. } = scene;
    store.close().await;
    fs::set_permissions(database(folder.path()), fs::Permissions::from_mode(0o644)).unwrap();
    let (_store, _feed) = Store::open(folder.path()).unwrap();
    assert_eq!(fs::metadata(database(folder.path())).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_folder_has_one_server_and_commands_beside_it() {
    let scene = Scene::new();
    let folder = scene.folder.path();
    assert!(matches!(refused(folder), OpenError::InUse { .. }));
    let beside = Store::open_beside(folder, false).unwrap();
    beside.create_account(user("ada"), Credential::new("hash"), NOW).await.unwrap().unwrap();
    assert!(scene.store.account(&user("ada")).await.unwrap().is_some(), "each sees what the other has committed");
    scene.sign_up("bob").await;
    assert_eq!(beside.accounts().await.unwrap().len(), 2);
    beside.close().await;
    scene.sign_up("cyd").await;
    let scene = scene.restart().await;
    assert_eq!(scene.store.accounts().await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_command_makes_a_database_only_when_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Store::open_beside(folder.path(), false).unwrap_err();
    assert!(matches!(missing, OpenError::Missing { .. }), "{missing}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let beside = Store::open_beside(folder.path(), true).unwrap();
    beside.create_account(user("ada"), Credential::new("hash"), NOW).await.unwrap().unwrap();
    let (store, _feed) = Store::open(folder.path()).unwrap();
    assert!(store.account(&user("ada")).await.unwrap().is_some());
}

#[tokio::test]
async fn what_is_no_database_of_ours_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = database(folder.path());
    let mut random = vec![0; 20_000];
    getrandom::fill(&mut random).unwrap();
    for content in [&random[..], b"hello", "x".repeat(5000).as_bytes()] {
        fs::write(&path, content).unwrap();
        let refused = refused(folder.path());
        assert!(matches!(refused, OpenError::NotADatabase { .. }), "{refused}");
        assert_eq!(fs::read(&path).unwrap(), content);
    }
    fs::write(&path, "").unwrap();
    assert!(refused(folder.path()).to_string().contains("damaged (it is empty)"));

    fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE songs (name TEXT)").unwrap();
    let songs = fs::read(&path).unwrap();
    assert!(matches!(refused(folder.path()), OpenError::Foreign { .. }));
    assert!(matches!(Store::open_beside(folder.path(), true), Err(OpenError::Foreign { .. })));
    assert_eq!(fs::read(&path).unwrap(), songs);

    fs::remove_file(&path).unwrap();
    symlink("elsewhere/fernwire.db", &path).unwrap();
    assert!(refused(folder.path()).to_string().contains("a link that leads nowhere"));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(refused(folder.path()).to_string().contains("not a regular file"));
    let gone = folder.path().join("gone");
    assert!(matches!(refused(&gone), OpenError::Io { .. }));
    assert!(!gone.exists());
}

#[tokio::test]
async fn a_later_version_is_left_alone() {
    let folder = left_behind().await;
    let connection = Connection::open(database(folder.path())).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    connection.close().unwrap();
    let newer = refused(folder.path());
    assert!(matches!(newer, OpenError::Newer { found: 99, known: 1, .. }), "{newer}");
    assert!(newer.to_string().contains("schema 99") && newer.to_string().contains("than 1"), "{newer}");
}

#[tokio::test]
async fn damage_is_told_before_anybody_builds_on_it() {
    let whole = left_behind().await;
    let bytes = fs::read(database(whole.path())).unwrap();
    let truncated = &bytes[..bytes.len() / 2];
    let mut overwritten = bytes.clone();
    overwritten[4096..].fill(0xa5);
    for content in [truncated, &overwritten, &bytes[..2000]] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(database(folder.path()), content).unwrap();
        let error = refused(folder.path());
        assert!(matches!(error, OpenError::Store(StoreError::Damaged { .. })), "{error}");
        assert!(error.to_string().contains("fernwire backup"), "{error}");
    }
}

#[tokio::test]
async fn damage_that_is_found_later_is_told_too() {
    let folder = left_behind().await;
    let store = Store::open_beside(folder.path(), false).unwrap();
    let ada = store.account(&user("ada")).await.unwrap().unwrap();
    let lobby = store.membership(ada.id, &"#lobby".parse().unwrap()).await.unwrap().unwrap();
    store.close().await;
    let mut bytes = fs::read(database(folder.path())).unwrap();
    let text = b"word word word";
    let pages = bytes.chunks_mut(4096).filter(|page| page.windows(text.len()).any(|window| window == text));
    pages.for_each(|page| page.fill(0xa5));
    fs::write(database(folder.path()), &bytes).unwrap();
    let store = Store::open_beside(folder.path(), false).unwrap();
    let error = store.entries(lobby.id, Page::After { seq: 0, limit: 100 }).await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(!error.to_string().contains("word"));
}
