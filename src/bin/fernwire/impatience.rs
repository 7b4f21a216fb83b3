//! A second signal ends a client for good, also one that hangs on a reader who does not read.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::signals::Listener;

/// How long the rest of the program has to end by itself, and to say what is not known.
const NOTICE: Duration = Duration::from_secs(1);

/// SIGINT and SIGTERM alike: both ask a client to finish what it has begun.
pub(crate) struct Wishes {
    interrupts: Signal,
    terminations: Listener,
}

impl Wishes {
    /// From now on, neither ends the program by itself.
    pub(crate) fn heard() -> io::Result<Self> {
        Ok(Self { interrupts: signal(SignalKind::interrupt())?, terminations: Listener::to_terminations()? })
    }

    /// The next wish that it should end. Cancel-safe.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupts.recv() => {}
            () = self.terminations.recv() => {}
        }
    }
}

/// Ends the program after the second signal even if its own thread is stuck in writing a result. Needs a runtime with a
/// thread beside that one.
pub(crate) fn end_at_the_second_signal() -> io::Result<()> {
    let mut wishes = Wishes::heard()?;
    tokio::spawn(async move {
        wishes.next().await;
        wishes.next().await;
        tokio::time::sleep(NOTICE).await;
        std::process::exit(2);
    });
    Ok(())
}
