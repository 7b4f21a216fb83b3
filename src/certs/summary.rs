//! What a certificate says, for people: whose it is, who vouches for it, for which names, and from when to when.

use std::net::IpAddr;

use rustls_pki_types::CertificateDer;
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Name};

use super::RENEWAL_TIME;
use crate::model::Visible;

/// The longest name in characters that is shown of a certificate; whoever shows one chooses it.
const MAX_SHOWN: usize = 80;
/// How many names are shown of one.
const MAX_NAMES: usize = 20;

/// A certificate's contents. Nothing of it is verified here; the text is inert on a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Whose certificate it is.
    pub subject: String,
    /// Who has issued it.
    pub issuer: String,
    /// The names and addresses that it is for.
    pub names: Vec<String>,
    /// Its public key (SubjectPublicKeyInfo, DER).
    pub public_key: Vec<u8>,
    /// Its first moment.
    pub not_before: OffsetDateTime,
    /// Its last moment.
    pub not_after: OffsetDateTime,
    /// Whether it is an authority's.
    pub is_authority: bool,
    /// Whether it may be used by servers (extended key usage).
    pub is_for_servers: bool,
    /// Whether it names itself as its issuer.
    pub is_self_signed: bool,
}

impl Summary {
    /// What this certificate says, if it can be read at all.
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let names = parsed.subject_alternative_name().ok().flatten();
        let names = names.map_or(&[][..], |extension| &extension.value.general_names);
        Some(Self {
            subject: name(parsed.subject()),
            issuer: name(parsed.issuer()),
            names: names.iter().filter_map(alternative_name).collect(),
            public_key: parsed.public_key().raw.to_vec(),
            not_before: parsed.validity().not_before.to_datetime(),
            not_after: parsed.validity().not_after.to_datetime(),
            is_authority: parsed.is_ca(),
            is_for_servers: parsed
                .extended_key_usage()
                .ok()
                .flatten()
                .is_none_or(|usage| usage.value.server_auth || usage.value.any),
            is_self_signed: parsed.subject().as_raw() == parsed.issuer().as_raw(),
        })
    }

    /// Whether its first moment has come.
    pub fn has_begun(&self) -> bool {
        self.not_before <= OffsetDateTime::now_utc()
    }

    /// Whether its last moment is over.
    pub fn has_ended(&self) -> bool {
        self.not_after < OffsetDateTime::now_utc()
    }

    /// Whether it should be renewed now.
    pub fn is_due(&self) -> bool {
        self.not_after < OffsetDateTime::now_utc() + RENEWAL_TIME
    }

    /// The names with commas between them.
    pub fn names(&self) -> String {
        match &self.names[..] {
            [] => "no name at all".to_owned(),
            [shown @ .., _] if shown.len() >= MAX_NAMES => {
                format!("{} and {} more", shown[..MAX_NAMES].join(", "), self.names.len() - MAX_NAMES)
            }
            names => names.join(", "),
        }
    }
}

/// The common name if there is one, else all of it.
fn name(name: &X509Name<'_>) -> String {
    let common = name.iter_common_name().next().and_then(|attribute| attribute.as_str().ok());
    shown(common.unwrap_or(&name.to_string()))
}

/// Short, inert on a terminal, and without the marks that our sentences put around it.
fn shown(text: &str) -> String {
    let end = text.char_indices().nth(MAX_SHOWN).map_or(text.len(), |(end, _)| end);
    let cut = if end < text.len() { "…" } else { "" };
    format!("{}{cut}", Visible(&text[..end])).replace('`', "'")
}

fn alternative_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(shown(name)),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

/// A moment for people: the day, in UTC.
pub fn day(moment: OffsetDateTime) -> String {
    format!("{:04}-{:02}-{:02}", moment.year(), u8::from(moment.month()), moment.day())
}

/// A moment for people: to the minute, in UTC.
pub fn minute(moment: OffsetDateTime) -> String {
    format!("{} {:02}:{:02} UTC", day(moment), moment.hour(), moment.minute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_calls_himself_is_short_and_stays_in_its_quotes() {
        let name = shown("good`; now run this: \u{1b}[2J`");
        assert_eq!(name, "good'; now run this: \\u{1b}[2J'");
        let long = shown(&"é".repeat(1000));
        assert_eq!(long.chars().count(), MAX_SHOWN + 1);
    }
}
