//! `fernwire serve`: keys, listeners, a banner with a line that connects, and the server until a signal ends it.

use std::io;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use fernwire::channel::Settings;
use fernwire::config::server::ServerConfig;
use fernwire::server::Server;
use fernwire::service::Services;
use fernwire::service::accounts::{Accounts, password};
use fernwire::service::chat::Chat;
use fernwire::service::query::Query;
use fernwire::service::shown::screen;
use fernwire::store::{Feed, Store};
use fernwire::transport::{self, ListenOptions, Listener};
use rustix::process::{Resource, getrlimit, setrlimit};

use tokio::time::{Instant, interval_at};

use crate::cli::ServeArgs;
use crate::configure::{self, Origins};
use crate::logging::Log;
use crate::{check, logging, output, systemd};

pub(crate) mod banner;
pub(crate) mod certificate;
mod console;
pub(crate) mod doors;
mod kept;
pub(crate) mod keys;
pub(crate) mod places;
mod shown;
mod signals;

use certificate::Certificate;
use console::Console;
use doors::Doors;
use keys::{Keys, certificate_folder, data_folder, prepare_folder};
use signals::{Signals, Wish};

const DAY: Duration = Duration::from_secs(24 * 3600);

pub(crate) fn run(args: ServeArgs, origins: &Origins) -> anyhow::Result<ExitCode> {
    let (only_check, asked_for_console) = (args.check, args.console);
    let config = configure::server(args, origins)?;
    if only_check {
        return check::run(&config);
    }
    let log = logging::start(config.log_level, config.log_format)?;
    raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(serve(config, asked_for_console, &log));
    // A name that is still being looked up keeps nobody waiting.
    runtime.shutdown_background();
    ended
}

async fn serve(config: ServerConfig, asked_for_console: bool, log: &Log) -> anyhow::Result<ExitCode> {
    // Before anything that takes time: a signal that comes early is not lost, and does not kill.
    let mut signals = Signals::new()?;
    let console = asked_for_console || Console::has_operator();
    let Prepared { keys, doors, certificate, listeners, store, feed } = tokio::select! {
        prepared = Prepared::new(&config, asked_for_console) => prepared?,
        () = signals.terminated() => {
            tracing::info!("stopped before it was ready");
            return Ok(ExitCode::SUCCESS);
        }
    };
    let (screen, showing) = screen();
    let (log_service, submit) = kept::services(&config, &data_folder(&config)?, &store, &screen).await?;
    let local: Vec<_> = listeners.iter().map(|listener| listener.local().clone()).collect();
    output::result(keys.banner(&config, &local, certificate.as_ref(), console)?)?;
    certificate.iter().for_each(Certificate::warn);
    systemd::ready(&local);
    let services = Services { log: log_service, submit, ..services(&config, &store, feed) };
    let services = Arc::new(services);
    let operator = operator(console, services.clone(), store.clone())?;
    let server = Server::new(keys.policy, services, config.limits, Settings::default());
    let (stop, stop_ordered) = tokio::sync::oneshot::channel();
    let obeying = async {
        let mut operator = pin!(operator);
        loop {
            let wish = tokio::select! {
                wish = signals.next(certificate.is_some()) => wish,
                () = &mut operator => Wish::Stop,
            };
            if wish == Wish::Stop {
                break;
            }
            systemd::reloading();
            reload(certificate.as_ref());
            systemd::ready(&local);
        }
        systemd::stopping(config.limits.drain_timeout);
        let _ = stop.send(());
        signals.terminated().await;
    };
    tokio::select! {
        () = server.run(doors.behind(listeners), async { drop(stop_ordered.await) }) => {}
        () = obeying => tracing::warn!("stopped at once by a second signal"),
        // These never complete.
        () = log.tell_what_was_counted() => {}
        () = shown::show(showing, console) => {}
        () = look_after(certificate.as_ref()) => {}
    }
    log.end_window();
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

/// What the server offers.
fn services(config: &ServerConfig, store: &Store, feed: Feed) -> Services {
    Services {
        query: config.query.as_ref().map(|query| Query::new(query.table.clone(), query.tick)),
        accounts: Some(accounts(config, store)),
        chat: config.chat.enabled.then(|| Chat::new(store.clone(), feed)),
        ..Services::default()
    }
}

fn accounts(config: &ServerConfig, store: &Store) -> Accounts {
    let accounts = Accounts::new(store.clone(), password::COST);
    if config.chat.signup { accounts } else { accounts.without_signup() }
}

/// Completes when somebody at the server's terminal wants it to stop; without anybody there, never.
fn operator(console: bool, services: Arc<Services>, store: Store) -> io::Result<impl Future<Output = ()>> {
    let console = console.then(Console::open).transpose()?;
    Ok(async {
        match console {
            Some(console) => console.obey(services, store).await,
            None => std::future::pending().await,
        }
    })
}

/// What a server needs before it serves.
struct Prepared {
    keys: Keys,
    doors: Doors,
    certificate: Option<Certificate>,
    listeners: Vec<Box<dyn Listener>>,
    store: Store,
    feed: Feed,
}

impl Prepared {
    async fn new(config: &ServerConfig, is_answered_by_operator: bool) -> anyhow::Result<Self> {
        places::check(&config.listeners).await?;
        let data = data_folder(config)?;
        prepare_folder(&data)?;
        // First, since it keeps a second server out of the folder.
        let (store, feed) = Store::open(&data)?;
        // Before a secret key is made: a door may name its file.
        let doors = Doors::prepare(config, is_answered_by_operator)?;
        let keys = Keys::prepare(config)?;
        let certificate = prepare_certificate(config)?;
        let options = ListenOptions { certificate: certificate.as_ref().map(Certificate::shown) };
        let mut listeners = Vec::new();
        for endpoint in &config.listeners {
            listeners.push(transport::listen(endpoint, &options).await?);
        }
        Ok(Self { keys, doors, certificate, listeners, store, feed })
    }
}

/// What `tls://` listeners show, if there are any.
fn prepare_certificate(config: &ServerConfig) -> anyhow::Result<Option<Certificate>> {
    if !config.has_tls_listener() {
        return Ok(None);
    }
    let data = certificate_folder(config)?;
    if config.tls.is_none() {
        prepare_folder(&data)?;
    }
    Ok(Some(Certificate::prepare(config.tls.as_ref(), &data, &config.listeners)?))
}

/// Sees to the certificate once a day.
async fn look_after(certificate: Option<&Certificate>) {
    let mut days = interval_at(Instant::now() + DAY, DAY);
    loop {
        days.tick().await;
        certificate.iter().for_each(|certificate| certificate.look_after());
    }
}

/// What SIGHUP is for.
fn reload(certificate: Option<&Certificate>) {
    match certificate {
        Some(certificate) => certificate.reload(),
        None => tracing::info!("SIGHUP: there is no certificate to reload"),
    }
}

/// Every session takes a descriptor, and the soft limit is often 1,024.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Where it cannot be raised, the accept loop survives running out.
    let _ = setrlimit(Resource::Nofile, rustix::process::Rlimit { current: limit.maximum, ..limit });
}
