//! A program that does nothing: what starting any process of ours costs.

fn main() {}
