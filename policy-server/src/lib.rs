//! The policy server: authoring, signing, enrolment, ingest, alerts, the admin API and the console,
//! behind one TLS port.
//!
//! It never decides a call: agents do that themselves, from the policy signed here.

pub mod admin_auth;
pub mod alerts;
pub mod app;
pub mod author;
pub mod cli;
pub mod clock;
pub mod console;
pub mod enrolment;
pub mod fleet;
pub mod http;
pub mod ingest;
pub mod ledger;
pub mod members;
pub mod publish;
pub mod secret;
pub mod serve;
pub mod store;
pub mod tls;
