//! `fernwire backup`: a copy of the database, also while a server writes to it.

use std::fs;
use std::process::ExitCode;

use fernwire::store::DATABASE;
use serde_json::json;

use crate::cli::BackupArgs;
use crate::configure::Origins;
use crate::output;
use crate::state::{self, with_store};

pub(crate) fn run(args: BackupArgs, origins: &Origins) -> anyhow::Result<ExitCode> {
    let folder = state::folder(args.state, origins)?;
    with_store(&folder, async |store| Ok(store.backup(&args.file).await?))?;
    let (file, bytes) = (args.file.display().to_string(), fs::metadata(&args.file)?.len());
    if args.json {
        output::json(&json!({ "file": file, "bytes": bytes }))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::result(format_args!("{file} written, {bytes} bytes"))?;
    let [file, place] = [file, folder.join(DATABASE).display().to_string()].map(|path| output::shell_word(&path));
    output::note(format_args!(
        "To restore it, stop the server, and then: rm -f {place}-wal {place}-shm && cp {file} {place}"
    ));
    Ok(ExitCode::SUCCESS)
}
