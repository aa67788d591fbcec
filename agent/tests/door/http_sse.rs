//! HTTP+SSE of 2024-11-05.

use crate::client::{Door, call, initialize};
use crate::web_client::Answer;
use crate::world::{World, eventually, is_running, text_of};
use serde_json::json;

fn open(door: &Door) -> (Answer, String) {
    let mut stream = door.request("GET", "/sse", &[("Accept", "text/event-stream")], "");
    assert!(stream.is_events());
    let event = stream.event().unwrap();
    assert_eq!(event.kind.as_deref(), Some("endpoint"));
    (stream, event.data)
}

#[test]
fn everything_comes_on_the_one_stream() {
    let world = World::new();
    let door = world.door(&[]);
    let (mut stream, endpoint) = open(&door);
    let post = |body: &str| {
        let answer = door.request("POST", &endpoint, &[("Accept", "")], body);
        (answer.status, answer.body())
    };
    assert_eq!(post(&initialize("2024-11-05")), (202, String::new()));
    assert_eq!(stream.message()["result"]["protocolVersion"], "2024-11-05");
    post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    post(&call(1, "progress", &json!({"mark": "x"})).to_string());
    assert_eq!(stream.message()["method"], "notifications/progress");
    assert_eq!(text_of(&stream.message()), "x");
    post(&call(2, "wipe", &json!({})).to_string());
    assert_eq!(stream.message()["error"]["code"], -32003);
    post(&call(3, "ask", &json!({"mark": "?"})).to_string());
    let question = stream.message();
    post(&json!({"jsonrpc": "2.0", "id": question["id"], "result": {"by": "me"}}).to_string());
    assert!(text_of(&stream.message()).contains("me"));
    assert_eq!(post("{").0, 400);
}

#[test]
fn a_closed_stream_ends_its_session_and_server() {
    let world = World::new();
    let door = world.door(&[]);
    let (stream, endpoint) = open(&door);
    let server = {
        eventually("the server runs", || !world.pids().is_empty());
        world.pids()[0]
    };
    drop(stream);
    eventually("the server is gone", || !is_running(server));
    assert_eq!(door.request("POST", &endpoint, &[], &initialize("2024-11-05")).status, 404);
}
