//! The store on real files: what it promises, and what becomes of it when the disk or the process fails.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod backup;
mod crash;
mod disk;
mod logs;
mod moderation;
mod opening;
mod people;
mod rooms;
mod scene;
mod search;
mod sequence;
