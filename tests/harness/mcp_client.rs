//! An MCP client as simple as can be: raw JSON lines to a process started from a configuration entry.

use crate::process::line_channel;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::Write;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// One live session with one server, started exactly as a client would from its entry.
#[derive(Debug)]
pub struct Session {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    /// What came while something else was waited for.
    set_aside: VecDeque<Value>,
    next_id: u64,
}

impl Session {
    /// Starts an entry of `mcpServers` (`command`, `args`, `env`).
    ///
    /// # Errors
    /// The entry is not a stdio entry, or cannot be started.
    pub fn start(entry: &Value, home: &Path, cwd: &Path) -> Result<Self> {
        let program = entry["command"].as_str().context("not a stdio entry: it has no command")?;
        let mut command = Command::new(program);
        command.args(entry["args"].as_array().into_iter().flatten().filter_map(Value::as_str));
        for (name, value) in entry["env"].as_object().into_iter().flatten() {
            command.env(name, value.as_str().unwrap_or_default());
        }
        command.env("HOME", home).env_remove("XDG_RUNTIME_DIR").current_dir(cwd);
        Self::spawn(&mut command)
    }

    /// Starts any command that speaks MCP on its stdio.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn spawn(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let lines = line_channel(child.stdout.take().context("stdout is piped")?);
        let stdin = child.stdin.take();
        Ok(Self { child, stdin, lines, set_aside: VecDeque::new(), next_id: 1 })
    }

    /// The handshake of 2025-11-25.
    ///
    /// # Errors
    /// The server did not answer it with a result.
    pub fn initialize(&mut self) -> Result<Value> {
        let answer = self.shake_hands()?;
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))?;
        answer.get("result").cloned().with_context(|| format!("initialize was answered by {answer}"))
    }

    /// The handshake, where it has to be refused: the sentence that says why.
    ///
    /// # Errors
    /// It was not refused.
    pub fn refused(&mut self) -> Result<String> {
        let answer = self.shake_hands()?;
        let message = answer["error"]["message"].as_str();
        message.map(str::to_owned).with_context(|| format!("initialize was answered by {answer}"))
    }

    fn shake_hands(&mut self) -> Result<Value> {
        self.request(
            "initialize",
            &json!({"protocolVersion": "2025-11-25", "capabilities": {},
                    "clientInfo": {"name": "claude-code", "version": "2.1.328"}}),
        )
    }

    /// All tool names, over every page.
    ///
    /// # Errors
    /// An error answer, or none.
    pub fn tools(&mut self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        let mut params = json!({});
        loop {
            let answer = self.request("tools/list", &params)?;
            let result =
                answer.get("result").with_context(|| format!("tools/list was answered by {answer}"))?;
            let tools = result["tools"].as_array().context("the result has no tools")?;
            names.extend(tools.iter().filter_map(|tool| tool["name"].as_str()).map(str::to_owned));
            match result["nextCursor"].as_str() {
                Some(cursor) => params = json!({"cursor": cursor}),
                None => return Ok(names),
            }
        }
    }

    /// Calls a tool; the whole answer, result or error.
    ///
    /// # Errors
    /// None came.
    pub fn call(&mut self, tool: &str, arguments: &Value) -> Result<Value> {
        self.request("tools/call", &json!({"name": tool, "arguments": arguments}))
    }

    /// Sends a request and waits for its answer; everything else that comes is set aside.
    ///
    /// # Errors
    /// The server ended, or was silent for a minute.
    pub fn request(&mut self, method: &str, params: &Value) -> Result<Value> {
        let id = self.begin(method, params)?;
        self.answer(id)
    }

    /// Sends a request without waiting; its id.
    ///
    /// # Errors
    /// The server's stdin is closed.
    pub fn begin(&mut self, method: &str, params: &Value) -> Result<u64> {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))?;
        Ok(id)
    }

    /// Waits for the answer to `id`.
    ///
    /// # Errors
    /// As [`Session::request`].
    pub fn answer(&mut self, id: u64) -> Result<Value> {
        self.take(PATIENCE, |message| message["id"] == id && message.get("method").is_none())
            .with_context(|| format!("waiting for the answer to request {id}"))
    }

    /// Waits for a notification of this method.
    ///
    /// # Errors
    /// None came in time.
    pub fn notification(&mut self, method: &str, within: Duration) -> Result<Value> {
        self.take(within, |message| message["method"] == method)
            .with_context(|| format!("waiting for {method}"))
    }

    fn take(&mut self, within: Duration, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        if let Some(at) = self.set_aside.iter().position(&wanted) {
            return Ok(self.set_aside.remove(at).unwrap_or_default());
        }
        let deadline = Instant::now() + within;
        loop {
            let line = match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => bail!("nothing came within {:.1} s", within.as_secs_f64()),
                Err(RecvTimeoutError::Disconnected) => bail!("the server's stdout ended"),
            };
            let message: Value = serde_json::from_str(&line).with_context(|| format!("not JSON: {line}"))?;
            if wanted(&message) {
                return Ok(message);
            }
            self.set_aside.push_back(message);
        }
    }

    /// Sends one message.
    ///
    /// # Errors
    /// The server's stdin is closed.
    pub fn send(&mut self, message: &Value) -> Result<()> {
        self.send_raw(message.to_string().as_bytes())
    }

    /// Sends bytes as one line, whatever they are.
    ///
    /// # Errors
    /// The server's stdin is closed.
    pub fn send_raw(&mut self, line: &[u8]) -> Result<()> {
        let stdin = self.stdin.as_mut().context("stdin is closed")?;
        stdin.write_all(line)?;
        stdin.write_all(b"\n")?;
        Ok(stdin.flush()?)
    }

    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, as a client that lost patience, or a crash.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Closes stdin, as a client that leaves, and waits for the end.
    ///
    /// # Errors
    /// The process was still there after `within`.
    pub fn leave(mut self, within: Duration) -> Result<()> {
        self.stdin = None;
        let child = &mut self.child;
        crate::wait::until("the server to end once its stdin closed", within, || {
            matches!(child.try_wait(), Ok(Some(_)))
        })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.stdin = None;
        let child = &mut self.child;
        let _ = crate::wait::until("the session to end", Duration::from_secs(3), || {
            matches!(child.try_wait(), Ok(Some(_)))
        });
        self.kill();
    }
}
