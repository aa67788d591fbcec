//! Splice edits: change one place of a message and keep every other byte.

use crate::members::Members;
use crate::message::{Message, range_in};
use serde_json::value::RawValue;
use std::ops::Range;
use thiserror::Error;

/// Why a list cannot be filtered. It must not be shown then.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unreadable {
    #[error("the answer is not a result with an object in it")]
    NoResult,
    #[error("`result.tools` is not a list")]
    NoTools,
    #[error("the key {key:?} in `result` is not `{known}`, but some readers would take it for that")]
    Lookalike { key: String, known: &'static str },
}

/// A tool list with some tools taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolsFiltered {
    /// The whole message. The original bytes where nothing was taken out.
    pub bytes: Vec<u8>,
    /// Names the server sent, with whether each was kept, in the server's order. Entries that could
    /// not be read have no name and are not among them.
    pub names: Vec<(String, bool)>,
    pub shown: u64,
    /// Taken out: by `keep`, or because the entry could not be read.
    pub hidden: u64,
}

/// Takes out of `result.tools` every tool that `keep` does not want, and every entry that is not an
/// object with a string `name`. A shared cache must not serve what is left to others, so a `public`
/// `cacheScope` (2026-07-28) becomes `private` where something was taken out.
///
/// # Errors
/// The list itself cannot be read.
pub fn filter_tools(
    message: Message,
    mut keep: impl FnMut(&str) -> bool,
) -> Result<ToolsFiltered, Unreadable> {
    let text = message.text();
    let result = message.result().ok_or(Unreadable::NoResult)?;
    let members = Members::of(result).ok_or(Unreadable::NoResult)?;
    if let Some((key, known)) = members.lookalike(&["tools", "nextCursor", "cacheScope"]) {
        return Err(Unreadable::Lookalike { key, known });
    }
    let list = members.get("tools").ok_or(Unreadable::NoTools)?;
    let items: Vec<&RawValue> = serde_json::from_str(list).map_err(|_| Unreadable::NoTools)?;
    let mut names = Vec::with_capacity(items.len());
    let mut kept = Vec::with_capacity(items.len());
    for item in &items {
        let Some(name) = tool_name(item.get()) else { continue };
        let wanted = keep(&name);
        if wanted {
            kept.push(item.get());
        }
        names.push((name, wanted));
    }
    let shown = kept.len() as u64;
    let hidden = items.len() as u64 - shown;
    if hidden == 0 {
        return Ok(ToolsFiltered { bytes: message.into_bytes(), names, shown, hidden });
    }
    let mut splices = vec![Splice { at: range_in(text, list), with: format!("[{}]", kept.join(",")) }];
    if let Some(scope) =
        members.get("cacheScope").filter(|_| members.string("cacheScope").as_deref() == Some("public"))
    {
        splices.push(Splice { at: range_in(text, scope), with: "\"private\"".to_owned() });
    }
    Ok(ToolsFiltered { bytes: apply(text, splices).into_bytes(), names, shown, hidden })
}

/// The message with one top-level member of its `result` set to `json`: replaced where it stands, or
/// added at the end.
///
/// # Errors
/// The message has no result object.
pub fn set_result_member(message: &Message, key: &str, json: &RawValue) -> Result<Vec<u8>, Unreadable> {
    let text = message.text();
    let result = message.result().ok_or(Unreadable::NoResult)?;
    let members = Members::of(result).ok_or(Unreadable::NoResult)?;
    let splice = match members.get(key) {
        Some(old) => Splice { at: range_in(text, old), with: json.get().to_owned() },
        None => added(text, result, key, json.get()).ok_or(Unreadable::NoResult)?,
    };
    Ok(apply(text, vec![splice]).into_bytes())
}

/// An `initialize` or `server/discover` result that says the tool list may change, where the server has tools at all: with
/// a policy in front of it, it may, and clients listen only where they are told so.
#[must_use]
pub fn announce_tool_changes(message: Message) -> Vec<u8> {
    let capabilities = message.result().and_then(Members::of).and_then(|it| it.get("capabilities"));
    let tools = capabilities.and_then(Members::of).and_then(|it| it.get("tools"));
    let splice = tools.and_then(|tools| made_true(message.text(), tools, "listChanged"));
    spliced(message, splice)
}

/// A `notifications/subscriptions/acknowledged` that honours the wish for changes of the tool list,
/// whether or not the server will tell of any: we shall.
#[must_use]
pub fn honour_tool_changes(message: Message) -> Vec<u8> {
    let honoured = message.params().and_then(Members::of).and_then(|it| it.get("notifications"));
    let splice = honoured.and_then(|honoured| made_true(message.text(), honoured, "toolsListChanged"));
    spliced(message, splice)
}

fn spliced(message: Message, splice: Option<Splice>) -> Vec<u8> {
    match splice {
        Some(splice) => apply(message.text(), vec![splice]).into_bytes(),
        None => message.into_bytes(),
    }
}

/// Sets a member of an object to `true`; `None` where it is so, or the text is no object.
fn made_true(text: &str, object: &str, key: &str) -> Option<Splice> {
    match Members::of(object)?.get(key) {
        Some("true") => None,
        Some(other) => Some(Splice { at: range_in(text, other), with: "true".to_owned() }),
        None => added(text, object, key, "true"),
    }
}

/// A member added at the end of an object.
fn added(text: &str, object: &str, key: &str, json: &str) -> Option<Splice> {
    let comma = if Members::of(object)?.is_empty() { "" } else { "," };
    let brace = range_in(text, object).end - 1;
    Some(Splice { at: brace..brace, with: format!("{comma}{}:{json}", serde_json::Value::from(key)) })
}

/// The name of one entry of a tool list, if every reader reads the same one.
fn tool_name(json: &str) -> Option<String> {
    let tool = Members::of(json)?;
    if tool.lookalike(&["name"]).is_some() {
        return None;
    }
    tool.string("name")
}

struct Splice {
    at: Range<usize>,
    with: String,
}

/// Splices must not overlap.
fn apply(text: &str, mut splices: Vec<Splice>) -> String {
    splices.sort_by_key(|splice| splice.at.start);
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for splice in splices {
        out.push_str(&text[from..splice.at.start]);
        out.push_str(&splice.with);
        from = splice.at.end;
    }
    out.push_str(&text[from..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Message {
        Message::parse(text.as_bytes().to_vec()).unwrap()
    }

    fn filtered(text: &str, keep: &[&str]) -> (String, u64, u64) {
        let it = filter_tools(message(text), |name| keep.contains(&name)).unwrap();
        (String::from_utf8(it.bytes).unwrap(), it.shown, it.hidden)
    }

    #[test]
    fn only_the_hidden_tools_go_and_every_other_byte_stays() {
        let list = r#"{ "id":1, "jsonrpc":"2.0","result":{"x":50.0,"tools": [ {"name":"a","k":1e2} , {"name":"b"}, {"na\u006de":"\u0063"} ],"nextCursor":"","ttlMs":9007199254740993}, "y":[1 ]}"#;
        assert_eq!(filtered(list, &["a", "b", "c"]), (list.to_owned(), 3, 0));
        let without_b = list.replace(
            r#"[ {"name":"a","k":1e2} , {"name":"b"}, {"na\u006de":"\u0063"} ]"#,
            r#"[{"name":"a","k":1e2},{"na\u006de":"\u0063"}]"#,
        );
        assert_eq!(filtered(list, &["a", "c"]), (without_b, 2, 1));
        assert_eq!(filtered(list, &[]).1, 0);
    }

    #[test]
    fn an_entry_that_cannot_be_read_is_hidden_even_from_who_may_see_all() {
        let list = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"},{"name":7},"evil",null,{"title":"x"},{"name":"a","Name":"evil"},["name"]]}}"#;
        let it = filter_tools(message(list), |_| true).unwrap();
        assert_eq!((it.shown, it.hidden), (1, 6));
        assert_eq!(it.bytes, br#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"}]}}"#);
    }

    #[test]
    fn a_list_that_cannot_be_read_is_an_error() {
        for (result, why) in [
            (r#"{"tools":{"name":"a"}}"#, Unreadable::NoTools),
            (r#"{"tools":null}"#, Unreadable::NoTools),
            (r"{}", Unreadable::NoTools),
            (r#"[{"name":"a"}]"#, Unreadable::NoResult),
            (
                r#"{"tools":[],"Tools":[{"name":"evil"}]}"#,
                Unreadable::Lookalike { key: "Tools".into(), known: "tools" },
            ),
        ] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#);
            assert_eq!(filter_tools(message(&text), |_| true).unwrap_err(), why, "{text}");
        }
    }

    #[test]
    fn a_public_list_becomes_private_when_something_was_taken_out() {
        let list = r#"{"jsonrpc":"2.0","id":1,"result":{"cacheScope":"public","tools":[{"name":"a"},{"name":"b"}],"resultType":"complete"}}"#;
        assert_eq!(filtered(list, &["a", "b"]).0, list);
        let private = r#"{"jsonrpc":"2.0","id":1,"result":{"cacheScope":"private","tools":[{"name":"a"}],"resultType":"complete"}}"#;
        assert_eq!(filtered(list, &["a"]).0, private);
    }

    #[test]
    fn a_result_member_is_replaced_or_added() {
        let set = |text: &str| {
            let json = serde_json::value::to_raw_value(&0).unwrap();
            String::from_utf8(set_result_member(&message(text), "ttlMs", &json).unwrap()).unwrap()
        };
        let frame = |result: &str| format!(r#"{{"jsonrpc":"2.0","result":{result},"id":1}}"#);
        assert_eq!(set(&frame(r#"{"ttlMs": 50,"a":1}"#)), frame(r#"{"ttlMs": 0,"a":1}"#));
        assert_eq!(set(&frame(r#"{"a":1 }"#)), frame(r#"{"a":1 ,"ttlMs":0}"#));
        assert_eq!(set(&frame("{}")), frame(r#"{"ttlMs":0}"#));
    }

    #[test]
    fn a_server_with_tools_announces_that_they_may_change() {
        let announced = |text: &str| String::from_utf8(announce_tool_changes(message(text))).unwrap();
        let frame = |capabilities: &str| {
            format!(r#"{{"jsonrpc":"2.0","id":0,"result":{{"capabilities": {capabilities}, "x":1.0}}}}"#)
        };
        for (before, after) in [
            (r#"{"tools":{}}"#, r#"{"tools":{"listChanged":true}}"#),
            (r#"{"tools":{"listChanged": false}}"#, r#"{"tools":{"listChanged": true}}"#),
            (r#"{"tools":{"listChanged":true}}"#, r#"{"tools":{"listChanged":true}}"#),
            (r#"{"tools":{"v":1 },"logging":{}}"#, r#"{"tools":{"v":1 ,"listChanged":true},"logging":{}}"#),
            (r#"{"logging":{}}"#, r#"{"logging":{}}"#),
            (r#"{"tools":7}"#, r#"{"tools":7}"#),
            ("null", "null"),
        ] {
            assert_eq!(announced(&frame(before)), frame(after), "{before}");
        }
        let error = r#"{"jsonrpc":"2.0","id":0,"error":{"code":1,"message":"m"}}"#;
        assert_eq!(announced(error), error);
    }
}
