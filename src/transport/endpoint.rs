//! Endpoints: where a server listens and a client dials, as a URL.
//!
//! ```text
//! tcp://host:port    tls://host:port    unix:///absolute/path    memory://name      each perhaps with #fwk1_... behind it
//! fernet://host:port?service=NAME&key=FILE                                          bare Fernet, which is no channel
//! ```
//! The fragment is the server's identity: with it, the endpoint is all that a client needs to connect safely.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

pub mod bare;

use bare::{FernetAddress, ParseFernetError};

use crate::model::{ParseIdentityError, PublicIdentity};

/// The port that is meant where none is written: F-E-R-N on a keypad.
pub const DEFAULT_PORT: u16 = 3376;

/// What a path must not carry as it is, so that the text form reads back.
const IN_PATH: &AsciiSet = &CONTROLS.add(b' ').add(b'#').add(b'%').add(b'?').add(b'\'').add(b'"');

/// Where a server is, and who it must be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Where.
    pub address: Address,
    /// The pinned identity, if the endpoint has a fragment.
    pub identity: Option<PublicIdentity>,
}

/// A place, by transport.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// `tcp://`: a lower-case name or an address without brackets, and a port.
    Tcp {
        /// The host.
        host: String,
        /// The port; 0 lets the system choose when listening.
        port: u16,
    },
    /// `tls://`: the same as for `tcp://`.
    #[cfg(feature = "tls")]
    Tls {
        /// The host.
        host: String,
        /// The port; 0 lets the system choose when listening.
        port: u16,
    },
    /// `unix://`: the absolute path of a socket.
    Unix(PathBuf),
    /// `fernet://`: a port where programs speak that know nothing of us.
    Fernet(FernetAddress),
    /// `memory://`: a name within this process.
    Memory(String),
}

impl Endpoint {
    /// The default listener and server: `tcp://127.0.0.1:3376`, on loopback.
    pub fn default_local() -> Self {
        Address::Tcp { host: "127.0.0.1".into(), port: DEFAULT_PORT }.into()
    }

    /// The same place without the pinned identity, as known_hosts and messages name it.
    pub fn without_identity(&self) -> Self {
        match &self.address {
            Address::Fernet(address) => Address::Fernet(address.without_files()).into(),
            address => address.clone().into(),
        }
    }

    /// The same place, with the files that it names in this folder if they are relative.
    pub fn with_files_in(mut self, folder: &Path) -> Self {
        if let Address::Fernet(FernetAddress { key: Some(path), .. }) = &mut self.address {
            *path = folder.join(&path);
        }
        self
    }

    /// The same place with this identity pinned.
    pub fn with_identity(&self, identity: PublicIdentity) -> Self {
        Self { address: self.address.clone(), identity: Some(identity) }
    }

    /// Whether bare Fernet is spoken there.
    pub fn is_fernet(&self) -> bool {
        matches!(self.address, Address::Fernet(_))
    }

    /// Whether only this machine can be meant.
    pub fn is_loopback(&self) -> bool {
        self.address.host_and_port().is_none_or(|(host, _)| {
            host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
        })
    }
}

impl Address {
    /// The host and port of an address on a network.
    pub fn host_and_port(&self) -> Option<(&str, u16)> {
        match self {
            Self::Tcp { host, port } => Some((host, *port)),
            #[cfg(feature = "tls")]
            Self::Tls { host, port } => Some((host, *port)),
            Self::Fernet(address) => Some((&address.host, address.port)),
            Self::Unix(_) | Self::Memory(_) => None,
        }
    }

    /// The same kind of address at another host and port; one that has none stays what it is.
    pub(super) fn moved_to(&self, host: String, port: u16) -> Self {
        match self {
            Self::Tcp { .. } => Self::Tcp { host, port },
            #[cfg(feature = "tls")]
            Self::Tls { .. } => Self::Tls { host, port },
            Self::Fernet(address) => Self::Fernet(FernetAddress { host, port, ..address.clone() }),
            Self::Unix(_) | Self::Memory(_) => self.clone(),
        }
    }

    /// What stands before the `://`.
    pub fn scheme(&self) -> &'static str {
        match self {
            Self::Tcp { .. } => "tcp",
            #[cfg(feature = "tls")]
            Self::Tls { .. } => "tls",
            Self::Unix(_) => "unix",
            Self::Fernet(_) => "fernet",
            Self::Memory(_) => "memory",
        }
    }
}

impl From<Address> for Endpoint {
    fn from(address: Address) -> Self {
        Self { address, identity: None }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.address.scheme())?;
        match &self.address {
            Address::Unix(path) => write!(f, "{}", utf8_percent_encode(&path.to_string_lossy(), IN_PATH))?,
            Address::Memory(name) => f.write_str(name)?,
            network => match network.host_and_port() {
                Some((host, port)) if host.contains(':') => write!(f, "[{host}]:{port}")?,
                Some((host, port)) => write!(f, "{host}:{port}")?,
                None => {}
            },
        }
        if let Address::Fernet(address) = &self.address {
            address.write_parameters(f)?;
        }
        match &self.identity {
            Some(identity) => write!(f, "#{identity}"),
            None => Ok(()),
        }
    }
}

/// Why a text is no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseEndpointError {
    /// There is no `://`.
    #[error(
        "`{0}` is not an address of a server; write it as tcp://host:port, tls://host:port or unix:///absolute/path"
    )]
    NoScheme(String),
    /// The scheme is none of ours.
    #[error(
        "`{0}://` is not a scheme that Fernwire knows; use tcp://host:port, tls://host:port, unix:///absolute/path, \
         fernet://host:port?key=FILE or memory://name"
    )]
    UnknownScheme(String),
    /// The host is empty or has characters that no host has.
    #[error("`{0}` is not a host; write tcp://host:port, and an IPv6 address in brackets: tcp://[::1]:3376")]
    BadHost(String),
    /// The port is not a number from 0 to 65535.
    #[error("`{0}` is not a port; a port is a number from 1 to 65535 (the default is 3376)")]
    BadPort(String),
    /// What only an address of bare Fernet has.
    #[error("`?{0}` cannot follow the port: only a fernet:// address has parameters")]
    Parameters(String),
    /// Something follows the port.
    #[error("`/{0}` cannot follow the port of an address")]
    TrailingPath(String),
    /// The path is not absolute, or not text.
    #[error("`{0}` is not an absolute path; write unix:///run/fernwire.sock, with three slashes")]
    BadPath(String),
    /// The name is empty or has other characters than letters, digits, `-`, `_` and `.`.
    #[error("`{0}` is not a name for a memory:// address; use letters, digits, `-`, `_` and `.`")]
    BadName(String),
    /// The fragment is not an identity.
    #[error("what follows the `#` is not a server's identity: {0}")]
    BadIdentity(#[from] ParseIdentityError),
    /// It is not what an address of bare Fernet has.
    #[error(transparent)]
    Fernet(#[from] ParseFernetError),
}

impl FromStr for Endpoint {
    type Err = ParseEndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (place, fragment) = match text.split_once('#') {
            Some((place, fragment)) => (place, Some(fragment)),
            None => (text, None),
        };
        let (scheme, rest) = place.split_once("://").ok_or_else(|| ParseEndpointError::NoScheme(place.to_owned()))?;
        let address = match scheme {
            "tcp" => parse_network(rest, |host, port| Address::Tcp { host, port })?,
            #[cfg(feature = "tls")]
            "tls" => parse_network(rest, |host, port| Address::Tls { host, port })?,
            "unix" => parse_unix(rest)?,
            "fernet" if fragment.is_some() => return Err(ParseFernetError::Pinned.into()),
            "fernet" => Address::Fernet(rest.parse()?),
            "memory" if is_name(rest) => Address::Memory(rest.to_owned()),
            "memory" => return Err(ParseEndpointError::BadName(rest.to_owned())),
            _ => return Err(ParseEndpointError::UnknownScheme(scheme.to_owned())),
        };
        Ok(Self { address, identity: fragment.map(str::parse).transpose()? })
    }
}

fn parse_network(rest: &str, address: impl FnOnce(String, u16) -> Address) -> Result<Address, ParseEndpointError> {
    if let Some((_, parameters)) = rest.split_once('?') {
        return Err(ParseEndpointError::Parameters(parameters.to_owned()));
    }
    let (host, port) = parse_host_and_port(rest)?;
    Ok(address(host, port.unwrap_or(DEFAULT_PORT)))
}

fn parse_host_and_port(rest: &str) -> Result<(String, Option<u16>), ParseEndpointError> {
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if !path.is_empty() {
        return Err(ParseEndpointError::TrailingPath(path.to_owned()));
    }
    let split = authority.strip_prefix('[').map_or_else(|| split_name(authority), split_ipv6);
    let (host, port) = split.ok_or_else(|| ParseEndpointError::BadHost(authority.to_owned()))?;
    let port = match port {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse().map_err(|_| ParseEndpointError::BadPort(digits.to_owned()))?)
        }
        Some(other) => return Err(ParseEndpointError::BadPort(other.to_owned())),
        None => None,
    };
    Ok((host, port))
}

/// `name` or `name:port`.
fn split_name(authority: &str) -> Option<(String, Option<&str>)> {
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let one_colon = port.is_none_or(|port| !port.contains(':'));
    (is_name(host) && one_colon).then(|| (host.to_ascii_lowercase(), port))
}

/// `address]` or `address]:port`, the address perhaps with `%zone`. Each address has one spelling in known_hosts.
fn split_ipv6(bracketed: &str) -> Option<(String, Option<&str>)> {
    let (host, after) = bracketed.split_once(']')?;
    let port = if after.is_empty() { None } else { Some(after.strip_prefix(':')?) };
    let (address, zone) = host.split_once('%').map_or((host, None), |(address, zone)| (address, Some(zone)));
    let address: Ipv6Addr = address.parse().ok()?;
    // It ends up in known_hosts and in lines to paste, where a space or a quote would mean something.
    zone.is_none_or(is_name).then(|| match zone {
        Some(zone) => (format!("{address}%{zone}"), port),
        None => (address.to_string(), port),
    })
}

fn parse_unix(rest: &str) -> Result<Address, ParseEndpointError> {
    let bad = || ParseEndpointError::BadPath(rest.to_owned());
    let path = percent_decode_str(rest).decode_utf8().map_err(|_| bad())?;
    if !path.starts_with('/') || path.contains('\0') {
        return Err(bad());
    }
    Ok(Address::Unix(PathBuf::from(path.as_ref())))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Endpoint, ParseEndpointError> {
        text.parse()
    }

    #[test]
    fn every_form_is_read_and_written_back() {
        for text in [
            "tcp://127.0.0.1:3376",
            "tcp://[::1]:80",
            "tcp://[fe80::1%eth0]:80",
            "tcp://example.org:1",
            #[cfg(feature = "tls")]
            "tls://[::1]:3376",
            "unix:///run/fern%20wire%23.sock",
            "memory://a-b",
            "tcp://h:1#fwk1_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
        assert_eq!(parse("tcp://Example.ORG").unwrap().to_string(), "tcp://example.org:3376");
        assert_eq!(parse("tcp://[::1]/").unwrap().to_string(), "tcp://[::1]:3376");
        assert_eq!(parse("tcp://[FE80:0::1%Eth0]").unwrap().to_string(), "tcp://[fe80::1%Eth0]:3376");
    }

    #[test]
    fn each_mistake_has_its_own_error() {
        use ParseEndpointError::*;
        assert_eq!(parse("localhost:3376"), Err(NoScheme("localhost:3376".into())));
        assert_eq!(parse("https://h"), Err(UnknownScheme("https".into())));
        assert_eq!(parse("tcp://"), Err(BadHost("".into())));
        assert_eq!(parse("tcp://::1:3376"), Err(BadHost("::1:3376".into())));
        assert_eq!(parse("tcp://[fe80::1%a b]:1"), Err(BadHost("[fe80::1%a b]:1".into())));
        assert_eq!(parse("tcp://[fe80::1%]:1"), Err(BadHost("[fe80::1%]:1".into())));
        assert_eq!(parse("tcp://user@h"), Err(BadHost("user@h".into())));
        assert_eq!(parse("tcp://h:99999"), Err(BadPort("99999".into())));
        assert_eq!(parse("tcp://h:+1"), Err(BadPort("+1".into())));
        assert_eq!(parse("tcp://h:1?key=k"), Err(Parameters("key=k".into())));
        assert_eq!(parse("tcp://h:1/x"), Err(TrailingPath("x".into())));
        assert_eq!(parse("unix://run/x"), Err(BadPath("run/x".into())));
        assert_eq!(parse("memory://"), Err(BadName("".into())));
        assert_eq!(parse("tcp://h#key"), Err(BadIdentity(ParseIdentityError)));
    }

    #[test]
    fn only_this_machine_is_loopback() {
        assert!(
            ["tcp://localhost", "tcp://127.9.9.9", "tcp://[::1]", "unix:///x"]
                .iter()
                .all(|text| parse(text).unwrap().is_loopback())
        );
        assert!(!parse("tcp://10.0.0.1").unwrap().is_loopback());
        assert!(!parse("tcp://localhost.example.org").unwrap().is_loopback());
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_reads_back(text in "(tcp|tls|unix|memory|fernet)://[ -~]{0,40}") {
            if let Ok(endpoint) = parse(&text) {
                prop_assert_eq!(parse(&endpoint.to_string()), Ok(endpoint));
            }
        }
    }
}
