//! What a server runs with: flags before the environment, the environment before the file, the file before the defaults.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::{self, Chosen};
use super::listeners::{listeners, refuse_door_to_nothing};
use super::log::{LogFormat, LogLevel};
use super::problem::{ConfigError, Given, Place, Problem};
use super::secrecy::is_key;
use super::services::{
    ChatConfig, ChatSettings, LogServiceConfig, LogServiceSettings, Openable, SubmitConfig, SubmitSettings,
};
use super::{Kex, Limits, TlsFiles};
use crate::service::query::{DEFAULT_TICK, Table};
use crate::transport::endpoint::{Address, Endpoint};

/// What one source says of a server, or several together. Nothing has to be said.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ServerSettings {
    /// Where to listen.
    pub listen: Option<Given<Vec<Given<Endpoint>>>>,
    /// Which key modes to allow.
    pub kex: Option<Given<Kex>>,
    /// The secret key's file.
    pub secret_key: Option<Given<PathBuf>>,
    /// Where the server's state is kept.
    pub data: Option<Given<PathBuf>>,
    /// The certificate of `tls://` listeners, and its key: always from the same source.
    pub tls: Option<TlsSettings>,
    /// The log.
    pub log: LogSettings,
    /// Limits, one by one.
    pub limits: LimitSettings,
    /// The services that are open to everybody.
    pub open: Option<Given<Vec<Openable>>>,
    /// The services.
    pub services: ServiceSettings,
}

/// What is said of the services.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ServiceSettings {
    /// The query service.
    pub query: QuerySettings,
    /// Chat, and the accounts for it.
    pub chat: ChatSettings,
    /// The message log.
    pub log: LogServiceSettings,
    /// Data submission.
    pub submit: SubmitSettings,
}

/// What one source says of the certificate for `tls://`.
#[derive(Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// The certificate.
    pub cert: Given<PathBuf>,
    /// Its key.
    pub key: Given<PathBuf>,
}

/// What is said of the log.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LogSettings {
    /// The least important events that are written.
    pub level: Option<Given<LogLevel>>,
    /// The form of its lines.
    pub format: Option<Given<LogFormat>>,
}

/// What is said of each field of [`Limits`].
#[derive(Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are those of Limits")]
pub struct LimitSettings {
    pub max_pending: Option<Given<u32>>,
    pub max_pending_per_source: Option<Given<u32>>,
    pub max_sessions: Option<Given<u32>>,
    pub max_anonymous_per_source: Option<Given<u32>>,
    pub handshake_timeout: Option<Given<Duration>>,
    pub anonymous_idle_timeout: Option<Given<Duration>>,
    pub drain_timeout: Option<Given<Duration>>,
}

/// What is said of the query service.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct QuerySettings {
    /// Whether it is offered.
    pub enabled: Option<Given<bool>>,
    /// The time from one timestamp to the next.
    pub tick: Option<Given<Duration>>,
    /// The whole table.
    pub table: Option<Table>,
}

/// What a server runs with. Every part fits the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// The file that it was read from, if any.
    pub file: Option<PathBuf>,
    /// Where to listen: at least one place.
    pub listeners: Vec<Endpoint>,
    /// Which key modes to allow.
    pub kex: Kex,
    /// The secret key's file, if one was named.
    pub secret_key: Option<PathBuf>,
    /// Where the server's state is kept, if that was named.
    pub data: Option<PathBuf>,
    /// The certificate of `tls://` listeners, if one was named; else they show one of the server's own.
    pub tls: Option<TlsFiles>,
    /// The least important events that are logged.
    pub log_level: LogLevel,
    /// The form of the log's lines.
    pub log_format: LogFormat,
    /// What the server puts up with.
    pub limits: Limits,
    /// The query service, if it is offered.
    pub query: Option<QueryConfig>,
    /// Chat, and the accounts for it.
    pub chat: ChatConfig,
    /// The message log, if it is offered.
    pub log_service: Option<LogServiceConfig>,
    /// Data submission, if it is offered.
    pub submit: Option<SubmitConfig>,
}

/// What the query service runs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryConfig {
    /// What can be asked for.
    pub table: Table,
    /// The time from one timestamp to the next.
    pub tick: Duration,
}

impl ServerConfig {
    /// What `flags` say (with the environment in them), and for the rest the file: the named one, which must be there, or
    /// the default one, which need not.
    pub fn load(
        named: Option<&Given<PathBuf>>,
        default: Option<&Path>,
        flags: ServerSettings,
    ) -> Result<Self, ConfigError> {
        let (path, settings) = match (named, default) {
            (Some(named), _) => {
                refuse_key_as_name(named)?;
                let path = named.value.as_path();
                let read = file::read(path, Chosen::ByName)?;
                (Some(path), read.ok_or_else(|| Problem::Missing.at(&Place::File(path.into(), 0)))?)
            }
            (None, Some(path)) => match file::read(path, Chosen::ByDefault)? {
                Some(settings) => (Some(path), settings),
                None => (None, ServerSettings::default()),
            },
            (None, None) => (None, ServerSettings::default()),
        };
        let config = Self::new(flags.over(settings))?;
        Ok(Self { file: path.map(Path::to_owned), ..config })
    }

    /// What these settings come to, with defaults for what they leave open.
    pub fn new(settings: ServerSettings) -> Result<Self, ConfigError> {
        settings.paths().into_iter().flatten().try_for_each(refuse_key_as_name)?;
        let (listeners, listen_place) = listeners(settings.listen)?;
        let kex = value_or(settings.kex, Kex::default());
        refuse_idle_secret_key(kex, settings.secret_key.as_ref())?;
        refuse_idle_tls(settings.tls.as_ref(), &listeners, &listen_place)?;
        let open = value_or(settings.open, Vec::new());
        let config = Self {
            file: None,
            listeners,
            kex,
            secret_key: settings.secret_key.map(|given| given.value),
            data: settings.data.map(|given| given.value),
            tls: settings.tls.map(|tls| TlsFiles { cert: tls.cert.value, key: tls.key.value }),
            log_level: value_or(settings.log.level, LogLevel::default()),
            log_format: value_or(settings.log.format, LogFormat::default()),
            limits: settings.limits.resolve()?,
            query: settings.services.query.resolve(),
            chat: settings.services.chat.resolve(),
            log_service: settings.services.log.resolve(&open),
            submit: settings.services.submit.resolve(&open),
        };
        refuse_door_to_nothing(&config).map_err(|problem| problem.at(&listen_place))?;
        Ok(config)
    }
}

impl ServerConfig {
    /// Whether a listener shows a certificate.
    pub fn has_tls_listener(&self) -> bool {
        self.listeners.iter().any(is_tls)
    }

    /// The certificate that was named and that no listener shows, since flags name other listeners for once.
    pub fn unused_certificate(&self) -> Option<&Path> {
        self.tls.as_ref().filter(|_| !self.has_tls_listener()).map(|tls| tls.cert.as_path())
    }
}

impl ServerSettings {
    /// These, and what they leave open from `others`.
    pub fn over(self, others: Self) -> Self {
        Self {
            listen: self.listen.or(others.listen),
            kex: self.kex.or(others.kex),
            secret_key: self.secret_key.or(others.secret_key),
            data: self.data.or(others.data),
            tls: self.tls.or(others.tls),
            log: LogSettings {
                level: self.log.level.or(others.log.level),
                format: self.log.format.or(others.log.format),
            },
            limits: self.limits.over(others.limits),
            open: self.open.or(others.open),
            services: ServiceSettings {
                query: self.services.query.over(others.services.query),
                chat: self.services.chat.over(others.services.chat),
                log: self.services.log.over(others.services.log),
                submit: self.services.submit.over(others.services.submit),
            },
        }
    }

    fn paths(&self) -> [Option<&Given<PathBuf>>; 4] {
        let tls = self.tls.as_ref();
        [self.secret_key.as_ref(), self.data.as_ref(), tls.map(|tls| &tls.cert), tls.map(|tls| &tls.key)]
    }
}

fn value_or<T>(given: Option<Given<T>>, default: T) -> T {
    given.map_or(default, |given| given.value)
}

/// A variable with the key instead of its file is a common mistake, and an error that names the file would tell it.
fn refuse_key_as_name(path: &Given<PathBuf>) -> Result<(), ConfigError> {
    match path.value.to_str() {
        Some(text) if is_key(text) => Err(Problem::KeyItself.at(&path.place)),
        _ => Ok(()),
    }
}

/// Whoever names a key believes that it protects something. A variable is different: clients on this machine read it too.
fn refuse_idle_secret_key(kex: Kex, secret_key: Option<&Given<PathBuf>>) -> Result<(), ConfigError> {
    match (kex, secret_key) {
        (Kex::Modes(modes), Some(Given { place, .. })) if !modes.need_secret() => match place {
            Place::Variable(_) => Ok(()),
            place => Err(Problem::IdleSecretKey(modes.to_string()).at(place)),
        },
        _ => Ok(()),
    }
}

/// Whoever names a certificate wants TLS. Only a flag takes it off for once, where the flags name no certificate.
fn refuse_idle_tls(tls: Option<&TlsSettings>, listeners: &[Endpoint], place: &Place) -> Result<(), ConfigError> {
    let Some(TlsSettings { cert, .. }) = tls else { return Ok(()) };
    let for_once = matches!(place, Place::Flag(_)) && !cert.place.is_beside(place);
    if listeners.iter().any(is_tls) || for_once {
        return Ok(());
    }
    let because = match place {
        place @ (Place::File(..) | Place::Variable(_)) if !cert.place.is_beside(place) => {
            format!(", since {place} has none on tls://")
        }
        _ => String::new(),
    };
    Err(Problem::IdleTls(because).at(&cert.place))
}

fn is_tls(endpoint: &Endpoint) -> bool {
    matches!(endpoint.address, Address::Tls { .. })
}

impl LimitSettings {
    fn over(self, others: Self) -> Self {
        Self {
            max_pending: self.max_pending.or(others.max_pending),
            max_pending_per_source: self.max_pending_per_source.or(others.max_pending_per_source),
            max_sessions: self.max_sessions.or(others.max_sessions),
            max_anonymous_per_source: self.max_anonymous_per_source.or(others.max_anonymous_per_source),
            handshake_timeout: self.handshake_timeout.or(others.handshake_timeout),
            anonymous_idle_timeout: self.anonymous_idle_timeout.or(others.anonymous_idle_timeout),
            drain_timeout: self.drain_timeout.or(others.drain_timeout),
        }
    }

    fn resolve(self) -> Result<Limits, ConfigError> {
        let default = Limits::default();
        let (max_pending, max_pending_per_source) = all_and_one(
            ("max_pending", self.max_pending, default.max_pending),
            ("max_pending_per_source", self.max_pending_per_source, default.max_pending_per_source),
        )?;
        let (max_sessions, max_anonymous_per_source) = all_and_one(
            ("max_sessions", self.max_sessions, default.max_sessions),
            ("max_anonymous_per_source", self.max_anonymous_per_source, default.max_anonymous_per_source),
        )?;
        Ok(Limits {
            max_pending,
            max_pending_per_source,
            max_sessions,
            max_anonymous_per_source,
            handshake_timeout: value_or(self.handshake_timeout, default.handshake_timeout),
            anonymous_idle_timeout: value_or(self.anonymous_idle_timeout, default.anonymous_idle_timeout),
            drain_timeout: value_or(self.drain_timeout, default.drain_timeout),
        })
    }
}

type NamedLimit = (&'static str, Option<Given<u32>>, usize);

/// A limit for all and that for one address. What is not given follows what is: nobody has to set two to lower one.
fn all_and_one(whole: NamedLimit, part: NamedLimit) -> Result<(usize, usize), ConfigError> {
    let ((whole, given_whole, default_whole), (part, given_part, default_part)) = (whole, part);
    let whole_value = given_whole.map_or(default_whole, |given| given.value as usize);
    match given_part {
        Some(Given { value, place }) if value as usize > whole_value => {
            Err(Problem::Contradiction { part, part_value: value as usize, whole, whole_value }.at(&place))
        }
        Some(given) => Ok((whole_value, given.value as usize)),
        None => Ok((whole_value, default_part.min(whole_value))),
    }
}

impl QuerySettings {
    fn over(self, others: Self) -> Self {
        Self {
            enabled: self.enabled.or(others.enabled),
            tick: self.tick.or(others.tick),
            table: self.table.or(others.table),
        }
    }

    fn resolve(self) -> Option<QueryConfig> {
        let config = QueryConfig { table: self.table.unwrap_or_default(), tick: value_or(self.tick, DEFAULT_TICK) };
        value_or(self.enabled, true).then_some(config)
    }
}
