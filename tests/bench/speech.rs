//! What the client says: the messages of one session, and what a good answer looks like.

use anyhow::{Result, ensure};
use memchr::memmem;
use serde_json::{Value, json};
use std::io::Write;

/// Words of the text that the server answers with. Whoever gives them handed the answer on.
const OF_THE_TEXT: &[u8] = b"one of many lines";
/// How far into an answer they stand at the latest, whatever a peer puts before the server's own result.
const HEAD_BYTES: usize = 2000;

/// How a contestant wants its calls.
#[derive(Debug, Clone)]
pub struct Call {
    /// The server's one tool, as a peer that gathers many servers calls it.
    tool: String,
    /// What stands before and after the server's own arguments, where the peer's tool is another one.
    around: (&'static str, &'static str),
}

impl Call {
    pub fn of(tool: &str) -> Self {
        Self { tool: tool.to_owned(), around: ("", "") }
    }

    /// One to a peer's own tool, which makes the call that it is given.
    pub fn through(tool: &str, before: &'static str, after: &'static str) -> Self {
        Self { tool: tool.to_owned(), around: (before, after) }
    }

    /// Writes one request for a text of this size.
    pub fn write(&self, id: u64, size: usize, out: &mut Vec<u8>) {
        let (tool, (before, after)) = (&self.tool, self.around);
        // Writing to memory does not fail.
        let _ = write!(
            out,
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{before}{{"size":{size}}}{after}}}}}"#
        );
    }
}

pub fn initialize() -> Vec<u8> {
    let client = json!({"name": "bench", "version": "1"});
    let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client});
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}).to_string().into_bytes()
}

pub fn initialized() -> Vec<u8> {
    json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string().into_bytes()
}

/// The whole answer, looked at closely.
pub fn check(answer: &[u8], size: usize) -> Result<()> {
    let message: Value = serde_json::from_slice(message_in(answer))?;
    let text = message["result"]["content"][0]["text"].as_str().unwrap_or_default();
    // Some peers wrap the server's whole result in a text of their own; none may lose any of it.
    ensure!(
        text.len() * 11 / 10 >= size && message["result"]["isError"] != true && carries_text(answer),
        "not the answer that was asked for: {}",
        shown(answer)
    );
    Ok(())
}

/// The same at a glance, as it is done for every call.
pub fn glance(answer: &[u8], size: usize) -> Result<()> {
    ensure!(answer.len() >= size && carries_text(answer), "a call failed: {}", shown(answer));
    Ok(())
}

fn carries_text(answer: &[u8]) -> bool {
    memmem::find(answer.get(..HEAD_BYTES).unwrap_or(answer), OF_THE_TEXT).is_some()
}

/// An event stream carries the message in its `data` field.
pub fn message_in(body: &[u8]) -> &[u8] {
    let lines = body.split(|byte| *byte == b'\n');
    let data = lines.filter_map(|line| line.strip_prefix(b"data:")).map(<[u8]>::trim_ascii);
    data.rev().find(|data| memmem::find(data, b"\"id\"").is_some()).unwrap_or(body)
}

pub fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..300).unwrap_or(bytes)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_in_events_is_found() {
        let body = b"event: message\r\ndata: {\"method\":\"x\"}\r\n\r\ndata: {\"id\":1}\r\n\r\n";
        assert_eq!(message_in(body), b"{\"id\":1}");
        assert_eq!(message_in(b"{}"), b"{}");
    }

    #[test]
    fn a_refusal_is_no_good_answer_however_long() {
        let refusal = format!(r#"{{"error":{{"message":"{}"}}}}"#, "x".repeat(200));
        assert!(glance(refusal.as_bytes(), 100).is_err() && check(refusal.as_bytes(), 100).is_err());
        let failed = json!({"success": false, "error": "the circuit is open ".repeat(5)}).to_string();
        let wrapped = json!({"id": 1, "result": {"content": [{"text": failed}]}}).to_string();
        assert!(glance(wrapped.as_bytes(), 100).is_err() && check(wrapped.as_bytes(), 100).is_err());
        let text = "one of many lines, ".repeat(6);
        let good = json!({"id": 1, "result": {"content": [{"text": text}]}}).to_string();
        assert!(glance(good.as_bytes(), 100).is_ok() && check(good.as_bytes(), 100).is_ok());
    }

    #[test]
    fn a_peers_own_tool_is_given_the_call_to_make() {
        let mut asked = Vec::new();
        Call::through("call", r#"{"tool":"echo","arguments":"#, "}").write(7, 100, &mut asked);
        let asked: Value = serde_json::from_slice(&asked).unwrap();
        let arguments = json!({"tool": "echo", "arguments": {"size": 100}});
        assert_eq!(asked["params"], json!({"name": "call", "arguments": arguments}));
    }
}
