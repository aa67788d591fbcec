//! Every sentence a developer can read because of us, and the JSON-RPC error it travels in.
//!
//! A refusal has four parts: what was refused, which rule, why in the rule author's words, whom to
//! ask. Claude shows `message` word for word and drops `data`; `data` is for programs.

use crate::judged::Unrecordable;
use mcp::edit::Unreadable;
use mcp::frame::MAX_MESSAGE_BYTES;
use mcp::{Id, Malformed, Message, reply};
use policy::Decision;
use serde_json::json;

/// The longest sentence. Rule authors have room; a name a megabyte long does not.
const MESSAGE_BYTES: usize = 4096;

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
    pub(crate) tool: Option<&'a str>,
    pub(crate) policy_version: u64,
    pub(crate) not_started: bool,
}

/// How a call is named in a sentence. Names come from a model, so they are quoted and kept short.
pub(crate) fn naming(method: &str, tool: Option<&str>) -> String {
    match tool {
        Some(tool) => format!("the tool {:?}", shorten(tool, 128)),
        None => format!("the request {:?}", shorten(method, 128)),
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
    let message = match (&decision.unmet, case.tool) {
        _ if case.not_started => not_started(decision, case.server),
        (Some(needs), Some(tool)) => unmet(decision, tool, needs, case.server),
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
        "tool": case.tool.map(|tool| shorten(tool, 128)),
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
fn unmet(decision: &Decision, tool: &str, needs: &str, server: &str) -> String {
    let tool = shorten(tool, 128);
    let needs = shorten(needs, CONDITION_BYTES);
    // Where its author gave no reason, the condition stands in its place.
    let why = if decision.reason.contains(needs.trim_end_matches('…')) {
        ". ".to_owned()
    } else {
        format!(": {} ", as_sentence(&decision.reason))
    };
    format!(
        "Portreeve lets you use {tool:?} on {server:?} only under the rule {rule:?}, and these arguments do not meet it{why}It needs: `{needs}`. {ask}",
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

/// Where policy hides refused tools: what a server says of a tool it does not have.
pub(crate) fn unknown_tool(id: &Id, tool: &str) -> Vec<u8> {
    answer(Some(id), reply::INVALID_PARAMS, &format!("Unknown tool: {tool}"), None)
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

pub(crate) fn unreadable_list(to: &Addressee, why: &Unreadable) -> Vec<u8> {
    let message =
        format!("The MCP server's list of tools cannot be shown because it cannot be checked: {why}.");
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
