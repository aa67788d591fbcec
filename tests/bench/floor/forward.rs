//! stdio to stdio: two threads that read and write.

use crate::record::Desk;
use crate::scan::line_ends;
use anyhow::{Context, Result};
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

const CHUNK_BYTES: usize = 64 * 1024;

pub fn run(record: &str, command: &str, arguments: &[&str]) -> Result<()> {
    let mut desk = Desk::open(record)?;
    let mut server =
        Command::new(command).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut to_server = server.stdin.take().context("stdin is piped")?;
    let mut from_server = server.stdout.take().context("stdout is piped")?;
    // Past Rust's own buffers.
    let mut from_client = File::open("/proc/self/fd/0")?;
    let mut to_client = File::options().write(true).open("/proc/self/fd/1")?;
    let copying = std::thread::spawn(move || -> std::io::Result<()> {
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let bytes = from_server.read(&mut chunk)?;
            if bytes == 0 {
                return Ok(());
            }
            to_client.write_all(chunk.get(..bytes).unwrap_or_default())?;
        }
    });
    let (mut chunk, mut lines) = (vec![0; CHUNK_BYTES], Vec::new());
    loop {
        let bytes = from_client.read(&mut chunk)?;
        if bytes == 0 {
            break;
        }
        lines.extend_from_slice(chunk.get(..bytes).unwrap_or_default());
        let mut sent = 0;
        for end in line_ends(&lines) {
            let line = lines.get(sent..=end).unwrap_or_default();
            if desk.passes(line)? {
                to_server.write_all(line)?;
            }
            sent = end + 1;
        }
        lines.drain(..sent);
    }
    drop(to_server);
    let _ = copying.join();
    server.wait()?;
    Ok(())
}
