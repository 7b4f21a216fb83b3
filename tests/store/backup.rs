//! A copy of a database that is being written to.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use fernwire::store::{BackupError, Store};

use crate::scene::{Scene, post, to};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_a_live_database_is_whole_and_without_a_gap() {
    let scene = Scene::new();
    let ada = scene.sign_up("ada").await;
    scene.join(ada, "#lobby").await;
    for i in 0..200 {
        scene.say(ada, "#lobby", &i.to_string()).await.unwrap();
    }
    let store = scene.store.clone();
    let writing = tokio::spawn(async move {
        for i in 200..u64::MAX {
            store.post(post(ada, "#lobby", &i.to_string())).await.unwrap().unwrap();
        }
    });
    let copies = tempfile::tempdir().unwrap();
    for round in 0..5 {
        let before = scene.membership(ada, "#lobby").await.unwrap().last;
        let copy = copies.path().join(round.to_string());
        fs::create_dir(&copy).unwrap();
        let file = copy.join("fernwire.db");
        scene.store.backup(&file).await.unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&copy).unwrap().count(), 1, "one file, and nothing left beside it");

        let (store, _feed) = Store::open(&copy).unwrap();
        let lobby = store.membership(ada, &to("#lobby")).await.unwrap().unwrap();
        assert!(lobby.last >= before);
        let all = fernwire::store::Page::After { seq: 0, limit: u32::MAX };
        let seqs: Vec<_> = store.entries(lobby.id, all).await.unwrap().iter().map(|entry| entry.seq).collect();
        assert_eq!(seqs, (1..=lobby.last).collect::<Vec<_>>());
        assert_eq!(store.post(post(ada, "#lobby", "on")).await.unwrap().unwrap().seq, lobby.last + 1);
    }
    assert!(!writing.is_finished(), "writing went on meanwhile");
    writing.abort();
}

#[tokio::test]
async fn a_copy_never_replaces_anything_and_never_appears_in_part() {
    let scene = Scene::new();
    let file = scene.folder.path().join("copy.db");
    fs::write(&file, "mine").unwrap();
    let exists = scene.store.backup(&file).await.unwrap_err();
    assert!(matches!(exists, BackupError::Exists { .. }), "{exists}");
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    let nowhere = scene.store.backup(&scene.folder.path().join("no/copy.db")).await.unwrap_err();
    assert!(matches!(nowhere, BackupError::Io { .. }), "{nowhere}");
    let nothing = scene.store.backup(Path::new("/")).await.unwrap_err();
    assert!(matches!(nothing, BackupError::Exists { .. }), "{nothing}");
}
