//! The channel: a handshake, then sealed messages over any byte stream. Bytes in, messages out.
//!
//! [`connect`] and [`accept`] run the handshake on a stream and give a [`Channel`], which sends and receives whole
//! messages of up to 1 MiB, in order, and tells an orderly end from a cut. Below it, [`handshake`] and [`record`] are
//! state machines without I/O; docs/protocol.md describes every byte.
//!
//! Neither function has a deadline of its own: the caller owns the time.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

pub mod bare;
pub mod error;
pub mod handshake;
mod hello;
mod key_schedule;
pub mod mode;
pub mod record;
mod stream;
pub mod token;
mod transcript;

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod outside_vectors;
#[cfg(test)]
mod vectors;

pub use key_schedule::Exporter;
pub use stream::{
    Channel, Close, CloseReason, DRAIN_TIMEOUT, KEY_LIFETIME, Keepalive, MAX_MESSAGE, MAX_UNPROVEN_MESSAGE, Receiver,
    RekeyAfter, Sender, Settings, finish,
};

use error::{Alert, HandshakeError};
use handshake::{Entropy, Initiator, Offer, Policy, Responder, ServerVerified};
use hello::{FRAME_HEADER, FrameType};
use mode::KeyMode;

use crate::model::PublicIdentity;

/// A server that has proven its keys and waits for the client to trust it or leave.
pub struct Verified<S> {
    io: S,
    server: ServerVerified,
    settings: Settings,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Verified<S> {
    /// The mode that the server chose.
    pub fn mode(&self) -> KeyMode {
        self.server.mode()
    }

    /// The identity that the server has proven, in the X25519 modes.
    pub fn identity(&self) -> Option<PublicIdentity> {
        self.server.identity()
    }

    /// Trusts the server. The last handshake frame goes out with whatever is sent or awaited first.
    pub fn trust(self) -> Channel<S> {
        let (frame, established) = self.server.finish();
        Channel::new(self.io, established, frame, self.settings)
    }

    /// Does not trust the server: says so and leaves.
    pub async fn refuse(mut self) {
        send_alert(&mut self.io, Some(Alert::Untrusted)).await;
    }
}

/// Runs a client's handshake up to the point where it must decide about trust.
pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    mut io: S,
    offer: Offer,
    settings: Settings,
) -> Result<Verified<S>, HandshakeError> {
    let result = async {
        let (initiator, hello) = Initiator::start(offer, Entropy::from_system()?);
        io.write_all(&hello).await?;
        io.flush().await?;
        let frame = read_frame(&mut io, FrameType::ServerHello).await?;
        let hello_received = initiator.read_server_hello(&frame)?;
        let frame = read_frame(&mut io, FrameType::ServerFinished).await?;
        hello_received.read_server_finished(&frame)
    }
    .await;
    let server = told(&mut io, result).await?;
    Ok(Verified { io, server, settings })
}

/// Runs a server's handshake; a client that fails it is told why in one byte.
pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    mut io: S,
    policy: Policy,
    settings: Settings,
) -> Result<Channel<S>, HandshakeError> {
    let result = async {
        let responder = Responder::new(policy, Entropy::from_system()?);
        let frame = read_frame(&mut io, FrameType::ClientHello).await?;
        let (sent, flight) = responder.read_client_hello(&frame)?;
        io.write_all(&flight).await?;
        io.flush().await?;
        let frame = read_frame(&mut io, FrameType::ClientFinished).await?;
        sent.read_client_finished(&frame)
    }
    .await;
    let established = told(&mut io, result).await?;
    Ok(Channel::new(io, established, Vec::new(), settings))
}

/// Reads one frame and not a byte more, so that the first record stays where it is.
async fn read_frame<S: AsyncRead + Unpin>(io: &mut S, due: FrameType) -> Result<Vec<u8>, HandshakeError> {
    let mut frame = vec![0; FRAME_HEADER];
    io.read_exact(&mut frame).await?;
    let header = [frame[0], frame[1], frame[2]];
    frame.resize(FRAME_HEADER + hello::body_length(header, due)?, 0);
    io.read_exact(&mut frame[FRAME_HEADER..]).await?;
    Ok(frame)
}

/// The handshake's result, after the peer has been told if it failed.
async fn told<S: AsyncRead + AsyncWrite + Unpin, T>(
    io: &mut S,
    result: Result<T, HandshakeError>,
) -> Result<T, HandshakeError> {
    if let Err(error) = &result {
        send_alert(io, error.alert()).await;
    }
    result
}

/// Tells the peer, as far as it still listens; then ends our direction, so that the alert is not lost in a reset.
/// Takes [`DRAIN_TIMEOUT`] at most, whatever the peer does.
async fn send_alert<S: AsyncRead + AsyncWrite + Unpin>(io: &mut S, alert: Option<Alert>) {
    let farewell = async {
        if let Some(alert) = alert {
            let _ = io.write_all(&hello::frame(FrameType::Alert, &[alert as u8])).await;
        }
        let _ = io.shutdown().await;
        // What the peer had on its way would otherwise make the system answer with a reset, which discards the alert.
        let mut rest = [0; 1024];
        let mut discarded = 0;
        while discarded < 16 * rest.len() {
            match io.read(&mut rest).await {
                Ok(read @ 1..) => discarded += read,
                _ => break,
            }
        }
    };
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, farewell).await;
}
