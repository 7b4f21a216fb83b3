//! The words of `fernwire serve`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use fernwire::config::Kex;
use fernwire::config::bounds::{TICK, parse_time};
use fernwire::config::log::{LogFormat, LogLevel};
use fernwire::config::services::{Openable, SubmitTo};
use fernwire::transport::endpoint::Endpoint;

#[derive(Args)]
#[command(after_help = "\
Key modes for --kex, with commas between them:
  x25519+psk  fresh keys for each session, secret.key mixed in: both sides proven, forward secrecy
  x25519      fresh keys for each session: server proven by its identity, forward secrecy
  psk         keys from secret.key: any holder can pose as the server, no forward secrecy
  auto        x25519 without a secret key; x25519+psk and psk with one

Every setting can be in a file (--config), and docs/config.toml shows all of them. A flag counts
more than the environment, that more than the file, and that more than the default. A relative
path in the file begins at the folder of the file. --config /dev/null is for no file at all.

A door for programs that speak bare Fernet over TCP, each message one token, has a key of its own:
  --listen 'fernet://127.0.0.1:65432?service=query&key=legacy.key'
service is query, log (answered at once, or with --console by `reply`) or submit; idle=1h is how long
such a session may be silent, max-token=1024 the longest token in characters that is sent. It has no
forward secrecy, no protection against replay or reordering, and proves nobody.

The log goes to stderr. At the levels error, warn and info, events that repeat are counted and told
once a minute; debug and trace write every one.

SIGTERM and SIGINT end the server, a second one at once. SIGHUP loads the certificate of tls://
anew; without one, or when the terminal that the server was started on is gone, it ends the server
too. Under nohup or systemd it never does.")]
pub(crate) struct ServeArgs {
    /// The configuration, in TOML [default: $XDG_CONFIG_HOME/fernwire/config.toml if there is one].
    #[arg(long, value_name = "FILE", env = "FERNWIRE_CONFIG", hide_env_values = true)]
    pub(crate) config: Option<PathBuf>,
    /// Check the configuration and the keys, print what would run, and leave everything as it is.
    #[arg(long)]
    pub(crate) check: bool,
    /// Where to listen; may be given several times, or with commas [default: tcp://127.0.0.1:3376].
    #[arg(long, value_name = "URL", env = "FERNWIRE_LISTEN", hide_env_values = true, value_delimiter = ',')]
    pub(crate) listen: Option<Vec<Endpoint>>,
    /// Which key modes to allow [default: auto].
    #[arg(long, value_name = "MODES", env = "FERNWIRE_KEX", hide_env_values = true)]
    pub(crate) kex: Option<Kex>,
    /// The secret key's file [default: ./secret.key]; made if a listed mode needs it.
    #[arg(long, value_name = "FILE", env = "FERNWIRE_SECRET_KEY_FILE", hide_env_values = true)]
    pub(crate) secret_key: Option<PathBuf>,
    /// Where the server's state is kept [default: $XDG_DATA_HOME/fernwire].
    #[arg(long, value_name = "DIR", env = "FERNWIRE_DATA", hide_env_values = true)]
    pub(crate) data: Option<PathBuf>,
    /// The certificate of tls:// listeners (PEM) [default: a self-signed one, made in the data directory].
    #[arg(long, value_name = "FILE", env = "FERNWIRE_TLS_CERT", hide_env_values = true)]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM).
    #[arg(long, value_name = "FILE", env = "FERNWIRE_TLS_KEY", hide_env_values = true)]
    pub(crate) tls_key: Option<PathBuf>,
    /// The time from one timestamp to the next, such as 250ms [default: 1s].
    #[arg(long, value_name = "DURATION", env = "FERNWIRE_TICK", hide_env_values = true, value_parser = parse_tick)]
    pub(crate) tick: Option<Duration>,
    /// Take the operator's commands from stdin, also where that is no terminal; `help` shows them.
    #[arg(long)]
    pub(crate) console: bool,
    /// Which of the services log and submit are for everybody who can connect; with commas.
    #[arg(long, value_name = "SERVICES", env = "FERNWIRE_OPEN", hide_env_values = true, value_delimiter = ',')]
    pub(crate) open: Option<Vec<Openable>>,
    /// What becomes of submitted data besides its place in the database: print, file or both [default: print,file].
    #[arg(long, value_name = "WAYS", env = "FERNWIRE_SUBMISSIONS", hide_env_values = true, value_delimiter = ',')]
    pub(crate) submissions: Option<Vec<SubmitTo>>,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

/// What a server writes into its log.
#[derive(Args)]
pub(crate) struct LogArgs {
    /// What to log: error, warn, info, debug or trace [default: info].
    #[arg(long, value_name = "LEVEL", env = "FERNWIRE_LOG_LEVEL", hide_env_values = true)]
    pub(crate) log_level: Option<LogLevel>,
    /// How: text, or json for an object a line [default: text].
    #[arg(long, value_name = "FORMAT", env = "FERNWIRE_LOG_FORMAT", hide_env_values = true)]
    pub(crate) log_format: Option<LogFormat>,
}

fn parse_tick(text: &str) -> Result<Duration, String> {
    parse_time(text, &TICK).ok_or_else(|| format!("a tick is a duration from {TICK}, such as 1s or 250ms"))
}
