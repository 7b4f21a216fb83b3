//! A terminal without a window: what the program writes is shown on it, and what a person types goes to the program.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};

use crate::program::{PATIENCE, Sandbox};

/// What a frame begins and ends with: a terminal shows nothing of it before it is whole.
const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";

/// Keys as terminals send them.
pub(crate) const ENTER: &str = "\r";
pub(crate) const ALT_ENTER: &str = "\x1b\r";
pub(crate) const ESC: &str = "\x1b";
pub(crate) const TAB: &str = "\t";
pub(crate) const UP: &str = "\x1b[A";
pub(crate) const DOWN: &str = "\x1b[B";
pub(crate) const PAGE_UP: &str = "\x1b[5~";
pub(crate) const WHEEL_UP: &str = "\x1b[<64;30;5M";
pub(crate) const WHEEL_DOWN: &str = "\x1b[<65;30;5M";
pub(crate) const F1: &str = "\x1bOP";
pub(crate) const F2: &str = "\x1bOQ";

pub(crate) fn alt(key: char) -> String {
    format!("\x1b{key}")
}

pub(crate) fn ctrl(key: char) -> String {
    char::from(key as u8 & 0x1f).to_string()
}

/// A program on a terminal of its own, which ends with the test.
pub(crate) struct Terminal {
    child: Child,
    master: File,
    /// Dropped, it ends the reading.
    reading: Option<(UnixStream, JoinHandle<()>)>,
    shown: Arc<(Mutex<Shown>, Condvar)>,
    modes_before: String,
}

struct Shown {
    parser: vt100::Parser,
    /// All that the program has written.
    bytes: Vec<u8>,
    /// How much of it is on the screen.
    drawn: usize,
    ended: bool,
}

impl Shown {
    /// Everything but a frame that is not whole yet.
    fn take(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        let new = &self.bytes[self.drawn..];
        let whole = match (last(new, BEGIN), last(new, END)) {
            (Some(begin), None) => begin,
            (Some(begin), Some(end)) if begin > end => begin,
            _ => new.len(),
        };
        self.parser.process(&new[..whole]);
        self.drawn += whole;
    }
}

fn last(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).rposition(|window| window == part)
}

impl Terminal {
    /// Starts a program with these arguments and variables on a terminal of this many columns and lines.
    pub(crate) fn open(home: &Sandbox, program: &[&str], variables: &[(&str, &str)], size: (u16, u16)) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        tcsetwinsize(&master, winsize(size)).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let slave = OpenOptions::new().read(true).write(true).open(name).unwrap();
        let modes_before = described(&tcgetattr(&slave).unwrap());
        // Nothing but a session of its own makes it the program's terminal, for signals and for job control.
        let mut command = home.command("setsid");
        command.arg("--ctty").args(program).env("TERM", "xterm-256color").envs(variables.iter().copied());
        let mut command = on(command, &slave);
        drop(slave);
        let child = command.spawn().unwrap();
        drop(command);
        let master = File::from(master);
        let parser = vt100::Parser::new(NonZero::new(size.1).unwrap(), NonZero::new(size.0).unwrap(), 0);
        let shown = Shown { parser, bytes: Vec::new(), drawn: 0, ended: false };
        let shown = Arc::new((Mutex::new(shown), Condvar::new()));
        let reading = Some(read_into(shown.clone(), master.try_clone().unwrap()));
        Self { child, master, reading, shown, modes_before }
    }

    /// Types these keys, as bytes.
    pub(crate) fn types(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// Types a line, sees all of it in the input, and presses Enter.
    #[track_caller]
    pub(crate) fn enters(&mut self, line: &str) {
        self.types(line);
        self.types(ENTER);
    }

    pub(crate) fn pastes(&mut self, text: &str) {
        self.types(&format!("\x1b[200~{text}\x1b[201~"));
    }

    /// Gives the terminal another size; the system tells the program.
    pub(crate) fn resizes(&mut self, size: (u16, u16)) {
        let mut shown = self.shown();
        shown.parser.set_size(NonZero::new(size.1).unwrap(), NonZero::new(size.0).unwrap());
        tcsetwinsize(&self.master, winsize(size)).unwrap();
    }

    /// The screen as text, without the blanks at the end of its lines.
    pub(crate) fn screen(&self) -> String {
        self.ask(text_of)
    }

    /// The screen with all that can be seen of it: characters, attributes, colours and the cursor.
    pub(crate) fn look(&self) -> Vec<String> {
        self.ask(|screen| {
            let (lines, columns) = screen.size();
            let cursor = format!("{:?} {}", screen.cursor_position(), screen.hide_cursor());
            let line = |line| (0..columns.get()).map(|column| screen.cell(line, column).map(seen)).collect::<Vec<_>>();
            (0..lines.get()).map(|number| format!("{:?}", line(number))).chain([cursor]).collect()
        })
    }

    /// A test that fails while it looks is not to fail the reading thread too.
    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the screen something.
    pub(crate) fn ask<T>(&self, question: impl FnOnce(&vt100::Screen) -> T) -> T {
        question(self.shown().parser.screen())
    }

    /// The cells where this text stands; none if it does not, or not in one row.
    pub(crate) fn cells(&self, text: &str) -> Vec<vt100::Cell> {
        self.ask(|screen| {
            let (lines, columns) = screen.size();
            let row = |line| (0..columns.get()).filter_map(move |column| screen.cell(line, column).cloned());
            let found = (0..lines.get()).find_map(|line| part(row(line).collect(), text));
            found.unwrap_or_default()
        })
    }

    /// The column in which this text begins, on its first row that has it.
    pub(crate) fn column_of(&self, text: &str) -> Option<usize> {
        let screen = self.screen();
        screen.lines().find_map(|line| Some(line[..line.find(text)?].chars().count()))
    }

    /// All that was written from this byte on.
    pub(crate) fn written_since(&self, start: usize) -> Vec<u8> {
        self.shown().bytes[start..].to_vec()
    }

    /// How many bytes were written so far.
    pub(crate) fn written(&self) -> usize {
        self.shown().bytes.len()
    }

    /// Waits until this stands on the screen; the result is all of it.
    #[track_caller]
    pub(crate) fn sees(&self, text: &str) -> String {
        self.sees_that(text, |screen| text_of(screen).contains(text))
    }

    /// Waits until this does not stand on the screen any more; the result is all of it.
    #[track_caller]
    pub(crate) fn sees_no_more(&self, text: &str) -> String {
        self.sees_that(&format!("gone: {text}"), |screen| !text_of(screen).contains(text))
    }

    /// Waits until this holds; the result is the whole screen then.
    #[track_caller]
    pub(crate) fn sees_that(&self, what: &str, holds: impl Fn(&vt100::Screen) -> bool) -> String {
        let contents = self.waits(|shown| holds(shown.parser.screen()) || shown.ended);
        assert!(self.ask(&holds), "not seen: {what}; but:\n{contents}");
        contents
    }

    /// Waits until these bytes were written, from this byte on.
    #[track_caller]
    pub(crate) fn is_sent(&self, bytes: &[u8], start: usize) {
        let comes = |shown: &Shown| last(&shown.bytes[start..], bytes).is_some();
        self.waits(|shown| comes(shown) || shown.ended);
        assert!(comes(&self.shown()), "never written: {}", bytes.escape_ascii());
    }

    /// The screen after that, or at the end of all patience.
    fn waits(&self, enough: impl Fn(&Shown) -> bool) -> String {
        let (shown, _) = self.shown.1.wait_timeout_while(self.shown(), PATIENCE, |shown| !enough(shown)).unwrap();
        text_of(shown.parser.screen())
    }

    /// Waits until nothing was written for so long; the result is how much was written before.
    pub(crate) fn is_quiet_for(&self, pause: Duration) -> usize {
        let deadline = Instant::now() + PATIENCE;
        let mut shown = self.shown();
        loop {
            let written = shown.bytes.len();
            let (now, waited) =
                self.shown.1.wait_timeout_while(shown, pause, |shown| shown.bytes.len() == written).unwrap();
            shown = now;
            if waited.timed_out() {
                return written;
            }
            assert!(Instant::now() < deadline, "it never stops writing");
        }
    }

    /// Draws everything anew: whatever was written piece by piece, it is the same.
    #[track_caller]
    pub(crate) fn is_as_if_drawn_at_once(&mut self) {
        self.is_quiet_for(Duration::from_millis(200));
        let (before, start) = (self.look(), self.written());
        self.types(&ctrl('l'));
        self.is_sent(END, start);
        let after = self.look();
        let changed = before.iter().zip(&after).find(|(before, after)| before != after);
        assert_eq!(changed, None, "{}", self.screen());
    }

    /// Sends the program a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Closes the terminal, as when its window is closed; the result is the exit code.
    pub(crate) fn closes(mut self) -> Option<i32> {
        self.stops_reading();
        let Self { master, child, .. } = &mut self;
        // The last who has it open is this: the reader has ended.
        *master = File::open("/dev/null").unwrap();
        waited(child)
    }

    /// Waits for the end; the result is what is left on the screen, and the exit code.
    #[track_caller]
    pub(crate) fn ends(mut self) -> (String, Option<i32>) {
        let code = waited(&mut self.child);
        self.waits(|shown| shown.ended);
        self.is_given_back();
        (self.screen(), code)
    }

    /// The terminal is what it was before.
    #[track_caller]
    fn is_given_back(&self) {
        self.has_its_screen_back();
        assert_eq!(described(&tcgetattr(&self.master).unwrap()), self.modes_before);
    }

    /// Nothing that the program has told the terminal holds any more.
    #[track_caller]
    pub(crate) fn has_its_screen_back(&self) {
        self.ask(|screen| {
            assert!(!screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste());
            assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
            assert!(!screen.bold() && !screen.inverse() && !screen.underline());
        });
    }

    fn stops_reading(&mut self) {
        if let Some((stop, reading)) = self.reading.take() {
            drop(stop);
            reading.join().unwrap();
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Both fail if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        drop(self.reading.take().map(|(stop, _)| stop));
    }
}

/// What stands on a screen, without the blanks at the end of its lines.
pub(crate) fn text_of(screen: &vt100::Screen) -> String {
    let lines: Vec<String> = screen.rows(0, screen.size().1.get()).map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n").trim_end().to_owned()
}

/// Those of the cells that hold this text.
fn part(mut cells: Vec<vt100::Cell>, text: &str) -> Option<Vec<vt100::Cell>> {
    cells.retain(|cell| !cell.is_wide_continuation());
    let words: String = cells.iter().map(|cell| if cell.has_contents() { cell.contents() } else { " " }).collect();
    let start = words[..words.find(text)?].chars().count();
    Some(cells[start..start + text.chars().count()].to_vec())
}

/// What can be seen of a cell.
fn seen(cell: &vt100::Cell) -> (String, vt100::Color, [bool; 4]) {
    let character = if cell.has_contents() { cell.contents() } else { " " };
    let is_blank = character == " ";
    let colour = if is_blank { vt100::Color::Default } else { cell.fgcolor() };
    let attributes = [cell.bold() && !is_blank, cell.italic() && !is_blank, cell.underline(), cell.inverse()];
    (character.to_owned(), colour, attributes)
}

fn winsize((columns, lines): (u16, u16)) -> Winsize {
    Winsize { ws_row: lines, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

fn on(mut command: Command, slave: &File) -> Command {
    command.stdin(slave.try_clone().unwrap()).stdout(slave.try_clone().unwrap()).stderr(slave.try_clone().unwrap());
    command
}

/// The modes as text, to be compared.
fn described(modes: &Termios) -> String {
    let Termios { input_modes, output_modes, control_modes, local_modes, special_codes, .. } = modes;
    format!("{input_modes:?} {output_modes:?} {control_modes:?} {local_modes:?} {special_codes:?}")
}

fn waited(child: &mut Child) -> Option<i32> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        assert!(Instant::now() < deadline, "it does not end");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Reads the terminal until nobody has it open any more, or nobody wants it.
fn read_into(shown: Arc<(Mutex<Shown>, Condvar)>, mut master: File) -> (UnixStream, JoinHandle<()>) {
    let (stop, stopped) = UnixStream::pair().unwrap();
    let reading = std::thread::spawn(move || {
        let mut buffer = [0; 65_536];
        loop {
            let mut watched = [PollFd::new(&master, PollFlags::IN), PollFd::new(&stopped, PollFlags::IN)];
            let is_stopped = poll(&mut watched, None).is_ok() && !watched[1].revents().is_empty();
            let count = if is_stopped { 0 } else { master.read(&mut buffer).unwrap_or(0) };
            let mut state = shown.0.lock().unwrap_or_else(PoisonError::into_inner);
            state.take(&buffer[..count]);
            state.ended = count == 0;
            shown.1.notify_all();
            if count == 0 {
                return;
            }
        }
    });
    (stop, reading)
}
