//! The command line's words, and nothing of what they do.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::{PathBufValueParser, PossibleValuesParser, Resettable, TypedValueParser};
use clap::error::{ContextKind, ContextValue};
use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use fernwire::certs::host_name::HostName;
use fernwire::config::Kex;
use fernwire::config::secrecy::{is_key, redacted};
use fernwire::document::Format;
use fernwire::keys::KeyFileError;
use fernwire::model::name::{LOBBY, NameError, RoomName, UserName};
use fernwire::transport::endpoint::Endpoint;

mod admin;
mod serve;

pub(crate) use admin::{
    AddArgs, BackupArgs, DeleteArgs, ExportArgs, ExportFormat, ImportArgs, PasswdArgs, StateArgs, UsersArgs,
    UsersCommand,
};
pub(crate) use serve::ServeArgs;

const EXIT_CODES: &str = "\
Exit codes:
  0  done; every query was found
  1  at least one query was EMPTY
  2  something failed, and stderr says what
A prompt that is left exits with 0.";

/// Private, encrypted sessions between machines that their owners run themselves.
#[derive(Parser)]
#[command(name = "fernwire", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run a server; keys that are missing are made.
    Serve(ServeArgs),
    /// Ask a server for timestamps.
    Query(QueryArgs),
    /// Talk in rooms and with people; what was said while you were away is there when you return.
    Chat(ChatArgs),
    /// Leave messages in a server's log; each is acknowledged when it is safe.
    Log(MessageLogArgs),
    /// Hand in data, as JSON, a pickle of Python's or XML.
    Submit(SubmitArgs),
    /// Make a new secret.key for both sides to hold.
    Keygen(KeygenArgs),
    /// Make certificates for TLS: an authority, and a server's under it; run again, it renews the server's.
    Certs(CertsArgs),
    /// Show this server's identity and the lines that connect to it.
    Id(IdArgs),
    /// See to the accounts of this server: list, add, passwd, delete, import.
    Users(UsersArgs),
    /// Copy the database of this server, also while it runs.
    Backup(BackupArgs),
    /// Write the history of a room, for people or programs.
    Export(ExportArgs),
    /// Write completions for a shell to stdout.
    Completions(CompletionsArgs),
    /// Write a manual page to stdout, or all of them into a folder.
    Man(ManArgs),
}

#[derive(Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct QueryArgs {
    /// The server's URL if the first has `://` in it; then what to look up, such as SetA-Two. With nothing to look
    /// up: a prompt on a terminal, else one query a line from stdin.
    #[arg(value_name = "URL | QUERY")]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// What every client takes.
#[derive(Args)]
pub(crate) struct ClientArgs {
    /// The server, such as tcp://host:3376#fwk1_..., or fernet://host:65432?key=FILE for a program with bare Fernet
    /// [env: FERNWIRE_SERVER] [default: tcp://127.0.0.1:3376].
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<Endpoint>,
    /// Which key modes to offer: auto, or a list of x25519+psk, x25519 and psk.
    #[arg(long, value_name = "MODES", default_value = "auto")]
    pub(crate) kex: Kex,
    /// The secret key's file [default: ./secret.key if you own it].
    #[arg(long, value_name = "FILE", env = "FERNWIRE_SECRET_KEY_FILE", hide_env_values = true, value_parser = path())]
    pub(crate) secret_key: Option<PathBuf>,
    /// Trust the TLS authorities in this file (PEM) beside those of the system [env: FERNWIRE_CA].
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub(crate) ca: Option<PathBuf>,
    /// Trust and remember a server that is not known yet, without asking.
    #[arg(long)]
    pub(crate) accept_new: bool,
    /// Print one JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Whose session it is.
#[derive(Args)]
pub(crate) struct AccountArgs {
    /// Your account's name.
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<UserName>,
    /// Make the account first.
    #[arg(long)]
    pub(crate) signup: bool,
    /// The file with the account's password, which nobody else may be able to read [default: FERNWIRE_PASSWORD, then
    /// it is asked for on a terminal].
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub(crate) password_file: Option<PathBuf>,
}

/// What one can say to the chat client beside messages; its help, and that of the command line.
pub(crate) const CHAT_COMMANDS: &str = "  /help                       this list
  /join #ROOM                 become a member; lines go there from now on
  /leave [#ROOM]              be a member no more
  /msg NAME TEXT              tell one person
  /me TEXT                    say what you do
  /names [#ROOM]              who is a member
  /rooms                      all rooms
  /topic [TEXT]               show or change what the room is about
  /history [NUMBER]           what was said last: 20 messages, or so many
  /search WORDS               what was said with these words, in all your rooms
  /ignore [NAME]              hide a person's messages, or no longer; without a name, show who is hidden
  /kick NAME [REASON]         for operators of a room, as all that follow
  /ban NAME [TIME] [--address] [REASON]  for a time such as 10m, 2h or 7d
  /unban NAME                 let somebody come again
  /mute NAME [TIME] [REASON]  let nobody hear somebody, until /unmute
  /unmute NAME                let somebody speak again
  /op NAME                    make somebody an operator
  /deop NAME                  make somebody no operator
  /quit                       leave, as the word exit on a line of its own does";

fn chat_help() -> String {
    format!(
        "\
On a terminal it is a full screen, on which F1 shows the keys, and a form asks for what is not given here. With --plain
and in a pipe each line is one message, to the first --room or the room that was joined last. A line that begins with
/ is a command, and // says a line that begins with /:
{CHAT_COMMANDS}

At the end of the input it leaves when everything that was missed is printed and everything that was said is
on the server.

With --json the `event` of each object says what it is: online, down, conversation, entry, ready, presence,
topic, moderated, left, not_joined, notice, sent, delayed, failed, ended; and in answer to a command history,
hit, member, room. Times are in UTC. A post has the same `post_id` in sent, delayed, failed and entry.

Exit codes:
  0  done; everything that was said is on the server
  2  something failed, and stderr says what"
    )
}

#[derive(Args)]
#[command(after_help = chat_help())]
pub(crate) struct ChatArgs {
    /// The server, such as tcp://host:3376#fwk1_...
    #[arg(value_name = "URL")]
    pub(crate) url: Option<String>,
    #[command(flatten)]
    pub(crate) account: AccountArgs,
    /// A room to join; may be given several times. Lines go to the first.
    #[arg(long, value_name = "ROOM", default_value = LOBBY, value_parser = named_room)]
    pub(crate) room: Vec<RoomName>,
    /// Plain lines instead of a full screen, on a terminal too.
    #[arg(long)]
    pub(crate) plain: bool,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Args)]
#[command(after_help = "\
On a terminal it prompts for messages and shows what the server's operator answers. In a pipe each line
is a message. `!DISCONNECT` on a line of its own ends it, as does the end of the input. What is not
acknowledged when the connection is lost is sent again over the next one; nothing is lost, and nothing is
there twice. A message of more than 8 KiB is kept in pieces.

With --json the `event` of each object is received, with the message's `number` and its `row` in the
server's log (both for each piece of a long one), or answer, with the operator's `text`.

At a fernet:// address each message waits for its reply, which is printed (--json: reply, with its `text`);
`exit` ends it too, and what is lost with the connection is not sent again.

Exit codes:
  0  done; everything is in the server's log
  2  something failed, and stderr says what")]
pub(crate) struct MessageLogArgs {
    /// The server's URL if the first begins with a scheme and ://; then messages. Without any: a prompt on a terminal,
    /// else one message a line from stdin.
    #[arg(value_name = "URL | MESSAGE")]
    pub(crate) messages: Vec<String>,
    #[command(flatten)]
    pub(crate) account: AccountArgs,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Args)]
#[command(after_help = "\
Without KEY=VALUE and --file it asks: First Name, Last Name, the format, and whether there is more. In a pipe
the lines of stdin answer these questions, without being asked them.

The server reads data and runs nothing: a pickle that would import or call anything is refused, and so is XML
with a DTD or entities. The limits are 256 KiB and 32 levels.

At a fernet:// address nothing is acknowledged (--json: sent): whether it is stored remains unknown.

Exit codes:
  0  done; everything is stored
  2  something failed or was refused, and stderr says why")]
pub(crate) struct SubmitArgs {
    /// The server's URL if the first begins with a scheme and ://; then what to submit, as a dictionary of texts.
    #[arg(value_name = "URL | KEY=VALUE")]
    pub(crate) pairs: Vec<String>,
    /// How it is written: json, binary (a pickle) or xml [default: json; the server finds out for a --file].
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,
    /// Submit this file as it is; - is stdin.
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) account: AccountArgs,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Args)]
pub(crate) struct KeygenArgs {
    /// The file to write; never overwritten.
    #[arg(value_name = "FILE", default_value = "secret.key", value_parser = path())]
    pub(crate) file: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
#[command(after_help = "\
Clients trust whoever has a certificate of an authority whose ca.pem they name with --ca. The server needs
server.pem and server-key.pem alone. To renew, run it again with the same --out and send the server SIGHUP.")]
pub(crate) struct CertsArgs {
    /// The folder to write into: ca.pem, ca-key.pem, server.pem, server-key.pem.
    #[arg(long, value_name = "DIR", default_value = "certs", value_parser = path())]
    pub(crate) out: PathBuf,
    /// A name or address under which clients reach the server; may be given several times [default: those of the
    /// certificate that is there, else localhost, 127.0.0.1 and ::1].
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Vec<HostName>,
    /// Begin a new authority even if there is one, which is kept as ca.pem.old and ca-key.pem.old; every client then
    /// needs the new ca.pem.
    #[arg(long)]
    pub(crate) force: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct IdArgs {
    /// The server's configuration, in TOML [default: $XDG_CONFIG_HOME/fernwire/config.toml if there is one].
    #[arg(long, value_name = "FILE", env = "FERNWIRE_CONFIG", hide_env_values = true)]
    pub(crate) config: Option<PathBuf>,
    /// Where the server listens; may be given several times, or with commas [default: tcp://127.0.0.1:3376].
    #[arg(long, value_name = "URL", env = "FERNWIRE_LISTEN", hide_env_values = true, value_delimiter = ',')]
    pub(crate) listen: Option<Vec<Endpoint>>,
    /// Where the server's state is kept [default: $XDG_DATA_HOME/fernwire].
    #[arg(long, value_name = "DIR", env = "FERNWIRE_DATA", hide_env_values = true)]
    pub(crate) data: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    pub(crate) shell: Shell,
}

#[derive(Args)]
#[command(after_help = "\
To read a page at once, and to have all of them where man(1) finds them:
  fernwire man serve | man -l -
  fernwire man --out /usr/local/share/man/man1")]
pub(crate) struct ManArgs {
    /// The command whose page it is; without one, the page of fernwire itself.
    pub(crate) command: Option<String>,
    /// The folder to write every page into; made if needed.
    #[arg(long, value_name = "DIR", conflicts_with = "command", value_parser = path())]
    pub(crate) out: Option<PathBuf>,
    /// Print one JSON object that names what was written.
    #[arg(long, requires = "out")]
    pub(crate) json: bool,
}

/// The name of a room, which may be without its `#` where nothing else can be meant.
pub(crate) fn named_room(text: &str) -> Result<RoomName, NameError> {
    if text.starts_with('#') { text.parse() } else { format!("#{text}").parse() }
}

fn parse_room(text: &str) -> Result<RoomName, String> {
    text.parse().map_err(|error| match error {
        NameError::NotARoom => {
            format!("{error}; what two people have said to each other is theirs alone, and cannot be exported")
        }
        error => error.to_string(),
    })
}

/// Paths of commands whose configuration the library does not check for us.
fn path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(file_name)
}

/// The path of a file, unless it is the text of a key: whatever names the file in an error would tell it.
pub(crate) fn file_name(path: PathBuf) -> Result<PathBuf, KeyFileError> {
    if path.to_str().is_some_and(is_key) { Err(KeyFileError::KeyAsName) } else { Ok(path) }
}

/// The same error without what could be a key: clap repeats the values of flags and variables that it refuses.
pub(crate) fn without_keys(error: clap::Error) -> clap::Error {
    let is_told = |value: &ContextValue| redacted(&value.to_string()).is_some();
    if !error.context().any(|(_, value)| is_told(value)) {
        return error;
    }
    // Built anew, since what the parser of the value said stays in an error for good, and may repeat the value.
    let mut harmless = clap::Error::new(error.kind()).with_cmd(&grammar());
    for (kind, value) in error.context() {
        match value {
            ContextValue::String(text) => {
                let text = redacted(text).unwrap_or_else(|| text.clone());
                harmless.insert(kind, ContextValue::String(text));
            }
            value if !is_told(value) => drop(harmless.insert(kind, value.clone())),
            _ => {}
        }
    }
    let tip = "a key belongs into a file (chmod 600) whose name is given; if it is secret, better make a new one";
    harmless.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    harmless
}

/// The command line's grammar. A variable that is set to nothing counts as not set.
pub(crate) fn command() -> clap::Command {
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    grammar().mut_subcommands(|command| {
        command.mut_args(|arg| match arg.get_env() {
            Some(name) if is_empty(name) => arg.env(Resettable::Reset),
            _ => arg,
        })
    })
}

/// The same, whatever the environment is.
pub(crate) fn grammar() -> clap::Command {
    let cli = Cli::command();
    let commands: Vec<_> = cli.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let one_of_them = PossibleValuesParser::new(commands);
    cli.mut_subcommand("man", |man| man.mut_arg("command", |arg| arg.value_parser(one_of_them)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        grammar().debug_assert();
    }
}
