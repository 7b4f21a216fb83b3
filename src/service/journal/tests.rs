//! Journals over rows that the tests make, with what crashes, full disks and other programs do to files.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use super::*;

/// Rows of a database of the tests' own.
#[derive(Clone, Default)]
struct Table(Arc<Mutex<Vec<String>>>);

impl Table {
    fn of(count: u64) -> Self {
        let table = Self::default();
        table.grow_to(count);
        table
    }

    fn grow_to(&self, count: u64) {
        let mut rows = self.0.lock().unwrap();
        let more = rows.len() as u64 + 1..=count;
        rows.extend(more.map(|row| format!("{row} text")));
    }
}

impl Rows for Table {
    const AROUND_NUMBER: [&'static str; 2] = ["", " "];

    async fn after(&self, row: u64, limit: u32) -> Result<Vec<(u64, String)>, StoreError> {
        let rows = self.0.lock().unwrap();
        Ok((1..).zip(rows.iter().cloned()).skip(row as usize).take(limit as usize).collect())
    }
}

fn place(folder: &TempDir, max_bytes: Option<u64>) -> Place {
    Place { path: folder.path().join("journal.txt"), max_bytes, keep: NonZeroU32::new(2).unwrap() }
}

async fn open(folder: &TempDir, table: &Table) -> Journal {
    Journal::open(place(folder, None), table.clone()).await.unwrap()
}

fn lines(rows: impl Iterator<Item = u64>) -> String {
    rows.map(|row| format!("{row} text\n")).collect()
}

fn text(folder: &TempDir, name: &str) -> String {
    fs::read_to_string(folder.path().join(name)).unwrap()
}

#[track_caller]
fn has_rows(folder: &TempDir, name: &str, rows: std::ops::RangeInclusive<u64>) {
    assert_eq!(text(folder, name), lines(rows));
}

#[tokio::test]
async fn rows_are_written_in_their_order_whoever_asks_first() {
    let (folder, table) = (tempfile::tempdir().unwrap(), Table::default());
    let journal = open(&folder, &table).await;
    table.grow_to(3);
    journal.reach(2).await.unwrap();
    journal.reach(3).await.unwrap();
    journal.reach(1).await.unwrap();
    has_rows(&folder, "journal.txt", 1..=3);
    assert_eq!(journal.reach(4).await, Err(Behind));
    let mode = fs::metadata(folder.path().join("journal.txt")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn what_a_crash_left_out_is_added_once_and_what_it_tore_is_cut_off() {
    let table = Table::of(2500);
    // Nothing; some rows; a torn one; one without its end; blocks that the disk never got; all of them.
    let torn = ["", "1 text\n", "1 text\n2 te", "1 text\n2 text", "1 text\n2 text\n\0\0\0\0", &lines(1..=2500)];
    for left in torn {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("journal.txt"), left).unwrap();
        open(&folder, &table).await;
        has_rows(&folder, "journal.txt", 1..=2500);
    }
}

#[tokio::test]
async fn a_very_long_last_line_and_lines_of_other_programs_hide_no_number() {
    let folder = tempfile::tempdir().unwrap();
    let (long, table) = ("x".repeat(300_000), Table::of(3));
    let left = format!("1 text\n2 {long}\n# seen by the operator\n\n");
    fs::write(folder.path().join("journal.txt"), &left).unwrap();
    open(&folder, &table).await;
    assert_eq!(text(&folder, "journal.txt"), left + "3 text\n");
}

#[tokio::test]
async fn a_full_file_makes_way_and_only_so_many_are_kept() {
    let (folder, table) = (tempfile::tempdir().unwrap(), Table::of(9));
    let small = place(&folder, Some(21));
    Journal::open(small.clone(), table.clone()).await.unwrap();
    has_rows(&folder, "journal.txt", 7..=9);
    has_rows(&folder, "journal.txt.1", 4..=6);
    has_rows(&folder, "journal.txt.2", 1..=3);
    table.grow_to(10);
    Journal::open(small.clone(), table.clone()).await.unwrap();
    has_rows(&folder, "journal.txt", 10..=10);
    has_rows(&folder, "journal.txt.1", 7..=9);
    has_rows(&folder, "journal.txt.2", 4..=6);
    assert!(!folder.path().join("journal.txt.3").exists());

    // A crash right after the file was put aside, before the new one had a line.
    fs::rename(folder.path().join("journal.txt"), folder.path().join("journal.txt.1")).unwrap();
    Journal::open(small, table).await.unwrap();
    assert_eq!(text(&folder, "journal.txt"), "");
}

#[tokio::test]
async fn a_file_that_is_moved_emptied_or_removed_is_begun_anew() {
    let (folder, table) = (tempfile::tempdir().unwrap(), Table::of(2));
    let journal = open(&folder, &table).await;
    let at = |name: &str| folder.path().join(name);
    fs::rename(at("journal.txt"), at("elsewhere")).unwrap();
    table.grow_to(4);
    journal.reach(4).await.unwrap();
    has_rows(&folder, "elsewhere", 1..=2);
    has_rows(&folder, "journal.txt", 3..=4);
    fs::remove_file(at("journal.txt")).unwrap();
    table.grow_to(5);
    journal.reach(5).await.unwrap();
    has_rows(&folder, "journal.txt", 5..=5);
    fs::File::create(at("journal.txt")).unwrap();
    table.grow_to(6);
    journal.reach(6).await.unwrap();
    has_rows(&folder, "journal.txt", 6..=6);
}

#[tokio::test]
async fn what_cannot_be_written_is_made_up_for_by_the_next() {
    let (folder, table) = (tempfile::tempdir().unwrap(), Table::of(1));
    let journal = open(&folder, &table).await;
    let path = folder.path().join("journal.txt");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    table.grow_to(2);
    assert_eq!(journal.reach(2).await, Err(Behind));
    assert_eq!(journal.reach(2).await, Err(Behind));
    fs::remove_dir(&path).unwrap();
    table.grow_to(3);
    journal.reach(3).await.unwrap();
    has_rows(&folder, "journal.txt", 2..=3);
}

#[tokio::test]
async fn a_full_disk_leaves_no_torn_line_behind() {
    // A device that is always full, and a file that is not one.
    let folder = tempfile::tempdir().unwrap();
    symlink("/dev/full", folder.path().join("journal.txt")).unwrap();
    let refused = Journal::open(place(&folder, None), Table::of(1)).await.unwrap_err().to_string();
    assert!(refused.contains("is not a regular file"), "{refused}");
}

#[tokio::test]
async fn a_link_is_followed_unless_it_leads_nowhere() {
    let (folder, table) = (tempfile::tempdir().unwrap(), Table::of(1));
    let at = |name: &str| folder.path().join(name);
    symlink("missing", at("journal.txt")).unwrap();
    let refused = Journal::open(place(&folder, None), table.clone()).await.unwrap_err().to_string();
    assert!(refused.contains("journal.txt: it is a link that leads nowhere"), "{refused}");
    assert!(!at("missing").exists());
    fs::write(at("missing"), "").unwrap();
    open(&folder, &table).await;
    has_rows(&folder, "missing", 1..=1);
    assert!(at("journal.txt").is_symlink());
}

#[tokio::test]
async fn a_file_that_knows_more_than_the_database_is_put_aside() {
    let (folder, table) = (tempfile::tempdir().unwrap(), Table::of(37));
    fs::write(folder.path().join("journal.txt"), lines(1..=60)).unwrap();
    let journal = open(&folder, &table).await;
    has_rows(&folder, "journal.txt.1", 1..=60);
    assert_eq!(text(&folder, "journal.txt"), "");
    table.grow_to(38);
    journal.reach(38).await.unwrap();
    has_rows(&folder, "journal.txt", 38..=38);
}

#[tokio::test]
async fn the_last_row_is_found_wherever_it_is() {
    for count in [0, 1, 2, 3, 7, 8, 9, 100] {
        for likely in [0, 1, 5, 8, 1000] {
            assert_eq!(last_row(&Table::of(count), likely).await.unwrap(), count);
        }
    }
}

#[test]
fn the_folder_of_a_journal_has_to_be_there() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let place = Place { path: Path::new("/nonexistent/journal.txt").into(), max_bytes: None, keep: DEFAULT_KEEP };
    let refused = runtime.block_on(Journal::open(place, Table::default())).unwrap_err().to_string();
    assert!(refused.starts_with("cannot open /nonexistent/journal.txt: No such file"), "{refused}");
}
