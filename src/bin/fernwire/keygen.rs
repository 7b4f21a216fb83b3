//! `fernwire keygen`: a new secret.key.

use std::process::ExitCode;

use fernwire::keys::SecretKey;
use serde_json::json;

use crate::cli::KeygenArgs;
use crate::output;

pub(crate) fn run(args: &KeygenArgs) -> anyhow::Result<ExitCode> {
    let key = SecretKey::generate();
    key.save_new(&args.file)?;
    let (file, id) = (args.file.display().to_string(), key.id().to_string());
    if args.json {
        output::json(&json!({ "file": file, "key_id": id }))?;
    } else {
        output::result(format_args!("{file} written, key id {id}"))?;
        output::note("Copy it to the other side over a channel that you trust; whoever holds it can take part.");
    }
    Ok(ExitCode::SUCCESS)
}
