//! What the bridge between eras says in the client's name is asked of policy like the client's own words.

use crate::client::World;
use serde_json::{Value, json};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

/// Of 2025-11-25, with log levels; writes down what it hears.
const SERVER: &str = r#"#!/bin/sh
while read -r line; do
    printf '%s\n' "$line" >> "$HEARD"
    id=$(printf '%s' "$line" | sed 's/.*"id":\("[^"]*"\|[0-9]*\).*/\1/')
    case "$line" in
        *'"server/discover"'*) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"?"}}\n' "$id" ;;
        *'"initialize"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-11-25","capabilities":{"logging":{},"tools":{}},"serverInfo":{"name":"s","version":"1"}}}\n' "$id" ;;
        *'"notifications/'*) ;;
        *) printf '{"jsonrpc":"2.0","id":%s,"result":{"content":[]}}\n' "$id" ;;
    esac
done
"#;

const POLICY: &str = r#"
[defaults]
mode = "enforce"
[servers.old]
match = ["exec:*old-server"]
[roles.all]
members = ["*"]
[[grants]]
name = "tools"
roles = ["all"]
servers = ["old"]
tools = ["*"]
"#;

const NO_LEVELS: &str = r#"
[[grants]]
name = "no-levels"
effect = "deny"
roles = ["all"]
servers = ["old"]
methods = ["logging/setLevel"]
"#;

fn modern(id: u32, method: &str, params: &Value) -> String {
    let mut params = params.clone();
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "c", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/logLevel": "debug",
    });
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()
}

#[test]
fn attack_the_bridge_sets_a_log_level_that_policy_denies() {
    for (policy, levels) in [(POLICY.to_owned(), 1), (format!("{POLICY}{NO_LEVELS}"), 0)] {
        let world = World::with(&policy);
        let heard = world.path().join("heard");
        let server = world.path().join("old-server");
        std::fs::write(&server, SERVER).unwrap();
        std::fs::set_permissions(&server, Permissions::from_mode(0o755)).unwrap();
        let mut guard = world.guard(&["--", server.to_str().unwrap()], &[("HEARD", heard.to_str().unwrap())]);
        guard.say(&modern(1, "server/discover", &json!({})));
        assert_eq!(guard.next()["error"]["code"], -32601);
        guard.say(&modern(2, "tools/call", &json!({"name": "t", "arguments": {}})));
        let answer = guard.next();
        assert_eq!((&answer["id"], answer["result"].is_object()), (&json!(2), true), "{answer}");
        let heard = std::fs::read_to_string(&heard).unwrap();
        assert_eq!(heard.matches("\"logging/setLevel\"").count(), levels, "{heard}");
        assert_eq!(heard.matches("\"tools/call\"").count(), 1, "{heard}");
    }
}
