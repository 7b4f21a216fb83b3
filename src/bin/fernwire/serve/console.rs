//! The operator at the server's terminal: a command a line, and what comes of it.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use fernwire::model::Visible;
use fernwire::service::Services;
use fernwire::service::log::Log;
use fernwire::service::operator::Command;
use fernwire::store::Store;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::getpgrp;
use rustix::termios::tcgetpgrp;
use tokio::sync::mpsc;

use crate::output;

/// The longest line that is read; what is longer comes in pieces.
const MAX_LINE: usize = 16 * 1024;
/// How often a server in the background looks whether it is in front again, when something is typed.
const PAUSE: Duration = Duration::from_secs(1);

/// Lines from stdin, read on a thread of its own: nothing else waits for a person.
pub(crate) struct Console(mpsc::Receiver<String>);

impl Console {
    /// Whether somebody sits at a terminal and means this program when he types.
    pub(crate) fn has_operator() -> bool {
        io::stdin().is_terminal() && is_in_front()
    }

    pub(crate) fn open() -> io::Result<Self> {
        let (sender, lines) = mpsc::channel(1);
        std::thread::Builder::new().name("console".into()).spawn(move || {
            let mut typed = Vec::new();
            // When stdin ends or fails, nobody commands any more.
            while let Ok(1..) = read(&mut typed) {
                while let Some(line) = take_line(&mut typed) {
                    if sender.blocking_send(line).is_err() {
                        return;
                    }
                }
            }
        })?;
        Ok(Self(lines))
    }

    /// Obeys until the operator wants the server to stop.
    pub(crate) async fn obey(mut self, services: Arc<Services>, store: Store) {
        while let Some(line) = self.0.recv().await {
            if line.trim().is_empty() {
                continue;
            }
            let said = match line.parse::<Command>() {
                Ok(Command::Quit) => return,
                Ok(command) => services.obey(&store, command).await.map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            match said {
                // A terminal that is gone is noticed elsewhere.
                Ok(text) => drop(output::result(text)),
                Err(text) => output::note(Visible(&text)),
            }
        }
        tracing::info!("stdin has ended: nobody gives commands, nor answers the message log, any more");
        services.log.iter().for_each(Log::operator_leaves);
        std::future::pending().await
    }
}

/// Whether the terminal's input goes to this program. What is in the background and reads all the same is stopped.
fn is_in_front() -> bool {
    tcgetpgrp(io::stdin()).is_ok_and(|group| group == getpgrp())
}

/// Waits for input, and appends what there is.
fn read(typed: &mut Vec<u8>) -> io::Result<usize> {
    let stdin = io::stdin();
    loop {
        match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], None) {
            Err(rustix::io::Errno::INTR) => continue,
            polled => polled?,
        };
        if stdin.is_terminal() && !is_in_front() {
            std::thread::sleep(PAUSE);
            continue;
        }
        let mut chunk = [0; 4096];
        match rustix::io::read(&stdin, &mut chunk) {
            Err(rustix::io::Errno::INTR) => {}
            read => {
                let length = read?;
                typed.extend_from_slice(&chunk[..length]);
                return Ok(length);
            }
        }
    }
}

/// The next whole line, in whatever encoding.
fn take_line(typed: &mut Vec<u8>) -> Option<String> {
    let end = typed.iter().position(|byte| *byte == b'\n').map(|end| end + 1);
    let end = end.or((typed.len() >= MAX_LINE).then_some(typed.len()))?;
    let line: Vec<u8> = typed.drain(..end).collect();
    Some(String::from_utf8_lossy(&line).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_and_are_never_endless() {
        let mut typed = b"who\nsay he".to_vec();
        assert_eq!(take_line(&mut typed).as_deref(), Some("who\n"));
        assert_eq!(take_line(&mut typed), None);
        typed.extend(b"llo\n");
        assert_eq!(take_line(&mut typed).as_deref(), Some("say hello\n"));
        typed = vec![b'x'; MAX_LINE + 1];
        assert_eq!(take_line(&mut typed).map(|line| line.len()), Some(MAX_LINE + 1));
    }
}
