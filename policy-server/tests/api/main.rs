//! The policy server from outside: its API in process, and over real TLS where the connection matters.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the whole crate is tests: what cannot be set up fails where it stands"
)]

mod admins;
mod alerts;
mod command_line;
mod connection;
mod definitions;
mod enrolment;
mod first_start;
mod fleet;
mod ingest;
mod ledger;
mod openapi;
mod organisation;
mod policy;
mod shared_tokens;
mod typos;
