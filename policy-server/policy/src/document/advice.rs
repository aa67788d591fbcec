//! What a document says that is no fault, and yet hardly what its author means.

use super::{Document, Effect, Grant};
use crate::condition::{Condition, LikeArgument};
use crate::decision::Feature;
use crate::problem::Problem;
use crate::redaction::Redaction;
use std::collections::BTreeSet;

pub(super) fn of(document: &Document) -> Vec<Problem> {
    let mut advice = Vec::new();
    for grant in &document.grants {
        if grant.effect == Effect::Allow {
            advice.extend(grant.when.as_ref().and_then(|condition| climbs_out(grant, condition)));
            advice.extend(document.grants.iter().find_map(|deny| without_effect(grant, deny)));
            advice.extend(star_in_host(grant));
        }
        advice.extend(grant.when.as_ref().and_then(|condition| tool_of_no_tool(grant, condition)));
        advice.extend(grant.when.as_ref().and_then(|condition| arguments_of_methods(grant, condition)));
    }
    advice.extend(tools_only(document));
    advice.extend(document.redactions.iter().filter_map(of_everything));
    advice.sort_by_key(|problem| (problem.line, problem.column));
    advice
}

/// A prefix of a path, and nothing against `..`.
fn climbs_out(grant: &Grant, condition: &Condition) -> Option<Problem> {
    let likes = condition.likes();
    if likes.iter().any(|like| like.pattern.contains("..")) {
        return None;
    }
    let LikeArgument { argument, pattern } = likes.iter().find(|like| like.pattern.ends_with("/*"))?;
    let folder = pattern.trim_end_matches('*');
    let message = format!(
        "the condition of grant `{}` compares text, not files: `like \"{pattern}\"` also fits `{folder}../elsewhere`",
        grant.name
    );
    Some(at(grant, message, format!("add: && !({argument} like \"*..*\")")))
}

/// An allow that one deny takes back whole.
fn without_effect(grant: &Grant, deny: &Grant) -> Option<Problem> {
    let covers = |ours: &[String], theirs: &[String]| ours.iter().all(|name| theirs.contains(name));
    let taken_back = deny.effect == Effect::Deny
        && deny.when.is_none()
        && covers(&grant.roles, &deny.roles)
        && covers(&grant.servers, &deny.servers)
        && deny.scope.covers(&grant.scope);
    taken_back.then(|| {
        let message =
            format!("grant `{}` allows nothing: grant `{}` denies all of it", grant.name, deny.name);
        at(grant, message, "a deny always wins; narrow one of them, or leave one out".to_owned())
    })
}

/// `https://*.acme.example/*` also fits `https://evil.example/x.acme.example/`.
fn star_in_host(grant: &Grant) -> Option<Problem> {
    let star_in_host = |text: &str| {
        let authority = text.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or_default());
        authority.is_some_and(|authority| authority.contains('*') && authority != "*")
    };
    let pattern = grant.scope.of(Feature::Resource).iter().find(|pattern| star_in_host(pattern.as_str()))?;
    let message = format!(
        "in the resource `{}` of grant `{}`, `*` stands for any text, also for a `/`: the host may be another",
        pattern.as_str(),
        grant.name
    );
    Some(at(grant, message, "write out each host".to_owned()))
}

fn tool_of_no_tool(grant: &Grant, condition: &Condition) -> Option<Problem> {
    let asks = ["context.tool", "context[\"tool\"]", "context has tool"];
    let only_tools = grant.scope.lists().all(|(feature, _)| feature == Feature::Tool);
    if only_tools || !asks.iter().any(|text| condition.text().contains(text)) {
        return None;
    }
    let message = format!(
        "grant `{}` is not of tools alone, and `context.tool` is empty for what is no tool",
        grant.name
    );
    Some(at(grant, message, "ask `context.name` and `context.feature`, or split the grant".to_owned()))
}

/// Then every handshake is undecidable.
fn arguments_of_methods(grant: &Grant, condition: &Condition) -> Option<Problem> {
    let asks_first = ["context.args has", "context has args"];
    if grant.scope.of(Feature::Method).is_empty()
        || condition.observed().is_nothing()
        || asks_first.iter().any(|text| condition.text().contains(text))
    {
        return None;
    }
    let message = format!(
        "grant `{}` also looks at the arguments of every method, and where there are none it cannot be decided",
        grant.name
    );
    let help = "list what it is about (`tools` …), or ask `context.args has …` first".to_owned();
    Some(at(grant, message, help))
}

/// Servers whose tools are granted, while nobody thought of what else they offer. Said once, as many
/// servers have nothing else.
fn tools_only(document: &Document) -> Option<Problem> {
    let offers = [Feature::Resource, Feature::Prompt];
    let speaks = |grant: &&Grant| offers.iter().any(|feature| !grant.scope.of(*feature).is_empty());
    let thought_of: BTreeSet<_> =
        document.grants.iter().filter(speaks).flat_map(|grant| grant.servers.iter()).collect();
    let with_tools = |grant: &&Grant| {
        grant.effect == Effect::Allow
            && !grant.scope.of(Feature::Tool).is_empty()
            && !grant.servers.is_empty()
    };
    let forgotten = |grant: &Grant| {
        let servers = grant.servers.iter().filter(|server| !thought_of.contains(server));
        servers.cloned().collect::<Vec<_>>()
    };
    let with_tools: Vec<_> = document.grants.iter().filter(with_tools).collect();
    let first = with_tools.iter().find(|grant| !forgotten(grant).is_empty())?;
    let servers: BTreeSet<_> = with_tools.iter().flat_map(|grant| forgotten(grant)).collect();
    let named: Vec<_> = servers.iter().take(6).map(|server| format!("`{server}`")).collect();
    let more = servers.len().saturating_sub(named.len());
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let word = if servers.len() == 1 { "server" } else { "servers" };
    let message = format!("no grant speaks of the resources or prompts of {word} {}{more}", named.join(", "));
    let help = "they are refused where `enforce` holds; add resources = [\"*\"] and prompts = [\"*\"] if they \
                are meant to be used";
    Some(at(first, message, help.to_owned()))
}

fn of_everything(redaction: &Redaction) -> Option<Problem> {
    let pattern = redaction.patterns.iter().find(|pattern| pattern.is_of_everything())?;
    let message =
        format!("redaction `{}` takes out every text: `{}` matches all", redaction.name, pattern.as_str());
    let crate::document::Place { line, column } = redaction.place;
    Some(Problem { line, column, message, help: "say more of what is to be taken out".to_owned() })
}

fn at(grant: &Grant, message: String, help: String) -> Problem {
    Problem { line: grant.place.line, column: grant.place.column, message, help }
}
