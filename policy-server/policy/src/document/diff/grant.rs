//! What changes in a grant: what may be used by whom, where and when.

use super::{altered, gained_and_lost, list, names, quoted};
use crate::decision::Feature;
use crate::document::{Effect, Grant, Scope};
use crate::pattern::Pattern;

pub(super) fn say(old: Option<&Grant>, new: Option<&Grant>, said: &mut Vec<String>) {
    match (old, new) {
        (None, Some(new)) => said.push(format!("New grant `{}`: {}.", new.name, effect(new, false))),
        (Some(old), None) => said.push(format!("Grant `{}` is gone: {}.", old.name, effect(old, true))),
        (Some(old), Some(new)) => changed_grant(old, new, said),
        (None, None) => {}
    }
}

/// ``engineering may call `get_*` and read `repo://*` on `github` ``
fn effect(grant: &Grant, gone: bool) -> String {
    let verb = match (grant.effect, gone) {
        (Effect::Allow, false) => "may",
        (Effect::Allow, true) => "may no longer, by it,",
        (Effect::Deny, false) => "may never",
        (Effect::Deny, true) => "are no longer denied to",
    };
    let what = used(&grant.scope);
    let (roles, servers) = (list(names(&grant.roles)), list(names(&grant.servers)));
    let when = grant.when.as_ref().map_or_else(String::new, |when| format!(", when {}", quoted(when)));
    format!("{roles} {verb} {what} on {servers}{when}")
}

/// ``call `get_*` and read every resource``
fn used(scope: &Scope) -> String {
    if scope.is_everything() {
        return "use anything".to_owned();
    }
    let uses: Vec<_> = scope
        .lists()
        .map(|(feature, patterns)| {
            let verb = match feature {
                Feature::Tool => "call",
                Feature::Resource => "read",
                Feature::Prompt => "get prompt",
                Feature::Client => "answer requests for",
                Feature::Method => "send",
            };
            match (feature, patterns) {
                (Feature::Prompt, [any]) if any.is_any() => "get every prompt".to_owned(),
                (Feature::Client, [any]) if any.is_any() => "answer every request of the server".to_owned(),
                (_, [any]) if any.is_any() => format!("{verb} every {}", feature.noun()),
                _ => format!("{verb} {}", list(patterns.iter().map(Pattern::as_str))),
            }
        })
        .collect();
    match &uses[..] {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        uses => uses.concat(),
    }
}

fn changed_grant(old: &Grant, new: &Grant, said: &mut Vec<String>) {
    let what = format!("Grant `{}`", new.name);
    if old.effect != new.effect {
        said.push(match new.effect {
            Effect::Deny => format!("{what} denies from now on what it allowed."),
            Effect::Allow => format!("{what} allows from now on what it denied."),
        });
    }
    gained_and_lost(&what, "now also covers role", "no longer covers role", &old.roles, &new.roles, said);
    gained_and_lost(
        &what,
        "now also covers server",
        "no longer covers server",
        &old.servers,
        &new.servers,
        said,
    );
    for feature in Feature::ALL {
        let texts = |grant: &Grant| {
            grant.scope.of(feature).iter().map(|pattern| pattern.as_str().to_owned()).collect::<Vec<_>>()
        };
        let (gains, loses) =
            (format!("now also covers {}", feature.noun()), format!("no longer covers {}", feature.noun()));
        gained_and_lost(&what, &gains, &loses, &texts(old), &texts(new), said);
    }
    let condition = |grant: &Grant| grant.when.as_ref().map(quoted);
    match (condition(old), condition(new)) {
        (None, Some(new)) => said.push(format!("{what} holds only when {new} from now on; it held always.")),
        (Some(old), None) => said.push(format!("{what} holds always from now on; it held only when {old}.")),
        (Some(old), Some(new)) if old != new => {
            said.push(format!("{what} holds when {new} from now on; before, when {old}."));
        }
        _ => {}
    }
    altered(
        &format!("The reason of grant `{}`", new.name),
        old.reason.as_deref(),
        new.reason.as_deref(),
        said,
    );
    altered(
        &format!("The contact of grant `{}`", new.name),
        old.contact.as_deref(),
        new.contact.as_deref(),
        said,
    );
}
