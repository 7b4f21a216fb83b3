//! Whether the terminal is taken, and what it was like before.

use std::io;
use std::panic;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use ratatui::crossterm::terminal::enable_raw_mode;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};
use tokio::sync::Notify;

/// The alternate screen, without line wrap: whatever a terminal thinks of a character's width, nothing flows into
/// another line. Pastes come as pastes. Of the mouse, buttons and the wheel alone (1000): motion (1002, 1003) is not
/// listened to.
pub(super) const TAKE: &[u8] = b"\x1b[?1049h\x1b[?7l\x1b[?2004h\x1b[?1000h\x1b[?1006h";
/// All of it taken back, and the cursor and plain text too.
pub(super) const GIVE_BACK: &[u8] = b"\x1b[0m\x1b[?1006l\x1b[?1000l\x1b[?2004l\x1b[?7h\x1b[?25h\x1b[?1049l";

/// How lines were read before, while that is changed. Never locked for long.
static MODES: Mutex<Option<Termios>> = Mutex::new(None);
/// Whether the screen is ours. Locked while something is written, so that what is given back stays as it was; a
/// terminal that takes no bytes keeps this locked, but never the modes.
static SCREEN: Mutex<bool> = Mutex::new(false);
/// A panic has taken the terminal from us.
static PANICKED: Notify = Notify::const_new();

/// What is behind these locks is whole even after a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the terminal, or takes all of it again.
pub(super) fn take() -> io::Result<()> {
    give_back_on_panic();
    change_modes()?;
    let mut is_ours = lock(&SCREEN);
    *is_ours = true;
    write_all(TAKE).inspect_err(|_| {
        drop(is_ours);
        give_back();
    })
}

fn change_modes() -> io::Result<()> {
    let mut before = lock(&MODES);
    let now = tcgetattr(io::stdin())?;
    let mut raw = now.clone();
    raw.make_raw();
    // A shell may have kept what we made of them for us: that is not what was before.
    let is_raw = !now.local_modes.intersects(LocalModes::ICANON | LocalModes::ECHO);
    if before.is_none() || !is_raw {
        *before = Some(now);
    }
    tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
    // It takes a line feed for Enter until it has changed the modes itself. What was before stays with us alone: it is
    // never asked to restore what it has found, which are ours.
    enable_raw_mode()
}

/// Gives the terminal back if it is taken. After this, nothing is drawn.
pub(super) fn give_back() {
    // The modes before anything is written: a terminal that takes no bytes should have at least these.
    if let Some(before) = lock(&MODES).take()
        && is_in_foreground()
    {
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
    }
    let mut is_ours = lock(&SCREEN);
    if std::mem::take(&mut *is_ours) {
        let _ = write_all(GIVE_BACK);
    }
}

/// Whether the terminal's modes are ours to change: in the background, trying it would stop the program, and the shell
/// has set what it likes.
pub(super) fn is_in_foreground() -> bool {
    // A terminal that is not the session's own, which says so, has no background.
    !tcgetpgrp(io::stdin()).is_ok_and(|group| group != getpgrp())
}

/// Writes to the terminal if it is taken. One that is gone takes nothing any more: whoever sees that it is gone sees to
/// the rest.
pub(super) fn write(bytes: &[u8]) -> io::Result<()> {
    let mut is_ours = lock(&SCREEN);
    if !*is_ours {
        return Ok(());
    }
    match write_all(bytes) {
        Err(error) if is_gone(&error) => {
            *is_ours = false;
            Ok(())
        }
        result => result,
    }
}

/// Whether this is how a terminal answers that is gone.
pub(super) fn is_gone(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::IO)
}

/// Past the buffer and the lock of stdout, either of which could keep a panic from giving the terminal back.
fn write_all(mut bytes: &[u8]) -> io::Result<()> {
    let stdout = io::stdout();
    while !bytes.is_empty() {
        match rustix::io::write(&stdout, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            // Whoever shares the terminal may have made it so.
            Err(Errno::AGAIN) => match poll(&mut [PollFd::new(&stdout, PollFlags::OUT)], None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            },
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// From now on, a panic in any thread first gives the terminal back, so that its message can be read.
fn give_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let was_taken = lock(&MODES).is_some();
            give_back();
            if was_taken {
                PANICKED.notify_one();
            }
            before(info);
        }));
    });
}

/// Waits until a panic has given the terminal back. Cancel-safe.
pub(super) async fn panicked() {
    PANICKED.notified().await;
}
