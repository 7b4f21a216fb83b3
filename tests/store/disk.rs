//! Disks that are full or read-only, made in a namespace of the test's own where the system lets it.

use std::fs;
use std::path::Path;
use std::process::Command;

use fernwire::store::{BackupError, OpenError, Store, StoreError};

use crate::scene::{Scene, post, texts};

const FOLDER: &str = "FERNWIRE_TEST_DISK_FOLDER";

/// Runs one of the tests below in a process that may mount what nobody else sees.
fn in_a_namespace(test: &str) {
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "--propagation", "private", "--"]);
        command
    };
    if !unshare().arg("true").status().is_ok_and(|status| status.success()) {
        println!("not shown here: this system lets the test mount nothing");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = unshare()
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("shown to the end"), "{said}");
}

fn mount(arguments: &[&str], folder: &Path) {
    assert!(Command::new("mount").args(arguments).arg(folder).status().unwrap().success());
}

#[test]
fn a_full_disk_is_told_and_nothing_is_half_written() {
    in_a_namespace("disk::on_a_small_disk");
}

#[test]
fn a_read_only_disk_is_told() {
    in_a_namespace("disk::on_a_read_only_disk");
}

/// Not a test of its own; see [`in_a_namespace`].
#[tokio::test]
async fn on_a_small_disk() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    mount(&["-t", "tmpfs", "-o", "size=2m", "none"], folder);
    let ballast = folder.join("ballast");
    fs::write(&ballast, vec![1; 3 * 1024 * 1024]).unwrap_err();
    let full = Store::open(folder).unwrap_err();
    let is_full = match &full {
        OpenError::Io { source, .. } => source.kind() == std::io::ErrorKind::StorageFull,
        other => matches!(other, OpenError::Store(StoreError::Full { .. })),
    };
    assert!(is_full, "{full:?}");
    assert!(!folder.join("fernwire.db").exists(), "it appears whole or not at all");
    fs::remove_file(&ballast).unwrap();

    let mut scene = Scene::on(folder);
    let ada = scene.sign_up("ada").await;
    scene.join(ada, "#lobby").await;
    let mut kept = Vec::new();
    let mut refused = 0;
    for i in 0..200 {
        let text = format!("{i} {}", "x".repeat(20_000));
        match scene.store.post(post(ada, "#lobby", &text)).await {
            Ok(posted) => {
                posted.unwrap();
                kept.push(text);
            }
            Err(StoreError::Full { .. }) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(refused > 0 && kept.len() > 10, "{refused} refused, {} kept", kept.len());
    let copy = scene.store.backup(&folder.join("copy.db")).await.unwrap_err();
    assert!(matches!(copy, BackupError::Store(StoreError::Full { .. })), "{copy:?}");
    assert!(copy.to_string().contains("/copy.db is full"), "{copy}");
    assert!(!folder.join("copy.db").exists());
    assert_eq!(scene.everything(ada, "#lobby").await, kept);

    mount(&["-o", "remount,size=64m"], folder);
    scene.say(ada, "#lobby", "after").await.unwrap();
    kept.push("after".into());
    for text in &kept {
        assert_eq!(scene.feed.next().await.unwrap().entry.text, *text);
    }
    let scene = scene.restart().await;
    assert_eq!(scene.everything(ada, "#lobby").await, kept);
    println!("shown to the end");
}

/// Not a test of its own; see [`in_a_namespace`].
#[tokio::test]
async fn on_a_read_only_disk() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let scene = Scene::on(folder);
    let ada = scene.sign_up("ada").await;
    scene.join(ada, "#lobby").await;
    scene.say(ada, "#lobby", "before").await.unwrap();
    scene.store.close().await;
    mount(&["--bind", folder.to_str().unwrap()], folder);
    mount(&["-o", "remount,bind,ro"], folder);
    let server = Store::open(folder).unwrap_err();
    assert!(server.to_string().contains("Read-only file system"), "{server}");
    let beside = Store::open_beside(folder, true).unwrap_err();
    assert!(matches!(beside, OpenError::Store(StoreError::ReadOnly { .. })), "{beside:?}");
    mount(&["-o", "remount,bind,rw"], folder);
    let scene = Scene::on(folder);
    assert_eq!(texts(&scene.entries(ada, "#lobby").await), ["before"]);
    println!("shown to the end");
}
