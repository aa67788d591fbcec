//! Other ids in the place of a message's own: several clients that share one server choose the same
//! ones. Only the id's own bytes change.

use mcp::Id;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;

/// Where a message names a request.
#[derive(Debug, Clone, Copy)]
pub enum Spot {
    /// A request's own, or that of the request it answers.
    Id,
    /// What progress of the request is to be reported under.
    AskedToken,
    /// What this progress is reported under.
    Token,
    Subscription,
}

impl Spot {
    fn path(self) -> &'static [&'static str] {
        match self {
            Self::Id => &["id"],
            Self::AskedToken => &["params", "_meta", "progressToken"],
            Self::Token => &["params", "progressToken"],
            Self::Subscription => &["params", "_meta", "io.modelcontextprotocol/subscriptionId"],
        }
    }
}

/// The same message with that id there; unchanged where it has no such place.
#[must_use]
pub fn renamed(message: Vec<u8>, spot: Spot, id: &Id) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(&message) else { return message };
    let Some(old) = at(text, spot.path()) else { return message };
    let start = old.as_ptr() as usize - text.as_ptr() as usize;
    let end = start + old.len();
    [&message[..start], id.as_json().as_bytes(), &message[end..]].concat()
}

/// The JSON text of the member at that path.
fn at<'a>(object: &'a str, path: &[&str]) -> Option<&'a str> {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Members<'a>(#[serde(borrow)] HashMap<Key<'a>, &'a RawValue>);
    #[derive(Deserialize, PartialEq, Eq, Hash)]
    #[serde(transparent)]
    struct Key<'a>(#[serde(borrow)] Cow<'a, str>);
    let (first, rest) = path.split_first()?;
    let Members(members) = serde_json::from_str(object).ok()?;
    let member = members.get(&Key(Cow::Borrowed(*first)))?.get();
    if rest.is_empty() { Some(member) } else { at(member, rest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, spot: Spot, id: &str, expected: &str) {
        let got = renamed(text.as_bytes().to_vec(), spot, &Id::from_json(id).unwrap());
        assert_eq!(String::from_utf8(got).unwrap(), expected);
    }

    #[test]
    fn an_id_is_replaced_and_every_other_byte_stays() {
        check(
            r#"{ "id" : 1 , "result":{"id":1, "n":1.0}}"#,
            Spot::Id,
            "\"a\"",
            r#"{ "id" : "a" , "result":{"id":1, "n":1.0}}"#,
        );
        check(r#"{"i\u0064":"x","method":"m"}"#, Spot::Id, "7", r#"{"i\u0064":7,"method":"m"}"#);
        check(
            r#"{"params":{"_meta":{"progressToken":1,"x":2},"progressToken":3}}"#,
            Spot::AskedToken,
            "9",
            r#"{"params":{"_meta":{"progressToken":9,"x":2},"progressToken":3}}"#,
        );
        check(r#"{"params":{"progressToken":1}}"#, Spot::Token, "2", r#"{"params":{"progressToken":2}}"#);
        check(
            r#"{"params":{"_meta":{"io.modelcontextprotocol/subscriptionId":1}}}"#,
            Spot::Subscription,
            "\"l\"",
            r#"{"params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"l"}}}"#,
        );
    }

    #[test]
    fn a_message_without_that_place_is_unchanged() {
        for text in ["[]", "{}", r#"{"params":[]}"#, r#"{"params":{"_meta":1}}"#] {
            check(text, Spot::AskedToken, "1", text);
        }
    }
}
