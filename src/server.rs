//! The server: accepts on its listeners and gives each connection a session of its own.
//!
//! The caller supplies the listeners and says when to stop. Nothing that a peer does or leaves undone reaches beyond
//! its own session: handshakes run off the accept loop under one deadline, and the places for them are limited.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{Instrument, Span, error_span, field, info, warn};

use crate::channel::handshake::Policy;
use crate::channel::{self, Channel, CloseReason, Settings};
use crate::config::Limits;
use crate::model::Visible;
use crate::model::peer::PeerAddr;
use crate::service::Services;
use crate::service::caller::{HeldKey, Peer};
use crate::transport::{ByteStream, Incoming, Listener};

mod admission;
pub mod door;
mod outbox;
mod session;

use admission::Admission;
use door::Door;

/// How long the accept loop rests after its first error in a row, doubling up to [`MAX_ACCEPT_PAUSE`].
const MIN_ACCEPT_PAUSE: Duration = Duration::from_millis(5);
/// The longest rest after an accept error.
const MAX_ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// How long after the end of a drain the sessions that are left may take to say goodbye, so that their peers hear it.
pub const GOODBYE_TIME: Duration = Duration::from_secs(3);

type Io = Box<dyn ByteStream>;

/// What all sessions of a server share.
struct Context {
    policy: Policy,
    services: Arc<Services>,
    limits: Limits,
    settings: Settings,
    admission: Admission,
}

/// A way in: a listener, and what is spoken there.
pub struct Entrance {
    listener: Box<dyn Listener>,
    door: Option<Door>,
}

impl From<Box<dyn Listener>> for Entrance {
    /// One that speaks the channel, and nothing else.
    fn from(listener: Box<dyn Listener>) -> Self {
        Self { listener, door: None }
    }
}

impl Entrance {
    /// One that speaks bare Fernet, and nothing else.
    pub fn door(listener: Box<dyn Listener>, door: Door) -> Self {
        Self { listener, door: Some(door) }
    }
}

/// A server that has not started yet.
pub struct Server(Arc<Context>);

impl Server {
    /// A server with these keys, services and limits.
    pub fn new(policy: Policy, services: impl Into<Arc<Services>>, limits: Limits, settings: Settings) -> Self {
        let services = services.into();
        Self(Arc::new(Context { policy, services, limits, settings, admission: Admission::new(limits) }))
    }

    /// Serves until `shutdown` completes, then lets what is being answered finish for [`Limits::drain_timeout`]; saying
    /// goodbye to those that cannot takes up to [`GOODBYE_TIME`] more.
    pub async fn run(self, entrances: Vec<Entrance>, shutdown: impl Future<Output = ()>) {
        let context = self.0;
        let (stop, stopping) = watch::channel(false);
        let mut accepting = JoinSet::new();
        for entrance in entrances {
            accepting.spawn(accept_until_stopped(context.clone(), entrance, stopping.clone()));
        }
        tokio::select! {
            () = shutdown => {}
            () = context.services.watch() => {}
        }
        // A receiver that is gone has nothing to stop.
        let _ = stop.send(true);
        let mut connections = accepting.join_all().await;
        info!(drain_timeout = ?context.limits.drain_timeout, "stopping: no new connections");
        let draining = async {
            for connections in &mut connections {
                while connections.join_next().await.is_some() {}
            }
        };
        let drained = tokio::time::timeout(context.limits.drain_timeout + GOODBYE_TIME, draining).await;
        match drained {
            Ok(_) => info!("stopped: every session has ended"),
            Err(_) => warn!("stopped: some sessions did not end in time and are cut"),
        }
    }
}

/// Accepts until the server stops and closes the listener; what is left are its connections, and dropping them cuts them.
async fn accept_until_stopped(
    context: Arc<Context>,
    entrance: Entrance,
    mut stopping: watch::Receiver<bool>,
) -> JoinSet<()> {
    let mut connections = JoinSet::new();
    tokio::select! {
        () = accept_loop(&context, entrance, stopping.clone(), &mut connections) => {}
        () = stopped(&mut stopping) => {}
    }
    connections
}

/// Accepts and spawns, nothing else; survives every error.
async fn accept_loop(
    context: &Arc<Context>,
    Entrance { mut listener, door }: Entrance,
    stopping: watch::Receiver<bool>,
    connections: &mut JoinSet<()>,
) {
    let mut pause = MIN_ACCEPT_PAUSE;
    let (at, is_near) = (listener.local().without_identity(), listener.local().is_loopback());
    let door = door.map(Arc::new);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // What has ended is forgotten, so that the set holds only what lives.
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok(incoming) => {
                pause = MIN_ACCEPT_PAUSE;
                let (mode, key) = (field::Empty, field::Empty);
                // A span is left out where its level is; whoever reads nothing but errors still wants to know whose.
                let span = error_span!("session", peer = %incoming.peer, %at, mode, key);
                let (context, stopping) = (context.clone(), stopping.clone());
                match door.clone() {
                    None => connections.spawn(connection(context, incoming, is_near, stopping).instrument(span)),
                    Some(door) => connections
                        .spawn(door::connection(context, door, (incoming, is_near), stopping).instrument(span)),
                };
            }
            Err(error) => {
                warn!(reason = %error, ?pause, "a connection could not be accepted");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(MAX_ACCEPT_PAUSE);
            }
        }
    }
}

/// A connection's life: a pending place, the handshake under its deadline, a session's place, the session.
async fn connection(context: Arc<Context>, incoming: Incoming, is_near: bool, mut stopping: watch::Receiver<bool>) {
    let peer = incoming.peer.clone();
    let mut place = context.admission.enter(peer.source());
    let handshake = async {
        let conn = incoming.upgrade.await.map_err(|error| format!("the transport failed: {error}"))?;
        let accepting = channel::accept(conn.io, context.policy.clone(), context.settings);
        accepting.await.map_err(|error| error.to_string())
    };
    let result = tokio::select! {
        result = tokio::time::timeout(context.limits.handshake_timeout, handshake) => {
            result.unwrap_or_else(|_| Err(format!("not finished within {:?}", context.limits.handshake_timeout)))
        }
        () = place.evicted() => Err("its place was given to a newer connection".to_owned()),
        () = stopped(&mut stopping) => return info!("the server stops before the handshake is finished"),
    };
    match result {
        Ok(channel) => welcome(&context, channel, (peer, is_near), place, stopping).await,
        Err(reason) => warn!(reason = %Visible(&reason), "handshake failed"),
    }
}

/// Completes when the server is told to stop.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // The server that could send holds on to it until it has stopped.
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// Records what the handshake has shown, finds the session a place, and runs it.
async fn welcome(
    context: &Arc<Context>,
    channel: Channel<Io>,
    (peer, is_near): (PeerAddr, bool),
    place: admission::Pending<'_>,
    stopping: watch::Receiver<bool>,
) {
    let span = Span::current();
    span.record("mode", field::display(channel.mode()));
    if let Some(key) = context.policy.secret_key().filter(|_| channel.mode().needs_secret()) {
        span.record("key", field::display(key.id()));
    }
    let proven = channel.mode().needs_secret();
    if let Some(refusal) = context.services.turns_away(&peer.source()).await {
        warn!(reason = %refusal, "session refused");
        // The peer may be gone already; it was refused either way.
        let _ = channel.close(CloseReason::Removed, &refusal).await;
        return;
    }
    let guest =
        |address| context.services.sessions.enter(Peer { address, is_near, holds: proven.then_some(HeldKey::Secret) });
    match place.admit(proven) {
        Ok(seat) => session::run(context, channel, guest(peer), seat, stopping).await,
        Err(full) => {
            warn!(reason = %full, "session refused");
            // The peer may be gone already; it was refused either way.
            let _ = channel.close(CloseReason::TooMany, &full.to_string()).await;
        }
    }
}
