//! Over the stdin and stdout of a program: one write a message, as clients do.

use crate::speech::{self, Call};
use anyhow::{Result, ensure};
use std::io::{Read, Write};
use std::process::{ChildStdin, ChildStdout};
use std::time::{Duration, Instant};

const CHUNK_BYTES: usize = 64 * 1024;
const SMALL: usize = 100;

pub struct Stdio {
    to: ChildStdin,
    from: ChildStdout,
    chunk: Box<[u8]>,
    /// What was read and not yet taken.
    unread: Vec<u8>,
    /// How much of `unread` the last line was.
    taken: usize,
    message: Vec<u8>,
    last_id: u64,
}

impl Stdio {
    pub fn new(to: ChildStdin, from: ChildStdout) -> Self {
        let chunk = vec![0; CHUNK_BYTES].into_boxed_slice();
        Self { to, from, chunk, unread: Vec::new(), taken: 0, message: Vec::new(), last_id: 0 }
    }

    pub fn greet(&mut self) -> Result<()> {
        self.say(speech::initialize())?;
        let answer = self.answer()?;
        ensure!(memchr::memmem::find(answer, b"\"result\"").is_some(), "{}", speech::shown(answer));
        self.say(speech::initialized())
    }

    fn say(&mut self, mut message: Vec<u8>) -> Result<()> {
        message.push(b'\n');
        Ok(self.to.write_all(&message)?)
    }

    pub fn call(&mut self, call: &Call, size: usize) -> Result<&[u8]> {
        self.ask(call, size)?;
        self.answer()
    }

    fn ask(&mut self, call: &Call, size: usize) -> Result<()> {
        self.last_id += 1;
        self.message.clear();
        call.write(self.last_id, size, &mut self.message);
        self.message.push(b'\n');
        Ok(self.to.write_all(&self.message)?)
    }

    /// The next line that is an answer: servers and peers also say things unasked.
    fn answer(&mut self) -> Result<&[u8]> {
        while !is_answer(self.line()?) {}
        Ok(self.unread.get(..self.taken).unwrap_or_default())
    }

    fn line(&mut self) -> Result<&[u8]> {
        self.unread.drain(..self.taken);
        self.taken = 0;
        let mut searched = 0;
        loop {
            let new = self.unread.get(searched..).unwrap_or_default();
            if let Some(end) = memchr::memchr(b'\n', new) {
                self.taken = searched + end + 1;
                return Ok(self.unread.get(..self.taken).unwrap_or_default());
            }
            searched = self.unread.len();
            let bytes = self.from.read(&mut self.chunk)?;
            ensure!(bytes > 0, "its output ended");
            self.unread.extend_from_slice(self.chunk.get(..bytes).unwrap_or_default());
        }
    }

    pub fn at_once(&mut self, call: &Call, in_flight: usize, limit: Duration) -> Result<f64> {
        let started = Instant::now();
        for _ in 0..in_flight {
            self.ask(call, SMALL)?;
        }
        let mut answered = 0_u32;
        while started.elapsed() < limit {
            speech::glance(self.answer()?, SMALL)?;
            answered += 1;
            self.ask(call, SMALL)?;
        }
        let rate = f64::from(answered) / started.elapsed().as_secs_f64();
        for _ in 0..in_flight {
            self.answer()?;
        }
        Ok(rate)
    }
}

fn is_answer(line: &[u8]) -> bool {
    let head = line.get(..120).unwrap_or(line);
    line.starts_with(b"{") && memchr::memmem::find(head, b"\"method\"").is_none()
}
