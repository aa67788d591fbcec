//! What a remote server may try against the guard itself.

use crate::client::{Guard, POLICY, World, eventually, message_of};
use crate::web::{Asked, Said, Web};
use serde_json::{Value, json};
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// As many requests as the guard leaves open at a remote server.
const ALL: u32 = 256;

fn result(asked: &Asked, result: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": asked.json()["id"], "result": result}).to_string()
}

fn server(call: impl Fn(&Asked, &mut TcpStream) -> Said + Send + Sync + 'static) -> Web {
    Web::serve(move |asked, stream| match (asked.method.as_str(), asked.json()["method"].as_str()) {
        ("POST", Some("initialize")) => Said::json(&result(
            asked,
            &json!({"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "w", "version": "1"}}),
        )),
        ("POST", Some("ping")) => Said::json(&result(asked, &json!({}))),
        ("POST", Some("tools/call")) => call(asked, stream),
        ("POST", _) => Said::new("202 Accepted", &[("Content-Length", "0")], ""),
        _ => Said::new("405 Method Not Allowed", &[("Content-Length", "0")], ""),
    })
}

/// Begins a stream of events, and says nothing on it.
fn silent() -> Web {
    server(|_, stream| {
        let Said(head) = Said::events(": begun\n\n");
        let _ = stream.write_all(&head);
        std::thread::sleep(Duration::from_secs(600));
        Said(Vec::new())
    })
}

fn dial(world: &World, web: &Web) -> Guard {
    dial_with(world, web, "{}")
}

fn dial_with(world: &World, web: &Web, headers: &str) -> Guard {
    let host = web.url.trim_start_matches("http://").trim_end_matches("/mcp");
    std::fs::write(world.policy(), POLICY.replace("127.0.0.1:9", host)).unwrap();
    world.guard(&["--http", &web.url], &[("PORTREEVE_HEADERS", headers)])
}

fn call(id: u32, meta: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "echo", "_meta": meta}})
        .to_string()
}

#[test]
fn a_server_leaves_every_cancelled_call_open() {
    let modern = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}});
    for (meta, told) in [(json!({}), ALL as usize), (modern, 0)] {
        let (world, web) = (World::new(), silent());
        let mut guard = dial(&world, &web);
        if told > 0 {
            guard.initialize();
        }
        for id in 1..=ALL {
            guard.say(&call(id, &meta));
            guard.say(&format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
            ));
        }
        assert!(guard.ask("alive", "ping", &json!({ "_meta": meta })).get("result").is_some());
        assert!(message_of(&guard.call(1000, "wipe", &json!({}))).contains("wipe"));
        eventually("each cancellation was told, where that is how it is done", || {
            web.posted("notifications/cancelled").len() == told
        });
        let began = Instant::now();
        assert!(guard.leave().success());
        assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    }
}

#[test]
fn a_server_leaves_every_call_open() {
    let (world, web) = (World::new(), silent());
    let mut guard = dial(&world, &web);
    guard.initialize();
    for id in 1..=ALL {
        guard.say(&call(id, &json!({})));
    }
    let one_more = guard.call(ALL + 1, "echo", &json!({}));
    assert!(message_of(&one_more).contains("has left 256 requests unanswered"), "{one_more}");
    assert!(message_of(&guard.call(1000, "wipe", &json!({}))).contains("wipe"));
    guard.say(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#);
    assert!(guard.ask("alive", "ping", &json!({})).get("result").is_some(), "there is room again");
    assert!(guard.leave().success(), "it ends although nothing was answered");
}

#[test]
fn a_body_that_is_no_answer_leaves_its_call_open() {
    let other = r#"{"jsonrpc":"2.0","id":77,"result":{}}"#;
    for (body, expected) in [
        (String::new(), "an empty body"),
        (" \r\n".to_owned(), "an empty body"),
        (format!("[{other}]"), "a batch"),
        (other.to_owned(), "no answer to this request"),
        (r#"{"jsonrpc":"2.0","method":"notifications/x"}"#.to_owned(), "no answer to this request"),
        ("no json".to_owned(), "no answer to this request"),
        (r#"{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"tired"}}"#.to_owned(), "tired"),
    ] {
        let (world, said) = (World::new(), body.clone());
        let web = server(move |_, _| Said::json(&said));
        let mut guard = dial(&world, &web);
        guard.initialize();
        let answer = guard.call(1, "echo", &json!({}));
        assert!(message_of(&answer).contains(expected), "{body}: {answer}");
        assert!(guard.leave().success());
    }
}

#[test]
fn an_entry_header_names_another_host() {
    let (world, web) = (World::new(), server(|_, _| Said::json("{}")));
    let mut guard = dial_with(&world, &web, r#"{"Host":"other-tenant.example"}"#);
    let answer = guard.ask(1, "initialize", &json!({}));
    assert!(message_of(&answer).contains("header `Host` is not the entry's to set"), "{answer}");
    assert!(web.asked().is_empty());
}
