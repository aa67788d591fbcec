//! The guard as a client sees it: the built program, a server behind it, raw JSON on both sides.

#[cfg(test)]
#[cfg(target_os = "linux")]
mod back_pressure;
#[cfg(test)]
mod batches;
#[cfg(test)]
mod client;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod definitions;
#[cfg(test)]
#[cfg(unix)]
mod eras;
#[cfg(test)]
mod handover;
mod local_server;
#[cfg(test)]
mod organisation;
#[cfg(test)]
mod remote_attacks;
#[cfg(test)]
mod remote_marks;
#[cfg(test)]
mod remote_server;
#[cfg(test)]
mod remote_session;
#[cfg(test)]
mod remote_stream;
#[cfg(test)]
mod resident;
#[cfg(test)]
mod restarted_server;
#[cfg(test)]
mod tls;
mod trial_policy;
#[cfg(test)]
mod trials;
#[cfg(test)]
#[path = "../fixtures/web.rs"]
mod web;
#[cfg(test)]
#[path = "../fixtures/world.rs"]
mod world;
