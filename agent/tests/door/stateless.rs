//! Streamable HTTP of 2026-07-28: no sessions, and one local server for many clients.

use crate::client::{Door, modern, repeated};
use crate::web_client::{Answer, read_answer, send_raw};
use crate::world::{World, eventually, text_of};
use serde_json::{Value, json};

fn tool(name: &str, arguments: &Value) -> Value {
    json!({"name": name, "arguments": arguments})
}

#[test]
fn a_request_is_whole_in_itself() {
    let world = World::new();
    let door = world.door(&[]);
    let discovered = door.ask("d", "server/discover", json!({}));
    assert_eq!((discovered.status, discovered.header("mcp-session-id")), (200, None));
    assert_eq!(discovered.json()["result"]["supportedVersions"], json!(["2026-07-28"]));
    let listed = door.ask(1, "tools/list", json!({})).json();
    let names: Vec<_> =
        listed["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].clone()).collect();
    assert!(names.contains(&json!("echo")) && !names.contains(&json!("wipe")), "{names:?}");
    assert_eq!(door.ask(2, "tools/call", tool("wipe", &json!({}))).json()["error"]["code"], 40300);
    assert_eq!(world.pids().len(), 1, "one server serves them all");
}

#[test]
fn the_clients_own_bytes_reach_the_server_where_no_id_is_taken() {
    let world = World::new();
    let door = world.door(&[]);
    let body = modern("test", "a-1", "tools/call", tool("echo", &json!({"n": 1})));
    assert_eq!(
        text_of(&door.ask("a-1", "tools/call", tool("echo", &json!({"n": 1}))).json()),
        body.to_string()
    );
}

#[test]
fn an_unknown_method_is_not_found() {
    let world = World::new();
    let door = world.door(&[]);
    let answer = door.ask(1, "nobody/knows", json!({}));
    assert_eq!((answer.status, answer.json()["error"]["code"].clone()), (404, json!(-32601)));
}

#[test]
fn the_streams_of_the_older_versions_are_no_methods_here() {
    let world = World::new();
    let door = world.door(&[]);
    for method in ["GET", "DELETE"] {
        let answer = door.request(method, "/mcp", &[("MCP-Protocol-Version", "2026-07-28")], "");
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")), "{method}");
    }
}

fn with_token(id: u64, name: &str, arguments: &Value) -> Value {
    let mut params = tool(name, arguments);
    params["_meta"] = json!({"progressToken": id});
    params
}

#[test]
fn many_clients_choose_the_same_ids_and_tokens_and_each_hears_its_own() {
    let world = World::new();
    let door = world.door(&[]);
    std::thread::scope(|scope| {
        for n in 0..8 {
            let door = &door;
            scope.spawn(move || {
                for id in 1..=20_u64 {
                    let mark = format!("client {n} call {id}");
                    let params = with_token(id, "progress", &json!({"mark": mark, "count": 3}));
                    let mut answer = door.ask(id, "tools/call", params);
                    let said: Vec<Value> =
                        answer.events_to_end().iter().map(crate::web_client::Event::json).collect();
                    assert_eq!(said.len(), 4, "{said:?}");
                    for progress in &said[..3] {
                        assert_eq!(
                            (&progress["params"]["message"], &progress["params"]["progressToken"]),
                            (&json!(mark), &json!(id))
                        );
                    }
                    assert_eq!((&said[3]["id"], text_of(&said[3])), (&json!(id), mark.as_str()));
                }
            });
        }
    });
    assert_eq!(world.pids().len(), 1);
}

#[test]
fn ids_that_are_taken_keep_their_type_and_are_given_back() {
    let world = World::new();
    let door = world.door(&[]);
    for id in [json!(7), json!("seven")] {
        let held: Vec<_> = (0..3)
            .map(|_| begin(&door, &modern("test", id.clone(), "tools/call", tool("hold", &json!({})))))
            .collect();
        eventually("all three are on their way", || world.records_of("call").len() % 4 == 3);
        assert_eq!(text_of(&door.ask("r", "tools/call", tool("release", &json!({}))).json()), "all released");
        for answer in held {
            let answer = read_answer(answer).json();
            assert_eq!((&answer["id"], text_of(&answer)), (&id, "released"));
        }
    }
}

fn begin(door: &Door, body: &Value) -> std::io::BufReader<std::net::TcpStream> {
    let headers = repeated(body);
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    send_raw(&door.address, door.text("POST", "/mcp", &headers, &body.to_string()).as_bytes())
}

#[test]
fn a_closed_response_is_the_cancellation() {
    let world = World::new();
    let door = world.door(&[]);
    let body = modern("test", "gone", "tools/call", tool("hold", &json!({})));
    let connection = begin(&door, &body);
    eventually("the call is on its way", || world.records_of("call").len() == 1);
    drop(connection);
    eventually("the server is told", || {
        text_of(&door.ask("?", "tools/call", tool("cancelled", &json!({}))).json()) == r#"["gone"]"#
    });
    assert_eq!(world.records_of("outcome")[0]["fate"], "cancelled");
}

fn listen(door: &Door, client: &str, id: impl Into<Value>) -> Answer {
    let mut answer =
        door.ask_as(client, id, "subscriptions/listen", json!({"notifications": {"toolsListChanged": true}}));
    assert!(answer.is_events(), "{}", answer.status);
    assert_eq!(answer.message()["method"], "notifications/subscriptions/acknowledged");
    answer
}

#[test]
fn subscriptions_of_one_id_are_told_apart_and_named_as_their_clients_named_them() {
    let world = World::new();
    let door = world.door(&[]);
    let mut listening: Vec<_> = (0..3).map(|_| listen(&door, "test", "listen:0")).collect();
    assert_eq!(text_of(&door.ask(1, "tools/call", tool("change", &json!({}))).json()), "3");
    for answer in &mut listening {
        let told = answer.message();
        assert_eq!(told["method"], "notifications/tools/list_changed");
        assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], "listen:0");
    }
    // Closing one ends one.
    listening.pop();
    eventually("one is cancelled", || {
        text_of(&door.ask(2, "tools/call", tool("change", &json!({}))).json()) == "2"
    });
}

#[test]
fn what_belongs_to_no_request_for_sure_is_told_to_nobody() {
    let world = World::new();
    let door = world.door(&[]);
    // Two calls are open that want log messages; a third one's log could be anybody's.
    let mut wanting = tool("hold", &json!({}));
    wanting["_meta"] = json!({"io.modelcontextprotocol/logLevel": "info"});
    let held: Vec<_> =
        ["a", "b"].map(|id| begin(&door, &modern("test", id, "tools/call", wanting.clone()))).into();
    eventually("both are on their way", || world.records_of("call").len() == 2);
    assert_eq!(
        text_of(&door.ask("c", "tools/call", tool("log", &json!({"mark": "secret"}))).json()),
        "secret"
    );
    door.ask("r", "tools/call", tool("release", &json!({})));
    for answer in held {
        let mut answer = read_answer(answer);
        let body = if answer.is_events() { format!("{:?}", answer.events_to_end()) } else { answer.body() };
        assert!(body.contains("released") && !body.contains("secret"), "{body}");
    }
    // Where one alone wants them, they are its own.
    let mut logging = tool("log", &json!({"mark": "mine", "count": 2}));
    logging["_meta"] = json!({"io.modelcontextprotocol/logLevel": "info"});
    assert_eq!(door.ask("l", "tools/call", logging).events_to_end().len(), 3);
}

#[test]
fn programs_do_not_share_a_server() {
    let world = World::new();
    let door = world.door(&[]);
    let pid = |client: &str| {
        text_of(&door.ask_as(client, 1, "tools/call", tool("pid", &json!({}))).json()).to_owned()
    };
    assert_eq!(pid("one"), pid("one"));
    assert_ne!(pid("one"), pid("other"));
}

#[test]
fn a_new_server_serves_the_next_request_after_one_died() {
    let world = World::new();
    let door = world.door(&[]);
    assert!(door.ask(1, "tools/call", tool("die", &json!({}))).json().get("error").is_some());
    eventually("another one answers", || {
        door.ask(2, "tools/call", tool("echo", &json!({}))).json().get("result").is_some()
    });
}

#[test]
fn an_argument_in_a_header_is_compared_once_the_list_said_so() {
    let world = World::new();
    let door = world.door(&[]);
    door.ask(1, "tools/list", json!({})).json();
    let body = modern("test", 2, "tools/call", tool("regional", &json!({"region": "eu"})));
    let with = |region: &[(&'static str, &str)]| {
        let headers = repeated(&body);
        let mut headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        headers.extend(region);
        let answer = door.request("POST", "/mcp", &headers, &body.to_string());
        (answer.status, answer.json()["error"]["code"].clone())
    };
    assert_eq!(with(&[("Mcp-Param-Region", "eu")]), (200, Value::Null));
    assert_eq!(with(&[("Mcp-Param-Region", "us")]), (400, json!(-32020)));
    assert_eq!(with(&[]), (400, json!(-32020)));
}
