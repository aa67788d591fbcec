//! A definition event in OCSF's words. A definition that is not what was approved is an alert of its own
//! kind (`is_alert`); the definition itself, its differences and its signs are in `unmapped`.

use super::{OTHER, READ, UPDATE};
use crate::record::{Definition, Happened};
use serde_json::{Map, Value, json};

pub(super) fn activity(it: &Definition) -> (u32, &'static str) {
    match it.event {
        Happened::New => (READ, "Read"),
        Happened::Changed => (UPDATE, "Update"),
        Happened::Restored => (OTHER, "Restore"),
        Happened::Disapproved => (OTHER, "Disapprove"),
        Happened::Approved => (OTHER, "Approve"),
        Happened::Forgotten => (OTHER, "Forget"),
    }
}

pub(super) fn severity(it: &Definition) -> (u32, &'static str) {
    // Trust that a developer gave is for somebody to look at now and then.
    if matches!(it.event, Happened::Approved | Happened::Forgotten) {
        return (2, "Low");
    }
    match (it.is_poisoned(), needs_a_look(it)) {
        (true, true) => (4, "High"),
        (false, true) => (3, "Medium"),
        (_, false) => (1, "Informational"),
    }
}

/// Not for the author of the policy, who approved this very one.
fn needs_a_look(it: &Definition) -> bool {
    let by_somebody = matches!(it.event, Happened::Approved | Happened::Forgotten);
    !by_somebody
        && !it.approved
        && (it.held || it.disapproval.is_some() || it.event == Happened::Changed || !it.flags.is_empty())
}

pub(super) fn status(it: &Definition) -> Value {
    match (it.held, it.let_through) {
        (true, false) => json!({ "status_id": 2, "status": "Failure", "status_code": "held" }),
        (true, true) => json!({ "status_id": 1, "status": "Success", "status_code": "would-be-held" }),
        (false, _) => json!({ "status_id": 1, "status": "Success" }),
    }
}

/// Action and disposition, in the words of the `security_control` profile.
pub(super) fn control(it: &Definition) -> Value {
    let (action_id, action, disposition_id, disposition) =
        match (it.held && !it.let_through, needs_a_look(it)) {
            (true, _) => (2, "Denied", 3, "Quarantined"),
            (false, true) => (3, "Observed", 19, "Alert"),
            (false, false) => (1, "Allowed", 1, "Allowed"),
        };
    json!({
        "action_id": action_id, "action": action,
        "disposition_id": disposition_id, "disposition": disposition,
        "is_alert": needs_a_look(it),
        "policy": super::control::policy_of(it.policy_version, true),
    })
}

pub(super) fn unmapped(it: &Definition, put: &mut impl FnMut(&str, Value)) {
    put("gen_ai.tool.name", json!(it.tool));
    let mut about = Map::new();
    about.insert("part".into(), json!(it.part));
    if !it.name.is_empty() {
        about.insert("name".into(), json!(it.name));
    }
    about.insert("event".into(), json!(it.event));
    about.insert("digest".into(), json!(it.digest));
    about.insert("held".into(), json!(it.held));
    about.insert("approved".into(), json!(it.approved));
    if it.let_through {
        about.insert("let_through".into(), json!(true));
    }
    if let Some(disapproval) = &it.disapproval {
        about.insert("disapproval".into(), json!(disapproval));
    }
    if let Some(was) = &it.was {
        about.insert("was".into(), json!(was));
    }
    if !it.flags.is_empty() {
        about.insert("flags".into(), json!(it.flags));
    }
    if !it.changes.is_empty() {
        about.insert("changes".into(), json!(it.changes));
    }
    // A view: numbers beyond a double and the order of members are in the record only.
    if let Some(text) = &it.definition
        && let Ok(value) = serde_json::from_str::<Value>(text.get())
    {
        about.insert("definition".into(), value);
    }
    put("definition", Value::Object(about));
}

pub(super) fn message(it: &Definition, server: &str) -> String {
    let held = match (it.held, it.let_through) {
        (true, false) => ", and is held back",
        (true, true) => ", and is let through, as policy only monitors there",
        (false, _) => "",
    };
    let signs: Vec<&str> = it.flags.iter().map(|flag| flag.sign.as_str()).collect();
    let signs = if signs.is_empty() { String::new() } else { format!(" ({})", signs.join(", ")) };
    format!("the definition of {} on {server} is {}{signs}{held}", it.subject(), it.event)
}
