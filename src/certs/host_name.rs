//! What a certificate can be for: DNS names and IP addresses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use rustls_pki_types::{CertificateDer, DnsName};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// A name or an address under which clients reach a server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostName {
    /// A lower-case DNS name; its first label may be `*`.
    Dns(String),
    /// An address.
    Ip(IpAddr),
}

impl HostName {
    /// Whether only this machine can be meant.
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Dns(name) => name == "localhost",
            Self::Ip(address) => address.to_canonical().is_loopback(),
        }
    }
}

/// The names and addresses that a certificate is for, in full; those that none of ours could have are left out.
pub fn names_in(certificate: &CertificateDer<'_>) -> Vec<HostName> {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return Vec::new() };
    let names = parsed.subject_alternative_name().ok().flatten();
    let names = names.map_or(&[][..], |extension| &extension.value.general_names);
    names.iter().filter_map(alternative_name).collect()
}

fn alternative_name(name: &GeneralName<'_>) -> Option<HostName> {
    match name {
        GeneralName::DNSName(name) => name.parse().ok(),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok().map(HostName::Ip)
        }
        _ => None,
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name),
            Self::Ip(address) => write!(f, "{address}"),
        }
    }
}

/// Why a text is no name for a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseHostNameError {
    /// It is a URL.
    #[error("that is a whole address; a certificate is for the host in it alone, such as example.org or 192.0.2.7")]
    Url,
    /// It has a port.
    #[error("a certificate is for a host, whatever the port; leave out `:{0}`")]
    Port(String),
    /// It has letters beyond ASCII.
    #[error("write it as DNS does, in ASCII (an international name begins with xn--)")]
    NotAscii,
    /// It is the unspecified address.
    #[error("nobody connects to that address; give the names and addresses under which clients reach the server")]
    Unspecified,
    /// Anything else.
    #[error("it is neither a DNS name, such as example.org or *.example.org, nor an IP address")]
    Malformed,
}

impl FromStr for HostName {
    type Err = ParseHostNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains("://") {
            return Err(ParseHostNameError::Url);
        }
        if !text.is_ascii() {
            return Err(ParseHostNameError::NotAscii);
        }
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        match bare.parse::<IpAddr>() {
            Ok(address) if address.is_unspecified() => return Err(ParseHostNameError::Unspecified),
            Ok(address) => return Ok(Self::Ip(address)),
            Err(_) => {}
        }
        if let Some((_, port)) = text.rsplit_once(':') {
            let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
            return Err(if is_port { ParseHostNameError::Port(port.into()) } else { ParseHostNameError::Malformed });
        }
        // The root's dot is not written in certificates.
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let rest = name.strip_prefix("*.").unwrap_or(&name);
        let top = rest.rsplit('.').next().unwrap_or(rest);
        // A wildcard stands for one label, and never right below the root. What ends in digits is a mistyped address.
        let wild_top = rest.len() < name.len() && !rest.contains('.');
        let numeric = top.bytes().all(|byte| byte.is_ascii_digit());
        if wild_top || numeric || DnsName::try_from(rest).is_err() {
            return Err(ParseHostNameError::Malformed);
        }
        Ok(Self::Dns(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<String, ParseHostNameError> {
        text.parse::<HostName>().map(|name| name.to_string())
    }

    #[test]
    fn names_and_addresses_have_one_form_each() {
        for (text, form) in [
            ("Example.ORG", "example.org"),
            ("example.org.", "example.org"),
            ("*.example.org", "*.example.org"),
            ("localhost", "localhost"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("192.0.2.7", "192.0.2.7"),
            ("[2001:DB8::1]", "2001:db8::1"),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(form));
        }
    }

    #[test]
    fn each_mistake_has_its_own_error() {
        use ParseHostNameError::*;
        assert_eq!(parse("tls://example.org"), Err(Url));
        assert_eq!(parse("example.org:3376"), Err(Port("3376".into())));
        assert_eq!(parse("bücher.example"), Err(NotAscii));
        assert_eq!(parse("0.0.0.0"), Err(Unspecified));
        assert_eq!(parse("[::]"), Err(Unspecified));
        for malformed in ["", ".", "*", "*.org", "a.*.org", "300.1.1.1", "1.2.3", "a b", "-a.org", "a..org", "::1::"] {
            assert_eq!(parse(malformed), Err(Malformed), "{malformed}");
        }
    }

    #[test]
    fn a_certificate_has_the_names_that_it_was_made_for_however_long_and_many() {
        let long = format!("{}.example", ["a".repeat(60), "b".repeat(60), "c".repeat(60)].join("."));
        let mut names: Vec<HostName> = (0..100).map(|number| format!("h{number}.example").parse().unwrap()).collect();
        names
            .extend([long, "*.example.org".into(), "192.0.2.7".into(), "::1".into()].map(|name| name.parse().unwrap()));
        let pair = crate::certs::self_signed(&names).unwrap();
        assert_eq!(names_in(&pair.certificate().unwrap()), names);
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_reads_back(text in "[ -~]{0,40}|[a-z0-9.*:-]{0,20}") {
            if let Ok(name) = text.parse::<HostName>() {
                prop_assert_eq!(name.to_string().parse(), Ok(name));
            }
        }
    }
}
