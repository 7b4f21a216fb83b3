//! What a server says when it is ready, with lines that connect to it.

use std::fmt::Write;
use std::path::Path;

use fernwire::channel::mode::KeyMode;
use fernwire::config::server::ServerConfig;
use fernwire::transport::endpoint::{Address, Endpoint};
use fernwire::transport::tcp;

use super::certificate::Certificate;
use super::doors;
use super::keys::Keys;
use crate::output;

impl Keys {
    /// The whole banner.
    pub(crate) fn banner(
        &self,
        config: &ServerConfig,
        listeners: &[Endpoint],
        certificate: Option<&Certificate>,
        has_operator: bool,
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
        if let Some(unused) = config.unused_certificate() {
            writeln!(banner, "  note        {}", unused_certificate(unused))?;
        }
        if self.policy.modes().contains(KeyMode::Psk) {
            writeln!(
                banner,
                "  note        with psk, any holder of the secret key can pose as this server,\n\
                 \x20             and a stolen key opens recorded sessions"
            )?;
        }
        if let Some(warning) = doors::warning(listeners) {
            writeln!(banner, "  warning     {warning}")?;
        }
        writeln!(banner, "Connect from another terminal:")?;
        let (doors, channels): (Vec<_>, Vec<_>) = listeners.iter().partition(|listener| listener.is_fernet());
        for listener in &channels {
            writeln!(banner, "  {}", self.connect_line(listener, certificate)?)?;
        }
        if !channels.is_empty() {
            writeln!(banner, "The same with chat, log or submit in place of query SetA-Two.")?;
        }
        for door in doors {
            writeln!(banner, "  {}", doors::connect_line(&tcp::reachable(door))?)?;
        }
        if listeners.iter().any(|listener| !listener.is_loopback() && tcp::reachable(listener).is_loopback()) {
            writeln!(banner, "From elsewhere, with an address of this machine that is reached from there.")?;
        }
        if has_operator {
            writeln!(banner, "Type help for the commands that this terminal takes.")?;
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
            if let (Address::Tls { host, .. }, Some(certificate)) = (&mut endpoint.address, certificate) {
                *host = certificate.name_for(host);
                if let Some(file) = certificate.authority_file() {
                    flags.extend(["--ca".to_owned(), file.display().to_string()]);
                }
            }
        }
        Ok(connect_line(&endpoint, &flags))
    }
}

/// What a person has to know who has configured this certificate.
pub(crate) fn unused_certificate(certificate: &Path) -> String {
    format!("the certificate {} is not used: --listen names no tls:// address", certificate.display())
}

/// A command that connects, ready to be pasted.
pub(crate) fn connect_line(endpoint: &Endpoint, flags: &[String]) -> String {
    let mut words = vec![output::own_program(), "query".into(), format!("'{endpoint}'")];
    words.extend(flags.iter().map(|flag| output::shell_word(flag)));
    words.push("SetA-Two".into());
    words.join(" ")
}
