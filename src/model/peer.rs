//! The other end of a connection, and what several connections of one person have in common.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// The other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerAddr {
    /// An internet address.
    Ip(SocketAddr),
    /// A process of this user id.
    Unix(u32),
    /// A task of this process.
    Memory,
}

impl PeerAddr {
    /// What the limits for one address count together: an IPv4 address, an IPv6 /64, a user id.
    pub fn source(&self) -> Source {
        match self {
            Self::Ip(address) => Source::of_ip(address.ip()),
            Self::Unix(uid) => Source::Uid(*uid),
            Self::Memory => Source::Memory,
        }
    }
}

impl fmt::Display for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => write!(f, "{address}"),
            Self::Unix(uid) => write!(f, "uid {uid}"),
            Self::Memory => f.write_str("this process"),
        }
    }
}

/// What one person can easily have many connections from; see [`PeerAddr::source`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// An IPv4 address, or an IPv6 /64 with its other bits zero.
    Ip(IpAddr),
    /// A user id.
    Uid(u32),
    /// This process.
    Memory,
}

impl Source {
    fn of_ip(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) => Self::Ip(IpAddr::V6(Ipv6Addr::from(u128::from(v6) & !(u128::MAX >> 64)))),
            v4 => Self::Ip(v4),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V6(network)) => write!(f, "{network}/64"),
            Self::Ip(address) => write!(f, "{address}"),
            Self::Uid(uid) => write!(f, "uid:{uid}"),
            Self::Memory => f.write_str("memory"),
        }
    }
}

/// The text is no address that a person can come from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an address is an IP address such as 192.0.2.7 or 2001:db8::1 (all of its /64), or uid:1000 for a local user")]
pub struct ParseSourceError;

impl FromStr for Source {
    type Err = ParseSourceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "memory" {
            return Ok(Self::Memory);
        }
        if let Some(uid) = text.strip_prefix("uid:") {
            return uid.parse().map(Self::Uid).map_err(|_| ParseSourceError);
        }
        text.strip_suffix("/64").unwrap_or(text).parse().map(Self::of_ip).map_err(|_| ParseSourceError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(address: &str) -> Source {
        PeerAddr::Ip(address.parse().unwrap()).source()
    }

    #[test]
    fn one_ipv6_network_is_one_source() {
        assert_eq!(source("[2001:db8:1:2::1]:1"), source("[2001:db8:1:2:ffff::9]:2"));
        assert_ne!(source("[2001:db8:1:2::1]:1"), source("[2001:db8:1:3::1]:1"));
        assert_ne!(source("10.0.0.1:1"), source("10.0.0.2:1"));
        assert_eq!(source("[::ffff:10.0.0.1]:1"), source("10.0.0.1:9"));
    }

    #[test]
    fn a_source_survives_its_text_form() {
        for text in ["192.0.2.7", "2001:db8:1:2::/64", "uid:1000", "memory"] {
            assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
        }
        assert_eq!("2001:db8:1:2::9".parse::<Source>().unwrap(), source("[2001:db8:1:2::1]:1"));
        for text in ["", "192.0.2", "uid:", "uid:-1", "example.org", "192.0.2.7:80"] {
            assert_eq!(text.parse::<Source>(), Err(ParseSourceError), "{text}");
        }
    }
}
