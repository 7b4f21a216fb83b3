//! The fernwire program: one subcommand a file. Results go to stdout, everything else to stderr.

use std::process::ExitCode;

use clap::Parser;

mod certs;
mod cli;
mod completions;
mod connect;
mod id;
mod keygen;
mod output;
mod query;
mod serve;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(args) => serve::run(args),
        Command::Query(args) => query::run(args),
        Command::Keygen(args) => keygen::run(&args),
        Command::Certs(args) => certs::run(&args),
        Command::Id(args) => id::run(&args),
        Command::Completions(args) => completions::run(&args),
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
