//! One record, whole: who, what, why, what became of it, and its bytes as the device sent them.

use super::EntryRow;
use crate::console::fleet::Names;
use crate::console::frame::{Frame, Place};
use crate::console::mark::Mark;
use crate::console::problem::Problem;
use crate::console::visit::{Named, Visit, page};
use crate::console::words;
use crate::store::records::RecordRow;
use askama::Template;
use axum::response::Response;
use contract::record::{Definition, Disapproval, Happened, Phase, Record, What};
use serde_json::value::RawValue;
use uuid::Uuid;

#[derive(Template)]
#[template(path = "entry.html")]
struct EntryPage {
    frame: Frame,
    row: EntryRow,
    os_user: String,
    client: String,
    session: Option<String>,
    door: Option<String>,
    identity: String,
    entry: String,
    run: String,
    seq: u64,
    method: String,
    reason: String,
    policy_version: u64,
    arguments: Option<String>,
    outcome: Option<Outcome>,
    /// What only this kind of record has.
    facts: Vec<(&'static str, String)>,
    raw: String,
}

struct Outcome {
    mark: Mark,
    took: String,
    bytes: String,
}

pub async fn show(visit: Visit, Named(id): Named<Uuid>) -> Result<Response, Problem> {
    let found = visit.app.store.record(id).await?.ok_or(Problem::NotFound("record"))?;
    let record: Record = serde_json::from_str(&found.json).map_err(|error| {
        Problem::Unreadable(format!("the record {id} is not one this version knows: {error}"))
    })?;
    let devices = visit.app.store.devices().await?;
    let outcome = outcome(&visit, &record).await?;
    let raw = found.json.clone();
    let claimed = found.claimed();
    let row = EntryRow::new(&visit, &Names::new(&devices), found).await?;
    let mut entry = EntryPage {
        frame: visit.frame(Some(Place::Record)).await?,
        row,
        os_user: record.os_user,
        client: format!("{} {}", record.client.name, record.client.version).trim().to_owned(),
        session: record.client.session,
        door: record.client.door,
        identity: record.server.identity,
        entry: record.server.entry,
        run: record.run.to_string(),
        seq: record.seq,
        method: String::new(),
        reason: String::new(),
        policy_version: 0,
        arguments: None,
        outcome,
        facts: Vec::new(),
        raw,
    };
    entry.tell(record.what);
    if let Some(claimed) = claimed {
        let named =
            format!("the certificate; the record itself names {} on {}", claimed.member, claimed.device);
        entry.facts.push(("Attributed by", named));
    }
    page(&entry)
}

impl EntryPage {
    fn tell(&mut self, what: What) {
        match what {
            What::Call {
                method, arguments, beyond, reason, policy_version, tool_use_id, redacted, ..
            } => {
                self.method = method;
                self.tell_redacted(redacted);
                self.arguments = arguments.as_deref().map(pretty);
                self.reason = reason;
                self.policy_version = policy_version;
                self.facts.extend(tool_use_id.map(|id| ("Claude's tool use", id)));
                self.facts
                    .extend(beyond.map(|said| ("Said beyond the specification", said.get().to_owned())));
            }
            What::Outcome { method, redacted, .. } => {
                self.method = method;
                self.tell_redacted(redacted);
            }
            What::Started { policy_version } => {
                self.facts.push(("Policy version", policy_version.to_string()));
            }
            What::Stopped { why } => self.facts.push(("Why", why)),
            What::Listed { method, shown, hidden } => {
                self.method = method;
                self.facts.push(("Shown", words::grouped(shown)));
                self.facts.push(("Hidden by policy", words::grouped(hidden)));
            }
            What::Definition(it) => self.tell_definition(*it),
            What::Redacted { method, from_client, messages, redacted } => {
                self.method = method;
                self.facts.push(("From", side(from_client)));
                self.facts.push(("Messages", words::grouped(messages)));
                self.tell_redacted(redacted);
            }
            What::Restart { phase, why, exit } => {
                let what = match phase {
                    Phase::Ended => "the server is gone; what it had not answered is lost",
                    Phase::BegunAnew => "a new one has taken its place",
                };
                self.facts.push(("What happened", what.to_owned()));
                self.facts.push(("Why", why));
                self.facts.extend(exit.map(|exit| ("Exit code", exit.to_string())));
            }
            What::Malformed { code, message, from_client } => {
                self.facts.push(("From", side(from_client)));
                self.facts.push(("Code", code));
                self.facts.push(("What was wrong", message));
            }
        }
    }
}

impl EntryPage {
    fn tell_definition(&mut self, it: Definition) {
        self.policy_version = it.policy_version;
        self.arguments = it.definition.as_deref().map(pretty);
        self.facts.push(("Defines", it.subject()));
        self.facts
            .push(("What happened", format!("{}{}", it.event, if it.held { ", held back" } else { "" })));
        self.facts.push(("Fingerprint", it.digest));
        self.facts.extend(it.was.map(|was| ("Was", was)));
        if it.approved {
            self.facts.push(("Approved", "by the policy".to_owned()));
        }
        if let Some(disapproval) = it.disapproval {
            let said = match disapproval {
                Disapproval::Unlisted => "no: it names other tools of this server",
                Disapproval::OtherFingerprint => "no: it names another fingerprint for this tool",
            };
            self.facts.push(("Approved by the policy", said.to_owned()));
        }
        if matches!(it.event, Happened::Approved | Happened::Forgotten) {
            self.facts.push(("By", self.os_user.clone()));
        }
        for flag in it.flags {
            self.facts.push(("Sign", format!("{} {}: {}", flag.sign, flag.member, flag.excerpt)));
        }
        for change in it.changes {
            let was = change.was.unwrap_or_else(|| "(not there)".to_owned());
            let is = change.is.unwrap_or_else(|| "(gone)".to_owned());
            self.facts.push(("Changed", format!("{}: {was} → {is}", change.member)));
        }
    }
}

impl EntryPage {
    fn tell_redacted(&mut self, places: u64) {
        if places > 0 {
            let word = if places == 1 { "place" } else { "places" };
            self.facts.push(("Taken out by policy", format!("in {} {word}", words::grouped(places))));
        }
    }
}

fn side(from_client: bool) -> String {
    if from_client { "the client" } else { "the server" }.to_owned()
}

async fn outcome(visit: &Visit, record: &Record) -> Result<Option<Outcome>, Problem> {
    let call = match &record.what {
        What::Call { call, .. } | What::Outcome { call, .. } => *call,
        _ => return Ok(None),
    };
    let related = visit.app.store.records_of_call(record.run, call).await?;
    Ok(related.iter().find_map(Outcome::read))
}

impl Outcome {
    fn read(row: &RecordRow) -> Option<Self> {
        match serde_json::from_str::<Record>(&row.json).ok()?.what {
            What::Outcome { fate, duration_us, bytes, .. } => Some(Self {
                mark: Mark::fate(fate),
                took: words::took(duration_us),
                bytes: words::bytes(bytes),
            }),
            _ => None,
        }
    }
}

/// Indented for reading; where that fails (it was JSON when it was recorded), as it is.
fn pretty(arguments: &RawValue) -> String {
    serde_json::from_str::<serde_json::Value>(arguments.get())
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| arguments.get().to_owned())
}
