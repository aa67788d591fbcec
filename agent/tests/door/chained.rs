//! A door in front of a door: HTTP on both sides, as it is with a remote server.

use crate::client::Door;
use crate::world::{World, text_of};
use serde_json::{Value, json};

fn chained(world: &World, first: &Door, sse: bool) -> Door {
    let url = format!("http://{}/{}", first.address, if sse { "sse" } else { "mcp" });
    world.govern(&url);
    let headers = json!({"Authorization": format!("Bearer {}", first.credential.as_deref().unwrap())});
    let server: &[&str] = if sse { &["--upstream", &url, "--sse"] } else { &["--upstream", &url] };
    world.door_to(&[], server, &[("PORTREEVE_HEADERS", &headers.to_string())])
}

#[test]
fn a_session_over_http_on_both_sides() {
    let world = World::new();
    let first = world.door(&[]);
    for sse in [false, true] {
        let door = chained(&world, &first, sse);
        let session = door.session();
        assert!(text_of(&session.call("echo", &json!({"n": 1})).json()).contains(r#""n":1"#));
        let mut progress = session.call("progress", &json!({"mark": "m", "count": 2}));
        assert_eq!(progress.events_to_end().len(), 3);
        let mut asking = session.call("ask", &json!({"mark": "who?"}));
        let question = asking.message();
        assert_eq!(question["params"]["message"], "who?");
        session.post(&json!({"jsonrpc": "2.0", "id": question["id"], "result": {"by": "me"}}));
        assert!(text_of(&asking.message()).contains("me"));
        assert_eq!(session.call("wipe", &json!({})).json()["error"]["code"], -32003);
    }
}

#[test]
fn stateless_requests_over_http_on_both_sides() {
    let world = World::new();
    let first = world.door(&[]);
    let door = chained(&world, &first, false);
    assert_eq!(
        door.ask("d", "server/discover", json!({})).json()["result"]["supportedVersions"],
        json!(["2026-07-28"])
    );
    let echoed: Value = serde_json::from_str(text_of(
        &door.ask("x", "tools/call", json!({"name": "echo", "arguments": {}})).json(),
    ))
    .unwrap();
    assert_eq!(echoed["id"], "x");
    let listed = door.ask(1, "tools/list", json!({}));
    assert_eq!(listed.status, 200);
    let mut params = json!({"name": "progress", "arguments": {"count": 2}});
    params["_meta"] = json!({"progressToken": "t"});
    assert_eq!(door.ask(2, "tools/call", params).events_to_end().len(), 3);
    assert_eq!(door.ask(3, "nobody/knows", json!({})).status, 404);
}
