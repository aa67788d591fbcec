//! What the real Claude Code does to its servers, directly and through the guard: which words it opens
//! with, what it does when one dies, and how it ends them.

use harness::claude;
use harness::machine::Machine;
use harness::model::{Ask, Model};
use harness::stage::{self, Stage};
use harness::{process, tools, wait};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

fn ask(tool: &str, input: Value) -> Ask {
    Ask { tool: tool.to_owned(), input }
}

/// An entry whose server's every heard line ends up in `log`.
fn tapped(log: &Path, server: &[&str]) -> Value {
    let arguments: Vec<_> = std::iter::once(log.to_str().unwrap()).chain(server.iter().copied()).collect();
    json!({"command": tools::program("tap").unwrap(), "args": arguments})
}

/// A policy under which this program may be started and asked anything.
fn allow_all(program: &Path) -> String {
    stage::allow_all(&format!("exec:{}*", program.display()))
}

/// A server of 2026-07-28 alone, beside the packages it uses.
fn modern_server(folder: &Path, sdk: &Path) -> String {
    let program = folder.join("modern-server.mjs");
    std::fs::copy(tools::repository().join("tests/fixtures/eras/modern-server.mjs"), &program).unwrap();
    std::os::unix::fs::symlink(sdk.join("node_modules"), folder.join("node_modules")).unwrap();
    program.display().to_string()
}

/// What a server was told: the method of each message, its id, and whether it named a version.
fn told(log: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let said = messages.map(|message| {
        let version = &message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"];
        let version = if version.is_null() { &message["params"]["protocolVersion"] } else { version };
        format!("{} {} {version}", message["method"], message["id"])
    });
    said.collect()
}

/// A machine with these servers, tapped, with or without the guard in front of them.
fn stage(governed: bool, servers: &Value) -> Stage {
    let policy = allow_all(&tools::program("tap").unwrap());
    if governed {
        return Stage::governed_with(&policy, servers).unwrap();
    }
    Stage::enrolled_with(&policy, servers).unwrap()
}

/// Plays one turn in `stage` and gives what each server was told, and the model of its tools.
fn turn(stage: &Stage, logs: &[&Path], script: Vec<Ask>) -> (Vec<Vec<String>>, Vec<String>) {
    let model = Model::start(script).unwrap();
    claude::ask(&stage.machine, &stage.project, &model, "mcp__older,mcp__newer").unwrap();
    let results = model.seen(|seen| seen.results.clone());
    (logs.iter().map(|log| told(log)).collect(), results)
}

/// `server/discover` first, on a server of each era; the older one is then spoken to in its own era. Each
/// server hears through the guard, word for word, what it hears without it.
#[test]
fn claude_code_opens_a_server_of_each_era_through_the_guard_as_directly() {
    let Some(_) = tools::need("Claude Code", tools::claude_code()) else { return };
    let Some(sdk) = tools::need("the TypeScript SDK", tools::conformance_folder()) else { return };
    let sample = tools::program("sample-server").unwrap();
    let play = |governed: bool| {
        let logs = tempfile::tempdir().unwrap();
        let (older, newer) = (logs.path().join("older"), logs.path().join("newer"));
        let program = modern_server(logs.path(), &sdk);
        let servers = json!({
            "older": tapped(&older, &[sample.to_str().unwrap(), "everything"]),
            "newer": tapped(&newer, &["node", &program]),
        });
        let stage = stage(governed, &servers);
        let script = vec![
            ask("mcp__older__echo", json!({"message": "hi"})),
            ask("mcp__newer__echo", json!({"message": "ho"})),
        ];
        turn(&stage, &[&older, &newer], script)
    };
    let (direct, guarded) = (play(false), play(true));
    let first = |server: &[String]| server.first().cloned().unwrap_or_default();
    for server in &direct.0 {
        assert!(first(server).contains("server/discover"), "{server:?}");
    }
    assert!(direct.0[0].iter().any(|said| said.contains("\"initialize\"")), "{:?}", direct.0[0]);
    assert!(!direct.0[1].iter().any(|said| said.contains("\"initialize\"")), "{:?}", direct.0[1]);
    // The two servers are opened side by side, but each in order.
    assert_eq!(sorted(&direct.0[0]), sorted(&guarded.0[0]));
    assert_eq!(sorted(&direct.0[1]), sorted(&guarded.0[1]));
    assert_eq!(direct.1, guarded.1);
}

/// Claude asks for its lists side by side, so that their order may differ; what it asks may not.
fn sorted(told: &[String]) -> Vec<String> {
    let methods = told.iter().map(|said| said.split(' ').next().unwrap_or_default().to_owned());
    let mut methods: Vec<String> = methods.collect();
    methods.sort();
    methods.dedup();
    methods
}

/// A server that ends within a call is there again for the next one, directly and through the guard.
#[test]
fn claude_code_goes_on_with_a_server_that_died_as_directly() {
    let Some(_) = tools::need("Claude Code", tools::claude_code()) else { return };
    let Some(sdk) = tools::need("the TypeScript SDK", tools::conformance_folder()) else { return };
    let play = |governed: bool| {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("newer");
        let program = modern_server(folder.path(), &sdk);
        let servers = json!({"newer": tapped(&log, &["node", &program])});
        let stage = stage(governed, &servers);
        let script = vec![
            ask("mcp__newer__echo", json!({"message": "one"})),
            ask("mcp__newer__die", json!({})),
            ask("mcp__newer__echo", json!({"message": "two"})),
        ];
        turn(&stage, &[&log], script)
    };
    let (direct, guarded) = (play(false), play(true));
    for (told, results) in [&direct, &guarded] {
        assert_eq!((results[0].as_str(), results[2].as_str()), ("one", "two"), "{results:?}\n{told:?}");
    }
    assert_eq!(sorted(&direct.0[0]), sorted(&guarded.0[0]));
}

/// Clients look what a server speaks by a process that they start and end at once (the TypeScript SDK), or
/// that they kill. It is cheap, leaves nothing behind, and the record says of it what was: that it came and went.
#[test]
fn a_probe_that_starts_and_exits_is_a_session_without_calls() {
    let folder = tempfile::tempdir().unwrap();
    let server = folder.path().join("probed-server");
    std::fs::copy(tools::program("sample-server").unwrap(), &server).unwrap();
    let machine = Machine::new(folder.path(), "you@localhost").unwrap();
    let policy = folder.path().join("policy.toml");
    std::fs::write(&policy, allow_all(&server)).unwrap();
    let args = ["wrap", "--policy", policy.to_str().unwrap(), "--", server.to_str().unwrap(), "everything"];
    for signal in [None, Some("INT"), Some("TERM"), Some("KILL")] {
        let mut probe = harness::mcp_client::Session::spawn(&mut machine.command(&args).unwrap()).unwrap();
        let discover = probe.request("server/discover", &json!({"_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}}));
        assert_eq!(discover.unwrap()["error"]["code"], -32601);
        let (guard, started) = (probe.id(), Instant::now());
        match signal {
            None => probe.leave(Duration::from_secs(3)).unwrap(),
            Some(signal) => {
                process::signal(guard, signal).unwrap();
                // Claude sends SIGKILL half a second after its first signal.
                wait::until("the guard to end by itself", Duration::from_millis(500), || !is_running(guard))
                    .unwrap();
                probe.kill();
            }
        }
        assert!(started.elapsed() < Duration::from_secs(3), "{signal:?}");
        let left = || process::mentioning(folder.path().to_str().unwrap());
        wait::until("nothing to be left of it", PATIENCE, || left().is_empty()).unwrap();
    }
    let kinds: Vec<Vec<String>> = std::fs::read_dir(machine.root.join("guard-spool/trial"))
        .unwrap()
        .map(|file| {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            text.lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap()["kind"].as_str().unwrap().to_owned())
                .collect()
        })
        .collect();
    assert_eq!(kinds.len(), 4);
    for kinds in kinds {
        assert!(kinds == ["started", "stopped"] || kinds == ["started"], "{kinds:?}");
    }
}

/// Ended, and not only waiting to be asked about.
fn is_running(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}
