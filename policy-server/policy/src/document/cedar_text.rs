//! The document as Cedar text: one policy a grant, `forbid` for a deny.

use super::{Document, Effect, Grant};
use std::fmt::Write;

pub(super) fn write(document: &Document) -> String {
    document.grants.iter().map(policy).collect::<Vec<_>>().join("\n")
}

fn policy(grant: &Grant) -> String {
    let verb = match grant.effect {
        Effect::Allow => "permit",
        Effect::Deny => "forbid",
    };
    let tools: Vec<_> =
        grant.tools.iter().map(|tool| format!("context.tool like {}", quoted(tool.as_str()))).collect();
    let mut text =
        format!("@id({})\n{verb} (principal, action == Action::\"call\", resource)\n", quoted(&grant.name));
    let _ = writeln!(text, "when {{ principal in [{}] }}", entities("Role", &grant.roles));
    let _ = writeln!(text, "when {{ resource in [{}] }}", entities("Server", &grant.servers));
    let _ = write!(text, "when {{ {} }}", tools.join(" || "));
    if let Some(condition) = &grant.when {
        let _ = write!(text, "\nwhen {{\n{}\n}}", condition.text());
    }
    text.push_str(";\n");
    text
}

fn entities(kind: &str, names: &[String]) -> String {
    names.iter().map(|name| format!("{kind}::{}", quoted(name))).collect::<Vec<_>>().join(", ")
}

/// A Cedar string literal; a `*` stays the wildcard of `like`.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.escape_default())
}
