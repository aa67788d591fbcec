//! What Claude Code tells a hook on its stdin, as far as it is of use here (Claude Code's hooks reference,
//! "Hook input"). Whatever else it says is passed over.

use mcp::Id;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The longest event that is read: a tool's whole result may stand in it.
pub const LONGEST: usize = mcp::frame::MAX_MESSAGE_BYTES;

/// One event of one session of Claude Code.
#[derive(Debug)]
pub struct Event {
    pub session: String,
    pub happening: Happening,
}

#[derive(Debug)]
pub enum Happening {
    /// `PreToolUse`: a tool is about to be used.
    Call { id: Id, tool: String, input: Box<RawValue> },
    /// `PostToolUse`, `PostToolUseFailure`: it was.
    Result { id: Id, failed: bool, output: Box<RawValue> },
    /// A tool of an MCP server, which a guard of its own judges.
    OfServer,
    /// `SessionEnd`.
    End,
    /// Nothing to judge.
    Other,
}

/// Why an event cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum BadEvent {
    #[error("what the hook was given is not an event of Claude Code: {0}")]
    Shape(#[from] serde_json::Error),
    #[error("the event `{event}` of Claude Code lacks `{member}`")]
    Lacks { event: String, member: &'static str },
}

#[derive(Deserialize)]
struct Told<'a> {
    session_id: String,
    hook_event_name: String,
    tool_name: Option<String>,
    tool_use_id: Option<String>,
    #[serde(borrow)]
    tool_input: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_response: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    mcp_server: Option<Server>,
}

#[derive(Deserialize)]
struct Server {
    #[serde(default)]
    source: String,
}

impl Event {
    /// # Errors
    /// See [`BadEvent`]. A call that cannot be judged is not to be made.
    pub fn read(bytes: &[u8]) -> Result<Self, BadEvent> {
        let told: Told<'_> = serde_json::from_slice(bytes)?;
        let happening = told.happening()?;
        Ok(Self { session: told.session_id, happening })
    }
}

impl Told<'_> {
    fn happening(&self) -> Result<Happening, BadEvent> {
        let event = self.hook_event_name.as_str();
        match event {
            "SessionEnd" => return Ok(Happening::End),
            "PreToolUse" | "PostToolUse" | "PostToolUseFailure" => {}
            _ => return Ok(Happening::Other),
        }
        let lacks = |member| BadEvent::Lacks { event: event.to_owned(), member };
        let tool = self.tool_name.clone().ok_or_else(|| lacks("tool_name"))?;
        if self.has_a_guard(&tool) {
            return Ok(Happening::OfServer);
        }
        let id = self.tool_use_id.as_deref().ok_or_else(|| lacks("tool_use_id"))?;
        let id =
            Id::from_json(&serde_json::Value::from(id).to_string()).ok_or_else(|| lacks("tool_use_id"))?;
        if event == "PreToolUse" {
            let input = self.tool_input.ok_or_else(|| lacks("tool_input"))?.to_owned();
            return Ok(Happening::Call { id, tool, input });
        }
        let output = self.tool_response.or(self.error).ok_or_else(|| lacks("tool_response"))?.to_owned();
        Ok(Happening::Result { id, failed: event == "PostToolUseFailure", output })
    }

    /// A server inside the client's own process (`sdk`) has none: nothing starts or dials it.
    fn has_a_guard(&self, tool: &str) -> bool {
        tool.starts_with("mcp__") && self.mcp_server.as_ref().is_none_or(|server| server.source != "sdk")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(event: &serde_json::Value) -> Result<Event, BadEvent> {
        Event::read(event.to_string().as_bytes())
    }

    fn call(name: &str, tool: &str) -> serde_json::Value {
        json!({
            "session_id": "s", "transcript_path": "/t", "cwd": "/", "hook_event_name": name, "tool_name": tool,
            "tool_input": {"command": "ls"}, "tool_use_id": "toolu_1",
        })
    }

    #[test]
    fn a_tool_of_claudes_own_is_judged_and_that_of_a_server_is_not_judged_twice() {
        let event = read(&call("PreToolUse", "Bash")).unwrap();
        let Happening::Call { id, tool, input } = event.happening else { panic!("a call") };
        assert_eq!(
            (id.as_json(), tool.as_str(), input.get()),
            ("\"toolu_1\"", "Bash", r#"{"command":"ls"}"#)
        );
        let mut served = call("PreToolUse", "mcp__x__y");
        assert!(matches!(read(&served).unwrap().happening, Happening::OfServer));
        served["mcp_server"] = json!({"name": "x", "source": "project"});
        assert!(matches!(read(&served).unwrap().happening, Happening::OfServer));
        served["mcp_server"] = json!({"name": "x", "source": "sdk"});
        assert!(
            matches!(read(&served).unwrap().happening, Happening::Call { tool, .. } if tool == "mcp__x__y")
        );
    }

    #[test]
    fn a_result_is_what_the_tool_said_or_why_it_failed() {
        let mut done = call("PostToolUse", "Bash");
        done["tool_response"] = json!({"stdout": "x"});
        let Happening::Result { failed: false, output, .. } = read(&done).unwrap().happening else {
            panic!("a result")
        };
        assert_eq!(output.get(), r#"{"stdout":"x"}"#);
        let mut failed = call("PostToolUseFailure", "Bash");
        failed["error"] = json!("Exit code 1");
        assert!(matches!(read(&failed).unwrap().happening, Happening::Result { failed: true, .. }));
    }

    #[test]
    fn attack_an_event_that_says_less_than_is_judged() {
        for member in ["tool_name", "tool_use_id", "tool_input"] {
            let mut event = call("PreToolUse", "Bash");
            event.as_object_mut().unwrap().remove(member);
            let why = read(&event).unwrap_err().to_string();
            assert!(why.contains(member), "{why}");
        }
        let twice = br#"{"session_id":"s","hook_event_name":"PreToolUse","hook_event_name":"Stop"}"#;
        assert!(Event::read(twice).is_err());
        for junk in [&b""[..], b"[]", b"{}", b"\xff"] {
            assert!(Event::read(junk).is_err());
        }
        assert!(matches!(read(&call("Notification", "")).unwrap().happening, Happening::Other));
    }
}
