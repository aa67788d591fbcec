//! From what the gate saw to a record in the segment: adds who, where and when, and gives the receipt.
//!
//! The one place where a [`Receipt`] is made.

mod definition;

use crate::audit::segment::{Segment, Unkept};
use crate::guard::OnBehalf;
use crate::pins::Pins;
use contract::record::{Client, Fate, Record, Server, What};
use gate::{Audit, Entry, EntryKind, Receipt, Unrecordable};
use policy::{Ruleset, ServerIdentity};
use std::rc::Rc;
use time::OffsetDateTime;
use uuid::Uuid;

/// Room for the lines of one write is kept up to here.
const LINES_KEPT: usize = 16 * 1024;

/// Writes the records of one run.
pub struct Recorder {
    segment: Rc<Segment>,
    identity: ServerIdentity,
    /// The last record that was kept. What they all say stands here once.
    record: Record,
    /// The client as it named itself.
    named: (String, String),
    /// Where no resident follows the record, pins are kept here, and follow from these.
    pins: Option<Pins>,
    unpinned: Vec<Record>,
    /// Lines on their way to the segment.
    lines: Vec<u8>,
}

impl Recorder {
    pub fn new(segment: Rc<Segment>, run: Uuid, identity: ServerIdentity, entry: String) -> Self {
        let session = std::env::var("CLAUDE_CODE_SESSION_ID").ok().filter(|id| !id.is_empty());
        let record = Record {
            id: run,
            time_ms: 0,
            run,
            seq: 0,
            member: String::new(),
            device: String::new(),
            os_user: platform::account::own_name(),
            client: Client { session, ..Client::default() },
            server: Server { identity: identity.as_str().to_owned(), entry, catalogue: None },
            what: What::Started { policy_version: 0 },
        };
        Self {
            segment,
            identity,
            record,
            named: <(String, String)>::default(),
            pins: None,
            unpinned: Vec::new(),
            lines: Vec::new(),
        }
    }

    /// Whom this machine is enrolled for. A claim: the resident stamps its own.
    #[must_use]
    pub fn of_member(mut self, member: &str, device: &str) -> Self {
        member.clone_into(&mut self.record.member);
        device.clone_into(&mut self.record.device);
        self
    }

    /// Who acts, where that is not the user and the session of this process.
    #[must_use]
    pub fn on_behalf(mut self, of: OnBehalf) -> Self {
        if let Some(os_user) = of.os_user {
            self.record.os_user = os_user;
        }
        if of.session.is_some() {
            self.record.client.session = of.session;
        }
        self.record.client.door = of.door;
        self
    }

    /// Keeps the pins itself, as the resident would: in a trial there is none.
    #[must_use]
    pub fn pinning(mut self, pins: Option<Pins>) -> Self {
        self.pins = pins;
        self
    }

    /// What was recorded of definitions is pinned, all of one message at once.
    pub fn keep_pins(&mut self) {
        if let Some(pins) = &self.pins
            && !self.unpinned.is_empty()
        {
            pins.follow(&std::mem::take(&mut self.unpinned));
        }
    }

    /// The client as it names itself.
    pub fn know_client(&mut self, name: &str, version: &str) {
        // It chose them itself, and they stand in every record.
        let masked = |text: &str| gate::shown_text(text, &[]);
        if self.named.0 != name || self.named.1 != version {
            (self.record.client.name, self.record.client.version) = (masked(name), masked(version));
            self.named = (name.to_owned(), version.to_owned());
        }
    }

    /// The rules may have a name of their own for the server.
    pub fn know_rules(&mut self, rules: &Ruleset) {
        self.record.server.catalogue = rules.server_name(&self.identity).map(str::to_owned);
    }

    /// Appends these records by one write; their numbers are used only if they were kept.
    ///
    /// # Errors
    /// See [`Unkept`]. None of them was kept then.
    pub fn keep(&mut self, all: impl IntoIterator<Item = What>) -> Result<(), Unkept> {
        let (seq, unpinned) = (self.record.seq, self.unpinned.len());
        self.record.time_ms = unix_ms(OffsetDateTime::now_utc());
        self.lines.clear();
        let written = all.into_iter().try_for_each(|what| self.write(what));
        let kept = written.and_then(|()| self.segment.append(&self.lines));
        if kept.is_err() {
            self.record.seq = seq;
            self.unpinned.truncate(unpinned);
        }
        self.lines.shrink_to(LINES_KEPT);
        kept
    }

    fn write(&mut self, what: What) -> Result<(), Unkept> {
        self.record.what = what;
        self.record.seq += 1;
        self.record.id = id(self.record.run, self.record.time_ms, self.record.seq);
        serde_json::to_writer(&mut self.lines, &self.record)
            .map_err(|error| Unkept::Shape(error.to_string()))?;
        self.lines.push(b'\n');
        if self.pins.is_some() && matches!(self.record.what, What::Definition(_)) {
            self.unpinned.push(self.record.clone());
        }
        Ok(())
    }

    /// As [`Recorder::keep`], of one record that nothing waits for.
    pub fn note(&mut self, what: What) {
        if let Err(error) = self.keep([what]) {
            tracing::warn!(%error, "a record was not kept");
        }
    }
}

impl Audit for Recorder {
    fn enter(&mut self, entries: &[&Entry]) -> Result<Receipt, Unrecordable> {
        match self.keep(entries.iter().copied().map(what)) {
            Ok(()) => Ok(Receipt::assertion()),
            Err(unkept) => {
                tracing::error!(%unkept, "a record was not kept, so what it is about does not leave");
                Err(Unrecordable(unkept.to_string()))
            }
        }
    }
}

/// A UUIDv7 whose random part is its run's, counted on: unique, and without asking the system for
/// randomness at every record.
fn id(run: Uuid, time_ms: i64, seq: u64) -> Uuid {
    let [_, _, _, _, _, _, high @ .., b0, b1, b2, b3, b4, b5, b6, b7] = *run.as_bytes();
    let low = u64::from_be_bytes([b0, b1, b2, b3, b4, b5, b6, b7]).wrapping_add(seq).to_be_bytes();
    let mut random = [0; 10];
    random[..2].copy_from_slice(&high);
    random[2..].copy_from_slice(&low);
    uuid::Builder::from_unix_timestamp_millis(u64::try_from(time_ms).unwrap_or_default(), &random).into_uuid()
}

fn unix_ms(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

fn what(entry: &Entry) -> What {
    let method = entry.method.clone();
    let (tool, tool_use_id) = (entry.tool.clone(), entry.tool_use_id.clone());
    match entry.kind.clone() {
        EntryKind::Call { number, arguments, beyond, outcome, rule, reason, policy_version } => What::Call {
            method,
            tool,
            call: number,
            tool_use_id,
            arguments,
            beyond,
            decision: outcome,
            rule,
            reason,
            policy_version,
            redacted: entry.redacted,
            round: entry.round.clone(),
        },
        EntryKind::Outcome { number, fate, duration_us, bytes } => What::Outcome {
            method,
            tool,
            call: number,
            tool_use_id,
            fate: fate_of(fate),
            duration_us,
            bytes,
            redacted: entry.redacted,
            round: entry.round.clone(),
        },
        EntryKind::Listed { shown, hidden } => What::Listed { method, shown, hidden },
        EntryKind::Malformed { code, message, from_client } => What::Malformed { code, message, from_client },
        EntryKind::Redacted { messages, from_client } => {
            What::Redacted { method, from_client, messages, redacted: entry.redacted }
        }
        EntryKind::Definition { sighting, policy_version } => definition::what(*sighting, policy_version),
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_records_have_one_id() {
        let (run, other) = (Uuid::now_v7(), Uuid::now_v7());
        // The carry goes through all of the low part.
        let highest = Uuid::from_u128(u128::MAX);
        let ids =
            [run, other, highest].into_iter().flat_map(|run| (1..=1000).map(move |seq| id(run, 7, seq)));
        let ids: BTreeSet<Uuid> = ids.collect();
        assert_eq!(ids.len(), 3000);
        assert!(ids.iter().all(|id| id.get_version_num() == 7 && id.get_timestamp().is_some()));
    }
}
