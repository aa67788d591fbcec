//! The guard as a client sees it: the built program, a server behind it, raw JSON on both sides.

mod client;
mod handover;
mod local_server;
mod remote_server;
mod trial_policy;
mod web;
