//! The Fernet doors of a server: their keys, and what is said of them.

use std::path::Path;

use anyhow::{anyhow, bail};
use fernwire::config::find_secret_key;
use fernwire::config::server::ServerConfig;
use fernwire::keys::SecretKey;
use fernwire::server::Entrance;
use fernwire::server::door::Door;
use fernwire::transport::Listener;
use fernwire::transport::endpoint::bare::{DEFAULT_IDLE, DEFAULT_MAX_TOKEN, FernetAddress, FernetService};
use fernwire::transport::endpoint::{Address, Endpoint};

use crate::output;

/// The doors of a server, by the place among its listeners; the others speak the channel.
pub(crate) struct Doors(Vec<Option<Door>>);

impl Doors {
    /// Reads the key of each. `by_operator`: whether the operator answers the log's messages.
    pub(crate) fn prepare(config: &ServerConfig, by_operator: bool) -> anyhow::Result<Self> {
        let doors = config.listeners.iter().map(|endpoint| match &endpoint.address {
            Address::Fernet(address) => door(config, address, by_operator).map(Some),
            _ => Ok(None),
        });
        Ok(Self(doors.collect::<anyhow::Result<_>>()?))
    }

    /// Puts each door behind its listener.
    pub(crate) fn behind(self, listeners: Vec<Box<dyn Listener>>) -> Vec<Entrance> {
        let both = listeners.into_iter().zip(self.0);
        let entrances = both.map(|(listener, door)| match door {
            Some(door) => Entrance::door(listener, door),
            None => listener.into(),
        });
        entrances.collect()
    }
}

fn door(config: &ServerConfig, address: &FernetAddress, is_answered_by_operator: bool) -> anyhow::Result<Door> {
    let (Some(service), Some(path)) = (address.service, &address.key) else {
        bail!("a fernet:// listener needs a service and a key");
    };
    let key = load_key(path)?;
    refuse_secret_key(config, &key, path)?;
    Ok(Door {
        service,
        key,
        idle: address.idle.unwrap_or(DEFAULT_IDLE),
        max_token: address.max_token.unwrap_or(DEFAULT_MAX_TOKEN),
        is_answered_by_operator,
    })
}

/// The key of a door, from either side.
pub(crate) fn load_key(path: &Path) -> anyhow::Result<SecretKey> {
    SecretKey::load(path).map_err(|error| {
        let remedy = if error.is_missing() {
            "; copy there the key that the other programs hold, or make a new one for all with `fernwire keygen FILE`"
        } else {
            ""
        };
        anyhow!("{error}{remedy}")
    })
}

/// What one recorded token opens must not open sessions, nor the other way round.
fn refuse_secret_key(config: &ServerConfig, key: &SecretKey, path: &Path) -> anyhow::Result<()> {
    // Also where this server's modes do not need it: its clients may.
    match find_secret_key(config.secret_key.as_deref()) {
        Ok(Some(found)) if found.path == path => bail!(
            "{secret} is the secret key of Fernwire, and a Fernet door would give away what it protects; if other \
             programs hold this key, it must not be Fernwire's: start the server in another folder if it stands there as \
             secret.key, or name another --secret-key",
            secret = path.display()
        ),
        Ok(Some(found)) if found.key.is_same(key) => bail!(
            "{door} holds the same key as {secret}, and a Fernet door would give away what the secret key protects; if \
             other programs hold this key, keep {secret} from being Fernwire's: start the server in another folder, or name \
             another --secret-key; if they do not, give the door a key of its own: `fernwire keygen FILE`",
            door = path.display(),
            secret = found.path.display()
        ),
        Ok(_) => Ok(()),
        Err(error) if error.is_missing() => Ok(()),
        Err(error) => bail!("whether {} is the secret key's too cannot be known: {error}", path.display()),
    }
}

/// What everybody has to know who opens one, if there is one.
pub(crate) fn warning(listeners: &[Endpoint]) -> Option<String> {
    let doors = listeners.iter().filter(|listener| listener.is_fernet());
    let doors: Vec<_> = doors.map(|door| door.without_identity().to_string()).collect();
    (!doors.is_empty()).then(|| {
        format!(
            "{}:\n              bare Fernet has no forward secrecy, no protection against replay or reordering,\n              \
             and no proof of who is there",
            doors.join(",\n              ")
        )
    })
}

/// A command that uses the door, ready to be pasted.
pub(crate) fn connect_line(door: &Endpoint) -> anyhow::Result<String> {
    let Address::Fernet(address) = &door.address else { bail!("{door} is no Fernet door") };
    let key = address.key.as_ref().map(std::path::absolute).transpose()?;
    let (command, words) = match address.service {
        Some(FernetService::Log) => ("log", "hello"),
        Some(FernetService::Submit) => ("submit", "first_name=Ada"),
        Some(FernetService::Query) | None => ("query", "SetA-Two"),
    };
    let endpoint =
        Endpoint::from(Address::Fernet(FernetAddress { key, idle: None, max_token: None, ..address.clone() }));
    Ok(format!("{} {command} '{endpoint}' {words}", output::own_program()))
}
