//! The record: searching it, one entry of it, and taking it out.

mod entry;
mod moment;
mod search;

use super::fleet::Names;
use super::mark::Mark;
use super::problem::Problem;
use super::visit::Visit;
use super::when::When;
use crate::app::Shared;
use crate::author::asked;
use crate::store::records::RecordRow;
use axum::Router;
use axum::routing::get;
use contract::record::{Happened, Record, What};
use futures_util::future::try_join_all;

pub fn routes() -> Router<Shared> {
    Router::new().route("/record", get(search::show)).route("/record/{id}", get(entry::show))
}

/// One row of a table of records; a call with its outcome joined to it.
pub struct EntryRow {
    pub id: String,
    pub at: When,
    pub member: String,
    pub device: String,
    pub device_id: String,
    /// The catalogue's name, else the entry's, else what was run.
    pub server: String,
    pub tool: String,
    /// What it was about, where that was no tool.
    pub about: Option<About>,
    pub kind: &'static str,
    pub mark: Mark,
    pub rule: String,
    pub fate: Mark,
}

/// `resource` and its URI, `prompt` and its name …
pub struct About {
    pub word: &'static str,
    pub name: String,
}

pub async fn rows(visit: &Visit, names: &Names, found: Vec<RecordRow>) -> Result<Vec<EntryRow>, Problem> {
    try_join_all(found.into_iter().map(|row| EntryRow::new(visit, names, row))).await
}

impl EntryRow {
    async fn new(visit: &Visit, names: &Names, row: RecordRow) -> Result<Self, Problem> {
        let record: Option<Record> = serde_json::from_str(&row.json).ok();
        let fate = match &record {
            Some(Record { run, what: What::Call { call, .. }, .. }) => outcome_of(visit, *run, *call).await?,
            Some(Record { what: What::Outcome { fate, .. }, .. }) => Mark::fate(*fate),
            _ => Mark::NONE,
        };
        Ok(Self {
            id: row.id.to_string(),
            at: visit.when(row.time_ms),
            device: match row.claimed() {
                None => names.of(&row.device),
                Some(_) => format!("{} (by its certificate)", names.of(&row.device)),
            },
            server: record.as_ref().map_or_else(|| row.server.clone(), server_name),
            rule: record.as_ref().and_then(rule).unwrap_or_default().to_owned(),
            kind: record.as_ref().and_then(deed).unwrap_or_else(|| kind_name(&row.kind)),
            mark: Mark::decision(row.decision.as_deref()),
            about: record.as_ref().and_then(about),
            tool: row.tool.unwrap_or_default(),
            member: row.member,
            device_id: row.device,
            fate,
        })
    }
}

async fn outcome_of(visit: &Visit, run: uuid::Uuid, call: u64) -> Result<Mark, Problem> {
    let related = visit.app.store.records_of_call(run, call).await?;
    let fate = related.iter().find_map(|row| match serde_json::from_str::<Record>(&row.json).ok()?.what {
        What::Outcome { fate, .. } => Some(fate),
        _ => None,
    });
    Ok(fate.map_or(Mark::NONE, Mark::fate))
}

fn server_name(record: &Record) -> String {
    let server = &record.server;
    let entry = Some(&server.entry).filter(|entry| !entry.is_empty());
    server.catalogue.as_ref().or(entry).unwrap_or(&server.identity).clone()
}

fn about(record: &Record) -> Option<About> {
    if let What::Definition(it) = &record.what {
        let word = match (it.event, &it.tool) {
            (Happened::Approved, _) => "approval of",
            (Happened::Forgotten, _) => "forgetting of",
            (_, None) => "definition of",
            (_, Some(_)) => return None,
        };
        return Some(About { word, name: it.subject() });
    }
    let What::Call { method, tool: None, arguments, .. } = &record.what else { return None };
    let arguments = arguments.as_ref().and_then(|text| serde_json::from_str(text.get()).ok());
    let (feature, name, _) = asked::recorded(method, None, arguments.as_ref())?;
    Some(About { word: feature.noun(), name })
}

fn rule(record: &Record) -> Option<&str> {
    match &record.what {
        What::Call { rule, .. } => Some(rule),
        _ => None,
    }
}

/// What somebody on the device did about a definition is no sighting of it.
fn deed(record: &Record) -> Option<&'static str> {
    let What::Definition(it) = &record.what else { return None };
    match it.event {
        Happened::Approved => Some("definition approved"),
        Happened::Forgotten => Some("definition forgotten"),
        Happened::New | Happened::Changed | Happened::Restored | Happened::Disapproved => None,
    }
}

fn kind_name(kind: &str) -> &'static str {
    match kind {
        "started" => "guard started",
        "stopped" => "guard stopped",
        "call" => "call",
        "outcome" => "outcome",
        "listed" => "list shown",
        "malformed" => "malformed message",
        "definition" => "definition",
        "redacted" => "something taken out",
        "restart" => "server restarted",
        _ => "other",
    }
}
