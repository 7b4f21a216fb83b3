//! The program of a play: it takes the terminal, and does what the keys say.

use std::time::Duration;

use ratatui::crossterm::event::KeyCode;
use ratatui::widgets::Paragraph;
use rustix::termios::{Action, tcflow};

use super::super::input::Inputs;
use super::super::signals::{Signals, Wish};
use super::super::{Input, Stage};
use super::PATIENCE;

/// Set for the actor alone, so that nobody plays who runs the ignored tests.
pub(super) const PLAY: &str = "TEST_PLAY";

/// Its value for a play that has no time to end by itself.
pub(super) const SHORT: &str = "short";

/// What the tests below run on a terminal of its own.
#[test]
#[ignore = "played by the others"]
fn actor() {
    if std::env::var_os(PLAY).is_some() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(play());
        runtime.shutdown_background();
        eprintln!("[left]");
        std::process::exit(0);
    }
}

async fn play() {
    let is_short = std::env::var_os(PLAY).is_some_and(|play| play == SHORT);
    let mut signals = Signals::new(if is_short { Duration::ZERO } else { 2 * PATIENCE }).unwrap();
    let mut stage = Stage::take().unwrap();
    let mut inputs = Inputs::read().unwrap();
    inputs.join_lines();
    let mut said = "taken".to_owned();
    let mut is_deaf = false;
    loop {
        // All of it each time, so that the tests can read it in one piece.
        stage.redraw_all().unwrap();
        draw(&mut stage, &said);
        said = tokio::select! {
            wish = signals.next() => match wish {
                Wish::Leave if is_deaf => "deaf".to_owned(),
                Wish::Leave => break,
                Wish::Suspend => suspend(&mut stage),
                Wish::Continued => {
                    stage.resume().unwrap();
                    "continued".to_owned()
                }
            },
            input = inputs.next() => match input {
                None => break,
                Some(Input::Key(key)) if key.code == KeyCode::Char('d') => {
                    is_deaf = true;
                    "deaf".to_owned()
                }
                Some(Input::Key(key)) => match act(&mut stage, key.code, &said) {
                    Some(said) => said,
                    None => break,
                },
                Some(Input::Paste(text)) if text.len() > 40 => format!("a-paste-of-{}", text.len()),
                Some(input) => format!("{input:?}").replace(' ', ""),
            },
        };
    }
}

/// What these keys do; none ends the play.
fn act(stage: &mut Stage, key: KeyCode, said: &str) -> Option<String> {
    match key {
        KeyCode::Char('q') => return None,
        KeyCode::Char('p') => panic!("the scenery fell"),
        KeyCode::Char('t') => {
            std::thread::spawn(|| panic!("the scenery fell elsewhere")).join().unwrap_err();
        }
        KeyCode::Char('s') => return Some(suspend(stage)),
        // The same picture again, between two bells.
        KeyCode::Char('n') => {
            stage.bell().unwrap();
            (0..3).for_each(|_| draw(stage, said));
            stage.bell().unwrap();
        }
        KeyCode::Char('h') => {
            stage.redraw_all().unwrap();
            draw(stage, "hanging");
            loop {
                std::thread::park();
            }
        }
        // A terminal that takes no bytes.
        KeyCode::Char('x') => {
            stage.redraw_all().unwrap();
            draw(stage, "stuck");
            tcflow(std::io::stdin(), Action::OOff).unwrap();
            stage.bell().unwrap();
        }
        other => return Some(format!("{other:?}")),
    }
    Some(said.to_owned())
}

fn suspend(stage: &mut Stage) -> String {
    if stage.suspend().unwrap() { "suspended".to_owned() } else { "nobody-there".to_owned() }
}

fn draw(stage: &mut Stage, said: &str) {
    let size = stage.size();
    let text = format!("<{said}:{}x{}>", size.width, size.height);
    stage.draw(|frame| frame.render_widget(Paragraph::new(text), frame.area())).unwrap();
}
