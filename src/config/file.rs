//! The configuration file: how it is opened, and what its keys mean. What they mean together is decided in `server`.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::process::geteuid;

use super::bounds::{
    ANONYMOUS_IDLE_TIMEOUT, DRAIN_TIMEOUT, HANDSHAKE_TIMEOUT, MAX_CONNECTIONS, MAX_FILE_BYTES, MAX_KEPT_FILES,
    MAX_TIMESTAMPS, TICK,
};
use super::document::{Entry, Lines, Section, Source};
use super::problem::{ConfigError, Given, Place, Problem};
use super::secrecy::{shown, without_keys};
use super::server::{LimitSettings, LogSettings, QuerySettings, ServerSettings, ServiceSettings, TlsSettings};
use super::services::{ChatSettings, LogServiceSettings, SubmitSettings};
use crate::keys::files::dangling_link;
use crate::model::is_treacherous;
use crate::service::query::Table;
use crate::transport::endpoint::Endpoint;

/// No configuration is longer than this many bytes; more is not read.
pub const MAX_FILE: u64 = 1 << 20;

/// The one device that is taken: an empty file for those who want none.
const NO_FILE: &str = "/dev/null";

/// What a list of listeners has to be.
const URLS: &str = "a list of addresses in quotes, such as [\"tcp://127.0.0.1:3376\"]";

/// What a list of services to open has to be.
const OPEN: &str = "a list of services in quotes, such as [\"log\", \"submit\"]";
/// What a list of places for submitted data has to be.
const TO: &str = "a list in quotes, such as [\"print\", \"file\"]";

/// Whether somebody asked for this file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// By name, and so whatever its owner.
    ByName,
    /// By nobody: it is where we look.
    ByDefault,
}

/// Reads the file; nothing, if it does not exist.
pub fn read(path: &Path, chosen: Chosen) -> Result<Option<ServerSettings>, ConfigError> {
    let at = |line| Place::File(path.into(), line);
    let bytes = match read_bytes(path, chosen) {
        Ok(bytes) => bytes,
        Err(Problem::Missing) if dangling_link(path).is_some() => return Err(Problem::LeadsNowhere.at(&at(0))),
        Err(Problem::Missing) => return Ok(None),
        Err(problem) => return Err(problem.at(&at(0))),
    };
    match std::str::from_utf8(&bytes) {
        Ok(text) => parse(path, text).map(Some),
        Err(error) => Err(Problem::NotUtf8.at(&at(Lines::of(&bytes).number(error.valid_up_to())))),
    }
}

fn read_bytes(path: &Path, chosen: Chosen) -> Result<Vec<u8>, Problem> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Problem::Missing,
        _ => Problem::Unreadable(error),
    };
    // Opening a pipe must not wait for somebody to write to it.
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(nonblocking).open(path).map_err(failed)?;
    let found = file.metadata().map_err(failed)?;
    if found.is_dir() {
        return Err(Problem::NotAFile("a directory"));
    } else if found.is_file() {
        refuse_foreign(path, &found, chosen)?;
    } else if path != Path::new(NO_FILE) {
        return Err(Problem::NotAFile("a pipe, socket or device"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE { Err(Problem::TooLong) } else { Ok(bytes) }
}

/// Whoever can write the file decides which keys, modes and listeners a server of ours has.
fn refuse_foreign(path: &Path, opened: &Metadata, chosen: Chosen) -> Result<(), Problem> {
    let (uid, ours, mode) = (opened.uid(), geteuid().as_raw(), opened.mode() & 0o7777);
    // Whoever named it knows its owner and its group; what everybody can write belongs to nobody.
    let (writable, remedy) = match chosen {
        Chosen::ByName => (0o002, "o-w"),
        Chosen::ByDefault => (0o022, "go-w"),
    };
    let path = without_keys(&path.to_string_lossy());
    if chosen == Chosen::ByDefault && uid != ours && uid != 0 {
        Err(Problem::NotOurs { uid, ours, path })
    } else if mode & writable != 0 {
        Err(Problem::Writable { mode, remedy, path })
    } else {
        Ok(())
    }
}

/// Reads the text of this file, each value by itself.
pub fn parse(path: &Path, text: &str) -> Result<ServerSettings, ConfigError> {
    let mut file = Source::parse(path, text.strip_prefix('\u{feff}').unwrap_or(text))?;
    let settings = ServerSettings {
        listen: file.take("listen").map(|entry| listeners(path, entry)).transpose()?,
        kex: file.take("kex").map(|entry| entry.parsed("key modes in quotes, such as \"auto\"")).transpose()?,
        secret_key: file.take("secret_key").map(Entry::path).transpose()?,
        data: file.take("data").map(Entry::path).transpose()?,
        open: file.take("open").map(|entry| texts(entry, OPEN, "a service in quotes").map(values)).transpose()?,
        tls: tls(file.section("tls")?)?,
        log: log(file.section("log")?)?,
        limits: limits(file.section("limits")?)?,
        services: services(file.section("services")?)?,
    };
    file.finish()?;
    Ok(settings)
}

/// A list of addresses, whose files begin at the folder of this file if they are relative.
fn listeners(path: &Path, entry: Entry<'_>) -> Result<Given<Vec<Given<Endpoint>>>, ConfigError> {
    let Given { value, place } = texts::<Endpoint>(entry, URLS, "an address in quotes")?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let listeners = value.into_iter().map(|given| Given::new(given.value.with_files_in(folder), given.place));
    Ok(Given::new(listeners.collect(), place))
}

/// A list of what its type can read.
fn texts<T>(entry: Entry<'_>, list: &'static str, each: &'static str) -> Result<Given<Vec<Given<T>>>, ConfigError>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let Given { value, place } = entry.list(list)?;
    let parsed = value.into_iter().map(|entry| entry.parsed(each)).collect::<Result<_, _>>()?;
    Ok(Given::new(parsed, place))
}

/// The same where the lines of its values do not matter any more.
fn values<T>(list: Given<Vec<Given<T>>>) -> Given<Vec<T>> {
    Given::new(list.value.into_iter().map(|given| given.value).collect(), list.place)
}

fn tls(mut section: Section<'_>) -> Result<Option<TlsSettings>, ConfigError> {
    let cert = section.take("cert").map(Entry::path).transpose()?;
    let key = section.take("key").map(Entry::path).transpose()?;
    section.finish()?;
    let half = |there, missing, place| Err(Problem::HalfTls { there, missing }.at(place));
    match (cert, key) {
        (Some(cert), Some(key)) => Ok(Some(TlsSettings { cert, key })),
        (Some(cert), None) => half("cert", "key", &cert.place),
        (None, Some(key)) => half("key", "cert", &key.place),
        (None, None) => Ok(None),
    }
}

fn log(mut section: Section<'_>) -> Result<LogSettings, ConfigError> {
    let settings = LogSettings {
        level: section.take("level").map(|entry| entry.parsed("a level in quotes, such as \"info\"")).transpose()?,
        format: section.take("format").map(|entry| entry.parsed("\"text\" or \"json\"")).transpose()?,
    };
    section.finish()?;
    Ok(settings)
}

fn limits(mut section: Section<'_>) -> Result<LimitSettings, ConfigError> {
    let mut count = |key| section.take(key).map(|entry| entry.count(MAX_CONNECTIONS)).transpose();
    let (max_pending, max_pending_per_source) = (count("max_pending")?, count("max_pending_per_source")?);
    let (max_sessions, max_anonymous_per_source) = (count("max_sessions")?, count("max_anonymous_per_source")?);
    let mut time = |key, bounds| section.take(key).map(|entry| entry.time(bounds)).transpose();
    let limits = LimitSettings {
        max_pending,
        max_pending_per_source,
        max_sessions,
        max_anonymous_per_source,
        handshake_timeout: time("handshake_timeout", &HANDSHAKE_TIMEOUT)?,
        anonymous_idle_timeout: time("anonymous_idle_timeout", &ANONYMOUS_IDLE_TIMEOUT)?,
        drain_timeout: time("drain_timeout", &DRAIN_TIMEOUT)?,
    };
    section.finish()?;
    Ok(limits)
}

fn services(mut section: Section<'_>) -> Result<ServiceSettings, ConfigError> {
    let query = query(section.section("query")?)?;
    let chat = chat(section.section("chat")?)?;
    let log = log_service(section.section("log")?)?;
    let submit = submit(section.section("submit")?)?;
    section.finish()?;
    Ok(ServiceSettings { query, chat, log, submit })
}

fn chat(mut chat: Section<'_>) -> Result<ChatSettings, ConfigError> {
    let settings = ChatSettings {
        enabled: chat.take("enabled").map(Entry::switch).transpose()?,
        signup: chat.take("signup").map(Entry::switch).transpose()?,
    };
    chat.finish()?;
    Ok(settings)
}

fn log_service(mut log: Section<'_>) -> Result<LogServiceSettings, ConfigError> {
    let settings = LogServiceSettings {
        enabled: log.take("enabled").map(Entry::switch).transpose()?,
        file: log.take("file").map(Entry::path_elsewhere).transpose()?,
        max_bytes: log.take("max_bytes").map(|entry| entry.number(0, MAX_FILE_BYTES)).transpose()?,
        keep: log.take("keep").map(|entry| entry.count(MAX_KEPT_FILES)).transpose()?,
    };
    log.finish()?;
    Ok(settings)
}

fn submit(mut submit: Section<'_>) -> Result<SubmitSettings, ConfigError> {
    let settings = SubmitSettings {
        enabled: submit.take("enabled").map(Entry::switch).transpose()?,
        to: submit.take("to").map(|entry| texts(entry, TO, "print or file in quotes").map(values)).transpose()?,
        file: submit.take("file").map(Entry::path_elsewhere).transpose()?,
    };
    submit.finish()?;
    Ok(settings)
}

fn query(mut query: Section<'_>) -> Result<QuerySettings, ConfigError> {
    let settings = QuerySettings {
        enabled: query.take("enabled").map(Entry::switch).transpose()?,
        tick: query.take("tick").map(|entry| entry.time(&TICK)).transpose()?,
        table: query.take("table").map(table).transpose()?,
    };
    query.finish()?;
    Ok(settings)
}

fn table(entry: Entry<'_>) -> Result<Table, ConfigError> {
    let mut sets = BTreeMap::new();
    let table = entry.section()?;
    let place = table.place.clone();
    for set in table.rest() {
        let name = nameable(&set)?;
        if name.contains('-') {
            let reason = "a query is split at its first `-`, so the name of a set has none; write SetA, not Set-A";
            return Err(Problem::BadName { name: shown(&name), reason }.at(&set.place));
        }
        let place = set.place.clone();
        let entries = set.section()?.rest().into_iter();
        let entries = entries.map(|entry| Ok((nameable(&entry)?, entry.count(MAX_TIMESTAMPS)?.value)));
        let entries = entries.collect::<Result<BTreeMap<_, _>, ConfigError>>()?;
        if entries.is_empty() {
            return Err(Problem::EmptyTable(format!("the set `{}`", shown(&name))).at(&place));
        }
        sets.insert(name, entries);
    }
    if sets.is_empty() { Err(Problem::EmptyTable("the table".to_owned()).at(&place)) } else { Ok(Table::new(sets)) }
}

/// The key as the name of a set or an entry.
fn nameable(entry: &Entry<'_>) -> Result<String, ConfigError> {
    let reason = if entry.key.is_empty() {
        "a name has at least one character"
    } else if entry.key.chars().any(is_treacherous) {
        "a name has no control characters"
    } else {
        return Ok(entry.key.clone());
    };
    Err(Problem::BadName { name: shown(&entry.key), reason }.at(&entry.place))
}

#[cfg(test)]
mod tests {
    use super::super::server::ServerConfig;
    use super::*;
    use proptest::prelude::*;

    const EXAMPLE: &str = include_str!("../../docs/config.toml");

    fn config(text: &str) -> Result<ServerConfig, String> {
        let settings = parse(Path::new("/etc/f.toml"), text);
        settings.and_then(ServerConfig::new).map_err(|error| error.to_string())
    }

    /// The example with what it hides.
    fn whole_example() -> String {
        let hidden = |line: &'static str| line.strip_prefix('#').filter(|hidden| !hidden.starts_with(' '));
        EXAMPLE.lines().map(|line| hidden(line).unwrap_or(line)).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_example_shows_the_defaults() {
        assert_eq!(config(EXAMPLE), config(""));
    }

    #[test]
    fn the_example_shows_every_key() {
        let whole = whole_example().replace("tcp://127.0.0.1:3376", "tls://127.0.0.1:3376");
        let config = config(&whole).unwrap();
        assert_eq!(config.secret_key.as_deref(), Some(Path::new("/etc/secret.key")));
        assert_eq!(config.data.as_deref(), Some(Path::new("/var/lib/fernwire")));
        assert_eq!(config.tls.unwrap().key, Path::new("/etc/server-key.pem"));
        let tables = [
            "",
            "[tls]\n",
            "[log]\n",
            "[limits]\n",
            "[services]\n",
            "[services.query]\n",
            "[services.chat]\n",
            "[services.log]\n",
            "[services.submit]\n",
        ];
        for known in tables.map(|table| known_in(&format!("{table}no_such_key = 1"))).concat() {
            let shown = whole.lines().any(|line| line.starts_with(&known) || line.contains(&format!("{known}]")));
            assert!(shown || known == "services" || known == "table", "the example lacks {known}");
        }
    }

    fn known_in(text: &str) -> Vec<String> {
        let Problem::UnknownKey { known, .. } = parse(Path::new("f"), text).unwrap_err().problem else { panic!() };
        known.split(", ").map(str::to_owned).collect()
    }

    #[test]
    fn a_mistake_is_told_with_its_line_wherever_it_stands() {
        let line = |text: &str| config(text).unwrap_err().split(' ').next().unwrap().to_owned();
        assert_eq!(line("listen = [\n  \"tcp://h:1\",\n  \"nowhere\",\n]"), "/etc/f.toml:3:");
        assert_eq!(line("\r\nkex = 5"), "/etc/f.toml:2:");
        assert_eq!(line("\u{feff}kex = 5"), "/etc/f.toml:1:");
        assert_eq!(line("limits = { max_sessions = 0 }"), "/etc/f.toml:1:");
        assert_eq!(line("kex = \"psk\"\n\nlimits.max_sessions = 0"), "/etc/f.toml:3:");
        assert_eq!(line("kex = \"psk\"\n[limits"), "/etc/f.toml:2:");
        // Of two unknown keys, the first as one reads.
        assert_eq!(line("z = 1\na = 1"), "/etc/f.toml:1:");
    }

    #[test]
    fn a_limit_for_one_address_follows_that_for_all() {
        let limits = config("limits.max_sessions = 3").unwrap().limits;
        assert_eq!((limits.max_sessions, limits.max_anonymous_per_source), (3, 3));
        assert!(config("limits.max_pending = 5\nlimits.max_pending_per_source = 6").unwrap_err().contains("above"));
        assert!(config("limits.max_anonymous_per_source = 10_001").unwrap_err().contains("above"));
        assert!(config("limits.max_anonymous_per_source = 10_000").is_ok());
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_a_configuration(bytes: Vec<u8>) {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(&file, &bytes).unwrap();
            let _ = read(file.path(), Chosen::ByName).map(|settings| settings.map(ServerConfig::new));
        }

        #[test]
        fn any_change_of_the_example_is_refused_in_one_line_or_a_configuration(
            at in 0..EXAMPLE.len(), cut in 0_usize..40, put in "(\\PC|[\\[\\]{}\"'=.#\n\u{1b}0-9-]|inf|true|0x|1979-05-27){0,6}",
        ) {
            let start = EXAMPLE.floor_char_boundary(at);
            let end = EXAMPLE.floor_char_boundary((start + cut).min(EXAMPLE.len()));
            let text = [&EXAMPLE[..start], &put, &EXAMPLE[end..]].concat();
            if let Err(error) = config(&text) {
                prop_assert!(error.starts_with("/etc/f.toml:") && !error.contains(char::is_control), "{error:?}");
            }
        }

        #[test]
        fn any_value_of_any_key_is_refused_in_one_line_or_a_configuration(
            key in prop::sample::select(&[
                "listen", "kex", "secret_key", "data", "tls.cert", "limits.max_pending", "limits.drain_timeout", "services",
                "open", "services.log.file", "services.log.max_bytes", "services.submit.to",
                "services.query.enabled", "services.query.tick", "services.query.table", "services.query.table.A.B",
            ]),
            value in "(\"\\PC{0,20}\"|-?[0-9_.e]{0,30}|\\[(\"[a-z:/#.0-9]{0,20}\",?){0,3}\\]|\\{\\PC=\\PC\\}|true|[0-9:TZ-]{8,20})",
        ) {
            if let Err(error) = config(&format!("{key} = {value}")) {
                prop_assert!(error.starts_with("/etc/f.toml:1: ") && !error.contains(char::is_control), "{error:?}");
            }
        }
    }
}
