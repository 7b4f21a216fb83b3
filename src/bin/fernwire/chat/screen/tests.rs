//! Screens as drawn text, in each state and layout, and what keys and events do to them.

mod edges;
mod hostile;
mod keys;
mod pictures;
mod posting;
mod reading;
mod rooms;
mod scene;
mod scrolling;
