//! `fernwire serve --check`: what would run, or what is wrong, without making anything or taking a port.

use std::fmt::Write;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use anyhow::anyhow;
use fernwire::config::Limits;
use fernwire::config::bounds::in_words;
use fernwire::config::server::ServerConfig;
use fernwire::service::access::Access;
use rustix::fs;

use crate::output;
use crate::serve::banner::unused_certificate;
use crate::serve::certificate::Certificate;
use crate::serve::doors::{self, Doors};
use crate::serve::keys::{Planned, certificate_folder, data_folder, plan_identity, plan_secret_key};
use crate::serve::places;

pub(crate) fn run(config: &ServerConfig) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(places::check(&config.listeners))?;
    output::result(report(config)?)?;
    Ok(ExitCode::SUCCESS)
}

/// In the order and style of the banner.
fn report(config: &ServerConfig) -> anyhow::Result<String> {
    let mut report = format!("Fernwire {} would run with this.\n", env!("CARGO_PKG_VERSION"));
    let file = config.file.as_ref().map_or("none".to_owned(), |file| file.display().to_string());
    writeln!(report, "  config      {file}")?;
    for listener in &config.listeners {
        writeln!(report, "  listening   {listener}")?;
    }
    writeln!(report, "  data        {}", data_folder(config)?.display())?;
    keys(config, &mut report)?;
    Doors::prepare(config, false)?;
    if let Some(warning) = doors::warning(&config.listeners) {
        writeln!(report, "  warning     {warning}")?;
    }
    if config.has_tls_listener() {
        let (plan, warnings) = certificate(config)?;
        writeln!(report, "  certificate {plan}")?;
        for warning in warnings {
            writeln!(report, "  warning     {warning}")?;
        }
    }
    if let Some(unused) = config.unused_certificate() {
        writeln!(report, "  note        {}", unused_certificate(unused))?;
    }
    let limits = changed_limits(&config.limits);
    writeln!(
        report,
        "  limits      {}",
        if limits.is_empty() { "the defaults".into() } else { limits.join("\n              ") }
    )?;
    if let Some(query) = &config.query {
        let (entries, tick) = (query.table.entries(), in_words(query.tick));
        writeln!(report, "  services    query (a table of {entries}, a timestamp every {tick})")?;
    }
    let signup = if config.chat.signup { "" } else { ", and accounts are made by `fernwire users add`" };
    writeln!(report, "  chat        {}{signup}", if config.chat.enabled { "offered" } else { "not offered" })?;
    if let Some(log) = &config.log_service {
        let file = log.file.path.display();
        writeln!(report, "  message log {file}{}", for_whom(log.access))?;
    }
    if let Some(submit) = &config.submit {
        let print = submit.print.then(|| "print".to_owned());
        let file = submit.file.as_ref().map(|file| file.path.display().to_string());
        let ways: Vec<_> = print.into_iter().chain(file).chain(["the database".to_owned()]).collect();
        writeln!(report, "  submissions {}{}", ways.join(", "), for_whom(submit.access))?;
    }
    write!(report, "Nothing was made, and nothing listens. Whether the ports are free was not tried.")?;
    Ok(report)
}

fn for_whom(access: Access) -> &'static str {
    match access {
        Access::Known => "",
        Access::Everybody => " (open to everybody)",
    }
}

fn keys(config: &ServerConfig, report: &mut String) -> anyhow::Result<()> {
    let secret_key = plan_secret_key(config)?;
    let modes = config.kex.for_server(secret_key.is_some());
    writeln!(report, "  key modes   {modes}")?;
    if modes.need_share() {
        let data = data_folder(config)?;
        match plan_identity(&data)? {
            Planned { key: Some(key), path } => {
                writeln!(report, "  identity    {}\n              ({})", key.public(), path.display())?;
            }
            Planned { key: None, path } => {
                can_make_folder(&data)?;
                writeln!(report, "  identity    {}, which would be made", path.display())?;
            }
        }
    }
    match secret_key {
        Some(Planned { key: Some(key), path }) => {
            writeln!(report, "  secret key  id {} ({})", key.id(), path.display())?;
        }
        Some(Planned { key: None, path }) => {
            can_write_beside(&path)?;
            writeln!(report, "  secret key  {}, which would be made", path.display())?;
        }
        None => {}
    }
    Ok(())
}

/// What `tls://` listeners would show, and what is wrong with it.
fn certificate(config: &ServerConfig) -> anyhow::Result<(String, Vec<String>)> {
    let data = certificate_folder(config)?;
    if config.tls.is_none() {
        can_make_folder(&data)?;
    }
    Certificate::plan(config.tls.as_ref(), &data, &config.listeners)
}

/// Whether the folder is there, or the next one above it that is takes another.
fn can_make_folder(folder: &Path) -> anyhow::Result<()> {
    let whole = std::path::absolute(folder)?;
    let there = whole.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    can_write_in(there).map_err(|error| {
        anyhow!("cannot make the data directory {}: {error}; name another with --data", folder.display())
    })
}

fn can_write_beside(path: &Path) -> anyhow::Result<()> {
    let whole = std::path::absolute(path)?;
    can_write_in(whole.parent().unwrap_or(&whole)).map_err(|error| anyhow!("cannot write {}: {error}", path.display()))
}

fn can_write_in(folder: &Path) -> io::Result<()> {
    if folder.exists() && !folder.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    Ok(fs::access(folder, fs::Access::WRITE_OK | fs::Access::EXEC_OK)?)
}

/// `NAME = VALUE` for each limit that is not the default.
fn changed_limits(limits: &Limits) -> Vec<String> {
    let named = |limits: &Limits| {
        let Limits {
            max_pending,
            max_pending_per_source,
            max_sessions,
            max_anonymous_per_source,
            handshake_timeout,
            anonymous_idle_timeout,
            drain_timeout,
        } = *limits;
        [
            ("max_pending", max_pending.to_string()),
            ("max_pending_per_source", max_pending_per_source.to_string()),
            ("max_sessions", max_sessions.to_string()),
            ("max_anonymous_per_source", max_anonymous_per_source.to_string()),
            ("handshake_timeout", in_words(handshake_timeout)),
            ("anonymous_idle_timeout", in_words(anonymous_idle_timeout)),
            ("drain_timeout", in_words(drain_timeout)),
        ]
    };
    let both = named(limits).into_iter().zip(named(&Limits::default()));
    let changed = both.filter(|((_, value), (_, default))| value != default);
    changed.map(|((name, value), (_, default))| format!("{name} = {value} (default {default})")).collect()
}
