//! `portreeve`: the guard and the resident in one binary.

mod ipc;

fn main() {}
