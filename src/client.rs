//! The client: dial, handshake, decide about trust, then typed calls over one session.
//!
//! [`Client::connect`] is the way in; what happens inside the session is in client/calls.rs.
//! Several requests may be under way at once. Dropping a [`Replies`] cancels its request.

use std::time::Duration;

use tokio::task::JoinHandle;

use crate::channel::error::{Alert, HandshakeError};
use crate::channel::handshake::{CredentialError, Offer};
use crate::channel::mode::{KeyMode, KeyModes};
use crate::channel::{self, Settings};
use crate::config::{Kex, PinForbidsPsk};
use crate::keys::SecretKey;
use crate::model::{KeyId, PublicIdentity};
use crate::protocol::chat::{ChatReply, ChatRequest};
use crate::protocol::query::{QueryReply, QueryRequest};
use crate::protocol::{Reply, Request};
use crate::transport::endpoint::{Address, Endpoint};
use crate::transport::tls::TlsError;
use crate::transport::{self, ByteStream, ConnInfo, DialError, DialOptions};

pub mod account;
pub mod bare;
mod calls;
pub mod chat;
pub mod connector;
pub mod known_hosts;
pub mod log;
pub mod reconnect;
pub mod submit;
pub mod trust;

pub use calls::{ANSWER_TIMEOUT, CallError, Replies};

use calls::Calls;
use known_hosts::KnownHostsError;
use trust::{Expectation, Proof, Trust, TrustError};

/// How long the handshake may take, once there is a connection.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

type Io = Box<dyn ByteStream>;

/// How to connect.
#[derive(Clone, Default)]
pub struct Options {
    /// Which key modes to offer.
    pub kex: Kex,
    /// The secret key, if there is one.
    pub secret_key: Option<SecretKey>,
    /// What proves a server.
    pub trust: Trust,
    /// How to dial.
    pub dial: DialOptions,
    /// How the channel behaves.
    pub channel: Settings,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// There is no connection.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// There are no sessions there, and nothing falls back to what there is.
    #[error("bare Fernet is spoken at {0}, where `fernwire query`, `log` and `submit` go; there are no sessions there")]
    Bare(Endpoint),
    /// The wanted modes do not fit the endpoint.
    #[error(transparent)]
    PinForbidsPsk(#[from] PinForbidsPsk),
    /// The wanted modes do not fit the keys at hand.
    #[error("{0}; name its file with --secret-key, or put it at ./secret.key")]
    Credential(#[from] CredentialError),
    /// The two sides did not come to terms.
    #[error("{}", explain(.endpoint, .error, *.offered, *.key_id))]
    Handshake {
        /// Where.
        endpoint: Endpoint,
        /// What happened.
        error: HandshakeError,
        /// What this client offered.
        offered: KeyModes,
        /// Which secret key it holds.
        key_id: Option<KeyId>,
    },
    /// The handshake took too long.
    #[error("{endpoint} did not finish the handshake within {} s; is it a Fernwire server?", HANDSHAKE_TIMEOUT.as_secs())]
    TimedOut {
        /// Where.
        endpoint: Endpoint,
    },
    /// The server is not trusted.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

impl ConnectError {
    /// Whether it may be different in a while without anybody doing anything here. Neither a server that is not trusted
    /// nor keys that do not fit are.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Dial(DialError::Tls { source, .. }) => matches!(source, TlsError::Closed | TlsError::Io(_)),
            Self::Dial(_) | Self::TimedOut { .. } => true,
            Self::Handshake { error, .. } => {
                matches!(error, HandshakeError::Truncated | HandshakeError::Io(_) | HandshakeError::Entropy(_))
            }
            Self::Bare(_) | Self::PinForbidsPsk(_) | Self::Credential(_) | Self::Trust(_) => false,
        }
    }
}

impl From<KnownHostsError> for ConnectError {
    fn from(error: KnownHostsError) -> Self {
        Self::Trust(error.into())
    }
}

/// What happened, and what this side knows about it; an alert by itself proves nothing.
fn explain(endpoint: &Endpoint, error: &HandshakeError, offered: KeyModes, key_id: Option<KeyId>) -> String {
    let told = match error {
        HandshakeError::Alert(alert) => format!("the server says (unverified): {alert}"),
        HandshakeError::Truncated if matches!(endpoint.address, Address::Tcp { .. }) => {
            format!("{error}; if bare Fernet is spoken there, the address begins with fernet://")
        }
        HandshakeError::ForeignProtocol("TLS") => "what answers there speaks TLS; use tls:// in the address".to_owned(),
        other => other.to_string(),
    };
    let known = match (error, key_id) {
        (HandshakeError::Alert(Alert::UnknownKey), Some(id)) => {
            format!(". Your secret key has the id {id}; compare it with the one that the server printed at its start")
        }
        (HandshakeError::Alert(Alert::NoCommonMode), _) => {
            let likely = if offered.need_secret() {
                "the server seems to run without a secret key: start it again where it finds this one, or pin its \
                 identity, #fwk1_..., in the address"
            } else {
                "the server seems to want a secret key: copy its secret.key here, or name the file with --secret-key"
            };
            format!(". This client offered {offered}; {likely}")
        }
        _ => String::new(),
    };
    format!("no session with {endpoint}: {told}{known}")
}

/// A session with a server.
pub struct Client {
    calls: Calls,
    driver: JoinHandle<Result<(), CallError>>,
    mode: KeyMode,
    identity: Option<PublicIdentity>,
    proof: Proof,
    /// Whether the user has typed that the key modes are psk and nothing else.
    wants_psk_alone: bool,
    info: ConnInfo,
}

impl Client {
    /// Connects, and trusts the server or refuses it. Everything else happens inside the session.
    pub async fn connect(endpoint: &Endpoint, options: &Options) -> Result<Self, ConnectError> {
        if endpoint.is_fernet() {
            return Err(ConnectError::Bare(endpoint.without_identity()));
        }
        let expectation = Expectation::new(&options.trust, endpoint)?;
        let modes = options.kex.for_client(options.secret_key.is_some(), expectation.known())?;
        let offer = Offer::new(modes, options.secret_key.clone())?;
        let conn = transport::dial(endpoint, &options.dial).await?;
        let place = || endpoint.without_identity();
        let handshake = channel::connect(conn.io, offer, options.channel);
        let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await;
        let verified = handshake.map_err(|_| ConnectError::TimedOut { endpoint: place() })?.map_err(|error| {
            let key_id = options.secret_key.as_ref().map(SecretKey::id);
            ConnectError::Handshake { endpoint: place(), error, offered: modes, key_id }
        })?;
        let identity = verified.identity();
        let decision = match expectation.decide(verified.mode(), identity, &conn.info) {
            Ok(decision) => decision,
            Err(error) => {
                verified.refuse().await;
                return Err(error.into());
            }
        };
        if let (Some(provenance), Some(identity), Some(hosts)) = (decision.record, identity, &options.trust.known_hosts)
        {
            hosts.record(endpoint, identity, provenance)?;
        }
        let mode = verified.mode();
        let (calls, driver) = Calls::start(verified.trust());
        let wants_psk_alone = matches!(options.kex, Kex::Modes(modes) if modes.iter().eq([KeyMode::Psk]));
        Ok(Self { calls, driver, mode, identity, proof: decision.proof, wants_psk_alone, info: conn.info })
    }

    /// The mode that was agreed on.
    pub fn mode(&self) -> KeyMode {
        self.mode
    }

    /// The server's identity, in the X25519 modes.
    pub fn server_identity(&self) -> Option<PublicIdentity> {
        self.identity
    }

    /// Why the server is trusted.
    pub fn proof(&self) -> Proof {
        self.proof
    }

    /// What is known about the connection.
    pub fn info(&self) -> &ConnInfo {
        &self.info
    }

    /// Whether the session has ended.
    pub fn is_closed(&self) -> bool {
        self.calls.have_ended()
    }

    /// Asks the query service.
    pub fn query(&self, query: &str) -> Replies<QueryReply> {
        self.calls.call(Request::Query(QueryRequest { query: query.to_owned() }), |reply| match reply {
            Reply::Query(reply) => Some(reply),
            _ => None,
        })
    }

    /// Asks the chat service. `listen` streams; everything else is answered once.
    pub fn chat(&self, request: ChatRequest) -> Replies<ChatReply> {
        self.calls.call(Request::Chat(request), |reply| match reply {
            Reply::Chat(reply) => Some(reply),
            _ => None,
        })
    }

    /// Says goodbye, and waits until the server has answered everything and said it too.
    pub async fn close(self) -> Result<(), CallError> {
        drop(self.calls);
        // The driver neither panics nor is it aborted.
        self.driver.await.unwrap_or(Ok(()))
    }
}
