//! The fernwire program.

fn main() {}
