//! Every sentence a ruleset says of itself, where the rule's author said none.

use super::{Rule, Source};
use crate::condition::Condition;
use crate::decision::{Decision, Feature, Mode, Verdict};
use crate::identity::ServerIdentity;
use crate::uri::is_invisible;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub(super) fn refused(mode: Mode, rule: &str, reason: String, contact: Option<String>) -> Decision {
    Decision { verdict: Verdict::Refuse, mode, rule: rule.to_owned(), reason, contact, unmet: None }
}

/// A refusal that no mode softens.
fn ended(rule: &str, reason: String, contact: Option<String>) -> Decision {
    refused(Mode::Enforce, rule, reason, contact)
}

pub(super) fn lockdown(why: &str) -> Decision {
    ended("lockdown", why.to_owned(), None)
}

pub(super) fn suspended(member: &str, contact: Option<String>) -> Decision {
    ended("member-suspended", format!("The access of {member} has ended."), contact)
}

pub(super) fn revoked(contact: Option<String>) -> Decision {
    ended("device-revoked", "The access of this device has ended.".to_owned(), contact)
}

pub(super) fn expired(expires: OffsetDateTime, contact: Option<String>) -> Decision {
    let when = expires.format(&Rfc3339).unwrap_or_else(|_| expires.to_string());
    let reason = format!(
        "Your organisation's policy on this device ran out at {when} and could not be renewed since."
    );
    ended("policy-expired", reason, contact)
}

pub(super) fn not_in_catalogue(server: &ServerIdentity, source: &Source) -> String {
    match source {
        Source::Organisation => "This server is not in your organisation's catalogue.".to_owned(),
        Source::File(path) => {
            let line = shown(server.as_str(), 400);
            format!("No server of {path} is this one; the line to add to one: match = [\"{line}\"].")
        }
    }
}

pub(super) fn no_grant(source: &Source, who: &str, feature: Feature, name: &str, server: &str) -> String {
    let name = shown(name, 120);
    match feature {
        Feature::Tool => format!("No rule of {source} lets {who} call \"{name}\" on \"{server}\"."),
        Feature::Resource => format!("No rule of {source} lets {who} read \"{name}\" on \"{server}\"."),
        Feature::Prompt => {
            format!("No rule of {source} lets {who} use the prompt \"{name}\" of \"{server}\".")
        }
        Feature::Client => {
            format!("No rule of {source} lets \"{server}\" ask the client of {who} for {name}.")
        }
        Feature::Method => format!("No rule of {source} lets {who} send \"{name}\" to \"{server}\"."),
    }
}

/// Methods that policy says nothing of are what keeps a conversation going.
pub(super) fn ungoverned(mode: Mode) -> Decision {
    Decision {
        verdict: Verdict::Allow,
        mode,
        rule: "default-methods".to_owned(),
        reason: "No rule speaks of this method, so it passes.".to_owned(),
        contact: None,
        unmet: None,
    }
}

pub(super) fn no_grant_at_all(source: &Source, who: &str, server: &str) -> String {
    format!("No rule of {source} lets {who} use anything of \"{server}\".")
}

/// `alice@acme.example (engineering)`
pub(super) fn who(member: &str, roles: &[&str]) -> String {
    let member = shown(member, 120);
    match roles {
        [] => format!("{member} (no role)"),
        [only] => format!("{member} ({only})"),
        [first, second] => format!("{member} ({first}, {second})"),
        [first, second, rest @ ..] => format!("{member} ({first}, {second} and {} more roles)", rest.len()),
    }
}

pub(super) fn allowed(rule: &Rule) -> String {
    format!("The grant `{}` allows it.", rule.name)
}

pub(super) fn denied(rule: &Rule, feature: Feature) -> String {
    let noun = feature.noun();
    match rule.condition() {
        None => format!("The rule `{}` denies this {noun}.", rule.name),
        Some(condition) => {
            format!("The rule `{}` denies this {noun} when: {}", rule.name, one_line(condition.text()))
        }
    }
}

pub(super) fn denied_wholly(rule: &Rule) -> String {
    format!("The rule `{}` denies everything of this server that other rules allow.", rule.name)
}

pub(super) fn needs(rule: &Rule) -> Option<String> {
    rule.condition().map(|condition| one_line(condition.text()))
}

pub(super) fn unmet(rule: &Rule, feature: Feature) -> String {
    let condition = rule.condition().map_or("", Condition::text);
    let noun = feature.noun();
    format!("The grant `{}` allows this {noun} only when: {}", rule.name, one_line(condition))
}

pub(super) fn all_unmet<'r>(names: impl Iterator<Item = &'r str>) -> String {
    let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    format!("The conditions of the grants {} do not hold for this call.", names.join(", "))
}

pub(super) fn undecidable(grant: Option<&str>, why: &str) -> String {
    let grant = grant.map_or_else(String::new, |name| format!(" of the grant `{name}`"));
    format!(
        "The condition{grant} could not be decided for this call, which counts as a refusal: {}.",
        one_line(why)
    )
}

/// Text that a client chose, in a sentence that a terminal may print: no control characters, and not
/// longer than anybody reads.
fn shown(text: &str, limit: usize) -> String {
    let mut shown = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == limit {
            shown.push('…');
            break;
        }
        if c.is_control() || is_invisible(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    shown
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
