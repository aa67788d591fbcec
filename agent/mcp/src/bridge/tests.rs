//! The machine as both ends see it: one side's words in, the other's out.

mod attacks;
mod legacy_server;
mod modern_server;
mod opening;
mod rounds_at_random;

use super::{Bridge, Step};
use crate::frame::Line;
use serde_json::{Value, json};
use std::cell::Cell;

thread_local! {
    static TEXTS: Cell<u32> = const { Cell::new(0) };
}

/// Not unguessable, but another one each time.
fn text() -> String {
    TEXTS.set(TEXTS.get() + 1);
    format!("t{}", TEXTS.get())
}

/// A bridge with both its ends in one hand.
struct Ends {
    bridge: Bridge,
    server: Vec<Value>,
    client: Vec<Value>,
}

impl Ends {
    fn new() -> Self {
        Self { bridge: Bridge::new(text), server: Vec::new(), client: Vec::new() }
    }

    fn client_says(&mut self, message: &Value) -> &mut Self {
        let steps = self.bridge.client_says(message.to_string().into_bytes());
        self.take(steps)
    }

    fn server_says(&mut self, message: &Value) -> &mut Self {
        let steps = self.bridge.server_says(Line::Whole(message.to_string().into_bytes()), None);
        self.take(steps)
    }

    fn take(&mut self, steps: Vec<Step>) -> &mut Self {
        for step in steps {
            match step {
                Step::ToServer(bytes) | Step::AskServer(bytes) => self.server.push(read(&bytes)),
                Step::ToClient { line: Line::Whole(bytes), .. } => self.client.push(read(&bytes)),
                Step::ToClient { line: Line::Read(message), .. } => self.client.push(read(message.bytes())),
                Step::ToClient { line: Line::Oversize { .. }, .. } => self.client.push(json!("oversize")),
            }
        }
        self
    }

    /// What the server was told since.
    fn at_server(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.server)
    }

    /// What the client was told since.
    fn at_client(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.client)
    }

    /// The one message that the server was told since; the client none.
    fn one_at_server(&mut self) -> Value {
        assert_eq!(self.at_client(), Vec::<Value>::new());
        one(self.at_server())
    }

    /// The one message that the client was told since; the server none.
    fn one_at_client(&mut self) -> Value {
        assert_eq!(self.at_server(), Vec::<Value>::new());
        one(self.at_client())
    }

    /// An older client in front of a newer server, handshake done; the id of the subscription, if any.
    fn older_client(capabilities: &Value) -> (Self, Option<Value>) {
        let mut ends = Self::new();
        ends.client_says(&hello()).server_says(&unsupported(&json!(0)));
        let probe = ends.at_server().pop().unwrap();
        ends.server_says(&discovered(&probe["id"], capabilities));
        ends.client_says(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        ends.at_client();
        let listen = ends.at_server().pop().map(|listen| listen["id"].clone());
        (ends, listen)
    }

    /// A newer client in front of an older server, handshake done, nothing open.
    fn newer_client(capabilities: &Value) -> Self {
        let mut ends = Self::new();
        ends.client_says(&modern("d", "server/discover", &json!({})));
        ends.server_says(&refused(&json!("d"), -32601));
        ends.at_server();
        ends.client_says(&modern("first", "ping/pong", &json!({})));
        let hello = ends.one_after_client();
        assert_eq!(hello["method"], "initialize");
        ends.server_says(&welcomed(&hello["id"], capabilities));
        let first = ends.at_server().pop().unwrap();
        ends.server_says(&refused(&first["id"], -32601));
        ends.at_client();
        ends
    }

    fn one_after_client(&mut self) -> Value {
        self.at_client();
        one(self.at_server())
    }
}

fn one(mut messages: Vec<Value>) -> Value {
    assert_eq!(messages.len(), 1, "{messages:?}");
    messages.remove(0)
}

fn read(bytes: &[u8]) -> Value {
    crate::Message::parse(bytes.to_vec()).expect("what the bridge says passes the strict scan");
    serde_json::from_slice(bytes).unwrap()
}

fn hello() -> Value {
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {"elicitation": {}, "roots": {"listChanged": true}},
        "clientInfo": {"name": "old", "version": "1"}
    }})
}

fn request(id: impl Into<Value>, method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id.into(), "method": method, "params": params})
}

/// A request of 2026-07-28.
fn modern(id: impl Into<Value>, method: &str, params: &Value) -> Value {
    let mut message = request(id, method, params);
    message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
    message["params"]["_meta"]["io.modelcontextprotocol/clientInfo"] = json!({"name": "new", "version": "1"});
    message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] =
        json!({"elicitation": {"form": {}, "url": {}}, "roots": {}});
    message
}

fn result(id: &Value, result: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "result": result})
}

fn refused(id: &Value, code: i64) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": "no"}})
}

fn unsupported(id: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32022, "message": "Unsupported protocol version",
           "data": {"supported": ["2026-07-28"], "requested": "2025-06-18"}}})
}

fn discovered(id: &Value, capabilities: &Value) -> Value {
    result(
        id,
        &json!({"resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": capabilities,
                "instructions": "Be kind.", "ttlMs": 0, "cacheScope": "private",
                "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "newer", "version": "3"}}}),
    )
}

fn welcomed(id: &Value, capabilities: &Value) -> Value {
    result(
        id,
        &json!({"protocolVersion": "2025-11-25", "capabilities": capabilities,
                "serverInfo": {"name": "older", "version": "2"}, "instructions": "Be kind."}),
    )
}
