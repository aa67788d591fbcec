//! Secrets in arguments: masked in what is recorded. What is forwarded is never touched.
//!
//! Two ways to know one: the key it stands under, and its own shape. Neither is complete; the
//! record is protected as well, and this keeps the usual ones out of it.

mod shapes;

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

const REDACTED: &str = "[redacted]";

/// Arguments longer than this are recorded by their digest only.
const MAX_RECORDED_BYTES: usize = 64 * 1024;

/// What is recorded of arguments: the text they came as, and the value parsed from it. Where masking
/// is not possible, `null`: never in clear.
pub(crate) fn masked(text: &str, value: Value) -> Box<RawValue> {
    let recorded = if text.len() > MAX_RECORDED_BYTES { digest(text) } else { mask(value) };
    to_raw_value(&recorded).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

fn digest(text: &str) -> Value {
    let sha256 = format!("{:x}", Sha256::digest(text));
    json!({"truncated": true, "bytes": text.len(), "sha256": sha256})
}

fn mask(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(mask_text(text)),
        Value::Array(items) => Value::Array(items.into_iter().map(mask).collect()),
        Value::Object(members) => Value::Object(members.into_iter().map(mask_member).collect::<Map<_, _>>()),
        other => other,
    }
}

fn mask_member((key, value): (String, Value)) -> (String, Value) {
    let value = match value {
        Value::Null | Value::Bool(_) => value,
        // `max_tokens: 4096` counts, it does not unlock.
        Value::Number(_) if key.to_lowercase().ends_with("tokens") => value,
        _ if is_secret_key(&key) => Value::from(REDACTED),
        value => mask(value),
    };
    (mask_text(key), value)
}

fn mask_text(text: String) -> String {
    let mut out = String::new();
    let mut from = 0;
    while let Some(found) = shapes::find(&text, from) {
        out.push_str(&text[from..found.start]);
        out.push_str(REDACTED);
        from = found.end;
    }
    if from == 0 {
        return text;
    }
    out.push_str(&text[from..]);
    out
}

/// Does a value under this key look like a secret, by the key alone? Separators and case do not count.
fn is_secret_key(key: &str) -> bool {
    const WORDS: &[&str] = &[
        "password",
        "passwd",
        "passphrase",
        "pwd",
        "secret",
        "token",
        "apikey",
        "authorization",
        "accesskey",
        "privatekey",
        "credential",
        "signingkey",
        "encryptionkey",
        "sessionkey",
        "cookie",
    ];
    let plain: String = key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    WORDS.iter().any(|word| plain.contains(word))
}

#[cfg(test)]
mod tests;
