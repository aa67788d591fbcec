//! A client of the guard: starts it, says lines, reads lines; never waits without an end.

pub use crate::world::{PATIENCE, World, eventually, is_running, signal, text_of};

use crate::world::built;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

/// What most tests are judged by.
pub const POLICY: &str = r#"
[defaults]
mode = "enforce"
contact = "security@acme.example"

[servers.misbehaving]
match = ["exec:*misbehaving-server", "exec:/no/such/server"]

[servers.web]
match = ["http://127.0.0.1:9/*"]

[roles.all]
members = ["*"]

[[grants]]
name = "everything-but-wipe"
resources = ["*"]
roles = ["all"]
servers = ["misbehaving", "web"]
tools = ["echo", "die", "stderr", "ask", "flood", "deaf", "hang", "slow", "half-line", "noise", "huge", "recorded", "family"]

[[grants]]
name = "no-secrets"
roles = ["all"]
servers = ["misbehaving", "web"]
tools = ["echo"]
effect = "deny"
when = 'context.args has path && context.args.path like "/etc/*"'
reason = "System files are not for models."
contact = "ops@acme.example"
"#;

impl World {
    pub fn new() -> Self {
        Self::with(POLICY)
    }

    pub fn pid_file(&self) -> PathBuf {
        self.path().join("server.pid")
    }

    /// Guards a server: `server` is what stands after `--policy FILE`.
    pub fn guard(&self, server: &[&str], env: &[(&str, &str)]) -> Guard {
        let policy = self.policy();
        let args = [&["wrap", "--name", "entry", "--policy", policy.to_str().unwrap()], server].concat();
        self.start(&args, env)
    }

    pub fn guard_misbehaving(&self) -> Guard {
        self.guard_misbehaving_with(&[])
    }

    pub fn guard_misbehaving_with(&self, env: &[(&str, &str)]) -> Guard {
        let (spool, pid) = (self.spool(), self.pid_file());
        let own = [("MISBEHAVE_SPOOL", spool.to_str().unwrap()), ("MISBEHAVE_PID", pid.to_str().unwrap())];
        self.guard(&["--", misbehaving().to_str().unwrap()], &[&own, env].concat())
    }

    pub fn start(&self, args: &[&str], env: &[(&str, &str)]) -> Guard {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portreeve"));
        command.arg("--root").arg(self.root()).args(args).envs(env.iter().copied());
        Guard::start(command)
    }
}

pub fn misbehaving() -> PathBuf {
    built("misbehaving-server")
}

/// The running guard. Killed when dropped.
pub struct Guard {
    process: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    complaints: Receiver<String>,
}

impl Guard {
    fn start(mut command: Command) -> Self {
        let mut process = command
            .env_remove("CLAUDE_CODE_SESSION_ID")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (process.stdin.take(), process.stdout.take().unwrap());
        let mut stderr = process.stderr.take().unwrap();
        let (say, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if say.send(line).is_err() {
                    return;
                }
            }
        });
        let (complain, complaints) = channel();
        std::thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            let _ = complain.send(text);
        });
        Self { process, stdin, lines, complaints }
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    pub fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(format!("{line}\n").as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    pub fn say_bytes(&mut self, bytes: &[u8]) {
        // A guard that ends early closes the pipe; the test then looks at what it said.
        let _ = self.stdin.as_mut().unwrap().write_all(bytes);
    }

    pub fn next(&self) -> Value {
        let line = self.lines.recv_timeout(PATIENCE).expect("the guard says a line in time");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// The answer to that id; what else is said before it is dropped.
    pub fn answer(&self, id: impl Into<Value>) -> Value {
        let id = id.into();
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let message = self.next();
            if message["id"] == id && message.get("method").is_none() {
                return message;
            }
        }
        panic!("no answer to {id}");
    }

    pub fn ask(&mut self, id: impl Into<Value>, method: &str, params: &Value) -> Value {
        let id = id.into();
        self.say(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string());
        self.answer(id)
    }

    pub fn initialize(&mut self) -> Value {
        let answer = self.ask(
            "hello",
            "initialize",
            &json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "7"}}),
        );
        self.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        answer
    }

    pub fn call(&mut self, id: u32, tool: &str, arguments: &Value) -> Value {
        self.ask(id, "tools/call", &json!({"name": tool, "arguments": arguments}))
    }

    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the guard ends", || {
            status = self.process.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// Closes the guard's input and waits for its end.
    pub fn leave(mut self) -> ExitStatus {
        self.close_stdin();
        self.wait()
    }

    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// All of stderr; the guard must be ending.
    pub fn complaints(&self) -> String {
        self.complaints.recv_timeout(PATIENCE).expect("stderr is closed in time")
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub fn message_of(answer: &Value) -> &str {
    answer["error"]["message"].as_str().unwrap_or_else(|| panic!("no error: {answer}"))
}

/// The process named in a file, once it is there.
pub fn pid_in(file: &Path) -> u32 {
    let mut pid = None;
    eventually("a process id is written", || {
        pid = std::fs::read_to_string(file).ok().and_then(|text| text.parse().ok());
        pid.is_some()
    });
    pid.unwrap()
}
