//! One message: strict where readers could differ, and kept byte for byte where they cannot.

use crate::lenient;
use mcp::{Kind, List, Message, Subject, edit, list};
use serde_json::Value;

/// Deeper than this, serde_json itself gives up.
const DEPTH_OF_THE_ORACLE: usize = 120;

pub fn run(data: &[u8]) {
    let Ok(message) = Message::parse(data.to_vec()) else { return };
    assert_eq!(message.bytes(), data, "a message keeps its bytes");
    let opened = data.iter().filter(|byte| matches!(byte, b'{' | b'[')).count();
    let Ok(value) = serde_json::from_slice::<Value>(data) else {
        // Numbers that no f64 holds are the one thing that the oracle refuses and we forward untouched.
        assert!(opened > DEPTH_OF_THE_ORACLE || data.iter().any(u8::is_ascii_digit), "parsed, and no JSON");
        return;
    };
    envelope(&message, &value);
    edits(&message, &value);
}

/// What we read is what serde_json reads.
fn envelope(message: &Message, value: &Value) {
    assert_eq!(value["jsonrpc"], "2.0");
    assert_eq!(lenient::members(value, "method").len(), usize::from(value.get("method").is_some()));
    match message.kind() {
        Kind::Request { id, method } => {
            assert_eq!(value["method"], method.as_str());
            assert_eq!(serde_json::from_str::<Value>(id.as_json()).ok().as_ref(), value.get("id"));
        }
        Kind::Notification { method } => {
            assert_eq!(value["method"], method.as_str());
            assert!(value.get("id").is_none(), "a notification has no id");
        }
        Kind::Response { .. } => assert!(value.get("result").is_some() && value.get("error").is_none()),
        Kind::Error { .. } => assert!(value.get("error").is_some() && value.get("result").is_none()),
    }
    let asked = lenient::asked(value);
    match message.subject() {
        Subject::ToolCall { name, arguments } => {
            assert_eq!(
                asked,
                [("tools/call".to_owned(), name.to_owned())],
                "every reader calls the same tool"
            );
            let arguments = arguments.map(|text| serde_json::from_str::<Value>(text).ok());
            assert_eq!(arguments, value["params"].get("arguments").cloned().map(Some));
        }
        Subject::Prompt { name, .. } => {
            assert_eq!(
                asked,
                [("prompts/get".to_owned(), name.to_owned())],
                "every reader gets the same prompt"
            );
        }
        Subject::Resource { uri } => {
            assert!(asked.iter().all(|(_, about)| about == uri), "every reader reads the same resource");
        }
        _ => {}
    }
}

/// Edits that have nothing to do change nothing, and a line stays one line.
fn edits(message: &Message, value: &Value) {
    let bytes = message.bytes().to_vec();
    let line = message.clone().on_one_line();
    assert!(!line.bytes().iter().any(|byte| matches!(byte, b'\n' | b'\r')));
    assert_eq!(serde_json::from_slice::<Value>(line.bytes()).ok().as_ref(), Some(value));
    let announced = edit::announce_changes(message.clone()).bytes;
    assert!(serde_json::from_slice::<Value>(&announced).is_ok());
    for list in [List::Tools, List::Prompts, List::Resources, List::ResourceTemplates] {
        if let Ok(kept) = list::filter(message.clone(), list, |_, _| true)
            && kept.hidden == 0
        {
            assert_eq!(kept.bytes, bytes, "a list from which nothing is taken stays as it is");
        }
        if let Ok(none) = list::filter(message.clone(), list, |_, _| false) {
            let left: Value = serde_json::from_slice(&none.bytes).unwrap_or_default();
            assert_eq!(left["result"][list.member()], Value::Array(Vec::new()), "what is hidden is gone");
        }
    }
}
