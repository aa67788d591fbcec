//! The marks in a tool's schema, and the tools whose marks are against the specification: a client of HTTP must
//! not show them. Here the guard is that client, whatever its own client speaks.

use mcp::Message;
use mcp::list::{List, entries, filter};
use reqwest::header::HeaderName;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::HashSet;

/// Marks that lie deeper are not taken.
const MAX_DEPTH: usize = 32;
const MARK: &str = "x-mcp-header";

/// One marked property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Names from `arguments` down.
    pub path: Vec<String>,
    pub header: HeaderName,
}

/// A page of the list without the tools whose marks are against the specification. `None` where there is
/// none of them, and where the list cannot be read, which is for the gate to say.
pub fn without_invalid(answer: &[u8]) -> Option<Vec<u8>> {
    // Most lists have no mark at all, and no letter of English escaped, as one could be.
    let may_have = |part: &[u8]| memchr::memmem::find(answer, part).is_some();
    if !may_have(b"mcp-header") && !may_have(b"\\u00") {
        return None;
    }
    let message = Message::parse(answer.to_vec()).ok()?;
    let unmarkable: HashSet<String> = entries(&message, List::Tools)
        .into_iter()
        .filter_map(|(name, tool)| {
            let why = marks_of(tool).err()?;
            tracing::warn!(tool = name, %why, "a tool is left out: its `x-mcp-header` is against the specification");
            Some(name)
        })
        .collect();
    if unmarkable.is_empty() {
        return None;
    }
    filter(message, List::Tools, |name, _| !unmarkable.contains(name)).ok().map(|filtered| filtered.bytes)
}

/// Why a mark is against the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadMark {
    #[error("it is no header's name")]
    Name,
    #[error("two properties have it")]
    Twice,
    #[error("its property is no string, integer or boolean")]
    Type,
    #[error("its property cannot be reached by `properties` alone")]
    Place,
    #[error("its property lies deeper than {MAX_DEPTH} objects")]
    Depth,
}

pub fn marks_of(tool: &str) -> Result<Vec<Mark>, BadMark> {
    #[derive(Deserialize)]
    struct Tool {
        #[serde(default, rename = "inputSchema")]
        schema: Value,
    }
    let Ok(Tool { schema }) = serde_json::from_str(tool) else { return Ok(Vec::new()) };
    let mut marks = Vec::new();
    collect(&schema, &mut Vec::new(), true, 0, &mut marks)?;
    let mut names = HashSet::new();
    // Header names are in lower case.
    if marks.iter().all(|mark| names.insert(&mark.header)) { Ok(marks) } else { Err(BadMark::Twice) }
}

/// Where schemas lie in a schema. Only those in `properties` of `properties` may be marked.
const ONE: [&str; 11] = [
    "additionalProperties",
    "contains",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
];
const SEVERAL: [&str; 5] = ["allOf", "anyOf", "items", "oneOf", "prefixItems"];
const NAMED: [&str; 4] = ["$defs", "definitions", "dependentSchemas", "patternProperties"];

fn collect(
    schema: &Value,
    path: &mut Vec<String>,
    reachable: bool,
    depth: usize,
    marks: &mut Vec<Mark>,
) -> Result<(), BadMark> {
    let Some(schema) = schema.as_object() else { return Ok(()) };
    if depth > MAX_DEPTH {
        return if has_mark(schema) { Err(BadMark::Depth) } else { Ok(()) };
    }
    if let Some(mark) = schema.get(MARK) {
        marks.push(mark_at(mark, schema, path, reachable)?);
    }
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        path.push(name.clone());
        collect(property, path, reachable, depth + 1, marks)?;
        path.pop();
    }
    let one = ONE.iter().filter_map(|key| schema.get(*key));
    let several = SEVERAL.iter().filter_map(|key| schema.get(*key)?.as_array()).flatten();
    let named = NAMED.iter().filter_map(|key| schema.get(*key)?.as_object()).flat_map(Map::values);
    for elsewhere in one.chain(several).chain(named) {
        collect(elsewhere, path, false, depth + 1, marks)?;
    }
    Ok(())
}

fn mark_at(
    mark: &Value,
    property: &Map<String, Value>,
    path: &[String],
    reachable: bool,
) -> Result<Mark, BadMark> {
    if !reachable || path.is_empty() {
        return Err(BadMark::Place);
    }
    let suffix = mark.as_str().filter(|suffix| !suffix.is_empty()).ok_or(BadMark::Name)?;
    let header = HeaderName::try_from(format!("mcp-param-{suffix}")).map_err(|_| BadMark::Name)?;
    match property.get("type").and_then(Value::as_str) {
        Some("string" | "integer" | "boolean") => Ok(Mark { path: path.to_vec(), header }),
        _ => Err(BadMark::Type),
    }
}

/// Is there a mark anywhere below? Schemas are as deep as messages may be, so this ends.
fn has_mark(schema: &Map<String, Value>) -> bool {
    let below = |value: &Value| match value {
        Value::Object(object) => has_mark(object),
        Value::Array(items) => items.iter().filter_map(Value::as_object).any(has_mark),
        _ => false,
    };
    schema.contains_key(MARK) || schema.values().any(below)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{headers, mark};
    use super::*;
    use serde_json::json;

    /// The tools that are left of a list of this one and a good one.
    fn left(schema: &Value) -> String {
        let good = json!({"name": "good", "inputSchema": {"properties": {"a": mark("A")}}});
        let list = json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "t", "inputSchema": schema}, good]}});
        let list = list.to_string().into_bytes();
        let shown = without_invalid(&list).unwrap_or(list);
        let message = Message::parse(shown).unwrap();
        entries(&message, List::Tools).into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_tool_with_a_mark_against_the_specification_is_left_out() {
        let of = |property: Value| json!({"type": "object", "properties": {"a": property}});
        for schema in [
            of(mark("no spaces")),
            of(mark("")),
            of(mark("x\r\nEvil: 1")),
            of(mark("größe")),
            of(json!({"type": "string", "x-mcp-header": 7})),
            of(json!({"type": "number", "x-mcp-header": "A"})),
            of(json!({"type": "object", "x-mcp-header": "A"})),
            of(json!({"type": ["string", "null"], "x-mcp-header": "A"})),
            of(json!({"x-mcp-header": "A"})),
            json!({"properties": {"a": mark("Same"), "b": mark("sAME")}}),
            json!({"type": "string", "x-mcp-header": "A"}),
            of(json!({"type": "array", "items": mark("A")})),
            of(json!({"items": {"properties": {"e": mark("E")}}})),
            of(json!({"items": [mark("E")]})),
            json!({"anyOf": [{"properties": {"f": mark("F")}}]}),
            json!({"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": mark("X")}}),
            json!({"if": {"properties": {"a": mark("A")}}}),
            json!({"additionalProperties": mark("A")}),
            json!({"patternProperties": {"^x": mark("A")}}),
        ] {
            assert_eq!(left(&schema), "good", "{schema}");
            assert_eq!(headers(&schema, &json!({"a": "1", "e": "1", "f": "1"})), [], "{schema}");
        }
    }

    #[test]
    fn every_other_tool_stays_and_so_does_every_byte() {
        let deep = |depth| {
            (0..depth).fold(mark("Deep"), |inner, _| json!({"type": "object", "properties": {"a": inner}}))
        };
        for schema in [
            json!({"properties": {"a": mark("A"), "b": {"type": "integer", "x-mcp-header": "B"}}}),
            json!({"properties": {"x-mcp-header": {"type": "string"}, "b": {"default": {"x-mcp-header": " "}}}}),
            json!({"properties": {"a": {"const": {"x-mcp-header": ""}}}, "description": "x-mcp-header"}),
            json!({}),
            json!("x-mcp-header"),
            deep(MAX_DEPTH),
        ] {
            assert_eq!(left(&schema), "t good", "{schema}");
        }
        assert_eq!(left(&deep(MAX_DEPTH + 1)), "good");
        for escaped in [r"x-mcp-\u0068eader", r"\u0078-mcp-header", r"x\u002dmcp\u002Dheader"] {
            let list = format!(
                r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{{"name":"t","inputSchema":{{"properties":{{"a":{{"type":"object","{escaped}":"A"}}}}}}}}]}}}}"#
            );
            let shown = without_invalid(list.as_bytes()).expect("attack: an escaped mark is one");
            assert!(!String::from_utf8(shown).unwrap().contains("\"t\""), "{escaped}");
        }
        let odd = br#"{"jsonrpc":"2.0","id":1,"result":{"tools":[ {"name":"a","inputSchema":{"properties":{"x":{"type":"string","x-mcp-header":"X"}}}}, {"name":7} ]}}"#;
        assert_eq!(without_invalid(odd), None, "what cannot be read is for the gate");
        assert_eq!(without_invalid(b"x-mcp-header"), None);
    }
}
