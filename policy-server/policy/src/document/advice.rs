//! What a document says that is no fault, and yet hardly what its author means.

use super::{Document, Effect, Grant};
use crate::condition::{Condition, LikeArgument};
use crate::problem::Problem;

pub(super) fn of(document: &Document) -> Vec<Problem> {
    let mut advice = Vec::new();
    for grant in document.grants.iter().filter(|grant| grant.effect == Effect::Allow) {
        advice.extend(grant.when.as_ref().and_then(|condition| climbs_out(grant, condition)));
        advice.extend(document.grants.iter().find_map(|deny| without_effect(grant, deny)));
    }
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

fn at(grant: &Grant, message: String, help: String) -> Problem {
    Problem { line: grant.place.line, column: grant.place.column, message, help }
}
