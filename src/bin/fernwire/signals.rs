//! The signals that end a client: told to whoever listens; otherwise the terminal gets its modes back, and it ends.

use std::fs;
use std::io;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use rustix::process::getpgrp;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::output;

/// SIGINT is not among them: at a prompt Ctrl-C is a key, and elsewhere whoever listens does so where he waits.
const ENDING: [SignalKind; 3] = [SignalKind::hangup(), SignalKind::terminate(), SignalKind::quit()];

/// Who listens to each of them.
static HEARD: LazyLock<[watch::Sender<()>; ENDING.len()]> = LazyLock::new(|| ENDING.map(|_| watch::Sender::new(())));
/// The modes of the terminal before they were changed, while they are. Never locked for long.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// From the moment on that this is made, a signal of this kind does not end the program by itself.
pub(crate) struct Listener(watch::Receiver<()>);

impl Listener {
    pub(crate) fn to_hangups() -> io::Result<Self> {
        Self::to(0)
    }

    pub(crate) fn to_terminations() -> io::Result<Self> {
        Self::to(1)
    }

    pub(crate) fn to_quits() -> io::Result<Self> {
        Self::to(2)
    }

    fn to(index: usize) -> io::Result<Self> {
        let listener = Self(HEARD[index].subscribe());
        begin(index)?;
        Ok(listener)
    }

    /// The next one. Cancel-safe.
    pub(crate) async fn recv(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

/// The modes that the terminal has now, which it gets back when this is dropped, and when a signal ends the program.
pub(crate) struct Kept(());

impl Kept {
    pub(crate) fn begin() -> io::Result<Self> {
        // Whoever began it with SIGHUP ignored, as `nohup` does, wants it to stay so.
        for index in usize::from(is_hangup_ignored())..ENDING.len() {
            begin(index)?;
        }
        *before() = Some(tcgetattr(io::stdin())?);
        Ok(Self(()))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        give_back();
    }
}

fn before() -> MutexGuard<'static, Option<Termios>> {
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether there was something to give back.
fn give_back() -> bool {
    let Some(modes) = before().take() else { return false };
    // In the background, trying it would stop the program, and the shell has set what it likes. A terminal that is not
    // the session's own, which says so, has no background; one that is gone needs nothing.
    if !tcgetpgrp(io::stdin()).is_ok_and(|group| group != getpgrp()) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &modes);
    }
    true
}

/// Begins to hear these signals, on a thread of its own: the others may all wait for a person.
fn begin(index: usize) -> io::Result<()> {
    static BEGUN: Mutex<(Option<Runtime>, [bool; ENDING.len()])> = Mutex::new((None, [false; ENDING.len()]));
    let mut begun = BEGUN.lock().unwrap_or_else(PoisonError::into_inner);
    let (place, begun) = &mut *begun;
    let runtime = match place {
        Some(runtime) => runtime,
        None => {
            let mut builder = Builder::new_multi_thread();
            place.insert(builder.worker_threads(1).thread_name("signals").enable_io().build()?)
        }
    };
    if !begun[index] {
        let _entered = runtime.enter();
        runtime.spawn(hear(signal(ENDING[index])?, &HEARD[index]));
        begun[index] = true;
    }
    Ok(())
}

async fn hear(mut signal: Signal, heard: &watch::Sender<()>) {
    while signal.recv().await.is_some() {
        let was_asked = give_back();
        if was_asked {
            // What comes next begins on a line of its own, as after any answer.
            output::note("");
        }
        if was_asked || heard.send(()).is_err() {
            std::process::exit(2);
        }
    }
}

/// Whether this process began with SIGHUP ignored, as `nohup` has it. Where that cannot be read, it did not.
pub(crate) fn is_hangup_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // The lowest bit is signal 1, which SIGHUP is.
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
