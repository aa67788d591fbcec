//! A model API that plays from a script: it asks Claude Code for the tool calls it is told to ask
//! for, one a turn, and keeps what came back.

use crate::http::{Request, Response, Server};
use anyhow::Result;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

/// One tool call the model will ask for.
#[derive(Debug, Clone)]
pub struct Ask {
    /// As Claude names it: `mcp__everything__echo`.
    pub tool: String,
    pub input: Value,
}

/// The running fake.
#[derive(Debug, Clone)]
pub struct Model {
    server: Server,
    seen: Arc<Mutex<Seen>>,
}

/// What Claude sent.
#[derive(Debug, Default)]
pub struct Seen {
    /// Names of the tools offered in the latest request.
    pub tools: Vec<String>,
    /// Text of each tool result, in order.
    pub results: Vec<String>,
    /// The whole bodies of the turns, for a failing test's message.
    pub turns: Vec<Value>,
}

impl Model {
    /// # Errors
    /// No port could be had.
    pub fn start(script: Vec<Ask>) -> Result<Self> {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let keep = Arc::clone(&seen);
        let server = Server::start(move |request| answer(&request, &script, &keep))?;
        Ok(Self { server, seen })
    }

    #[must_use]
    pub fn url(&self) -> String {
        self.server.url("")
    }

    /// Looks at what was seen so far.
    pub fn seen<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

fn answer(request: &Request, script: &[Ask], seen: &Mutex<Seen>) -> Response {
    if !(request.method == "POST" && request.target.starts_with("/v1/messages")) {
        return Response::json(
            404,
            &json!({"type": "error", "error": {"type": "not_found_error", "message": "fake"}}),
        );
    }
    let body = request.json();
    if request.target.contains("count_tokens") {
        return Response::json(200, &json!({"input_tokens": 1}));
    }
    let results = tool_results(&body);
    let is_turn = body["tools"].as_array().is_some_and(|tools| !tools.is_empty());
    let turn = results.len();
    if is_turn {
        let mut seen = seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        seen.tools = body["tools"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|tool| tool["name"].as_str())
            .map(str::to_owned)
            .collect();
        seen.results = results;
        seen.turns.push(body.clone());
    }
    let content = match script.get(turn).filter(|_| is_turn) {
        Some(ask) => {
            json!({"type": "tool_use", "id": format!("toolu_fake_{turn:04}"), "name": ask.tool, "input": ask.input})
        }
        None => json!({"type": "text", "text": "done"}),
    };
    if body["stream"] == true { stream(&content) } else { whole(&content) }
}

fn tool_results(body: &Value) -> Vec<String> {
    let blocks = body["messages"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|message| message["content"].as_array())
        .flatten();
    blocks.filter(|block| block["type"] == "tool_result").map(|block| text_of(&block["content"])).collect()
}

fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            blocks.iter().filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

fn stop_reason(content: &Value) -> &'static str {
    if content["type"] == "tool_use" { "tool_use" } else { "end_turn" }
}

fn message(content: &[&Value], stop: &Value) -> Value {
    json!({"id": "msg_fake", "type": "message", "role": "assistant", "model": "claude-fake", "content": content,
           "stop_reason": stop, "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 1}})
}

fn whole(content: &Value) -> Response {
    Response::json(200, &message(&[content], &json!(stop_reason(content))))
}

fn stream(content: &Value) -> Response {
    let mut start = content.clone();
    let delta = if content["type"] == "tool_use" {
        start["input"] = json!({});
        json!({"type": "input_json_delta", "partial_json": content["input"].to_string()})
    } else {
        start["text"] = json!("");
        json!({"type": "text_delta", "text": content["text"]})
    };
    let events = [
        json!({"type": "message_start", "message": message(&[], &Value::Null)}),
        json!({"type": "content_block_start", "index": 0, "content_block": start}),
        json!({"type": "content_block_delta", "index": 0, "delta": delta}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": stop_reason(content), "stop_sequence": null}, "usage": {"output_tokens": 1}}),
        json!({"type": "message_stop"}),
    ];
    let mut body = String::new();
    for event in events {
        let _ = write!(body, "event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default());
    }
    Response::text(200, "text/event-stream", body)
}
