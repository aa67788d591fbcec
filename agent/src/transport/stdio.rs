//! A local server: a child process that speaks on its stdin and stdout.
//!
//! **A server that dies** after it has taken up the conversation is started again by the client's next
//! request, and hears what it has to hear before it; the client notices nothing but that the calls
//! that the dead process had not answered are answered with an error, as they may have run. Claude Code
//! would start us again by itself, but other clients give a dead server up until they are restarted, and
//! in both cases the conversation would be lost with us. So the guard lives on. It ends as its server did
//! (exit code and all, which is what a client shows) where there is nothing to go on with:
//!
//! * the server ended before it had taken up the conversation: a wrong command, a missing key;
//! * it ended soon after its start, time and again: see [`life::MOST_QUICK_DEATHS`];
//! * the new process is another server: its protocol version or its capabilities are others;
//! * the client has closed its end.
//!
//! Nothing is started ahead of a request, and nothing is sent twice.

mod begin;
mod life;
mod revive;
mod stderr;

pub use begin::HEADERS_VARIABLE;
pub use stderr::KEPT_BYTES;

use crate::transport::lines::{LineReader, LineWriter, Read};
use crate::transport::outgoing::answers;
use crate::transport::standing::Standing;
use crate::transport::{Arrival, Came, Gone};
use begin::{Beginner, Begun};
use life::{Death, Life};
use mcp::{Id, Line};
use platform::process::Kept;
use revive::Successor;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use stderr::LastWords;
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// A server whose output has ended gets this long to exit.
const EXIT_GRACE: Duration = Duration::from_secs(2);
/// What a dead server had said on stderr is waited for so long.
const STDERR_GRACE: Duration = Duration::from_millis(100);

/// Where messages for the server go.
pub struct Outlet {
    beginner: Beginner,
    /// `None` once it reads no more, or shall hear no more.
    stdin: Option<LineWriter<ChildStdin>>,
    life: Arc<Life>,
    successors: Option<mpsc::UnboundedSender<Successor>>,
}

/// Where its messages come from.
pub struct Server {
    running: Option<Running>,
    /// Said before the conversation was taken up again.
    heard: VecDeque<Line>,
    /// Answers that the client has had already.
    swallowed: Vec<Id>,
    life: Arc<Life>,
    successors: mpsc::UnboundedReceiver<Successor>,
    standing: Standing,
    last: Option<Gone>,
}

/// One process.
struct Running {
    name: String,
    process: Kept,
    lines: LineReader<ChildStdout>,
    stderr: Option<JoinHandle<()>>,
    last_words: LastWords,
}

/// Starts a server in our own folder, with our own environment.
///
/// # Errors
/// It could not be started.
pub fn start(
    command: Vec<OsString>,
    env: Vec<(String, String)>,
    standing: Standing,
) -> io::Result<(Outlet, Server)> {
    let beginner = Beginner { command, env, standing: standing.clone() };
    let Begun { stdin, running } = beginner.begin()?;
    let life = Arc::new(Life::default());
    let (successors, inbox) = mpsc::unbounded_channel();
    let server = Server {
        running: Some(running),
        heard: VecDeque::new(),
        swallowed: Vec::new(),
        life: Arc::clone(&life),
        successors: inbox,
        standing,
        last: None,
    };
    Ok((Outlet { beginner, stdin: Some(stdin), life, successors: Some(successors) }, server))
}

impl Outlet {
    /// Sends messages that are there together, by one write where that can be. Where the server is dead, a
    /// request starts it again first.
    pub async fn send(&mut self, messages: Vec<Vec<u8>>) {
        if !self.life.is_down() {
            for message in &messages {
                self.life.hear(message);
            }
            return self.write(messages).await;
        }
        // The first that asks something starts a server, which the others find.
        for message in messages {
            self.life.hear(&message);
            if self.life.is_down() {
                Box::pin(self.send_to_a_new_one(message)).await;
            } else {
                self.write([message]).await;
            }
        }
    }

    async fn write(&mut self, messages: impl IntoIterator<Item = Vec<u8>>) {
        if let Some(stdin) = &mut self.stdin
            && let Err(error) = stdin.send_all(messages).await
        {
            tracing::debug!(%error, "the server reads no more");
            self.stdin = None;
        }
    }

    /// No more messages will come, and so no other process.
    pub fn close(&mut self) {
        self.life.close();
        self.stdin = None;
        self.successors = None;
    }
}

impl Server {
    /// Safe to drop and call again.
    pub async fn next(&mut self) -> Arrival {
        loop {
            if let Some(line) = self.heard.pop_front() {
                return Arrival::Line(line, Came::Together);
            }
            let Some(running) = &mut self.running else {
                if let Some(arrival) = self.wait_for_a_new_one().await {
                    return arrival;
                }
                continue;
            };
            match running.lines.next().await {
                Read::Line(line) => {
                    if !self.life.is_known() {
                        self.life.learn(&line, &self.standing);
                    }
                    if !self.swallowed.is_empty() && self.swallow(&line) {
                        continue;
                    }
                    return Arrival::Line(line, Came::Together);
                }
                Read::HalfLine(bytes) => return Arrival::HalfLine(bytes),
                Read::End => return self.died().await,
            }
        }
    }

    /// The next line of what was read already, where nothing is to be learnt of it.
    pub fn ready(&mut self) -> Option<Line> {
        let plain = self.life.is_known() && self.heard.is_empty() && self.swallowed.is_empty();
        self.running.as_mut().filter(|_| plain)?.lines.ready()
    }

    fn swallow(&mut self, line: &Line) -> bool {
        let Line::Whole(bytes) = line else { return false };
        let before = self.swallowed.len();
        self.swallowed.retain(|id| !answers(bytes, id));
        self.swallowed.len() < before
    }

    async fn died(&mut self) -> Arrival {
        let Some(running) = &mut self.running else { return self.gone_for_good() };
        let gone = running.gone().await;
        let last_words = running.last_words.said();
        self.running = None;
        self.swallowed.clear();
        self.last = Some(gone.clone());
        match self.life.die() {
            Death::OfAll => {
                self.standing.tell(|facts| facts.process = None);
                if self.life.is_closing() {
                    return Arrival::Gone(gone);
                }
                let why = life::at_the_start(&gone.why, &last_words);
                self.standing.failing(&why);
                Arrival::Gone(Gone { why, exit: gone.exit })
            }
            Death::OfThisOne => {
                tracing::warn!("{}; the next call starts it again", gone.why);
                self.standing.ended(&gone.why, Some(gone.exit));
                Arrival::Lost(life::begun_by_the_next_call(&gone.why))
            }
            Death::TooOften(times) => {
                let why = life::too_often(&gone.why, times, &last_words);
                tracing::error!("{why}");
                self.standing.failing(&why);
                Arrival::Gone(Gone { why, exit: gone.exit })
            }
        }
    }

    /// What the other end has for us while no process runs.
    async fn wait_for_a_new_one(&mut self) -> Option<Arrival> {
        match self.successors.recv().await {
            Some(Successor::Process { running, heard, swallowed }) => {
                self.running = Some(*running);
                self.heard = heard;
                self.swallowed = swallowed;
                None
            }
            Some(Successor::Answers(lines)) => {
                self.heard.extend(lines);
                None
            }
            Some(Successor::Over(gone)) => Some(Arrival::Gone(gone)),
            None => Some(self.gone_for_good()),
        }
    }

    fn gone_for_good(&self) -> Arrival {
        let never = || Gone { why: "the server is gone".to_owned(), exit: 1 };
        Arrival::Gone(self.last.clone().unwrap_or_else(never))
    }

    /// Takes down the process and everything it started.
    pub async fn end(&mut self) {
        self.life.close();
        if let Some(running) = &mut self.running {
            running.end().await;
        }
        self.standing.end();
    }
}

impl Running {
    /// How it ended, its output being over. Safe to drop and call again.
    async fn gone(&mut self) -> Gone {
        let ended = timeout(EXIT_GRACE, self.process.wait()).await;
        let (why, exit) = match ended {
            Ok(Ok(status)) => (format!("ended ({status})"), platform::process::exit_code(status)),
            Ok(Err(error)) => (format!("was lost: {error}"), 1),
            Err(_) => {
                self.end().await;
                ("closed its output".to_owned(), 1)
            }
        };
        self.hear_out().await;
        Gone { why: format!("the server `{}` {why}", self.name), exit }
    }

    async fn hear_out(&mut self) {
        if let Some(stderr) = &mut self.stderr {
            let _ = timeout(STDERR_GRACE, &mut *stderr).await;
            self.stderr = None;
        }
    }

    async fn end(&mut self) {
        if let Err(error) = self.process.end().await {
            tracing::debug!(%error, "the server's end could not be seen");
        }
        self.hear_out().await;
    }
}
