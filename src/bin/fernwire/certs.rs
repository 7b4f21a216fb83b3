//! `fernwire certs`: an authority, a certificate of a server under it, and the two commands that use them.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{anyhow, bail};
use fernwire::certs::Authority;
use fernwire::certs::host_name::HostName;
use fernwire::certs::pem::{PemPair, load_certificates};
use fernwire::certs::summary::{self, Summary};
use fernwire::config::{CA_FILE, TlsFiles};
use fernwire::transport::endpoint::{Address, DEFAULT_PORT, Endpoint};
use serde_json::json;

use crate::cli::CertsArgs;
use crate::output;

pub(crate) fn run(args: &CertsArgs) -> anyhow::Result<ExitCode> {
    let files = Files::below(&std::path::absolute(&args.out)?);
    let names = choose_names(args, &files)?;
    fs::create_dir_all(&args.out).map_err(|error| anyhow!("cannot make {}: {error}", args.out.display()))?;
    let authority = files.authority(args.force)?;
    files.check_server(&authority, args.force)?;
    let issued = authority.key.issue(&names)?;
    if authority.is_new {
        authority.key.pem().save(&files.ca, &files.ca_key)?;
    }
    issued.save(&files.server.cert, &files.server.key)?;
    let server = Summary::of(&issued.certificate()?).ok_or_else(|| anyhow!("the new certificate cannot be read"))?;
    report(args, &files, &authority, &server, &names)?;
    Ok(ExitCode::SUCCESS)
}

/// What was asked for; or the names that the certificate has had; or this machine alone.
fn choose_names(args: &CertsArgs, files: &Files) -> anyhow::Result<Vec<HostName>> {
    if !args.host.is_empty() {
        let mut names = Vec::new();
        for name in &args.host {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        return Ok(names);
    }
    if files.server.cert.exists() {
        let certificates = match load_certificates(&files.server.cert) {
            // It is about to be replaced, whatever it is.
            Err(_) if args.force => Vec::new(),
            loaded => loaded?,
        };
        let names = certificates.first().and_then(Summary::of).map(|summary| summary.names).unwrap_or_default();
        let names: Vec<HostName> = names.iter().filter_map(|name| name.parse().ok()).collect();
        if !names.is_empty() {
            return Ok(names);
        }
    }
    Ok(["localhost", "127.0.0.1", "::1"].iter().filter_map(|name| name.parse().ok()).collect())
}

struct Files {
    ca: PathBuf,
    ca_key: PathBuf,
    server: TlsFiles,
}

/// The authority in use.
struct Found {
    key: Authority,
    is_new: bool,
}

impl Files {
    fn below(folder: &Path) -> Self {
        let server = TlsFiles { cert: folder.join("server.pem"), key: folder.join("server-key.pem") };
        Self { ca: folder.join(CA_FILE), ca_key: folder.join("ca-key.pem"), server }
    }

    /// The authority that is there, or a new one; nothing is written yet.
    fn authority(&self, force: bool) -> anyhow::Result<Found> {
        let advice = "or begin a new authority with --force, whose ca.pem every client then needs";
        match (self.ca.exists(), self.ca_key.exists()) {
            _ if force => {}
            (false, false) => {}
            (true, true) => {
                let key = Authority::from_pem(PemPair::load(&self.ca, &self.ca_key)?)?;
                return Ok(Found { key, is_new: false });
            }
            (true, false) => bail!(
                "{} is there without its key; put {} back to issue certificates with it, {advice}",
                self.ca.display(),
                self.ca_key.display()
            ),
            (false, true) => {
                bail!("{} is there without {}; put that back, {advice}", self.ca_key.display(), self.ca.display())
            }
        }
        Ok(Found { key: Authority::generate()?, is_new: true })
    }

    /// Only what this authority has issued before is replaced without a word.
    fn check_server(&self, authority: &Found, force: bool) -> anyhow::Result<()> {
        let TlsFiles { cert, key } = &self.server;
        if force || !(cert.exists() || key.exists()) {
            return Ok(());
        }
        let issuer =
            load_certificates(cert).ok().and_then(|found| Summary::of(found.first()?)).map(|found| found.issuer);
        if issuer.as_deref() != Some(authority.key.summary().subject.as_str()) {
            bail!(
                "{} or its key was not made by this authority and would be lost; move both away, or replace them with \
                 --force",
                cert.display()
            );
        }
        Ok(())
    }
}

fn report(
    args: &CertsArgs,
    files: &Files,
    authority: &Found,
    server: &Summary,
    names: &[HostName],
) -> anyhow::Result<()> {
    let (start, connect) = commands(files, names)?;
    let ca = authority.key.summary();
    let path = |path: &Path| path.display().to_string();
    if args.json {
        output::json(&json!({
            "authority": {
                "file": path(&files.ca), "key_file": path(&files.ca_key), "name": ca.subject,
                "made": authority.is_new, "until": summary::day(ca.not_after),
            },
            "server": {
                "file": path(&files.server.cert), "key_file": path(&files.server.key), "names": server.names,
                "until": summary::day(server.not_after),
            },
            "commands": { "server": start, "client": connect },
        }))?;
        return Ok(());
    }
    let made = if authority.is_new { "made just now" } else { "kept" };
    let out = args.out.display();
    output::result(format_args!(
        "{out}/ca.pem          `{}`, {made}, until {}; clients need it\n\
         {out}/ca-key.pem      its key; keep it secret, and away from servers if you can\n\
         {out}/server.pem      for {}; until {}\n\
         {out}/server-key.pem  its key, for the server alone\n\
         \n\
         Start the server, or send a running one SIGHUP:\n  {start}\n\
         Connect; on another machine, with a copy of ca.pem:\n  {connect}",
        ca.subject,
        summary::day(ca.not_after),
        server.names(),
        summary::day(server.not_after),
    ))?;
    Ok(())
}

/// What starts a server with the certificate, and what connects to it.
fn commands(files: &Files, names: &[HostName]) -> anyhow::Result<(String, String)> {
    let program = output::own_program();
    let word = |path: &Path| output::shell_word(&path.display().to_string());
    let listen = tls(listen_host(names));
    let server = tls(client_host(names));
    let start = format!(
        "{program} serve --listen {} --tls-cert {} --tls-key {}",
        output::shell_word(&listen.to_string()),
        word(&files.server.cert),
        word(&files.server.key),
    );
    let server = output::shell_word(&server.to_string());
    Ok((start, format!("{program} query {server} --ca {} SetA-Two", word(&files.ca))))
}

fn tls(host: String) -> Endpoint {
    Address::Tls { host, port: DEFAULT_PORT }.into()
}

/// Loopback if only this machine is meant, else every address; always one that the client's line reaches.
fn listen_host(names: &[HostName]) -> String {
    let client: Option<HostName> = client_host(names).parse().ok();
    if names.iter().all(HostName::is_loopback) {
        return match client {
            Some(HostName::Ip(address)) => address.to_string(),
            _ => "127.0.0.1".to_owned(),
        };
    }
    let mut needed = names.iter().filter(|name| !name.is_loopback() || Some(*name) == client.as_ref());
    let any_v6 = needed.any(|name| matches!(name, HostName::Ip(IpAddr::V6(_))));
    if any_v6 { "::" } else { "0.0.0.0" }.to_owned()
}

/// The first name; a wildcard stands for any label.
fn client_host(names: &[HostName]) -> String {
    let first = names.iter().find(|name| !name.to_string().starts_with('*')).or(names.first());
    first.map(|name| name.to_string().replace('*', "server")).unwrap_or_default()
}
