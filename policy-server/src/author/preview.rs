//! What publishing a text would change: its lines, and the verdicts on calls that really happened.

use super::{MAX_POLICY_BYTES, asked, check};
use crate::app::App;
use crate::clock::from_ms;
use crate::store::StoreError;
use crate::store::records::{RecordFilter, RecordRow};
use policy::{Document, Feature, Outcome, Problem, Request, Ruleset, ServerIdentity, Standing};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use time::OffsetDateTime;
use uuid::Uuid;

/// How many of the latest calls are tried.
pub const REPLAYED_CALLS: u32 = 5_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// The version it was compared with, to be given to `publish` as the base.
    pub base: u64,
    pub problems: Vec<Problem>,
    /// What is no fault and yet hardly meant.
    pub advice: Vec<Problem>,
    pub tests: usize,
    /// What would change, one sentence a change; empty while there are problems.
    pub sentences: Vec<String>,
    /// The document's lines against those in force, unchanged ones included.
    pub diff: Vec<DiffLine>,
    /// How many recorded calls were tried.
    pub replayed: usize,
    /// Calls whose verdict would be another, the most frequent first.
    pub changes: Vec<VerdictChange>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiffLine {
    /// `same`, `added`, `removed`.
    pub kind: &'static str,
    pub text: String,
    /// Line number before and after, from 1; `None` where the line is not there.
    pub before: Option<usize>,
    pub after: Option<usize>,
}

/// Calls of one member to one tool, or uses of one resource or prompt, that would be answered differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerdictChange {
    pub member: String,
    /// The server's identity.
    pub server: String,
    pub feature: Feature,
    /// The tool's name, the resource's URI …
    pub name: String,
    pub before: Outcome,
    pub after: Outcome,
    /// The rule that would decide.
    pub rule: String,
    /// How many of the tried calls.
    pub calls: usize,
    /// One of them.
    pub example: Uuid,
}

/// Checks a text and compares it with the version in force.
pub async fn preview(app: &App, text: &str) -> Result<Preview, StoreError> {
    let current = app.store.current_policy().await?;
    let (base, before, standing) = match current {
        Some(current) => (current.version, current.text, current.standing),
        None => (0, String::new(), Standing::default()),
    };
    let checked = check(text).await;
    let mut preview = Preview {
        base,
        problems: checked.problems,
        advice: checked.advice,
        tests: checked.tests,
        diff: if text.len() > MAX_POLICY_BYTES { Vec::new() } else { diff(&before, text) },
        sentences: sentences(&before, text),
        replayed: 0,
        changes: Vec::new(),
    };
    if preview.problems.is_empty() {
        let calls = recorded_calls(app).await?;
        let after = text.to_owned();
        let replayed = tokio::task::spawn_blocking(move || replay(&before, &after, &standing, &calls)).await;
        // A version in force that does not compile any more has no verdicts to compare with.
        if let Ok(Some((count, changes))) = replayed {
            preview.replayed = count;
            preview.changes = changes;
        }
    }
    Ok(preview)
}

async fn recorded_calls(app: &App) -> Result<Vec<RecordRow>, StoreError> {
    let calls = RecordFilter { kind: Some("call".to_owned()), ..RecordFilter::default() };
    Ok(app.store.search_records(&calls, None, REPLAYED_CALLS).await?.records)
}

/// The members of a recorded call that judging it again needs.
#[derive(Deserialize)]
struct Call {
    method: String,
    #[serde(default)]
    client: Client,
    #[serde(default)]
    arguments: Option<serde_json::Value>,
}

#[derive(Default, Deserialize)]
struct Client {
    #[serde(default)]
    name: String,
}

fn replay(
    before: &str,
    after: &str,
    standing: &Standing,
    calls: &[RecordRow],
) -> Option<(usize, Vec<VerdictChange>)> {
    let before = compile(before, standing)?;
    let after = compile(after, standing)?;
    let mut tried = 0;
    let mut changes: BTreeMap<_, VerdictChange> = BTreeMap::new();
    for row in calls {
        let Some(Judged { feature, name, before: old, after: new, rule }) = judge_again(&before, &after, row)
        else {
            continue;
        };
        tried += 1;
        if old == new {
            continue;
        }
        let key = (&row.member, &row.server, feature, name.clone(), old as u8, new as u8, rule.clone());
        changes
            .entry(key)
            .or_insert_with(|| VerdictChange {
                member: row.member.clone(),
                server: row.server.clone(),
                feature,
                name,
                before: old,
                after: new,
                rule,
                calls: 0,
                example: row.id,
            })
            .calls += 1;
    }
    let mut changes: Vec<_> = changes.into_values().collect();
    changes.sort_by_key(|change| std::cmp::Reverse(change.calls));
    Some((tried, changes))
}

/// A recorded call, judged by both.
struct Judged {
    feature: Feature,
    name: String,
    before: Outcome,
    after: Outcome,
    rule: String,
}

fn judge_again(before: &Ruleset, after: &Ruleset, row: &RecordRow) -> Option<Judged> {
    let call: Call = serde_json::from_str(&row.json).ok()?;
    let (feature, name, arguments) =
        asked::recorded(&call.method, row.tool.as_deref(), call.arguments.as_ref())?;
    let request = Request {
        member: &row.member,
        device: &row.device,
        client: &call.client.name,
        server: &ServerIdentity::from_canonical(row.server.as_str()),
        feature,
        name: &name,
        arguments: arguments.as_ref(),
        now: from_ms(row.time_ms).unwrap_or(OffsetDateTime::UNIX_EPOCH),
    };
    let new = after.decide(&request);
    let (before, after) = (before.decide(&request).outcome(), new.outcome());
    Some(Judged { feature, name, before, after, rule: new.rule })
}

fn compile(text: &str, standing: &Standing) -> Option<Ruleset> {
    Ruleset::compile(&Document::parse(text).ok()?, standing, 0, None).ok()
}

fn sentences(before: &str, after: &str) -> Vec<String> {
    match (Document::parse(before), Document::parse(after)) {
        (Ok(before), Ok(after)) => before.changes_to(&after),
        _ => Vec::new(),
    }
}

fn diff(before: &str, after: &str) -> Vec<DiffLine> {
    similar::TextDiff::from_lines(before, after)
        .iter_all_changes()
        .map(|change| DiffLine {
            kind: match change.tag() {
                similar::ChangeTag::Equal => "same",
                similar::ChangeTag::Insert => "added",
                similar::ChangeTag::Delete => "removed",
            },
            text: change.value().trim_end_matches(['\r', '\n']).to_owned(),
            before: change.old_index().map(|index| index + 1),
            after: change.new_index().map(|index| index + 1),
        })
        .collect()
}
