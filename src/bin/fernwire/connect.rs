//! How every client command reaches its server: which server, which keys, and what to ask a person about trust.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};

use anyhow::{anyhow, bail};
use fernwire::channel::mode::{KeyMode, KeyModes};
use fernwire::client::known_hosts::{KnownHosts, Provenance};
use fernwire::client::trust::{Trust, TrustError};
use fernwire::client::{Client, ConnectError, Options};
use fernwire::config::secrecy::{is_key, reason, shown};
use fernwire::config::{Folders, Kex, ServerKnown, find_secret_key};
use fernwire::keys::{IdentityKey, KeyFileError, KeyKind};
use fernwire::model::PublicIdentity;
use fernwire::transport::DialOptions;
use fernwire::transport::endpoint::{Endpoint, ParseEndpointError};
use fernwire::transport::tls::Roots;

use crate::cli::{self, ClientArgs};
use crate::output;

/// A server that can be connected to again and again.
pub(crate) struct Server {
    endpoint: Endpoint,
    options: Options,
}

impl Server {
    /// The one at this endpoint, which the arguments have named.
    pub(crate) fn new(args: &ClientArgs, endpoint: Endpoint) -> anyhow::Result<Self> {
        let wants_secret_key = match args.kex {
            Kex::Auto => true,
            Kex::Modes(modes) => modes.need_secret(),
        };
        let found = if wants_secret_key { find_secret_key(args.secret_key.as_deref()) } else { Ok(None) };
        let found = match found {
            // Whoever can write here must not choose our key; nor keep us from connecting without one.
            Err(error @ KeyFileError::NotOurs { .. }) => {
                output::note(format_args!("Not used: {error}."));
                None
            }
            found => found?,
        };
        if let Some(found) = found.as_ref().filter(|found| found.by_default) {
            output::note(format_args!("Using ./{}, key id {}.", found.path.display(), found.key.id()));
        }
        let folders = Folders::from_env(|name| std::env::var_os(name))?;
        let trust = Trust {
            known_hosts: Some(KnownHosts::new(folders.known_hosts())),
            // Without a server of our own, or with one whose key we cannot read, it proves nothing; that is all.
            own_identity: IdentityKey::load(&folders.identity_key()).ok().map(|key| key.public()),
            accept_new: args.accept_new,
        };
        let secret_key = found.map(|found| found.key);
        let dial = DialOptions { roots: roots(args, &endpoint)?, ..DialOptions::default() };
        let options = Options { kex: args.kex, secret_key, trust, dial, ..Options::default() };
        Ok(Self { endpoint, options })
    }

    /// Where it is.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// How it is connected to.
    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// Connects; on a terminal, asks about a server that nothing proves and connects again with its key pinned.
    pub(crate) async fn connect(&mut self) -> anyhow::Result<Client> {
        match self.dial().await {
            Err(ConnectError::Trust(TrustError::Unknown { endpoint, identity })) if can_ask() => {
                ask(&endpoint, identity)?;
                Ok(self.dial_trusted(identity).await?)
            }
            result => Ok(result?),
        }
    }

    /// Connects without asking anybody.
    pub(crate) async fn dial(&self) -> Result<Client, ConnectError> {
        Client::connect(&self.endpoint, &self.options).await
    }

    /// Connects to a server whose identity a person has confirmed, and remembers it.
    pub(crate) async fn dial_trusted(&self, identity: PublicIdentity) -> Result<Client, ConnectError> {
        let client = self.dial_pinned(identity).await?;
        if let Some(hosts) = &self.options.trust.known_hosts {
            hosts.record(&self.endpoint, identity, Provenance::Confirmed)?;
        }
        Ok(client)
    }

    async fn dial_pinned(&self, identity: PublicIdentity) -> Result<Client, ConnectError> {
        let has_secret_key = self.options.secret_key.is_some();
        let offered = self.options.kex.for_client(has_secret_key, ServerKnown::Recorded)?;
        // The server has shown an identity, so a mode without one is no longer wanted.
        let modes: KeyModes = offered.iter().filter(|mode| *mode != KeyMode::Psk).collect();
        let options = Options { kex: Kex::Modes(modes), ..self.options.clone() };
        Client::connect(&self.endpoint.with_identity(identity), &options).await
    }
}

/// Takes the server from the first of `words` if that is a URL, else from the flags.
pub(crate) fn find_server(args: &ClientArgs, words: &mut Vec<String>) -> anyhow::Result<Endpoint> {
    let is_all_there_is = words.len() == 1 && args.server.is_none();
    let endpoint = choose_endpoint(args, words)?;
    if let Some(word) = words.iter().find(|word| looks_like_an_address(word)) {
        if is_all_there_is && let Some(address) = in_full(word) {
            bail!("`{}` lacks the beginning of an address; write it as {}", shown(word), reason(address));
        }
        bail!(
            "`{}` looks like an address; an address goes first, once, and in full: tcp://host:port, tls://host:port or unix:///path",
            shown(word)
        );
    }
    Ok(endpoint)
}

/// The same where the words may be any text, with addresses in it.
pub(crate) fn find_server_before_texts(args: &ClientArgs, words: &mut Vec<String>) -> anyhow::Result<Endpoint> {
    choose_endpoint(args, words)
}

/// Whom to trust to vouch for the server. The flag is meant for this server; the variable is for whichever needs it.
fn roots(args: &ClientArgs, endpoint: &Endpoint) -> anyhow::Result<Roots> {
    let is_tls = endpoint.address.scheme() == "tls";
    if args.ca.is_some() && !is_tls {
        output::note(format_args!("Not used: --ca, since {} has no certificate.", endpoint.without_identity()));
    }
    let by_variable = match variable("FERNWIRE_CA") {
        Some(file) if is_tls && endpoint.identity.is_none() => {
            Some(cli::file_name(file.into()).map_err(|error| anyhow!("FERNWIRE_CA: {error}"))?)
        }
        _ => None,
    };
    let file = args.ca.clone().or(by_variable);
    Ok(file.as_deref().map(Roots::with_file).transpose()?.unwrap_or_default())
}

/// A variable that is set to nothing counts as not set.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The first argument if it is a URL, else `--server`, `FERNWIRE_SERVER`, and the local server. What is left in `words`
/// are words, and none that was meant as an address or as a secret.
fn choose_endpoint(args: &ClientArgs, words: &mut Vec<String>) -> anyhow::Result<Endpoint> {
    let first = match words.first() {
        Some(first) if is_meant_as_an_address(first) => Some(parse_endpoint(&words.remove(0))?),
        _ => None,
    };
    if words.iter().any(|word| matches!(KeyKind::of(word), KeyKind::Secret | KeyKind::Identity | KeyKind::Pem)) {
        bail!("one of the arguments is a secret key; it is in your shell's history now, so make a new one");
    }
    match (first, &args.server) {
        (Some(_), Some(_)) => bail!("the server is named twice, by --server and by the first argument"),
        (Some(endpoint), None) => Ok(endpoint),
        (None, Some(endpoint)) => Ok(endpoint.clone()),
        (None, None) => match variable("FERNWIRE_SERVER") {
            Some(text) => parse_endpoint(&text.to_string_lossy()).map_err(|error| anyhow!("FERNWIRE_SERVER: {error}")),
            None => Ok(Endpoint::default_local()),
        },
    }
}

/// Something that begins like a URL, and not a sentence or KEY=VALUE with one in it.
fn is_meant_as_an_address(word: &str) -> bool {
    let is_of_a_scheme = |c: char| !c.is_whitespace() && c != '=';
    word.split_once("://").is_some_and(|(scheme, _)| scheme.chars().all(is_of_a_scheme))
}

fn parse_endpoint(text: &str) -> anyhow::Result<Endpoint> {
    if is_key(text) {
        bail!("that is a key, where the address of a server belongs; if it is secret, better make a new one");
    }
    text.parse().map_err(|error: ParseEndpointError| anyhow!(reason(error)))
}

fn looks_like_an_address(word: &str) -> bool {
    let host_and_port = word.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
    });
    // What is looked up is SET-NAME.
    let host = word == "localhost" || (word.contains('.') && !word.contains('-'));
    host || host_and_port
        || word.contains("://")
        || ["tcp:", "tls:", "unix:", "/"].iter().any(|start| word.starts_with(start))
}

/// The address that a word would be behind a scheme, if it has none.
fn in_full(word: &str) -> Option<Endpoint> {
    let scheme = if word.starts_with('/') { "unix" } else { "tcp" };
    format!("{scheme}://{word}").parse().ok()
}

fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Shows the identity to a person and returns if they confirm it.
fn ask(endpoint: &Endpoint, identity: PublicIdentity) -> anyhow::Result<()> {
    let mut stderr = io::stderr();
    write!(
        stderr,
        "The server at {endpoint} is not known here yet. It showed this identity:\n\n    {identity}\n\n\
         Compare it with what `fernwire id` prints on the server.\n\
         Trust it and remember it? (yes, no, or paste the identity that it should have): "
    )?;
    stderr.flush()?;
    let mut answer = String::new();
    if io::stdin().read_line(&mut answer)? == 0 {
        output::note("");
    }
    Ok(judge(answer.trim(), endpoint, identity)?)
}

/// Why a server that nothing proves is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// A person said no, or nothing.
    #[error("the server at {0} is not trusted; nothing was sent to it")]
    No(Endpoint),
    /// It should have another identity.
    #[error(
        "the identity that you pasted is not the one that the server at {0} showed; \
         somebody may be posing as it, and nothing was sent to it"
    )]
    AnotherIdentity(Endpoint),
    /// The answer must not be there at all.
    #[error("what you pasted is a secret; it belongs in its file, and nowhere else. Nothing was sent")]
    Secret,
    /// The answer means nothing.
    #[error("the answer was neither yes, no nor an identity; nothing was sent to {0}")]
    NoAnswer(Endpoint),
}

/// What a person says about a server that showed this identity: it is trusted if there is no reason against it.
pub(crate) fn judge(answer: &str, endpoint: &Endpoint, identity: PublicIdentity) -> Result<(), Refusal> {
    match answer {
        "yes" | "y" => Ok(()),
        "no" | "n" | "" => Err(Refusal::No(endpoint.clone())),
        pasted if pasted.parse() == Ok(identity) => Ok(()),
        pasted => Err(match KeyKind::of(pasted) {
            KeyKind::PublicIdentity => Refusal::AnotherIdentity(endpoint.clone()),
            KeyKind::Secret | KeyKind::Identity => Refusal::Secret,
            _ => Refusal::NoAnswer(endpoint.clone()),
        }),
    }
}
