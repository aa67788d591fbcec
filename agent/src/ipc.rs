//! The local wire between the resident and everybody else on the machine (guards, the command
//! line): JSON lines over a Unix socket or named pipe whose peer credentials name the user.
//!
//! A guard decides nothing by what it hears here: policy comes verified from disk, and a silent
//! resident only means that records wait in the guard's own segment.
//!
//! The enums are tagged from outside (`{"records":{…}}`): an inside tag would make serde buffer the
//! message, and the recorded arguments would not come through byte for byte.

pub mod client;
pub mod server;

use crate::hooks::Verdict;
use contract::record::Record;
use contract::report::PolicyRefused;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::io;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use uuid::Uuid;

/// The longest message taken; a guard sends its records in much smaller pieces.
const LONGEST: usize = 32 * 1024 * 1024;

/// Said by a guard or the command line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToResident {
    /// A guard's first line.
    Hello {
        run: Uuid,
        pid: u32,
        /// The entry's name in the client's configuration; empty where unknown.
        entry: String,
        identity: String,
    },
    /// Records of the guard's run, in order. `member` and `device` are stamped by the resident.
    Records { records: Vec<Record> },
    /// Tell me everything (the `status` command).
    Status,
    /// The last refusals, newest first (the `explain` command).
    Refusals { limit: u32 },
    /// A command changed the configurations or the enrolment: look again now.
    LookAgain,
    /// Verify this signed bundle and put it in force (the `policy adopt` command). In base64: it is
    /// what a file held, whatever that was.
    Adopt { bundle: String },
    /// What is held back of a server is what is pinned from now on; all of it without a name.
    ApprovePins { identity: String, name: Option<String> },
    /// Forget what is pinned of a server: what is seen next is first sight again.
    ForgetPins { identity: String, name: Option<String> },
    /// What came of this event of Claude Code's (the `hook` command).
    Hook { event: Box<RawValue> },
    /// Step aside: a command takes this machine out of the organisation, and does the rest itself.
    Leaving,
}

/// Said by the resident.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FromResident {
    Welcome {
        policy_version: u64,
    },
    /// Records of this run up to here are committed; the guard may forget them.
    Taken {
        run: Uuid,
        through: u64,
    },
    /// A policy version was adopted: read it again.
    PolicyChanged {
        version: u64,
    },
    Status {
        status: serde_json::Value,
    },
    Refusals {
        records: Vec<Record>,
    },
    /// So many pins were approved or forgotten.
    PinsChanged {
        count: usize,
    },
    /// The bundle that was handed over is in force.
    Adopted {
        version: u64,
    },
    /// It is not, and what was in force still is.
    PolicyRefused {
        refused: PolicyRefused,
    },
    Verdict(Verdict),
    Done,
    /// What was asked could not be done; a sentence.
    Failed {
        message: String,
    },
}

/// Messages as lines, and never more of one in memory than [`LONGEST`].
pub struct Lines<R> {
    from: BufReader<R>,
    begun: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub fn new(from: R) -> Self {
        Self { from: BufReader::new(from), begun: Vec::new() }
    }

    /// The next whole line, without its end; `None` at the end. Safe to drop and call again.
    ///
    /// # Errors
    /// The line is too long, or the other side broke off.
    pub async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let heard = self.from.fill_buf().await?;
            if heard.is_empty() {
                return Ok(None);
            }
            let end = heard.iter().position(|byte| *byte == b'\n');
            let take = end.unwrap_or(heard.len());
            if self.begun.len() + take > LONGEST {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a message without an end"));
            }
            self.begun.extend_from_slice(&heard[..take]);
            self.from.consume(take + usize::from(end.is_some()));
            if end.is_some() {
                return Ok(Some(std::mem::take(&mut self.begun)));
            }
        }
    }
}

/// # Errors
/// The other side is gone.
pub async fn write_message(to: &mut (impl AsyncWrite + Unpin), message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    to.write_all(&line).await?;
    to.flush().await
}
