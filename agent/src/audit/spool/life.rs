//! What the log knows of a run: enough to close its record where its guard could not.

use contract::record::{Client, Fate, Record, Server, What};
use policy::Outcome;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use uuid::{Builder, Uuid, Variant, Version};

/// Said where a guard's own word is missing.
pub const WHY: &str = "the guard was killed; the resident closed its record";
/// The most open calls that are remembered of one run.
const MOST_OPEN: usize = 1000;

/// Where a run stands. `last` is 0 where nothing is known of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Life {
    last: u64,
    stopped: bool,
    os_user: String,
    client: Client,
    server: Server,
    /// Calls that left and have no outcome, by their number.
    open: BTreeMap<u64, Open>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Open {
    method: String,
    tool: Option<String>,
    tool_use_id: Option<String>,
}

impl Life {
    pub(super) fn follow(&mut self, record: &Record) {
        if record.seq > self.last {
            self.last = record.seq;
            self.os_user.clone_from(&record.os_user);
            self.client.clone_from(&record.client);
            self.server.clone_from(&record.server);
        }
        match &record.what {
            What::Call { decision: Outcome::Refused, .. } => {}
            What::Call { method, tool, call, tool_use_id, .. } if self.open.len() < MOST_OPEN => {
                let (method, tool, tool_use_id) = (method.clone(), tool.clone(), tool_use_id.clone());
                self.open.insert(*call, Open { method, tool, tool_use_id });
            }
            What::Outcome { call, .. } => {
                self.open.remove(call);
            }
            What::Stopped { .. } => self.stopped = true,
            _ => {}
        }
    }

    /// What the guard would have written at its end; nothing where it did. The same each time: the
    /// ids come from the run and the number.
    pub(super) fn closing(self, run: Uuid, now_ms: i64) -> Vec<Record> {
        if self.stopped || self.last == 0 {
            return Vec::new();
        }
        let lost = self.open.into_iter().map(|(call, Open { method, tool, tool_use_id })| What::Outcome {
            method,
            tool,
            call,
            tool_use_id,
            fate: Fate::Lost,
            duration_us: 0,
            bytes: 0,
            redacted: 0,
            round: None,
        });
        let end = What::Stopped { why: WHY.to_owned() };
        (self.last + 1..)
            .zip(lost.chain([end]))
            .map(|(seq, what)| Record {
                id: id_of(run, seq),
                time_ms: now_ms,
                run,
                seq,
                member: String::new(),
                device: String::new(),
                os_user: self.os_user.clone(),
                client: self.client.clone(),
                server: self.server.clone(),
                what,
            })
            .collect()
    }
}

/// A UUIDv8.
fn id_of(run: Uuid, seq: u64) -> Uuid {
    let digest = Sha256::new_with_prefix(WHY).chain_update(run).chain_update(seq.to_be_bytes()).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Builder::from_bytes(bytes).with_version(Version::Custom).with_variant(Variant::RFC4122).into_uuid()
}
