//! The fernwire program: one subcommand a file. Results go to stdout, everything else to stderr.

use std::process::ExitCode;

use clap::FromArgMatches;

mod account;
mod again;
mod backup;
mod bare;
mod certs;
mod chat;
mod check;
mod cli;
mod completions;
mod configure;
mod connect;
mod export;
mod id;
mod impatience;
mod keygen;
mod log;
mod logging;
mod man;
mod output;
mod query;
mod serve;
mod signals;
mod state;
mod submit;
mod systemd;
mod users;

use cli::{Cli, Command};
use configure::Origins;

fn main() -> ExitCode {
    let matches = cli::command().try_get_matches().unwrap_or_else(|error| cli::without_keys(error).exit());
    let Cli { command } = Cli::from_arg_matches(&matches).unwrap_or_else(|error| cli::without_keys(error).exit());
    let result = match command {
        Command::Serve(args) => serve::run(args, &Origins::of(&matches)),
        Command::Query(args) => query::run(args),
        Command::Chat(args) => chat::run(args),
        Command::Log(args) => log::run(args),
        Command::Submit(args) => submit::run(args),
        Command::Keygen(args) => keygen::run(&args),
        Command::Certs(args) => certs::run(&args),
        Command::Id(args) => id::run(args, &Origins::of(&matches)),
        Command::Users(args) => users::run(args, &Origins::of(&matches)),
        Command::Backup(args) => backup::run(args, &Origins::of(&matches)),
        Command::Export(args) => export::run(args, &Origins::of(&matches)),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    };
    result.unwrap_or_else(|error| {
        if output::is_closed_pipe(&error) {
            // Whoever read the results has had enough, as `head` does.
            return ExitCode::SUCCESS;
        }
        output::note(format_args!("fernwire: {error}"));
        ExitCode::from(2)
    })
}
