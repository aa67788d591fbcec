//! Messages of our own: error answers, and the notifications about changed lists.

use crate::list::{Change, Changes};
use crate::message::Id;
use serde_json::Value;
use serde_json::value::RawValue;

/// JSON-RPC 2.0, section 5.1.
pub const PARSE_ERROR: i64 = -32700;
/// JSON-RPC 2.0, section 5.1.
pub const INVALID_REQUEST: i64 = -32600;
/// JSON-RPC 2.0, section 5.1; MCP gives it for an unknown tool too.
pub const INVALID_PARAMS: i64 = -32602;
/// JSON-RPC 2.0, section 5.1.
pub const INTERNAL_ERROR: i64 = -32603;

/// An error answer. `None` writes `"id":null`: the request's id could not be read.
#[must_use]
pub fn error(id: Option<&Id>, code: i64, message: &str, data: Option<&RawValue>) -> Vec<u8> {
    let id = id.map_or("null", Id::as_json);
    let message = Value::from(message);
    let data = data.map(|data| format!(r#","data":{data}"#)).unwrap_or_default();
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":{message}{data}}}}}"#)
        .into_bytes()
}

/// `notifications/…/list_changed`, as the eras up to 2025-11-25 have it.
#[must_use]
pub fn list_changed(change: Change) -> Vec<u8> {
    format!(r#"{{"jsonrpc":"2.0","method":"notifications/{}/list_changed"}}"#, change.capability())
        .into_bytes()
}

/// The same on a stream that `subscriptions/listen` opened (2026-07-28): `listen` is that request's id.
#[must_use]
pub fn list_changed_on(change: Change, listen: &Id) -> Vec<u8> {
    let (feature, id) = (change.capability(), listen.as_json());
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/{feature}/list_changed","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}}}}}"#
    )
    .into_bytes()
}

/// The first message on a stream that the server does not serve and we do: these changes of lists, and
/// nothing else, will be told on it.
#[must_use]
pub fn subscription_acknowledged(changes: Changes, listen: &Id) -> Vec<u8> {
    let id = listen.as_json();
    let honoured: Vec<_> = changes.iter().map(|change| format!("\"{}\":true", change.filter())).collect();
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{{"notifications":{{{}}},"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}}}}}"#,
        honoured.join(",")
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Kind, Message};
    use serde_json::json;

    #[test]
    fn an_answer_of_ours_passes_our_own_scan() {
        let id = Id::from_json(r#""a\u0062\n""#).unwrap();
        let data = serde_json::value::to_raw_value(&json!({"portreeve":{"rule":"r"}})).unwrap();
        let bytes = error(Some(&id), -32003, "no \"such\"\nthing\u{7}", Some(&data));
        let message = Message::parse(bytes.clone()).unwrap();
        assert_eq!(*message.kind(), Kind::Error { id: Some(id), code: -32003 });
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(value["error"]["message"], "no \"such\"\nthing\u{7}");
        assert_eq!(value["error"]["data"]["portreeve"]["rule"], "r");
        assert!(!bytes.contains(&b'\n'), "one message is one line");
    }

    #[test]
    fn an_answer_without_an_id_says_null() {
        let value: Value = serde_json::from_slice(&error(None, PARSE_ERROR, "x", None)).unwrap();
        assert_eq!(value, json!({"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}));
    }

    #[test]
    fn a_subscription_is_named_by_the_id_of_its_request_with_its_type() {
        for (id, expected) in [("7", json!(7)), (r#""listen:0""#, json!("listen:0"))] {
            let id = Id::from_json(id).unwrap();
            for bytes in [list_changed_on(Change::Tools, &id), subscription_acknowledged(Changes::ALL, &id)] {
                let value: Value = serde_json::from_slice(&bytes).unwrap();
                assert_eq!(value["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], expected);
                assert!(Message::parse(bytes).is_ok());
            }
        }
        assert!(Change::ALL.into_iter().all(|change| Message::parse(list_changed(change)).is_ok()));
    }
}
