//! Clients and servers of different protocol eras, from the official SDKs, with the guard between them:
//! what fails directly works through it, and what works directly is left alone.

use harness::machine::Machine;
use harness::mcp_client::Session;
use harness::process::Running;
use harness::tools;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const START: Duration = Duration::from_secs(30);

/// The programs of `tests/fixtures/eras`, beside the packages they use, and a machine without an organisation.
struct Ground {
    folder: tempfile::TempDir,
    machine: Machine,
    /// Of the TypeScript SDK.
    node: PathBuf,
    /// Of the Python SDK.
    python: PathBuf,
    everything: PathBuf,
}

impl Ground {
    /// `None` where the SDKs were not fetched.
    fn make() -> Option<Self> {
        let sdk = tools::need("the TypeScript SDK", tools::conformance_folder())?;
        let python = tools::need("the Python SDK", tools::pypi_program("python"))?;
        let npm = tools::need("the npm servers", tools::npm_folder())?;
        let folder = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(tools::repository().join("tests/fixtures/eras")).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
        std::os::unix::fs::symlink(sdk.join("node_modules"), folder.path().join("node_modules")).unwrap();
        let machine = Machine::new(folder.path(), "you@localhost").unwrap();
        let everything = npm.join("node_modules/.bin/mcp-server-everything");
        Some(Self { folder, machine, node: tools::on_path("node")?, python, everything })
    }

    fn fixture(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn modern_server(&self) -> Vec<String> {
        vec![self.node.display().to_string(), self.fixture("modern-server.mjs")]
    }

    fn everything(&self) -> Vec<String> {
        vec![self.everything.display().to_string()]
    }

    /// The guard's command line in front of a server: a command, or an address alone.
    fn guarding(&self, server: &[String]) -> Vec<String> {
        let policy = self.folder.path().join("policy.toml");
        let own = match server {
            [url] if url.starts_with("http") => vec!["--http".to_owned(), url.clone()],
            command => [&["--".to_owned()], command].concat(),
        };
        let arguments = own.iter().map(String::as_str);
        let wrap = ["wrap", "--policy", policy.to_str().unwrap()].into_iter().chain(arguments);
        let command = self.machine.command(&wrap.collect::<Vec<_>>()).unwrap();
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(|word| word.to_string_lossy().into_owned()).collect()
    }

    /// Lets everything pass to the server that is guarded next.
    fn allow(&self, server: &[String]) {
        self.allow_each(&[server]);
    }

    /// Lets everything pass to each of these.
    fn allow_each(&self, servers: &[&[String]]) {
        let identities = servers.iter().map(|server| match server {
            [url] if url.starts_with("http") => url.clone(),
            command => policy_identity(command),
        });
        let policy = harness::stage::allow_all(&identities.collect::<Vec<_>>().join("\", \""));
        std::fs::write(self.folder.path().join("policy.toml"), policy).unwrap();
    }

    /// The HTTP door in front of a server, and its address.
    fn door(&self, server: &[String]) -> (Running, Vec<String>) {
        self.allow(server);
        let policy = self.folder.path().join("policy.toml");
        let mut words = vec!["serve", "--client-auth", "none", "--policy", policy.to_str().unwrap(), "--"];
        words.extend(server.iter().map(String::as_str));
        let log = self.folder.path().join("door.log");
        let door =
            Running::start("the door", &mut self.machine.command(&words).unwrap(), &log, true).unwrap();
        let said = door.line(START).unwrap();
        let url = said.split(' ').find(|word| word.starts_with("http")).map(str::to_owned);
        (door, vec![url.unwrap_or_else(|| panic!("no address: {said}"))])
    }

    /// A session that speaks raw JSON with the guarded server.
    fn session(&self, server: &[String]) -> Session {
        self.allow(server);
        let words = self.guarding(server);
        Session::spawn(Command::new(&words[0]).args(&words[1..]).env("HOME", &self.machine.home)).unwrap()
    }

    /// A client of the SDKs, about to be started.
    fn client_of(&self, program: &str, mode: &str, server: &[String]) -> Command {
        let runner = if program == "client.py" { &self.python } else { &self.node };
        let mut command = Command::new(runner);
        command.arg(self.fixture(program)).arg(mode).args(server).env("HOME", &self.machine.home);
        command
    }

    /// What a client of the SDKs says it met, by key.
    fn client(&self, program: &str, mode: &str, server: &[String]) -> Map<String, Value> {
        met(self.client_of(program, mode, server))
    }

    fn guarded_client(&self, program: &str, mode: &str, server: &[String]) -> Map<String, Value> {
        self.allow(server);
        self.client(program, mode, &self.guarding(server))
    }

    fn records(&self, kind: &str) -> Vec<Value> {
        let folder = self.machine.root.join("guard-spool/trial");
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let lines = files.flat_map(|file| {
            let text = std::fs::read_to_string(file.path()).unwrap_or_default();
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        });
        let records = lines.map(|line| serde_json::from_str::<Value>(&line).unwrap());
        records.filter(|record| record["kind"] == kind).collect()
    }
}

/// What a client of the SDKs says it met, by key.
fn met(mut client: Command) -> Map<String, Value> {
    let done = client.stderr(Stdio::null()).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let lines = said.lines().filter_map(|line| serde_json::from_str::<Map<_, _>>(line).ok());
    let all: Map<String, Value> = lines.flatten().collect();
    assert!(!all.is_empty(), "{client:?} said nothing: {said}");
    all
}

/// As policy names a program run by its path.
fn policy_identity(command: &[String]) -> String {
    let words: Vec<String> = command.iter().map(|word| word.replace(' ', "%20")).collect();
    format!("exec:{}*", words.join(" "))
}

/// A server over HTTP that says its address on its first line.
fn served(command: &[String], log: &Path) -> (Running, Vec<String>) {
    let mut line = Command::new(&command[0]);
    line.args(&command[1..]).arg("--http");
    let running = Running::start("the server", &mut line, log, true).unwrap();
    let url = running.line(START).unwrap();
    (running, vec![url])
}

fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text: {answer}"))
}

/// What an older client does with a server that speaks 2026-07-28 alone, in raw JSON.
fn an_older_client_is_served(ground: &Ground, server: &[String]) {
    let mut session = ground.session(server);
    let welcome = session
        .request(
            "initialize",
            &json!({"protocolVersion": "2025-06-18", "capabilities": {"elicitation": {}},
                 "clientInfo": {"name": "older", "version": "1"}}),
        )
        .unwrap();
    assert_eq!(welcome["result"]["protocolVersion"], "2025-06-18", "{welcome}");
    assert_eq!(welcome["result"]["serverInfo"]["name"], "modern-only");
    assert_eq!(welcome["result"]["instructions"], "Be kind.");
    session.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).unwrap();
    assert!(session.tools().unwrap().contains(&"greet".to_owned()));
    assert_eq!(text(&session.call("echo", &json!({"message": "hi"})).unwrap()), "hi");
    let greeting = session.begin("tools/call", &json!({"name": "greet"})).unwrap();
    let question = session.notification("elicitation/create", START).unwrap();
    assert_eq!(question["params"]["message"], "Who is there?");
    let answer = json!({"action": "accept", "content": {"name": "Al"}});
    session.send(&json!({"jsonrpc": "2.0", "id": question["id"], "result": answer})).unwrap();
    assert_eq!(text(&session.answer(greeting).unwrap()), "Hello Al");
    // Somebody who does not answer.
    let greeting = session.begin("tools/call", &json!({"name": "greet"})).unwrap();
    let question = session.notification("elicitation/create", START).unwrap();
    let error = json!({"code": -32601, "message": "no"});
    session.send(&json!({"jsonrpc": "2.0", "id": question["id"], "error": error})).unwrap();
    assert_eq!(text(&session.answer(greeting).unwrap()), "Nobody is there");
    session.request("logging/setLevel", &json!({"level": "debug"})).unwrap();
    session.call("log", &json!({})).unwrap();
    session.notification("notifications/message", START).unwrap();
    assert_eq!(session.request("ping", &json!({})).unwrap()["result"], json!({}));
    session.leave(START).unwrap();
    let calls = ground.records("call");
    let asked = calls.iter().filter(|call| call["method"] == "elicitation/create").count();
    let greeted = calls.iter().filter(|call| call["tool"] == "greet").count();
    assert_eq!((asked, greeted), (2, 2), "one call is one record, however many rounds it takes");
}

#[test]
fn an_older_client_uses_a_server_that_speaks_2026_alone() {
    let Some(ground) = Ground::make() else { return };
    an_older_client_is_served(&ground, &ground.modern_server());
}

#[test]
fn an_older_client_uses_a_remote_server_that_speaks_2026_alone() {
    let Some(ground) = Ground::make() else { return };
    let (server, url) = served(&ground.modern_server(), &ground.folder.path().join("server.log"));
    an_older_client_is_served(&ground, &url);
    drop(server);
}

/// The guard starts a dead server anew with the next call, whichever eras it stands between.
#[test]
fn a_server_that_died_is_there_again_for_the_next_call_of_the_other_era() {
    let Some(ground) = Ground::make() else { return };
    let mut session = ground.session(&ground.modern_server());
    session.initialize().unwrap();
    assert_eq!(text(&session.call("echo", &json!({"message": "one"})).unwrap()), "one");
    let lost = session.call("die", &json!({})).unwrap();
    assert!(lost.get("error").is_some(), "{lost}");
    assert_eq!(text(&session.call("echo", &json!({"message": "two"})).unwrap()), "two");
}

/// The rounds of one call have nothing in common but the server's `requestState`; the record joins them by it.
#[test]
fn the_rounds_of_one_call_are_joined_in_the_record() {
    let Some(ground) = Ground::make() else { return };
    let mut session = ground.session(&ground.modern_server());
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                      "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}});
    let mut params = json!({"name": "greet", "arguments": {}, "_meta": meta});
    let asked = session.request("tools/call", &params).unwrap();
    assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
    params["requestState"] = asked["result"]["requestState"].clone();
    params["inputResponses"] = json!({"who": {"action": "accept", "content": {"name": "Al"}}});
    assert_eq!(text(&session.request("tools/call", &params).unwrap()), "Hello Al");
    session.leave(START).unwrap();
    let (calls, outcomes) = (ground.records("call"), ground.records("outcome"));
    let call = |n: usize| calls.iter().filter(|call| call["tool"] == "greet").nth(n).unwrap();
    let outcome = |call: &Value| outcomes.iter().find(|it| it["call"] == call["call"]).unwrap();
    assert!(outcome(call(0))["round"].is_string(), "{outcomes:?}");
    assert_eq!(outcome(call(0))["round"], call(1)["round"], "{calls:?}");
    assert_eq!((call(0).get("round"), outcome(call(1)).get("round")), (None, None));
    let all = format!("{calls:?}{outcomes:?}");
    assert!(
        !all.contains(asked["result"]["requestState"].as_str().unwrap()),
        "the state itself is the server's: {all}"
    );
}

/// The strictest older client there is: the SDK's own, in its default mode.
#[test]
fn the_typescript_sdk_in_its_older_mode_uses_a_server_that_speaks_2026_alone() {
    let Some(ground) = Ground::make() else { return };
    let direct = ground.client("client.mjs", "legacy", &ground.modern_server());
    assert!(direct["failed"].as_str().unwrap().contains("Unsupported protocol version"), "{direct:?}");
    let seen = ground.guarded_client("client.mjs", "legacy", &ground.modern_server());
    for (what, value) in [
        ("version", json!("2025-11-25")),
        ("tools", json!(["count", "die", "echo", "greet", "grow", "log"])),
        ("greet", json!("Hello Al")),
        ("count", json!("[1,2,3]")),
        ("changed", Value::Null),
        ("ping", Value::Null),
        ("subscribed", Value::Null),
        ("unsubscribed", Value::Null),
        ("log", json!("logged")),
        ("no-such-tool", json!("-32602")),
    ] {
        assert_eq!(seen.get(what), Some(&value), "{what}: {seen:?}");
    }
}

#[test]
fn the_python_sdk_in_its_older_mode_uses_a_server_that_speaks_2026_alone() {
    let Some(ground) = Ground::make() else { return };
    let seen = ground.guarded_client("client.py", "legacy", &ground.modern_server());
    assert_eq!(seen["version"], "2025-11-25", "{seen:?}");
    assert_eq!((&seen["echo"], &seen["greet"]), (&json!(["hi"]), &json!(["Hello Al"])), "{seen:?}");
}

/// It asks in 2026-07-28 at once; the older server's answers are none that it could read.
#[test]
fn a_client_that_speaks_2026_alone_uses_an_older_server() {
    let Some(ground) = Ground::make() else { return };
    let direct = ground.client("client.py", "2026-07-28", &ground.everything());
    assert!(!direct.contains_key("echo"), "{direct:?}");
    let seen = ground.guarded_client("client.py", "2026-07-28", &ground.everything());
    assert_eq!(seen["version"], "2026-07-28", "{seen:?}");
    assert_eq!(seen["echo"], json!(["Echo: hi"]), "{seen:?}");
    assert_eq!(seen["get-sum"], json!(["The sum of 40 and 2 is 42."]), "{seen:?}");
    assert!(seen.contains_key("elicited"), "the server asks, and the client is asked: {seen:?}");
    let asked = seen["trigger-elicitation-request"].to_string();
    assert!(asked.contains("provided the requested information"), "{seen:?}");
    assert_eq!(seen["listening"], true, "{seen:?}");
}

#[test]
fn a_client_that_speaks_2026_alone_uses_an_older_remote_server() {
    let Some(ground) = Ground::make() else { return };
    let sample = tools::program("sample-server").unwrap().display().to_string();
    let (server, url) = served(&[sample, "everything".to_owned()], &ground.folder.path().join("server.log"));
    let seen = ground.guarded_client("client.py", "2026-07-28", &url);
    assert_eq!(seen["echo"], json!(["Echo: hi"]), "{seen:?}");
    assert_eq!(seen["listening"], true, "{seen:?}");
    drop(server);
}

/// Clients of both eras dial one server of either era, which speaks stdio.
#[test]
fn clients_of_both_eras_dial_a_server_of_either_at_the_door() {
    let Some(ground) = Ground::make() else { return };
    let (door, url) = ground.door(&ground.modern_server());
    let older = ground.client("client.mjs", "legacy", &url);
    assert_eq!((&older["version"], &older["greet"]), (&json!("2025-11-25"), &json!("Hello Al")), "{older:?}");
    assert!(older.contains_key("changed") && older.contains_key("subscribed"), "{older:?}");
    let newer = ground.client("client.py", "2026-07-28", &url);
    assert_eq!(newer["greet"], json!(["Hello Al"]), "{newer:?}");
    drop(door);
    let (door, url) = ground.door(&ground.everything());
    let older = ground.client("client.mjs", "legacy", &url);
    assert_eq!(older["echo"], "Echo: hi", "{older:?}");
    let newer = ground.client("client.py", "2026-07-28", &url);
    assert_eq!((&newer["echo"], &newer["listening"]), (&json!(["Echo: hi"]), &json!(true)), "{newer:?}");
    assert!(newer["get-roots-list"].to_string().contains("file:///project"), "{newer:?}");
    drop(door);
}

/// It asks `server/discover` first and takes nothing but 2026-07-28. The guard does not come between its
/// question and the server's answer, so it says itself what is wrong, as it does directly.
#[test]
fn a_client_that_asks_first_and_takes_nothing_else_is_told_the_same_as_directly() {
    let Some(ground) = Ground::make() else { return };
    let direct = ground.client("client.mjs", "2026-07-28", &ground.everything());
    assert!(direct["failed"].as_str().unwrap().contains("2026-07-28"), "{direct:?}");
    assert_eq!(ground.guarded_client("client.mjs", "2026-07-28", &ground.everything()), direct);
}

/// Where both ends agree, each of both SDKs sees through the guard what it sees directly.
#[test]
fn ends_that_agree_are_left_alone() {
    let Some(ground) = Ground::make() else { return };
    let time = vec![tools::pypi_program("mcp-server-time").unwrap().display().to_string()];
    let (modern, everything) = (ground.modern_server(), ground.everything());
    ground.allow_each(&[&modern, &everything, &time]);
    let pairs = [
        (&modern, "client.mjs", "2026-07-28"),
        (&everything, "client.mjs", "auto"),
        (&time, "client.py", "2026-07-28"),
        (&time, "client.py", "legacy"),
    ];
    // The SDKs take seconds to start and to leave, and wait for most of them: all do so at once.
    let met_by = |server: &[String], program, mode| {
        let client = ground.client_of(program, mode, server);
        std::thread::spawn(move || met(client))
    };
    let clients = pairs.map(|(server, program, mode)| {
        (met_by(server, program, mode), met_by(&ground.guarding(server), program, mode))
    });
    for ((server, program, mode), (direct, guarded)) in pairs.into_iter().zip(clients) {
        let [direct, guarded] = [direct, guarded].map(|client| {
            let mut seen = client.join().unwrap();
            // The time of day is not the same for both; and where a server knows no subscriptions, the
            // guard does, since policy may change what is listed.
            // When a server logs is its own affair.
            for what in ["get_current_time", "listening", "log"] {
                seen.remove(what);
            }
            seen
        });
        assert_eq!(direct, guarded, "{program} {mode} {server:?}");
        assert!(!direct.contains_key("failed"), "{direct:?}");
    }
}
