//! How every client command reaches its server: which server, which keys, and what to ask a person about trust.

use std::io::{self, IsTerminal, Write};

use anyhow::bail;
use fernwire::channel::mode::{KeyMode, KeyModes};
use fernwire::client::known_hosts::{KnownHosts, Provenance};
use fernwire::client::trust::{Trust, TrustError};
use fernwire::client::{Client, ConnectError, Options};
use fernwire::config::{Folders, Kex, ServerKnown, find_secret_key};
use fernwire::keys::{IdentityKey, KeyFileError, KeyKind};
use fernwire::model::PublicIdentity;
use fernwire::transport::endpoint::Endpoint;

use crate::cli::ClientArgs;
use crate::output;

/// A server that can be connected to again and again.
pub(crate) struct Server {
    endpoint: Endpoint,
    options: Options,
}

impl Server {
    /// Takes the server from the first of `words` if that is a URL, else from the flags.
    pub(crate) fn new(args: &ClientArgs, words: &mut Vec<String>) -> anyhow::Result<Self> {
        let endpoint = match words.first() {
            Some(first) if first.contains("://") => words.remove(0).parse()?,
            _ => args.server.clone().unwrap_or_else(Endpoint::default_local),
        };
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
        let options = Options { kex: args.kex, secret_key, trust, ..Options::default() };
        Ok(Self { endpoint, options })
    }

    /// Connects; on a terminal, asks about a server that nothing proves and connects again with its key pinned.
    pub(crate) async fn connect(&mut self) -> anyhow::Result<Client> {
        match Client::connect(&self.endpoint, &self.options).await {
            Err(ConnectError::Trust(TrustError::Unknown { endpoint, identity })) if can_ask() => {
                ask(&endpoint, identity)?;
                let client = self.connect_pinned(identity).await?;
                if let Some(hosts) = &self.options.trust.known_hosts {
                    hosts.record(&endpoint, identity, Provenance::Confirmed)?;
                }
                Ok(client)
            }
            result => Ok(result?),
        }
    }

    async fn connect_pinned(&self, identity: PublicIdentity) -> anyhow::Result<Client> {
        let has_secret_key = self.options.secret_key.is_some();
        let offered = self.options.kex.for_client(has_secret_key, ServerKnown::Recorded)?;
        // The server has shown an identity, so a mode without one is no longer wanted.
        let modes: KeyModes = offered.iter().filter(|mode| *mode != KeyMode::Psk).collect();
        let options = Options { kex: Kex::Modes(modes), ..self.options.clone() };
        Ok(Client::connect(&self.endpoint.with_identity(identity), &options).await?)
    }
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
    io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "yes" => Ok(()),
        "no" | "" => bail!("the server at {endpoint} is not trusted; nothing was sent to it"),
        pasted if pasted.parse() == Ok(identity) => Ok(()),
        pasted => match KeyKind::of(pasted) {
            KeyKind::PublicIdentity => bail!(
                "the identity that you pasted is not the one that the server at {endpoint} showed; \
                 somebody may be posing as it, and nothing was sent"
            ),
            KeyKind::Secret | KeyKind::Identity => {
                bail!("what you pasted is a secret; it belongs in its file, and nowhere else. Nothing was sent")
            }
            _ => bail!("the answer was neither yes, no nor an identity; nothing was sent to {endpoint}"),
        },
    }
}
