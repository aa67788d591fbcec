//! How a local server's process is started.

use super::Running;
use super::stderr::{self, LastWords};
use crate::transport::lines::{LineReader, LineWriter};
use crate::transport::standing::Standing;
use crate::upstream::now_ms;
use platform::process::Kept;
use std::ffi::OsString;
use std::io;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{ChildStdin, Command};

/// Between being asked to stop and being killed. Claude kills us about 0.6 s after its first signal.
const TERM_GRACE: Duration = Duration::from_millis(250);
/// Remote servers' headers; never a local server's business.
pub const HEADERS_VARIABLE: &str = "PORTREEVE_HEADERS";

pub(super) struct Beginner {
    pub command: Vec<OsString>,
    /// Beyond our own.
    pub env: Vec<(String, String)>,
    pub standing: Standing,
}

pub(super) struct Begun {
    pub stdin: LineWriter<ChildStdin>,
    pub running: Running,
}

impl Beginner {
    pub fn begin(&self) -> io::Result<Begun> {
        let [program, args @ ..] = self.command.as_slice() else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let keeps_stderr = !stderr::is_terminal();
        let mut line = Command::new(program);
        line.args(args)
            .envs(self.env.iter().cloned())
            .env_remove(HEADERS_VARIABLE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        line.stderr(if keeps_stderr { Stdio::piped() } else { Stdio::inherit() });
        let mut process = Kept::spawn(line, TERM_GRACE)?;
        let (Some(stdin), Some(stdout)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let last_words = LastWords::default();
        let said = process.stderr.take();
        let stderr = said.map(|said| stderr::pass_on(said, self.standing.stderr(), last_words.clone()));
        let id = process.id();
        self.standing.tell(|facts| {
            facts.process = id;
            facts.process_since_ms = Some(now_ms());
        });
        let name = program.to_string_lossy().into_owned();
        let running = Running { name, process, lines: LineReader::new(stdout), stderr, last_words };
        Ok(Begun { stdin: LineWriter::new(stdin), running })
    }

    pub fn name(&self) -> String {
        self.command.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default()
    }
}
