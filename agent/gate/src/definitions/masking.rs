//! A definition as it may be kept and shown: bounded, and without secrets.
//!
//! A schema names what is secret (`properties.token`) without holding it, so a name alone masks a
//! text that stands under it, and of a schema under it only its values.

use super::canonical::LONGEST;
use super::numbers;
use crate::secrets;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

/// Members of a schema that hold values.
const VALUES: &[&str] = &["default", "const", "enum", "example", "examples"];

/// `None` where it cannot be read.
pub(super) fn read(raw: &str) -> Option<Value> {
    if raw.len() > LONGEST {
        return None;
    }
    let readable = numbers::readable(raw);
    serde_json::from_str(readable.as_deref().unwrap_or(raw)).ok()
}

/// What is kept of it: at most about 64 KiB; what is longer stands there by its length and digest.
pub(super) fn kept(raw: &str, value: Value) -> Option<Box<RawValue>> {
    to_raw_value(&masked(secrets::shortened(raw, value), false)).ok()
}

fn masked(value: Value, is_secret: bool) -> Value {
    match value {
        Value::String(text) => Value::String(secrets::mask_text(text)),
        Value::Array(items) => Value::Array(items.into_iter().map(|item| masked(item, is_secret)).collect()),
        Value::Object(members) => Value::Object(masked_members(members, is_secret)),
        other => other,
    }
}

fn masked_members(members: Map<String, Value>, is_secret: bool) -> Map<String, Value> {
    members
        .into_iter()
        .map(|(key, value)| {
            let names_secret = secrets::is_secret_key(&key);
            let is_value =
                is_secret && VALUES.contains(&key.as_str()) && !value.is_object() && !value.is_null();
            let value = if is_value || (names_secret && value.is_string()) {
                Value::from(secrets::MASKED)
            } else {
                masked(value, is_secret || names_secret)
            };
            (key, value)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept_of(raw: &str) -> String {
        kept(raw, read(raw).unwrap()).unwrap().get().to_owned()
    }

    #[test]
    fn a_schema_that_names_a_secret_holds_none() {
        let plain = r#"{"inputSchema":{"properties":{"password":{"description":"The password.","type":"string"},"token":{"maxLength":40,"type":"string"}},"required":["password"]},"name":"log_in"}"#;
        assert_eq!(kept_of(plain), plain);
    }

    #[test]
    fn attack_a_secret_in_a_definition_stays_out_of_the_record() {
        let raw = r#"{"name":"t","_meta":{"api_key":"hunter2-hunter2"},"description":"Use ghp_0123456789abcdefghijABCDEFGHIJ012345 to log in","inputSchema":{"properties":{"token":{"default":"hunter3","enum":["hunter4"],"type":"string"}}}}"#;
        let kept = kept_of(raw);
        for secret in ["hunter", "ghp_"] {
            assert!(!kept.contains(secret), "{kept}");
        }
    }

    #[test]
    fn a_long_definition_is_kept_by_its_outline() {
        let raw = format!(r#"{{"name":"t","description":"{}","n":1e999}}"#, "words ".repeat(40_000));
        let kept = kept_of(&raw);
        assert!(
            kept.len() < 70_000 && kept.contains("\"sha256\"") && kept.contains("\"name\":\"t\""),
            "{}",
            kept.len()
        );
        assert!(kept.contains("\"n\":\"1e999\""));
    }
}
