//! Changes to one object of a message, and to objects inside it: every value that is not changed keeps
//! its bytes.

use crate::members::Members;
use crate::message::{Id, Message, range_in};

/// A change of one member.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change<'a> {
    /// It is this, whatever stood there.
    Set(&'a str, &'a str),
    /// It is this where nothing stood there.
    Default(&'a str, &'a str),
    /// It is gone.
    Drop(&'a str),
}

/// The object with these changes; as it is where it is no object.
pub(super) fn changed(object: &str, changes: &[Change<'_>]) -> String {
    let Some(members) = Members::of(object) else { return object.to_owned() };
    let mut text = object.to_owned();
    if changes.iter().any(|change| matches!(change, Change::Drop(key) if members.get(key).is_some())) {
        text = without(&members, changes);
    }
    for change in changes {
        text = match change {
            Change::Set(key, json) => with(&text, key, json, true),
            Change::Default(key, json) => with(&text, key, json, false),
            Change::Drop(_) => text,
        };
    }
    text
}

fn without(members: &Members<'_>, changes: &[Change<'_>]) -> String {
    let gone = |key: &str| changes.iter().any(|change| matches!(change, Change::Drop(it) if *it == key));
    let kept = members.iter().filter(|(key, _)| !gone(key));
    let kept: Vec<_> = kept.map(|(key, value)| format!("{}:{value}", quoted(key))).collect();
    format!("{{{}}}", kept.join(","))
}

fn with(object: &str, key: &str, json: &str, replace: bool) -> String {
    let Some(members) = Members::of(object) else { return object.to_owned() };
    match members.get(key) {
        Some(old) if replace => {
            let at = range_in(object, old);
            format!("{}{json}{}", &object[..at.start], &object[at.end..])
        }
        Some(_) => object.to_owned(),
        None => {
            let end = object.rfind('}').unwrap_or(object.len());
            let comma = if members.is_empty() { "" } else { "," };
            format!("{}{comma}{}:{json}{}", &object[..end], quoted(key), &object[end..])
        }
    }
}

/// A string as JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The member of an object, as JSON.
pub(super) fn member<'a>(object: &'a str, key: &str) -> Option<&'a str> {
    Members::of(object)?.get(key)
}

/// The member of an object where it is a string, decoded.
pub(super) fn string(object: &str, key: &str) -> Option<String> {
    Members::of(object)?.string(key)
}

/// The message with other params, or params where it had none.
pub(super) fn with_params(message: &Message, changes: &[Change<'_>]) -> String {
    let params = changed(message.params().unwrap_or("{}"), changes);
    changed(message.text(), &[Change::Set("params", &params)])
}

/// The message with a changed `params._meta`.
pub(super) fn with_request_meta(message: &Message, changes: &[Change<'_>]) -> String {
    let params = message.params().unwrap_or("{}");
    let meta = changed(member(params, "_meta").unwrap_or("{}"), changes);
    let meta = if meta == "{}" { Change::Drop("_meta") } else { Change::Set("_meta", &meta) };
    with_params(message, &[meta])
}

/// The text of a message under another id.
pub(super) fn with_id(text: &str, id: &Id) -> String {
    changed(text, &[Change::Set("id", id.as_json())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_changed_keeps_its_bytes() {
        for (object, changes, after) in [
            (r#"{ "a" : 1.0 , "b":[ 2]}"#, vec![Change::Set("b", "3")], r#"{ "a" : 1.0 , "b":3}"#),
            (r#"{ "a" : 1.0 }"#, vec![Change::Set("b", "3")], r#"{ "a" : 1.0 ,"b":3}"#),
            ("{}", vec![Change::Default("b", "3"), Change::Default("b", "4")], r#"{"b":3}"#),
            (r#"{"a":1e9,"b":{"x": 1}}"#, vec![Change::Drop("a")], r#"{"b":{"x": 1}}"#),
            (r#"{ "b": 1 }"#, vec![Change::Drop("a")], r#"{ "b": 1 }"#),
            (r#"{"\u0061":1,"q\"":2}"#, vec![Change::Drop("a")], r#"{"q\"":2}"#),
            ("[1]", vec![Change::Set("a", "1")], "[1]"),
        ] {
            assert_eq!(changed(object, &changes), after, "{object}");
        }
    }

    #[test]
    fn params_and_meta_are_made_where_there_were_none() {
        let message = |text: &str| Message::parse(text.as_bytes().to_vec()).unwrap();
        let bare = message(r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#);
        assert_eq!(
            with_request_meta(&bare, &[Change::Set("k", "1")]),
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"k":1}}}"#
        );
        let full = message(r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"k":1},"z":2.0}}"#);
        assert_eq!(
            with_request_meta(&full, &[Change::Drop("k")]),
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"z":2.0}}"#
        );
    }
}
