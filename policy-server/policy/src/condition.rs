//! A grant's `when`: one Cedar expression over `context`, parsed and looked through once.
//!
//! What `context` holds is fixed ([`ATTRIBUTES`]). Anything else an expression could name, such as
//! `principal` or a misspelt attribute, is refused here, at the author's desk, because at run time
//! it could only ever be an error.

mod arguments;
mod likes;
mod observed;
mod size;

pub(crate) use arguments::restricted;
pub(crate) use likes::LikeArgument;
pub(crate) use observed::Observed;

use crate::document::{Effect, did_you_mean};
use cedar_policy::{Expression, ParseErrors, Policy, PolicyId};
use miette::Diagnostic;
use std::str::FromStr;
use std::sync::Arc;

/// What a condition may ask of `context`.
pub(crate) const ATTRIBUTES: [&str; 9] =
    ["args", "client", "device", "feature", "member", "name", "now", "server", "tool"];

/// A condition that Cedar parsed. Clones share it.
#[derive(Debug, Clone)]
pub struct Condition(Arc<Parsed>);

#[derive(Debug)]
struct Parsed {
    text: String,
    policy: Policy,
    observed: Observed,
}

/// One fault, at a byte of the condition's own text.
#[derive(Debug)]
pub(crate) struct Fault {
    pub offset: usize,
    pub message: String,
    pub help: String,
}

impl Condition {
    pub(crate) fn parse(text: &str, effect: Effect) -> Result<Self, Vec<Fault>> {
        size::check(text).map_err(|fault| vec![fault])?;
        // First as an expression alone: text that closes the policy's braces and opens a policy of
        // its own is no expression.
        Expression::from_str(text).map_err(|errors| faults(&errors))?;
        let policy = Policy::parse(None, policy_text(text, effect)).map_err(|errors| {
            vec![Fault { offset: 0, message: format!("is not Cedar: {errors}"), help: String::new() }]
        })?;
        let body = policy.to_json().map_err(|error| {
            vec![Fault { offset: 0, message: format!("is not Cedar: {error}"), help: String::new() }]
        })?;
        let (observed, faults) = observed::look_through(&body["conditions"], text);
        if faults.is_empty() {
            Ok(Self(Arc::new(Parsed { text: text.to_owned(), policy, observed })))
        } else {
            Err(faults)
        }
    }

    /// As its author wrote it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The policy that holds exactly when the condition does, under a grant's name.
    pub(crate) fn policy(&self, grant: &str) -> Policy {
        self.0.policy.new_id(PolicyId::new(grant))
    }

    /// Every `like` on an argument.
    pub(crate) fn likes(&self) -> Vec<LikeArgument> {
        // It became JSON once already, when it was parsed.
        self.0.policy.to_json().map_or_else(|_| Vec::new(), |policy| likes::of(&policy["conditions"]))
    }

    /// What of the arguments the condition can see.
    pub(crate) fn observed(&self) -> &Observed {
        &self.0.observed
    }
}

/// On lines of its own, so that a comment at its end does not swallow the brace.
fn policy_text(condition: &str, effect: Effect) -> String {
    let verb = match effect {
        Effect::Allow => "permit",
        Effect::Deny => "forbid",
    };
    format!("{verb}(principal, action, resource) when {{\n{condition}\n}};")
}

fn faults(errors: &ParseErrors) -> Vec<Fault> {
    errors
        .iter()
        .map(|error| Fault {
            offset: error.labels().and_then(|mut labels| labels.next()).map_or(0, |label| label.offset()),
            message: format!("is not Cedar: {error}"),
            help: error.help().map(|help| help.to_string()).unwrap_or_default(),
        })
        .collect()
}

pub(crate) fn attribute_help(wrong: &str) -> String {
    let near = did_you_mean(wrong, ATTRIBUTES);
    if near.is_empty() { format!("`context` has {}", ATTRIBUTES.join(", ")) } else { near }
}
