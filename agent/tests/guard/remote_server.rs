//! In front of a server that is dialled over HTTP.

use crate::client::{Guard, POLICY, World, eventually, message_of, text_of};
use crate::web::{Asked, Said, Web};
use serde_json::{Value, json};
use std::io::Write;
use std::net::TcpStream;

const SECRET: &str = "Bearer s3cr3t-t0ken";

fn result(asked: &Asked, result: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": asked.json()["id"], "result": result}).to_string()
}

fn initialized(asked: &Asked) -> Said {
    let body = result(
        asked,
        &json!({"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "w", "version": "1"}}),
    );
    Said::new("200 OK", &[("Content-Type", "application/json"), ("Mcp-Session-Id", "s-1")], &body)
}

/// The ordinary parts of a conversation; `call` answers calls.
fn server(call: impl Fn(&Asked, &mut TcpStream) -> Said + Send + Sync + 'static) -> Web {
    Web::serve(move |asked, stream| match (asked.method.as_str(), asked.json()["method"].as_str()) {
        ("POST", Some("initialize")) => initialized(asked),
        ("POST", Some("tools/call")) => call(asked, stream),
        ("POST", _) => Said::new("202 Accepted", &[("Content-Length", "0")], ""),
        ("GET", _) => Said::new("405 Method Not Allowed", &[("Content-Length", "0")], ""),
        _ => Said::new("200 OK", &[("Content-Length", "0")], ""),
    })
}

fn echo(asked: &Asked) -> String {
    result(asked, &json!({"content": [{"type": "text", "text": asked.body}]}))
}

fn dial(world: &World, web: &Web) -> Guard {
    dial_by(world, "--http", web, &json!({ "Authorization": SECRET }))
}

fn dial_by(world: &World, flag: &str, web: &Web, headers: &Value) -> Guard {
    let host = web.url.trim_start_matches("http://").trim_end_matches("/mcp");
    std::fs::write(world.policy(), POLICY.replace("127.0.0.1:9", host)).unwrap();
    world.guard(&[flag, &web.url], &[("PORTREEVE_HEADERS", &headers.to_string())])
}

#[test]
fn a_call_is_posted_byte_for_byte_with_the_entrys_headers_and_the_session() {
    let (world, web) = (World::new(), server(|asked, _| Said::json(&echo(asked))));
    let mut guard = dial(&world, &web);
    guard.initialize();
    let odd = r#"{ "id":7,"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo","x":1.10} }"#;
    guard.say(odd);
    assert_eq!(text_of(&guard.answer(7)), odd);
    assert!(guard.leave().success());

    let call = &web.posted("tools/call")[0];
    assert_eq!(call.header("authorization"), SECRET);
    assert_eq!(call.header("mcp-session-id"), "s-1");
    assert_eq!(call.header("mcp-protocol-version"), "2025-06-18");
    assert_eq!(call.header("accept"), "application/json, text/event-stream");
    assert_eq!(call.header("content-type"), "application/json");
    assert_eq!(web.posted("initialize")[0].header("mcp-session-id"), "");
    let farewell = web.asked().into_iter().find(|asked| asked.method == "DELETE").unwrap();
    assert_eq!(farewell.header("mcp-session-id"), "s-1");
}

#[test]
fn a_refused_call_is_not_posted() {
    let (world, web) = (World::new(), server(|asked, _| Said::json(&echo(asked))));
    let mut guard = dial(&world, &web);
    guard.initialize();
    assert_eq!(guard.call(1, "wipe", &json!({}))["error"]["code"], -32003);
    guard.leave();
    assert!(web.posted("tools/call").is_empty());
}

#[test]
fn an_answer_may_come_as_events_after_other_messages() {
    let web = server(|asked, _| {
        let note = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}"#;
        Said::events(&format!(
            ": keep-alive\n\nid: 1\ndata:\n\nevent: message\ndata: {note}\n\ndata: {}\n\n",
            echo(asked).replace("\"jsonrpc\"", "\ndata: \"jsonrpc\"")
        ))
    });
    let world = World::new();
    let mut guard = dial(&world, &web);
    guard.initialize();
    guard.say(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#);
    assert_eq!(guard.next()["method"], "notifications/progress");
    assert!(text_of(&guard.next()).contains("tools/call"));
}

#[test]
fn calls_under_way_do_not_wait_for_each_other() {
    let web = server(|asked, _| {
        if asked.json()["id"] == 1 {
            std::thread::sleep(std::time::Duration::from_secs(2));
        }
        Said::json(&echo(asked))
    });
    let world = World::new();
    let mut guard = dial(&world, &web);
    guard.initialize();
    for id in [1, 2] {
        guard.say(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"echo"}}}}"#
        ));
    }
    assert_eq!([guard.next()["id"].clone(), guard.next()["id"].clone()], [2, 1]);
}

#[test]
fn a_modern_request_repeats_itself_in_its_headers() {
    let (world, web) = (World::new(), server(|asked, _| Said::json(&echo(asked))));
    let mut guard = dial(&world, &web);
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}});
    guard.ask(1, "tools/call", &json!({"name": "echo", "_meta": meta}));
    guard.leave();
    let call = &web.posted("tools/call")[0];
    assert_eq!(call.header("mcp-protocol-version"), "2026-07-28");
    assert_eq!(call.header("mcp-method"), "tools/call");
    assert_eq!(call.header("mcp-name"), "echo");
    assert!(!web.asked().iter().any(|asked| asked.method == "DELETE" || asked.method == "GET"));
}

#[test]
fn a_marked_argument_is_repeated_in_a_header() {
    let web = Web::serve(|asked, _| match asked.json()["method"].as_str() {
        Some("tools/list") => {
            let schema = json!({"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}});
            let list = json!({"tools": [{"name": "echo", "inputSchema": schema}], "resultType": "complete", "ttlMs": 0, "cacheScope": "private"});
            Said::json(&result(asked, &list))
        }
        _ => Said::json(&echo(asked)),
    });
    let world = World::new();
    let mut guard = dial(&world, &web);
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}});
    guard.ask(1, "tools/list", &json!({"_meta": meta}));
    guard.ask(2, "tools/call", &json!({"name": "echo", "arguments": {"region": "eu-1"}, "_meta": meta}));
    assert_eq!(web.posted("tools/call")[0].header("mcp-param-region"), "eu-1");
}

#[test]
fn what_the_server_says_unasked_arrives_over_the_get_stream() {
    let web = Web::serve(|asked, stream| match (asked.method.as_str(), asked.json()["method"].as_str()) {
        ("POST", Some("initialize")) => initialized(asked),
        ("GET", _) if asked.header("last-event-id").is_empty() => {
            let Said(head) = Said::events("retry: 10\nid: 5\n");
            let _ = stream.write_all(&head);
            let _ = stream.write_all(
                b"data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n",
            );
            Said(Vec::new())
        }
        ("GET", _) => Said::events(&format!(
            "data: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/after/{}\"}}\n\n",
            asked.header("last-event-id")
        )),
        _ => Said::new("202 Accepted", &[("Content-Length", "0")], ""),
    });
    let world = World::new();
    let mut guard = dial(&world, &web);
    guard.initialize();
    assert_eq!(guard.next()["method"], "notifications/tools/list_changed");
    assert_eq!(guard.next()["method"], "notifications/after/5", "picked up where it broke off");
}

#[test]
fn a_stream_that_drops_its_answer_is_picked_up_by_its_last_event() {
    let web = Web::serve(|asked, _| match (asked.method.as_str(), asked.json()["method"].as_str()) {
        ("POST", Some("initialize")) => initialized(asked),
        ("POST", Some("tools/call")) => Said::events("retry: 10\nid: e-1\ndata:\n\n"),
        ("GET", _) if asked.header("last-event-id") == "e-1" => Said::events(
            "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"late\"}]}}\n\n",
        ),
        ("GET", _) => Said::new("405 Method Not Allowed", &[("Content-Length", "0")], ""),
        _ => Said::new("202 Accepted", &[("Content-Length", "0")], ""),
    });
    let world = World::new();
    let mut guard = dial(&world, &web);
    guard.initialize();
    assert_eq!(text_of(&guard.call(1, "echo", &json!({}))), "late");
}

#[test]
fn every_failure_is_a_sentence_with_the_address_and_no_secret() {
    let cases: [(Said, &[&str]); 7] = [
        (
            Said::new("401 Unauthorized", &[("WWW-Authenticate", "Bearer")], ""),
            &["ran out, were replaced", "HTTP 401"],
        ),
        (Said::new("403 Forbidden", &[], ""), &["refuses the Authorization that was sent", "HTTP 403"]),
        (
            Said::new("307 Temporary Redirect", &[("Location", "https://evil.example/mcp?k=1")], ""),
            &["https://evil.example/mcp ", "does not follow"],
        ),
        (Said::new("404 Not Found", &[], ""), &["does not know this session", "/mcp"]),
        (Said::new("503 Service Unavailable", &[], "<html>"), &["HTTP 503 Service Unavailable"]),
        (
            Said::new("200 OK", &[("Content-Type", "text/html")], "<html>"),
            &["does not answer as an MCP server", "text/html"],
        ),
        (Said::events(": nothing\n\n"), &["closed the connection before it answered"]),
    ];
    for (said, parts) in cases {
        let bytes = said.0;
        let web = server(move |_, _| Said(bytes.clone()));
        let world = World::new();
        let mut guard = dial(&world, &web);
        guard.initialize();
        let answer = guard.call(1, "echo", &json!({}));
        let message = message_of(&answer);
        for part in parts.iter().chain([&web.url.as_str()]) {
            assert!(message.contains(part), "{part}: {message}");
        }
        assert!(guard.call(2, "wipe", &json!({}))["error"]["code"] == -32003, "the session goes on");
        guard.close_stdin();
        guard.wait();
        let log = format!("{answer}{}{:?}", guard.complaints(), world.records());
        assert!(!log.contains("s3cr3t"), "{log}");
    }
}

#[test]
fn a_servers_own_error_keeps_its_code_whatever_the_status() {
    let web = server(|_, _| {
        let body = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32022,"message":"no","data":{"supported":["2025-11-25"]}}}"#;
        Said::new("400 Bad Request", &[("Content-Type", "application/json")], body)
    });
    let world = World::new();
    let mut guard = dial(&world, &web);
    let answer = guard.call(1, "echo", &json!({}));
    assert_eq!(
        (&answer["error"]["code"], &answer["error"]["data"]["supported"][0]),
        (&json!(-32022), &json!("2025-11-25"))
    );
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let world = World::new();
    let mut guard = world.guard(&["--http", "http://127.0.0.1:9/mcp"], &[]);
    let answer = guard.ask(1, "initialize", &json!({}));
    assert!(message_of(&answer).contains("http://127.0.0.1:9/mcp cannot be reached"), "{answer}");
    assert!(guard.leave().success());
}

#[test]
fn headers_that_are_none_are_an_error_that_shows_no_value() {
    let world = World::new();
    let mut guard =
        world.guard(&["--http", "http://127.0.0.1:9/mcp"], &[("PORTREEVE_HEADERS", r#"{"X":"s3cr3t\n"#)]);
    let answer = guard.ask(1, "initialize", &json!({}));
    assert!(message_of(&answer).contains("PORTREEVE_HEADERS"), "{answer}");
    guard.close_stdin();
    guard.wait();
    assert!(!guard.complaints().contains("s3cr3t"));
}

#[test]
fn the_older_transport_posts_to_the_address_it_was_given() {
    let (say, events) = std::sync::mpsc::channel::<String>();
    let (say, events) = (std::sync::Mutex::new(say), std::sync::Mutex::new(events));
    let web = Web::serve(move |asked, stream| {
        if asked.method == "GET" {
            let Said(head) = Said::events("event: endpoint\ndata: /messages?session=1\n\n");
            stream.write_all(&head).unwrap();
            let events = events.lock().unwrap();
            while let Ok(event) = events.recv() {
                if stream.write_all(format!("event: message\ndata: {event}\n\n").as_bytes()).is_err() {
                    break;
                }
            }
            return Said(Vec::new());
        }
        assert_eq!(asked.path, "/messages?session=1");
        say.lock().unwrap().send(echo(asked)).unwrap();
        Said::new("202 Accepted", &[("Content-Length", "0")], "")
    });
    let world = World::new();
    let mut guard = dial_by(&world, "--sse", &web, &json!({ "X-Key": "k" }));
    guard.initialize();
    assert!(text_of(&guard.call(1, "echo", &json!({"n": 1}))).contains("\"n\":1"));
    assert_eq!(guard.call(2, "wipe", &json!({}))["error"]["code"], -32003);
    eventually("both requests and the notification were posted", || web.asked().len() == 4);
    assert!(web.asked().iter().all(|asked| asked.header("x-key") == "k"));
    assert!(guard.leave().success());
}

#[test]
fn the_older_transport_sends_no_header_to_another_host() {
    let stolen = Web::serve(|_, _| Said::json("{}"));
    let endpoint = stolen.url.clone();
    let web = Web::serve(move |_, _| Said::events(&format!("event: endpoint\ndata: {endpoint}\n\n")));
    let world = World::new();
    let mut guard = dial_by(&world, "--sse", &web, &json!({ "X-Key": "k" }));
    let answer = guard.ask(1, "initialize", &json!({}));
    assert!(message_of(&answer).contains("another host"), "{answer}");
    assert!(stolen.asked().is_empty());
}
