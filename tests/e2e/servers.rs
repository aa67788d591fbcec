//! Real servers behind the guard: what a client sees is what it would have seen without it.

use harness::mcp_client::Session;
use harness::stage::{self, Stage, allow_all};
use harness::tools;
use serde_json::{Value, json};
use std::process::Command;

/// Asks both the same questions, one after the other, and gives both series of answers.
fn both(mut direct: Session, mut guarded: Session, questions: &[(&str, Value)]) -> (Vec<Value>, Vec<Value>) {
    let ask = |session: &mut Session| {
        questions.iter().map(|(method, params)| session.request(method, params).unwrap()).collect()
    };
    (ask(&mut direct), ask(&mut guarded))
}

/// A server from PyPI that speaks 2026-07-28: `server/discover` first, no handshake, `_meta` with each request.
#[test]
fn a_server_of_the_2026_era_answers_the_same_through_the_guard() {
    let Some(program) = tools::need("mcp-server-time from PyPI", tools::pypi_program("mcp-server-time"))
    else {
        return;
    };
    let entry = json!({"command": program});
    let identity = format!("exec:{}*", program.display());
    let stage = Stage::governed_with(&allow_all(&identity), &json!({"time": entry})).unwrap();
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "claude-code", "version": "2.1.328"},
        "io.modelcontextprotocol/clientCapabilities": {}
    });
    let questions = [
        ("server/discover", json!({"_meta": meta})),
        ("tools/list", json!({"_meta": meta})),
        (
            "tools/call",
            json!({"name": "convert_time", "arguments": {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}, "_meta": meta}),
        ),
        ("tools/call", json!({"name": "no_such_tool", "arguments": {}, "_meta": meta})),
    ];
    let direct = Session::start(&entry, &stage.machine.home, &stage.project).unwrap();
    let guarded = Session::start(&stage.entry("time").unwrap(), &stage.machine.home, &stage.project).unwrap();
    let (mut direct, guarded) = both(direct, guarded, &questions);
    assert!(direct[0]["result"]["supportedVersions"].to_string().contains("2026-07-28"), "{}", direct[0]);
    // The one difference, on purpose: a list behind the guard can change with policy, and clients act on
    // `list_changed` only where it was announced.
    for list in ["tools", "prompts", "resources"] {
        if let Some(has) = direct[0]["result"]["capabilities"].get_mut(list) {
            has["listChanged"] = json!(true);
        }
    }
    assert_eq!(direct, guarded);
}

/// The refusal of the 2026 era has that era's code, and names the rule.
#[test]
fn a_refusal_in_the_2026_era_has_a_code_outside_the_reserved_range() {
    let Some(program) = tools::need("mcp-server-time from PyPI", tools::pypi_program("mcp-server-time"))
    else {
        return;
    };
    let policy = allow_all(&format!("exec:{}*", program.display()))
        .replace(r#"tools = ["*"]"#, r#"tools = ["convert_time"]"#);
    let stage = Stage::governed_with(&policy, &json!({"time": {"command": program}})).unwrap();
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}});
    let mut session =
        Session::start(&stage.entry("time").unwrap(), &stage.machine.home, &stage.project).unwrap();
    let tools = session.request("tools/list", &json!({"_meta": meta})).unwrap();
    let names: Vec<&str> = tools["result"]["tools"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    assert_eq!(names, ["convert_time"]);
    let refused = session
        .request(
            "tools/call",
            &json!({"name": "get_current_time", "arguments": {"timezone": "UTC"}, "_meta": meta}),
        )
        .unwrap();
    assert_eq!(refused["error"]["code"], 40300, "{refused}");
}

/// The reference servers from npm, a question of every kind.
#[test]
fn the_reference_server_answers_the_same_through_the_guard() {
    let Some(npm) = tools::need("the npm servers", tools::npm_folder()) else { return };
    let entry = json!({"command": "npx", "args": ["-y", "@modelcontextprotocol/server-everything"]});
    let policy = allow_all("npm:@modelcontextprotocol/server-everything");
    let stage = Stage::governed_with(&policy, &json!({"everything": entry})).unwrap();
    std::os::unix::fs::symlink(npm.join("node_modules"), stage.project.join("node_modules")).unwrap();
    let questions = [
        ("tools/list", json!({})),
        ("tools/call", json!({"name": "echo", "arguments": {"message": "Grüße \u{1F680}"}})),
        ("tools/call", json!({"name": "get-sum", "arguments": {"a": 1, "b": "two"}})),
        ("tools/call", json!({"name": "get-tiny-image", "arguments": {}})),
        ("tools/call", json!({"name": "get-structured-content", "arguments": {"location": "New York"}})),
        ("resources/list", json!({})),
        ("resources/templates/list", json!({})),
        ("prompts/list", json!({})),
        ("prompts/get", json!({"name": "simple-prompt"})),
        ("ping", json!({})),
        ("no/such/method", json!({})),
    ];
    let mut direct = Session::start(&entry, &stage.machine.home, &stage.project).unwrap();
    let mut guarded =
        Session::start(&stage.entry("everything").unwrap(), &stage.machine.home, &stage.project).unwrap();
    assert_eq!(direct.initialize().unwrap(), guarded.initialize().unwrap());
    let (direct, guarded) = both(direct, guarded, &questions);
    for (number, (direct, guarded)) in direct.iter().zip(&guarded).enumerate() {
        assert_eq!(direct, guarded, "{}", questions[number].0);
    }
}

/// The reference server over Streamable HTTP behind a stdio guard.
#[test]
fn the_sample_server_over_http_answers_the_same_as_over_stdio() {
    let program = tools::program("sample-server").unwrap();
    let log = tempfile::NamedTempFile::new().unwrap();
    let remote = harness::process::Running::start(
        "sample",
        Command::new(program).args(["everything", "--http"]),
        log.path(),
        true,
    )
    .unwrap();
    let url = remote.line(std::time::Duration::from_secs(10)).unwrap();
    let policy = allow_all(&url);
    let stage = Stage::governed_with(
        &policy,
        &json!({"tracker": {"type": "http", "url": url}, "local": stage::sample("everything", &[]).unwrap()}),
    )
    .unwrap();
    let mut guarded = stage.open("tracker").unwrap();
    let direct =
        Session::start(&stage::sample("everything", &[]).unwrap(), &stage.machine.home, &stage.project)
            .unwrap();
    assert_eq!(guarded.tools().unwrap(), ["echo", "get-sum", "get-env"]);
    let questions =
        [("tools/call", json!({"name": "echo", "arguments": {"message": "x"}})), ("no/such", json!({}))];
    let (mut direct, mut guarded) = both(direct, guarded, &questions);
    for answer in direct.iter_mut().chain(&mut guarded) {
        answer["id"] = Value::Null; // the two sessions have counted differently
    }
    assert_eq!(direct, guarded);
}
