//! A server of the tests' own, on any transport and in any key mode, with clients that fit it.
#![allow(dead_code, reason = "not every suite needs all of it")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use fernwire::certs::Authority;
use fernwire::channel::handshake::{Offer, Policy};
use fernwire::channel::mode::KeyMode;
use fernwire::channel::{Channel, Keepalive, RekeyAfter, Settings};
use fernwire::client::{CallError, Client, ConnectError, Options, Replies};
use fernwire::config::{Kex, Limits};
use fernwire::keys::{IdentityKey, SecretKey};
use fernwire::model::PublicIdentity;
use fernwire::protocol::query::QueryReply;
use fernwire::server::Server;
use fernwire::service::Services;
use fernwire::service::access::Access;
use fernwire::service::accounts::Accounts;
use fernwire::service::chat::Chat;
use fernwire::service::journal::{DEFAULT_KEEP, Journal, Place};
use fernwire::service::log::{Log, LogRows};
use fernwire::service::query::{Query, Table};
use fernwire::service::shown::screen;
use fernwire::service::submit::{SubmissionRows, Submit};
use fernwire::store::Store;
use fernwire::transport::endpoint::Endpoint;
use fernwire::transport::tls::{Roots, ServerCertificate};
use fernwire::transport::{self, ByteStream, Conn, DialError, DialOptions, ListenOptions, Listener};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The time from one timestamp to the next in these tests.
pub(crate) const TICK: Duration = Duration::from_millis(20);

/// What `Many-Many` is worth: more replies than a stream has credit for, twice.
pub(crate) const MANY: u32 = 6000;

/// The message log, in the server's folder.
pub(crate) const LOG_FILE: &str = "server_logs.txt";
/// What was submitted, in the server's folder.
pub(crate) const SUBMISSIONS_FILE: &str = "submissions.jsonl";

/// The cost of password hashes here, where nobody tries to break them.
const CHEAP: u32 = 4;

/// How long anything may take before the test gives up on it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// The authority that all tests trust, and its certificate in a file.
static AUTHORITY: LazyLock<(Authority, TempDir)> = LazyLock::new(|| {
    let authority = Authority::generate().unwrap();
    let folder = tempfile::tempdir().unwrap();
    authority.pem().save(&folder.path().join("ca.pem"), &folder.path().join("ca-key.pem")).unwrap();
    (authority, folder)
});

/// The file of the authority's certificate.
pub(crate) fn ca_file() -> std::path::PathBuf {
    AUTHORITY.1.path().join("ca.pem")
}

/// A certificate of the tests' authority for these names, in files of this folder.
pub(crate) fn certificate_for(names: &[&str], folder: &Path) -> ServerCertificate {
    issue(names, folder);
    load(folder)
}

/// Writes a new certificate and key for these names into this folder.
pub(crate) fn issue(names: &[&str], folder: &Path) {
    let names: Vec<_> = names.iter().map(|name| name.parse().unwrap()).collect();
    AUTHORITY.0.issue(&names).unwrap().save(&folder.join("server.pem"), &folder.join("server-key.pem")).unwrap();
}

/// What this folder has to show.
pub(crate) fn load(folder: &Path) -> ServerCertificate {
    ServerCertificate::load(&folder.join("server.pem"), &folder.join("server-key.pem")).unwrap()
}

/// Listens as a server of the tests does.
pub(crate) async fn listen(endpoint: &Endpoint, folder: &TempDir) -> Box<dyn Listener> {
    let certificate = (endpoint.address.scheme() == "tls").then(|| certificate_for(&["127.0.0.1"], folder.path()));
    transport::listen(endpoint, &ListenOptions { certificate }).await.unwrap()
}

/// Dials as a client of the tests does.
pub(crate) async fn dial(endpoint: &Endpoint) -> Result<Conn, DialError> {
    transport::dial(endpoint, &dial_options()).await
}

pub(crate) fn dial_options() -> DialOptions {
    DialOptions { roots: Roots::with_file(&ca_file()).unwrap(), ..DialOptions::default() }
}

/// A running server, and what its clients need.
pub(crate) struct Bed {
    pub(crate) endpoint: Endpoint,
    pub(crate) mode: KeyMode,
    pub(crate) settings: Settings,
    limits: Limits,
    keys: (IdentityKey, SecretKey),
    store: Store,
    services: Arc<Services>,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
    folder: TempDir,
}

impl Bed {
    pub(crate) async fn start(scheme: &str, mode: KeyMode) -> Self {
        Self::with(scheme, mode, Limits::default(), Settings::default()).await
    }

    pub(crate) async fn with(scheme: &str, mode: KeyMode, limits: Limits, settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = listen(&fresh_endpoint(scheme, &folder), &folder).await;
        Self::on(listener, folder, mode, limits, settings).await
    }

    /// A server on TLS that shows this certificate.
    pub(crate) async fn showing(certificate: &ServerCertificate, mode: KeyMode, limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = ListenOptions { certificate: Some(certificate.clone()) };
        let listener = transport::listen(&fresh_endpoint("tls", &folder), &options).await.unwrap();
        Self::on(listener, folder, mode, limits, Settings::default()).await
    }

    /// A server whose listener is wrapped in another.
    pub(crate) async fn behind(mode: KeyMode, wrap: impl FnOnce(Box<dyn Listener>) -> Box<dyn Listener>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = listen(&fresh_endpoint("memory", &folder), &folder).await;
        Self::on(wrap(listener), folder, mode, Limits::default(), Settings::default()).await
    }

    async fn on(
        listener: Box<dyn Listener>,
        folder: TempDir,
        mode: KeyMode,
        limits: Limits,
        settings: Settings,
    ) -> Self {
        let keys = (IdentityKey::generate().unwrap(), SecretKey::generate());
        Self::with_keys(listener, folder, keys, (mode, limits, settings)).await
    }

    async fn with_keys(
        listener: Box<dyn Listener>,
        folder: TempDir,
        keys: (IdentityKey, SecretKey),
        (mode, limits, settings): (KeyMode, Limits, Settings),
    ) -> Self {
        let endpoint = listener.local().clone();
        let (identity, secret_key) = keys.clone();
        let policy = Policy::new([mode].into_iter().collect(), Some(identity), Some(secret_key)).unwrap();
        let (store, feed) = Store::open(folder.path()).unwrap();
        let (screen, _) = screen();
        let kept_in = |name| Place { path: folder.path().join(name), max_bytes: None, keep: DEFAULT_KEEP };
        let log = Journal::open(kept_in(LOG_FILE), LogRows(store.clone())).await.unwrap();
        let submissions = Journal::open(kept_in(SUBMISSIONS_FILE), SubmissionRows(store.clone())).await.unwrap();
        let services = Arc::new(Services {
            query: Some(Query::new(table(), TICK)),
            accounts: Some(Accounts::new(store.clone(), CHEAP)),
            chat: Some(Chat::new(store.clone(), feed)),
            log: Some(Log::new(store.clone(), log, screen.clone(), Access::Known)),
            submit: Some(Submit::new(store.clone(), Some(submissions), Some(screen), Access::Known)),
            ..Services::default()
        });
        let server = Server::new(policy, services.clone(), limits, settings);
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(server.run(vec![listener.into()], async { drop(stopped.await) }));
        Self { endpoint, mode, settings, limits, keys, store, services, stop, running, folder }
    }

    /// Another server in its place, with what the first has left in its folder.
    pub(crate) async fn restart(self) -> Self {
        let (mode, limits, settings) = (self.mode, self.limits, self.settings);
        let (endpoint, keys) = (self.endpoint.clone(), self.keys.clone());
        let folder = self.end().await;
        Self::with_keys(listen(&endpoint, &folder).await, folder, keys, (mode, limits, settings)).await
    }

    /// Options of a client that trusts this server.
    pub(crate) fn options(&self) -> Options {
        Options {
            kex: Kex::Modes([self.mode].into_iter().collect()),
            secret_key: self.mode.needs_secret().then(|| self.keys.1.clone()),
            channel: self.settings,
            dial: dial_options(),
            ..Options::default()
        }
    }

    /// The server's identity, whether its mode shows it or not.
    pub(crate) fn identity(&self) -> PublicIdentity {
        self.keys.0.public()
    }

    /// The server's secret key, whether its mode needs it or not.
    pub(crate) fn secret_key(&self) -> SecretKey {
        self.keys.1.clone()
    }

    /// The server's address with its identity, in the modes that have one.
    pub(crate) fn pinned(&self, endpoint: &Endpoint) -> Endpoint {
        if self.mode.needs_share() { endpoint.with_identity(self.keys.0.public()) } else { endpoint.clone() }
    }

    pub(crate) async fn client(&self) -> Client {
        self.client_at(&self.endpoint).await.unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) async fn client_at(&self, endpoint: &Endpoint) -> Result<Client, ConnectError> {
        Client::connect(&self.pinned(endpoint), &self.client_options()).await
    }

    /// Options of a client that knows this server's identity, where it shows one.
    pub(crate) fn client_options(&self) -> Options {
        let mut options = self.options();
        if self.mode.needs_share() {
            // An identity in the address is enough; whoever names an authority besides wants its word as well.
            options.dial = DialOptions::default();
        }
        options
    }

    /// What a client offers this server.
    pub(crate) fn offer(&self) -> Offer {
        let secret_key = self.mode.needs_secret().then(|| self.keys.1.clone());
        Offer::new([self.mode].into_iter().collect(), secret_key).unwrap()
    }

    /// A bare channel to the server, for what a well-behaved client would not do.
    pub(crate) async fn channel(&self) -> Channel<Box<dyn ByteStream>> {
        let conn = dial(&self.endpoint).await.unwrap();
        fernwire::channel::connect(conn.io, self.offer(), self.settings).await.unwrap().trust()
    }

    /// Stops the server in order and waits until it has stopped.
    pub(crate) async fn stop(self) {
        self.end().await;
    }

    /// What the person at the server types, and reads.
    pub(crate) async fn operator(&self, line: &str) -> String {
        self.services.obey(&self.store, line.parse().unwrap()).await.unwrap()
    }

    /// What stands in a file of the server's folder.
    pub(crate) fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    async fn end(self) -> TempDir {
        let _ = self.stop.send(());
        tokio::time::timeout(DEADLINE, self.running).await.unwrap().unwrap();
        self.store.close().await;
        self.folder
    }
}

/// `SetA-One` to `SetE-Ten` as everywhere, and `Many-Many`.
fn table() -> Table {
    let names = ["One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten"];
    let numbered: Vec<_> = names.into_iter().map(str::to_owned).zip(1..).collect();
    let sets = ["SetA", "SetB", "SetC", "SetD", "SetE"].into_iter().map(str::to_owned).zip(numbered.chunks(2));
    let mut sets: BTreeMap<_, _> = sets.map(|(set, chunk)| (set, chunk.iter().cloned().collect())).collect();
    sets.insert("Many".to_owned(), BTreeMap::from([("Many".to_owned(), MANY)]));
    Table::new(sets)
}

/// A place of this scheme that nobody uses.
pub(crate) fn fresh_endpoint(scheme: &str, folder: &TempDir) -> Endpoint {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let text = match scheme {
        "tcp" | "tls" => format!("{scheme}://127.0.0.1:0"),
        "unix" => format!("unix://{}/{number}.sock", folder.path().display()),
        "memory" => format!("memory://test-{number}"),
        other => panic!("no transport {other}"),
    };
    text.parse().unwrap()
}

/// Every reply to a request, to its end.
pub(crate) async fn all(mut replies: Replies<QueryReply>) -> Result<Vec<QueryReply>, CallError> {
    let mut collected = Vec::new();
    while let Some(reply) = tokio::time::timeout(DEADLINE, replies.next()).await.unwrap()? {
        collected.push(reply);
    }
    Ok(collected)
}

/// How many timestamps a query is answered with.
pub(crate) async fn count(client: &Client, query: &str) -> usize {
    let replies = all(client.query(query)).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(replies.iter().all(|reply| matches!(reply, QueryReply::Timestamp { .. })), "{replies:?}");
    replies.len()
}

/// Both ends change their keys after every other record.
pub(crate) fn rekey_often() -> Settings {
    Settings { rekey: RekeyAfter { records: 3, ..RekeyAfter::default() }, ..Settings::default() }
}

/// Silence is noticed quickly.
pub(crate) fn impatient() -> Settings {
    let keepalive = Keepalive { ping_after: Duration::from_millis(250), dead_after: Duration::from_millis(1000) };
    Settings { keepalive, ..Settings::default() }
}
