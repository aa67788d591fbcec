//! Every version that was ever published, and what changed between two.

use super::in_force;
use super::lines::{Line, diff as diff_lines};
use crate::console::frame::{Frame, Place};
use crate::console::problem::Problem;
use crate::console::said::Said;
use crate::console::visit::{Asked, Visit, page};
use crate::console::when::When;
use crate::store::policies::PolicyVersion;
use askama::Template;
use axum::response::Response;
use policy::Document;
use serde::Deserialize;

const SHOWN: u32 = 500;

#[derive(Template)]
#[template(path = "history.html")]
struct HistoryPage {
    frame: Frame,
    versions: Vec<VersionRow>,
}

struct VersionRow {
    version: u64,
    at: When,
    author: String,
    what: &'static str,
    note: String,
}

#[derive(Template)]
#[template(path = "diff.html")]
struct DiffPage {
    frame: Frame,
    from: u64,
    to: u64,
    changes: Vec<Said>,
    diff: Vec<Line>,
}

#[derive(Deserialize)]
pub struct Pair {
    from: u64,
    /// The version in force where it is not given.
    to: Option<u64>,
}

pub async fn list(visit: Visit) -> Result<Response, Problem> {
    let history = visit.app.store.policy_history(SHOWN).await?;
    let before = history.iter().skip(1).map(Some).chain([None]);
    let versions = history.iter().zip(before).map(|(policy, before)| VersionRow {
        version: policy.version,
        at: visit.when(policy.created_ms),
        author: policy.author.clone(),
        what: what(policy, before),
        note: policy.note.clone(),
    });
    page(&HistoryPage { frame: visit.frame(Some(Place::Policy)).await?, versions: versions.collect() })
}

fn what(policy: &PolicyVersion, before: Option<&PolicyVersion>) -> &'static str {
    match before {
        Some(before) if before.text == policy.text => "access",
        Some(before) if before.standing != policy.standing => "document and access",
        Some(_) | None => "document",
    }
}

pub async fn diff(visit: Visit, Asked(pair): Asked<Pair>) -> Result<Response, Problem> {
    let store = &visit.app.store;
    let missing = || Problem::NotFound("policy of this version");
    let from = store.policy(pair.from).await?.ok_or_else(missing)?;
    let to = match pair.to {
        Some(to) => store.policy(to).await?.ok_or_else(missing)?,
        None => in_force(&visit).await?,
    };
    let mut changes = in_words(&from.text, &to.text);
    changes.extend(standing_in_words(&from, &to).iter().map(|change| Said::new(change)));
    page(&DiffPage {
        frame: visit.frame(Some(Place::Policy)).await?,
        from: from.version,
        to: to.version,
        changes,
        diff: diff_lines(&from.text, &to.text),
    })
}

/// Empty where one of the texts is no valid document: then the lines must do.
pub fn in_words(from: &str, to: &str) -> Vec<Said> {
    match (Document::parse(from), Document::parse(to)) {
        (Ok(from), Ok(to)) => from.changes_to(&to).iter().map(|change| Said::new(change)).collect(),
        _ => Vec::new(),
    }
}

fn standing_in_words(from: &PolicyVersion, to: &PolicyVersion) -> Vec<String> {
    let (before, after) = (&from.standing, &to.standing);
    let ended = after.suspended_members.difference(&before.suspended_members);
    let restored = before.suspended_members.difference(&after.suspended_members);
    let revoked = after.revoked_devices.difference(&before.revoked_devices);
    ended
        .map(|who| format!("access of {who} ended"))
        .chain(restored.map(|who| format!("access of {who} restored")))
        .chain(revoked.map(|device| format!("device {device} revoked")))
        .collect()
}
