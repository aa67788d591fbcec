//! A local server: a child process that speaks on its stdin and stdout. Its stderr is ours.

use crate::transport::lines::{LineReader, LineWriter, Read};
use crate::transport::{Arrival, Came, Gone};
use platform::process::Kept;
use std::ffi::OsString;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// A server whose output has ended gets this long to exit.
const EXIT_GRACE: Duration = Duration::from_secs(2);
/// Between being asked to stop and being killed. Claude kills us about 0.6 s after its first signal.
const TERM_GRACE: Duration = Duration::from_millis(250);
/// Remote servers' headers; never a local server's business.
pub const HEADERS_VARIABLE: &str = "PORTREEVE_HEADERS";

/// The running child and its output.
pub struct Server {
    name: String,
    process: Kept,
    lines: LineReader<ChildStdout>,
}

/// Starts a server in our own folder, with our own environment.
///
/// # Errors
/// It could not be started.
pub fn start(command: &[OsString]) -> io::Result<(LineWriter<ChildStdin>, Server)> {
    let [program, args @ ..] = command else { return Err(io::ErrorKind::InvalidInput.into()) };
    let mut line = Command::new(program);
    line.args(args).env_remove(HEADERS_VARIABLE).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = Kept::spawn(line, TERM_GRACE)?;
    let (Some(stdin), Some(stdout)) = (process.stdin.take(), process.stdout.take()) else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    let name = program.to_string_lossy().into_owned();
    Ok((LineWriter::new(stdin), Server { name, process, lines: LineReader::new(stdout) }))
}

impl Server {
    pub async fn next(&mut self) -> Arrival {
        match self.lines.next().await {
            Read::Line(line) => Arrival::Line(line, Came::Together),
            Read::HalfLine(bytes) => Arrival::HalfLine(bytes),
            Read::End => Arrival::Gone(self.gone().await),
        }
    }

    async fn gone(&mut self) -> Gone {
        match timeout(EXIT_GRACE, self.process.wait()).await {
            Ok(Ok(status)) => self.ended_with(status),
            Ok(Err(error)) => Gone { why: format!("the server `{}` was lost: {error}", self.name), exit: 1 },
            Err(_) => Gone { why: format!("the server `{}` closed its output", self.name), exit: 1 },
        }
    }

    fn ended_with(&self, status: ExitStatus) -> Gone {
        let exit = status.code().map_or(1, |code| u8::try_from(code).unwrap_or(1));
        Gone { why: format!("the server `{}` ended ({status})", self.name), exit }
    }

    /// Takes down the process and everything it started.
    pub async fn end(&mut self) {
        if let Err(error) = self.process.end().await {
            tracing::debug!(%error, "the server's end could not be seen");
        }
    }
}
