//! What the demo and the end-to-end tests drive the two programs with, from outside.
//!
//! Deliberately small and synchronous, and deliberately ignorant of our own crates: the fakes speak
//! raw JSON over raw sockets, so that the oracle is independent of what it judges.

pub mod claude;
pub mod fetch;
pub mod http;
pub mod machine;
pub mod mcp_client;
pub mod model;
pub mod organisation;
pub mod process;
pub mod stage;
pub mod tap;
pub mod tools;
pub mod wait;
pub mod wire;
