//! `fernwire man`: manual pages, from the words of the help.

use std::fs;
use std::process::ExitCode;

use anyhow::anyhow;
use serde_json::json;

use crate::cli::{self, ManArgs};
use crate::output;

mod page;

use page::Page;

pub(crate) fn run(args: &ManArgs) -> anyhow::Result<ExitCode> {
    // The pages are of what has words of its own; `help` only repeats them.
    let mut program = cli::grammar().disable_help_subcommand(true);
    program.build();
    let Some(folder) = &args.out else {
        let command = args.command.as_ref().and_then(|name| program.find_subcommand(name));
        output::result(Page::new(&program, command).render()?.trim_end())?;
        return Ok(ExitCode::SUCCESS);
    };
    fs::create_dir_all(folder).map_err(|error| anyhow!("cannot make {}: {error}", folder.display()))?;
    let mut written = Vec::new();
    for command in [None].into_iter().chain(program.get_subcommands().map(Some)) {
        let page = Page::new(&program, command);
        let path = folder.join(page.file_name());
        fs::write(&path, page.render()?).map_err(|error| anyhow!("cannot write {}: {error}", path.display()))?;
        written.push(path.display().to_string());
    }
    if args.json {
        output::json(&json!({ "files": written }))?;
    } else {
        output::result(written.join("\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}
