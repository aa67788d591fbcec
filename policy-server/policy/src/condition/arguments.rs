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
//! So does nesting deeper than [`DEPTH`]: Cedar walks values by recursion, and a stack that overflows
//! ends the process.
//!
//! It is never left out (then `!(context.args has x)` would hold), never replaced by a stand-in
//! (then `context.args.x != "prod"` would hold), and never rounded.

use super::observed::Observed;
use cedar_policy::RestrictedExpression;
use serde_json::Value;

/// Lists and objects within each other, the arguments themselves being the first.
const DEPTH: usize = 32;

/// Why an argument cannot be weighed: `` `limit` is null ``.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotCedar(pub String);

/// The part of the arguments that is observed, as one Cedar record.
pub(crate) fn restricted(
    arguments: Option<&Value>,
    observed: &Observed,
) -> Result<RestrictedExpression, NotCedar> {
    let mut trail = Trail { text: "arguments".to_owned(), depth: 1 };
    match arguments {
        None => record(Vec::new(), &trail),
        _ if observed.is_nothing() => record(Vec::new(), &trail),
        Some(value @ Value::Object(_)) => seen(value, observed, &mut trail),
        Some(other) => Err(trail.fault(&format!("is {}, not an object", kind(other)))),
    }
}

fn seen(value: &Value, observed: &Observed, trail: &mut Trail) -> Result<RestrictedExpression, NotCedar> {
    let (Observed::Members(wanted), Value::Object(members)) = (observed, value) else {
        return whole(value, trail);
    };
    let mut pairs = Vec::with_capacity(wanted.len());
    for (name, observed) in wanted {
        if let Some(member) = members.get(name) {
            pairs.push((name.clone(), trail.within(name, |trail| seen(member, observed, trail))?));
        }
    }
    record(pairs, trail)
}

fn whole(value: &Value, trail: &mut Trail) -> Result<RestrictedExpression, NotCedar> {
    match value {
        Value::String(text) => Ok(RestrictedExpression::new_string(text.clone())),
        Value::Bool(flag) => Ok(RestrictedExpression::new_bool(*flag)),
        Value::Number(number) => number
            .as_i64()
            .map(RestrictedExpression::new_long)
            .ok_or_else(|| trail.fault("is not a 64-bit integer")),
        Value::Null => Err(trail.fault("is null")),
        Value::Array(items) => {
            let mut values = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                values.push(trail.within(&index.to_string(), |trail| whole(item, trail))?);
            }
            Ok(RestrictedExpression::new_set(values))
        }
        Value::Object(members) => {
            let mut pairs = Vec::with_capacity(members.len());
            for (name, member) in members {
                pairs.push((name.clone(), trail.within(name, |trail| whole(member, trail))?));
            }
            record(pairs, trail)
        }
    }
}

fn record(
    pairs: Vec<(String, RestrictedExpression)>,
    trail: &Trail,
) -> Result<RestrictedExpression, NotCedar> {
    RestrictedExpression::new_record(pairs).map_err(|fault| trail.fault(&format!("is no record: {fault}")))
}

/// The way to the value being read, for the sentence that names it.
struct Trail {
    text: String,
    depth: usize,
}

impl Trail {
    fn within<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Self) -> Result<T, NotCedar>,
    ) -> Result<T, NotCedar> {
        if self.depth > DEPTH {
            return Err(self.fault("is nested too deeply"));
        }
        let outer = self.text.len();
        self.text.push('.');
        self.text.push_str(name);
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        self.text.truncate(outer);
        value
    }

    fn fault(&self, what: &str) -> NotCedar {
        NotCedar(format!("`{}` {what}", self.text))
    }
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

#[cfg(test)]
mod tests {
    use super::{NotCedar, Observed, restricted};
    use cedar_policy::{Context, EvalResult};
    use serde_json::{Value, json};

    fn weighed(arguments: &Value) -> Result<EvalResult, NotCedar> {
        let arguments = restricted(Some(arguments), &Observed::Whole)?;
        let context = Context::from_pairs([("args".to_owned(), arguments)]).expect("one pair");
        Ok(context.get("args").expect("it is there"))
    }

    #[test]
    fn attack_cedars_escapes_in_arguments_are_ordinary_objects() {
        for escape in [
            json!({"__entity": {"type": "Action", "id": "call"}}),
            json!({"__extn": {"fn": "decimal", "arg": "1.0"}}),
            json!({"__expr": "1 + 1"}),
        ] {
            let EvalResult::Record(arguments) = weighed(&json!({ "x": escape })).expect("it has a value")
            else {
                panic!("arguments are a record")
            };
            assert!(matches!(arguments.get("x"), Some(EvalResult::Record(_))), "{escape}");
        }
    }

    #[test]
    fn what_has_no_cedar_value_is_named_by_its_path() {
        for (arguments, expected) in [
            (json!({"a": {"b": [1, null]}}), "`arguments.a.b.1` is null"),
            (json!({"a": 1.0}), "`arguments.a` is not a 64-bit integer"),
            (json!({"a": u64::MAX}), "`arguments.a` is not a 64-bit integer"),
            (json!("text"), "`arguments` is a string, not an object"),
        ] {
            assert_eq!(weighed(&arguments), Err(NotCedar(expected.to_owned())));
        }
    }

    #[test]
    fn attack_arguments_as_deep_as_a_parser_lets_through_do_not_overflow() {
        let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!({ "a": inner }));
        assert!(weighed(&nested(super::DEPTH)).is_ok());
        let NotCedar(why) = weighed(&nested(super::DEPTH + 1)).expect_err("it is too deep");
        assert!(why.ends_with("is nested too deeply"), "{why}");
        let lists = (0..125).fold(json!(1), |inner, _| json!([inner]));
        assert!(weighed(&json!({ "a": lists })).is_err());
    }
}
