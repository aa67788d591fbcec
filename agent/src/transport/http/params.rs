//! Arguments that a server wants repeated in headers: a tool's `inputSchema` marks a property with
//! `x-mcp-header: "Region"`, and its calls carry `Mcp-Param-Region` (MCP 2026-07-28, "Custom headers
//! from tool parameters"). Learnt from the tool lists that pass by; a mark that is against the
//! specification is ignored, as the server will.

use crate::transport::http::headers::header_text;
use crate::transport::outgoing::Outgoing;
use reqwest::header::HeaderName;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::HashMap;

/// Deeper schemas are not searched.
const MAX_DEPTH: usize = 32;

#[derive(Debug, Default)]
pub struct ParamHeaders {
    by_tool: HashMap<String, Vec<Mark>>,
}

/// One marked property.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    /// Names from `arguments` down.
    path: Vec<String>,
    header: HeaderName,
}

impl ParamHeaders {
    /// Reads the answer to `tools/list`, one page of it.
    pub fn learn(&mut self, answer: &[u8]) {
        #[derive(Deserialize)]
        struct Answer {
            result: ToolList,
        }
        #[derive(Deserialize)]
        struct ToolList {
            tools: Vec<Tool>,
        }
        #[derive(Deserialize)]
        struct Tool {
            name: String,
            #[serde(default, rename = "inputSchema")]
            schema: Value,
        }
        let Ok(Answer { result }) = serde_json::from_slice(answer) else { return };
        for tool in result.tools {
            let mut marks = Vec::new();
            collect(&tool.schema, &mut Vec::new(), &mut marks);
            self.by_tool.insert(tool.name, marks);
        }
        self.by_tool.retain(|_, marks| !marks.is_empty());
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

/// Only what `properties` reaches counts: no items, no alternatives, no references.
fn collect(schema: &Value, path: &mut Vec<String>, marks: &mut Vec<Mark>) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    for (name, property) in properties {
        path.push(name.clone());
        let suffix = property.get("x-mcp-header").and_then(Value::as_str).filter(|suffix| !suffix.is_empty());
        if let Some(header) =
            suffix.and_then(|suffix| HeaderName::try_from(format!("mcp-param-{suffix}")).ok())
        {
            marks.push(Mark { path: path.clone(), header });
        }
        if path.len() < MAX_DEPTH {
            collect(property, path, marks);
        }
        path.pop();
    }
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
mod tests {
    use super::*;
    use serde_json::json;

    fn headers(schema: &Value, arguments: &Value) -> Vec<(String, String)> {
        let mut known = ParamHeaders::default();
        let list =
            json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "t", "inputSchema": schema}]}});
        known.learn(list.to_string().as_bytes());
        let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "t", "arguments": arguments}});
        let call = Outgoing::read(call.to_string().into_bytes());
        known.of(&call).into_iter().map(|(name, value)| (name.as_str().to_owned(), value)).collect()
    }

    fn mark(name: &str) -> Value {
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
    fn marks_against_the_specification_are_ignored() {
        let schema = json!({
            "properties": {"a": mark("no spaces"), "b": mark(""), "c": mark("x\r\nEvil: 1"), "d": {"items": {"properties": {"e": mark("E")}}}},
            "anyOf": [{"properties": {"f": mark("F")}}],
        });
        let arguments = json!({"a": "1", "b": "1", "c": "1", "d": [{"e": "1"}], "f": "1"});
        assert_eq!(headers(&schema, &arguments), []);
    }
}
