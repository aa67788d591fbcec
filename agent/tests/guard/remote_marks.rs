//! The duties of a client of HTTP that its own client, on stdio, knows nothing of: marked arguments, and what is
//! an answer to one request.

use crate::client::{Guard, POLICY, World, message_of};
use crate::web::{Asked, Said, Web};
use serde_json::{Value, json};

fn result(asked: &Asked, result: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": asked.json()["id"], "result": result}).to_string()
}

fn dial(world: &World, web: &Web) -> Guard {
    let host = web.url.trim_start_matches("http://").trim_end_matches("/mcp");
    std::fs::write(world.policy(), POLICY.replace("127.0.0.1:9", host)).unwrap();
    world.guard(&["--http", &web.url], &[])
}

fn modern() -> Value {
    json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}})
}

fn tools() -> Value {
    let tool = |name: &str, property: Value| json!({"name": name, "inputSchema": {"type": "object", "properties": {"a": property}}});
    json!({"resultType": "complete", "ttlMs": 0, "cacheScope": "public", "tools": [
        tool("echo", json!({"type": "string", "x-mcp-header": "A"})),
        tool("slow", json!({"type": "number", "x-mcp-header": "A"})),
        tool("huge", json!({"type": "array", "items": {"type": "string", "x-mcp-header": "A"}})),
        tool("noise", json!({"type": "string", "x-mcp-header": "A B"})),
    ]})
}

/// Shown, they would be called without the header that their server counts on, or with one that cuts a request
/// in two.
#[test]
fn a_tool_with_a_bad_header_mark_is_hidden_from_a_client_on_stdio() {
    for by_events in [false, true] {
        let web = Web::serve(move |asked, _| {
            let body = match asked.json()["method"].as_str() {
                Some("tools/list") => result(asked, &tools()),
                _ => result(asked, &json!({"resultType": "complete", "content": []})),
            };
            if by_events { Said::events(&format!("data: {body}\n\n")) } else { Said::json(&body) }
        });
        let world = World::new();
        let mut guard = dial(&world, &web);
        let listed = guard.ask(1, "tools/list", &json!({"_meta": modern()}));
        let names: Vec<_> =
            listed["result"]["tools"].as_array().unwrap().iter().map(|tool| &tool["name"]).collect();
        assert_eq!(names, ["echo"], "{listed}");
        let call = json!({"name": "echo", "arguments": {"a": "größe"}, "_meta": modern()});
        assert!(guard.ask(2, "tools/call", &call).get("result").is_some());
        assert_eq!(web.posted("tools/call")[0].header("mcp-param-a"), "=?base64?Z3LDtsOfZQ==?=");
        // Whoever calls it all the same sends no header that nobody may send.
        guard.ask(3, "tools/call", &json!({"name": "slow", "arguments": {"a": 1.5}, "_meta": modern()}));
        assert_eq!(web.posted("tools/call")[1].header("mcp-param-a"), "");
    }
}

#[test]
fn in_the_eras_without_header_marks_no_tool_is_hidden() {
    let web = Web::serve(|asked, _| match asked.json()["method"].as_str() {
        Some("initialize") => Said::json(&result(
            asked,
            &json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "w", "version": "1"}}),
        )),
        Some("tools/list") => Said::json(&result(asked, &tools())),
        _ => Said::new("202 Accepted", &[("Content-Length", "0")], ""),
    });
    let world = World::new();
    let mut guard = dial(&world, &web);
    guard.initialize();
    let listed = guard.ask(1, "tools/list", &json!({}));
    assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 4, "{listed}");
}

/// A server of that revision, which puts its answer into an array.
fn batching(version: &'static str, by_events: bool) -> Web {
    Web::serve(move |asked, _| match (asked.method.as_str(), asked.json()["method"].as_str()) {
        ("POST", Some("initialize")) => Said::json(&result(
            asked,
            &json!({"protocolVersion": version, "capabilities": {}, "serverInfo": {"name": "w", "version": "1"}}),
        )),
        ("POST", Some("tools/call")) => {
            let answer = result(asked, &json!({"content": [{"type": "text", "text": "in a batch"}]}));
            let batch = format!(r#"[{{"jsonrpc":"2.0","method":"notifications/x"}},{answer}]"#);
            if by_events { Said::events(&format!("data: {batch}\n\n")) } else { Said::json(&batch) }
        }
        ("POST", _) => Said::new("202 Accepted", &[("Content-Length", "0")], ""),
        _ => Said::new("405 Method Not Allowed", &[("Content-Length", "0")], ""),
    })
}

#[test]
fn a_server_answers_one_call_with_a_batch_and_leaves_it_open() {
    for by_events in [false, true] {
        let (world, web) = (World::new(), batching("2025-06-18", by_events));
        let mut guard = dial(&world, &web);
        guard.initialize();
        let answer = guard.call(1, "echo", &json!({}));
        let said = message_of(&answer);
        assert!(said.contains("it came in an array, and no batches were agreed"), "{said}");
        assert!(guard.leave().success());
        let outcomes = world.records_of("outcome");
        assert_eq!((outcomes.len(), &outcomes[0]["fate"]), (1, &json!("error")), "{outcomes:?}");
        let noise = world.records_of("malformed");
        assert_eq!(
            (noise.len(), &noise[0]["code"]),
            (1, &json!("batch")),
            "and nothing is said twice: {noise:?}"
        );
    }
}

#[test]
fn where_batches_were_agreed_one_is_an_answer() {
    for by_events in [false, true] {
        let (world, web) = (World::new(), batching("2025-03-26", by_events));
        let mut guard = dial(&world, &web);
        let params = json!({"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "test", "version": "7"}});
        guard.ask("hello", "initialize", &params);
        guard.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        guard.say(
            &json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo"}})
                .to_string(),
        );
        let batch = guard.next();
        assert_eq!(batch[1]["result"]["content"][0]["text"], "in a batch", "{batch}");
        assert!(guard.leave().success());
        assert!(
            world.records_of("malformed").is_empty(),
            "nobody said anything twice: {:?}",
            world.records()
        );
    }
}
