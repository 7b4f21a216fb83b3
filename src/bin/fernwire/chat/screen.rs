//! Chat on a full screen.

// Until all of it is wired.
#[allow(dead_code)]
mod completion;
#[allow(dead_code)]
mod editor;
#[allow(dead_code)]
mod recall;
#[allow(dead_code)]
mod stage;
#[allow(dead_code)]
mod switcher;
#[allow(dead_code)]
mod text;
#[allow(dead_code)]
mod theme;
