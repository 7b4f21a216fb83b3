//! Certificates that are wrong on purpose, and the authorities that issue them.

// Each test crate uses a part of it.
#![allow(dead_code)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use fernwire::transport::tls::{Roots, ServerCertificate};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

/// A certificate, perhaps with others behind it, and its key.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Pair {
    /// A certificate that vouches for itself.
    pub(crate) fn self_signed(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = server_params(change).self_signed(&key).unwrap().pem();
        Self { certificate, key: key.serialize_pem() }
    }

    /// A certificate that this server, who is no authority, issues all the same under this name of its own.
    pub(crate) fn issue_as(&self, name: &str) -> Self {
        let issuer = Issuer::new(authority_params(name), KeyPair::from_pem(&self.key).unwrap());
        let key = KeyPair::generate().unwrap();
        let certificate = server_params(|_| {}).signed_by(&key, &issuer).unwrap().pem();
        Self { certificate, key: key.serialize_pem() }
    }

    /// With the authority's certificate behind it, as a server sends both.
    pub(crate) fn followed_by(mut self, authority: &Authority) -> Self {
        self.certificate += &authority.pair.certificate;
        self
    }

    /// As a server has it: the files of the certificate and of its key, in this folder.
    pub(crate) fn save(&self, folder: &Path) -> [PathBuf; 2] {
        let [certificate, key] = ["server.pem", "server-key.pem"].map(|name| folder.join(name));
        fs::write(&certificate, &self.certificate).unwrap();
        fs::write(&key, &self.key).unwrap();
        fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
        [certificate, key]
    }

    pub(crate) fn load(&self, folder: &Path) -> ServerCertificate {
        let [certificate, key] = self.save(folder);
        ServerCertificate::load(&certificate, &key).unwrap()
    }

    /// What a client trusts that names this certificate with --ca.
    pub(crate) fn roots(&self, folder: &Path) -> Roots {
        fs::write(folder.join("ca.pem"), &self.certificate).unwrap();
        Roots::with_file(&folder.join("ca.pem")).unwrap()
    }
}

/// An authority that issues whatever is asked for.
pub(crate) struct Authority {
    pub(crate) pair: Pair,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let (params, key) = (authority_params(name), KeyPair::generate().unwrap());
        let certificate = params.self_signed(&key).unwrap().pem();
        Self { pair: Pair { certificate, key: key.serialize_pem() }, issuer: Issuer::new(params, key) }
    }

    /// An authority below this one.
    pub(crate) fn below(&self, name: &str) -> Self {
        let (params, key) = (authority_params(name), KeyPair::generate().unwrap());
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Self { pair: Pair { certificate, key: key.serialize_pem() }, issuer: Issuer::new(params, key) }
    }

    /// A server's certificate that is right but for one thing.
    pub(crate) fn issue(&self, change: impl FnOnce(&mut CertificateParams)) -> Pair {
        let key = KeyPair::generate().unwrap();
        let certificate = server_params(change).signed_by(&key, &self.issuer).unwrap().pem();
        Pair { certificate, key: key.serialize_pem() }
    }
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn server_params(change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "a server");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    change(&mut params);
    params
}
