//! The policy server from outside: its API in process, and over real TLS where the connection matters.

mod admins;
mod alerts;
mod connection;
mod enrolment;
mod fleet;
mod ingest;
mod openapi;
mod organisation;
mod policy;
