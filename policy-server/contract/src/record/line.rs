//! A record as one flat JSON object.
//!
//! Reading goes by hand because serde buffers what is flattened or tagged from inside, and a
//! buffered value has lost the bytes that `arguments` must keep.

use super::{
    Client, Definition, DefinitionChange, DefinitionFlag, Disapproval, Fate, Happened, Part, Phase, Record,
    Server, What,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

#[derive(Deserialize)]
pub(super) struct Line {
    id: Uuid,
    time_ms: i64,
    run: Uuid,
    seq: u64,
    member: String,
    device: String,
    #[serde(default)]
    os_user: String,
    #[serde(default)]
    client: Client,
    server: Server,
    kind: String,
    policy_version: Option<u64>,
    why: Option<String>,
    method: Option<String>,
    tool: Option<String>,
    call: Option<u64>,
    tool_use_id: Option<String>,
    arguments: Option<Box<RawValue>>,
    beyond: Option<Box<RawValue>>,
    decision: Option<policy::Outcome>,
    rule: Option<String>,
    reason: Option<String>,
    fate: Option<Fate>,
    duration_us: Option<u64>,
    bytes: Option<u64>,
    redacted: Option<u64>,
    round: Option<String>,
    shown: Option<u64>,
    hidden: Option<u64>,
    code: Option<String>,
    message: Option<String>,
    from_client: Option<bool>,
    part: Option<Part>,
    name: Option<String>,
    event: Option<Happened>,
    digest: Option<String>,
    was: Option<String>,
    held: Option<bool>,
    let_through: Option<bool>,
    approved: Option<bool>,
    disapproval: Option<Disapproval>,
    flags: Option<Vec<DefinitionFlag>>,
    changes: Option<Vec<DefinitionChange>>,
    definition: Option<Box<RawValue>>,
    messages: Option<u64>,
    phase: Option<Phase>,
    exit: Option<u8>,
}

/// Why a line is no record.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("unknown kind of record `{0}`")]
    Kind(String),
    #[error("missing field `{0}`")]
    Missing(&'static str),
}

/// `need!(line, field)`: the field of this kind, or its name.
macro_rules! need {
    ($line:ident, $field:ident) => {
        $line.$field.ok_or(Unreadable::Missing(stringify!($field)))?
    };
}

impl TryFrom<Line> for Record {
    type Error = Unreadable;

    fn try_from(line: Line) -> Result<Self, Unreadable> {
        let what = match line.kind.as_str() {
            "started" => What::Started { policy_version: need!(line, policy_version) },
            "stopped" => What::Stopped { why: need!(line, why) },
            "call" => What::Call {
                method: need!(line, method),
                tool: line.tool,
                call: need!(line, call),
                tool_use_id: line.tool_use_id,
                arguments: line.arguments,
                beyond: line.beyond,
                decision: need!(line, decision),
                rule: need!(line, rule),
                reason: need!(line, reason),
                policy_version: need!(line, policy_version),
                redacted: line.redacted.unwrap_or_default(),
                round: line.round,
            },
            "outcome" => What::Outcome {
                method: need!(line, method),
                tool: line.tool,
                call: need!(line, call),
                tool_use_id: line.tool_use_id,
                fate: need!(line, fate),
                duration_us: need!(line, duration_us),
                bytes: need!(line, bytes),
                redacted: line.redacted.unwrap_or_default(),
                round: line.round,
            },
            "listed" => What::Listed {
                method: need!(line, method),
                shown: need!(line, shown),
                hidden: need!(line, hidden),
            },
            "malformed" => What::Malformed {
                code: need!(line, code),
                message: need!(line, message),
                from_client: need!(line, from_client),
            },
            "definition" => What::Definition(Box::new(Definition {
                part: need!(line, part),
                tool: line.tool,
                name: line.name.unwrap_or_default(),
                event: need!(line, event),
                digest: need!(line, digest),
                was: line.was,
                held: need!(line, held),
                let_through: line.let_through.unwrap_or_default(),
                approved: line.approved.unwrap_or_default(),
                disapproval: line.disapproval,
                flags: line.flags.unwrap_or_default(),
                changes: line.changes.unwrap_or_default(),
                definition: line.definition,
                policy_version: need!(line, policy_version),
            })),
            "redacted" => What::Redacted {
                method: need!(line, method),
                from_client: need!(line, from_client),
                messages: need!(line, messages),
                redacted: need!(line, redacted),
            },
            "restart" => What::Restart { phase: need!(line, phase), why: need!(line, why), exit: line.exit },
            _ => return Err(Unreadable::Kind(line.kind)),
        };
        Ok(Self {
            id: line.id,
            time_ms: line.time_ms,
            run: line.run,
            seq: line.seq,
            member: line.member,
            device: line.device,
            os_user: line.os_user,
            client: line.client,
            server: line.server,
            what,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(what: What) -> Record {
        Record {
            id: Uuid::from_u128(1),
            time_ms: 2,
            run: Uuid::from_u128(3),
            seq: 4,
            member: "alice@acme.example".to_owned(),
            device: "d".to_owned(),
            os_user: "alice".to_owned(),
            client: Client::default(),
            server: Server { identity: "npm:files".to_owned(), ..Server::default() },
            what,
        }
    }

    #[test]
    fn every_kind_is_read_back_as_it_was_written() {
        let raw = |text: &str| Some(RawValue::from_string(text.to_owned()).expect("JSON"));
        let kinds = [
            What::Started { policy_version: 7 },
            What::Stopped { why: "the client left".to_owned() },
            What::Call {
                method: "tools/call".to_owned(),
                tool: Some("t".to_owned()),
                call: 1,
                tool_use_id: Some("toolu_1".to_owned()),
                arguments: raw(r#"{"b":1.10,"a":123456789012345678901234567890, "a2" : "\u0041"}"#),
                beyond: raw(r#"{"params":{"x":1.0}}"#),
                decision: policy::Outcome::WouldRefuse,
                rule: "r".to_owned(),
                reason: "because".to_owned(),
                policy_version: 7,
                redacted: 2,
                round: Some("r1".to_owned()),
            },
            What::Outcome {
                method: "tools/call".to_owned(),
                tool: None,
                call: 1,
                tool_use_id: None,
                fate: Fate::ToolError,
                duration_us: 5,
                bytes: 6,
                redacted: 0,
                round: None,
            },
            What::Listed { method: "tools/list".to_owned(), shown: 1, hidden: 2 },
            What::Malformed { code: "c".to_owned(), message: "m".to_owned(), from_client: true },
            What::Definition(Box::new(Definition {
                part: Part::Tool,
                tool: Some("t".to_owned()),
                name: String::new(),
                event: Happened::Changed,
                digest: "sha256:1".to_owned(),
                was: Some("sha256:0".to_owned()),
                held: true,
                let_through: true,
                approved: false,
                disapproval: Some(Disapproval::OtherFingerprint),
                flags: vec![DefinitionFlag {
                    sign: "invisible-text".to_owned(),
                    member: "description".to_owned(),
                    excerpt: "a\\u{200b}".to_owned(),
                }],
                changes: vec![DefinitionChange {
                    member: "x".to_owned(),
                    was: None,
                    is: Some("1".to_owned()),
                }],
                definition: raw(r#"{"b":1.10,"a":[ 2 ]}"#),
                policy_version: 7,
            })),
            What::Definition(Box::new(Definition {
                part: Part::Instructions,
                tool: None,
                name: String::new(),
                event: Happened::New,
                digest: "sha256:1".to_owned(),
                was: None,
                held: false,
                let_through: false,
                approved: true,
                disapproval: None,
                flags: Vec::new(),
                changes: Vec::new(),
                definition: None,
                policy_version: 7,
            })),
            What::Redacted {
                method: "notifications/message".to_owned(),
                from_client: false,
                messages: 2,
                redacted: 3,
            },
            What::Restart { phase: Phase::Ended, why: "it fell".to_owned(), exit: Some(3) },
            What::Restart { phase: Phase::BegunAnew, why: "a new session".to_owned(), exit: None },
        ];
        for kind in kinds {
            let written = serde_json::to_string(&record(kind)).expect("a record is JSON");
            let read: Record = serde_json::from_str(&written).expect("it is read back");
            assert_eq!(serde_json::to_string(&read).expect("a record is JSON"), written);
        }
    }

    #[test]
    fn a_kind_without_its_fields_is_named() {
        let written = serde_json::to_string(&record(What::Started { policy_version: 7 })).expect("JSON");
        for (from, to, expected) in [
            ("\"policy_version\":7", "\"unknown\":7", "missing field `policy_version`"),
            ("started", "begun", "unknown kind of record `begun`"),
        ] {
            let refused = serde_json::from_str::<Record>(&written.replace(from, to)).unwrap_err().to_string();
            assert!(refused.contains(expected), "{refused}");
        }
    }
}
