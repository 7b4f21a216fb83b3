//! The clients at a `fernet://` address, where programs answer that know nothing of us.

use anyhow::bail;
use fernwire::client::bare::{BareClient, REPLY_TIMEOUT};
use fernwire::config::Kex;
use fernwire::config::secrecy::names_a_key;
use fernwire::keys::SecretKey;
use fernwire::transport::DialOptions;
use fernwire::transport::endpoint::bare::{
    DEFAULT_MAX_SUBMITTED_TOKEN, DEFAULT_MAX_TOKEN, FernetAddress, FernetService,
};
use fernwire::transport::endpoint::{Address, Endpoint};

use crate::cli::{AccountArgs, ClientArgs};
use crate::connect::Server;
use crate::output;
use crate::serve::doors::load_key;

pub(crate) mod log;
pub(crate) mod query;
pub(crate) mod submit;

/// What is at an address.
pub(crate) enum Found {
    /// A server of ours, or what should be one.
    Server(Server),
    /// A program with bare Fernet.
    Peer(Peer),
}

/// What is at this endpoint, for a command that can use both.
pub(crate) fn find(endpoint: Endpoint, service: FernetService, args: &ClientArgs) -> anyhow::Result<Found> {
    match &endpoint.address {
        Address::Fernet(address) => Peer::at(&endpoint, address, service, args).map(Found::Peer),
        _ => Server::new(args, endpoint).map(Found::Server),
    }
}

/// Such a program, and the key that it holds.
pub(crate) struct Peer {
    endpoint: Endpoint,
    address: FernetAddress,
    key: SecretKey,
    service: FernetService,
}

impl Peer {
    /// The one at this address. What only a channel has is refused instead of ignored.
    fn at(
        endpoint: &Endpoint,
        address: &FernetAddress,
        service: FernetService,
        args: &ClientArgs,
    ) -> anyhow::Result<Self> {
        if args.kex != Kex::Auto {
            bail!("--kex is for servers with key modes; {} has none", endpoint.without_identity());
        } else if args.accept_new {
            bail!("--accept-new is for servers that prove an identity; {} proves none", endpoint.without_identity());
        }
        if let Some(other) = address.service.filter(|other| *other != service) {
            bail!("{} is for `fernwire {other}`", endpoint.without_identity());
        }
        let Some(path) = &address.key else {
            bail!(
                "the address {} lacks the file of the key: add ?key=legacy.key, and put it in quotes. The secret key is \
                 never used there by itself",
                endpoint.without_identity()
            );
        };
        if names_a_key(path) {
            bail!("key= is a key itself, where the name of its file belongs; it is in your shell's history now");
        }
        let (key, address) = (load_key(path)?, address.clone());
        if args.ca.is_some() {
            output::note(format_args!("Not used: --ca, since {} has no certificate.", endpoint.without_identity()));
        }
        output::note("Bare Fernet: nothing proves who answers, and whoever has the key reads all of it, also later.");
        Ok(Self { endpoint: endpoint.clone(), address, key, service })
    }

    /// The longest token in characters to send.
    fn max_token(&self) -> usize {
        let usual = match self.service {
            FernetService::Query | FernetService::Log => DEFAULT_MAX_TOKEN,
            FernetService::Submit => DEFAULT_MAX_SUBMITTED_TOKEN,
        };
        self.address.max_token.unwrap_or(usual)
    }

    async fn connect(&self) -> anyhow::Result<BareClient> {
        let patience = self.address.idle.unwrap_or(REPLY_TIMEOUT);
        let dial = DialOptions::default();
        Ok(BareClient::connect(&self.endpoint, &self.key, (self.max_token(), patience), &dial).await?)
    }
}

/// There are no accounts there.
pub(crate) fn refuse_account(args: &AccountArgs) -> anyhow::Result<()> {
    if args.user.is_some() || args.signup || args.password_file.is_some() {
        bail!("--user, --signup and --password-file are for servers with accounts; a fernet:// address has none");
    }
    Ok(())
}
