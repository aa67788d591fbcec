//! A door with a server behind it, and clients of it.

use crate::web_client::{Answer, read_answer, send_raw};
use crate::world::{World, built, eventually, signal};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

const POLICY: &str = r#"
[defaults]
mode = "enforce"

[servers.talking]
match = ["exec:*talking-server", "UPSTREAM"]

[roles.all]
members = ["*"]

[[grants]]
name = "everything"
roles = ["all"]
servers = ["talking"]
tools = ["*"]
resources = ["*"]
prompts = ["*"]
client-features = ["*"]

[[grants]]
name = "no-wiping"
roles = ["all"]
servers = ["talking"]
tools = ["wipe"]
effect = "deny"
"#;

impl World {
    pub fn new() -> Self {
        Self::with(&policy("http://127.0.0.1:9/mcp"))
    }

    /// The policy speaks of the server at this address too.
    pub fn govern(&self, upstream: &str) {
        std::fs::write(self.policy(), policy(upstream)).unwrap();
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portreeve"));
        command.arg("--json").arg("--root").arg(self.root());
        command.env("TALKING_PIDS", self.path().join("pids"));
        command
    }

    /// A door in front of the talking server.
    pub fn door(&self, options: &[&str]) -> Door {
        self.door_to(options, &["--", talking().to_str().unwrap()], &[])
    }

    /// A door in front of what these arguments name.
    pub fn door_to(&self, options: &[&str], server: &[&str], env: &[(&str, &str)]) -> Door {
        let mut command = self.command();
        command.args(["serve", "--name", "entry", "--policy"]).arg(self.policy());
        command.args(options).args(server).envs(env.iter().copied());
        Door::start(command)
    }

    /// Every process of the talking server that was ever started.
    pub fn pids(&self) -> Vec<u32> {
        let text = std::fs::read_to_string(self.path().join("pids")).unwrap_or_default();
        text.lines().map(|line| line.parse().unwrap()).collect()
    }
}

fn policy(upstream: &str) -> String {
    POLICY.replace("UPSTREAM", upstream)
}

pub fn talking() -> PathBuf {
    built("talking-server")
}

/// The running door. Killed when dropped.
pub struct Door {
    process: Option<Child>,
    /// Where its server's paths begin.
    prefix: String,
    pub hello: Value,
    pub address: String,
    pub credential: Option<String>,
}

impl Door {
    pub fn start(mut command: Command) -> Self {
        let mut process = command
            .env_remove("CLAUDE_CODE_SESSION_ID")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let hello: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        let url = hello["listening"].as_str().unwrap_or_else(|| panic!("not listening: {hello}"));
        let address = url.trim_start_matches("http://").trim_end_matches("/mcp").to_owned();
        let credential = hello["credential"].as_str().map(str::to_owned);
        Self { process: Some(process), prefix: String::new(), hello, address, credential }
    }

    /// One that somebody else runs.
    pub fn dialled(address: &str, prefix: &str, credential: Option<String>) -> Self {
        let (address, prefix) = (address.to_owned(), prefix.trim_end_matches('/').to_owned());
        Self { process: None, prefix, hello: Value::Null, address, credential }
    }

    pub fn id(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    /// A request with the credential; `headers` may replace what is usual.
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        read_answer(send_raw(&self.address, self.text(method, path, headers, body).as_bytes()))
    }

    pub fn text(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
        let bearer = self.credential.as_ref().map(|credential| format!("Bearer {credential}"));
        let length = body.len().to_string();
        let usual = [
            ("Host", Some(self.address.as_str())),
            ("Authorization", bearer.as_deref()),
            ("Accept", Some("application/json, text/event-stream")),
            ("Content-Type", (method == "POST").then_some("application/json")),
            ("Content-Length", (method == "POST").then_some(length.as_str())),
        ];
        let replaced = |name: &str| headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
        let usual = usual.into_iter().filter(|(name, _)| !replaced(name));
        let usual = usual.filter_map(|(name, value)| Some((name, value?)));
        let given = headers.iter().copied().filter(|(_, value)| !value.is_empty());
        let mut lines: Vec<_> =
            usual.chain(given).map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        lines.push("\r\n".to_owned());
        let lines = lines.concat();
        let prefix = &self.prefix;
        format!("{method} {prefix}{path} HTTP/1.1\r\n{lines}{body}")
    }

    /// A new session of Streamable HTTP.
    pub fn session(&self) -> Session<'_> {
        self.session_of("2025-11-25")
    }

    pub fn session_of(&self, version: &str) -> Session<'_> {
        let answer = self.request("POST", "/mcp", &[], &initialize(version));
        assert_eq!(answer.status, 200);
        let id = answer.header("mcp-session-id").expect("a session id").to_owned();
        assert_eq!(answer.json()["result"]["protocolVersion"], version);
        let session = Session { door: self, id, version: version.to_owned(), next: AtomicU64::new(1) };
        let initialized = session.post(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        assert_eq!((initialized.status, initialized.body().as_str()), (202, ""));
        session
    }

    /// A request of 2026-07-28, with the headers that repeat it.
    pub fn ask(&self, id: impl Into<Value>, method: &str, params: Value) -> Answer {
        self.ask_as("test", id, method, params)
    }

    pub fn ask_as(&self, client: &str, id: impl Into<Value>, method: &str, params: Value) -> Answer {
        let body = modern(client, id, method, params);
        let headers = repeated(&body);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.request("POST", "/mcp", &headers, &body.to_string())
    }

    /// Asks it to end, and waits.
    pub fn leave(&mut self) -> ExitStatus {
        signal(self.id(), "TERM");
        let mut status = None;
        eventually("the door ends", || {
            status = self.process.as_mut().unwrap().try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

pub fn initialize(version: &str) -> String {
    let params = json!({"protocolVersion": version, "capabilities": {"elicitation": {}, "sampling": {}, "roots": {}}, "clientInfo": {"name": "test", "version": "7"}});
    json!({"jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": params}).to_string()
}

pub fn modern(client: &str, id: impl Into<Value>, method: &str, mut params: Value) -> Value {
    let meta = &mut params["_meta"];
    meta["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
    meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
    meta["io.modelcontextprotocol/clientInfo"] = json!({"name": client, "version": "1"});
    json!({"jsonrpc": "2.0", "id": id.into(), "method": method, "params": params})
}

/// The headers that repeat a body of 2026-07-28.
pub fn repeated(body: &Value) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("MCP-Protocol-Version", "2026-07-28".to_owned()),
        ("Mcp-Method", body["method"].as_str().unwrap().to_owned()),
    ];
    if let Some(name) = body["params"]["name"].as_str() {
        headers.push(("Mcp-Name", name.to_owned()));
    }
    headers
}

/// One client's session of Streamable HTTP.
pub struct Session<'a> {
    pub door: &'a Door,
    pub id: String,
    pub version: String,
    next: AtomicU64,
}

impl Session<'_> {
    pub fn headers(&self) -> [(&str, &str); 2] {
        [("Mcp-Session-Id", &self.id), ("MCP-Protocol-Version", &self.version)]
    }

    pub fn post(&self, message: &Value) -> Answer {
        self.post_text(&message.to_string())
    }

    pub fn post_text(&self, body: &str) -> Answer {
        self.door.request("POST", "/mcp", &self.headers(), body)
    }

    pub fn get(&self, last_event: Option<&str>) -> Answer {
        let last = last_event.map(|id| ("Last-Event-ID", id));
        let headers: Vec<_> = self.headers().into_iter().chain(last).collect();
        self.door.request("GET", "/mcp", &headers, "")
    }

    pub fn call(&self, tool: &str, arguments: &Value) -> Answer {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.post(&call(id, tool, arguments))
    }
}

pub fn call(id: impl Into<Value>, tool: &str, arguments: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id.into(), "method": "tools/call", "params": {"name": tool, "arguments": arguments, "_meta": {"progressToken": 1}}})
}
