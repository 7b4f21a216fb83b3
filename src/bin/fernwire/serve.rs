//! `fernwire serve`: keys, listeners, a banner with a line that connects, and the server until a signal ends it.

use std::fmt::Write;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{anyhow, bail};
use fernwire::channel::Settings;
use fernwire::channel::handshake::Policy;
use fernwire::channel::mode::KeyMode;
use fernwire::config::server::ServerConfig;
use fernwire::config::{self, Folders, Kex, SECRET_KEY_FILE, find_secret_key};
use fernwire::keys::{IdentityKey, KeyFileError, SecretKey};
use fernwire::server::Server;
use fernwire::service::Services;
use fernwire::service::query::Query;
use fernwire::transport::endpoint::{Address, Endpoint};
use fernwire::transport::{self, ListenOptions, tcp};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::ServeArgs;
use crate::configure::{self, Origins};
use crate::logging::Log;
use crate::{check, logging, output};

pub(crate) mod certificate;

use certificate::Certificate;

pub(crate) fn run(args: ServeArgs, origins: &Origins) -> anyhow::Result<ExitCode> {
    let only_check = args.check;
    let config = configure::server(args, origins)?;
    if only_check {
        return check::run(&config);
    }
    let log = logging::start(config.log_level, config.log_format)?;
    raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(config, &log))
}

async fn serve(config: ServerConfig, log: &Log) -> anyhow::Result<ExitCode> {
    let keys = Keys::prepare(&config)?;
    let certificate = if config.listeners.iter().any(|endpoint| matches!(endpoint.address, Address::Tls { .. })) {
        let data = data_folder(&config)?;
        if config.tls.is_none() {
            prepare_folder(&data)?;
        }
        Some(Certificate::prepare(config.tls.as_ref(), &data, &config.listeners)?)
    } else {
        None
    };
    let options = ListenOptions { certificate: certificate.as_ref().map(Certificate::shown) };
    let mut listeners = Vec::new();
    for endpoint in &config.listeners {
        listeners.push(transport::listen(endpoint, &options).await?);
    }
    // Before the banner, so that whoever reads it can already stop us.
    let mut signals = Signals::new()?;
    let mut reloads = signal(SignalKind::hangup())?;
    let local: Vec<_> = listeners.iter().map(|listener| listener.local().clone()).collect();
    output::result(keys.banner(&config, &local, certificate.as_ref())?)?;
    certificate.iter().for_each(Certificate::warn_if_due);
    let services = Services { query: config.query.map(|query| Query::new(query.table, query.tick)) };
    let server = Server::new(keys.policy, services, config.limits, Settings::default());
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let reloading = async {
        while reloads.recv().await.is_some() {
            match &certificate {
                Some(certificate) => certificate.reload(),
                None => tracing::info!("SIGHUP: there is no certificate to reload"),
            }
        }
    };
    let twice = async {
        signals.next().await;
        let _ = stop.send(());
        signals.next().await;
    };
    tokio::select! {
        () = server.run(listeners, async { drop(stopped.await) }) => {}
        () = twice => tracing::warn!("stopped at once by a second signal"),
        // These never complete.
        () = reloading => {}
        () = log.tell_what_was_counted() => {}
    }
    log.end_window();
    Ok(ExitCode::SUCCESS)
}

/// SIGINT and SIGTERM.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// A key with the file that holds it.
struct KeyFile<K> {
    key: K,
    path: PathBuf,
    /// Whether this run has made it.
    made: bool,
}

impl<K> KeyFile<K> {
    fn origin(&self) -> String {
        format!("{}{}", self.path.display(), if self.made { ", made just now" } else { "" })
    }
}

/// The keys that a server runs with, and what its banner says of them.
struct Keys {
    policy: Policy,
    identity: Option<KeyFile<IdentityKey>>,
    secret_key: Option<KeyFile<SecretKey>>,
}

impl Keys {
    /// Reads the keys that the modes need, and makes those that are missing.
    fn prepare(config: &ServerConfig) -> anyhow::Result<Self> {
        let secret_key = prepare_secret_key(config)?;
        let modes = config.kex.for_server(secret_key.is_some());
        let identity = if modes.need_share() { Some(prepare_identity(&data_folder(config)?)?) } else { None };
        let policy = Policy::new(
            modes,
            identity.as_ref().map(|file| file.key.clone()),
            secret_key.as_ref().map(|file| file.key.clone()),
        )?;
        Ok(Self { policy, identity, secret_key })
    }

    fn banner(
        &self,
        config: &ServerConfig,
        listeners: &[Endpoint],
        certificate: Option<&Certificate>,
    ) -> anyhow::Result<String> {
        let mut banner = format!("Fernwire {} is ready.\n", env!("CARGO_PKG_VERSION"));
        if let Some(file) = &config.file {
            writeln!(banner, "  config      {}", file.display())?;
        }
        for listener in listeners {
            writeln!(banner, "  listening   {listener}")?;
        }
        writeln!(banner, "  key modes   {}", self.policy.modes())?;
        if let Some(file) = &self.identity {
            writeln!(banner, "  identity    {}\n              ({})", file.key.public(), file.origin())?;
        }
        if let Some(file) = &self.secret_key {
            writeln!(banner, "  secret key  id {} ({})", file.key.id(), file.origin())?;
        }
        if let Some(certificate) = certificate {
            writeln!(banner, "  certificate {}\n              ({})", certificate.describe(), certificate.origin())?;
        }
        if self.policy.modes().contains(KeyMode::Psk) {
            writeln!(
                banner,
                "  note        with psk, any holder of the secret key can pose as this server,\n\
                 \x20             and a stolen key opens recorded sessions"
            )?;
        }
        writeln!(banner, "Connect from another terminal:")?;
        for listener in listeners {
            writeln!(banner, "  {}", self.connect_line(listener, certificate)?)?;
        }
        write!(banner, "Stop with Ctrl-C.")?;
        Ok(banner)
    }

    /// A line that connects from any directory of this machine.
    fn connect_line(&self, listener: &Endpoint, certificate: Option<&Certificate>) -> anyhow::Result<String> {
        let mut endpoint = tcp::reachable(listener);
        endpoint.identity = self.policy.identity();
        let mut flags = Vec::new();
        if !self.policy.modes().contains(KeyMode::X25519)
            && let Some(file) = &self.secret_key
        {
            flags.extend(["--secret-key".to_owned(), std::path::absolute(&file.path)?.display().to_string()]);
        }
        if endpoint.identity.is_none() {
            flags.extend(["--kex".to_owned(), self.policy.modes().to_string()]);
            // Without an identity in it, the address says nothing about who is there.
            if matches!(endpoint.address, Address::Tls { .. })
                && let Some(file) = certificate.and_then(Certificate::authority_file)
            {
                flags.extend(["--ca".to_owned(), file.display().to_string()]);
            }
        }
        Ok(connect_line(&endpoint, &flags))
    }
}

/// A command that connects, ready to be pasted.
pub(crate) fn connect_line(endpoint: &Endpoint, flags: &[String]) -> String {
    let mut words = vec![output::own_program(), "query".into(), format!("'{endpoint}'")];
    words.extend(flags.iter().map(|flag| output::shell_word(flag)));
    words.push("SetA-Two".into());
    words.join(" ")
}

/// A key's file as it is before the server runs: with its key, or without, and then the key is to be made.
pub(crate) struct Planned<K> {
    pub(crate) key: Option<K>,
    pub(crate) path: PathBuf,
}

/// A secret key if there is one, or if the listed modes need one: then it is to be made.
pub(crate) fn plan_secret_key(config: &ServerConfig) -> anyhow::Result<Option<Planned<SecretKey>>> {
    let wanted = match config.kex {
        Kex::Auto => false,
        Kex::Modes(modes) if modes.need_secret() => true,
        Kex::Modes(_) => return Ok(None),
    };
    let named = config.secret_key.as_deref();
    match find_secret_key(named) {
        Ok(Some(found)) => return Ok(Some(Planned { key: Some(found.key), path: found.path })),
        Ok(None) if !wanted => return Ok(None),
        Ok(None) => {}
        Err(error) if error.is_missing() && wanted => {}
        Err(error) if error.is_missing() => {
            bail!("{error}; make it with `fernwire keygen`, or name a key mode with psk in --kex to have it made")
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Some(Planned { key: None, path: named.unwrap_or(Path::new(SECRET_KEY_FILE)).to_owned() }))
}

fn prepare_secret_key(config: &ServerConfig) -> anyhow::Result<Option<KeyFile<SecretKey>>> {
    Ok(match plan_secret_key(config)? {
        None => None,
        Some(Planned { key: Some(key), path }) => Some(KeyFile { key, path, made: false }),
        Some(Planned { key: None, path }) => {
            let key = SecretKey::generate();
            key.save_new(&path)?;
            Some(KeyFile { key, path, made: true })
        }
    })
}

/// Where the server's state is kept.
pub(crate) fn data_folder(config: &ServerConfig) -> anyhow::Result<PathBuf> {
    match &config.data {
        Some(data) => Ok(data.clone()),
        None => Ok(Folders::from_env(|name| std::env::var_os(name))?.data),
    }
}

/// The identity that is kept in this folder, or is to be made there.
pub(crate) fn plan_identity(data: &Path) -> Result<Planned<IdentityKey>, KeyFileError> {
    let path = config::identity_key(data);
    match IdentityKey::load(&path) {
        Ok(key) => Ok(Planned { key: Some(key), path }),
        Err(error) if error.is_missing() => Ok(Planned { key: None, path }),
        Err(error) => Err(error),
    }
}

fn prepare_folder(data: &Path) -> anyhow::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(|error| {
        anyhow!("cannot make the data directory {}: {error}; name another with --data", data.display())
    })
}

fn prepare_identity(data: &Path) -> anyhow::Result<KeyFile<IdentityKey>> {
    prepare_folder(data)?;
    let Planned { key, path } = plan_identity(data)?;
    if let Some(key) = key {
        return Ok(KeyFile { key, path, made: false });
    }
    let key = IdentityKey::generate()?;
    match key.save_new(&path) {
        Ok(()) => Ok(KeyFile { key, path, made: true }),
        // Another server made it between our look and our write: that one counts.
        Err(KeyFileError::Exists { .. }) => Ok(KeyFile { key: IdentityKey::load(&path)?, path, made: false }),
        Err(error) => Err(error.into()),
    }
}

/// Every session takes a descriptor, and the soft limit is often 1,024.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Where it cannot be raised, the accept loop survives running out.
    let _ = setrlimit(Resource::Nofile, rustix::process::Rlimit { current: limit.maximum, ..limit });
}
