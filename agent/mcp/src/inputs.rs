//! What a server asks of the client *inside* an answer: `result.inputRequests` (2026-07-28) and the
//! elicitations of the error -32042 (2025-11-25).

use crate::members::{self, Members};
use crate::message::Message;
use crate::subject;
use serde_json::value::RawValue;
use thiserror::Error;

/// 2025-11-25, "URL elicitation required": what has to be done first stands in `error.data.elicitations`.
pub const URL_ELICITATION_REQUIRED: i64 = -32042;

/// One request that travels inside an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input<'a> {
    pub method: String,
    /// The JSON text of its `params`, an object.
    pub params: Option<&'a str>,
}

/// Why the requests inside an answer cannot be judged. The answer must not reach the client then.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unreadable {
    #[error("`result.inputRequests` is not an object of requests")]
    NoRequests,
    #[error("the input request {key:?} has no `method`, or `params` that are no object")]
    NoRequest { key: String },
    #[error(
        "the method {method:?} of an input request is not `{known}`, but some readers would take it for that"
    )]
    Lookalike { method: String, known: &'static str },
    #[error("`error.data.elicitations` is not a list of objects")]
    NoElicitations,
}

/// The requests inside an answer; mostly none.
///
/// # Errors
/// There are some, but they cannot be read.
pub fn of(message: &Message) -> Result<Vec<Input<'_>>, Unreadable> {
    match (message.input_requests(), message.error()) {
        (Some("null"), _) | (None, None) => Ok(Vec::new()),
        (Some(requests), _) => {
            let requests = Members::of(requests).ok_or(Unreadable::NoRequests)?;
            requests.iter().map(|(key, request)| input(key, request)).collect()
        }
        (None, Some(error)) => elicitations(error),
    }
}

fn input<'a>(key: &str, request: &'a str) -> Result<Input<'a>, Unreadable> {
    let unreadable = || Unreadable::NoRequest { key: key.to_owned() };
    let members = Members::of(request).ok_or_else(unreadable)?;
    if members.lookalike(&["method", "params"]).is_some() {
        return Err(unreadable());
    }
    let method = members.string("method").ok_or_else(unreadable)?;
    if let Some(known) = members::mistaken_for(&method, subject::METHODS) {
        return Err(Unreadable::Lookalike { method, known });
    }
    let params = members.get("params");
    if params.is_some_and(|params| !params.starts_with('{')) {
        return Err(unreadable());
    }
    Ok(Input { method, params })
}

/// They are the `params` of `elicitation/create` without the request around them.
fn elicitations(error: &str) -> Result<Vec<Input<'_>>, Unreadable> {
    let members = Members::of(error).ok_or(Unreadable::NoElicitations)?;
    let code: Option<i64> = members.get("code").and_then(|code| code.parse().ok());
    let Some(data) = members.get("data").filter(|_| code == Some(URL_ELICITATION_REQUIRED)) else {
        return Ok(Vec::new());
    };
    let data = Members::of(data).ok_or(Unreadable::NoElicitations)?;
    if data.lookalike(&["elicitations"]).is_some() {
        return Err(Unreadable::NoElicitations);
    }
    let Some(list) = data.get("elicitations") else { return Ok(Vec::new()) };
    let list: Vec<&RawValue> = serde_json::from_str(list).map_err(|_| Unreadable::NoElicitations)?;
    if list.iter().any(|item| !item.get().starts_with('{')) {
        return Err(Unreadable::NoElicitations);
    }
    let method = || "elicitation/create".to_owned();
    Ok(list.into_iter().map(|item| Input { method: method(), params: Some(item.get()) }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(rest: &str) -> Message {
        Message::parse(format!(r#"{{"jsonrpc":"2.0","id":1,{rest}}}"#).into_bytes()).unwrap()
    }

    fn methods(rest: &str) -> Result<Vec<(String, Option<String>)>, Unreadable> {
        let message = message(rest);
        let inputs = of(&message)?;
        Ok(inputs.into_iter().map(|it| (it.method, it.params.map(str::to_owned))).collect())
    }

    #[test]
    fn requests_inside_an_answer_are_found() {
        let asked = methods(
            r#""result":{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation\/create","params":{"mode":"form"}},"b":{"method":"roots/list"}}}"#,
        );
        let expected = [
            ("elicitation/create".to_owned(), Some(r#"{"mode":"form"}"#.to_owned())),
            ("roots/list".to_owned(), None),
        ];
        assert_eq!(asked.unwrap(), expected);
        let error = r#""error":{"code":-32042,"message":"m","data":{"elicitations":[{"url":"https://x"}]}}"#;
        assert_eq!(
            methods(error).unwrap(),
            [("elicitation/create".to_owned(), Some(r#"{"url":"https://x"}"#.to_owned()))]
        );
        for none in [
            r#""result":{"content":[]}"#,
            r#""result":{"structuredContent":{"inputRequests":5}}"#,
            r#""error":{"code":-32042,"message":"m"}"#,
            r#""error":{"code":-32603,"message":"m","data":{"elicitations":5}}"#,
        ] {
            assert_eq!(methods(none), Ok(Vec::new()), "{none}");
        }
    }

    #[test]
    fn requests_that_readers_read_differently_are_unreadable() {
        for inputs in ["5", "[]", r#"{"a":5}"#, r#"{"a":{}}"#, r#"{"a":{"method":5}}"#] {
            assert!(methods(&format!(r#""result":{{"inputRequests":{inputs}}}"#)).is_err(), "{inputs}");
        }
        for entry in [
            r#""Method":"roots/list""#,
            r#""method":"roots/list","Params":{}"#,
            r#""method":"Elicitation/Create""#,
            r#""method":"roots/list","params":[]"#,
        ] {
            let text = format!(r#""result":{{"inputRequests":{{"a":{{"method":"roots/list",{entry}}}}}}}"#);
            let text = text.replace(r#""method":"roots/list","method""#, r#""method""#);
            assert!(methods(&text).is_err(), "{text}");
        }
        for data in ["5", r#"{"elicitations":{}}"#, r#"{"elicitations":["x"]}"#, r#"{"Elicitations":[]}"#] {
            let text = format!(r#""error":{{"code":-32042,"message":"m","data":{data}}}"#);
            assert!(methods(&text).is_err(), "{text}");
        }
    }
}
