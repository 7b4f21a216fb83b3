//! A certificate that is replaced while the server runs: whoever is connected does not notice, whoever comes next gets
//! the new one, and files that cannot be used change nothing.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use fernwire::channel::mode::KeyMode;
use fernwire::config::Limits;
use fernwire::transport::tls::ServerCertificate;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::task::JoinSet;

use crate::common::{Bed, all, certificate_for, count, issue};
use crate::other_clients::shown_certificate;

const CLIENTS: usize = 20;

fn on_disk(folder: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(folder.join("server.pem")).unwrap()
}

#[tokio::test]
async fn a_reload_disturbs_nobody_and_whoever_comes_next_gets_the_new_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = certificate_for(&["127.0.0.1"], folder.path());
    let bed = Bed::showing(&certificate, KeyMode::X25519, Limits::default()).await;
    let before = shown_certificate(&bed.endpoint).await;
    assert_eq!(before, on_disk(folder.path()));
    let mut asking = JoinSet::new();
    for _ in 0..CLIENTS {
        let client = bed.client().await;
        let mut replies = client.query("SetE-Ten");
        replies.next().await.unwrap().unwrap();
        asking.spawn(async move {
            assert_eq!(all(replies).await.unwrap().len(), 9);
            client.close().await.unwrap();
        });
    }
    issue(&["127.0.0.1", "new.example"], folder.path());
    // Until it is loaded, nothing changes.
    assert_eq!(shown_certificate(&bed.endpoint).await, before);
    certificate.reload().unwrap();
    let after = shown_certificate(&bed.endpoint).await;
    assert_eq!(after, on_disk(folder.path()));
    assert_ne!(after, before);
    assert_eq!(certificate.summary().unwrap().names, ["127.0.0.1", "new.example"]);
    assert_eq!(count(&bed.client().await, "SetA-Two").await, 2);
    while let Some(asked) = asking.join_next().await {
        asked.unwrap();
    }
    bed.stop().await;
}

/// A way to break a pair of files, and the words for it.
struct Break {
    name: &'static str,
    how: fn(&Files),
    words: &'static [&'static str],
}

struct Files<'a>(&'a Path);

impl Files<'_> {
    fn edit(&self, name: &str, change: impl FnOnce(String) -> String) {
        let text = fs::read_to_string(self.0.join(name)).unwrap();
        fs::write(self.0.join(name), change(text)).unwrap();
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.0.join(name)).unwrap();
    }
}

const CERTIFICATE: &str = "server.pem";
const KEY: &str = "server-key.pem";
/// PEM whose content is base64 and nothing else.
const EMPTY_SHELL: &str = "-----BEGIN CERTIFICATE-----\nMIIBAgMEBQYHCAkK\n-----END CERTIFICATE-----\n";

const BREAKS: &[Break] = &[
    Break { name: "no certificate", how: |files| files.remove(CERTIFICATE), words: &["cannot read", CERTIFICATE] },
    Break { name: "no key", how: |files| files.remove(KEY), words: &["there is no key file", KEY] },
    Break {
        name: "empty certificate",
        how: |files| files.edit(CERTIFICATE, |_| String::new()),
        words: &["server.pem holds nothing, and a certificate"],
    },
    Break {
        name: "empty key",
        how: |files| files.edit(KEY, |_| String::new()),
        words: &["server-key.pem holds nothing, and a private key"],
    },
    Break {
        name: "half a certificate",
        how: |files| files.edit(CERTIFICATE, |text| text[..text.len() / 2].to_owned()),
        words: &["server.pem is damaged or only half written"],
    },
    Break {
        name: "half a key",
        how: |files| files.edit(KEY, |text| text[..text.len() / 2].to_owned()),
        words: &["server-key.pem is damaged or only half written"],
    },
    Break {
        name: "a certificate and half of another",
        how: |files| files.edit(CERTIFICATE, |text| format!("{text}{}", &text[..text.len() / 2])),
        words: &["server.pem is damaged or only half written"],
    },
    Break {
        name: "a certificate in shape alone",
        how: |files| files.edit(CERTIFICATE, |_| EMPTY_SHELL.to_owned()),
        words: &["server.pem is damaged or only half written"],
    },
    Break {
        name: "a key in shape alone",
        how: |files| files.edit(KEY, |_| EMPTY_SHELL.replace("CERTIFICATE", "PRIVATE KEY")),
        words: &["server-key.pem is damaged or only half written", "no RSA, ECDSA or Ed25519 key"],
    },
    Break {
        name: "swapped",
        how: |files| {
            let certificate = fs::read_to_string(files.0.join(CERTIFICATE)).unwrap();
            let key = fs::read_to_string(files.0.join(KEY)).unwrap();
            files.edit(CERTIFICATE, |_| key);
            files.edit(KEY, |_| certificate);
        },
        words: &["server.pem holds a private key, and a certificate"],
    },
    Break {
        name: "another's key",
        how: |files| {
            let old = fs::read_to_string(files.0.join(CERTIFICATE)).unwrap();
            issue(&["127.0.0.1"], files.0);
            files.edit(CERTIFICATE, |_| old);
        },
        words: &["server-key.pem does not belong to the certificate in", CERTIFICATE],
    },
    Break {
        name: "an exposed key",
        how: |files| fs::set_permissions(files.0.join(KEY), Permissions::from_mode(0o640)).unwrap(),
        words: &["server-key.pem can be read by other users (mode 0640)", "chmod 600"],
    },
    Break {
        name: "a locked key",
        how: |files| files.edit(KEY, |text| text.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")),
        words: &["server-key.pem holds a private key that is locked with a password"],
    },
    Break {
        name: "a folder",
        how: |files| {
            files.remove(CERTIFICATE);
            fs::create_dir(files.0.join(CERTIFICATE)).unwrap();
        },
        words: &["cannot read", "server.pem: it is not a regular file"],
    },
];

#[tokio::test]
async fn files_that_cannot_be_used_keep_what_was_loaded_and_say_why() {
    for Break { name, how, words } in BREAKS {
        let folder = tempfile::tempdir().unwrap();
        let certificate: ServerCertificate = certificate_for(&["127.0.0.1"], folder.path());
        let bed = Bed::showing(&certificate, KeyMode::X25519, Limits::default()).await;
        let before = on_disk(folder.path());
        let secrets = key_lines(folder.path());
        how(&Files(folder.path()));
        let error = certificate.reload().expect_err(name).to_string();
        words.iter().for_each(|word| assert!(error.contains(word), "{name}: no `{word}` in {error:?}"));
        assert!(!secrets.iter().any(|secret| error.contains(secret)), "{name}: {error}");
        assert_eq!(shown_certificate(&bed.endpoint).await, before, "{name}");
        assert_eq!(count(&bed.client().await, "SetA-One").await, 1);
        // Once they are mended, they are used.
        if folder.path().join(CERTIFICATE).is_dir() {
            fs::remove_dir(folder.path().join(CERTIFICATE)).unwrap();
        }
        issue(&["127.0.0.1"], folder.path());
        certificate.reload().unwrap();
        assert_eq!(shown_certificate(&bed.endpoint).await, on_disk(folder.path()), "{name}");
        bed.stop().await;
    }
}

fn key_lines(folder: &Path) -> Vec<String> {
    let key = fs::read_to_string(folder.join(KEY)).unwrap();
    key.lines().filter(|line| !line.starts_with("-----")).map(str::to_owned).collect()
}
