//! What changes between two documents, in words: who gains, who loses, and what.
//!
//! Things are known by their names, so a renamed grant is one gone and one new. Order, comments and
//! spelling that mean the same are no change.

use super::{Document, Effect, Grant, Role, Scope, Server};
use crate::condition::Condition;
use crate::decision::{Feature, Mode};
use crate::matcher::ServerMatcher;
use crate::pattern::Pattern;
use crate::redaction::{Direction, FieldPath, Redaction, TextPattern};
use crate::ruleset::{DefinitionsMode, DoorSettings};
use std::collections::{HashMap, HashSet};
use std::fmt::Display;

/// One sentence a change; empty where the two mean the same.
pub(super) fn changes(old: &Document, new: &Document) -> Vec<String> {
    let mut said = Vec::new();
    defaults(old, new, &mut said);
    paired(&old.servers, &new.servers, |server| &server.name, server, &mut said);
    paired(&old.roles, &new.roles, |role| &role.name, role, &mut said);
    paired(&old.grants, &new.grants, |grant| &grant.name, grant, &mut said);
    paired(&old.redactions, &new.redactions, |redaction| &redaction.name, redaction, &mut said);
    let (before, after) = (old.tests.len(), new.tests.len());
    if before != after {
        said.push(format!("The document has {after} tests; it had {before}."));
    }
    said
}

/// Each pair of the same name, then what is only new; `None` stands for the missing half.
fn paired<T>(
    old: &[T],
    new: &[T],
    name: fn(&T) -> &String,
    say: fn(Option<&T>, Option<&T>, &mut Vec<String>),
    said: &mut Vec<String>,
) {
    let known: HashSet<_> = old.iter().map(name).collect();
    let present: HashMap<_, _> = new.iter().map(|item| (name(item), item)).collect();
    for before in old {
        say(Some(before), present.get(name(before)).copied(), said);
    }
    for after in new.iter().filter(|after| !known.contains(name(after))) {
        say(None, Some(after), said);
    }
}

fn defaults(old: &Document, new: &Document, said: &mut Vec<String>) {
    if old.door != new.door {
        said.push(format!("The HTTP door of each machine is {} from now on.", door(&new.door)));
    }
    let (old, new) = (&old.defaults, &new.defaults);
    if old.mode != new.mode {
        said.push(match new.mode {
            Mode::Enforce => "What no grant covers is refused from now on; it was only recorded.".to_owned(),
            Mode::Monitor => "What no grant covers is only recorded from now on; it was refused.".to_owned(),
        });
    }
    altered("The default contact", old.contact.as_deref(), new.contact.as_deref(), said);
    if old.heal != new.heal {
        let word = if new.heal { "are put back by themselves" } else { "are only reported" };
        said.push(format!("Configurations that drift {word} from now on."));
    }
    if old.hide != new.hide {
        let word = if new.hide { "look as if they did not exist" } else { "say why they are refused" };
        said.push(format!("Refused tools {word} from now on."));
    }
    if old.definitions != new.definitions {
        said.push(format!("Definitions that changed are {} from now on.", definitions(new.definitions)));
    }
}

fn door(door: &DoorSettings) -> &'static str {
    match (door.enabled, door.https) {
        (false, _) => "closed",
        (true, false) => "open for HTTP",
        (true, true) => "open for HTTPS only",
    }
}

fn definitions(mode: DefinitionsMode) -> &'static str {
    match mode {
        DefinitionsMode::Hold => "held back until somebody approves them",
        DefinitionsMode::Report => "shown and reported",
        DefinitionsMode::Off => "not looked at",
    }
}

fn server(old: Option<&Server>, new: Option<&Server>, said: &mut Vec<String>) {
    match (old, new) {
        (None, Some(new)) => {
            let matches = list(new.matches.iter().map(ServerMatcher::as_str));
            said.push(format!("New in the catalogue: server `{}`, which is {matches}.", new.name));
        }
        (Some(old), None) => said.push(format!("Server `{}` leaves the catalogue.", old.name)),
        (Some(old), Some(new)) => {
            let what = format!("Server `{}`", new.name);
            let texts = |server: &Server| {
                server.matches.iter().map(|matcher| matcher.as_str().to_owned()).collect::<Vec<_>>()
            };
            gained_and_lost(&what, "matches", "no longer matches", &texts(old), &texts(new), said);
            mode(&what, old.mode, new.mode, said);
            pinned(&what, old, new, said);
        }
        (None, None) => {}
    }
}

fn pinned(what: &str, old: &Server, new: &Server, said: &mut Vec<String>) {
    if old.definitions != new.definitions {
        said.push(match new.definitions {
            Some(mode) => {
                format!(
                    "Of {}, definitions that changed are {} from now on.",
                    lowered(what),
                    definitions(mode)
                )
            }
            None => format!("{what} has no word of its own on definitions any more."),
        });
    }
    let differing = |ours: &Server, theirs: &Server| {
        let differs = |(tool, digest): &(&String, &String)| theirs.pins.get(*tool) != Some(*digest);
        ours.pins.iter().filter(differs).map(|(tool, _)| tool.clone()).collect::<Vec<_>>()
    };
    let (pinned, gone) = (differing(new, old), differing(old, new));
    let gone: Vec<_> = gone.into_iter().filter(|tool| !new.pins.contains_key(tool)).collect();
    for (verb, tools) in [("has a new pin for", pinned), ("no longer pins", gone)] {
        if !tools.is_empty() {
            said.push(format!("{what} {verb} {}.", list(names(&tools))));
        }
    }
}

fn lowered(what: &str) -> String {
    let mut rest = what.chars();
    rest.next().map_or_else(String::new, |first| first.to_lowercase().chain(rest).collect())
}

fn role(old: Option<&Role>, new: Option<&Role>, said: &mut Vec<String>) {
    let members =
        |role: &Role| role.members.iter().map(|member| member.as_str().to_owned()).collect::<Vec<_>>();
    match (old, new) {
        (None, Some(new)) => {
            said.push(format!("New role `{}`: {}.", new.name, list(members(new).iter().map(String::as_str))));
        }
        (Some(old), None) => {
            let lost = list(members(old).iter().map(String::as_str)).to_string();
            said.push(format!("Role `{}` is gone; {lost} lose what it gave.", old.name));
        }
        (Some(old), Some(new)) => {
            let what = format!("Role `{}`", new.name);
            gained_and_lost(&what, "gains", "loses", &members(old), &members(new), said);
            mode(&what, old.mode, new.mode, said);
        }
        (None, None) => {}
    }
}

fn grant(old: Option<&Grant>, new: Option<&Grant>, said: &mut Vec<String>) {
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

fn redaction(old: Option<&Redaction>, new: Option<&Redaction>, said: &mut Vec<String>) {
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

fn mode(what: &str, old: Option<Mode>, new: Option<Mode>, said: &mut Vec<String>) {
    if old != new {
        said.push(match new {
            Some(Mode::Enforce) => format!("{what} is enforced from now on."),
            Some(Mode::Monitor) => format!("{what} is only monitored from now on."),
            None => format!("{what} has no mode of its own any more."),
        });
    }
}

fn gained_and_lost(
    what: &str,
    gains: &str,
    loses: &str,
    old: &[String],
    new: &[String],
    said: &mut Vec<String>,
) {
    let missing = |from: &[String], other: &[String]| {
        from.iter().filter(|name| !other.contains(name)).cloned().collect::<Vec<_>>()
    };
    for (verb, changed) in [(gains, missing(new, old)), (loses, missing(old, new))] {
        if !changed.is_empty() {
            said.push(format!("{what} {verb} {}.", list(names(&changed))));
        }
    }
}

fn altered(what: &str, old: Option<&str>, new: Option<&str>, said: &mut Vec<String>) {
    match new {
        _ if old == new => {}
        Some(new) => said.push(format!("{what} is now: {new}")),
        None => said.push(format!("{what} is taken out.")),
    }
}

fn quoted(condition: &Condition) -> String {
    format!("`{}`", condition.text().split_whitespace().collect::<Vec<_>>().join(" "))
}

fn names(names: &[String]) -> impl Iterator<Item = &str> {
    names.iter().map(String::as_str)
}

/// `` `a`, `b` and 3 more ``: a list that stays readable.
fn list<'a>(names: impl Iterator<Item = &'a str>) -> impl Display {
    const SHOWN: usize = 6;
    let quoted: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    match quoted.len() {
        0 => "nobody".to_owned(),
        1 => quoted[0].clone(),
        count if count <= SHOWN => format!("{} and {}", quoted[..count - 1].join(", "), quoted[count - 1]),
        count => format!("{} and {} more", quoted[..SHOWN].join(", "), count - SHOWN),
    }
}

#[cfg(test)]
mod tests {
    use super::Document;

    const OLD: &str = r#"
        [servers.github]
        match = ["npm:@acme/github"]
        [roles.engineering]
        members = ["alice@acme.example", "bob@acme.example"]
        [[grants]]
        name = "read"
        roles = ["engineering"]
        servers = ["github"]
        tools = ["get_*"]
    "#;

    fn changes(edit: impl Fn(String) -> String) -> Vec<String> {
        let parse = |text: &str| Document::parse(text).expect("the document is sound");
        parse(OLD).changes_to(&parse(&edit(OLD.to_owned())))
    }

    #[test]
    fn no_change_says_nothing() {
        assert!(changes(|text| format!("# a comment\n{text}")).is_empty());
    }

    #[test]
    fn who_gains_and_who_loses_is_said_in_words() {
        for (from, to, expected) in [
            (
                "\"bob@",
                "\"carol@",
                vec![
                    "Role `engineering` gains `carol@acme.example`.",
                    "Role `engineering` loses `bob@acme.example`.",
                ],
            ),
            (
                "[\"get_*\"]",
                "[\"get_*\", \"create_issue\"]",
                vec!["Grant `read` now also covers tool `create_issue`."],
            ),
            (
                "\"get_*\"",
                "\"get_me\"",
                vec![
                    "Grant `read` now also covers tool `get_me`.",
                    "Grant `read` no longer covers tool `get_*`.",
                ],
            ),
            (
                "tools =",
                "effect = \"deny\"\ntools =",
                vec!["Grant `read` denies from now on what it allowed."],
            ),
            (
                "tools =",
                "when = 'context.args.a == 1'\ntools =",
                vec!["Grant `read` holds only when `context.args.a == 1` from now on; it held always."],
            ),
            (
                "name = \"read\"",
                "name = \"look\"",
                vec![
                    "Grant `read` is gone: `engineering` may no longer, by it, call `get_*` on `github`.",
                    "New grant `look`: `engineering` may call `get_*` on `github`.",
                ],
            ),
            (
                "tools =",
                "resources = [\"repo://*\"]\nclient-features = [\"*\"]\ntools =",
                vec![
                    "Grant `read` now also covers resource `repo://*`.",
                    "Grant `read` now also covers client feature `*`.",
                ],
            ),
            (
                "name = \"read\"\n",
                "name = \"look\"\nprompts = [\"*\"]\nresources = [\"repo://*\"]\n",
                vec![
                    "Grant `read` is gone: `engineering` may no longer, by it, call `get_*` on `github`.",
                    "New grant `look`: `engineering` may call `get_*`, read `repo://*` and get every prompt on `github`.",
                ],
            ),
            (
                "[[grants]]",
                "[[grants]]\nname = \"none\"\nroles = [\"engineering\"]\nservers = [\"github\"]\neffect = \"deny\"\n[[grants]]",
                vec!["New grant `none`: `engineering` may never use anything on `github`."],
            ),
            (
                "[servers.github]",
                "[door]\nhttps = true\n[[redact]]\nname = \"r\"\nsecrets = true\nfields = [\"a\"]\nin = \"results\"\n[servers.github]\ndefinitions = \"hold\"",
                vec![
                    "The HTTP door of each machine is open for HTTPS only from now on.",
                    "Of server `github`, definitions that changed are held back until somebody approves them from now on.",
                    "New redaction `r`: secrets and fields `a` in results of every server, replaced by `[redacted]`.",
                ],
            ),
            (
                "[servers.github]",
                "[defaults]\nmode = \"enforce\"\n[servers.github]\nmode = \"monitor\"",
                vec![
                    "What no grant covers is refused from now on; it was only recorded.",
                    "Server `github` is only monitored from now on.",
                ],
            ),
        ] {
            assert_eq!(changes(|text| text.replacen(from, to, 1)), expected, "{from} -> {to}");
        }
    }
}
