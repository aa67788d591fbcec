//! Batches, in the one revision that has them: each message is judged as if it came alone.

use super::{Now, Session};
use crate::judged::Judged;
use mcp::salvage::salvage;
use mcp::{Batch, Malformed, Message, batch};
use policy::Ruleset;

impl Session {
    pub(super) fn judge_client_batch(&mut self, bytes: Vec<u8>, rules: &Ruleset, now: Now) -> Judged {
        let batch = match Batch::parse(bytes) {
            Ok(batch) => batch,
            Err((why, bytes)) => return self.refuse_malformed(&why, &bytes),
        };
        let judged = batch.messages().map(|bytes| match read(bytes) {
            Ok(message) => self.judge_client_message(message, rules, now),
            Err(why) => self.refuse_malformed(&why, bytes),
        });
        let judged = judged.collect();
        Judged::batch(judged, batch, true)
    }

    pub(super) fn judge_server_batch(&mut self, bytes: Vec<u8>, rules: &Ruleset, now: Now) -> Judged {
        let batch = match Batch::parse(bytes) {
            Ok(batch) => batch,
            Err((why, bytes)) => {
                return self.drop_unreadable(why.code(), &why.to_string(), salvage(&bytes), bytes.len(), now);
            }
        };
        let judged = batch.messages().map(|bytes| match read(bytes) {
            Ok(message) => self.judge_server_message(message, rules, now),
            Err(why) => self.drop_unreadable(why.code(), &why.to_string(), salvage(bytes), bytes.len(), now),
        });
        let judged = judged.collect();
        Judged::batch(judged, batch, false)
    }
}

fn read(bytes: &[u8]) -> Result<Message, Malformed> {
    let message = Message::parse(bytes.to_vec())?;
    batch::admits(&message)?;
    Ok(message)
}
