//! The client: dial, handshake, decide about trust, then typed calls over one session.
//!
//! ```text
//! Client::query -> requests -> write loop -> channel -> read loop -> Replies, one for each request
//! ```
//! Several requests may be under way at once. Dropping a [`Replies`] cancels its request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::channel::error::{Alert, ChannelError, HandshakeError};
use crate::channel::handshake::{CredentialError, Offer};
use crate::channel::mode::{KeyMode, KeyModes};
use crate::channel::{self, Channel, Close, CloseReason, Receiver, Sender, Settings};
use crate::config::{Kex, PinForbidsPsk};
use crate::keys::SecretKey;
use crate::model::{KeyId, PublicIdentity, Visible};
use crate::protocol::codec::{Decoded, decode_server, encode};
use crate::protocol::{
    ClientMessage, MAX_INTEGER, QueryReply, QueryRequest, Reply, Request, RequestError, STREAM_CREDIT, ServerMessage,
};
use crate::transport::endpoint::Endpoint;
use crate::transport::{self, ByteStream, ConnInfo, DialError, DialOptions};

pub mod known_hosts;
pub mod trust;

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

impl From<KnownHostsError> for ConnectError {
    fn from(error: KnownHostsError) -> Self {
        Self::Trust(error.into())
    }
}

/// What happened, and what this side knows about it; an alert by itself proves nothing.
fn explain(endpoint: &Endpoint, error: &HandshakeError, offered: KeyModes, key_id: Option<KeyId>) -> String {
    let told = match error {
        HandshakeError::Alert(alert) => format!("the server says (unverified): {alert}"),
        other => other.to_string(),
    };
    let known = match (error, key_id) {
        (HandshakeError::Alert(Alert::UnknownKey), Some(id)) => {
            format!(". Your secret key has the id {id}; compare it with the one that the server printed at its start")
        }
        (HandshakeError::Alert(Alert::NoCommonMode), _) => {
            let held = if key_id.is_some() { "with" } else { "without" };
            format!(". This client, {held} a secret key, offered {offered}; the server's banner says what it allows")
        }
        _ => String::new(),
    };
    format!("no session with {endpoint}: {told}{known}")
}

/// Why a call or a session ended early.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// The server refused or failed this request; the session goes on.
    #[error("the server refused: {}", Visible(&.0.message))]
    Request(RequestError),
    /// The request was cancelled.
    #[error("the request was cancelled")]
    Cancelled,
    /// The server said goodbye.
    #[error("the server closed the session{}{}", if .0.text.is_empty() { "" } else { ": " }, Visible(&.0.text))]
    Closed(Close),
    /// The channel failed.
    #[error(transparent)]
    Channel(ChannelError),
    /// The server sent what no server sends.
    #[error("the server sent a message that makes no sense: {}", Visible(.0))]
    Nonsense(String),
}

/// A session with a server.
pub struct Client {
    shared: Arc<Shared>,
    requests: mpsc::UnboundedSender<ClientMessage>,
    driver: JoinHandle<Result<(), CallError>>,
    mode: KeyMode,
    identity: Option<PublicIdentity>,
    proof: Proof,
    info: ConnInfo,
}

/// What the calls and the driver share. A std mutex: held for map operations, never across an await.
struct Shared(Mutex<Streams>);

struct Streams {
    next_id: u64,
    open: HashMap<u64, Open>,
    /// Why the session has ended.
    end: Option<CallError>,
}

/// A request that is being answered.
struct Open {
    events: mpsc::UnboundedSender<Event>,
    /// The reply bytes that may still come; the last reply may overdraw it. It bounds what waits to be consumed.
    credit: i64,
}

/// What happens to a request.
enum Event {
    Reply { reply: Reply, bytes: u64 },
    End,
    Failed(CallError),
}

impl Client {
    /// Connects, and trusts the server or refuses it. Everything else happens inside the session.
    pub async fn connect(endpoint: &Endpoint, options: &Options) -> Result<Self, ConnectError> {
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
        Ok(Self::start(verified.trust(), decision.proof, conn.info))
    }

    fn start(channel: Channel<Io>, proof: Proof, info: ConnInfo) -> Self {
        let (mode, identity) = (channel.mode(), channel.server_identity());
        let shared = Arc::new(Shared(Mutex::new(Streams { next_id: 1, open: HashMap::new(), end: None })));
        let (requests, queue) = mpsc::unbounded_channel();
        let driver = tokio::spawn(drive(channel, shared.clone(), queue));
        Self { shared, requests, driver, mode, identity, proof, info }
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
        self.shared.lock().end.is_some()
    }

    /// Asks the query service.
    pub fn query(&self, query: &str) -> Replies<QueryReply> {
        self.call(Request::Query(QueryRequest { query: query.to_owned() }), |Reply::Query(reply)| reply)
    }

    /// Sends a request; `pick` takes the service's own reply out of a reply.
    fn call<T>(&self, request: Request, pick: fn(Reply) -> T) -> Replies<T> {
        let (events, incoming) = mpsc::unbounded_channel();
        // Under one lock, so that ids are sent in the order in which they are given.
        let mut streams = self.shared.lock();
        let id = streams.next_id;
        match &streams.end {
            Some(end) => drop(events.send(Event::Failed(end.clone()))),
            None if id > MAX_INTEGER => drop(events.send(Event::Failed(CallError::Cancelled))),
            None => {
                streams.next_id += 1;
                streams.open.insert(id, Open { events, credit: STREAM_CREDIT.cast_signed() });
                // If the driver has ended in between, it has told or will tell every open stream.
                let _ = self.requests.send(ClientMessage::Request { id, request });
            }
        }
        drop(streams);
        let (shared, requests) = (Arc::downgrade(&self.shared), self.requests.downgrade());
        Replies { id, incoming, shared, requests, consumed: 0, ended: false, pick }
    }

    /// Says goodbye, and waits until the server has answered everything and said it too.
    pub async fn close(self) -> Result<(), CallError> {
        drop(self.requests);
        // The driver neither panics nor is it aborted.
        self.driver.await.unwrap_or(Ok(()))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands an event to its request, if anybody still waits for it. Fails if the server had no credit for it.
    fn deliver(&self, id: u64, event: Event) -> Result<(), CallError> {
        let mut streams = self.lock();
        let Some(stream) = streams.open.get_mut(&id) else { return Ok(()) };
        let mut last = true;
        if let Event::Reply { bytes, .. } = event {
            if stream.credit <= 0 {
                return Err(CallError::Nonsense(format!("a reply to request {id} beyond its credit")));
            }
            stream.credit -= bytes.cast_signed();
            last = false;
        }
        let gone = stream.events.send(event).is_err();
        if last || gone {
            streams.open.remove(&id);
        }
        Ok(())
    }

    /// What has been consumed may come again.
    fn extend_credit(&self, id: u64, bytes: u64) {
        if let Some(stream) = self.lock().open.get_mut(&id) {
            stream.credit += bytes.cast_signed();
        }
    }

    fn end(&self, why: CallError) {
        let mut streams = self.lock();
        for (_, stream) in streams.open.drain() {
            let _ = stream.events.send(Event::Failed(why.clone()));
        }
        streams.end = Some(why);
    }
}

/// The replies to one request, as they arrive. Dropping it cancels the request.
pub struct Replies<T> {
    id: u64,
    incoming: mpsc::UnboundedReceiver<Event>,
    shared: Weak<Shared>,
    /// Weak, so that an answer that nobody reads does not keep a closed session open.
    requests: mpsc::WeakUnboundedSender<ClientMessage>,
    consumed: u64,
    ended: bool,
    pick: fn(Reply) -> T,
}

impl<T> Replies<T> {
    /// The next reply; `None` when the request is answered. Cancel-safe.
    pub async fn next(&mut self) -> Result<Option<T>, CallError> {
        if self.ended {
            return Ok(None);
        }
        match self.incoming.recv().await {
            Some(Event::Reply { reply, bytes }) => {
                self.consumed += bytes;
                if self.consumed >= STREAM_CREDIT / 2 {
                    let bytes = std::mem::take(&mut self.consumed);
                    // Before the server can know of it.
                    if let Some(shared) = self.shared.upgrade() {
                        shared.extend_credit(self.id, bytes);
                    }
                    self.tell(ClientMessage::Credit { id: self.id, bytes });
                }
                Ok(Some((self.pick)(reply)))
            }
            Some(Event::End) => {
                self.ended = true;
                Ok(None)
            }
            Some(Event::Failed(error)) => {
                self.ended = true;
                Err(error)
            }
            None => {
                self.ended = true;
                Err(CallError::Channel(ChannelError::Closed))
            }
        }
    }

    /// Wants no more; what was on its way may still come, and then [`CallError::Cancelled`].
    pub fn cancel(&self) {
        self.tell(ClientMessage::Cancel { id: self.id });
    }

    fn tell(&self, message: ClientMessage) {
        // After the end of the session there is nobody to be told.
        let _ = self.requests.upgrade().map(|requests| requests.send(message));
    }
}

impl<T> Drop for Replies<T> {
    fn drop(&mut self) {
        if !self.ended {
            self.cancel();
        }
    }
}

/// Runs a session until both sides have said goodbye or it fails, and tells every open request why.
async fn drive(
    channel: Channel<Io>,
    shared: Arc<Shared>,
    queue: mpsc::UnboundedReceiver<ClientMessage>,
) -> Result<(), CallError> {
    let (mut sender, mut receiver) = channel.split();
    let result = tokio::select! {
        result = read_loop(&mut receiver, &shared) => result,
        // Only a failure ends it early; after our goodbye the server may still answer.
        error = write_loop(&mut sender, queue, &shared) => Err(error),
    };
    let (why, result) = match result {
        Ok(close) => {
            let ours = channel::finish(&mut sender, &mut receiver, CloseReason::Done, "").await;
            match close.reason {
                CloseReason::Done => (CallError::Closed(close), ours.map_err(CallError::Channel)),
                _ => (CallError::Closed(close.clone()), Err(CallError::Closed(close))),
            }
        }
        Err(error) => (error.clone(), Err(error)),
    };
    shared.end(why);
    if let Err(CallError::Nonsense(text)) = &result {
        // What the server makes of it changes nothing.
        let _ = channel::finish(&mut sender, &mut receiver, CloseReason::ProtocolError, text).await;
    }
    result
}

/// Hands replies to their requests until the server says goodbye.
async fn read_loop(receiver: &mut Receiver<Io>, shared: &Shared) -> Result<Close, CallError> {
    while let Some(message) = receiver.recv().await.map_err(CallError::Channel)? {
        let bytes = message.len() as u64;
        match decode_server(message) {
            Ok(Decoded::Message(message)) => {
                let id = message.id();
                let event = match message {
                    ServerMessage::Reply { reply, .. } => Event::Reply { reply, bytes },
                    ServerMessage::End { .. } => Event::End,
                    ServerMessage::Error { error, .. } => Event::Failed(CallError::Request(error)),
                    ServerMessage::Cancelled { .. } => Event::Failed(CallError::Cancelled),
                };
                shared.deliver(id, event)?;
            }
            Ok(Decoded::Bulk { id, .. }) => return Err(CallError::Nonsense(format!("bulk bytes for request {id}"))),
            Err(error) => return Err(CallError::Nonsense(error.to_string())),
        }
    }
    Ok(receiver.peer_close().unwrap_or(Close { reason: CloseReason::Other, text: String::new() }))
}

/// Sends what the calls ask for; says goodbye when nobody can ask any more. Completes only by failing.
async fn write_loop(
    sender: &mut Sender<Io>,
    mut queue: mpsc::UnboundedReceiver<ClientMessage>,
    shared: &Shared,
) -> CallError {
    while let Some(message) = queue.recv().await {
        match sender.send(&encode(&message)).await {
            Ok(()) => {}
            Err(error @ ChannelError::TooLongToSend { .. }) => match message {
                ClientMessage::Request { id, .. } => {
                    let _ = shared.deliver(id, Event::Failed(CallError::Channel(error)));
                }
                _ => return CallError::Channel(error),
            },
            // The receiving side learns more: a goodbye, or why the stream broke.
            Err(_) => return std::future::pending().await,
        }
    }
    if let Err(error) = sender.close(CloseReason::Done, "").await {
        return CallError::Channel(error);
    }
    std::future::pending().await
}
