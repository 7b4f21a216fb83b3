//! `fernwire certs`: an authority, a certificate of a server under it, and the two commands that use them.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::anyhow;
use fernwire::certs::folder::{self, Folder, Kept};
use fernwire::certs::host_name::{HostName, names_in};
use fernwire::certs::pem::load_certificates;
use fernwire::certs::summary::{self, Summary};
use fernwire::config::{CA_FILE, TlsFiles};
use fernwire::transport::endpoint::{Address, DEFAULT_PORT, Endpoint};
use serde_json::json;

use crate::cli::CertsArgs;
use crate::output;

mod found;

use found::{Found, FoundServer};

pub(crate) fn run(args: &CertsArgs) -> anyhow::Result<ExitCode> {
    folder::make(&args.out)?;
    let folder = Folder::lock(&args.out, || output::note("Waiting for another `fernwire certs` in this folder ..."))?;
    if folder.is_open_to_others() {
        let out = output::shell_word(&args.out.display().to_string());
        output::note(format_args!(
            "warning: others can write to {out} and put their own files in place of these; it should be yours alone to \
             change: chmod go-w {out}"
        ));
    }
    let files = Files::below(&std::path::absolute(&args.out)?);
    let authority = files.authority(args.force)?;
    let found = files.server(&authority)?;
    if let (FoundServer::Foreign(reason), false) = (&found, args.force) {
        return Err(files.refuse(reason));
    }
    let before = files.names_before();
    let names = choose_names(args, &before);
    let issued = authority.key.issue(&names)?;

    let mut change = folder.change();
    let mut kept = Vec::new();
    if authority.is_new {
        kept.extend_from_slice(change.keep(&[&files.ca, &files.ca_key])?);
        change.put_pair(authority.key.pem(), &files.ca, &files.ca_key)?;
    }
    kept.extend_from_slice(change.keep(&files.worth_keeping(&found))?);
    change.put_pair(&issued, &files.server.cert, &files.server.key)?;
    change.commit()?;

    let server = Summary::of(&issued.certificate()?).ok_or_else(|| anyhow!("the new certificate cannot be read"))?;
    let dropped: Vec<_> = before.iter().filter(|name| !names.contains(name)).map(ToString::to_string).collect();
    if !dropped.is_empty() {
        output::note(format_args!(
            "warning: the new certificate is no longer for {}; name all its hosts with --host to keep them",
            dropped.join(", ")
        ));
    }
    report(args, &files, &authority, &server, &names, &kept)?;
    Ok(ExitCode::SUCCESS)
}

/// What was asked for; or the names that the certificate has had; or this machine alone.
fn choose_names(args: &CertsArgs, before: &[HostName]) -> Vec<HostName> {
    if !args.host.is_empty() {
        let mut names = Vec::new();
        for name in &args.host {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        return names;
    }
    if !before.is_empty() {
        return before.to_owned();
    }
    ["localhost", "127.0.0.1", "::1"].iter().filter_map(|name| name.parse().ok()).collect()
}

/// The four files.
struct Files {
    ca: PathBuf,
    ca_key: PathBuf,
    server: TlsFiles,
}

impl Files {
    fn below(folder: &Path) -> Self {
        let server = TlsFiles { cert: folder.join("server.pem"), key: folder.join("server-key.pem") };
        Self { ca: folder.join(CA_FILE), ca_key: folder.join("ca-key.pem"), server }
    }

    /// The names of the certificate that is there. Whatever cannot be read has been refused by now, or is replaced.
    fn names_before(&self) -> Vec<HostName> {
        let found = load_certificates(&self.server.cert).ok();
        found.and_then(|found| found.first().map(names_in)).unwrap_or_default()
    }
}

fn report(
    args: &CertsArgs,
    files: &Files,
    authority: &Found,
    server: &Summary,
    names: &[HostName],
    kept: &[Kept],
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
            "kept": kept.iter().map(|kept| path(&kept.to)).collect::<Vec<_>>(),
            "commands": { "server": start, "client": connect },
        }))?;
        return Ok(());
    }
    let made = if authority.is_new { "a new authority" } else { "kept" };
    let out = args.out.display();
    let names_of_kept: Vec<_> = kept.iter().filter_map(|kept| kept.to.file_name()).map(Path::new).map(path).collect();
    let kept = match &names_of_kept[..] {
        [] => String::new(),
        names => format!("What was there before and may be wanted is kept: {}\n\n", names.join(", ")),
    };
    output::result(format_args!(
        "{out}/ca.pem          `{}`, {made}, until {}; clients need it\n\
         {out}/ca-key.pem      its key; keep it secret, and away from servers if you can\n\
         {out}/server.pem      for {}; until {}\n\
         {out}/server-key.pem  its key, for the server alone\n\
         \n\
         {kept}\
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
