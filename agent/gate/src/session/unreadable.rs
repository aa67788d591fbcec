//! Lines that are no messages, or none that can be taken: refused to a client, dropped from a server.

use super::{Now, Session, malformed_entry};
use crate::entry::{Entry, Fate};
use crate::judged::{Judged, Otherwise, Release};
use crate::open::{Answered, Clash};
use crate::refusal;
use mcp::salvage::{Salvaged, salvage};
use mcp::{Id, Malformed};

/// So many dropped lines are recorded each; after that every power of two, so that a noisy server
/// cannot fill the record.
const NOISE_RECORDED: u64 = 20;

impl Session {
    pub(super) fn refuse_malformed(&self, why: &Malformed, bytes: &[u8]) -> Judged {
        let found = salvage(bytes);
        let release = if is_answerable(&found, why) {
            Release::ToClient(refusal::malformed(self.answerable_id(&found), why).into())
        } else {
            Release::Nothing
        };
        Judged::entered(malformed_entry(why.code(), &why.to_string(), true), release, Otherwise::Same)
    }

    pub(super) fn refuse_oversize(&self, found: &Salvaged, bytes: usize) -> Judged {
        let release = if found.is_answer {
            Release::Nothing
        } else {
            Release::ToClient(refusal::oversize(self.answerable_id(found), bytes).into())
        };
        let entry = malformed_entry("oversize", &refusal::oversize_sentence(bytes), true);
        Judged::entered(entry, release, Otherwise::Same)
    }

    /// The id to answer under, unless an answer would end another request.
    fn answerable_id<'a>(&self, found: &'a Salvaged) -> Option<&'a Id> {
        found.id.as_ref().filter(|id| self.asked_server.admits(id).is_ok())
    }

    #[expect(clippy::unused_self, reason = "as the other refusals of a line are asked for")]
    pub(super) fn refuse_clash(&self, clash: Clash) -> Judged {
        let (code, why) = match clash {
            Clash::IdInUse => ("id-in-use", "a request with the same `id` is still open"),
            Clash::TooMany => ("too-many-open", "too many requests are open at once"),
        };
        let entry = malformed_entry(code, why, true);
        Judged::entered(entry, Release::ToClient(refusal::unadmitted(why, code).into()), Otherwise::Same)
    }

    /// A line that is no message never reaches the client. Where it was the answer to an open request,
    /// the client is told, so that it does not wait for ever.
    pub(super) fn drop_unreadable(
        &mut self,
        code: &str,
        why: &str,
        found: Salvaged,
        bytes: usize,
        now: Now,
    ) -> Judged {
        match self.end_unreadable(why, found, bytes, now) {
            Some(ended) => ended.and(self.noise_entry(code, why)),
            None => self.drop_noise(code, why),
        }
    }

    /// The end of the open request that something answers which cannot be passed on.
    pub(super) fn end_unreadable(
        &mut self,
        why: &str,
        found: Salvaged,
        bytes: usize,
        now: Now,
    ) -> Option<Judged> {
        let id = found.id.filter(|_| !found.has_method)?;
        let Answered::Open(open) = self.take_open(&id) else { return None };
        let to = open.addressee(id);
        let answer = Release::ToClient(refusal::unreadable_answer(&to, why).into());
        Some(match open.outcome(Fate::Error, bytes, now) {
            Some(entry) => Judged::entered(entry, answer, Otherwise::Withheld(to)),
            None => Judged::pass(answer),
        })
    }

    pub(super) fn drop_noise(&mut self, code: &str, why: &str) -> Judged {
        Judged::pass(Release::Nothing).and(self.noise_entry(code, why))
    }

    pub(super) fn noise_entry(&mut self, code: &str, why: &str) -> Option<Entry> {
        self.noise += 1;
        let n = self.noise;
        if n > NOISE_RECORDED && !n.is_power_of_two() {
            return None;
        }
        let so_far = if n > NOISE_RECORDED { format!(" ({n} lines dropped so far)") } else { String::new() };
        Some(malformed_entry(code, &format!("{}{so_far}", refusal::shorten(why, 400)), false))
    }
}

/// JSON-RPC forbids answering answers and notifications.
fn is_answerable(found: &Salvaged, why: &Malformed) -> bool {
    let answer = found.is_answer && !found.has_method;
    let notification = found.has_method && !found.has_id && !why.is_parse_error();
    !answer && !notification
}
