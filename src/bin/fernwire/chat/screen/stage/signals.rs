//! What others want of the program: that it leaves, stops, or goes on.

use std::io;
use std::time::Duration;

use rustix::process::{Signal as Number, kill_current_process_group};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use super::held;
use crate::signals::Listener;

/// How long a terminal may take to be given back before the program ends all the same, and how much later than it should
/// the program may end by itself.
const NOTICE: Duration = Duration::from_secs(1);

/// How long after it was let go on in the background, where taking the terminal stops it anew, something may come that
/// ends it: `kill` of a shell sends both, and either may be heard first.
const GRACE: Duration = Duration::from_millis(250);

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Wish {
    /// Also after a panic in another thread, which has taken the terminal from us.
    Leave,
    /// Another program has sent SIGTSTP; Ctrl-Z comes as a key.
    Suspend,
    /// The program goes on after it was stopped, and the terminal may be anything.
    Continued,
}

/// The signals, from the moment on that this is made.
pub(in super::super) struct Signals {
    leave: Wanted,
    suspend: Signal,
    continued: Signal,
    /// When to say that it goes on.
    continued_at: Option<Instant>,
}

impl Signals {
    /// From now on none of them ends or stops the program by itself, but the second that wants it to end does, also
    /// where the program hangs on a terminal that takes no bytes. With one alone it has so long to end by itself, and is
    /// ended a little later. Needs a runtime with a thread beside that one.
    pub(in super::super) fn new(patience: Duration) -> io::Result<Self> {
        let leave = Wanted::new()?;
        let suspend = signal(SignalKind::from_raw(Number::TSTP.as_raw()))?;
        let continued = signal(SignalKind::from_raw(Number::CONT.as_raw()))?;
        end_in_the_end(Wanted::new()?, patience);
        Ok(Self { leave, suspend, continued, continued_at: None })
    }

    /// The next wish. Cancel-safe.
    pub(in super::super) async fn next(&mut self) -> Wish {
        loop {
            tokio::select! {
                biased;
                _ = self.leave.next() => return Wish::Leave,
                () = held::panicked() => return Wish::Leave,
                _ = self.continued.recv() => {
                    let grace = if held::is_in_foreground() { Duration::ZERO } else { GRACE };
                    self.continued_at = Some(Instant::now() + grace);
                }
                () = sleep_until(self.continued_at.unwrap_or_else(Instant::now)), if self.continued_at.is_some() => {
                    self.continued_at = None;
                    return Wish::Continued;
                }
                _ = self.suspend.recv() => return Wish::Suspend,
            }
        }
    }
}

/// The signals that want the program to end.
struct Wanted {
    hangups: Listener,
    interrupts: Signal,
    terminations: Listener,
    quits: Listener,
}

impl Wanted {
    fn new() -> io::Result<Self> {
        Ok(Self {
            hangups: Listener::to_hangups()?,
            interrupts: signal(SignalKind::interrupt())?,
            terminations: Listener::to_terminations()?,
            quits: Listener::to_quits()?,
        })
    }

    /// The next of them, and whether it says that the terminal is gone: of two that have come at once, this is the
    /// first. Cancel-safe.
    async fn next(&mut self) -> bool {
        tokio::select! {
            biased;
            () = self.hangups.recv() => true,
            _ = self.interrupts.recv() => false,
            () = self.terminations.recv() => false,
            () = self.quits.recv() => false,
        }
    }
}

/// At the second signal, or if the first was of no use, gives the terminal back and ends the program at once.
fn end_in_the_end(mut wanted: Wanted, patience: Duration) {
    tokio::spawn(async move {
        wanted.next().await;
        // A terminal that goes may send several SIGHUP, which are no impatience.
        let second = async { while wanted.next().await {} };
        let _ = tokio::time::timeout(patience + NOTICE, second).await;
        let giving = tokio::task::spawn_blocking(held::give_back);
        let _ = tokio::time::timeout(NOTICE, giving).await;
        std::process::exit(2);
    });
}

/// Whether somebody is there who could let the program go on if it stopped: in a process group that has no shell, as
/// the first of a terminal is, it would hang for good.
pub(super) fn can_be_continued() -> bool {
    // Where there is no /proc, or whatever began the group has ended, people are believed to have a shell.
    let Some(own) = Standing::of("self") else { return true };
    let Some(leader) = Standing::of(&own.group) else { return true };
    match Standing::of(&leader.parent) {
        Some(parent) => parent.session == own.session && parent.group != own.group,
        // In a container, whoever is outside of it is nobody, and has the number 0.
        None => leader.parent != "0",
    }
}

/// Where a process stands among the others, as proc_pid_stat(5) has it. Not by getsid(2) and its like, whose wrappers
/// take it for granted that no number is 0.
struct Standing {
    parent: String,
    group: String,
    session: String,
}

impl Standing {
    fn of(process: &str) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // Its name, in parentheses, may hold anything; its state is first behind that.
        let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(1).map(str::to_owned);
        Some(Self { parent: fields.next()?, group: fields.next()?, session: fields.next()? })
    }
}

/// Stops the program until SIGCONT, and with it whatever it was begun with, as a script. Not SIGTSTP: we handle that.
pub(super) fn stop() -> io::Result<()> {
    Ok(kill_current_process_group(Number::STOP)?)
}
