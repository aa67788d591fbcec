//! `portreeve serve` as HTTP clients see it: the built program, a server behind it, raw HTTP and raw JSON.

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod chained;
#[cfg(test)]
mod client;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod http_sse;
#[cfg(test)]
mod remote;
#[cfg(test)]
mod resident;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod stateless;
#[cfg(test)]
mod strangers;
#[cfg(test)]
#[path = "../fixtures/web.rs"]
mod web;
#[cfg(test)]
mod web_client;
#[cfg(test)]
#[path = "../fixtures/world.rs"]
mod world;
