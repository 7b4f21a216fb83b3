//! What a person types, pastes and clicks, read on a thread of its own.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ratatui::crossterm::event::{self, Event, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tokio::sync::{Notify, mpsc};

use super::Input;
use burst::Burst;

mod burst;

/// The inputs that may wait; a person who holds a key down fills it, and is then read more slowly.
const MAX_INPUTS: usize = 256;

/// All that a person does, until the terminal is gone.
pub(in super::super) struct Inputs {
    read: mpsc::Receiver<Input>,
    gone: Arc<Notify>,
    is_gone: bool,
    joins: Arc<AtomicBool>,
}

impl Inputs {
    /// Begins to read the terminal, for as long as the program runs.
    pub(in super::super) fn read() -> io::Result<Self> {
        let (sender, read) = mpsc::channel(MAX_INPUTS);
        let gone = Arc::new(Notify::new());
        let notify = gone.clone();
        let joins = Arc::new(AtomicBool::new(false));
        let are_joined = joins.clone();
        // Not tasks: the program must be able to end while these still wait.
        thread::Builder::new().name("input".to_owned()).spawn(move || read_all(&sender, &are_joined))?;
        thread::Builder::new().name("hang-up".to_owned()).spawn(move || {
            if is_hung_up() {
                notify.notify_one();
            }
        })?;
        Ok(Self { read, gone, is_gone: false, joins })
    }

    /// From now on, lines that come all at once are a paste, since no person types them so: terminals that do not know of
    /// pastes send those as keys.
    pub(in super::super) fn join_lines(&self) {
        self.joins.store(true, Ordering::Relaxed);
    }

    /// What the person does next; none, once, if there is no terminal any more. Cancel-safe.
    pub(in super::super) async fn next(&mut self) -> Option<Input> {
        if self.is_gone {
            // It is said once: whoever has other things to wait for is not to be kept busy.
            return pending().await;
        }
        tokio::select! {
            biased;
            () = self.gone.notified() => {
                self.is_gone = true;
                None
            }
            input = self.read.recv() => input,
        }
    }
}

/// Reads until nobody wants more. That the terminal is gone does not end it: crossterm reads on and on then.
fn read_all(sender: &mpsc::Sender<Input>, are_joined: &AtomicBool) {
    while let Ok(event) = event::read() {
        let Ok((burst, event)) = at_once(event) else { return };
        let inputs = burst.inputs(are_joined.load(Ordering::Relaxed)).into_iter().chain(event.and_then(input));
        for input in inputs {
            if sender.blocking_send(input).is_err() {
                return;
            }
        }
    }
}

/// What has come together with this: keys that write something, and what is none of them and ends it.
fn at_once(mut event: Event) -> io::Result<(Burst, Option<Event>)> {
    let mut burst = Burst::default();
    loop {
        match event {
            Event::Key(key) if burst.takes(key) => {}
            other => return Ok((burst, Some(other))),
        }
        if burst.is_full() || !event::poll(burst.patience())? {
            return Ok((burst, None));
        }
        event = event::read()?;
    }
}

/// Waits until the terminal is gone; false if that cannot be waited for.
fn is_hung_up() -> bool {
    let stdin = io::stdin();
    // That nobody is there any more is always reported.
    let mut watched = [PollFd::new(&stdin, PollFlags::empty())];
    loop {
        match poll(&mut watched, None) {
            Ok(_) => return watched[0].revents().intersects(PollFlags::HUP | PollFlags::ERR),
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

fn input(event: Event) -> Option<Input> {
    match event {
        Event::Key(key) if !key.is_release() => Some(Input::Key(key)),
        Event::Paste(text) => Some(Input::Paste(text)),
        Event::Resize(..) => Some(Input::Resized),
        Event::Mouse(MouseEvent { kind, column, row, .. }) => {
            let position = Position::new(column, row);
            match kind {
                MouseEventKind::Down(MouseButton::Left) => Some(Input::Click(position)),
                MouseEventKind::ScrollUp => Some(Input::Wheel(-1, position)),
                MouseEventKind::ScrollDown => Some(Input::Wheel(1, position)),
                _ => None,
            }
        }
        _ => None,
    }
}
