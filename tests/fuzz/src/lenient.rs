//! Readers that forgive what our own does not: what any of them finds in bytes that were released, a
//! server or a client somewhere would find there too.

use serde_json::Value;

/// Every reading of one line: as it stands, with broken UTF-8 replaced, with NULs and BOMs dropped, and
/// whatever stands behind the first value.
pub fn readings(line: &[u8]) -> Vec<Value> {
    let lossy = String::from_utf8_lossy(line);
    let bare: String = lossy.chars().filter(|c| !matches!(c, '\0' | '\u{feff}')).collect();
    let streams = [lossy.as_ref(), bare.as_str()].map(|text| {
        let values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
        values.map_while(Result::ok).collect::<Vec<_>>()
    });
    streams.into_iter().flatten().collect()
}

/// What is asked for: (folded method, what it is about), alone or in a batch, read without regard to
/// case, blanks and folding.
pub fn asked(value: &Value) -> Vec<(String, String)> {
    if let Value::Array(batch) = value {
        return batch.iter().flat_map(asked).collect();
    }
    let methods = members(value, "method").into_iter().filter_map(Value::as_str).map(fold);
    let params = members(value, "params");
    methods
        .flat_map(|method| about(&method, &params).into_iter().map(move |name| (method.clone(), name)))
        .collect()
}

fn about(method: &str, params: &[&Value]) -> Vec<String> {
    let inside = |key| params.iter().flat_map(|params| members(params, key)).collect::<Vec<_>>();
    let found = match method {
        "tools/call" | "prompts/get" => inside("name"),
        "resources/read" | "resources/subscribe" => inside("uri"),
        _ => return vec![String::new()],
    };
    found.into_iter().map(|name| name.as_str().map_or_else(|| name.to_string(), str::to_owned)).collect()
}

/// What an answer asks of the client in its place (2026-07-28).
pub fn input_requests(value: &Value) -> Vec<String> {
    let results = members(value, "result");
    let requests = results.iter().flat_map(|result| members(result, "inputrequests"));
    let requests = requests.filter_map(Value::as_object).flat_map(serde_json::Map::values);
    requests.flat_map(|request| members(request, "method")).filter_map(Value::as_str).map(fold).collect()
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
