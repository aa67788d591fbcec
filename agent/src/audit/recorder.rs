//! From what the gate saw to a record in the segment: adds who, where and when, and gives the receipt.
//!
//! The one place where a [`Receipt`] is made.

use crate::audit::segment::{Segment, Unkept};
use contract::record::{Client, Fate, Record, Server, What};
use gate::{Audit, Entry, EntryKind, Receipt, Unrecordable};
use policy::{Ruleset, ServerIdentity};
use std::rc::Rc;
use time::OffsetDateTime;
use uuid::Uuid;

/// What every record of one run says.
pub struct Recorder {
    segment: Rc<Segment>,
    run: Uuid,
    /// Of the last record that was kept.
    seq: u64,
    member: String,
    device: String,
    os_user: String,
    client: Client,
    identity: ServerIdentity,
    server: Server,
}

impl Recorder {
    pub fn new(segment: Rc<Segment>, run: Uuid, identity: ServerIdentity, entry: String) -> Self {
        Self {
            segment,
            run,
            seq: 0,
            member: String::new(),
            device: String::new(),
            os_user: platform::account::own_name(),
            client: Client {
                session: std::env::var("CLAUDE_CODE_SESSION_ID").ok().filter(|id| !id.is_empty()),
                ..Client::default()
            },
            server: Server { identity: identity.as_str().to_owned(), entry, catalogue: None },
            identity,
        }
    }

    /// Whom this machine is enrolled for. A claim: the resident stamps its own.
    #[must_use]
    pub fn of_member(self, member: &str, device: &str) -> Self {
        Self { member: member.to_owned(), device: device.to_owned(), ..self }
    }

    /// The client as it names itself.
    pub fn know_client(&mut self, name: &str, version: &str) {
        if self.client.name != name || self.client.version != version {
            name.clone_into(&mut self.client.name);
            version.clone_into(&mut self.client.version);
        }
    }

    /// The rules may have a name of their own for the server.
    pub fn know_rules(&mut self, rules: &Ruleset) {
        self.server.catalogue = rules.server_name(&self.identity).map(str::to_owned);
    }

    /// Appends one record; its number is used only if it was kept.
    ///
    /// # Errors
    /// See [`Unkept`].
    pub fn keep(&mut self, what: What) -> Result<(), Unkept> {
        let record = Record {
            id: Uuid::now_v7(),
            time_ms: unix_ms(OffsetDateTime::now_utc()),
            run: self.run,
            seq: self.seq + 1,
            member: self.member.clone(),
            device: self.device.clone(),
            os_user: self.os_user.clone(),
            client: self.client.clone(),
            server: self.server.clone(),
            what,
        };
        let mut line = serde_json::to_vec(&record).map_err(|error| Unkept::Shape(error.to_string()))?;
        line.push(b'\n');
        self.segment.append(&line)?;
        self.seq += 1;
        Ok(())
    }

    /// As [`Recorder::keep`], for what nothing waits for.
    pub fn note(&mut self, what: What) {
        if let Err(error) = self.keep(what) {
            tracing::warn!(%error, "a record was not kept");
        }
    }
}

impl Audit for Recorder {
    fn enter(&mut self, entry: &Entry) -> Result<Receipt, Unrecordable> {
        match self.keep(what(entry)) {
            Ok(()) => Ok(Receipt::assertion()),
            Err(unkept) => {
                tracing::error!(%unkept, "a record was not kept, so what it is about does not leave");
                Err(Unrecordable(unkept.to_string()))
            }
        }
    }
}

fn unix_ms(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

fn what(entry: &Entry) -> What {
    let method = entry.method.clone();
    let (tool, tool_use_id) = (entry.tool.clone(), entry.tool_use_id.clone());
    match entry.kind.clone() {
        EntryKind::Call { number, arguments, outcome, rule, reason, policy_version } => What::Call {
            method,
            tool,
            call: number,
            tool_use_id,
            arguments,
            decision: outcome,
            rule,
            reason,
            policy_version,
        },
        EntryKind::Outcome { number, fate, duration_us, bytes } => {
            What::Outcome { method, tool, call: number, tool_use_id, fate: fate_of(fate), duration_us, bytes }
        }
        EntryKind::Listed { shown, hidden } => What::Listed { method, shown, hidden },
        EntryKind::Malformed { code, message, from_client } => What::Malformed { code, message, from_client },
    }
}

fn fate_of(fate: gate::Fate) -> Fate {
    match fate {
        gate::Fate::Ok => Fate::Ok,
        gate::Fate::ToolError => Fate::ToolError,
        gate::Fate::Error => Fate::Error,
        gate::Fate::Cancelled => Fate::Cancelled,
        gate::Fate::Lost => Fate::Lost,
    }
}
