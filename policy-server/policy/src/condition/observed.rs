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

/// `context.a.b` and `context.a has b` as `["a", "b"]`.
fn path(node: &Value) -> Option<Vec<&str>> {
    let members = node.as_object()?;
    if members.get("Var").is_some_and(|name| name == "context") {
        return Some(Vec::new());
    }
    let access = members.get(".").or_else(|| members.get("has"))?;
    let mut path = path(&access["left"])?;
    path.push(access["attr"].as_str()?);
    Some(path)
}
