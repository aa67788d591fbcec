//! A client of the guard: starts it, says lines, reads lines; never waits without an end.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

pub const PATIENCE: Duration = Duration::from_secs(20);

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

/// A folder that is the guard's whole world.
pub struct World {
    folder: tempfile::TempDir,
}

impl World {
    pub fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::write(world.policy(), POLICY).unwrap();
        world
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn policy(&self) -> PathBuf {
        self.path().join("p.toml")
    }

    pub fn root(&self) -> PathBuf {
        self.path().join("root")
    }

    pub fn spool(&self) -> PathBuf {
        self.root().join("guard-spool/trial")
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

    /// Every record of every segment.
    pub fn records(&self) -> Vec<Value> {
        let Ok(found) = std::fs::read_dir(self.spool()) else { return Vec::new() };
        let logs = found.flatten().map(|file| std::fs::read_to_string(file.path()).unwrap());
        let lines = logs.flat_map(|log| log.lines().map(str::to_owned).collect::<Vec<_>>());
        lines.map(|line| serde_json::from_str(&line).unwrap()).collect()
    }

    pub fn records_of(&self, kind: &str) -> Vec<Value> {
        self.records().into_iter().filter(|record| record["kind"] == kind).collect()
    }
}

pub fn misbehaving() -> PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_portreeve")).parent().unwrap();
    let server = built.join("examples/misbehaving-server").with_extension(std::env::consts::EXE_EXTENSION);
    assert!(server.exists(), "`cargo build -p agent --examples` makes {}", server.display());
    server
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

pub fn text_of(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text: {answer}"))
}

pub fn message_of(answer: &Value) -> &str {
    answer["error"]["message"].as_str().unwrap_or_else(|| panic!("no error: {answer}"))
}

/// Waits for a condition, with an end.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
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

pub fn is_running(pid: u32) -> bool {
    platform::process::started(pid).is_some()
}

/// Sends a signal by name, as a terminal or a client would.
pub fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().unwrap();
    assert!(sent.success());
}
