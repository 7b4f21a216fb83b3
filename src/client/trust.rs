//! Whether a client trusts the server that it has reached, and why.
//!
//! A server is proven by a pin in the endpoint, by known_hosts, by its transport, on loopback by this user's own
//! identity.key, or by secret.key. A pin and a known_hosts entry are checked in both X25519 modes and a mismatch is
//! fatal, whatever else would prove the server.

use std::fmt;
use std::path::PathBuf;

use super::known_hosts::{Entry, KnownHosts, KnownHostsError, Provenance};
use crate::channel::mode::KeyMode;
use crate::config::ServerKnown;
use crate::model::PublicIdentity;
use crate::transport::endpoint::Endpoint;
use crate::transport::{ConnInfo, ProvenBy};

/// What a client goes by.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Servers met before. Without it, nothing is looked up or recorded.
    pub known_hosts: Option<KnownHosts>,
    /// The identity of this user's own server, which counts on loopback.
    pub own_identity: Option<PublicIdentity>,
    /// Records an unknown server and goes on, for scripts.
    pub accept_new: bool,
}

/// Why a server is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Its identity is the one in the endpoint.
    Pin,
    /// Its identity is the one in known_hosts.
    KnownHosts,
    /// The transport: a Unix socket of this user or of root, or a verified TLS certificate.
    Transport(ProvenBy),
    /// It is on loopback and has the identity in this user's own data directory.
    OwnIdentity,
    /// It holds secret.key, and so is one of those who do.
    SecretKey,
    /// Nothing: it was unknown, and --accept-new recorded it.
    AcceptedNew,
}

impl Proof {
    /// Whether it proves which server this is; a password goes to no other.
    pub fn proves_server(self) -> bool {
        !matches!(self, Self::SecretKey | Self::AcceptedNew)
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pin => "the identity in its address",
            Self::KnownHosts => "known_hosts",
            Self::Transport(ProvenBy::SocketOwner) => "its Unix socket",
            Self::Transport(ProvenBy::Certificate) => "its TLS certificate",
            Self::OwnIdentity => "your own identity.key",
            Self::SecretKey => "the secret key",
            Self::AcceptedNew => "nothing yet (accepted as new)",
        })
    }
}

/// Why a server is not trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// Its identity is not the pinned one.
    #[error(
        "the server at {endpoint} is not the one that the address pins: it showed {got}, and {pinned} is pinned. \
         If its key was really changed, take the new address from `fernwire id` on the server; \
         otherwise somebody is posing as it"
    )]
    PinMismatch {
        /// Where.
        endpoint: Endpoint,
        /// What was pinned.
        pinned: PublicIdentity,
        /// What came.
        got: PublicIdentity,
    },
    /// Its identity is not the one that it had before.
    #[error(
        "the server at {endpoint} has another identity than before: it showed {got}, and {known} is recorded in {}, \
         line {line}. Either its key was changed, or somebody is posing as it. Ask whoever runs it; if the change is \
         right, remove that line",
        .file.display()
    )]
    Changed {
        /// Where.
        endpoint: Endpoint,
        /// What is recorded.
        known: PublicIdentity,
        /// What came.
        got: PublicIdentity,
        /// The known_hosts file.
        file: PathBuf,
        /// The line in it.
        line: usize,
    },
    /// Nothing proves it.
    #[error(
        "the server at {endpoint} is not known here, and nothing proves that it is the right one; it showed {identity}. \
         Compare that with what `fernwire id` prints on the server, then use the address '{endpoint}#{identity}', \
         or --accept-new to trust what came"
    )]
    Unknown {
        /// Where.
        endpoint: Endpoint,
        /// What it showed.
        identity: PublicIdentity,
    },
    /// known_hosts cannot be read or written.
    #[error(transparent)]
    KnownHosts(#[from] KnownHostsError),
}

/// What is known of one server before it is dialled.
pub(super) struct Expectation<'a> {
    trust: &'a Trust,
    endpoint: &'a Endpoint,
    entry: Option<Entry>,
}

/// The decision to trust a server, and what is to be recorded of it once the session stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) proof: Proof,
    pub(super) record: Option<Provenance>,
}

impl<'a> Expectation<'a> {
    pub(super) fn new(trust: &'a Trust, endpoint: &'a Endpoint) -> Result<Self, KnownHostsError> {
        let entry = trust.known_hosts.as_ref().map(|hosts| hosts.find(endpoint)).transpose()?.flatten();
        Ok(Self { trust, endpoint, entry })
    }

    /// What the offered modes depend on. Our own identity.key does not count here: it proves a server that shows it,
    /// and says nothing about which server is behind a port.
    pub(super) fn known(&self) -> ServerKnown {
        match (self.endpoint.identity, &self.entry) {
            (Some(_), _) => ServerKnown::Pinned,
            (None, Some(_)) => ServerKnown::Recorded,
            (None, None) => ServerKnown::No,
        }
    }

    /// Decides about a server whose handshake has verified.
    pub(super) fn decide(
        &self,
        mode: KeyMode,
        identity: Option<PublicIdentity>,
        info: &ConnInfo,
    ) -> Result<Decision, TrustError> {
        // Mode psk carries no identity: any holder of the key is as good as any other, unless the transport knows better.
        let Some(identity) = identity else {
            return Ok(Decision { proof: info.proven_by.map_or(Proof::SecretKey, Proof::Transport), record: None });
        };
        self.check_pin(identity)?;
        self.check_entry(identity)?;
        let recorded = self.entry.as_ref().map(|entry| entry.provenance);
        let proof = if self.endpoint.identity.is_some() {
            Proof::Pin
        } else if recorded.is_some_and(|provenance| provenance != Provenance::SecretKey) {
            Proof::KnownHosts
        } else if let Some(proven_by) = info.proven_by {
            Proof::Transport(proven_by)
        } else if self.endpoint.is_loopback() && self.trust.own_identity == Some(identity) {
            Proof::OwnIdentity
        } else if mode.needs_secret() {
            Proof::SecretKey
        } else if self.trust.accept_new {
            Proof::AcceptedNew
        } else {
            return Err(TrustError::Unknown { endpoint: self.endpoint.without_identity(), identity });
        };
        let record = match proof {
            Proof::AcceptedNew => Some(Provenance::AcceptedNew),
            Proof::Transport(ProvenBy::Certificate) => Some(Provenance::Certificate),
            Proof::SecretKey if recorded.is_none() => Some(Provenance::SecretKey),
            _ => None,
        };
        Ok(Decision { proof, record })
    }

    fn check_pin(&self, got: PublicIdentity) -> Result<(), TrustError> {
        match self.endpoint.identity {
            Some(pinned) if pinned != got => {
                Err(TrustError::PinMismatch { endpoint: self.endpoint.without_identity(), pinned, got })
            }
            _ => Ok(()),
        }
    }

    fn check_entry(&self, got: PublicIdentity) -> Result<(), TrustError> {
        match (&self.entry, &self.trust.known_hosts) {
            (Some(entry), Some(hosts)) if entry.identity != got => Err(TrustError::Changed {
                endpoint: self.endpoint.without_identity(),
                known: entry.identity,
                got,
                file: hosts.path().into(),
                line: entry.line,
            }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::peer::PeerAddr;

    const REMOTE: &str = "tcp://example.org:3376";

    fn identity(byte: u8) -> PublicIdentity {
        PublicIdentity::from_bytes([byte; 32])
    }

    /// Decides about identity 1 at an endpoint of which known_hosts says so much.
    fn decide(
        endpoint: &str,
        known: Option<(u8, Provenance)>,
        mode: KeyMode,
        change: impl FnOnce(&mut Trust),
    ) -> Result<Decision, TrustError> {
        decide_over(None, endpoint, known, mode, change)
    }

    /// The same over a transport that has proven the server.
    fn decide_proven(
        endpoint: &str,
        known: Option<(u8, Provenance)>,
        mode: KeyMode,
        by: ProvenBy,
    ) -> Result<Decision, TrustError> {
        decide_over(Some(by), endpoint, known, mode, |_| {})
    }

    fn decide_over(
        proven_by: Option<ProvenBy>,
        endpoint: &str,
        known: Option<(u8, Provenance)>,
        mode: KeyMode,
        change: impl FnOnce(&mut Trust),
    ) -> Result<Decision, TrustError> {
        let folder = tempfile::tempdir().unwrap();
        let hosts = KnownHosts::new(folder.path().join("known_hosts"));
        let endpoint: Endpoint = endpoint.parse().unwrap();
        if let Some((byte, provenance)) = known {
            hosts.record(&endpoint, identity(byte), provenance).unwrap();
        }
        let mut trust = Trust { known_hosts: Some(hosts), ..Trust::default() };
        change(&mut trust);
        let shown = mode.needs_share().then(|| identity(1));
        let info = ConnInfo { peer: PeerAddr::Memory, scheme: "memory", proven_by };
        Expectation::new(&trust, &endpoint).unwrap().decide(mode, shown, &info)
    }

    fn trusted(proof: Proof, record: Option<Provenance>) -> Decision {
        Decision { proof, record }
    }

    #[test]
    fn a_pin_decides_in_both_x25519_modes() {
        let pinned = |byte| format!("{REMOTE}#{}", identity(byte));
        for mode in [KeyMode::X25519, KeyMode::X25519Psk] {
            assert_eq!(decide(&pinned(1), None, mode, |_| {}).unwrap(), trusted(Proof::Pin, None));
            let refused = decide(&pinned(2), None, mode, |trust| trust.accept_new = true).unwrap_err();
            assert!(matches!(refused, TrustError::PinMismatch { .. }), "{refused}");
        }
    }

    #[test]
    fn a_changed_identity_is_fatal_whatever_else_would_prove_it() {
        for mode in [KeyMode::X25519, KeyMode::X25519Psk] {
            for provenance in [Provenance::Confirmed, Provenance::SecretKey, Provenance::AcceptedNew] {
                let refused = decide("tcp://127.0.0.1", Some((2, provenance)), mode, |trust| {
                    trust.own_identity = Some(identity(1));
                    trust.accept_new = true;
                })
                .unwrap_err();
                assert!(matches!(refused, TrustError::Changed { line: 1, .. }), "{refused}");
            }
        }
    }

    #[test]
    fn a_pin_does_not_overrule_known_hosts() {
        let pinned = format!("{REMOTE}#{}", identity(1));
        let refused = decide(&pinned, Some((2, Provenance::Confirmed)), KeyMode::X25519, |_| {}).unwrap_err();
        assert!(matches!(refused, TrustError::Changed { .. }), "{refused}");
    }

    #[test]
    fn known_hosts_proves_but_not_what_only_secret_key_had_proven() {
        let known = |provenance, mode| decide(REMOTE, Some((1, provenance)), mode, |_| {});
        assert_eq!(known(Provenance::Confirmed, KeyMode::X25519).unwrap(), trusted(Proof::KnownHosts, None));
        assert_eq!(known(Provenance::AcceptedNew, KeyMode::X25519).unwrap(), trusted(Proof::KnownHosts, None));
        assert_eq!(known(Provenance::SecretKey, KeyMode::X25519Psk).unwrap(), trusted(Proof::SecretKey, None));
        let refused = known(Provenance::SecretKey, KeyMode::X25519).unwrap_err();
        assert!(matches!(refused, TrustError::Unknown { .. }), "{refused}");
    }

    #[test]
    fn an_unknown_server_needs_something() {
        let refused = decide(REMOTE, None, KeyMode::X25519, |_| {}).unwrap_err();
        assert!(matches!(refused, TrustError::Unknown { .. }), "{refused}");
        let new = decide(REMOTE, None, KeyMode::X25519, |trust| trust.accept_new = true).unwrap();
        assert_eq!(new, trusted(Proof::AcceptedNew, Some(Provenance::AcceptedNew)));
        let held = decide(REMOTE, None, KeyMode::X25519Psk, |_| {}).unwrap();
        assert_eq!(held, trusted(Proof::SecretKey, Some(Provenance::SecretKey)));
        assert!(!new.proof.proves_server() && !held.proof.proves_server());
    }

    #[test]
    fn our_own_identity_counts_on_loopback_alone() {
        let own = |endpoint| decide(endpoint, None, KeyMode::X25519, |trust| trust.own_identity = Some(identity(1)));
        assert_eq!(own("tcp://127.0.0.1").unwrap(), trusted(Proof::OwnIdentity, None));
        assert!(matches!(own(REMOTE).unwrap_err(), TrustError::Unknown { .. }));
    }

    #[test]
    fn mode_psk_never_touches_known_hosts() {
        let decision = decide(REMOTE, Some((2, Provenance::Confirmed)), KeyMode::Psk, |_| {}).unwrap();
        assert_eq!(decision, trusted(Proof::SecretKey, None));
    }

    #[test]
    fn a_proven_transport_is_enough_and_a_certificate_is_remembered() {
        let socket = Proof::Transport(ProvenBy::SocketOwner);
        let certificate = Proof::Transport(ProvenBy::Certificate);
        let remembered = Some(Provenance::Certificate);
        for mode in [KeyMode::X25519, KeyMode::X25519Psk] {
            let decision = decide_proven("unix:///s", None, mode, ProvenBy::SocketOwner).unwrap();
            assert_eq!(decision, trusted(socket, None));
            let decision = decide_proven("tls://example.org", None, mode, ProvenBy::Certificate).unwrap();
            assert_eq!(decision, trusted(certificate, remembered));
            // It says more than that the server holds the secret key, and is recorded in its place.
            let by_key = Some((1, Provenance::SecretKey));
            let decision = decide_proven("tls://example.org", by_key, mode, ProvenBy::Certificate).unwrap();
            assert_eq!(decision, trusted(certificate, remembered));
        }
        let decision = decide_proven("tls://example.org", None, KeyMode::Psk, ProvenBy::Certificate).unwrap();
        assert_eq!(decision, trusted(certificate, None));
    }

    #[test]
    fn a_certificate_does_not_overrule_known_hosts() {
        for mode in [KeyMode::X25519, KeyMode::X25519Psk] {
            let other = Some((2, Provenance::Certificate));
            let refused = decide_proven("tls://example.org", other, mode, ProvenBy::Certificate).unwrap_err();
            assert!(matches!(refused, TrustError::Changed { line: 1, .. }), "{refused}");
        }
    }
}
