//! Streamable HTTP up to 2025-11-25.

use crate::client::{call, initialize};
use crate::world::{World, eventually, is_running, text_of};
use serde_json::{Value, json};

#[test]
fn an_answer_alone_is_json_and_a_notification_is_accepted() {
    let world = World::new();
    let door = world.door(&[]);
    for version in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        let session = door.session_of(version);
        let answer = session.call("echo", &json!({"n": 1}));
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
        assert!(text_of(&answer.json()).contains(r#""n":1"#));
        assert_eq!(session.post(&json!({"jsonrpc": "2.0", "method": "notifications/x"})).status, 202);
    }
}

#[test]
fn the_clients_own_bytes_reach_the_server() {
    let world = World::new();
    let door = world.door(&[]);
    let odd = r#"{ "id":7 ,"jsonrpc":"2.0","method":"tools\/call","params":{"x-new":[1.10,1e3,12345678901234567890123],"name":"echo","arguments":{"b":1,"a":"\u00e4"}} }"#;
    assert_eq!(text_of(&door.session().post_text(odd).json()), odd);
}

#[test]
fn progress_comes_on_its_own_requests_stream_and_nowhere_else() {
    let world = World::new();
    let door = world.door(&[]);
    let session = door.session();
    let mut listening = session.get(None);
    let mut answer = session.call("progress", &json!({"mark": "here", "count": 3}));
    assert!(answer.is_events() && answer.header("x-accel-buffering") == Some("no"));
    let said: Vec<Value> = answer.events_to_end().iter().map(crate::web_client::Event::json).collect();
    let progress: Vec<_> = said.iter().map(|message| message["params"]["progress"].clone()).collect();
    assert_eq!(progress, [json!(1), json!(2), json!(3), Value::Null]);
    assert_eq!(text_of(&said[3]), "here");
    // What comes on the listening stream is the next unrelated thing.
    session.call("announce", &json!({}));
    assert_eq!(listening.message()["method"], "notifications/tools/list_changed");
}

#[test]
fn what_is_unrelated_goes_to_the_listening_stream_or_waits_for_one() {
    let world = World::new();
    let door = world.door(&[]);
    let session = door.session();
    assert_eq!(text_of(&session.call("announce", &json!({})).json()), "announced");
    let mut later = session.call("echo", &json!({"kept": true}));
    let said = later.events_to_end();
    // With no stream to listen on, it came on the one that was open.
    let told = said.iter().any(|event| event.json()["method"] == "notifications/tools/list_changed");
    let mut listening = session.get(None);
    session.call("announce", &json!({}));
    assert_eq!(listening.message()["method"], "notifications/tools/list_changed");
    assert!(told || said.is_empty());
}

#[test]
fn a_server_asks_the_client_in_the_middle_of_a_call() {
    let world = World::new();
    let door = world.door(&[]);
    let session = door.session();
    let mut asking = session.call("ask", &json!({"mark": "your name?"}));
    let question = asking.message();
    assert_eq!(
        (&question["method"], &question["params"]["message"]),
        (&json!("elicitation/create"), &json!("your name?"))
    );
    let answer = json!({"jsonrpc": "2.0", "id": question["id"], "result": {"action": "accept", "content": {"name": "Ada"}}});
    assert_eq!(session.post(&answer).status, 202);
    assert!(text_of(&asking.message()).contains("Ada"));
    assert_eq!(asking.event(), None, "the stream ends with its answer");
}

#[test]
fn a_server_that_asks_in_eight_sessions_at_once_hears_each_client_for_itself() {
    let world = World::new();
    let door = world.door(&[]);
    std::thread::scope(|scope| {
        for n in 0..8 {
            let door = &door;
            scope.spawn(move || {
                let session = door.session();
                // Every server's first question has the id 1, and every client's first call too.
                for (round, method) in
                    ["elicitation/create", "sampling/createMessage", "roots/list"].iter().enumerate()
                {
                    let mark = format!("client {n} round {round}");
                    let mut asking = session.call("ask", &json!({"mark": mark, "method": method}));
                    let question = asking.message();
                    assert_eq!(
                        (&question["method"], &question["params"]["message"]),
                        (&json!(method), &json!(mark))
                    );
                    let answer = json!({"jsonrpc": "2.0", "id": question["id"], "result": {"by": n}});
                    assert_eq!(session.post(&answer).status, 202);
                    assert!(text_of(&asking.message()).contains(&format!(r#""by":{n}"#)));
                }
            });
        }
    });
    assert_eq!(world.pids().len(), 8, "each session has a server of its own");
}

#[test]
fn a_lost_stream_is_taken_up_where_it_was_lost() {
    let world = World::new();
    let door = world.door(&[]);
    let session = door.session();
    let mut asking = session.call("ask", &json!({"mark": "?"}));
    let primer = asking.event().unwrap();
    assert!(primer.id.is_some() && primer.data.is_empty() && primer.retry.is_some(), "{primer:?}");
    let question = asking.message();
    drop(asking);
    let answer = json!({"jsonrpc": "2.0", "id": question["id"], "result": {"said": "while nobody listened"}});
    assert_eq!(session.post(&answer).status, 202);
    let mut again = session.get(primer.id.as_deref());
    assert_eq!(again.message(), question, "all since the event that the client has");
    assert!(text_of(&again.message()).contains("while nobody listened"));
    assert_eq!(again.event(), None);
}

#[test]
fn a_client_of_an_older_version_is_sent_no_event_without_data() {
    let world = World::new();
    let door = world.door(&[]);
    let session = door.session_of("2025-06-18");
    let mut answer = session.call("log", &json!({"mark": "x"}));
    assert!(!answer.event().unwrap().data.is_empty());
}

#[test]
fn an_ended_session_is_not_found_and_its_server_is_gone() {
    let world = World::new();
    let door = world.door(&[]);
    let session = door.session();
    let server = world.pids()[0];
    assert_eq!(door.request("DELETE", "/mcp", &session.headers(), "").status, 200);
    let late = session.call("echo", &json!({}));
    assert_eq!((late.status, late.json()["error"]["code"].clone()), (404, json!(-32001)));
    assert_eq!(session.get(None).status, 404);
    assert_eq!(door.request("DELETE", "/mcp", &session.headers(), "").status, 404);
    eventually("the server is gone", || !is_running(server));
    door.session();
}

#[test]
fn a_session_that_nobody_uses_ends_by_itself() {
    let world = World::new();
    let door = world.door(&["--idle", "1"]);
    let session = door.session();
    let server = world.pids()[0];
    eventually("the server is gone", || !is_running(server));
    assert_eq!(session.call("echo", &json!({})).status, 404);
}

#[test]
fn a_session_that_is_listened_to_does_not_end() {
    let world = World::new();
    let door = world.door(&["--idle", "1", "--sessions", "1"]);
    let session = door.session();
    let mut listening = session.get(None);
    let refused = door.request("POST", "/mcp", &[], &initialize("2025-11-25"));
    assert_eq!(refused.status, 503, "there is no other place, and nobody's is taken");
    session.call("announce", &json!({}));
    assert_eq!(listening.message()["method"], "notifications/tools/list_changed");
}

#[test]
fn the_one_that_is_idle_for_longest_makes_room() {
    let world = World::new();
    let door = world.door(&["--sessions", "2"]);
    let (first, second) = (door.session(), door.session());
    first.call("echo", &json!({}));
    let third = door.session();
    assert_eq!(second.call("echo", &json!({})).status, 404);
    for session in [first, third] {
        assert_eq!(session.call("echo", &json!({})).status, 200);
    }
}

#[test]
fn a_server_that_dies_answers_what_is_open() {
    let world = World::new();
    let door = world.door(&[]);
    let session = door.session();
    let answer = session.call("die", &json!({}));
    assert_eq!(answer.status, 200);
    assert!(answer.json()["error"]["message"].as_str().unwrap().contains("exit status: 3"));
}

#[test]
fn two_listen_at_once_and_the_second_is_refused() {
    let world = World::new();
    let door = world.door(&[]);
    let session = door.session();
    let _listening = session.get(None);
    assert_eq!(session.get(None).status, 409);
}

#[test]
fn a_refused_call_is_answered_at_once_and_recorded() {
    let world = World::new();
    let mut door = world.door(&[]);
    let session = door.session();
    let refused = session.call("wipe", &json!({}));
    assert_eq!(refused.status, 200);
    assert_eq!(refused.json()["error"]["code"], -32003);
    assert_eq!(session.call("echo", &json!({})).status, 200);
    door.leave();
    let kinds: Vec<_> = world.records().iter().map(|record| record["kind"].clone()).collect();
    assert_eq!(kinds, ["started", "call", "call", "outcome", "stopped"]);
    let call = &world.records_of("call")[0];
    assert_eq!((&call["client"]["name"], &call["server"]["entry"]), (&json!("test"), &json!("entry")));
    assert_eq!((&call["decision"], &call["member"]), (&json!("refused"), &json!("you@localhost")));
    assert_eq!(call["client"]["door"], "client", "the credential's name");
}

#[test]
fn a_batch_of_2025_03_26_is_answered_for_each_request_in_it() {
    let world = World::new();
    let door = world.door(&[]);
    let session = door.session_of("2025-03-26");
    let batch = json!([call("a", "echo", &json!({})), call("b", "wipe", &json!({})), {"jsonrpc": "2.0", "method": "notifications/x"}]);
    let mut answer = session.post(&batch);
    assert_eq!(answer.status, 200);
    let said: Vec<Value> = if answer.is_events() {
        answer.events_to_end().iter().map(crate::web_client::Event::json).collect()
    } else {
        vec![answer.json()]
    };
    let flat: Vec<Value> =
        said.into_iter().flat_map(|said| said.as_array().cloned().unwrap_or_else(|| vec![said])).collect();
    let of =
        |id: &str| flat.iter().find(|answer| answer["id"] == id).unwrap_or_else(|| panic!("{id}: {flat:?}"));
    assert!(of("a").get("result").is_some() && of("b")["error"]["code"] == -32003, "{flat:?}");
}
