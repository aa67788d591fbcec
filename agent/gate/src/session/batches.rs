//! Batches, in the one revision that has them: each message is judged as if it came alone. In every other
//! revision an array is dropped, and what it answers or asks is ended.

use super::{Now, Session};
use crate::judged::Judged;
use mcp::salvage::salvage_each;
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
                return self.drop_unreadable(
                    why.code(),
                    &why.to_string(),
                    salvage_each(&bytes),
                    bytes.len(),
                    now,
                );
            }
        };
        let judged = batch.messages().map(|bytes| match read(bytes) {
            Ok(message) => self.judge_server_message(message, rules, now),
            Err(why) => {
                self.drop_unreadable(why.code(), &why.to_string(), salvage_each(bytes), bytes.len(), now)
            }
        });
        let judged = judged.collect();
        Judged::batch(judged, batch, false)
    }

    /// An array where none was agreed: nothing in it reaches the client, and what it would have answered is
    /// answered with an error, each by a message of its own, as the client knows no arrays.
    pub(super) fn drop_server_batch(&mut self, why: &Malformed, bytes: Vec<u8>, now: Now) -> Judged {
        let told = "it came in an array, and no batches were agreed with this server";
        match Batch::parse(bytes) {
            Ok(batch) => {
                let count = batch.len();
                let word = if count == 1 { "message" } else { "messages" };
                let sentence = format!("{why}; this one holds {count} {word}");
                let bytes = batch.into_bytes();
                self.drop_found((why.code(), &sentence), told, salvage_each(&bytes), bytes.len(), now)
            }
            Err((why, bytes)) => {
                let sentence = why.to_string();
                self.drop_found((why.code(), &sentence), told, salvage_each(&bytes), bytes.len(), now)
            }
        }
    }
}

fn read(bytes: &[u8]) -> Result<Message, Malformed> {
    let message = Message::parse(bytes.to_vec())?;
    batch::admits(&message)?;
    Ok(message)
}
