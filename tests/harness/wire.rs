//! What a client speaks MCP over: lines to a process, Streamable HTTP, or the older HTTP with
//! server-sent events. Messages stay the text they came as; what they mean is the caller's affair.

mod exchange;
mod lines;
mod older;
mod streamable;

use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// The three ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    Stdio,
    Http,
    Sse,
}

impl Way {
    pub const ALL: [Self; 3] = [Self::Stdio, Self::Http, Self::Sse];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdio => "stdio",
            Self::Http => "http",
            Self::Sse => "sse",
        }
    }
}

/// One connected client.
pub trait Wire {
    /// Sends one message.
    ///
    /// # Errors
    /// The other side took nothing more.
    fn send(&mut self, message: &str) -> Result<()>;

    /// Ends a request by closing its stream, where it has one of its own.
    fn hang_up(&mut self, _id: u64) -> bool {
        false
    }

    /// Everything that comes, in order of arrival.
    fn heard(&self) -> &Receiver<String>;

    /// Each HTTP exchange so far, in a line: what was asked, and with what status and type it was answered.
    fn exchanges(&self) -> Vec<String> {
        Vec::new()
    }

    /// Says farewell as this way asks for it, and waits for the end.
    fn leave(self: Box<Self>);
}

impl dyn Wire {
    /// The next message.
    ///
    /// # Errors
    /// The other side is gone.
    pub fn next(&self, within: Duration) -> Result<Option<String>> {
        match self.heard().recv_timeout(within) {
            Ok(message) => Ok(Some(message)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => anyhow::bail!("the other side is gone"),
        }
    }
}

/// Where a server is to be found.
#[derive(Debug)]
pub enum Address {
    /// Started by the client; its stderr goes into the file.
    Command(Command, PathBuf),
    Http(String),
    Sse(String),
}

impl Address {
    /// Connects; for HTTP nothing is said yet.
    ///
    /// # Errors
    /// It cannot be started or dialled.
    pub fn dial(self) -> Result<Box<dyn Wire>> {
        Ok(match self {
            Self::Command(mut command, log) => Box::new(lines::Lines::start(&mut command, &log)?),
            Self::Http(url) => Box::new(streamable::Streamable::new(&url)?),
            Self::Sse(url) => Box::new(older::Older::dial(&url)?),
        })
    }

    #[must_use]
    pub fn command(command: Command, log: &Path) -> Self {
        Self::Command(command, log.to_owned())
    }
}
