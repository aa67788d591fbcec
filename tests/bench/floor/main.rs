//! The floors: the least that each shape of a program in the path can do. No limits, no timeouts, no reconnects.
//!
//! `bench-floor forward RECORD -- COMMAND …` copies bytes between client and server; frames and scans each
//! line of the client's, looks its tool up among 1,000 rules and appends one record.
//! `bench-floor post RECORD URL` does the same and posts each line to a server over HTTP.
//! `bench-floor hop URL` is one HTTP hop: a hyper server in front of a hyper client, without any policy.

mod forward;
mod hop;
mod post;
mod record;
mod scan;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["forward", record, "--", command, rest @ ..] => forward::run(record, command, rest),
        ["post", record, url] => one_thread()?.block_on(post::run(record, url)),
        ["hop", url] => one_thread()?.block_on(hop::run(url)),
        _ => bail!("usage: bench-floor forward RECORD -- COMMAND … | post RECORD URL | hop URL"),
    }
}

fn one_thread() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
