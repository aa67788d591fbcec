//! A door in front of a remote server: what HTTP says beside the messages, there and back.

use crate::client::{Door, modern, repeated};
use crate::web::{Asked, Said, Web};
use crate::world::World;
use serde_json::{Value, json};

fn door_to(world: &World, web: &Web) -> Door {
    world.govern(&web.url);
    world.door_to(&[], &["--upstream", &web.url], &[])
}

fn answer(asked: &Asked, key: &str, value: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": asked.json()["id"], key: value}).to_string()
}

fn call(door: &Door, extra: &[(&'static str, &str)]) -> (u16, Value) {
    let body = modern("test", 1, "tools/call", json!({"name": "t", "arguments": {"region": "eu"}}));
    let mut headers = repeated(&body);
    headers.extend(extra.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = door.request("POST", "/mcp", &headers, &body.to_string());
    (answer.status, answer.json())
}

/// What it says was neither judged nor recorded, and a server, or whoever routes to it, may go by it.
#[test]
fn attack_a_header_that_no_list_named_says_what_nobody_judged() {
    let schema =
        json!({"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}});
    let web = Web::serve(move |asked, _| match asked.json()["method"].as_str() {
        Some("tools/list") => {
            let list = json!({"resultType": "complete", "tools": [{"name": "t", "inputSchema": schema}]});
            Said::events(&format!("data: {}\n\n", answer(asked, "result", &list)))
        }
        // As a server does that counts on the header.
        _ if asked.header("mcp-param-region").is_empty() => {
            let body = answer(asked, "error", &json!({"code": -32020, "message": "Header mismatch"}));
            Said::new("400 Bad Request", &[("Content-Type", "application/json")], &body)
        }
        _ => Said::json(&answer(asked, "result", &json!({"resultType": "complete", "content": []}))),
    });
    let world = World::new();
    let door = door_to(&world, &web);
    let (region, made_up) = (("Mcp-Param-Region", "eu"), ("Mcp-Param-Tenant", "somebody-else"));
    let (status, refused) = call(&door, &[region, made_up]);
    assert_eq!(
        (status, &refused["error"]["code"]),
        (400, &json!(-32020)),
        "so its client lists the tools again"
    );
    assert_eq!(door.ask(2, "tools/list", json!({})).status, 200);
    assert_eq!(call(&door, &[region, made_up]).0, 200);
    assert_eq!(call(&door, &[("Mcp-Param-Region", "us")]).0, 400, "what a list named has to agree");
    let reached = web.posted("tools/call");
    let said: Vec<_> = reached.iter().map(|asked| asked.header("mcp-param-region")).collect();
    assert_eq!(said, ["", "eu"], "made anew from what was judged");
    assert!(reached.iter().all(|asked| asked.header("mcp-param-tenant").is_empty()));
    assert!(reached.iter().all(|asked| (asked.method.as_str(), asked.path.as_str()) == ("POST", "/mcp")));
}

/// The status belongs to the answer that the client gets, which may be another than the server gave.
#[test]
fn a_clients_status_follows_from_its_answer_and_not_from_the_servers_status() {
    for (theirs, code, ours) in [
        ("400 Bad Request", -32020, 400),
        ("200 OK", -32021, 400),
        ("500 Internal Server Error", -32601, 404),
        ("400 Bad Request", -32602, 200),
        ("503 Service Unavailable", -32603, 200),
        ("401 Unauthorized", -32000, 200),
        ("403 Forbidden", -32000, 200),
    ] {
        let web = Web::serve(move |asked, _| {
            if asked.json()["method"] == "server/discover" {
                let discovered = json!({"resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {}});
                return Said::json(&answer(asked, "result", &discovered));
            }
            let body = answer(asked, "error", &json!({"code": code, "message": "no"}));
            let headers =
                [("Content-Type", "application/json"), ("WWW-Authenticate", "Bearer realm=\"theirs\"")];
            Said::new(theirs, &headers, &body)
        });
        let world = World::new();
        let door = door_to(&world, &web);
        assert_eq!(door.ask("d", "server/discover", json!({})).status, 200);
        let (status, told) = call(&door, &[]);
        assert_eq!(status, ours, "{theirs} {code}: {told}");
        let is_sign_in = theirs.starts_with("401") || theirs.starts_with("403");
        assert_eq!(told["error"]["code"], if is_sign_in { 40100 } else { code }, "{told}");
    }
}
