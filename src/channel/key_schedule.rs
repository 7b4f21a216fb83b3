//! Every key and every label of the channel (HKDF and HMAC with SHA-256: RFC 5869, RFC 2104).
//!
//! ```text
//! PRK          = HKDF-Extract("fernwire v1 " || mode, u16 len || psk || u16 len || DH(ee) || u16 len || DH(es))
//! Expand(L, H) = HKDF-Expand(PRK, u8 len(L) || L || H, 32)
//! SF           = HMAC(Expand("server finished", H0), H0)
//! CF           = HMAC(Expand("client finished", H0), H1)
//! secret_0     = Expand("c2s" or "s2c", H1)        exporter = Expand("exporter", H1)
//! record key_i = HKDF-Expand(secret_i, "key", 32)  secret_i+1 = HKDF-Expand(secret_i, "next", 32)
//! key tag      = HMAC(HKDF-Expand(psk, "fernwire key tag", 32), client nonce)[..8]
//! ```
//! H0 and H1 are the transcript's hashes after ServerHello and after ServerFinished. An absent secret has length 0.

use hkdf::HkdfExtract;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::mode::KeyMode;
use super::token::FernetKey;
use super::transcript::TranscriptHash;
use crate::keys::{SecretKey, expand};

const SALT_PREFIX: &str = "fernwire v1 ";
const SERVER_FINISHED: &[u8] = b"server finished";
const CLIENT_FINISHED: &[u8] = b"client finished";
const CLIENT_TO_SERVER: &[u8] = b"c2s";
const SERVER_TO_CLIENT: &[u8] = b"s2c";
const EXPORTER: &[u8] = b"exporter";
const RECORD_KEY: &[u8] = b"key";
const NEXT_SECRET: &[u8] = b"next";
const KEY_TAG: &[u8] = b"fernwire key tag";

/// The length of a key tag in bytes.
pub(super) const KEY_TAG_LEN: usize = 8;

/// The secrets that a handshake has gathered; those that its mode lacks are absent.
#[derive(Default)]
pub(super) struct InputSecrets<'a> {
    pub(super) psk: Option<&'a SecretKey>,
    pub(super) ephemeral_ephemeral: Option<Zeroizing<[u8; 32]>>,
    pub(super) ephemeral_static: Option<Zeroizing<[u8; 32]>>,
}

/// The pseudorandom key that all others come from; wiped on drop.
pub(super) struct Prk(pub(super) Zeroizing<[u8; 32]>);

impl Prk {
    pub(super) fn extract(mode: KeyMode, secrets: &InputSecrets<'_>) -> Self {
        let salt = [SALT_PREFIX.as_bytes(), mode.name().as_bytes()].concat();
        let mut extract = HkdfExtract::<Sha256>::new(Some(&salt));
        let inputs = [
            secrets.psk.map(SecretKey::expose),
            secrets.ephemeral_ephemeral.as_deref(),
            secrets.ephemeral_static.as_deref(),
        ];
        for input in inputs {
            let input = input.map_or(&[][..], |secret| &secret[..]);
            extract.input_ikm(&(input.len() as u16).to_be_bytes());
            extract.input_ikm(input);
        }
        let (mut output, _) = extract.finalize();
        let prk = Zeroizing::new(output.into());
        output.as_mut_slice().zeroize();
        Self(prk)
    }

    fn expand(&self, label: &[u8], hash: &TranscriptHash) -> Zeroizing<[u8; 32]> {
        let mut out = Zeroizing::new([0; 32]);
        expand(&self.0, &[&[label.len() as u8], label, hash.as_bytes()].concat(), out.as_mut_slice());
        out
    }

    pub(super) fn server_finished(&self, h0: &TranscriptHash) -> FinishedKey {
        FinishedKey(self.expand(SERVER_FINISHED, h0))
    }

    pub(super) fn client_finished(&self, h0: &TranscriptHash) -> FinishedKey {
        FinishedKey(self.expand(CLIENT_FINISHED, h0))
    }

    pub(super) fn client_to_server(&self, h1: &TranscriptHash) -> TrafficSecret {
        TrafficSecret(self.expand(CLIENT_TO_SERVER, h1))
    }

    pub(super) fn server_to_client(&self, h1: &TranscriptHash) -> TrafficSecret {
        TrafficSecret(self.expand(SERVER_TO_CLIENT, h1))
    }

    pub(super) fn exporter(&self, h1: &TranscriptHash) -> Exporter {
        Exporter(self.expand(EXPORTER, h1))
    }
}

/// The key of one side's Finished message.
pub(super) struct FinishedKey(pub(super) Zeroizing<[u8; 32]>);

impl FinishedKey {
    pub(super) fn mac(&self, hash: &TranscriptHash) -> [u8; 32] {
        hmac(&self.0, hash.as_bytes())
    }

    pub(super) fn verifies(&self, hash: &TranscriptHash, mac: &[u8]) -> bool {
        self.mac(hash).ct_eq(mac).into()
    }
}

/// The secret behind one direction's record keys; wiped when the next takes its place.
pub(super) struct TrafficSecret(pub(super) Zeroizing<[u8; 32]>);

impl TrafficSecret {
    pub(super) fn record_key_bytes(&self) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        expand(&self.0, RECORD_KEY, key.as_mut_slice());
        key
    }

    pub(super) fn record_key(&self) -> FernetKey {
        FernetKey::new(&self.record_key_bytes())
    }

    pub(super) fn next(&self) -> Self {
        let mut next = Zeroizing::new([0; 32]);
        expand(&self.0, NEXT_SECRET, next.as_mut_slice());
        Self(next)
    }
}

/// A secret that both ends of one session share and nobody else knows, for protocols built on top. Wiped on drop.
pub struct Exporter(Zeroizing<[u8; 32]>);

impl Exporter {
    /// The 32 bytes. Derive from them; do not send them.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Tells a server which secret.key the client means without telling anybody else.
pub(super) fn key_tag(psk: &SecretKey, client_nonce: &[u8; 32]) -> [u8; KEY_TAG_LEN] {
    let mut key = Zeroizing::new([0; 32]);
    expand(psk.expose(), KEY_TAG, key.as_mut_slice());
    let mut tag = [0; KEY_TAG_LEN];
    tag.copy_from_slice(&hmac(&key, client_nonce)[..KEY_TAG_LEN]);
    tag
}

fn hmac(key: &[u8; 32], data: &[u8]) -> [u8; 32] {
    let hmac = Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    hmac.chain_update(data).finalize().into_bytes().into()
}
