//! What is known about the server that is about to be told a password, in words.

use fernwire::channel::mode::KeyMode;
use fernwire::client::Client;
use fernwire::client::trust::Proof;
use fernwire::model::PublicIdentity;
use fernwire::transport::ProvenBy;
use fernwire::transport::endpoint::Endpoint;

/// Which server it is, and how that is known.
#[derive(Debug, Clone)]
pub(in super::super::super) struct Facts {
    pub(super) endpoint: Endpoint,
    pub(super) mode: KeyMode,
    pub(super) identity: Option<PublicIdentity>,
    proof: Proof,
    /// The person has just said that the identity is right.
    is_confirmed: bool,
}

impl Facts {
    pub(in super::super::super) fn of(client: &Client, endpoint: &Endpoint, is_confirmed: bool) -> Self {
        Self {
            endpoint: endpoint.without_identity(),
            mode: client.mode(),
            identity: client.server_identity(),
            proof: client.proof(),
            is_confirmed,
        }
    }

    #[cfg(test)]
    pub(in super::super::super) fn told(
        endpoint: &str,
        mode: KeyMode,
        identity: Option<PublicIdentity>,
        proof: Proof,
    ) -> Self {
        Self { endpoint: endpoint.parse().unwrap(), mode, identity, proof, is_confirmed: false }
    }

    /// How the server was proven, and what that means.
    pub(super) fn proof(&self) -> String {
        if self.is_confirmed {
            return "Proven by its identity, which you have just confirmed.".to_owned();
        }
        format!("Proven by {}: {}.", self.proof, meaning(self.proof))
    }
}

fn meaning(proof: Proof) -> &'static str {
    match proof {
        Proof::Pin => "it has the identity that the address asks for",
        Proof::KnownHosts => "it has the same identity as last time",
        Proof::Transport(ProvenBy::SocketOwner) => "the socket belongs to you or to root on this machine",
        Proof::Transport(ProvenBy::Certificate) => "an authority that you trust vouches for its name",
        Proof::OwnIdentity => "it is the server that you run on this machine",
        Proof::SecretKey => "it holds the same as you, as every other holder does too",
        Proof::AcceptedNew => "it could be any server",
    }
}
