//! Arguments that a server wants repeated in headers: a tool's `inputSchema` marks a property with
//! `x-mcp-header: "Region"`, and its calls carry `Mcp-Param-Region` (MCP 2026-07-28, "Custom headers
//! from tool parameters"). Learnt from the tool lists that pass by.

mod marks;

use crate::transport::http::headers::header_text;
use crate::transport::outgoing::Outgoing;
use marks::{Mark, marks_of, without_invalid};
use mcp::Message;
use mcp::list::{List, entries};
use reqwest::header::HeaderName;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::HashMap;

#[derive(Debug, Default)]
pub struct ParamHeaders {
    by_tool: HashMap<String, Vec<Mark>>,
}

impl ParamHeaders {
    /// Reads the answer to `tools/list`, one page of it.
    pub fn learn(&mut self, answer: &[u8]) {
        let Ok(message) = Message::parse(answer.to_vec()) else { return };
        for (name, tool) in entries(&message, List::Tools) {
            match marks_of(tool) {
                Ok(marks) if !marks.is_empty() => drop(self.by_tool.insert(name, marks)),
                Ok(_) | Err(_) => drop(self.by_tool.remove(&name)),
            }
        }
    }

    /// Every header that calls of this tool may carry.
    pub fn names(&self, tool: &str) -> Vec<HeaderName> {
        let marks = self.by_tool.get(tool).map(Vec::as_slice).unwrap_or_default();
        marks.iter().map(|mark| mark.header.clone()).collect()
    }

    /// The headers that a call has to carry.
    pub fn of(&self, call: &Outgoing) -> Vec<(HeaderName, String)> {
        let Some(marks) = call.name.as_ref().and_then(|tool| self.by_tool.get(tool)) else {
            return Vec::new();
        };
        let Some(arguments) = arguments(&call.bytes) else { return Vec::new() };
        marks.iter().filter_map(|mark| Some((mark.header.clone(), mark.value(&arguments)?))).collect()
    }
}

impl Mark {
    /// What is absent, null or no plain value has no header.
    fn value(&self, arguments: &Map<String, Value>) -> Option<String> {
        let (last, folders) = self.path.split_last()?;
        let folder = folders.iter().try_fold(arguments, |folder, name| folder.get(name)?.as_object())?;
        match folder.get(last)? {
            Value::String(text) => Some(header_text(text)),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(truth) => Some(truth.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

/// A list as clients of HTTP show it (2026-07-28); `None` where that is as it came.
pub fn fit(request: &Outgoing, answer: &[u8]) -> Option<Vec<u8>> {
    let is_list = request.is_stateless() && request.is("tools/list");
    if is_list { without_invalid(answer) } else { None }
}

fn arguments(call: &[u8]) -> Option<Map<String, Value>> {
    #[derive(Deserialize)]
    struct Call {
        params: Params,
    }
    #[derive(Deserialize)]
    struct Params {
        arguments: Map<String, Value>,
    }
    serde_json::from_slice::<Call>(call).ok().map(|call| call.params.arguments)
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use serde_json::json;

    pub fn headers(schema: &Value, arguments: &Value) -> Vec<(String, String)> {
        let mut known = ParamHeaders::default();
        let list =
            json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "t", "inputSchema": schema}]}});
        known.learn(list.to_string().as_bytes());
        let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "t", "arguments": arguments}});
        let call = Outgoing::read(call.to_string().into_bytes());
        known.of(&call).into_iter().map(|(name, value)| (name.as_str().to_owned(), value)).collect()
    }

    pub fn mark(name: &str) -> Value {
        json!({"type": "string", "x-mcp-header": name})
    }

    #[test]
    fn marked_arguments_are_repeated_whatever_their_depth_and_characters() {
        let schema = json!({"properties": {
            "region": mark("Region"), "other": {"type": "string"},
            "deep": {"properties": {"dry": {"type": "boolean", "x-mcp-header": "Dry-Run"}}},
            "count": {"type": "integer", "x-mcp-header": "Count"},
        }});
        let arguments = json!({"region": "größe", "other": "x", "deep": {"dry": true}, "count": 42});
        let mut found = headers(&schema, &arguments);
        found.sort();
        let expected = [
            ("mcp-param-count", "42"),
            ("mcp-param-dry-run", "true"),
            ("mcp-param-region", "=?base64?Z3LDtsOfZQ==?="),
        ];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn what_is_absent_null_or_no_plain_value_has_no_header() {
        let schema = json!({"properties": {"a": mark("A"), "b": mark("B"), "c": mark("C")}});
        assert_eq!(headers(&schema, &json!({"b": null, "c": [1]})), []);
    }

    #[test]
    fn a_mark_that_is_taken_back_is_forgotten() {
        let mut known = ParamHeaders::default();
        let list = |property: &Value| json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "t", "inputSchema": {"properties": {"a": property}}}]}});
        known.learn(list(&mark("A")).to_string().as_bytes());
        assert_eq!(known.names("t").len(), 1);
        known.learn(list(&json!({"type": "string"})).to_string().as_bytes());
        assert_eq!(known.names("t").len(), 0);
    }
}
