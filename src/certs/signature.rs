//! Who has made a certificate: by its signature, and not by the names in it, which anybody can write.

use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::SELF_SIGNED;
use super::summary::Summary;

/// Whether the key of this authority's certificate has signed that certificate of a server.
pub fn has_issued(authority: &CertificateDer<'_>, certificate: &CertificateDer<'_>) -> bool {
    let (Some(authority), Some(certificate)) = (parse(authority), parse(certificate)) else { return false };
    !certificate.is_ca() && certificate.verify_signature(Some(authority.public_key())).is_ok()
}

/// Whether the certificate's own key has signed it.
pub fn is_self_signed(certificate: &CertificateDer<'_>) -> bool {
    parse(certificate).is_some_and(|parsed| {
        parsed.subject().as_raw() == parsed.issuer().as_raw() && parsed.verify_signature(None).is_ok()
    })
}

/// Whether it is one of those that `self_signed` makes.
pub fn is_own(certificate: &CertificateDer<'_>) -> bool {
    let name = Summary::of(certificate).map(|summary| summary.subject).unwrap_or_default();
    let mark = name.strip_prefix(SELF_SIGNED).and_then(|rest| rest.strip_prefix(' ')).unwrap_or_default();
    mark.len() == 8 && mark.bytes().all(|byte| byte.is_ascii_hexdigit()) && is_self_signed(certificate)
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    X509Certificate::from_der(certificate).ok().map(|(_, parsed)| parsed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certs::host_name::HostName;
    use crate::certs::pem::PemPair;
    use crate::certs::{Authority, self_signed};

    fn names() -> [HostName; 1] {
        ["localhost".parse().unwrap()]
    }

    fn certificate(pair: &PemPair) -> CertificateDer<'static> {
        pair.certificate().unwrap()
    }

    #[test]
    fn an_authority_has_issued_what_its_key_signed_and_nothing_else() {
        let [one, other] = [(); 2].map(|()| Authority::generate().unwrap());
        let [one_ca, other_ca] = [&one, &other].map(|authority| certificate(authority.pem()));
        let issued = certificate(&one.issue(&names()).unwrap());
        assert!(has_issued(&one_ca, &issued) && !has_issued(&other_ca, &issued));
        // It signed its own certificate too, which is no server's.
        assert!(!has_issued(&one_ca, &one_ca));
        assert!(!is_self_signed(&issued) && is_self_signed(&one_ca));
    }

    #[test]
    fn a_name_alone_makes_nothing_ours() {
        use rcgen::{CertificateParams, DnType, Issuer, KeyPair};
        let named = |name: &str| {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, name);
            params
        };
        let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let forged = |name| {
            let issuer = Issuer::new(named(name), &other);
            named(name).signed_by(&key, &issuer).unwrap().der().clone()
        };
        let own = certificate(&self_signed(&names()).unwrap());
        assert!(is_own(&own) && is_self_signed(&own));
        let name = Summary::of(&own).unwrap().subject;
        assert!(!is_own(&forged(&name)) && !is_self_signed(&forged(&name)));
        assert!(is_own(named(&name).self_signed(&key).unwrap().der()));
        for name in ["Fernwire self-signed", "Fernwire self-signed 0123456z", "localhost", "Fernwire CA 01234567"] {
            assert!(!is_own(named(name).self_signed(&key).unwrap().der()), "{name}");
        }
    }
}
