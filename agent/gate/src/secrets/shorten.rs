//! Long arguments, shortened for the record: what is long goes, what says what the call was about
//! stays. Padding a call is no way to keep its `path` out of the record.
//!
//! In the place of what goes stands its length and digest, and of a text its beginning as well.

use super::mask_text;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::io;

/// Arguments up to here are recorded as they are.
const MAX_RECORDED_BYTES: usize = 64 * 1024;
/// In arguments that are longer, a text beyond this is shortened whatever else there is.
const LONG_TEXT_BYTES: usize = 4 * 1024;
const HEAD_CHARS: usize = 256;
/// No member of a list takes less.
const LEAST_BYTES: usize = 2;
/// Kept before all others where there are more members than can be recorded: they say what a call
/// was about in most tools.
const TELLING: &[&str] = &[
    "path",
    "paths",
    "file",
    "filename",
    "file_path",
    "source",
    "destination",
    "uri",
    "url",
    "host",
    "command",
    "cmd",
    "query",
    "sql",
    "statement",
    "method",
    "action",
    "name",
    "id",
    "to",
    "recipient",
    "repo",
    "owner",
    "branch",
    "database",
    "table",
    "bucket",
    "key",
    "channel",
    "issue",
    "message",
];

/// The arguments, made to fit the record; `text` is what they came as.
pub(super) fn to_fit(text: &str, value: Value) -> Value {
    if text.len() <= MAX_RECORDED_BYTES {
        return value;
    }
    match fitted(shorten_texts(value), MAX_RECORDED_BYTES) {
        Ok(shortened) => shortened,
        Err(value) => remains(text, value),
    }
}

fn shorten_texts(value: Value) -> Value {
    match value {
        Value::String(text) if text.len() > LONG_TEXT_BYTES => short_text(&text),
        Value::Array(items) => Value::Array(items.into_iter().map(shorten_texts).collect()),
        Value::Object(members) => {
            Value::Object(members.into_iter().map(|(key, value)| (key, shorten_texts(value))).collect())
        }
        other => other,
    }
}

/// Masked before it is cut: half a secret has no shape.
fn short_text(text: &str) -> Value {
    let beginning = mask_text(text[..text.floor_char_boundary(LONG_TEXT_BYTES)].to_owned());
    let head: String = beginning.chars().take(HEAD_CHARS).collect();
    let Value::Object(mut digest) = digest(text.as_bytes()) else { return Value::Null };
    digest.insert("head".to_owned(), Value::String(head));
    Value::Object(digest)
}

fn digest(bytes: &[u8]) -> Value {
    json!({"truncated": true, "bytes": bytes.len(), "sha256": format!("{:x}", Sha256::digest(bytes))})
}

/// Shortens what is largest until the value fits; gives it back where that is not enough.
fn fitted(value: Value, room: usize) -> Result<Value, Value> {
    if size(&value, room) <= room {
        return Ok(value);
    }
    match value {
        Value::String(text) => {
            let short = short_text(&text);
            if size(&short, room) <= room { Ok(short) } else { Err(Value::String(text)) }
        }
        Value::Array(items) => {
            let keys = vec![0; items.len()];
            shared_out(items, &keys, room).map(Value::Array).map_err(Value::Array)
        }
        Value::Object(members) => {
            let (keys, values): (Vec<String>, Vec<Value>) = members.into_iter().unzip();
            let lengths: Vec<usize> = keys.iter().map(|key| size(&json!(key), room) + 1).collect();
            let join = |values: Vec<Value>| Value::Object(keys.into_iter().zip(values).collect());
            match shared_out(values, &lengths, room) {
                Ok(values) => Ok(join(values)),
                Err(values) => Err(join(values)),
            }
        }
        other => Err(other),
    }
}

/// Each gets what it needs, the smallest first, and the large ones an equal part of what is left.
fn shared_out(mut values: Vec<Value>, keys: &[usize], room: usize) -> Result<Vec<Value>, Vec<Value>> {
    if values.len() * LEAST_BYTES > room {
        return Err(values);
    }
    let sizes: Vec<usize> = values.iter().map(|value| size(value, room)).collect();
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by_key(|at| sizes[*at]);
    // Brackets, commas and keys.
    let Some(mut left) = room.checked_sub(2 + values.len() + keys.iter().sum::<usize>()) else {
        return Err(values);
    };
    for (done, at) in order.iter().enumerate() {
        let share = left / (order.len() - done);
        if sizes[*at] > share {
            let shortened = match fitted(values[*at].take(), share) {
                Ok(shortened) => shortened,
                Err(value @ (Value::Array(_) | Value::Object(_))) => digest(value.to_string().as_bytes()),
                Err(value) => value,
            };
            values[*at] = shortened;
        }
        let Some(rest) = left.checked_sub(size(&values[*at], left)) else { return Err(values) };
        left = rest;
    }
    Ok(values)
}

/// The digest of it all, and those of its members that are short.
fn remains(text: &str, value: Value) -> Value {
    let mut whole = digest(text.as_bytes());
    let (Value::Object(members), Some(kept)) = (value, whole.as_object_mut()) else { return whole };
    let rank = |key: &str| TELLING.iter().position(|name| key.eq_ignore_ascii_case(name));
    let mut members: Vec<(String, Value)> = members
        .into_iter()
        .filter(|(_, value)| !value.is_array() && (!value.is_object() || is_short_text(value)))
        .collect();
    members.sort_by_key(|(key, _)| rank(key).unwrap_or(usize::MAX));
    let (mut short, mut left) = (Map::new(), MAX_RECORDED_BYTES / 2);
    for (key, value) in members {
        let value = if size(&value, LONG_TEXT_BYTES) > LONG_TEXT_BYTES { Value::Null } else { value };
        let needed = size(&json!(key), left) + size(&value, left) + 2;
        if let Some(rest) = left.checked_sub(needed) {
            left = rest;
            short.insert(key, value);
        }
    }
    kept.insert("kept".to_owned(), Value::Object(short));
    whole
}

/// What [`short_text`] made.
fn is_short_text(value: &Value) -> bool {
    value["truncated"] == true && value["head"].is_string()
}

/// Bytes as JSON, counted no further than just beyond `enough`.
fn size(value: &Value, enough: usize) -> usize {
    let mut count = Count { bytes: 0, enough };
    // It ends early by an error; what was counted is the answer either way.
    let _ = serde_json::to_writer(&mut count, value);
    count.bytes
}

struct Count {
    bytes: usize,
    enough: usize,
}

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += bytes.len();
        if self.bytes > self.enough { Err(io::ErrorKind::QuotaExceeded.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shortened(value: &Value) -> Value {
        let short = to_fit(&value.to_string(), value.clone());
        assert!(short.to_string().len() <= MAX_RECORDED_BYTES, "{} bytes", short.to_string().len());
        short
    }

    #[test]
    fn padding_does_not_hide_the_path() {
        let paddings = [
            json!("a".repeat(10_000_000)),
            json!(vec!["a".repeat(5000); 200]),
            json!(vec![1; 100_000]),
            json!({"deep": {"deeper": {"list": vec!["abc"; 50_000], "text": "b".repeat(100_000)}}}),
            json!((0..20_000).map(|n| (n.to_string(), json!(n))).collect::<Map<_, _>>()),
            json!((0..20).map(|n| (n.to_string(), json!("c".repeat(4000)))).collect::<Map<_, _>>()),
        ];
        for padding in paddings {
            let short = shortened(&json!({"a": padding, "path": "/etc/passwd", "z": {"mode": 7}}));
            assert_eq!((&short["path"], &short["z"]), (&json!("/etc/passwd"), &json!({"mode": 7})));
        }
    }

    #[test]
    fn thousands_of_members_do_not_crowd_the_path_out() {
        let mut members: Map<String, Value> = (0..20_000).map(|n| (format!("a{n}"), json!(n))).collect();
        members.insert("path".to_owned(), json!("/etc/passwd"));
        members.insert("zz".to_owned(), json!({"x": 1}));
        let short = shortened(&Value::Object(members.clone()));
        assert_eq!((&short["truncated"], &short["kept"]["path"]), (&json!(true), &json!("/etc/passwd")));
        members.insert("path".to_owned(), json!(format!("/etc/passwd{}", "/".repeat(9000))));
        let short = shortened(&Value::Object(members));
        assert!(short["kept"]["path"]["head"].as_str().unwrap().starts_with("/etc/passwd"));
    }

    #[test]
    fn a_long_text_leaves_its_beginning_length_and_digest() {
        let text = "é".repeat(40_000);
        let short = shortened(&json!({"x": text, "y": "b".repeat(4096)}));
        assert_eq!(short["x"]["head"].as_str().unwrap(), "é".repeat(256));
        assert_eq!((&short["x"]["truncated"], &short["x"]["bytes"]), (&json!(true), &json!(80_000)));
        assert_eq!(short["x"]["sha256"], format!("{:x}", Sha256::digest(&text)));
        assert_eq!(short["y"], json!("b".repeat(4096)));
    }

    #[test]
    fn a_secret_at_the_cut_is_not_recorded_by_half() {
        let text =
            format!("{} ghp_0123456789abcdefABCDEF0123456789 {}", "a".repeat(245), "b ".repeat(40_000));
        let head = shortened(&json!({"x": text}))["x"]["head"].as_str().unwrap().to_owned();
        assert!(head.contains(" [masked]") && !head.contains("ghp_"), "{head}");
    }

    #[test]
    fn what_fits_is_not_touched() {
        let value = json!({"x": "a".repeat(60_000), "y": vec![1; 500]});
        assert_eq!(shortened(&value), value);
    }

    #[test]
    fn a_deep_and_hostile_nest_costs_no_more_than_its_length() {
        let nest = (0..100).fold(json!(vec!["abc"; 500_000]), |inner, _| json!({"a": inner}));
        assert!(shortened(&json!({"nest": nest, "path": "/x"}))["path"] == "/x");
    }
}
