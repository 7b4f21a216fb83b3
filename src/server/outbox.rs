//! What waits to be sent to one peer: whole messages, bounded by their bytes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};

use super::Io;
use crate::channel::Sender;
use crate::channel::error::ChannelError;

/// The message bytes of one session that may wait to be sent; whoever adds more waits.
const MAX_QUEUE: usize = 1 << 20;
/// How long the peer may take to read one message.
pub(super) const SEND_TIMEOUT: Duration = Duration::from_secs(60);

/// Messages on their way to the peer, bounded by bytes.
#[derive(Clone)]
pub(super) struct Outbox {
    room: Arc<Semaphore>,
    messages: mpsc::UnboundedSender<Vec<u8>>,
}

pub(super) struct Queue {
    room: Arc<Semaphore>,
    messages: mpsc::UnboundedReceiver<Vec<u8>>,
}

impl Outbox {
    pub(super) fn new() -> (Self, Queue) {
        let room = Arc::new(Semaphore::new(MAX_QUEUE));
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { room: room.clone(), messages: sender }, Queue { room, messages: receiver })
    }

    /// Waits for room, then queues. Nothing is lost while waiting: it is queued or the session is over.
    pub(super) async fn put(&self, message: Vec<u8>) {
        self.put_after(message, || ()).await;
    }

    /// The same, and in between does what must be done before the peer can have the message.
    pub(super) async fn put_after(&self, message: Vec<u8>, before: impl FnOnce()) {
        // The semaphore is never closed.
        if let Ok(room) = self.room.acquire_many(room_for(&message) as u32).await {
            room.forget();
            before();
            let _ = self.messages.send(message);
        }
    }
}

/// What a message takes of the queue: never more than there is, since whoever waits for that waits for ever. A message
/// that is too long is refused by the channel, which ends the session.
fn room_for(message: &[u8]) -> usize {
    message.len().min(MAX_QUEUE)
}

/// Sends what is queued until everything that could queue more is gone.
pub(super) async fn write_loop(sender: &mut Sender<Io>, mut queue: Queue) -> Result<(), ChannelError> {
    while let Some(message) = queue.messages.recv().await {
        let sent = tokio::time::timeout(SEND_TIMEOUT, sender.send(&message)).await;
        sent.unwrap_or(Err(ChannelError::Dead(SEND_TIMEOUT.as_secs_f32())))?;
        queue.room.add_permits(room_for(&message));
    }
    Ok(())
}
