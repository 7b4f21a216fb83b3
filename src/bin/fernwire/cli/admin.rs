//! The words of the commands for whoever runs a server, beside it.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use fernwire::model::name::{RoomName, UserName};

use super::{parse_room, path};

/// Whose state a command on the server's machine works on.
#[derive(Args)]
pub(crate) struct StateArgs {
    /// The server's configuration, in TOML [default: $XDG_CONFIG_HOME/fernwire/config.toml if there is one].
    #[arg(long, value_name = "FILE", env = "FERNWIRE_CONFIG", hide_env_values = true, global = true)]
    pub(crate) config: Option<PathBuf>,
    /// Where the server's state is kept [default: $XDG_DATA_HOME/fernwire].
    #[arg(long, value_name = "DIR", env = "FERNWIRE_DATA", hide_env_values = true, global = true)]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "\
It works on the server's own database, beside a running server and without one, as the user who
runs the server. Times are local; with --json they are in UTC.")]
pub(crate) struct UsersArgs {
    #[command(subcommand)]
    pub(crate) command: UsersCommand,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    /// Print one JSON object a line.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum UsersCommand {
    /// List the accounts: when each was made, when it last logged in, and when it was deleted, if it was.
    List,
    /// Make an account for somebody.
    Add(AddArgs),
    /// Give an account a new password, which also brings a deleted account back.
    Passwd(PasswdArgs),
    /// Delete an account: nobody can log in to it, what was said stays, and the name stays taken.
    Delete(DeleteArgs),
    /// Make accounts from another program's names and bcrypt hashes; people keep the passwords that they have.
    Import(ImportArgs),
}

#[derive(Args)]
pub(crate) struct AddArgs {
    /// The account: 1 to 32 letters, digits, `_`, `.`, `-` and `@`.
    #[arg(value_name = "NAME")]
    pub(crate) name: UserName,
    /// The file with its password, which nobody else may be able to read [default: FERNWIRE_PASSWORD, then it is asked
    /// for on a terminal].
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub(crate) password_file: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "\
Sessions that are open stay open. One that is lost does not come back without the new password.")]
pub(crate) struct PasswdArgs {
    /// The account.
    #[arg(value_name = "NAME")]
    pub(crate) name: UserName,
    /// The file with the new password, which nobody else may be able to read [default: FERNWIRE_PASSWORD, then it is
    /// asked for on a terminal].
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub(crate) password_file: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "\
Sessions that are open are ended by the server within 10 s.")]
pub(crate) struct DeleteArgs {
    /// The account.
    #[arg(value_name = "NAME")]
    pub(crate) name: UserName,
    /// Delete it without asking; needed where there is no terminal.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Args)]
#[command(after_help = "\
A line is NAME:HASH, with a hash as Python's bcrypt writes it ($2b$12$...). Empty lines, and lines
that begin with #, say nothing. What cannot be used is told with the number of its line, and the
rest comes in. Names that are taken keep their password, so importing a file twice does no harm. If
there is no database yet, it is made.

Exit codes:
  0  done; every line came in
  1  at least one line was left out, and stderr says which and why
  2  something failed, and stderr says what")]
pub(crate) struct ImportArgs {
    /// The file; - is stdin.
    #[arg(value_name = "FILE", value_parser = path())]
    pub(crate) file: PathBuf,
}

#[derive(Args)]
#[command(after_help = "\
The copy is whole and checked, and only its owner can read it. It has the accounts, what was said,
the message log and what was submitted, but no keys: identity.key is a file of its own. To restore
it, stop the server, remove fernwire.db-wal and fernwire.db-shm from the data directory, and put the
copy there as fernwire.db.")]
pub(crate) struct BackupArgs {
    /// The file to write; never overwritten.
    #[arg(value_name = "FILE", value_parser = path())]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) state: StateArgs,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How a history is written.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    Md,
    Json,
}

#[derive(Args)]
#[command(after_help = "\
Everything that was said in the room up to now is written, oldest first: md is Markdown with local
times, and json is an object a line as `fernwire chat --json` prints it for history, with times in
UTC. Nothing that was said can act on a terminal, nor as Markdown or HTML. Conversations between two
people are theirs alone, and cannot be exported.")]
pub(crate) struct ExportArgs {
    /// The room, such as '#lobby', in quotes since # begins a comment in most shells.
    #[arg(long, value_name = "ROOM", value_parser = parse_room)]
    pub(crate) room: RoomName,
    /// How to write it.
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "md")]
    pub(crate) format: ExportFormat,
    /// The file to write; never overwritten [default: stdout].
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) state: StateArgs,
}
