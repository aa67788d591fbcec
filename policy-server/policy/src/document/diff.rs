//! What changes between two documents, in words: who gains, who loses, and what.
//!
//! Things are known by their names, so a renamed grant is one gone and one new. Order, comments and
//! spelling that mean the same are no change.

mod grant;
mod redaction;

use super::{Document, Role, Server};
use crate::condition::Condition;
use crate::decision::Mode;
use crate::matcher::ServerMatcher;
use crate::ruleset::{DefinitionsMode, DoorSettings};
use std::collections::{HashMap, HashSet};
use std::fmt::Display;

/// One sentence a change; empty where the two mean the same.
pub(super) fn changes(old: &Document, new: &Document) -> Vec<String> {
    let mut said = Vec::new();
    defaults(old, new, &mut said);
    paired(&old.servers, &new.servers, |server| &server.name, server, &mut said);
    paired(&old.roles, &new.roles, |role| &role.name, role, &mut said);
    paired(&old.grants, &new.grants, |grant| &grant.name, grant::say, &mut said);
    paired(&old.redactions, &new.redactions, |redaction| &redaction.name, redaction::say, &mut said);
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
mod tests;
