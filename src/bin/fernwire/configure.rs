//! What the command line and the environment say of a server, in the library's words.

use std::path::PathBuf;

use clap::ArgMatches;
use clap::parser::ValueSource;
use fernwire::config::Folders;
use fernwire::config::problem::{ConfigError, Given, Place, Problem};
use fernwire::config::server::{
    LogSettings, QuerySettings, ServerConfig, ServerSettings, ServiceSettings, TlsSettings,
};
use fernwire::config::services::SubmitSettings;
use fernwire::transport::endpoint::Endpoint;

use crate::cli::{IdArgs, ServeArgs, StateArgs};

const TLS_CERT: [&str; 2] = ["--tls-cert", "FERNWIRE_TLS_CERT"];
const TLS_KEY: [&str; 2] = ["--tls-key", "FERNWIRE_TLS_KEY"];

/// Which arguments were given by the environment: the values alone do not tell.
pub(crate) struct Origins<'a>(Option<&'a ArgMatches>);

impl<'a> Origins<'a> {
    /// Those of the subcommand.
    pub(crate) fn of(matches: &'a ArgMatches) -> Self {
        Self(matches.subcommand().map(|(_, matches)| matches))
    }

    fn given<T>(&self, value: Option<T>, [flag, variable]: [&'static str; 2]) -> Option<Given<T>> {
        let argument = flag.trim_start_matches('-').replace('-', "_");
        let by_variable = self.0.and_then(|matches| matches.value_source(&argument)) == Some(ValueSource::EnvVariable);
        let place = if by_variable { Place::Variable(variable) } else { Place::Flag(flag) };
        value.map(|value| Given::new(value, place))
    }

    fn config(&self, file: Option<PathBuf>) -> Option<Given<PathBuf>> {
        self.given(file, ["--config", "FERNWIRE_CONFIG"])
    }

    fn listen(&self, endpoints: Option<Vec<Endpoint>>) -> Option<Given<Vec<Given<Endpoint>>>> {
        let Given { value, place } = self.given(endpoints, ["--listen", "FERNWIRE_LISTEN"])?;
        let endpoints = value.into_iter().map(|endpoint| Given::new(endpoint, place.clone()));
        Some(Given::new(endpoints.collect(), place.clone()))
    }

    fn data(&self, folder: Option<PathBuf>) -> Option<Given<PathBuf>> {
        self.given(folder, ["--data", "FERNWIRE_DATA"])
    }
}

/// What `fernwire serve` runs with, called like this.
pub(crate) fn server(args: ServeArgs, origins: &Origins) -> Result<ServerConfig, ConfigError> {
    let flags = ServerSettings {
        listen: origins.listen(args.listen),
        kex: origins.given(args.kex, ["--kex", "FERNWIRE_KEX"]),
        secret_key: origins.given(args.secret_key, ["--secret-key", "FERNWIRE_SECRET_KEY_FILE"]),
        data: origins.data(args.data),
        tls: tls(origins.given(args.tls_cert, TLS_CERT), origins.given(args.tls_key, TLS_KEY))?,
        log: LogSettings {
            level: origins.given(args.log.log_level, ["--log-level", "FERNWIRE_LOG_LEVEL"]),
            format: origins.given(args.log.log_format, ["--log-format", "FERNWIRE_LOG_FORMAT"]),
        },
        open: origins.given(args.open, ["--open", "FERNWIRE_OPEN"]),
        services: ServiceSettings {
            query: QuerySettings { tick: origins.given(args.tick, ["--tick", "FERNWIRE_TICK"]), ..Default::default() },
            submit: SubmitSettings {
                to: origins.given(args.submissions, ["--submissions", "FERNWIRE_SUBMISSIONS"]),
                ..Default::default()
            },
            ..Default::default()
        },
        ..Default::default()
    };
    load(origins.config(args.config), flags)
}

/// What a server would run with that is started where `fernwire id` is called like this.
pub(crate) fn server_to_show(args: IdArgs, origins: &Origins) -> Result<ServerConfig, ConfigError> {
    let (listen, data) = (origins.listen(args.listen), origins.data(args.data));
    load(origins.config(args.config), ServerSettings { listen, data, ..Default::default() })
}

/// What a server would run with that is started where a command is called like this.
pub(crate) fn server_of(args: StateArgs, origins: &Origins) -> Result<ServerConfig, ConfigError> {
    load(origins.config(args.config), ServerSettings { data: origins.data(args.data), ..Default::default() })
}

fn load(named: Option<Given<PathBuf>>, flags: ServerSettings) -> Result<ServerConfig, ConfigError> {
    // Without a home there is no file in it.
    let default = Folders::from_env(|name| std::env::var_os(name)).ok().map(|folders| folders.server_config());
    ServerConfig::load(named.as_ref(), default.as_deref(), flags)
}

/// Both from flags or both from the environment: a certificate with the key of another would be nobody's intention.
fn tls(cert: Option<Given<PathBuf>>, key: Option<Given<PathBuf>>) -> Result<Option<TlsSettings>, ConfigError> {
    let (place, [flag, variable]) = match (cert, key) {
        (None, None) => return Ok(None),
        (Some(cert), Some(key)) if cert.place.is_beside(&key.place) => return Ok(Some(TlsSettings { cert, key })),
        // Of two halves, the one by flag is wanted, whatever the environment is.
        (Some(_), Some(key)) if matches!(key.place, Place::Flag(_)) => (key.place, TLS_CERT),
        (Some(cert), _) => (cert.place, TLS_KEY),
        (None, Some(key)) => (key.place, TLS_CERT),
    };
    let missing = if let Place::Flag(_) = place { flag } else { variable };
    Err(ConfigError { place, problem: Problem::LoneTls { missing } })
}
