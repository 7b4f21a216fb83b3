//! What a server shows to whoever sits before it. A screen that stands still holds nobody up: what does not fit is counted.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::document::Format;
use crate::model::peer::PeerAddr;

/// How many bytes of text may wait to be shown.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// What an entry takes besides its text.
const ENTRY_BYTES: usize = 128;

/// Something to show. Texts are other people's: make control characters visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// Somebody has sent a line to the message log.
    Logged {
        /// The number of the session, by which it can be answered.
        session: u64,
        /// Where from.
        address: PeerAddr,
        /// Whether it listens to answers.
        answerable: bool,
        /// The line.
        text: String,
    },
    /// Somebody has submitted data.
    Submitted {
        /// The number of the session.
        session: u64,
        /// Where from.
        address: PeerAddr,
        /// What it was written in.
        format: Format,
        /// One line of JSON.
        data: String,
    },
    /// So many were not shown, since the screen did not take them.
    Missed(u64),
}

impl Shown {
    fn bytes(&self) -> usize {
        ENTRY_BYTES
            + match self {
                Self::Logged { text, .. } => text.len(),
                Self::Submitted { data, .. } => data.len(),
                Self::Missed(_) => 0,
            }
    }
}

/// Where services put what is to be shown.
#[derive(Clone)]
pub struct Screen(Arc<Shared>);

/// Where it comes out. Once this is dropped, nothing is shown any more.
pub struct Showing(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// A std mutex: held for moving an entry, never across an await.
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Default)]
struct Queue {
    entries: VecDeque<Shown>,
    bytes: usize,
    missed: u64,
    ended: bool,
}

/// Both ends.
pub fn screen() -> (Screen, Showing) {
    let shared = Arc::new(Shared::default());
    (Screen(shared.clone()), Showing(shared))
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Screen {
    /// Shows it soon, or counts it.
    pub fn show(&self, shown: Shown) {
        let mut queue = self.0.lock();
        if queue.ended {
            return;
        }
        let bytes = shown.bytes();
        if queue.bytes + bytes > MAX_BYTES {
            queue.missed += 1;
            return;
        }
        let missed = std::mem::take(&mut queue.missed);
        queue.entries.extend((missed > 0).then_some(Shown::Missed(missed)));
        queue.entries.push_back(shown);
        queue.bytes += bytes;
        drop(queue);
        self.0.changed.notify_one();
    }
}

impl Showing {
    /// The next to show. Cancel-safe.
    pub async fn next(&mut self) -> Shown {
        loop {
            if let Some(shown) = self.take() {
                return shown;
            }
            self.0.changed.notified().await;
        }
    }

    fn take(&mut self) -> Option<Shown> {
        let mut queue = self.0.lock();
        match queue.entries.pop_front() {
            Some(Shown::Missed(missed)) => Some(Shown::Missed(missed)),
            Some(shown) => {
                queue.bytes -= shown.bytes();
                Some(shown)
            }
            None => Some(std::mem::take(&mut queue.missed)).filter(|missed| *missed > 0).map(Shown::Missed),
        }
    }
}

impl Drop for Showing {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        *queue = Queue { ended: true, ..Queue::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Shown {
        Shown::Logged { session: 1, address: PeerAddr::Memory, answerable: true, text: text.to_owned() }
    }

    #[tokio::test]
    async fn what_does_not_fit_is_counted_where_it_is_missing() {
        let (screen, mut showing) = screen();
        screen.show(line("first"));
        screen.show(line(&"x".repeat(MAX_BYTES - 1000)));
        screen.show(line(&"y".repeat(1000)));
        screen.show(line(&"z".repeat(1000)));
        assert_eq!(showing.next().await, line("first"));
        assert!(matches!(showing.next().await, Shown::Logged { .. }));
        screen.show(line("next"));
        assert_eq!(showing.next().await, Shown::Missed(2));
        assert_eq!(showing.next().await, line("next"));
        screen.show(line(&"x".repeat(MAX_BYTES)));
        assert_eq!(showing.next().await, Shown::Missed(1));
    }

    #[tokio::test]
    async fn without_anybody_before_it_nothing_is_kept() {
        let (screen, showing) = screen();
        drop(showing);
        screen.show(line("unseen"));
        assert!(screen.0.lock().entries.is_empty());
    }
}
