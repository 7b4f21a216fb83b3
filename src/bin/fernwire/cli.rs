//! The command line's words, and nothing of what they do.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use fernwire::certs::host_name::HostName;
use fernwire::config::Kex;
use fernwire::transport::endpoint::Endpoint;

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
    /// Make a new secret.key for both sides to hold.
    Keygen(KeygenArgs),
    /// Make certificates for TLS: an authority, and a server's under it; run again, it renews the server's.
    Certs(CertsArgs),
    /// Show this server's identity and the lines that connect to it.
    Id(IdArgs),
    /// Write completions for a shell to stdout.
    Completions(CompletionsArgs),
}

#[derive(Args)]
#[command(after_help = "\
Key modes for --kex, with commas between them:
  x25519+psk  fresh keys for each session, secret.key mixed in: both sides proven, forward secrecy
  x25519      fresh keys for each session: server proven by its identity, forward secrecy
  psk         keys from secret.key: any holder can pose as the server, no forward secrecy
  auto        x25519 without a secret key; x25519+psk and psk with one

Logs go to stderr; FERNWIRE_LOG sets their level (error, warn, info, debug).")]
pub(crate) struct ServeArgs {
    /// Where to listen; may be given several times.
    #[arg(long, value_name = "URL", default_value = "tcp://127.0.0.1:3376")]
    pub(crate) listen: Vec<Endpoint>,
    /// Which key modes to allow.
    #[arg(long, value_name = "MODES", default_value = "auto")]
    pub(crate) kex: Kex,
    /// The secret key's file [default: ./secret.key]; made if a listed mode needs it.
    #[arg(long, value_name = "FILE", env = "FERNWIRE_SECRET_KEY_FILE", hide_env_values = true)]
    pub(crate) secret_key: Option<PathBuf>,
    /// Where the server's state is kept [default: $XDG_DATA_HOME/fernwire].
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// The certificate of tls:// listeners (PEM) [default: a self-signed one, made in the data directory].
    #[arg(long, value_name = "FILE", env = "FERNWIRE_TLS_CERT", hide_env_values = true, requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM).
    #[arg(long, value_name = "FILE", env = "FERNWIRE_TLS_KEY", hide_env_values = true, requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// The time from one timestamp to the next, such as 1s or 250ms.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = parse_tick)]
    pub(crate) tick: Duration,
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
    /// The server, such as tcp://host:3376#fwk1_... [env: FERNWIRE_SERVER] [default: tcp://127.0.0.1:3376].
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<Endpoint>,
    /// Which key modes to offer: auto, or a list of x25519+psk, x25519 and psk.
    #[arg(long, value_name = "MODES", default_value = "auto")]
    pub(crate) kex: Kex,
    /// The secret key's file [default: ./secret.key if you own it].
    #[arg(long, value_name = "FILE", env = "FERNWIRE_SECRET_KEY_FILE", hide_env_values = true)]
    pub(crate) secret_key: Option<PathBuf>,
    /// Trust the TLS authorities in this file (PEM) beside those of the system.
    #[arg(long, value_name = "FILE", env = "FERNWIRE_CA", hide_env_values = true)]
    pub(crate) ca: Option<PathBuf>,
    /// Trust and remember a server that is not known yet, without asking.
    #[arg(long)]
    pub(crate) accept_new: bool,
    /// Print one JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct KeygenArgs {
    /// The file to write; never overwritten.
    #[arg(value_name = "FILE", default_value = "secret.key")]
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
    #[arg(long, value_name = "DIR", default_value = "certs")]
    pub(crate) out: PathBuf,
    /// A name or address under which clients reach the server; may be given several times [default: those of the
    /// certificate that is there, else localhost, 127.0.0.1 and ::1].
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Vec<HostName>,
    /// Begin a new authority even if there is one; every client then needs its ca.pem.
    #[arg(long)]
    pub(crate) force: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct IdArgs {
    /// Where the server listens; may be given several times.
    #[arg(long, value_name = "URL", default_value = "tcp://127.0.0.1:3376")]
    pub(crate) listen: Vec<Endpoint>,
    /// Where the server's state is kept [default: $XDG_DATA_HOME/fernwire].
    #[arg(long, value_name = "DIR")]
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

/// The shortest tick, so that a typing error does not make a server busy.
const MIN_TICK: Duration = Duration::from_millis(1);
/// The longest tick.
const MAX_TICK: Duration = Duration::from_secs(24 * 3600);

fn parse_tick(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<jiff::SignedDuration>().ok().and_then(|tick| Duration::try_from(tick).ok());
    parsed
        .filter(|tick| (MIN_TICK..=MAX_TICK).contains(tick))
        .ok_or_else(|| "a tick is a duration from 1ms to 24h, such as 1s or 250ms".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn ticks_have_bounds() {
        assert_eq!(parse_tick("250ms"), Ok(Duration::from_millis(250)));
        assert!(["0s", "-1s", "100us", "25h", "1", "soon", "99999999999999h"].iter().all(|t| parse_tick(t).is_err()));
    }
}
