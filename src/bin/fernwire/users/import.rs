//! `fernwire users import`: the accounts of another program, with the passwords that they have.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{anyhow, bail};
use fernwire::service::accounts::import::{Imported, Unusable, read};
use fernwire::store::{Store, StoreError};
use serde_json::json;
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use crate::cli::ImportArgs;
use crate::output;
use crate::state::{self, with_store_made};

/// The longest file: some 200,000 accounts.
const MAX_FILE: u64 = 16 << 20;
/// How many accounts are asked for at once, since those go to the disk together.
const AT_ONCE: usize = 256;

pub(super) fn run(folder: &Path, args: &ImportArgs, json: bool) -> anyhow::Result<ExitCode> {
    let text = contents(&args.file)?;
    let (mut accounts, mut left_out) = (Vec::new(), Vec::new());
    for line in read(&text) {
        match line {
            Ok(account) => accounts.push(account),
            Err(unusable) => left_out.push(unusable),
        }
    }
    if accounts.is_empty() && left_out.is_empty() {
        bail!("{} has no line with an account: NAME:$2b$12$...", shown(&args.file));
    }
    let all = accounts.len();
    // Where nothing can come in, no database is made for it.
    let taken = if all == 0 { Vec::new() } else { with_store_made(folder, async |store| make(store, accounts).await)? };
    let imported = all - taken.len();
    left_out.extend(taken);
    left_out.sort_by_key(|unusable| unusable.line);
    left_out.iter().for_each(output::note);
    if json {
        let left_out: Vec<_> =
            left_out.iter().map(|unusable| json!({ "line": unusable.line, "reason": unusable.reason })).collect();
        output::json(&json!({ "imported": imported, "left_out": left_out }))?;
    } else {
        output::result(format_args!("{imported} account{} imported", if imported == 1 { "" } else { "s" }))?;
    }
    Ok(ExitCode::from(if left_out.is_empty() { 0 } else { 1 }))
}

/// Makes the accounts; the result is those whose names are taken.
async fn make(store: &Store, accounts: Vec<Imported>) -> anyhow::Result<Vec<Unusable>> {
    let mut taken = Vec::new();
    let mut made = 0;
    let mut accounts = accounts.into_iter().peekable();
    while accounts.peek().is_some() {
        let mut asked = JoinSet::new();
        for Imported { line, name, credential } in accounts.by_ref().take(AT_ONCE) {
            let store = store.clone();
            asked.spawn(async move {
                let taken = format!("the name {name} is taken; its password stays as it is");
                let account = store.create_account(name, credential, state::now()).await?;
                Ok::<_, StoreError>(account.is_none().then_some(Unusable { line, reason: taken }))
            });
        }
        while let Some(answer) = asked.join_next().await {
            match answer? {
                Ok(None) => made += 1,
                Ok(Some(unusable)) => taken.push(unusable),
                Err(error) if made == 0 => return Err(error.into()),
                Err(error) => bail!("{error}; {made} accounts came in before, and importing again brings the others"),
            }
        }
    }
    Ok(taken)
}

/// What is in the file. What is not text becomes a character that no name and no hash has.
fn contents(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let failed = |error: io::Error| anyhow!("cannot read {}: {error}", shown(path));
    let mut bytes = Zeroizing::new(Vec::new());
    let read = if path == Path::new("-") {
        io::stdin().lock().take(MAX_FILE + 1).read_to_end(&mut bytes)
    } else {
        let file = File::open(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?;
        if found.is_file() && found.permissions().mode() & 0o044 != 0 {
            let file = output::shell_word(&shown(path));
            output::note(format_args!(
                "warning: others can read {file}, and try passwords on its hashes; once imported it can go, else: \
                 chmod 600 {file}"
            ));
        }
        file.take(MAX_FILE + 1).read_to_end(&mut bytes)
    };
    read.map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE {
        bail!("{} is longer than {} MiB; import it in pieces", shown(path), MAX_FILE >> 20);
    }
    Ok(Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned()))
}

fn shown(path: &Path) -> String {
    if path == Path::new("-") { "stdin".to_owned() } else { path.display().to_string() }
}
