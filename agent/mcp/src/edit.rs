//! Splice edits: change one place of a message and keep every other byte.

use crate::list::{Change, Changes};
use crate::members::Members;
use crate::message::{Message, range_in};
use serde_json::value::RawValue;
use std::ops::Range;

/// An `initialize` or `server/discover` result, and the features whose lists may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// The whole message.
    pub bytes: Vec<u8>,
    /// The kinds of list that the server has at all; `None` where it does not say.
    pub has: Option<Changes>,
}

/// An `initialize` or `server/discover` result that says its lists may change, for each list the server
/// has: with a policy in front of it they may, and clients listen only where they are told so.
#[must_use]
pub fn announce_changes(message: Message) -> Announced {
    let capabilities = message.result().and_then(Members::of).and_then(|it| it.get("capabilities"));
    let Some(capabilities) = capabilities.and_then(Members::of) else {
        return Announced { bytes: message.into_bytes(), has: None };
    };
    let has = Changes::where_so(|change| capabilities.get(change.capability()).is_some());
    let text = message.text();
    let announced = |change: Change| made_true(text, capabilities.get(change.capability())?, "listChanged");
    let splices = has.iter().filter_map(announced).collect();
    Announced { bytes: spliced(message, splices), has: Some(has) }
}

/// A `notifications/subscriptions/acknowledged` that honours the wish for these changes, whether or not
/// the server will tell of any: we shall.
#[must_use]
pub fn honour_changes(message: Message, wished: Changes) -> Vec<u8> {
    let text = message.text();
    let honoured = message.params().and_then(Members::of).and_then(|it| it.get("notifications"));
    let Some(honoured) = honoured.filter(|honoured| honoured.starts_with('{')) else {
        return message.into_bytes();
    };
    let Some(members) = Members::of(honoured) else { return message.into_bytes() };
    let mut splices = Vec::new();
    let mut missing = Vec::new();
    for change in wished.iter() {
        match members.get(change.filter()) {
            Some("true") => {}
            Some(other) => splices.push(Splice { at: range_in(text, other), with: "true".to_owned() }),
            None => missing.push(format!("\"{}\":true", change.filter())),
        }
    }
    if !missing.is_empty() {
        let comma = if members.is_empty() { "" } else { "," };
        let brace = range_in(text, honoured).end - 1;
        splices.push(Splice { at: brace..brace, with: format!("{comma}{}", missing.join(",")) });
    }
    spliced(message, splices)
}

/// A `subscriptions/listen` without the resources that `keep` does not want.
#[must_use]
pub fn without_subscriptions(message: Message, mut keep: impl FnMut(&str) -> bool) -> Vec<u8> {
    let text = message.text();
    let filter = message.params().and_then(Members::of).and_then(|it| it.get("notifications"));
    let list = filter.and_then(Members::of).and_then(|it| it.get("resourceSubscriptions"));
    let items: Option<Vec<&RawValue>> = list.and_then(|list| serde_json::from_str(list).ok());
    let (Some(list), Some(items)) = (list, items) else { return message.into_bytes() };
    let wanted = |item: &&RawValue| crate::members::string(item.get()).is_some_and(|uri| keep(&uri));
    let kept: Vec<&str> = items.into_iter().filter(wanted).map(RawValue::get).collect();
    let splice = Splice { at: range_in(text, list), with: format!("[{}]", kept.join(",")) };
    spliced(message, vec![splice])
}

/// An `initialize` or `server/discover` result whose `instructions` say nothing.
///
/// # Panics
/// Never: what is spliced in is valid where a value stood.
#[must_use]
pub fn without_instructions(message: Message) -> Message {
    let found = message.result().and_then(Members::of).and_then(|it| it.get("instructions"));
    let Some(text) = found else { return message };
    let splice = Splice { at: range_in(message.text(), text), with: "\"\"".to_owned() };
    let bytes = spliced(message, vec![splice]);
    Message::parse(bytes).expect("a value was replaced by another")
}

fn spliced(message: Message, splices: Vec<Splice>) -> Vec<u8> {
    if splices.is_empty() { message.into_bytes() } else { apply(message.text(), splices).into_bytes() }
}

/// Sets a member of an object to `true`; `None` where it is so, or the text is no object.
fn made_true(text: &str, object: &str, key: &str) -> Option<Splice> {
    let members = Members::of(object)?;
    match members.get(key) {
        Some("true") => None,
        Some(other) => Some(Splice { at: range_in(text, other), with: "true".to_owned() }),
        None => {
            let comma = if members.is_empty() { "" } else { "," };
            let brace = range_in(text, object).end - 1;
            Some(Splice { at: brace..brace, with: format!("{comma}\"{key}\":true") })
        }
    }
}

pub(crate) struct Splice {
    pub(crate) at: Range<usize>,
    pub(crate) with: String,
}

/// Splices must not overlap.
pub(crate) fn apply(text: &str, mut splices: Vec<Splice>) -> String {
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

    #[test]
    fn a_server_announces_that_the_lists_it_has_may_change() {
        let announced = |text: &str| String::from_utf8(announce_changes(message(text)).bytes).unwrap();
        let frame = |capabilities: &str| {
            format!(r#"{{"jsonrpc":"2.0","id":0,"result":{{"capabilities": {capabilities}, "x":1.0}}}}"#)
        };
        for (before, after) in [
            (r#"{"tools":{}}"#, r#"{"tools":{"listChanged":true}}"#),
            (r#"{"tools":{"listChanged": false}}"#, r#"{"tools":{"listChanged": true}}"#),
            (r#"{"tools":{"listChanged":true}}"#, r#"{"tools":{"listChanged":true}}"#),
            (r#"{"tools":{"v":1 },"logging":{}}"#, r#"{"tools":{"v":1 ,"listChanged":true},"logging":{}}"#),
            (
                r#"{"resources":{"subscribe":true},"prompts":{}}"#,
                r#"{"resources":{"subscribe":true,"listChanged":true},"prompts":{"listChanged":true}}"#,
            ),
            (r#"{"logging":{}}"#, r#"{"logging":{}}"#),
            (r#"{"tools":7}"#, r#"{"tools":7}"#),
            ("null", "null"),
        ] {
            assert_eq!(announced(&frame(before)), frame(after), "{before}");
        }
        let error = r#"{"jsonrpc":"2.0","id":0,"error":{"code":1,"message":"m"}}"#;
        assert_eq!(announced(error), error);
    }

    #[test]
    fn what_a_server_has_is_told() {
        let has = |capabilities: &str| {
            let text = format!(r#"{{"jsonrpc":"2.0","id":0,"result":{{"capabilities":{capabilities}}}}}"#);
            announce_changes(message(&text)).has
        };
        let tools = Changes { tools: true, ..Changes::default() };
        assert_eq!(has(r#"{"tools":{},"logging":{}}"#), Some(tools));
        assert_eq!(has("{}"), Some(Changes::default()));
        assert_eq!(has("7"), None);
    }

    #[test]
    fn an_acknowledgement_gains_what_we_tell_of() {
        let frame = |honoured: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{{"notifications":{honoured}}}}}"#
            )
        };
        for (before, after) in [
            ("{}", r#"{"toolsListChanged":true,"promptsListChanged":true}"#),
            (
                r#"{"x":1,"toolsListChanged":true}"#,
                r#"{"x":1,"toolsListChanged":true,"promptsListChanged":true}"#,
            ),
            (r#"{"promptsListChanged":false}"#, r#"{"promptsListChanged":true,"toolsListChanged":true}"#),
            ("[]", "[]"),
        ] {
            let wished = Changes { tools: true, prompts: true, resources: false };
            let honoured = honour_changes(message(&frame(before)), wished);
            assert_eq!(String::from_utf8(honoured).unwrap(), frame(after));
        }
    }

    #[test]
    fn refused_resources_are_taken_out_of_a_subscription() {
        let frame = |uris: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{{"notifications":{{"resourceSubscriptions": {uris} ,"toolsListChanged":true}}}}}}"#
            )
        };
        let kept =
            without_subscriptions(message(&frame(r#"["a:x", "b:x", "a:\u0079"]"#)), |uri| uri != "b:x");
        assert_eq!(String::from_utf8(kept).unwrap(), frame(r#"["a:x","a:\u0079"]"#));
    }
}
