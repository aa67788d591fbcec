//! Messages of our own: error answers, and the notifications about the tool list.

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

/// `notifications/tools/list_changed`, as the eras up to 2025-11-25 have it.
#[must_use]
pub fn tools_list_changed() -> Vec<u8> {
    br#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#.to_vec()
}

/// The same on a stream that `subscriptions/listen` opened (2026-07-28): `listen` is that request's id.
#[must_use]
pub fn tools_list_changed_on(listen: &Id) -> Vec<u8> {
    let id = listen.as_json();
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}}}}}"#
    )
    .into_bytes()
}

/// The first message on a stream that the server does not serve and we do: changes of the tool list,
/// and nothing else, will be told on it.
#[must_use]
pub fn tools_subscription_acknowledged(listen: &Id) -> Vec<u8> {
    let id = listen.as_json();
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{{"notifications":{{"toolsListChanged":true}},"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}}}}}"#
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
            for bytes in [tools_list_changed_on(&id), tools_subscription_acknowledged(&id)] {
                let value: Value = serde_json::from_slice(&bytes).unwrap();
                assert_eq!(value["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], expected);
                assert!(Message::parse(bytes).is_ok());
            }
        }
        assert!(Message::parse(tools_list_changed()).is_ok());
    }
}
