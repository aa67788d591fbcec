//! Readers that forgive what our own does not: what any of them finds in bytes that were released, a
//! server somewhere would find there too.

use serde_json::Value;

/// Every reading of one line: as it stands, with broken UTF-8 replaced, with NULs and BOMs dropped.
pub fn readings(line: &[u8]) -> Vec<Value> {
    let lossy = String::from_utf8_lossy(line);
    let bare: String = lossy.chars().filter(|c| !matches!(c, '\0' | '\u{feff}')).collect();
    let texts = [lossy.as_ref(), bare.as_str()];
    let mut values: Vec<Value> = texts.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
    // A stream reader goes on behind the first value.
    for text in texts {
        values.extend(serde_json::Deserializer::from_str(text).into_iter::<Value>().map_while(Result::ok));
    }
    values
}

/// The names of every `tools/call` in a value, read without regard to case, blanks and folding, alone or
/// in a batch.
pub fn calls(value: &Value) -> Vec<String> {
    if let Value::Array(batch) = value {
        return batch.iter().flat_map(calls).collect();
    }
    let methods = members(value, "method");
    if !methods.iter().any(|method| method.as_str().is_some_and(|text| fold(text) == "tools/call")) {
        return Vec::new();
    }
    let params = members(value, "params");
    let names = params.iter().flat_map(|params| members(params, "name"));
    names.map(|name| name.as_str().map_or_else(|| name.to_string(), str::to_owned)).collect()
}

/// Every member whose key folds to `key`.
pub fn members<'v>(value: &'v Value, key: &str) -> Vec<&'v Value> {
    let Value::Object(members) = value else { return Vec::new() };
    members.iter().filter(|(name, _)| fold(name) == key).map(|(_, value)| value).collect()
}

fn fold(text: &str) -> String {
    let kept = text.chars().filter(|c| !c.is_whitespace() && !c.is_control());
    let plain = kept.map(|c| match c {
        'ſ' => 's',
        '\u{212a}' => 'k',
        other => other,
    });
    plain.flat_map(char::to_lowercase).collect()
}
