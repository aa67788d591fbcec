//! What older clients are known to choke on in the answers of a newer server, taken out of them.
//!
//! Everything else that is new (`resultType`, `ttlMs`, `cacheScope`) stays: older clients ignore members
//! that they do not know.

use super::object::{Change, changed, member};
use crate::message::Message;
use serde_json::value::RawValue;

/// A result of `tools/call`: `structuredContent` may be any JSON since 2026-07-28, and was an object before.
pub(super) fn result(message: Message) -> Message {
    let Some(result) = message.result() else { return message };
    if member(result, "structuredContent").is_none_or(|content| content.starts_with('{')) {
        return message;
    }
    let result = changed(result, &[Change::Drop("structuredContent")]);
    let text = changed(message.text(), &[Change::Set("result", &result)]);
    Message::parse(text.into_bytes()).unwrap_or(message)
}

/// A result of `tools/list`: an `outputSchema` of anything but an object makes older clients refuse the
/// whole list.
pub(super) fn list(message: Message) -> Vec<u8> {
    match tidied(&message) {
        Some(text) => text.into_bytes(),
        None => message.into_bytes(),
    }
}

fn tidied(message: &Message) -> Option<String> {
    let result = message.result()?;
    let tools: Vec<&RawValue> = serde_json::from_str(member(result, "tools")?).ok()?;
    let strange = |tool: &str| {
        let schema = member(tool, "outputSchema")?;
        (member(schema, "type") != Some("\"object\"")).then(|| changed(tool, &[Change::Drop("outputSchema")]))
    };
    if !tools.iter().any(|tool| strange(tool.get()).is_some()) {
        return None;
    }
    let tools: Vec<String> =
        tools.iter().map(|tool| strange(tool.get()).unwrap_or_else(|| tool.get().to_owned())).collect();
    let result = changed(result, &[Change::Set("tools", &format!("[{}]", tools.join(",")))]);
    Some(changed(message.text(), &[Change::Set("result", &result)]))
}
