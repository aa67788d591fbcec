//! The document as Cedar text: one policy a grant, `forbid` for a deny.
//!
//! `like` cannot say how URIs are compared, so of a resource the context holds `uri` beside `name`: whether
//! it is `plain`, what it is without fragment (`unfragmented`) and without query (`unqueried`), and each of
//! the three decoded and without case (`folded` …).

use super::{Document, Effect, Grant};
use crate::decision::Feature;
use crate::pattern::Pattern;
use crate::uri::folded;
use std::fmt::Write;

pub(super) fn write(document: &Document) -> String {
    document.grants.iter().map(policy).collect::<Vec<_>>().join("\n")
}

fn policy(grant: &Grant) -> String {
    let verb = match grant.effect {
        Effect::Allow => "permit",
        Effect::Deny => "forbid",
    };
    let scope: Vec<_> =
        grant.scope.lists().map(|(feature, patterns)| list(feature, patterns, grant.effect)).collect();
    let mut text =
        format!("@id({})\n{verb} (principal, action == Action::\"call\", resource)\n", quoted(&grant.name));
    let _ = writeln!(text, "when {{ principal in [{}] }}", entities("Role", &grant.roles));
    let _ = writeln!(text, "when {{ resource in [{}] }}", entities("Server", &grant.servers));
    let _ = write!(text, "when {{ {} }}", scope.join(" || "));
    if let Some(condition) = &grant.when {
        let _ = write!(text, "\nwhen {{\n{}\n}}", condition.text());
    }
    text.push_str(";\n");
    text
}

fn list(feature: Feature, patterns: &[Pattern], effect: Effect) -> String {
    let of_feature = format!("context.feature == {}", quoted(feature.word()));
    if patterns.iter().any(Pattern::is_any) {
        return of_feature;
    }
    let one = |pattern: &Pattern| match (feature, effect, pattern.literal()) {
        (Feature::Resource, Effect::Deny, _) => denied_uri(pattern),
        (Feature::Resource, Effect::Allow, None) => allowed_uri(pattern),
        _ => format!("context.name like {}", quoted(pattern.as_str())),
    };
    let names: Vec<_> = patterns.iter().map(one).collect();
    // `&&` binds closer than `||`.
    match &names[..] {
        [only] => format!("{of_feature} && {only}"),
        names => format!("{of_feature} && ({})", names.join(" || ")),
    }
}

/// Every reading, but for parts that the pattern itself speaks of.
fn allowed_uri(pattern: &Pattern) -> String {
    let text = pattern.as_str();
    let mut all = format!("context.uri.plain && context.name like {}", quoted(text));
    if !text.contains('#') {
        let _ = write!(all, " && context.uri.unfragmented like {}", quoted(text));
        if !text.contains('?') {
            let _ = write!(all, " && context.uri.unqueried like {}", quoted(text));
        }
    }
    format!("({all})")
}

/// Any reading.
fn denied_uri(pattern: &Pattern) -> String {
    let (sent, folded) = (quoted(pattern.as_str()), quoted(&folded(pattern.as_str())));
    format!(
        "(!context.uri.plain || context.name like {sent} || context.uri.folded like {folded} \
         || context.uri.folded_unfragmented like {folded} || context.uri.folded_unqueried like {folded})"
    )
}

fn entities(kind: &str, names: &[String]) -> String {
    names.iter().map(|name| format!("{kind}::{}", quoted(name))).collect::<Vec<_>>().join(", ")
}

/// A Cedar string literal; a `*` stays the wildcard of `like`.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.escape_default())
}
