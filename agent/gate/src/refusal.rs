//! Every sentence a developer can read because of us, and the JSON-RPC error it travels in.
//!
//! A refusal has four parts: what was refused, which rule, why in the rule author's words, whom to
//! ask. Claude shows `message` word for word and drops `data`; `data` is for programs.

pub(crate) mod definitions;

use crate::judged::Unrecordable;
use crate::secrets;
use mcp::frame::MAX_MESSAGE_BYTES;
use mcp::{Id, List, Malformed, Message, inputs, list, reply};
use policy::{Decision, Feature};
use serde_json::json;

/// The longest sentence. Rule authors have room; a name a megabyte long does not.
const MESSAGE_BYTES: usize = 4096;

/// MCP up to 2025-11-25, "Resources: error handling".
const RESOURCE_NOT_FOUND: i64 = -32002;

/// So much of a condition fits into a sentence.
const CONDITION_BYTES: usize = 200;

/// The revisions of MCP, as far as errors and notifications differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Era {
    /// Up to 2025-11-25.
    Legacy,
    /// From 2026-07-28 on: every request names its protocol version.
    Modern,
}

impl Era {
    pub(crate) fn of(message: &Message) -> Self {
        match message.protocol_version() {
            Some(version) if version >= "2026-07-28" => Self::Modern,
            _ => Self::Legacy,
        }
    }

    /// The code of a refusal. 2026-07-28 closes -32000 to -32099 to codes of one's own.
    fn refused(self) -> i64 {
        match self {
            Self::Legacy => -32003,
            Self::Modern => 40300,
        }
    }
}

/// Whose request is answered.
#[derive(Debug, Clone)]
pub(crate) struct Addressee {
    pub(crate) id: Id,
    pub(crate) era: Era,
    /// What was asked, in words: ``the tool "write_file"``.
    pub(crate) what: String,
}

/// Who stands behind a refusal, for `data`.
pub(crate) struct Case<'a> {
    pub(crate) member: &'a str,
    pub(crate) server: &'a str,
    /// What it is about, as sentences name it.
    pub(crate) named: Option<&'a Named>,
    pub(crate) policy_version: u64,
    pub(crate) not_started: bool,
}

/// Something of a server's that a grant has to cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) feature: Feature,
    pub(crate) name: String,
}

impl Named {
    pub(crate) fn new(feature: Feature, name: &str) -> Self {
        Self { feature, name: name.to_owned() }
    }

    /// As the record has it, which names tools only; the rest stands in the arguments.
    pub(crate) fn tool(&self) -> Option<&str> {
        (self.feature == Feature::Tool).then_some(self.name.as_str())
    }

    /// Short, and without the secrets that addresses carry.
    fn shown(&self) -> String {
        shorten(&secrets::masked_text(&self.name), 128)
    }
}

/// How a request is named in a sentence. Names come from a model, so they are quoted and kept short.
pub(crate) fn naming(method: &str, named: Option<&Named>) -> String {
    match named {
        Some(named) if named.feature != Feature::Method => {
            format!("the {} {:?}", named.feature.noun(), named.shown())
        }
        _ => format!("the request {:?}", shorten(method, 128)),
    }
}

/// The first `max` bytes of a text at most, and a sign that something is missing.
pub(crate) fn shorten(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(max)])
}

/// The refusal of a call by a rule.
pub(crate) fn refused(to: &Addressee, decision: &Decision, case: &Case<'_>) -> Vec<u8> {
    let Addressee { id, era, what } = to;
    let Decision { rule, reason, contact, .. } = decision;
    let message = match (&decision.unmet, case.named) {
        _ if case.not_started => not_started(decision, case.server),
        (Some(needs), Some(named)) => unmet(decision, &named.shown(), needs, case.server),
        _ => format!(
            "Portreeve refused {what} on the server {server:?}{rule}: {reason} {ask}",
            server = case.server,
            rule = by_rule(rule),
            reason = as_sentence(reason),
            ask = ask(decision),
        ),
    };
    let data = json!({"portreeve": {
        "rule": rule,
        "reason": reason,
        "contact": contact,
        "policyVersion": case.policy_version,
        "member": case.member,
        "server": case.server,
        "tool": case.named.and_then(Named::tool).map(|tool| shorten(tool, 128)),
    }});
    answer(Some(id), era.refused(), &message, Some(&data))
}

/// Why a server was not started at all.
pub(crate) fn not_started(decision: &Decision, server: &str) -> String {
    format!(
        "Portreeve refused the MCP server {server:?}{rule}, and did not start it: {reason} {ask}",
        rule = by_rule(&decision.rule),
        reason = as_sentence(&decision.reason),
        ask = ask(decision),
    )
}

/// The arguments alone are in the way, so these are told.
fn unmet(decision: &Decision, name: &str, needs: &str, server: &str) -> String {
    let needs = shorten(needs, CONDITION_BYTES);
    // Where its author gave no reason, the condition stands in its place.
    let why = if decision.reason.contains(needs.trim_end_matches('…')) {
        ". ".to_owned()
    } else {
        format!(": {} ", as_sentence(&decision.reason))
    };
    format!(
        "Portreeve lets you use {name:?} on {server:?} only under the rule {rule:?}, and these arguments do not meet it{why}It needs: `{needs}`. {ask}",
        rule = decision.rule,
        ask = ask(decision),
    )
}

/// That no rule covers something is nothing that can be looked up under a name.
fn by_rule(rule: &str) -> String {
    if rule == "default" { String::new() } else { format!(" by the rule {rule:?}") }
}

fn ask(decision: &Decision) -> String {
    match &decision.contact {
        Some(contact) => format!("Ask {contact} if you need it."),
        None => "Ask whoever looks after Claude in your organisation if you need it.".to_owned(),
    }
}

/// To a server that asks something of a client it may not reach any more.
pub(crate) fn server_not_heard(id: &Id) -> Vec<u8> {
    let message = "Portreeve did not pass this on: policy does not let this server be used any more.";
    answer(Some(id), reply::INTERNAL_ERROR, message, None)
}

/// To a server whose request cannot be read, or came in an array.
pub(crate) fn unreadable_request(id: Option<&Id>, why: &str) -> Vec<u8> {
    let message = format!("Portreeve did not pass this on: {}", as_sentence(why));
    answer(id, reply::INVALID_REQUEST, &message, None)
}

/// To a server that asks of a client what policy does not let it ask. The rule's words are for people
/// of the organisation, and no server is one.
pub(crate) fn not_asked(to: &Addressee) -> Vec<u8> {
    let message =
        format!("Portreeve did not pass on {}: policy does not let this server ask for it.", to.what);
    answer(Some(&to.id), to.era.refused(), &message, Some(&json!({"portreeve": {"rule": "client-features"}})))
}

/// An answer that asks of the client, inside, what policy does not let the server ask.
pub(crate) fn input_refused(to: &Addressee, feature: &str, decision: &Decision, case: &Case<'_>) -> Vec<u8> {
    let message = format!(
        "Portreeve withheld the answer to {what} of the server {server:?}, because it asks for {feature:?} first{rule}: {reason} {ask}",
        what = to.what,
        server = case.server,
        rule = by_rule(&decision.rule),
        reason = as_sentence(&decision.reason),
        ask = ask(decision),
    );
    let data = json!({"portreeve": {
        "rule": decision.rule,
        "reason": decision.reason,
        "contact": decision.contact,
        "policyVersion": case.policy_version,
        "member": case.member,
        "server": case.server,
        "clientFeature": feature,
    }});
    answer(Some(&to.id), to.era.refused(), &message, Some(&data))
}

pub(crate) fn unreadable_inputs(to: &Addressee, why: &inputs::Unreadable) -> Vec<u8> {
    let message = format!(
        "The MCP server's answer to {} was dropped because what it asks of you first cannot be checked: {why}.",
        to.what
    );
    answer(Some(&to.id), reply::INTERNAL_ERROR, &message, None)
}

/// Where policy hides what it refuses: what a server says of something it does not have.
pub(crate) fn unknown(to: &Addressee, named: &Named) -> Vec<u8> {
    let Named { feature, name } = named;
    let code = match (feature, to.era) {
        (Feature::Resource, Era::Legacy) => RESOURCE_NOT_FOUND,
        _ => reply::INVALID_PARAMS,
    };
    let message = match feature {
        Feature::Resource => format!("Resource not found: {}", named.shown()),
        Feature::Prompt => format!("Unknown prompt: {name}"),
        _ => format!("Unknown tool: {name}"),
    };
    answer(Some(&to.id), code, &message, None)
}

pub(crate) fn not_recorded(to: &Addressee, why: &Unrecordable) -> Vec<u8> {
    let message = format!(
        "Portreeve could not record {}, therefore it was not sent: {why}. Nothing has happened on the server; try again once that is mended.",
        to.what
    );
    ours(to, &message, "not-recorded")
}

pub(crate) fn withheld(to: &Addressee, why: &Unrecordable) -> Vec<u8> {
    let message = format!(
        "The call of {} was made, but its result is withheld because it could not be recorded: {why}. Do not assume that it failed.",
        to.what
    );
    ours(to, &message, "result-not-recorded")
}

/// To a server: its request was not passed on, or the client's answer to it not given.
pub(crate) fn unanswered(to: &Addressee, why: &Unrecordable) -> Vec<u8> {
    let message = format!("Portreeve could not record {}, therefore it ends here: {why}.", to.what);
    ours(to, &message, "not-recorded")
}

pub(crate) fn server_gone(to: &Addressee, why: &str) -> Vec<u8> {
    let message = format!("The MCP server is gone and never answered {}: {}", to.what, as_sentence(why));
    answer(Some(&to.id), reply::INTERNAL_ERROR, &message, None)
}

pub(crate) fn unreadable_answer(to: &Addressee, why: &str) -> Vec<u8> {
    let message = format!(
        "The MCP server's answer to {} was dropped because it is not a message every reader reads alike: {}",
        to.what,
        as_sentence(why)
    );
    answer(Some(&to.id), reply::INTERNAL_ERROR, &message, None)
}

pub(crate) fn unreadable_list(to: &Addressee, list: List, why: &list::Unreadable) -> Vec<u8> {
    let what = match list {
        List::Tools => "tools",
        List::Prompts => "prompts",
        List::Resources => "resources",
        List::ResourceTemplates => "resource templates",
    };
    let message =
        format!("The MCP server's list of {what} cannot be shown because it cannot be checked: {why}.");
    answer(Some(&to.id), reply::INTERNAL_ERROR, &message, None)
}

/// A client's line that is not a message. Without an id JSON-RPC has us answer `null`.
pub(crate) fn malformed(id: Option<&Id>, why: &Malformed) -> Vec<u8> {
    let code = if why.is_parse_error() { reply::PARSE_ERROR } else { reply::INVALID_REQUEST };
    unread(id, code, &why.to_string(), why.code())
}

pub(crate) fn oversize(id: Option<&Id>, bytes: usize) -> Vec<u8> {
    unread(id, reply::INVALID_REQUEST, &oversize_sentence(bytes), "oversize")
}

pub(crate) fn oversize_sentence(bytes: usize) -> String {
    format!("the message has {bytes} bytes; up to {MAX_MESSAGE_BYTES} are taken")
}

/// A request we cannot keep apart from the others, for instance because its id is in use. Answered
/// with `null`, since an answer under that id would end the other request.
pub(crate) fn unadmitted(why: &str, code: &str) -> Vec<u8> {
    unread(None, reply::INVALID_REQUEST, why, code)
}

fn unread(id: Option<&Id>, code: i64, why: &str, name: &str) -> Vec<u8> {
    let message = format!("Portreeve did not send this message to the server: {}", as_sentence(why));
    answer(id, code, &message, Some(&json!({"portreeve": {"rule": "malformed", "reason": name}})))
}

fn ours(to: &Addressee, message: &str, rule: &str) -> Vec<u8> {
    answer(Some(&to.id), to.era.refused(), message, Some(&json!({"portreeve": {"rule": rule}})))
}

fn answer(id: Option<&Id>, code: i64, message: &str, data: Option<&serde_json::Value>) -> Vec<u8> {
    let data = data.and_then(|data| serde_json::value::to_raw_value(data).ok());
    reply::error(id, code, &printable(&shorten(message, MESSAGE_BYTES)), data.as_deref())
}

/// Names of a model's or a server's making stand in our sentences, and those are shown in terminals:
/// what is not printable is escaped.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\'' | '\\' => out.push(c),
            '\n' | '\r' | '\t' => out.push(' '),
            _ => out.extend(c.escape_debug()),
        }
    }
    out
}

fn as_sentence(text: &str) -> String {
    let text = text.trim();
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}
