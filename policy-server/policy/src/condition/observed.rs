//! Which arguments a condition can see, read off Cedar's own JSON form of the policy.
//!
//! Only these are ever handed to Cedar: an argument nobody asks about costs nothing, however large,
//! and one without a Cedar value (a null, a fraction) stops only the conditions that look at it.

use super::{ATTRIBUTES, Fault, attribute_help};
use serde_json::Value;
use std::collections::BTreeMap;

/// The part of a JSON value that a condition can see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Observed {
    Whole,
    /// Only these members of an object. With none of them, nothing at all.
    Members(BTreeMap<String, Observed>),
}

impl Observed {
    pub fn nothing() -> Self {
        Self::Members(BTreeMap::new())
    }

    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Members(members) if members.is_empty())
    }

    /// Adds what another condition can see.
    pub fn widen(&mut self, other: &Self) {
        match (&mut *self, other) {
            (Self::Whole, _) => {}
            (_, Self::Whole) => *self = Self::Whole,
            (Self::Members(mine), Self::Members(theirs)) => {
                for (name, seen) in theirs {
                    mine.entry(name.clone()).or_insert_with(Self::nothing).widen(seen);
                }
            }
        }
    }

    fn add(&mut self, path: &[&str]) {
        match (&mut *self, path) {
            (Self::Whole, _) => {}
            (_, []) => *self = Self::Whole,
            (Self::Members(members), [first, rest @ ..]) => {
                members.entry((*first).to_owned()).or_insert_with(Self::nothing).add(rest);
            }
        }
    }
}

pub(super) fn look_through(body: &Value, text: &str) -> (Observed, Vec<Fault>) {
    let mut walk = Walk { args: Observed::nothing(), faults: Vec::new(), text };
    walk.expression(body);
    (walk.args, walk.faults)
}

struct Walk<'t> {
    args: Observed,
    faults: Vec<Fault>,
    text: &'t str,
}

impl Walk<'_> {
    fn expression(&mut self, node: &Value) {
        if let Some(path) = path(node) {
            return self.reference(&path);
        }
        match node {
            Value::Object(members) => {
                if let Some(Value::String(name)) = members.get("Var") {
                    let help = "a condition asks `context` only; who and what is the grant's own business";
                    self.fault(name, format!("speaks of `{name}`"), help.to_owned());
                }
                if let Some(comparison) = members.get("==").or_else(|| members.get("!=")) {
                    self.comparison(comparison);
                }
                members.values().for_each(|member| self.expression(member));
            }
            Value::Array(items) => items.iter().for_each(|item| self.expression(item)),
            _ => {}
        }
    }

    fn reference(&mut self, path: &[&str]) {
        match path {
            [] => {
                let help = "name what is asked: `context.args`, `context.tool`".to_owned();
                self.fault("context", "speaks of `context` as a whole".to_owned(), help);
            }
            ["args", inner @ ..] => self.args.add(inner),
            [name, ..] if ATTRIBUTES.contains(name) => {}
            [name, ..] => {
                let message = format!("asks for `context.{name}`, which there is not");
                self.fault(name, message, attribute_help(name));
            }
        }
    }

    /// Cedar's sets know neither order nor repetition, so `==` with a list that has members would
    /// accept another list than the one that is sent on.
    fn comparison(&mut self, sides: &Value) {
        if ["left", "right"].iter().any(|side| has_members(&sides[side])) {
            let message = "compares a list by `==`, which forgets order and repetition".to_owned();
            let help = "use `.contains(…)`, `[…].containsAll(…)` or `.isEmpty()`".to_owned();
            self.fault("[", message, help);
        }
    }

    fn fault(&mut self, near: &str, message: String, help: String) {
        let offset = self.text.find(near).unwrap_or(0);
        self.faults.push(Fault { offset, message, help });
    }
}

/// A set literal with members, itself or inside a literal record.
fn has_members(node: &Value) -> bool {
    match (node.get("Set"), node.get("Record")) {
        (Some(Value::Array(members)), _) => !members.is_empty(),
        (_, Some(Value::Object(members))) => members.values().any(has_members),
        _ => false,
    }
}

/// `context.a.b`, `context.a has b` and `context has a.b` as `["a", "b"]`.
pub(super) fn path(node: &Value) -> Option<Vec<&str>> {
    let members = node.as_object()?;
    if members.get("Var").is_some_and(|name| name == "context") {
        return Some(Vec::new());
    }
    let access = members.get(".").or_else(|| members.get("has"))?;
    let mut path = path(&access["left"])?;
    match &access["attr"] {
        Value::String(name) => path.push(name),
        Value::Array(names) => path.extend(names.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?),
        _ => return None,
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use crate::condition::Condition;
    use crate::document::Effect;

    /// The paths a condition can see, as `a.b`; an empty path is the whole.
    fn seen(text: &str) -> String {
        fn paths(observed: &super::Observed, at: &str, found: &mut Vec<String>) {
            match observed {
                super::Observed::Whole => found.push(at.to_owned()),
                super::Observed::Members(members) => {
                    for (name, inner) in members {
                        paths(inner, &format!("{at}.{name}"), found);
                    }
                }
            }
        }
        let mut found = Vec::new();
        paths(Condition::parse(text, Effect::Deny).expect(text).observed(), "args", &mut found);
        found.join(" ")
    }

    #[test]
    fn every_way_to_look_at_an_argument_is_seen() {
        for (text, expected) in [
            ("context.tool == \"x\"", ""),
            ("context.args.a == 1", "args.a"),
            ("context.args has a", "args.a"),
            ("context.args has a.b.c", "args.a.b.c"),
            ("context has args.a", "args.a"),
            ("context.args[\"odd name\"] == 1", "args.odd name"),
            ("context[\"args\"].a == 1", "args.a"),
            ("context.args.a.b > 1 && context.args.a.c > 1", "args.a.b args.a.c"),
            ("context.args.a.b > 1 && context.args.a has b", "args.a.b"),
            ("context.args.a.b > 1 || context.args.a == {}", "args.a"),
            ("context.args == {}", "args"),
            ("context has args", "args"),
            ("[context.args.a].contains(1)", "args.a"),
            ("{x: context.args.a}.x == 1", "args.a"),
            ("{Var: \"context\", args: context.args.b}.args like \"x\"", "args.b"),
            (
                "(if context.args.a then context.args.b else context.args.c).d == -context.args.e",
                "args.a args.b args.c args.e",
            ),
            ("(if true then context.args else context.args).d", "args"),
            ("[\"a\"].containsAll(context.args.list) && context.args.s like \"*\"", "args.list args.s"),
            ("context.args.a is Thing", "args.a"),
            ("context.args.a in Thing::\"x\"", "args.a"),
            ("context.args.a.hasTag(context.args.b)", "args.a args.b"),
        ] {
            assert_eq!(seen(text), expected, "{text}");
        }
    }
}
