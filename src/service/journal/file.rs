//! The file of a journal: its end is whole lines, and it makes way for the next when it is full or gone.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{JournalError, Place};
use crate::keys::files::dangling_link;

/// How much of the end is looked through first for the last line with a number.
const TAIL: u64 = 64 * 1024;

/// What is appended to, and how far it has come.
pub(super) struct File {
    place: Place,
    around_number: [&'static str; 2],
    /// The last row that is in this file or in one that was put aside.
    written: u64,
    open: Option<fs::File>,
}

impl File {
    pub(super) fn new(place: Place, around_number: [&'static str; 2]) -> Self {
        // What is put aside is the file, not a link to it.
        let path = fs::canonicalize(&place.path).unwrap_or(place.path);
        Self { place: Place { path, ..place }, around_number, written: 0, open: None }
    }

    /// The last row that is written.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Opens what an earlier run has left; the result is the last row in it.
    pub(super) fn resume(&mut self) -> Result<u64, JournalError> {
        let last = self.open(u64::MAX).map_err(|error| self.failed("open", error))?;
        self.written = match last {
            Some(row) => row,
            None => self.last_put_aside().map_err(|error| self.failed("read", error))?,
        };
        Ok(self.written)
    }

    /// Puts the file aside, and goes on behind this row.
    pub(super) fn begin_anew(&mut self, written: u64) -> Result<(), JournalError> {
        self.put_aside().map_err(|error| self.failed("put aside", error))?;
        self.written = written;
        Ok(())
    }

    /// Appends these lines, as far as they are not there. What was only half written is taken back.
    pub(super) fn append(&mut self, rows: &[(u64, String)]) -> Result<(), JournalError> {
        self.try_append(rows).map_err(|error| {
            // Whatever it is, the next attempt begins by looking at the file.
            self.open = None;
            self.failed("write", error)
        })
    }

    fn try_append(&mut self, rows: &[(u64, String)]) -> io::Result<()> {
        let Some((newest, _)) = rows.last() else { return Ok(()) };
        if !self.is_in_place()
            && let Some(last) = self.open(*newest)?
        {
            self.written = self.written.max(last);
        }
        let mut rest = rows;
        while !rest.is_empty() {
            let (mut file, length) = self.opened()?;
            let (chunk, count) = self.next_chunk(rest, length);
            if let Err(error) = file.write_all(chunk.as_bytes()) {
                // If this fails too, the torn line is cut off when the file is opened.
                let _ = file.set_len(length);
                return Err(error);
            }
            let done;
            (done, rest) = rest.split_at(count);
            self.written = done.last().map_or(self.written, |(row, _)| self.written.max(*row));
            if !rest.is_empty() {
                self.put_aside()?;
            }
        }
        Ok(())
    }

    /// The lines that fit into a file of this length, and how many rows that are. An empty file takes a line of any
    /// length.
    fn next_chunk(&self, rows: &[(u64, String)], length: u64) -> (String, usize) {
        let mut chunk = String::new();
        for (count, (row, line)) in rows.iter().enumerate() {
            if *row <= self.written {
                continue;
            }
            let before = length + chunk.len() as u64;
            let is_full = |most: u64| before > 0 && before + line.len() as u64 >= most;
            if self.place.max_bytes.is_some_and(is_full) {
                return (chunk, count);
            }
            chunk.push_str(line);
            chunk.push('\n');
        }
        (chunk, rows.len())
    }

    fn opened(&self) -> io::Result<(&fs::File, u64)> {
        let file = self.open.as_ref().ok_or_else(|| io::Error::other("it is not open"))?;
        Ok((file, file.metadata()?.len()))
    }

    /// Whether what is open is still what the path names: nobody has moved or removed it.
    fn is_in_place(&self) -> bool {
        let named = fs::metadata(&self.place.path);
        let open = self.open.as_ref().map(fs::File::metadata);
        matches!((named, open), (Ok(named), Some(Ok(open))) if (named.dev(), named.ino()) == (open.dev(), open.ino()))
    }

    /// Opens the file, or a new one, and cuts off what is no whole line. The result is the last row in it. A file that
    /// has later rows than there are is somebody else's, and is put aside.
    fn open(&mut self, newest: u64) -> io::Result<Option<u64>> {
        let path = &self.place.path;
        if let Some(link) = dangling_link(path) {
            return Err(link.into());
        }
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        let found = file.metadata()?;
        if !found.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let end = self.end_of(&file, found.len())?;
        if end.whole < found.len() {
            file.set_len(end.whole)?;
        }
        self.open = Some(file);
        if end.last_row.is_some_and(|last| last > newest) {
            self.put_aside()?;
            return Ok(None);
        }
        Ok(end.last_row)
    }

    /// The full file becomes the youngest of those that are kept, the oldest makes way, and a new one begins.
    fn put_aside(&mut self) -> io::Result<()> {
        if let Some(file) = self.open.take() {
            file.sync_data()?;
        }
        for number in (1..self.place.keep.get()).rev() {
            rename_if_there(&self.aside(number), &self.aside(number + 1))?;
        }
        rename_if_there(&self.place.path, &self.aside(1))?;
        self.open(u64::MAX).map(drop)
    }

    /// `NAME.1` is the youngest.
    fn aside(&self, number: u32) -> PathBuf {
        let mut name = OsString::from(&self.place.path);
        name.push(format!(".{number}"));
        name.into()
    }

    /// The last row of those that were put aside; a crash between two renamings may have left a gap among them.
    fn last_put_aside(&self) -> io::Result<u64> {
        for number in 1..=self.place.keep.get() {
            let file = match fs::File::open(self.aside(number)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                file => file?,
            };
            let length = file.metadata()?.len();
            if let Some(row) = self.end_of(&file, length)?.last_row {
                return Ok(row);
            }
        }
        Ok(0)
    }

    /// Looks from the end for the last whole line, and the last that has a number.
    fn end_of(&self, mut file: &fs::File, length: u64) -> io::Result<End> {
        let mut window = TAIL;
        loop {
            let start = length.saturating_sub(window);
            file.seek(SeekFrom::Start(start))?;
            let mut bytes = Vec::new();
            file.take(length - start).read_to_end(&mut bytes)?;
            let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
            // Where we do not begin with the file, we may begin within a line.
            let lines = bytes[..whole].split(|byte| *byte == b'\n').skip(usize::from(start > 0));
            let last_row = lines.filter_map(|line| self.row_of(line)).last();
            if start == 0 || last_row.is_some() {
                return Ok(End { whole: start + whole as u64, last_row });
            }
            window *= 4;
        }
    }

    fn row_of(&self, line: &[u8]) -> Option<u64> {
        let [before, behind] = self.around_number;
        let rest = line.strip_prefix(before.as_bytes())?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = rest.split_at(digits);
        rest.starts_with(behind.as_bytes()).then_some(())?;
        std::str::from_utf8(number).ok()?.parse().ok()
    }

    pub(super) fn failed(&self, action: &'static str, source: io::Error) -> JournalError {
        JournalError::File { action, path: self.place.path.clone(), source }
    }
}

/// How a file ends.
struct End {
    /// The bytes up to the end of the last whole line.
    whole: u64,
    last_row: Option<u64>,
}

fn rename_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        renamed => renamed,
    }
}
