//! What the command line and the environment say of a server, in the library's words.

use clap::ArgMatches;
use clap::parser::ValueSource;
use fernwire::config::Folders;
use fernwire::config::problem::{ConfigError, Given, Place};
use fernwire::config::server::{LogSettings, QuerySettings, ServerConfig, ServerSettings, TlsSettings};

use crate::cli::ServeArgs;

/// Which arguments were given by the environment: the values alone do not tell.
pub(crate) struct Origins<'a>(Option<&'a ArgMatches>);

impl<'a> Origins<'a> {
    /// Those of the subcommand.
    pub(crate) fn of(matches: &'a ArgMatches) -> Self {
        Self(matches.subcommand().map(|(_, matches)| matches))
    }

    fn given<T>(&self, value: Option<T>, flag: &'static str, variable: &'static str) -> Option<Given<T>> {
        let argument = flag.trim_start_matches('-').replace('-', "_");
        let by_variable = self.0.and_then(|matches| matches.value_source(&argument)) == Some(ValueSource::EnvVariable);
        let place = if by_variable { Place::Variable(variable) } else { Place::Flag(flag) };
        value.map(|value| Given::new(value, place))
    }
}

/// What `fernwire serve` runs with, called like this.
pub(crate) fn server(args: ServeArgs, origins: &Origins) -> Result<ServerConfig, ConfigError> {
    // Without a home there is no file in it.
    let default = Folders::from_env(|name| std::env::var_os(name)).ok().map(|folders| folders.server_config());
    let listen = origins.given(args.listen, "--listen", "FERNWIRE_LISTEN");
    let listen = listen.map(|Given { value, place }| {
        let endpoints = value.into_iter().map(|endpoint| Given::new(endpoint, place.clone()));
        Given::new(endpoints.collect(), place.clone())
    });
    let cert = origins.given(args.tls_cert, "--tls-cert", "FERNWIRE_TLS_CERT");
    let key = origins.given(args.tls_key, "--tls-key", "FERNWIRE_TLS_KEY");
    let flags = ServerSettings {
        listen,
        kex: origins.given(args.kex, "--kex", "FERNWIRE_KEX"),
        secret_key: origins.given(args.secret_key, "--secret-key", "FERNWIRE_SECRET_KEY_FILE"),
        data: origins.given(args.data, "--data", "FERNWIRE_DATA"),
        tls: cert.zip(key).map(|(cert, key)| TlsSettings { cert, key }),
        log: LogSettings {
            level: origins.given(args.log.log_level, "--log-level", "FERNWIRE_LOG_LEVEL"),
            format: origins.given(args.log.log_format, "--log-format", "FERNWIRE_LOG_FORMAT"),
        },
        query: QuerySettings { tick: origins.given(args.tick, "--tick", "FERNWIRE_TICK"), ..Default::default() },
        ..Default::default()
    };
    ServerConfig::load(args.config.as_deref(), default.as_deref(), flags)
}
