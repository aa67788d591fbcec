//! What changes in a redaction: what is taken out of whose messages.

use super::{list, names};
use crate::pattern::Pattern;
use crate::redaction::{Direction, FieldPath, Redaction, TextPattern};

pub(super) fn say(old: Option<&Redaction>, new: Option<&Redaction>, said: &mut Vec<String>) {
    match (old, new) {
        (None, Some(new)) => said.push(format!("New redaction `{}`: {}.", new.name, taken_out(new))),
        (Some(old), None) => {
            said.push(format!("Redaction `{}` is gone; it took out: {}.", old.name, taken_out(old)));
        }
        (Some(old), Some(new)) if taken_out(old) != taken_out(new) => {
            let before = taken_out(old);
            said.push(format!("Redaction `{}` changed: {}; before: {before}.", new.name, taken_out(new)));
        }
        _ => {}
    }
}

/// ``secrets and fields `a` and `b` in results of `github` ``
fn taken_out(redaction: &Redaction) -> String {
    let fields = redaction.fields.iter().map(FieldPath::as_str);
    let patterns = redaction.patterns.iter().map(TextPattern::as_str);
    let what: Vec<_> = [
        redaction.secrets.then(|| "secrets".to_owned()),
        (!redaction.fields.is_empty()).then(|| format!("fields {}", list(fields))),
        (!redaction.patterns.is_empty()).then(|| format!("what matches {}", list(patterns))),
    ]
    .into_iter()
    .flatten()
    .collect();
    let way = match redaction.direction {
        Direction::Arguments => "arguments",
        Direction::Results => "results",
        Direction::Both => "arguments and results",
    };
    let of = if redaction.scope.is_everything() {
        String::new()
    } else {
        let lists = redaction.scope.lists();
        let of =
            lists.map(|(feature, of)| format!("{} {}", feature.list(), list(of.iter().map(Pattern::as_str))));
        format!(" of {}", of.collect::<Vec<_>>().join(", "))
    };
    let servers = match &redaction.servers[..] {
        [] => "every server".to_owned(),
        servers => list(names(servers)).to_string(),
    };
    let roles = match &redaction.roles[..] {
        [] => String::new(),
        roles => format!(", for {}", list(names(roles))),
    };
    format!("{} in {way}{of} of {servers}{roles}, replaced by `{}`", what.join(" and "), redaction.with)
}
