//! Lines that are no messages, or none that can be taken: refused to a client, dropped from a server.

use super::{Now, Session, malformed_entry};
use crate::entry::{Entry, Fate};
use crate::judged::{Judged, Otherwise, Release};
use crate::open::{Answered, Clash};
use crate::refusal;
use mcp::salvage::{Salvaged, salvage_each};
use mcp::{Id, Malformed};
use std::collections::BTreeSet;

/// So many dropped lines are recorded each; after that every power of two, so that a noisy server
/// cannot fill the record.
const NOISE_RECORDED: u64 = 20;

impl Session {
    pub(super) fn refuse_malformed(&self, why: &Malformed, bytes: &[u8]) -> Judged {
        let entry = malformed_entry(why.code(), &why.to_string(), true);
        let found = salvage_each(bytes);
        let answered = |found: &Salvaged, id| {
            let answer = is_answerable(found, why).then(|| refusal::malformed(id, why));
            answer.map_or(Release::Nothing, |answer| Release::ToClient(answer.into()))
        };
        if let [only] = &found[..] {
            return Judged::entered(entry, answered(only, self.answerable_id(only)), Otherwise::Same);
        }
        // Of an array, each request is answered, that nobody waits for one; and the array itself where there is none.
        let mut ids = BTreeSet::new();
        let asked = found.iter().filter_map(|found| Some((found, self.answerable_id(found)?)));
        let asked = asked.filter(|(found, id)| found.has_method && !found.is_answer && ids.insert(*id));
        let mut releases: Vec<_> = asked.map(|(found, id)| answered(found, Some(id))).collect();
        let nobody = Salvaged::default();
        let last = releases.pop().unwrap_or_else(|| answered(&nobody, None));
        let entered = Judged::entered(entry, last, Otherwise::Same);
        if releases.is_empty() {
            return entered;
        }
        Judged::apart(releases.into_iter().map(Judged::pass).chain([entered]).collect())
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

    /// A line that is no message never reaches the client. Where it was the answer to an open request, the
    /// client is told, and where it was a request the server, so that neither waits for ever.
    pub(super) fn drop_unreadable(
        &mut self,
        code: &str,
        why: &str,
        found: Vec<Salvaged>,
        bytes: usize,
        now: Now,
    ) -> Judged {
        self.drop_found((code, why), why, found, bytes, now)
    }

    /// As [`Self::drop_unreadable`], where the ends are told something else than the record.
    pub(super) fn drop_found(
        &mut self,
        (code, why): (&str, &str),
        told: &str,
        found: Vec<Salvaged>,
        bytes: usize,
        now: Now,
    ) -> Judged {
        let is_array = found.len() != 1;
        let mut ended: Vec<Judged> = Vec::new();
        for found in found {
            if found.has_method && !found.is_answer {
                ended.extend(self.answer_unreadable(told, found, is_array));
            } else {
                ended.extend(self.end_unreadable(told, found, bytes, now));
            }
        }
        let noise = self.noise_entry(code, why);
        if !is_array && let Some(ended) = ended.pop() {
            return ended.and(noise);
        }
        ended.push(Judged::pass(Release::Nothing).and(noise));
        Judged::apart(ended)
    }

    /// The answer to a request of the server's that cannot be read; one for all that came in an array.
    fn answer_unreadable(&self, why: &str, found: Salvaged, is_array: bool) -> Option<Judged> {
        let id = found.id.filter(|id| self.asked_client.admits(id).is_ok())?;
        let id = (!is_array).then_some(&id);
        Some(Judged::pass(Release::ToServer(refusal::unreadable_request(id, why).into())))
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
