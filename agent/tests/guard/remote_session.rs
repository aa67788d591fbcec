//! A remote server that forgets, restarts, or breaks off: what the client notices of it.

use crate::client::{Guard, POLICY, World, eventually, message_of, text_of};
use crate::resident::Line;
use crate::web::{Asked, Said, Web, read};
use crate::world::Organisation;
use platform::ipc::Listener;
use policy::Standing;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// A server with sessions that can lose them all, as by a restart.
#[derive(Default)]
struct Sessions {
    made: u32,
    known: BTreeSet<String>,
    /// What the next `initialize` is answered with.
    capabilities: Value,
    refuses: bool,
    /// By which it says that it knows no such session; 404 where empty.
    forgets_by: &'static str,
}

fn answer(asked: &Asked, result: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": asked.json()["id"], "result": result}).to_string()
}

fn accepted() -> Said {
    Said::new("202 Accepted", &[("Content-Length", "0")], "")
}

fn serve(sessions: &Arc<Mutex<Sessions>>) -> Web {
    let sessions = Arc::clone(sessions);
    Web::serve(move |asked, _| {
        let mut sessions = sessions.lock().unwrap();
        let method = asked.json()["method"].as_str().unwrap_or_default().to_owned();
        if method == "initialize" {
            if sessions.refuses {
                return Said::new("503 Service Unavailable", &[("Content-Length", "0")], "");
            }
            sessions.made += 1;
            let id = format!("s-{}", sessions.made);
            sessions.known.insert(id.clone());
            let result = json!({"protocolVersion": "2025-11-25", "capabilities": sessions.capabilities, "serverInfo": {"name": "w", "version": sessions.made.to_string()}});
            let headers = [("Content-Type", "application/json"), ("Mcp-Session-Id", id.as_str())];
            return Said::new("200 OK", &headers, &answer(asked, &result));
        }
        if !sessions.known.contains(asked.header("mcp-session-id")) {
            let json = [("Content-Type", "application/json")];
            if !sessions.forgets_by.is_empty() {
                let error = json!({"code": -32000, "message": sessions.forgets_by});
                let body = json!({"jsonrpc": "2.0", "error": error, "id": null}).to_string();
                let bytes = body.len().to_string();
                let headers = [json[0], ("Content-Length", bytes.as_str())];
                return Said::new("400 Bad Request", &headers, &body);
            }
            let body = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}"#;
            return Said::new("404 Not Found", &json, body);
        }
        match (asked.method.as_str(), method.as_str()) {
            ("GET", _) => Said::new("405 Method Not Allowed", &[("Content-Length", "0")], ""),
            ("POST", "tools/call") => {
                let said = json!({"content": [{"type": "text", "text": asked.header("mcp-session-id")}]});
                Said::json(&answer(asked, &said))
            }
            ("POST", _) if asked.json().get("id").is_some() => Said::json(&answer(asked, &json!({}))),
            _ => accepted(),
        }
    })
}

fn restart(sessions: &Mutex<Sessions>) {
    sessions.lock().unwrap().known.clear();
}

fn dial(world: &World, web: &Web) -> Guard {
    let host = web.url.trim_start_matches("http://").trim_end_matches("/mcp");
    std::fs::write(world.policy(), POLICY.replace("127.0.0.1:9", host)).unwrap();
    world.guard(&["--http", &web.url], &[("PORTREEVE_HEADERS", r#"{"Authorization":"Bearer s3cr3t"}"#)])
}

fn begun() -> (World, Arc<Mutex<Sessions>>, Web, Guard) {
    let (world, sessions) = (World::new(), Arc::default());
    let web = serve(&sessions);
    let mut guard = dial(&world, &web);
    guard.initialize();
    (world, sessions, web, guard)
}

#[test]
fn a_forgotten_session_is_begun_anew_and_the_client_notices_nothing() {
    let (world, sessions, web, mut guard) = begun();
    assert_eq!(text_of(&guard.call(1, "echo", &json!({}))), "s-1");
    restart(&sessions);
    guard.say(r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo"}}"#);
    let next = guard.next();
    assert_eq!((&next["id"], text_of(&next)), (&json!(2), "s-2"), "the first that the client hears");
    let begun: Vec<_> = web.posted("initialize").into_iter().map(|asked| asked.body).collect();
    assert!(begun.len() == 2 && begun[0] == begun[1], "the client's own bytes: {begun:?}");
    assert!(web.posted("initialize")[1].header("mcp-session-id").is_empty());
    let initialized = web.posted("notifications/initialized");
    assert_eq!((initialized.len(), initialized[1].header("mcp-session-id")), (2, "s-2"));
    assert_eq!(initialized[0].body, initialized[1].body);
    assert!(guard.leave().success());
    let farewell = web.asked().into_iter().find(|asked| asked.method == "DELETE").unwrap();
    assert_eq!(farewell.header("mcp-session-id"), "s-2");
    let turns = world.records_of("restart");
    assert_eq!(
        (&turns[0]["phase"], &turns[1]["phase"]),
        (&json!("ended"), &json!("begun-anew")),
        "{turns:?}"
    );
    assert!(turns[0]["why"].as_str().unwrap().contains("does not know this session"), "{turns:?}");
    assert!(turns[1]["why"].as_str().unwrap().contains("forgotten the session"), "{turns:?}");
}

/// As the reference servers on the official SDKs do after a restart.
#[test]
fn a_session_that_is_called_invalid_by_400_is_begun_anew_and_no_other_400_is() {
    let (_world, sessions, web, mut guard) = begun();
    assert_eq!(text_of(&guard.call(1, "echo", &json!({}))), "s-1");
    sessions.lock().unwrap().forgets_by = "Bad Request: No valid session ID provided";
    restart(&sessions);
    assert_eq!(text_of(&guard.call(2, "echo", &json!({}))), "s-2");
    assert_eq!(web.posted("tools/call").len(), 3);
    sessions.lock().unwrap().forgets_by = "Bad Request: the tool is not there";
    restart(&sessions);
    let refused = guard.call(3, "echo", &json!({}));
    assert!(message_of(&refused).contains("the tool is not there"), "{refused}");
    assert_eq!(web.posted("tools/call").len(), 4, "it may have been run");
}

/// A server at this address for as long as it is held.
struct Up(Arc<AtomicBool>, Option<JoinHandle<()>>);

impl Up {
    fn at(address: &str) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&over);
        let serving = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                let Ok((stream, _)) = listener.accept() else {
                    std::thread::sleep(Duration::from_millis(1));
                    continue;
                };
                stream.set_nonblocking(false).unwrap();
                say_hello(stream);
            }
        });
        Self(over, Some(serving))
    }

    fn goes(mut self) {
        self.0.store(true, Ordering::Relaxed);
        self.1.take().unwrap().join().unwrap();
    }
}

/// Answers one request, by a connection of its own.
fn say_hello(mut stream: TcpStream) {
    let Some(asked) = read(&stream) else { return };
    let Said(said) = match asked.json()["method"].as_str() {
        Some("initialize") => {
            let result = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "w", "version": "1"}});
            Said::json(&answer(&asked, &result))
        }
        Some("tools/call") => {
            Said::json(&answer(&asked, &json!({"content": [{"type": "text", "text": "hello"}]})))
        }
        Some(_) => accepted(),
        None => Said::new("405 Method Not Allowed", &[("Content-Length", "0")], ""),
    };
    stream.write_all(&said).unwrap();
}

#[test]
fn a_remote_server_that_is_gone_and_comes_back_is_on_record_once_each() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let world = World::new();
    std::fs::write(world.policy(), POLICY.replace("127.0.0.1:9", &free)).unwrap();
    let up = Up::at(&free);
    let mut guard = world.guard(&["--http", &format!("http://{free}/mcp")], &[]);
    guard.initialize();
    assert_eq!(text_of(&guard.call(1, "echo", &json!({}))), "hello");
    up.goes();
    for id in [2, 3] {
        let lost = guard.call(id, "echo", &json!({}));
        assert!(message_of(&lost).contains("cannot be reached"), "{lost}");
    }
    let turns = || world.records_of("restart");
    eventually("its end is on record", || turns().len() == 1);
    assert_eq!(turns()[0]["phase"], "ended");
    assert!(turns()[0]["why"].as_str().unwrap().contains("cannot be reached"), "{:?}", turns());
    let _up = Up::at(&free);
    assert_eq!(text_of(&guard.call(4, "echo", &json!({}))), "hello");
    eventually("its return is on record", || turns().len() == 2);
    assert_eq!(
        (&turns()[1]["phase"], &turns()[1]["why"]),
        (&json!("begun-anew"), &json!("the server answers again"))
    );
    guard.leave();
}

#[test]
fn many_calls_that_find_the_session_forgotten_share_one_new_one() {
    let (world, sessions, web, mut guard) = begun();
    restart(&sessions);
    for id in 1..=20 {
        guard.say(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"echo"}}}}"#
        ));
    }
    let answered: BTreeSet<_> = (0..20)
        .map(|_| {
            let next = guard.next();
            assert_eq!(text_of(&next), "s-2");
            next["id"].as_u64().unwrap()
        })
        .collect();
    assert_eq!(answered, (1..=20).collect());
    assert_eq!(web.posted("initialize").len(), 2);
    let calls = web.posted("tools/call");
    assert_eq!(calls.iter().filter(|call| call.header("mcp-session-id") == "s-2").count(), 20);
    assert!(calls.len() <= 40, "each is sent again once: {}", calls.len());
    eventually("one session, one end and one beginning", || world.records_of("restart").len() == 2);
}

#[test]
fn a_new_session_hears_the_log_level_and_the_subscriptions_again() {
    let (_world, sessions, web, mut guard) = begun();
    guard.ask(1, "logging/setLevel", &json!({"level": "debug"}));
    guard.ask(2, "resources/subscribe", &json!({"uri": "r:kept"}));
    guard.ask(3, "resources/subscribe", &json!({"uri": "r:left"}));
    guard.ask(4, "resources/unsubscribe", &json!({"uri": "r:left"}));
    restart(&sessions);
    assert_eq!(text_of(&guard.call(5, "echo", &json!({}))), "s-2");
    let again: Vec<_> =
        web.asked().into_iter().filter(|asked| asked.header("mcp-session-id") == "s-2").collect();
    let methods: Vec<_> = again.iter().map(|asked| asked.json()["method"].clone()).collect();
    assert!(methods.contains(&json!("logging/setLevel")), "{methods:?}");
    let subscribed: Vec<_> = again
        .iter()
        .filter(|asked| asked.json()["method"] == "resources/subscribe")
        .map(|asked| asked.json()["params"]["uri"].clone())
        .collect();
    assert_eq!(subscribed, ["r:kept"]);
}

/// What the server forgot it is told again only where policy still allows it, and nothing where policy bars it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn attack_a_new_session_is_begun_or_told_what_policy_refuses_by_now() {
    let sessions = Arc::default();
    let web = serve(&sessions);
    let host = web.url.trim_start_matches("http://").trim_end_matches("/mcp");
    let all = POLICY.replace("127.0.0.1:9", host);
    let denies = "[[grants]]\nname = \"no-levels\"\neffect = \"deny\"\nroles = [\"all\"]\nservers = [\"web\"]\nmethods = [\"logging/setLevel\"]\nresources = [\"r:secret\"]\n";
    let acme = Organisation::of(World::new()).await;
    acme.adopt(1, &all, &Standing::default()).await;
    let mut listener = Listener::bind(&acme.layout).unwrap();
    let mut guard = acme.world.start(&["wrap", "--name", "entry", "--http", &web.url], &[]);
    guard.initialize();
    let mut resident = Line::accept(&mut listener).await;
    guard.ask(1, "logging/setLevel", &json!({"level": "debug"}));
    guard.ask(2, "resources/subscribe", &json!({"uri": "r:kept"}));
    guard.ask(3, "resources/subscribe", &json!({"uri": "r:secret"}));

    let fewer = format!("{}\n{denies}", all.replace("\"echo\", \"die\"", "\"die\""));
    acme.adopt(2, &fewer, &Standing::default()).await;
    resident.say(&json!({"policy-changed": {"version": 2}})).await;
    refused_by(&mut guard, "default");
    restart(&sessions);
    assert_eq!(text_of(&guard.call(5, "recorded", &json!({}))), "s-2");
    assert_eq!(web.posted("logging/setLevel").len(), 1);
    let subscribed: Vec<_> =
        web.posted("resources/subscribe").iter().map(|asked| asked.json()["params"]["uri"].clone()).collect();
    assert_eq!(subscribed, ["r:kept", "r:secret", "r:kept"]);

    let gone =
        Standing { suspended_members: ["alice@acme.example".to_owned()].into(), ..Standing::default() };
    acme.adopt(3, &fewer, &gone).await;
    resident.say(&json!({"policy-changed": {"version": 3}})).await;
    refused_by(&mut guard, "member-suspended");
    restart(&sessions);
    let refused = guard.ask(6, "tools/list", &json!({}));
    assert!(message_of(&refused).contains("\"member-suspended\""), "{refused}");
    assert_eq!(web.posted("initialize").len(), 2);
}

/// Waits until policy has it that way.
fn refused_by(guard: &mut Guard, rule: &str) {
    let mut id = 1000;
    eventually("the new policy is in force", || {
        id += 1;
        guard.call(id, "echo", &json!({}))["error"]["data"]["portreeve"]["rule"] == rule
    });
}

#[test]
fn a_session_that_is_renewed_by_another_server_is_an_error_that_says_so() {
    let (_world, sessions, web, mut guard) = begun();
    restart(&sessions);
    sessions.lock().unwrap().capabilities = json!({"prompts": {}});
    let answer = guard.call(1, "echo", &json!({}));
    for part in [web.url.as_str(), "capabilities are others", "/mcp"] {
        assert!(message_of(&answer).contains(part), "{part}: {answer}");
    }
    assert_eq!(web.posted("tools/call").len(), 1, "it is not sent to that one");
    let given_up = || web.asked().iter().any(|asked| asked.method == "DELETE");
    eventually("the unwanted session is given back", given_up);
}

#[test]
fn a_server_that_begins_no_new_session_is_named_with_its_reason() {
    let (_world, sessions, _web, mut guard) = begun();
    restart(&sessions);
    sessions.lock().unwrap().refuses = true;
    let answer = guard.call(1, "echo", &json!({}));
    assert!(message_of(&answer).contains("does not begin a new one"), "{answer}");
    assert!(message_of(&answer).contains("HTTP 503"), "{answer}");
    sessions.lock().unwrap().refuses = false;
    assert_eq!(text_of(&guard.call(2, "echo", &json!({}))), "s-2", "the next call tries again");
}

#[test]
fn a_server_forgets_every_session_at_once_and_the_call_is_repeated_without_end() {
    let world = World::new();
    let web = Web::serve(|asked, _| match asked.json()["method"].as_str() {
        Some("initialize") => {
            let result = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "w", "version": "1"}});
            let headers = [("Content-Type", "application/json"), ("Mcp-Session-Id", "s")];
            Said::new("200 OK", &headers, &answer(asked, &result))
        }
        Some("tools/call") => Said::new("404 Not Found", &[("Content-Length", "0")], ""),
        _ if asked.method == "GET" => Said::new("405 Method Not Allowed", &[("Content-Length", "0")], ""),
        _ => accepted(),
    });
    let mut guard = dial(&world, &web);
    guard.initialize();
    assert!(message_of(&guard.call(1, "echo", &json!({}))).contains("does not know this session"));
    assert_eq!((web.posted("tools/call").len(), web.posted("initialize").len()), (2, 2));
}

#[test]
fn only_what_says_that_the_session_is_forgotten_is_sent_again() {
    for status in
        ["500 Internal Server Error", "502 Bad Gateway", "503 Service Unavailable", "400 Bad Request"]
    {
        let world = World::new();
        let web = Web::serve(move |asked, _| match asked.json()["method"].as_str() {
            Some("initialize") => {
                let headers = [("Content-Type", "application/json"), ("Mcp-Session-Id", "s")];
                Said::new(
                    "200 OK",
                    &headers,
                    &answer(asked, &json!({"protocolVersion": "2025-11-25", "capabilities": {}})),
                )
            }
            Some("tools/call") => Said::new(status, &[("Content-Length", "0")], ""),
            _ if asked.method == "GET" => Said::new("405 Method Not Allowed", &[("Content-Length", "0")], ""),
            _ => accepted(),
        });
        let mut guard = dial(&world, &web);
        guard.initialize();
        assert!(message_of(&guard.call(1, "echo", &json!({}))).contains(status), "{status}");
        assert_eq!(web.posted("tools/call").len(), 1, "{status}");
    }
}

#[test]
fn a_token_that_ran_out_is_told_from_one_that_was_never_right() {
    let world = World::new();
    let spent = Arc::new(Mutex::new(false));
    let is_spent = Arc::clone(&spent);
    let web = Web::serve(move |asked, _| match asked.json()["method"].as_str() {
        _ if *is_spent.lock().unwrap() => Said::new("401 Unauthorized", &[("Content-Length", "0")], ""),
        Some("initialize") => {
            Said::json(&answer(asked, &json!({"protocolVersion": "2025-11-25", "capabilities": {}})))
        }
        _ if asked.method == "GET" => Said::new("405 Method Not Allowed", &[("Content-Length", "0")], ""),
        _ => accepted(),
    });
    let mut guard = dial(&world, &web);
    guard.initialize();
    *spent.lock().unwrap() = true;
    let refused = guard.call(1, "echo", &json!({}));
    assert_eq!(refused["error"]["code"], 40100);
    for part in ["ran out, were replaced", "reconnect", "/mcp"] {
        assert!(message_of(&refused).contains(part), "{part}: {refused}");
    }
    assert!(!refused.to_string().contains("s3cr3t"));
}

#[test]
fn a_token_that_was_never_right_is_said_to_be_refused_and_the_server_is_not_said_to_be_well() {
    let world = World::new();
    let web = Web::serve(|_, _| Said::new("401 Unauthorized", &[("Content-Length", "0")], ""));
    let mut guard = dial(&world, &web);
    let refused = guard.initialize();
    assert_eq!(refused["error"]["code"], 40100);
    for part in ["refuses the Authorization that was sent", "into PORTREEVE_HEADERS"] {
        assert!(message_of(&refused).contains(part), "{part}: {refused}");
    }
    assert!(!refused.to_string().contains("ask IT") && !refused.to_string().contains("s3cr3t"), "{refused}");
    let run = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_portreeve"));
        let output = command.arg("--root").arg(world.root()).args(args).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    crate::client::eventually("it is told", || {
        let (code, said) = run(&["status", "--server", "entry"]);
        code == Some(4) && said.contains("elsewhere, and no use to us")
    });
    assert_eq!(run(&["doctor"]).0, Some(4));

    let world = World::new();
    let host = web.url.trim_start_matches("http://").trim_end_matches("/mcp");
    std::fs::write(world.policy(), POLICY.replace("127.0.0.1:9", host)).unwrap();
    let told = message_of(&world.guard(&["--http", &web.url], &[]).initialize()).to_owned();
    assert!(told.contains("no Authorization was sent") && told.contains("PORTREEVE_HEADERS, as"), "{told}");
}

/// As a network does it: in the middle of an event, by a clean end of the connection, and by a broken one.
#[test]
fn a_stream_cut_off_inside_an_event_is_picked_up_before_that_event() {
    for head in ["", "Transfer-Encoding: chunked"] {
        let world = World::new();
        let web = Web::serve(move |asked, _| {
            let done = |text: &str| {
                let result = json!({"content": [{"type": "text", "text": text}]});
                json!({"jsonrpc": "2.0", "id": 1, "result": result}).to_string()
            };
            let cut = format!(
                "retry: 10\nid: e-1\ndata: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}}\n\nid: e-2\ndata: {}",
                done("half")
            );
            match (asked.method.as_str(), asked.json()["method"].as_str()) {
                (_, Some("initialize")) => {
                    let headers = [("Content-Type", "application/json"), ("Mcp-Session-Id", "s")];
                    let result = json!({"protocolVersion": "2025-11-25", "capabilities": {}});
                    Said::new("200 OK", &headers, &answer(asked, &result))
                }
                (_, Some("tools/call")) if head.is_empty() => Said::events(&cut),
                (_, Some("tools/call")) => {
                    let headers = [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")];
                    Said::new("200 OK", &headers, &format!("{:x}\r\n{cut}\r\n", cut.len()))
                }
                ("GET", _) if asked.header("last-event-id") == "e-1" => {
                    Said::events(&format!("id: e-2\ndata: {}\n\n", done("whole")))
                }
                ("GET", _) => Said::new("405 Method Not Allowed", &[("Content-Length", "0")], ""),
                _ => accepted(),
            }
        });
        let mut guard = dial(&world, &web);
        guard.initialize();
        guard.say(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#);
        assert_eq!(guard.next()["method"], "notifications/x");
        assert_eq!(text_of(&guard.next()), "whole", "{head}");
        assert_eq!(web.posted("tools/call").len(), 1);
    }
}

#[test]
fn a_batch_is_posted_whole_and_each_of_its_requests_is_answered() {
    let world = World::new();
    let web = Web::serve(|asked, _| {
        let body = asked.json();
        match (asked.method.as_str(), body["method"].as_str()) {
            ("GET", _) => Said::new("405 Method Not Allowed", &[("Content-Length", "0")], ""),
            (_, Some("initialize")) => {
                Said::json(&answer(asked, &json!({"protocolVersion": "2025-03-26", "capabilities": {}})))
            }
            // The third one is forgotten.
            _ if body.is_array() => Said::json(
                &json!([
                    {"jsonrpc": "2.0", "id": 2, "result": {}}, {"jsonrpc": "2.0", "id": 1, "result": {}}
                ])
                .to_string(),
            ),
            _ => accepted(),
        }
    });
    let mut guard = dial(&world, &web);
    let hello = json!({"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "test", "version": "7"}});
    guard.ask("hello", "initialize", &hello);
    guard.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    guard.say(r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"},{"jsonrpc":"2.0","id":3,"method":"ping"}]"#);
    let mut heard = Vec::new();
    while heard.len() < 3 {
        match guard.next() {
            Value::Array(answers) => heard.extend(answers),
            one => heard.push(one),
        }
    }
    heard.sort_by_key(|answer| answer["id"].as_u64());
    let answered: Vec<_> = heard.iter().map(|answer| answer.get("result").is_some()).collect();
    assert_eq!(answered, [true, true, false], "{heard:?}");
    assert_eq!(web.asked().iter().filter(|asked| asked.json().is_array()).count(), 1);
}

#[test]
fn the_stream_of_what_is_said_unasked_is_opened_again_in_the_new_session() {
    let world = World::new();
    let made = Arc::new(Mutex::new(0));
    let count = Arc::clone(&made);
    let web = Web::serve(move |asked, _| {
        let mut made = count.lock().unwrap();
        match (asked.method.as_str(), asked.json()["method"].as_str()) {
            (_, Some("initialize")) => {
                *made += 1;
                let id = format!("s-{made}");
                let headers = [("Content-Type", "application/json"), ("Mcp-Session-Id", id.as_str())];
                Said::new(
                    "200 OK",
                    &headers,
                    &answer(asked, &json!({"protocolVersion": "2025-11-25", "capabilities": {}})),
                )
            }
            // The first stream breaks, and the session is gone when it is asked for again.
            ("GET", _)
                if asked.header("mcp-session-id") == "s-1" && asked.header("last-event-id").is_empty() =>
            {
                Said::events(
                    "retry: 10\nid: e-1\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/one\"}\n\n",
                )
            }
            ("GET", _) if asked.header("mcp-session-id") == "s-1" => {
                Said::new("404 Not Found", &[("Content-Length", "0")], "")
            }
            ("GET", _) => Said::events(&format!(
                "retry: 30000\ndata: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/two\",\"params\":{{\"last\":\"{}\"}}}}\n\n",
                asked.header("last-event-id")
            )),
            _ => accepted(),
        }
    });
    let mut guard = dial(&world, &web);
    guard.initialize();
    assert_eq!(guard.next()["method"], "notifications/one");
    let two = guard.next();
    assert_eq!((&two["method"], &two["params"]["last"]), (&json!("notifications/two"), &json!("")));
    assert_eq!(*made.lock().unwrap(), 2);
}
