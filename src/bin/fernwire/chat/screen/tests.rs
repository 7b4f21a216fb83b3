//! Screens as drawn text, in each state and layout, and what keys and events do to them.

mod behaviour;
mod edges;
mod hostile;
mod pictures;
mod scene;
mod scrolling;
