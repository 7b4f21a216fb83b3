//! The person at the door: shown a form, and heard, while something goes on behind it.

use std::io;
use std::pin::pin;
use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tokio::time::{Instant, sleep};

use super::super::form::panel::Drawn;
use super::super::form::{self, Form, Step};
use super::super::stage::input::Inputs;
use super::super::stage::signals::{Signals, Wish};
use super::super::stage::{Input, Stage, TYPING_PAUSE};
use super::super::theme::Theme;
use super::Parting;

pub(super) struct Person<'a> {
    pub(super) stage: &'a mut Stage,
    pub(super) inputs: &'a mut Inputs,
    pub(super) signals: &'a mut Signals,
    pub(super) theme: &'a Theme,
    /// What a click means.
    pub(super) drawn: Drawn,
    /// When something was typed last that the form had no use for, as while it asks the server.
    pub(super) typed_ahead: Option<Instant>,
    /// When anything was typed last.
    pub(super) typed: Option<Instant>,
}

/// What came first.
pub(super) enum Turn<T, D> {
    /// The work is done.
    Done(T),
    /// The person has decided something.
    Decided(D),
}

impl Person<'_> {
    /// Shows a form until the work is done or the person decides something in it. Work that is not done then is given up.
    pub(super) async fn attend<T, F: Form>(
        &mut self,
        form: &mut F,
        work: impl Future<Output = T>,
    ) -> Result<Turn<T, F::Decision>, Parting> {
        let mut work = pin!(work);
        self.show(form)?;
        loop {
            tokio::select! {
                done = &mut work => return Ok(Turn::Done(done)),
                input = self.inputs.next() => match self.hear(form, input.ok_or(Parting::Left)?)? {
                    Step::Nothing => {}
                    Step::Changed => self.show(form)?,
                    Step::Leave => return Err(Parting::Left),
                    Step::Decided(decision) => return Ok(Turn::Decided(decision)),
                },
                wish = self.signals.next() => match wish {
                    Wish::Leave => return Err(Parting::Left),
                    Wish::Suspend => drop(self.stage.suspend()?),
                    Wish::Continued => {
                        self.stage.resume()?;
                        self.show(form)?;
                    }
                },
            }
        }
    }

    /// The same where the work is to wait; the form is told how many seconds are left.
    pub(super) async fn count_down<F: Form>(
        &mut self,
        form: &mut F,
        wait: Duration,
        tell: fn(&mut F, u64),
    ) -> Result<Turn<(), F::Decision>, Parting> {
        let end = Instant::now() + wait;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
            tell(form, seconds);
            let Some(after) = seconds.checked_sub(1) else { return Ok(Turn::Done(())) };
            let until_fewer = left.saturating_sub(Duration::from_secs(after));
            if let Turn::Decided(decision) = self.attend(form, sleep(until_fewer)).await? {
                return Ok(Turn::Decided(decision));
            }
        }
    }

    fn show(&mut self, form: &impl Form) -> io::Result<()> {
        let (theme, drawn) = (self.theme, &mut self.drawn);
        self.stage.draw(|frame| {
            *drawn = form::draw(form, frame.area(), theme, frame.buffer_mut());
            if let Some(cursor) = drawn.cursor {
                frame.set_cursor_position(cursor);
            }
        })
    }

    fn hear<F: Form>(&mut self, form: &mut F, input: Input) -> io::Result<Step<F::Decision>> {
        match input {
            Input::Click(at) => Ok(self.drawn.target(at).map_or(Step::Nothing, |target| form.point(target))),
            Input::Key(KeyEvent { code: KeyCode::Char('z'), modifiers: KeyModifiers::CONTROL, .. }) => {
                self.stage.suspend()?;
                Ok(Step::Nothing)
            }
            Input::Key(KeyEvent { code: KeyCode::Char('l'), modifiers: KeyModifiers::CONTROL, .. }) => {
                self.stage.redraw_all()?;
                Ok(Step::Changed)
            }
            Input::Resized => {
                self.stage.redraw_all()?;
                Ok(form.press(input))
            }
            input => {
                let now = Instant::now();
                if self.typed.is_none_or(|typed| now.duration_since(typed) >= TYPING_PAUSE) {
                    form.has_paused();
                }
                if matches!(input, Input::Key(_) | Input::Paste(_)) {
                    self.typed = Some(now);
                }
                let step = form.press(input);
                if matches!(step, Step::Nothing) {
                    self.typed_ahead = Some(now);
                }
                Ok(step)
            }
        }
    }
}
