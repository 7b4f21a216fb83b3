//! What ends a server, and what makes it load its certificate anew.

use std::io::{self, IsTerminal};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::signals::is_hangup_ignored;

/// SIGINT, SIGTERM and SIGHUP, from the moment on that this is made.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    /// Whether SIGHUP never means the end: `nohup` says so, and service managers send it for a reload alone.
    is_kept: bool,
    /// Whether somebody sat at a terminal when the server began.
    had_terminal: bool,
}

/// What a person or a manager asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    Stop,
    Reload,
}

impl Signals {
    pub(crate) fn new() -> io::Result<Self> {
        // Asked before our own handler takes the place of what was there.
        let is_kept = is_hangup_ignored() || std::env::var_os("NOTIFY_SOCKET").is_some_and(|name| !name.is_empty());
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            is_kept,
            had_terminal: io::stdin().is_terminal(),
        })
    }

    /// The next wish; a reload can be one if there is a certificate.
    pub(crate) async fn next(&mut self, has_certificate: bool) -> Wish {
        tokio::select! {
            _ = self.interrupt.recv() => return Wish::Stop,
            _ = self.terminate.recv() => return Wish::Stop,
            _ = self.hangup.recv() => {}
        }
        // A terminal that is gone is none any more.
        let end = if self.is_kept {
            None
        } else if self.had_terminal && !io::stdin().is_terminal() {
            Some("the terminal is gone")
        } else if !has_certificate {
            Some("there is no certificate to reload")
        } else {
            None
        };
        let Some(reason) = end else { return Wish::Reload };
        tracing::info!("SIGHUP: {reason}; the server stops");
        Wish::Stop
    }

    /// SIGINT or SIGTERM. A SIGHUP is kept for [`Signals::next`]; a terminal that goes may send several.
    pub(crate) async fn terminated(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
