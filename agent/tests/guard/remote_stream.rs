//! The older HTTP+SSE where its one stream breaks: the session begins anew, and the client notices
//! nothing but the calls that were open.

use crate::client::{Guard, POLICY, World, eventually, message_of, text_of};
use crate::web::{Asked, Said, Web};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::net::Shutdown;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

/// Streams by session; `None` tells one to break off.
#[derive(Default)]
struct Streams {
    made: u32,
    say: BTreeMap<u32, Sender<Option<String>>>,
    capabilities: Value,
}

fn serve(streams: &Arc<Mutex<Streams>>) -> Web {
    let streams = Arc::clone(streams);
    Web::serve(move |asked, stream| {
        if asked.method == "GET" {
            let (say, events) = channel::<Option<String>>();
            let session = {
                let mut streams = streams.lock().unwrap();
                streams.made += 1;
                let session = streams.made;
                streams.say.insert(session, say);
                session
            };
            let head = format!("retry: 10\nevent: endpoint\ndata: /messages?session={session}\n\n");
            let Said(head) = Said::events(&head);
            stream.write_all(&head).unwrap();
            while let Ok(Some(event)) = events.recv() {
                if stream.write_all(format!("data: {event}\n\n").as_bytes()).is_err() {
                    break;
                }
            }
            let _ = stream.shutdown(Shutdown::Both);
            return Said(Vec::new());
        }
        let streams = streams.lock().unwrap();
        let session: u32 = asked.path.rsplit('=').next().unwrap().parse().unwrap();
        if let (Some(answer), Some(say)) = (answer(asked, session, &streams), streams.say.get(&session)) {
            let _ = say.send(Some(answer));
        }
        Said::new("202 Accepted", &[("Content-Length", "0")], "")
    })
}

fn answer(asked: &Asked, session: u32, streams: &Streams) -> Option<String> {
    let id = asked.json().get("id")?.clone();
    let result = match asked.json()["method"].as_str()? {
        "initialize" => json!({"protocolVersion": "2024-11-05", "capabilities": streams.capabilities}),
        "tools/call" if asked.json()["params"]["name"] == "hang" => return None,
        "tools/call" => json!({"content": [{"type": "text", "text": format!("session {session}")}]}),
        _ => json!({}),
    };
    Some(json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string())
}

fn break_off(streams: &Mutex<Streams>) {
    let streams = streams.lock().unwrap();
    for say in streams.say.values() {
        let _ = say.send(None);
    }
}

fn begun() -> (World, Arc<Mutex<Streams>>, Web, Guard) {
    let (world, streams) = (World::new(), Arc::default());
    let web = serve(&streams);
    let host = web.url.trim_start_matches("http://").trim_end_matches("/mcp");
    std::fs::write(world.policy(), POLICY.replace("127.0.0.1:9", host)).unwrap();
    let mut guard = world.guard(&["--sse", &web.url], &[]);
    guard.initialize();
    (world, streams, web, guard)
}

#[test]
fn a_stream_that_broke_is_opened_again_and_hears_the_clients_own_words() {
    let (_world, streams, web, mut guard) = begun();
    guard.ask(1, "logging/setLevel", &json!({"level": "debug"}));
    assert_eq!(text_of(&guard.call(2, "echo", &json!({}))), "session 1");
    break_off(&streams);
    eventually("the new session was told what the old one knew", || {
        web.posted("logging/setLevel").iter().any(|asked| asked.path.ends_with("=2"))
    });
    guard.say(r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"echo"}}"#);
    let next = guard.next();
    assert_eq!((&next["id"], text_of(&next)), (&json!(3), "session 2"), "the first that the client hears");
    let begun = web.posted("initialize");
    assert!(begun.len() == 2 && begun[0].body == begun[1].body);
    assert_eq!(web.posted("notifications/initialized").len(), 2);
}

#[test]
fn a_call_that_was_open_on_the_broken_stream_is_answered_and_not_sent_again() {
    let (world, streams, web, mut guard) = begun();
    guard.say(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"hang"}}"#);
    eventually("the call is there", || web.posted("tools/call").len() == 1);
    break_off(&streams);
    assert!(message_of(&guard.answer(1)).contains("closed the connection"));
    assert_eq!(text_of(&guard.call(2, "echo", &json!({}))), "session 2");
    assert_eq!(web.posted("tools/call").len(), 2);
    guard.leave();
    assert_eq!(world.records_of("outcome")[0]["fate"], "lost");
}

#[test]
fn a_new_stream_of_another_server_is_an_error_that_says_so() {
    let (_world, streams, web, mut guard) = begun();
    streams.lock().unwrap().capabilities = json!({"prompts": {}});
    break_off(&streams);
    eventually("it was asked", || web.posted("initialize").len() == 2);
    let refused = guard.call(1, "echo", &json!({}));
    assert!(message_of(&refused).contains("capabilities are others"), "{refused}");
    assert!(web.posted("tools/call").is_empty());
}
