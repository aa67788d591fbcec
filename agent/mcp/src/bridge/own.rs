//! The texts of messages that the bridge makes itself.

use super::object::quoted;
use crate::message::Id;
use crate::reply;

/// JSON-RPC 2.0, section 5.1.
pub(super) const METHOD_NOT_FOUND: i64 = -32601;

pub(super) fn request(id: &Id, method: &str, params: &str) -> Vec<u8> {
    let id = id.as_json();
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#).into_bytes()
}

pub(super) fn notification(method: &str, params: &str) -> Vec<u8> {
    format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#).into_bytes()
}

pub(super) fn result(id: &Id, result: &str) -> Vec<u8> {
    let id = id.as_json();
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#).into_bytes()
}

pub(super) fn error(id: &Id, code: i64, sentence: &str) -> Vec<u8> {
    reply::error(Some(id), code, sentence, None)
}

/// 2026-07-28, "Error Codes": the version that was asked for is not spoken here, but this one.
pub(super) fn unsupported(id: &Id, asked: &str, spoken: &str) -> Vec<u8> {
    let asked = quoted(asked);
    let id = id.as_json();
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32022,"message":"Unsupported protocol version","data":{{"supported":["{spoken}"],"requested":{asked}}}}}}}"#
    )
    .into_bytes()
}

/// `notifications/cancelled` for a request.
pub(super) fn cancelled(request: &Id, why: &str) -> Vec<u8> {
    let why = quoted(why);
    notification(
        "notifications/cancelled",
        &format!(r#"{{"requestId":{},"reason":{why}}}"#, request.as_json()),
    )
}
