//! What the client says: the messages of one session, and what a good answer looks like.

use anyhow::{Result, ensure};
use memchr::memmem;
use serde_json::{Value, json};
use std::io::Write;

/// How a contestant wants its calls.
#[derive(Debug, Clone)]
pub struct Call {
    /// The server's one tool, as a peer that gathers many servers calls it.
    tool: String,
}

impl Call {
    pub fn of(tool: &str) -> Self {
        Self { tool: tool.to_owned() }
    }

    /// Writes one request for a text of this size.
    pub fn write(&self, id: u64, size: usize, out: &mut Vec<u8>) {
        let tool = &self.tool;
        // Writing to memory does not fail.
        let _ = write!(
            out,
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{{"size":{size}}}}}}}"#
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
        text.len() * 11 / 10 >= size && message["result"]["isError"] != true,
        "not the answer that was asked for: {}",
        shown(answer)
    );
    Ok(())
}

/// The same at a glance, as it is done for every call.
pub fn glance(answer: &[u8], size: usize) -> Result<()> {
    let (head, tail) = (
        answer.get(..200).unwrap_or(answer),
        answer.get(answer.len().saturating_sub(200)..).unwrap_or_default(),
    );
    let fails =
        |part| memmem::find(part, b"\"error\":").is_some() || memmem::find(part, b"sError\":true").is_some();
    ensure!(answer.len() >= size && !fails(head) && !fails(tail), "a call failed: {}", shown(answer));
    Ok(())
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
        let good = json!({"id": 1, "result": {"content": [{"text": "y".repeat(100)}]}}).to_string();
        assert!(glance(good.as_bytes(), 100).is_ok() && check(good.as_bytes(), 100).is_ok());
    }
}
