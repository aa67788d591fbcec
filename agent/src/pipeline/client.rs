//! The client's end of a pipeline: where its messages come from and where ours for it go, whatever
//! carries them. Here is stdio; the HTTP door has its own.

use crate::transport::Came;
use crate::transport::lines::{LineReader, LineWriter, Read};
use mcp::{Line, Payload};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;

/// What came of a client.
#[derive(Debug)]
pub enum Heard {
    Line(Line),
    /// Its output ended inside a message of this many bytes.
    HalfLine(usize),
    /// It was refused before it could be judged, and answered: HTTP headers that contradict their body.
    /// To be recorded.
    Refused {
        code: &'static str,
        why: String,
    },
    /// It is gone.
    End,
}

/// The client reads no more.
#[derive(Debug)]
pub struct Unread;

/// Why the client is told something: over HTTP it decides which response carries it.
#[derive(Debug, Clone, Copy)]
pub enum Occasion<'a> {
    /// Our own word to what it said last.
    Said,
    /// The server spoke, and this is the way it came.
    Heard(&'a Came),
    /// Policy changed, or the conversation ends.
    Guard,
}

pub trait FromClient {
    /// What the client says next. Asked for only once what it said before is judged and released.
    async fn next(&mut self) -> Heard;

    /// What came together with that, and is judged together with it.
    fn ready(&mut self) -> Option<Line> {
        None
    }
}

pub trait ToClient {
    /// # Errors
    /// The client is gone for good.
    async fn tell(&self, message: Payload, occasion: Occasion<'_>) -> Result<(), Unread>;

    /// # Errors
    /// The client is gone for good.
    async fn tell_all(&self, messages: Vec<(Payload, Occasion<'_>)>) -> Result<(), Unread> {
        for (message, occasion) in messages {
            self.tell(message, occasion).await?;
        }
        Ok(())
    }
}

impl<R: AsyncRead + Unpin> FromClient for LineReader<R> {
    async fn next(&mut self) -> Heard {
        match Self::next(self).await {
            Read::Line(line) => Heard::Line(line),
            Read::HalfLine(bytes) => Heard::HalfLine(bytes),
            Read::End => Heard::End,
        }
    }

    fn ready(&mut self) -> Option<Line> {
        Self::ready(self)
    }
}

impl<W: AsyncWrite + Unpin> ToClient for Mutex<LineWriter<W>> {
    async fn tell(&self, message: Payload, _: Occasion<'_>) -> Result<(), Unread> {
        self.lock().await.send(message.into_bytes()).await.map_err(|_| Unread)
    }

    async fn tell_all(&self, messages: Vec<(Payload, Occasion<'_>)>) -> Result<(), Unread> {
        if messages.is_empty() {
            return Ok(());
        }
        let messages = messages.into_iter().map(|(message, _)| message.into_bytes());
        self.lock().await.send_all(messages).await.map_err(|_| Unread)
    }
}
