//! Newline framing over any byte stream, bounded in memory: one read is many lines, and messages that are
//! there together are one write.

use mcp::{Line, Splitter, frame::MAX_MESSAGE_BYTES};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What a pipe of Linux holds; more would not come at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// What was read.
#[derive(Debug)]
pub enum Read {
    Line(Line),
    /// The stream ended inside a line of this many bytes. [`Read::End`] follows.
    HalfLine(usize),
    End,
}

pub struct LineReader<R> {
    from: R,
    splitter: Option<Splitter>,
    chunk: Box<[u8]>,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    pub fn new(from: R) -> Self {
        Self::bounded(from, MAX_MESSAGE_BYTES)
    }

    pub fn bounded(from: R, max_bytes: usize) -> Self {
        Self {
            from,
            splitter: Some(Splitter::new(max_bytes)),
            chunk: vec![0; CHUNK_BYTES].into_boxed_slice(),
        }
    }

    /// The next line of what was read already.
    pub fn ready(&mut self) -> Option<Line> {
        self.splitter.as_mut()?.next_line()
    }

    /// The next line. A stream that fails has ended.
    pub async fn next(&mut self) -> Read {
        while let Some(splitter) = &mut self.splitter {
            if let Some(line) = splitter.next_line() {
                return Read::Line(line);
            }
            match self.from.read(&mut self.chunk).await {
                Ok(0) => break,
                Ok(bytes) => splitter.feed(&self.chunk[..bytes]),
                Err(error) => {
                    tracing::debug!(%error, "a stream failed while it was read");
                    break;
                }
            }
        }
        match self.splitter.take().and_then(Splitter::finish) {
            Some(half) => Read::HalfLine(half.len()),
            None => Read::End,
        }
    }
}

pub struct LineWriter<W> {
    to: W,
}

impl<W: AsyncWrite + Unpin> LineWriter<W> {
    pub fn new(to: W) -> Self {
        Self { to }
    }

    /// Writes one message and its newline, and waits until the stream has taken them.
    ///
    /// # Errors
    /// The reader is gone.
    pub async fn send(&mut self, message: Vec<u8>) -> io::Result<()> {
        self.send_all([message]).await
    }

    /// Writes messages, each with its newline, by as few writes as a pipe takes them in.
    ///
    /// # Errors
    /// The reader is gone.
    pub async fn send_all(&mut self, messages: impl IntoIterator<Item = Vec<u8>>) -> io::Result<()> {
        let mut together = Vec::new();
        for message in messages {
            if together.is_empty() {
                together = message;
            } else if together.len() + message.len() < CHUNK_BYTES {
                together.extend_from_slice(&message);
            } else {
                self.to.write_all(&together).await?;
                together = message;
            }
            together.push(b'\n');
        }
        self.to.write_all(&together).await?;
        self.to.flush().await
    }
}
