//! The record as OCSF API Activity (class 6003, OCSF 1.9): a derived view for whoever ingests it. The
//! record itself stays what was sent and chained.
//!
//! | profile | what it says here |
//! |---|---|
//! | `security_control` | the decision: action, disposition, rule, policy version, whether it was enforced |
//! | `ai_operation` | the client that acted, and the run it acted in |
//! | `host` | the device |
//! | `record_integrity` | the event before it, and a fingerprint over this one (RFC 8785), where its place is known |
//!
//! What OCSF has no name for is in `unmapped`, under our own names.

mod control;
mod definition;

use crate::record::{Fate, Phase, Record, What};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use url::Url;
use uuid::Uuid;

/// The version of OCSF that this speaks.
pub const VERSION: &str = "1.9.0";
/// API Activity.
pub const CLASS: u32 = 6003;

const READ: u32 = 2;
const UPDATE: u32 = 3;
const OTHER: u32 = 99;

/// Where an event stands in its device's log, and what the server knows besides.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub epoch: Uuid,
    /// Counts the records of that log from 1.
    pub sequence: u64,
    /// The record before it in that log; `None` for the first.
    pub previous: Option<Uuid>,
    /// `SHA-256(link before || bytes of the record)`, where it was kept.
    pub link: Option<[u8; 32]>,
    /// When it came, by the server's clock.
    pub received_ms: i64,
    /// The device that sent it, as its certificate says; the record may claim another.
    pub device: &'a str,
    /// The name of that machine; empty where it is not known.
    pub hostname: &'a str,
}

/// One record as one event. `place` adds the integrity profile.
#[must_use]
pub fn activity(record: &Record, place: Option<Place<'_>>) -> Value {
    let (activity, name) = activity_of(&record.what);
    let (severity_id, severity) = severity(&record.what);
    let mut event = object(json!({
        "category_uid": 6,
        "category_name": "Application Activity",
        "class_uid": CLASS,
        "class_name": "API Activity",
        "activity_id": activity,
        "activity_name": name,
        "type_uid": CLASS * 100 + activity,
        "type_name": format!("API Activity: {name}"),
        "severity_id": severity_id,
        "severity": severity,
        "time": record.time_ms,
        "message": message(record),
        "metadata": metadata(record, place),
        "actor": actor(record),
        "ai_agent": ai_agent(record),
        "device": device(record, place, true),
        "src_endpoint": device(record, place, false),
        "api": api(record),
        "unmapped": unmapped(record, place),
    }));
    if let Some(host) = host_of(&record.server.identity) {
        event.insert("dst_endpoint".into(), host);
    }
    event.extend(outcome(&record.what));
    event.extend(control::decision(&record.what));
    match place {
        Some(place) => attested(event, place),
        None => Value::Object(event),
    }
}

fn activity_of(what: &What) -> (u32, &'static str) {
    match what {
        What::Started { .. } => (OTHER, "Start"),
        What::Stopped { .. } => (OTHER, "Stop"),
        What::Call { .. } | What::Outcome { .. } => (OTHER, "Invoke"),
        What::Listed { .. } => (READ, "Read"),
        What::Definition(it) => definition::activity(it),
        What::Malformed { .. } => (OTHER, "Reject"),
        What::Redacted { .. } => (OTHER, "Redact"),
        What::Restart { .. } => (OTHER, "Restart"),
    }
}

/// Informational, but for what somebody may want to look at.
fn severity(what: &What) -> (u32, &'static str) {
    match what {
        What::Call { decision: policy::Outcome::Refused | policy::Outcome::WouldRefuse, .. }
        | What::Restart { phase: Phase::Ended, .. } => (2, "Low"),
        What::Malformed { .. } => (3, "Medium"),
        What::Definition(it) => definition::severity(it),
        _ => (1, "Informational"),
    }
}

/// The machine as its certificate says, where that is known.
fn device(record: &Record, place: Option<Place<'_>>, typed: bool) -> Value {
    let uid = place.map_or(record.device.as_str(), |place| place.device);
    let mut device = object(json!({ "uid": uid }));
    if typed {
        device.insert("type_id".into(), json!(0));
        device.insert("type".into(), json!("Unknown"));
    }
    if let Some(place) = place.filter(|place| !place.hostname.is_empty()) {
        device.insert("hostname".into(), json!(place.hostname));
    }
    Value::Object(device)
}

fn metadata(record: &Record, place: Option<Place<'_>>) -> Value {
    let mut profiles = vec!["ai_operation", "host", "security_control"];
    if place.is_some() {
        profiles.push("record_integrity");
    }
    let mut metadata = object(json!({
        "version": VERSION,
        "product": { "name": "Portreeve", "vendor_name": "Portreeve", "version": env!("CARGO_PKG_VERSION") },
        "profiles": profiles,
        "uid": record.id,
        "correlation_uid": record.run,
        "sequence": record.seq,
        "log_name": "mcp",
        "event_code": code(&record.what),
    }));
    if let Some(place) = place {
        metadata.insert("logged_time".into(), json!(place.received_ms));
    }
    Value::Object(metadata)
}

fn code(what: &What) -> &'static str {
    match what {
        What::Started { .. } => "started",
        What::Stopped { .. } => "stopped",
        What::Call { .. } => "call",
        What::Outcome { .. } => "outcome",
        What::Listed { .. } => "listed",
        What::Malformed { .. } => "malformed",
        What::Definition(_) => "definition",
        What::Redacted { .. } => "redacted",
        What::Restart { .. } => "restart",
    }
}

fn actor(record: &Record) -> Value {
    let mut user = object(json!({ "uid": record.member, "name": record.member }));
    if record.member.contains('@') {
        user.insert("email_addr".into(), json!(record.member));
    }
    let mut actor = object(json!({ "user": user }));
    if !record.client.name.is_empty() {
        actor.insert("app_name".into(), json!(record.client.name));
    }
    let mut session = Map::new();
    session.extend(record.client.session.as_ref().map(|uid| ("uid".to_owned(), json!(uid))));
    // The name of what it was let in by at an HTTP door, never what it showed.
    session.extend(record.client.door.as_ref().map(|name| ("credential_uid".to_owned(), json!(name))));
    if !session.is_empty() {
        actor.insert("session".into(), Value::Object(session));
    }
    Value::Object(actor)
}

/// The run is ours: since 2026-07-28 the protocol has no session of its own.
fn ai_agent(record: &Record) -> Value {
    let name = if record.client.name.is_empty() { "unknown" } else { &record.client.name };
    let mut agent = object(json!({ "name": name, "instance_uid": record.run }));
    if !record.client.version.is_empty() {
        agent.insert("version".into(), json!(record.client.version));
    }
    Value::Object(agent)
}

fn api(record: &Record) -> Value {
    let server = &record.server;
    let name = server.catalogue.as_deref().unwrap_or(&server.entry);
    let name = if name.is_empty() { &server.identity } else { name };
    let mut api = object(json!({
        "operation": operation(&record.what),
        "service": { "name": name, "uid": server.identity },
    }));
    match &record.what {
        What::Call { call, arguments, .. } => {
            let mut request = object(json!({ "uid": request_id(record, *call) }));
            // A view: numbers beyond a double and the order of members are in the record only.
            if let Some(arguments) = arguments
                && let Ok(data) = serde_json::from_str::<Value>(arguments.get())
            {
                request.insert("data".into(), data);
            }
            api.insert("request".into(), Value::Object(request));
        }
        What::Outcome { call, fate, .. } => {
            api.insert("request".into(), json!({ "uid": request_id(record, *call) }));
            if let Some(error) = error_of(*fate) {
                api.insert("response".into(), json!({ "error": error }));
            }
        }
        What::Malformed { code, message, .. } => {
            api.insert("response".into(), json!({ "error": code, "error_message": message }));
        }
        _ => {}
    }
    Value::Object(api)
}

fn operation(what: &What) -> &str {
    match what {
        What::Started { .. } => "start",
        What::Stopped { .. } => "stop",
        What::Call { method, .. }
        | What::Outcome { method, .. }
        | What::Listed { method, .. }
        | What::Redacted { method, .. } => method,
        What::Malformed { .. } => "unreadable",
        What::Definition(_) => "define",
        What::Restart { .. } => "restart",
    }
}

/// Joins a call and its outcome.
fn request_id(record: &Record, call: u64) -> String {
    format!("{}/{call}", record.run)
}

fn error_of(fate: Fate) -> Option<&'static str> {
    match fate {
        Fate::Ok => None,
        Fate::ToolError => Some("tool_error"),
        Fate::Error => Some("error"),
        Fate::Cancelled => Some("cancelled"),
        Fate::Lost => Some("lost"),
    }
}

/// Status and duration. A call that was let go has no status yet; its outcome has.
fn outcome(what: &What) -> Map<String, Value> {
    object(match what {
        What::Call { decision: policy::Outcome::Refused, reason, .. } => json!({
            "status_id": 2, "status": "Failure", "status_code": "refused", "status_detail": reason
        }),
        What::Call { .. } => json!({ "status_id": 0, "status": "Unknown" }),
        What::Outcome { fate, duration_us, .. } => {
            let (id, status) = match fate {
                Fate::Ok => (1, "Success"),
                Fate::ToolError | Fate::Error => (2, "Failure"),
                Fate::Cancelled => (99, "Cancelled"),
                Fate::Lost => (99, "Lost"),
            };
            json!({
                "status_id": id, "status": status, "status_code": error_of(*fate).unwrap_or("ok"),
                "duration": duration_us / 1000
            })
        }
        What::Malformed { code, message, .. } => json!({
            "status_id": 2, "status": "Failure", "status_code": code, "status_detail": message
        }),
        What::Stopped { why } => json!({ "status_id": 1, "status": "Success", "status_detail": why }),
        What::Restart { phase: Phase::Ended, why, exit } => json!({
            "status_id": 2, "status": "Failure", "status_code": exit.map_or("ended".to_owned(), |exit| exit.to_string()),
            "status_detail": why
        }),
        What::Restart { phase: Phase::BegunAnew, why, .. } => {
            json!({ "status_id": 1, "status": "Success", "status_detail": why })
        }
        What::Started { .. } | What::Listed { .. } | What::Redacted { .. } => {
            json!({ "status_id": 1, "status": "Success" })
        }
        What::Definition(it) => definition::status(it),
    })
}

/// Remote servers have an address; what is started on the device itself has none.
fn host_of(identity: &str) -> Option<Value> {
    let url = Url::parse(identity).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let mut host = object(json!({ "hostname": url.host_str()? }));
    if let Some(port) = url.port_or_known_default() {
        host.insert("port".into(), json!(port));
    }
    Some(Value::Object(host))
}

fn unmapped(record: &Record, place: Option<Place<'_>>) -> Value {
    let mut rest = object(json!({ "os_user": record.os_user, "server_entry": record.server.entry }));
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            rest.insert(name.to_owned(), value);
        }
    };
    if let Some(place) = place {
        put("chain.sequence", json!(place.sequence));
        put("chain.link", json!(place.link.as_ref().map(crate::record::to_hex)));
        // Kept under the certificate it came with; what it says itself stays readable.
        put("claimed_device", json!((place.device != record.device).then_some(&record.device)));
    }
    match &record.what {
        What::Call { tool, call, tool_use_id, beyond, redacted, round, .. } => {
            // A view, as of the arguments.
            put("beyond", json!(beyond));
            put("gen_ai.tool.name", json!(tool));
            put("gen_ai.tool.call.id", json!(tool_use_id));
            put("call", json!(call));
            put("redacted", json!((*redacted > 0).then_some(redacted)));
            put("round", json!(round));
        }
        What::Outcome { tool, call, tool_use_id, duration_us, bytes, redacted, round, .. } => {
            put("gen_ai.tool.name", json!(tool));
            put("gen_ai.tool.call.id", json!(tool_use_id));
            put("call", json!(call));
            put("duration_us", json!(duration_us));
            put("result_bytes", json!(bytes));
            put("redacted", json!((*redacted > 0).then_some(redacted)));
            put("round", json!(round));
        }
        What::Listed { shown, hidden, .. } => {
            put("shown", json!(shown));
            put("hidden", json!(hidden));
        }
        What::Malformed { from_client, .. } => put("from_client", json!(from_client)),
        What::Definition(it) => definition::unmapped(it, &mut put),
        What::Redacted { from_client, messages, redacted, .. } => {
            put("from_client", json!(from_client));
            put("messages", json!(messages));
            put("redacted", json!(redacted));
        }
        What::Restart { phase, exit, .. } => {
            put("phase", json!(phase));
            put("exit", json!(exit));
        }
        What::Started { .. } | What::Stopped { .. } => {}
    }
    Value::Object(rest)
}

fn message(record: &Record) -> String {
    let server = &record.server.identity;
    match &record.what {
        What::Started { .. } => format!("{} began to use {server}", record.member),
        What::Stopped { why } => format!("{} no longer uses {server}: {why}", record.member),
        What::Call { method, tool, decision, rule, .. } => {
            let verdict = match decision {
                policy::Outcome::Allowed => "allowed",
                policy::Outcome::Refused => "refused",
                policy::Outcome::WouldRefuse => "let through (it would be refused)",
            };
            let what = tool.as_deref().unwrap_or(method);
            format!("{} called {what} on {server}: {verdict} by {rule}", record.member)
        }
        What::Outcome { method, tool, fate, .. } => {
            let what = tool.as_deref().unwrap_or(method);
            format!("{what} on {server} ended: {}", error_of(*fate).unwrap_or("ok"))
        }
        What::Listed { method, shown, hidden } => {
            format!("{method} on {server}: {shown} shown, {hidden} hidden")
        }
        What::Malformed { message, .. } => format!("a message was refused as unreadable: {message}"),
        What::Definition(it) => definition::message(it, server),
        What::Redacted { method, from_client, messages, redacted } => {
            let from = if *from_client { "the client" } else { server };
            format!("policy took something out of {messages} {method} of {from}, in {redacted} places")
        }
        What::Restart { phase: Phase::Ended, why, .. } => format!("{server} is gone: {why}"),
        What::Restart { phase: Phase::BegunAnew, why, .. } => format!("{server} is back: {why}"),
    }
}

/// Adds the attestation: everything but the fingerprint itself is under the fingerprint.
fn attested(mut event: Map<String, Value>, place: Place<'_>) -> Value {
    let mut attestation = object(json!({ "chain_uid": place.epoch, "authority_uid": "portreeve" }));
    if let Some(previous) = place.previous {
        attestation.insert("prev_event".into(), json!({ "uid": previous }));
    }
    event.insert("attestation_list".into(), json!([attestation]));
    let mut event = Value::Object(event);
    // An event is finite numbers, texts and containers: it always has a canonical form.
    if let Ok(canonical) = serde_json_canonicalizer::to_vec(&event) {
        let digest: [u8; 32] = Sha256::digest(canonical).into();
        event["attestation_list"][0]["fingerprint"] = json!({
            "algorithm_id": 3, "algorithm": "SHA-256",
            "encoding_id": 1, "encoding": "Hex",
            "serialization_id": 2, "serialization": "JCS",
            "value": crate::record::to_hex(&digest),
        });
    }
    event
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
