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
//! So does a key that some readers take for another one, beside it or in its place: a condition weighs
//! `path`, and a server that ignores case reads `PATH`.
//!
//! It is never left out (then `!(context.args has x)` would hold), never replaced by a stand-in
//! (then `context.args.x != "prod"` would hold), and never rounded.

use super::observed::Observed;
use cedar_policy::RestrictedExpression;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashSet};

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
    if let Some(name) =
        members.keys().find_map(|key| wanted.keys().find(|name| doubles(key, name, members, wanted)))
    {
        return Err(trail.double(name));
    }
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
            let mut folded = HashSet::with_capacity(members.len());
            let mut is_new = |key: &str| {
                let (whole, until_nul) = readings(key);
                let cut = until_nul == whole || folded.insert(until_nul);
                folded.insert(whole) && cut
            };
            if let Some(name) = members.keys().find(|key| !is_new(key)) {
                return Err(trail.double(name));
            }
            let mut pairs = Vec::with_capacity(members.len());
            for (name, member) in members {
                pairs.push((name.clone(), trail.within(name, |trail| whole(member, trail))?));
            }
            record(pairs, trail)
        }
    }
}

/// Would a careless reader take this key for `name`, though it is another?
fn doubles(key: &str, name: &str, members: &Map<String, Value>, wanted: &BTreeMap<String, Observed>) -> bool {
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    let alike = if plain(key) && plain(name) {
        key.eq_ignore_ascii_case(name)
    } else {
        let (whole, until_nul) = readings(key);
        [whole, until_nul].contains(&fold(name))
    };
    // A condition that looks at both spellings knows what it does, as long as only one is there.
    alike && key != name && (!wanted.contains_key(key) || members.contains_key(name))
}

/// What careless readers make of a key: one that reads all of it, and one that ends at NUL.
fn readings(key: &str) -> (String, String) {
    (fold(key), fold(key.split('\0').next().unwrap_or_default()))
}

/// Without case, blanks and invisible characters. Upper then lower case, because that is how ſ becomes s; lower alone is how the Kelvin sign becomes k.
fn fold(key: &str) -> String {
    key.chars()
        .filter(|c| !is_invisible(*c))
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect()
}

fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
            | '\u{FFA0}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
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

    /// The key that is there is not repeated: it may be of anybody's making.
    fn double(&self, name: &str) -> NotCedar {
        let name = name.escape_debug();
        NotCedar(format!(
            "`{}.{name}` has a double: another key that some servers read as the same",
            self.text
        ))
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

    /// Whether a condition that sees `args.path` and `args.inner.path` can be decided.
    fn decidable(arguments: &Value) -> bool {
        let when = "context.args.path like \"/work/*\" && context.args.inner.path like \"/work/*\"";
        let condition = crate::condition::Condition::parse(when, crate::document::Effect::Allow).expect(when);
        restricted(Some(arguments), condition.observed()).is_ok()
    }

    #[test]
    fn attack_argument_names_that_a_careless_server_folds_into_the_one_that_was_weighed() {
        let good =
            json!({"path": "/work/x", "inner": {"path": "/work/x", "other": 1}, "Other": 1, "paths": 1});
        assert!(decidable(&good));
        for name in [
            "PATH",
            "Path",
            "path ",
            " path",
            "path\0",
            "path\0x",
            "\0path",
            "pa\0th",
            "pa\u{200b}th",
            "\u{feff}path",
        ] {
            // Beside it, in its place, and one level down.
            let mut beside = good.clone();
            beside[name] = json!("/etc/shadow");
            assert!(!decidable(&beside), "{name:?}");
            assert!(!decidable(&json!({ name: "/etc/shadow" })), "{name:?}");
            let mut inner = good.clone();
            inner["inner"][name] = json!("/etc/shadow");
            assert!(!decidable(&inner), "{name:?}");
            // Where an object is looked at as a whole.
            assert!(weighed(&json!({"a": [{"path": 1, name: 2}]})).is_err(), "{name:?}");
        }
        assert!(!decidable(&json!({"path": "/work/x", "INNER": {"path": "/etc/shadow"}})));
        for (observed, name) in [("user", "u\u{17f}er"), ("token", "to\u{212a}en")] {
            let condition = format!("context.args.{observed} == \"x\"");
            let condition =
                crate::condition::Condition::parse(&condition, crate::document::Effect::Deny).expect("Cedar");
            let got = restricted(Some(&json!({ observed: "y", name: "x" })), condition.observed());
            let NotCedar(why) = got.expect_err(name);
            assert!(why.contains("has a double") && !why.contains(name), "{why}");
        }
        // Who asks for both spellings is answered, while only one is there.
        let both = "context.args.path == \"x\" || context.args has PATH";
        let both = crate::condition::Condition::parse(both, crate::document::Effect::Allow).expect(both);
        assert!(restricted(Some(&json!({"PATH": "x"})), both.observed()).is_ok());
        assert!(restricted(Some(&json!({"PATH": "x", "path": "x"})), both.observed()).is_err());
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
