//! `fernwire export`: what was said in a room, from the beginning.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{anyhow, bail};
use fernwire::model::name::{RoomName, Target};
use fernwire::protocol::chat::{Entry, Style};
use fernwire::store::{self, EntryKind, Page, RoomSummary, Store};
use jiff::tz::TimeZone;
use tempfile::NamedTempFile;

mod markdown;

use crate::chat::lines::json::history;
use crate::cli::{ExportArgs, ExportFormat};
use crate::configure::Origins;
use crate::output;
use crate::state::{self, with_store};
use markdown::Markdown;

/// The entries that are in memory at once.
const PAGE: u32 = 500;
/// How many rooms an error names.
const MAX_ROOMS_NAMED: usize = 10;

pub(crate) fn run(args: ExportArgs, origins: &Origins) -> anyhow::Result<ExitCode> {
    let folder = state::folder(args.state, origins)?;
    with_store(&folder, async |store| {
        let room = find(store, &args.room).await?;
        let mut sink = Sink::new(args.out)?;
        let mut form = match args.format {
            ExportFormat::Md => Form::Md(Markdown::new(TimeZone::system())),
            ExportFormat::Json => Form::Json(Target::Room(room.name.clone())),
        };
        if let Form::Md(markdown) = &form {
            sink.write(&markdown.heading(&room))?;
        }
        let mut known = 0;
        // What is said from now on is not a part of it, or it might never end.
        while known < room.last {
            let entries = store.entries(room.id, Page::After { seq: known, limit: PAGE }).await?;
            let Some(last) = entries.last() else { break };
            known = last.seq;
            let text: String =
                entries.iter().filter(|entry| entry.seq <= room.last).map(|entry| form.entry(entry)).collect();
            sink.write(&text)?;
        }
        sink.finish(room.last)
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn find(store: &Store, name: &RoomName) -> anyhow::Result<RoomSummary> {
    let rooms = store.rooms().await?;
    let key = name.key();
    if let Some(room) = rooms.iter().find(|room| room.name.key() == key) {
        return Ok(room.clone());
    }
    let mut names: Vec<_> = rooms.iter().take(MAX_ROOMS_NAMED).map(|room| room.name.to_string()).collect();
    match rooms.len().checked_sub(MAX_ROOMS_NAMED) {
        None | Some(0) => {}
        Some(more) => names.push(format!("{more} more")),
    }
    if names.is_empty() {
        bail!("there is no room {name}, and no other yet");
    }
    bail!("there is no room {name}; there are {}", names.join(", "))
}

enum Form {
    Md(Markdown),
    Json(Target),
}

impl Form {
    /// Whole lines.
    fn entry(&mut self, entry: &store::Entry) -> String {
        match self {
            Self::Md(markdown) => markdown.entry(entry),
            Self::Json(room) => output::inert(&history(room, &as_sent(entry))) + "\n",
        }
    }
}

/// The entry as clients get it.
fn as_sent(entry: &store::Entry) -> Entry {
    let style = match entry.kind {
        EntryKind::Text => Style::Text,
        EntryKind::Action => Style::Action,
    };
    let (text, post_id) = (entry.text.clone(), entry.post_id.clone());
    Entry { seq: entry.seq, time: entry.time, from: entry.author.clone(), style, text, post_id }
}

/// Where it goes. A file appears when it is complete.
enum Sink {
    Stdout,
    File { staged: NamedTempFile, path: PathBuf },
}

impl Sink {
    fn new(out: Option<PathBuf>) -> anyhow::Result<Self> {
        let Some(path) = out else { return Ok(Self::Stdout) };
        if path.symlink_metadata().is_ok() {
            bail!("{} exists already: name a new file", path.display());
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Only its owner can read it. An error would name the temporary file, which says nothing to anybody.
        let staged = tempfile::Builder::new().prefix(".fernwire-").tempfile_in(folder);
        let staged = staged.map_err(|error| anyhow!("cannot write {}: {}", path.display(), error.kind()))?;
        Ok(Self::File { staged, path })
    }

    fn write(&mut self, lines: &str) -> anyhow::Result<()> {
        let Some(text) = lines.strip_suffix('\n') else { return Ok(()) };
        match self {
            Self::Stdout => Ok(output::result(text)?),
            Self::File { staged, path } => {
                staged.write_all(lines.as_bytes()).map_err(|error| anyhow!("cannot write {}: {error}", path.display()))
            }
        }
    }

    fn finish(self, entries: u64) -> anyhow::Result<()> {
        let Self::File { staged, path } = self else { return Ok(()) };
        let failed = |error: io::Error| anyhow!("cannot write {}: {error}", path.display());
        staged.as_file().sync_all().map_err(failed)?;
        staged.persist_noclobber(&path).map_err(|refused| failed(refused.error))?;
        let messages = if entries == 1 { "message" } else { "messages" };
        output::result(format_args!("{} written, {entries} {messages}", path.display()))?;
        Ok(())
    }
}
