//! What the client says: calls are judged, everything else passes and is remembered.

use super::{Call, Now, Open, Session, Waiting, malformed_entry};
use crate::entry::{Entry, EntryKind};
use crate::judged::{Judged, Left, Otherwise, Release};
use crate::open::{Answered, Clash};
use crate::refusal::{self, Addressee, Case, Era, shorten};
use crate::secrets;
use mcp::salvage::{Salvaged, salvage, salvage_ends};
use mcp::{Id, Kind, Line, Malformed, Message, Subject};
use policy::{Decision, Mode, Outcome, Ruleset, Verdict};
use serde_json::Value;
use serde_json::value::RawValue;

/// Requests that read or do something in the developer's name without being about a tool. No grant
/// speaks of them yet; they are recorded as calls under this rule.
const RECORDED: &[&str] = &["resources/read", "prompts/get", "completion/complete"];
const UNGOVERNED_RULE: &str = "default-methods";

/// Rules about who and whether at all, not about a tool.
const STANDING_RULES: &[&str] = &["member-suspended", "device-revoked", "policy-expired", "lockdown"];

/// What a server that may not be used (any more) is still asked: it says nothing that a model reads.
/// The list of tools is filtered, to none.
const HARMLESS: &[&str] = &["ping", "subscriptions/listen", "logging/setLevel", "tools/list"];

/// The longest names the record keeps whole.
const NAME_BYTES: usize = 512;
const REASON_BYTES: usize = 4096;

/// One request of the client's, and what it is judged by.
struct Ask<'r> {
    id: Id,
    method: String,
    rules: &'r Ruleset,
    now: Now,
}

impl Session {
    pub(super) fn judge_client_line(&mut self, line: Line, rules: &Ruleset, now: Now) -> Judged {
        let message = match line {
            Line::Oversize { head, tail, bytes } => {
                return self.refuse_oversize(&salvage_ends(&head, &tail), bytes);
            }
            Line::Whole(bytes) => match Message::parse_or_return(bytes) {
                Ok(message) => message.on_one_line(),
                Err((why, bytes)) => return self.refuse_malformed(&why, &bytes),
            },
        };
        match message.kind().clone() {
            Kind::Request { id, method } => self.judge_request(message, &Ask { id, method, rules, now }),
            Kind::Notification { .. } => self.pass_notification(message, now),
            Kind::Response { id } | Kind::Error { id: Some(id), .. } => self.pass_answer(message, &id),
            Kind::Error { id: None, .. } => Judged::pass(Release::ToServer(message.into_bytes())),
        }
    }

    fn judge_request(&mut self, message: Message, ask: &Ask<'_>) -> Judged {
        if let Err(clash) = self.admit(&ask.id) {
            return refuse_clash(clash);
        }
        self.era = Era::of(&message);
        if let Some((name, version)) = message.client_info() {
            self.client = Some((shorten(name, 128), shorten(version, 128)));
        }
        let waiting = match message.subject() {
            Subject::ToolCall { .. } if !self.not_started => return self.judge_call(message, ask),
            Subject::ToolList { first_page } => Waiting::ToolList { first_page },
            Subject::Listen { tools } => Waiting::Listen { tools },
            Subject::Initialize => Waiting::Initialize,
            Subject::Discover => Waiting::Discover,
            Subject::ToolCall { .. }
            | Subject::Cancelled { .. }
            | Subject::Acknowledged { .. }
            | Subject::Other => Waiting::Other,
        };
        let recorded = RECORDED.contains(&ask.method.as_str());
        let barred = self.bar(ask.rules, ask.now).filter(|bar| recorded || self.ends(bar, &ask.method));
        if barred.is_some() || recorded {
            let decision = barred.unwrap_or_else(ungoverned);
            let params = recorded_params(&message);
            return self.enter_call(message, ask, None, params, &decision);
        }
        self.open(ask, waiting, None);
        Judged::pass(Release::ToServer(message.into_bytes()))
    }

    /// May this id join the open ones? A call that was held back for want of a record leaves no trace.
    fn admit(&mut self, id: &Id) -> Result<(), Clash> {
        if self.asked_server.get(id).is_some_and(Open::never_left) {
            let _: Answered<Open> = self.asked_server.answer(id);
        }
        self.asked_server.admits(id)
    }

    /// Does this refusal of the server as a whole end such a request?
    fn ends(&self, bar: &Decision, method: &str) -> bool {
        bar.outcome() == Outcome::Refused && (self.not_started || !HARMLESS.contains(&method))
    }

    fn judge_call(&mut self, message: Message, ask: &Ask<'_>) -> Judged {
        let Subject::ToolCall { name, arguments: text } = message.subject() else {
            return self.refuse_malformed(&Malformed::CallWithoutName, message.bytes());
        };
        let arguments: Option<Value> = match text.map(serde_json::from_str).transpose() {
            Ok(arguments) => arguments,
            Err(_) => return self.refuse_malformed(&Malformed::BadArguments, message.bytes()),
        };
        let decision = ask.rules.decide(&self.question(name, arguments.as_ref(), ask.now));
        let recorded = text.zip(arguments).map(|(text, arguments)| secrets::masked(text, arguments));
        let tool = name.to_owned();
        self.enter_call(message, ask, Some(&tool), recorded, &decision)
    }

    /// Records a decided call, and lets it go or refuses it.
    fn enter_call(
        &mut self,
        message: Message,
        ask: &Ask<'_>,
        tool: Option<&str>,
        arguments: Option<Box<RawValue>>,
        decision: &Decision,
    ) -> Judged {
        self.calls += 1;
        let entry = Entry {
            kind: EntryKind::Call {
                number: self.calls,
                arguments,
                outcome: decision.outcome(),
                rule: decision.rule.clone(),
                reason: shorten(&decision.reason, REASON_BYTES),
                policy_version: ask.rules.version(),
            },
            tool_use_id: message.tool_use_id().map(|id| shorten(id, NAME_BYTES)),
            method: shorten(&ask.method, NAME_BYTES),
            tool: tool.map(|tool| shorten(tool, NAME_BYTES)),
        };
        let what = refusal::naming(&ask.method, tool);
        let to = Addressee { id: ask.id.clone(), era: self.era, what };
        if decision.outcome() == Outcome::Refused {
            let answer = self.refusal(&to, ask, tool, decision);
            return Judged::entered(entry, Release::ToClient(answer), Otherwise::NotSent(to));
        }
        let left = Left::default();
        let call = Call {
            number: self.calls,
            method: entry.method.clone(),
            tool: entry.tool.clone(),
            tool_use_id: entry.tool_use_id.clone(),
            left: left.clone(),
        };
        self.open(ask, Waiting::Call(call), tool);
        Judged::entered(entry, Release::ToServer(message.into_bytes()), Otherwise::NotSent(to)).leaving(left)
    }

    /// Hiding is for tools that are never this member's. One refused for its arguments is on the
    /// client's list, so calling it unknown would only puzzle.
    fn refusal(&self, to: &Addressee, ask: &Ask<'_>, tool: Option<&str>, decision: &Decision) -> Vec<u8> {
        let standing = self.not_started || STANDING_RULES.contains(&decision.rule.as_str());
        if let Some(tool) = tool.filter(|_| ask.rules.settings().hide && !standing)
            && !ask.rules.visible(&self.question(tool, None, ask.now))
        {
            return refusal::unknown_tool(&to.id, tool);
        }
        let case = Case {
            member: &self.facts.member,
            server: self.server_name(ask.rules),
            tool,
            policy_version: ask.rules.version(),
            not_started: self.not_started,
        };
        refusal::refused(to, decision, &case)
    }

    fn open(&mut self, ask: &Ask<'_>, waiting: Waiting, tool: Option<&str>) {
        let what = refusal::naming(&ask.method, tool);
        let open = Open { waiting, era: self.era, what, since: ask.now.monotonic };
        self.asked_server.insert(ask.id.clone(), open);
    }

    fn pass_notification(&mut self, message: Message, now: Now) -> Judged {
        let ended = match message.subject() {
            Subject::Cancelled { request: Some(id) } => self.cancel(id, now),
            _ => None,
        };
        let release = Release::ToServer(message.into_bytes());
        match ended {
            Some(entry) => Judged::entered(entry, release, Otherwise::Nothing),
            None => Judged::pass(release),
        }
    }

    fn cancel(&mut self, id: &Id, now: Now) -> Option<Entry> {
        if matches!(self.asked_server.get(id)?.waiting, Waiting::Initialize) {
            return None;
        }
        self.asked_server.cancel(id)?.outcome(crate::Fate::Cancelled, 0, now)
    }

    fn pass_answer(&mut self, message: Message, id: &Id) -> Judged {
        match self.asked_client.answer(id) {
            Answered::Open(()) => Judged::pass(Release::ToServer(message.into_bytes())),
            Answered::Late => Judged::pass(Release::Nothing),
            Answered::Unasked => {
                let sentence =
                    format!("the client answered request {}, which the server never made", id.as_json());
                let entry = malformed_entry("unasked-response", &sentence, true);
                Judged::entered(entry, Release::Nothing, Otherwise::Nothing)
            }
        }
    }

    fn refuse_malformed(&self, why: &Malformed, bytes: &[u8]) -> Judged {
        let found = salvage(bytes);
        let release = if is_answerable(&found, why) {
            Release::ToClient(refusal::malformed(self.answerable_id(&found), why))
        } else {
            Release::Nothing
        };
        Judged::entered(malformed_entry(why.code(), &why.to_string(), true), release, Otherwise::Same)
    }

    fn refuse_oversize(&self, found: &Salvaged, bytes: usize) -> Judged {
        let release = if found.is_answer {
            Release::Nothing
        } else {
            Release::ToClient(refusal::oversize(self.answerable_id(found), bytes))
        };
        let entry = malformed_entry("oversize", &refusal::oversize_sentence(bytes), true);
        Judged::entered(entry, release, Otherwise::Same)
    }

    /// The id to answer under, unless an answer would end another request.
    fn answerable_id<'a>(&self, found: &'a Salvaged) -> Option<&'a Id> {
        found.id.as_ref().filter(|id| self.asked_server.admits(id).is_ok())
    }
}

/// JSON-RPC forbids answering answers and notifications.
fn is_answerable(found: &Salvaged, why: &Malformed) -> bool {
    let answer = found.is_answer && !found.has_method;
    let notification = found.has_method && !found.has_id && !why.is_parse_error();
    !answer && !notification
}

fn refuse_clash(clash: Clash) -> Judged {
    let (code, why) = match clash {
        Clash::IdInUse => ("id-in-use", "a request with the same `id` is still open"),
        Clash::TooMany => ("too-many-open", "too many requests are open at once"),
    };
    let entry = malformed_entry(code, why, true);
    Judged::entered(entry, Release::ToClient(refusal::unadmitted(why, code)), Otherwise::Same)
}

fn ungoverned() -> Decision {
    Decision {
        verdict: Verdict::Allow,
        mode: Mode::Enforce,
        rule: UNGOVERNED_RULE.to_owned(),
        reason: "Policy speaks of tools; requests of this kind pass and are recorded.".to_owned(),
        contact: None,
        unmet: None,
    }
}

/// What a request that is no tool call asked for: its `params` without `_meta`.
fn recorded_params(message: &Message) -> Option<Box<RawValue>> {
    let text = message.params()?;
    let mut value: Value = serde_json::from_str(text).ok()?;
    if let Some(members) = value.as_object_mut() {
        members.remove("_meta");
    }
    Some(secrets::masked(text, value))
}
