//! What the server says: lists are filtered, answers close what they answer, noise is dropped.

use super::{Now, Open, Session, Waiting, malformed_entry};
use crate::entry::{Entry, EntryKind, Fate};
use crate::judged::{Judged, Otherwise, Release};
use crate::open::Answered;
use crate::refusal;
use mcp::edit::{self, ToolsFiltered};
use mcp::salvage::{Salvaged, salvage, salvage_ends};
use mcp::{Id, Kind, Line, Message, Subject, reply};
use policy::Ruleset;

/// So many dropped lines are recorded each; after that every power of two, so that a noisy server
/// cannot fill the record.
const NOISE_RECORDED: u64 = 20;

/// More tools than any server has. Names beyond are filtered, but not remembered.
const MAX_TOOLS: usize = 10_000;

/// JSON-RPC 2.0, section 5.1.
const METHOD_NOT_FOUND: i64 = -32601;

impl Session {
    pub(super) fn judge_server_line(&mut self, line: Line, rules: &Ruleset, now: Now) -> Judged {
        let message = match line {
            Line::Oversize { head, tail, bytes } => {
                let why = refusal::oversize_sentence(bytes);
                return self.drop_unreadable("oversize", &why, salvage_ends(&head, &tail), bytes, now);
            }
            Line::Whole(bytes) => match Message::parse_or_return(bytes) {
                Ok(message) => message.on_one_line(),
                Err((why, bytes)) => {
                    let found = salvage(&bytes);
                    return self.drop_unreadable(why.code(), &why.to_string(), found, bytes.len(), now);
                }
            },
        };
        match message.kind().clone() {
            Kind::Request { id, method } => {
                let barred = method != "ping" && self.is_barred(rules, now);
                self.pass_server_request(message, id, barred)
            }
            Kind::Notification { .. } => self.pass_server_notification(message),
            Kind::Response { id } => self.judge_answer(message, id, None, rules, now),
            Kind::Error { id: Some(id), code } => self.judge_answer(message, id, Some(code), rules, now),
            Kind::Error { id: None, .. } => Judged::pass(Release::ToClient(message.into_bytes())),
        }
    }

    fn judge_answer(
        &mut self,
        message: Message,
        id: Id,
        error: Option<i64>,
        rules: &Ruleset,
        now: Now,
    ) -> Judged {
        let open = match self.take_open(&id) {
            Answered::Open(open) => open,
            Answered::Late => return Judged::pass(Release::Nothing),
            Answered::Unasked => {
                let why =
                    format!("the server answered request {}, which the client never made", id.as_json());
                return self.drop_noise("unasked-response", &why);
            }
        };
        match (&open.waiting, error) {
            (Waiting::ToolList { first_page }, None) => {
                let first_page = *first_page;
                self.filter_list(message, id, &open, first_page, rules, now)
            }
            (Waiting::Initialize | Waiting::Discover, None) => {
                Judged::pass(Release::ToClient(edit::announce_tool_changes(message)))
            }
            (Waiting::Listen { tools: true }, Some(METHOD_NOT_FOUND)) => self.serve_listen(id, open),
            _ => close(message, id, &open, error.is_some(), now),
        }
    }

    /// Takes the open request that the server answers. What it owes no answer to stays.
    fn take_open(&mut self, id: &Id) -> Answered<Open> {
        if self.asked_server.get(id).is_some_and(|open| !open.is_answerable()) {
            return Answered::Unasked;
        }
        self.asked_server.answer(id)
    }

    /// We announced that the tool list may change, so where the server knows no subscriptions, we do.
    fn serve_listen(&mut self, id: Id, open: Open) -> Judged {
        let acknowledged = Release::ToClient(reply::tools_subscription_acknowledged(&id));
        self.asked_server.insert(id, Open { waiting: Waiting::OwnListen, ..open });
        Judged::pass(acknowledged)
    }

    fn filter_list(
        &mut self,
        message: Message,
        id: Id,
        open: &Open,
        first_page: bool,
        rules: &Ruleset,
        now: Now,
    ) -> Judged {
        let to = open.addressee(id);
        let filtered = edit::filter_tools(message, |tool| rules.visible(&self.question(tool, None, now)));
        match filtered {
            Ok(ToolsFiltered { bytes, names, shown, hidden }) => {
                self.remember(names, first_page);
                let entry = listed(shown, hidden);
                Judged::entered(entry, Release::ToClient(bytes), Otherwise::Withheld(to))
            }
            Err(why) => {
                let answer = Release::ToClient(refusal::unreadable_list(&to, &why));
                match self.noise_entry("unreadable-list", &why.to_string()) {
                    Some(entry) => Judged::entered(entry, answer, Otherwise::Same),
                    None => Judged::pass(answer),
                }
            }
        }
    }

    fn remember(&mut self, names: Vec<(String, bool)>, first_page: bool) {
        let tools = self.tools.get_or_insert_default();
        if first_page {
            tools.clear();
        }
        let room = MAX_TOOLS.saturating_sub(tools.len());
        tools.extend(names.into_iter().take(room));
    }

    fn pass_server_request(&mut self, message: Message, id: Id, barred: bool) -> Judged {
        if barred {
            // It would speak to the model or the developer (sampling, elicitation).
            let release = Release::ToServer(refusal::server_not_heard(&id));
            let why = "the server asked something of the client, which policy does not let it reach any more";
            let noise = self.noise_entry("server-barred", why);
            return Judged::pass(release).and(noise);
        }
        if self.asked_client.admits(&id).is_err() {
            let why = format!("the server's request {} uses an id that is still open", id.as_json());
            return self.drop_noise("id-in-use", &why);
        }
        self.asked_client.insert(id, ());
        Judged::pass(Release::ToClient(message.into_bytes()))
    }

    fn pass_server_notification(&mut self, message: Message) -> Judged {
        match message.subject() {
            Subject::Cancelled { request: Some(id) } => self.end_by_server(id),
            Subject::Acknowledged { listen: Some(id) } if self.listens(id) == Some(true) => {
                return Judged::pass(Release::ToClient(edit::honour_tool_changes(message)));
            }
            _ => {}
        }
        Judged::pass(Release::ToClient(message.into_bytes()))
    }

    /// The server ends a request of its own, or (2026-07-28) a subscription.
    fn end_by_server(&mut self, id: &Id) {
        if self.asked_client.cancel(id).is_none() && self.listens(id).is_some() {
            let _: Option<Open> = self.asked_server.cancel(id);
        }
    }

    /// Is this a subscription that the server serves, and did it ask for changes of the tool list?
    fn listens(&self, id: &Id) -> Option<bool> {
        match self.asked_server.get(id)?.waiting {
            Waiting::Listen { tools } => Some(tools),
            _ => None,
        }
    }

    /// A line that is no message never reaches the client. Where it was the answer to an open request,
    /// the client is told, so that it does not wait for ever.
    fn drop_unreadable(&mut self, code: &str, why: &str, found: Salvaged, bytes: usize, now: Now) -> Judged {
        let answered = found.id.filter(|_| !found.has_method);
        let open = answered.and_then(|id| match self.take_open(&id) {
            Answered::Open(open) => Some((id, open)),
            Answered::Late | Answered::Unasked => None,
        });
        let Some((id, open)) = open else { return self.drop_noise(code, why) };
        let to = open.addressee(id);
        let answer = Release::ToClient(refusal::unreadable_answer(&to, why));
        let noise = self.noise_entry(code, why);
        match open.outcome(Fate::Error, bytes, now) {
            Some(entry) => Judged::entered(entry, answer, Otherwise::Withheld(to)).and(noise),
            None => Judged::pass(answer).and(noise),
        }
    }

    fn drop_noise(&mut self, code: &str, why: &str) -> Judged {
        match self.noise_entry(code, why) {
            Some(entry) => Judged::entered(entry, Release::Nothing, Otherwise::Nothing),
            None => Judged::pass(Release::Nothing),
        }
    }

    fn noise_entry(&mut self, code: &str, why: &str) -> Option<Entry> {
        self.noise += 1;
        let n = self.noise;
        if n > NOISE_RECORDED && !n.is_power_of_two() {
            return None;
        }
        let so_far = if n > NOISE_RECORDED { format!(" ({n} lines dropped so far)") } else { String::new() };
        Some(malformed_entry(code, &format!("{}{so_far}", refusal::shorten(why, 400)), false))
    }
}

fn close(message: Message, id: Id, open: &Open, is_error: bool, now: Now) -> Judged {
    let fate = match is_error {
        true => Fate::Error,
        false if message.is_tool_error() => Fate::ToolError,
        false => Fate::Ok,
    };
    let entry = open.outcome(fate, message.bytes().len(), now);
    let release = Release::ToClient(message.into_bytes());
    match entry {
        Some(entry) => Judged::entered(entry, release, Otherwise::Withheld(open.addressee(id))),
        None => Judged::pass(release),
    }
}

fn listed(shown: u64, hidden: u64) -> Entry {
    Entry {
        kind: EntryKind::Listed { shown, hidden },
        tool_use_id: None,
        method: "tools/list".to_owned(),
        tool: None,
    }
}
