//! Chat on a full screen: a state that learns and wishes, drawn whenever it has changed.
//!
//! ```text
//! keys, mouse, paste -> stage -> typing, overlay \            / draw -> stage -> terminal
//! client's events and answers -------------------> state, view
//! client's handle <------------ run <---- wishes /
//! ```

mod completion;
mod door;
mod draw;
mod editor;
mod form;
mod layout;
mod mention;
mod obey;
mod overlay;
mod place;
mod post;
mod presence;
mod recall;
mod run;
mod search;
mod stage;
mod state;
mod switcher;
#[cfg(test)]
mod tests;
mod text;
mod theme;
mod timeline;
mod typing;
mod view;
mod wish;

pub(super) use run::run;
/// Whether there is a terminal that can show it.
pub(super) fn is_possible() -> bool {
    stage::is_usable()
}
