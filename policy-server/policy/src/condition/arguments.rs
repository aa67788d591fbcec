//! JSON arguments as Cedar values, without loss of safety.
//!
//! | JSON | Cedar |
//! |---|---|
//! | string, `true`, `false` | the same |
//! | number written as an integer, within 64 bits | `Long` |
//! | any other number (`0.5`, `1.0`, `1e3`, `2^63`) | none |
//! | null | none |
//! | list | `Set`: order and repetition are not visible to a condition |
//! | object | record; Cedar's JSON escapes (`__entity`, `__extn`) are ordinary names here |
//!
//! What has no Cedar value makes every condition that looks at it undecidable, which is a refusal.
//! It is never left out (then `!(context.args has x)` would hold), never replaced by a stand-in
//! (then `context.args.x != "prod"` would hold), and never rounded.

use super::observed::Observed;
use cedar_policy::RestrictedExpression;
use serde_json::Value;

/// Why an argument cannot be weighed: `` `limit` is null ``.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotCedar(pub String);

/// The part of the arguments that is observed, as one Cedar record.
pub(crate) fn restricted(
    arguments: Option<&Value>,
    observed: &Observed,
) -> Result<RestrictedExpression, NotCedar> {
    if observed.is_nothing() {
        return record(Vec::new(), "arguments");
    }
    match arguments {
        None => record(Vec::new(), "arguments"),
        Some(value @ Value::Object(_)) => seen(value, observed, &mut "arguments".to_owned()),
        Some(other) => Err(NotCedar(format!("`arguments` is {}, not an object", kind(other)))),
    }
}

fn seen(value: &Value, observed: &Observed, path: &mut String) -> Result<RestrictedExpression, NotCedar> {
    let (Observed::Members(wanted), Value::Object(members)) = (observed, value) else {
        return whole(value, path);
    };
    let mut pairs = Vec::with_capacity(wanted.len());
    for (name, observed) in wanted {
        if let Some(member) = members.get(name) {
            pairs.push((name.clone(), within(path, name, |path| seen(member, observed, path))?));
        }
    }
    record(pairs, path)
}

fn whole(value: &Value, path: &mut String) -> Result<RestrictedExpression, NotCedar> {
    match value {
        Value::String(text) => Ok(RestrictedExpression::new_string(text.clone())),
        Value::Bool(flag) => Ok(RestrictedExpression::new_bool(*flag)),
        Value::Number(number) => number
            .as_i64()
            .map(RestrictedExpression::new_long)
            .ok_or_else(|| NotCedar(format!("`{path}` is not a 64-bit integer"))),
        Value::Null => Err(NotCedar(format!("`{path}` is null"))),
        Value::Array(items) => {
            let items: Result<Vec<_>, _> = items
                .iter()
                .enumerate()
                .map(|(index, item)| within(path, &index.to_string(), |path| whole(item, path)))
                .collect();
            Ok(RestrictedExpression::new_set(items?))
        }
        Value::Object(members) => {
            let pairs: Result<Vec<_>, _> = members
                .iter()
                .map(|(name, member)| Ok((name.clone(), within(path, name, |path| whole(member, path))?)))
                .collect();
            record(pairs?, path)
        }
    }
}

fn record(pairs: Vec<(String, RestrictedExpression)>, path: &str) -> Result<RestrictedExpression, NotCedar> {
    RestrictedExpression::new_record(pairs)
        .map_err(|fault| NotCedar(format!("`{path}` is no record: {fault}")))
}

fn within<T>(path: &mut String, name: &str, read: impl FnOnce(&mut String) -> T) -> T {
    let outer = path.len();
    path.push('.');
    path.push_str(name);
    let value = read(path);
    path.truncate(outer);
    value
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
