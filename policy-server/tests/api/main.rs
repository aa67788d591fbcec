//! The policy server from outside: its API in process, and over real TLS where the connection matters.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the whole crate is tests: what cannot be set up fails where it stands"
)]

mod admins;
mod alerts;
mod connection;
mod enrolment;
mod fleet;
mod ingest;
mod openapi;
mod organisation;
mod policy;
