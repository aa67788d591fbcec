//! End-to-end tests: the two programs as they are built, driven from outside.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests and their helpers may fail loudly"
)]

mod attacks;
mod carried_policy;
mod claude_code;
mod claude_habits;
mod claude_tools;
mod definitions;
mod demo;
mod eras;
mod kill_loop;
mod orphans;
mod servers;
mod transparency;
mod upgrade;
