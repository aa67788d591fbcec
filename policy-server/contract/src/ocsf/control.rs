//! The decision, in the words of the `security_control` profile.

use super::object;
use crate::record::What;
use policy::Outcome;
use serde_json::{Map, Value, json};

/// Action, disposition, rule and policy; nothing for a record without a decision.
pub(super) fn decision(what: &What) -> Map<String, Value> {
    object(match what {
        What::Call { decision, rule, reason, policy_version, .. } => {
            // What was not enforced is observed, never allowed.
            let (action_id, action, disposition_id, disposition) = match decision {
                Outcome::Allowed => (1, "Allowed", 1, "Allowed"),
                Outcome::Refused => (2, "Denied", 2, "Blocked"),
                Outcome::WouldRefuse => (3, "Observed", 17, "Logged"),
            };
            json!({
                "action_id": action_id, "action": action,
                "disposition_id": disposition_id, "disposition": disposition,
                "is_alert": *decision != Outcome::Allowed,
                "firewall_rule": { "uid": rule, "name": rule, "desc": reason },
                "policy": policy_of(*policy_version, *decision != Outcome::WouldRefuse),
            })
        }
        What::Malformed { .. } => json!({
            "action_id": 2, "action": "Denied", "disposition_id": 25, "disposition": "Rejected"
        }),
        What::Started { policy_version } => json!({ "policy": policy_of(*policy_version, true) }),
        What::Listed { hidden, .. } if *hidden > 0 => json!({
            "action_id": 99, "action": "Filtered", "disposition_id": 7, "disposition": "Custom Action"
        }),
        What::Definition(it) => super::definition::control(it),
        What::Redacted { .. } => json!({
            "action_id": 4, "action": "Modified", "disposition_id": 7, "disposition": "Custom Action"
        }),
        What::Listed { .. } | What::Outcome { .. } | What::Stopped { .. } | What::Restart { .. } => json!({}),
    })
}

pub(super) fn policy_of(version: u64, applied: bool) -> Value {
    json!({ "name": "Portreeve policy", "version": version.to_string(), "is_applied": applied })
}
