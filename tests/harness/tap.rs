//! What a server was told: stands in front of an HTTP server on loopback and forwards every byte, or reads
//! what the program `tap` wrote down in front of a stdio server.

use crate::http::{Request, read_request};
use anyhow::Result;
use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Forwards to one address until the process ends.
#[derive(Debug, Clone)]
pub struct Tap {
    pub address: SocketAddr,
    told: Arc<Mutex<Vec<Request>>>,
}

impl Tap {
    /// # Errors
    /// No port could be had on loopback.
    pub fn start(server: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let tap = Self { address: listener.local_addr()?, told: Arc::default() };
        let told = Arc::clone(&tap.told);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let told = Arc::clone(&told);
                std::thread::spawn(move || forward(&client, server, &told));
            }
        });
        Ok(tap)
    }

    /// Every request so far, in the order in which they were whole.
    #[must_use]
    pub fn told(&self) -> Vec<Request> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Reads from one stream, and writes the same bytes to another at once.
struct Tee<'a> {
    from: &'a TcpStream,
    to: &'a TcpStream,
}

impl Read for Tee<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.to.write_all(&buffer[..read])?;
        Ok(read)
    }
}

fn forward(client: &TcpStream, server: SocketAddr, told: &Mutex<Vec<Request>>) {
    let Ok(server) = TcpStream::connect(server) else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (Ok(mut from), Ok(mut to)) = (server.try_clone(), client.try_clone()) else { return };
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
    let mut reader = BufReader::new(Tee { from: client, to: &server });
    while let Some(request) = read_request(&mut reader) {
        told.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    }
    let _ = server.shutdown(Shutdown::Both);
}

/// The messages that `tap` wrote down.
///
/// # Errors
/// The file cannot be read.
pub fn lines(log: &Path) -> Result<Vec<String>> {
    Ok(std::fs::read_to_string(log)?.lines().map(str::to_owned).collect())
}
