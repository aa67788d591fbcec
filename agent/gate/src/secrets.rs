//! Secrets in arguments: masked in what is recorded. What is forwarded is never touched.
//!
//! Two ways to know one: the key it stands under, and its own shape. Neither is complete; the
//! record is protected as well, and this keeps the usual ones out of it.

mod phrases;
mod shapes;
mod shorten;

use crate::refusal::shorten;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

/// What stands in the record for what was forwarded in clear. Another word than policy's own: what that took
/// out never left.
pub(crate) const MASKED: &str = "[masked]";
/// What policy puts in the place of what it takes out, unless its author says otherwise.
const TAKEN_OUT: &str = "[redacted]";

/// What is recorded of arguments: the text they came as, and the value parsed from it. Where masking
/// is not possible, `null`: never in clear.
pub(crate) fn masked(text: &str, value: Value) -> Box<RawValue> {
    let recorded = mask(shorten::to_fit(text, value));
    to_raw_value(&recorded).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// The value, shortened as in the record; not masked.
pub(crate) fn shortened(text: &str, value: Value) -> Value {
    shorten::to_fit(text, value)
}

/// A sentence or an address, for the record and for people.
pub(crate) fn masked_text(text: &str) -> String {
    mask_text(text.to_owned())
}

/// A name or a sentence, for the record: masked, and so many bytes of it at most.
pub(crate) fn masked_name(name: &str, most: usize) -> String {
    if name.len() <= most && is_words(name) {
        return name.to_owned();
    }
    // What is cut off must not be what makes a secret known.
    let masked = mask_text(shorten(name, 4 * most));
    if masked.len() > most { shorten(&masked, most) } else { masked }
}

/// Small letters alone, as most names are: no issuer's tokens look like that.
fn is_words(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b'-' | b'/' | b'.'))
}

/// Does this already stand for a secret, ours or policy's?
pub(crate) fn is_mark(text: &str) -> bool {
    text == MASKED || text == TAKEN_OUT
}

fn hidden(value: Value) -> Value {
    if value.as_str().is_some_and(is_mark) { value } else { Value::from(MASKED) }
}

fn mask(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(mask_text(text)),
        Value::Array(items) => Value::Array(mask_items(items)),
        Value::Object(members) => Value::Object(mask_members(members)),
        other => other,
    }
}

/// `["--token", "…"]`: a command line in pieces is one all the same.
fn mask_items(items: Vec<Value>) -> Vec<Value> {
    let mut after_flag = false;
    let mask_item = |item: Value| {
        let is_value = std::mem::replace(&mut after_flag, item.as_str().is_some_and(phrases::is_secret_flag));
        if is_value && !after_flag && item.is_string() { hidden(item) } else { mask(item) }
    };
    items.into_iter().map(mask_item).collect()
}

/// Two keys that are masked to the same text stay two.
fn mask_members(members: Map<String, Value>) -> Map<String, Value> {
    let names_secret = members.iter().any(|(key, value)| is_name(key) && names_secret(value));
    let mut masked = Map::new();
    for member in members {
        let is_named = names_secret && is_value(&member.0);
        let (mut key, value) = mask_member(member);
        if masked.contains_key(&key) {
            key = format!("{key} {}", masked.len() + 1);
        }
        masked.insert(key, if is_named { hidden(value) } else { value });
    }
    masked
}

/// `{"name": "API_KEY", "value": "…"}`, as lists of variables and headers have it.
pub(crate) fn is_name(key: &str) -> bool {
    ["name", "key", "variable", "header", "field"].iter().any(|name| key.eq_ignore_ascii_case(name))
}

pub(crate) fn is_value(key: &str) -> bool {
    ["value", "val", "content"].iter().any(|name| key.eq_ignore_ascii_case(name))
}

fn names_secret(value: &Value) -> bool {
    value.as_str().is_some_and(is_secret_name)
}

/// Is it what a variable or a header is called that holds a secret?
pub(crate) fn is_secret_name(name: &str) -> bool {
    name.len() <= 64 && !name.contains(' ') && is_secret_key(name)
}

/// `--token`, whose value is the next item of a command line in pieces.
pub(crate) fn is_secret_flag(text: &str) -> bool {
    phrases::is_secret_flag(text)
}

/// Every secret that gives itself away in a text and is to be taken out of it, from left to right.
pub(crate) fn shapes_in(text: &str) -> impl Iterator<Item = std::ops::Range<usize>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let found = shapes::find_to_take_out(text, from)?;
        from = found.end.max(from + 1);
        Some(found)
    })
}

fn mask_member((key, value): (String, Value)) -> (String, Value) {
    let value = match value {
        Value::Null | Value::Bool(_) => value,
        // `max_tokens: 4096` counts, it does not unlock.
        Value::Number(_) if key.to_lowercase().ends_with("tokens") => value,
        _ if is_secret_key(&key) => hidden(value),
        value => mask(value),
    };
    (mask_text(key), value)
}

pub(crate) fn mask_text(text: String) -> String {
    let mut out = String::new();
    let mut from = 0;
    while let Some(found) = shapes::find(&text, from) {
        out.push_str(&text[from..found.start]);
        let found_text = &text[found.clone()];
        // What policy took out never left: that is to be seen.
        out.push_str(if is_mark(found_text) { found_text } else { MASKED });
        from = found.end;
    }
    if from == 0 {
        return text;
    }
    out.push_str(&text[from..]);
    out
}

/// Does a value under this key look like a secret, by the key alone? Separators and case do not count.
pub(crate) fn is_secret_key(key: &str) -> bool {
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
