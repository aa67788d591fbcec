//! What Claude Code tells a hook on its stdin, as far as it is of use here (Claude Code's hooks reference,
//! "Hook input"). Whatever else it says is passed over.

use mcp::Id;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The longest event that is judged: a tool's whole result may stand in it, and Claude Code waits.
pub const LONGEST: usize = 4 * 1024 * 1024;
/// Ids of sessions and tool uses, and names of tools.
const LONGEST_NAME: usize = 256;

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
    /// `PostToolUse`, or `PostToolUseFailure`: it was.
    Result { id: Id, tool: String, input: Box<RawValue>, output: Box<RawValue>, failed: bool },
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
    #[error("`{0}` is longer than {LONGEST_NAME} bytes")]
    TooLong(&'static str),
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
}

impl Event {
    /// # Errors
    /// See [`BadEvent`]. A call that cannot be judged is not to be made.
    pub fn read(bytes: &[u8]) -> Result<Self, BadEvent> {
        let told: Told<'_> = serde_json::from_slice(bytes)?;
        let happening = told.happening()?;
        if told.session_id.len() > LONGEST_NAME {
            return Err(BadEvent::TooLong("session_id"));
        }
        Ok(Self { session: told.session_id, happening })
    }

    /// Of an event that may not be readable: was its tool used already?
    pub fn is_of_result(bytes: &[u8]) -> bool {
        #[derive(Deserialize)]
        struct Named {
            hook_event_name: String,
        }
        match serde_json::from_slice::<Named>(bytes) {
            Ok(named) => named.hook_event_name == "PostToolUse",
            // Most likely cut off.
            Err(_) => memchr::memmem::find(bytes, br#""hook_event_name":"PostToolUse""#).is_some(),
        }
    }
}

impl Happening {
    /// The tool that is used.
    pub fn tool(&self) -> Option<&str> {
        match self {
            Self::Call { tool, .. } | Self::Result { tool, .. } => Some(tool),
            Self::End | Self::Other => None,
        }
    }
}

impl Told<'_> {
    fn happening(&self) -> Result<Happening, BadEvent> {
        let event = self.hook_event_name.as_str();
        let failed = event == "PostToolUseFailure";
        let is_result = failed || event == "PostToolUse";
        match event {
            "SessionEnd" => return Ok(Happening::End),
            "PreToolUse" | "PostToolUse" | "PostToolUseFailure" => {}
            _ => return Ok(Happening::Other),
        }
        let lacks = |member| BadEvent::Lacks { event: event.to_owned(), member };
        let tool = self.tool_name.clone().ok_or_else(|| lacks("tool_name"))?;
        let id = self.tool_use_id.as_deref().ok_or_else(|| lacks("tool_use_id"))?;
        for (name, text) in [("tool_name", tool.as_str()), ("tool_use_id", id)] {
            if text.len() > LONGEST_NAME {
                return Err(BadEvent::TooLong(name));
            }
        }
        let id =
            Id::from_json(&serde_json::Value::from(id).to_string()).ok_or_else(|| lacks("tool_use_id"))?;
        let input = self.tool_input.ok_or_else(|| lacks("tool_input"))?.to_owned();
        if is_result {
            let output = self.tool_response.or(self.error).unwrap_or(RawValue::NULL).to_owned();
            return Ok(Happening::Result { id, tool, input, output, failed });
        }
        Ok(Happening::Call { id, tool, input })
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
    fn a_call_and_its_result_are_told_from_everything_else() {
        let event = read(&call("PreToolUse", "Bash")).unwrap();
        let Happening::Call { id, tool, input } = event.happening else { panic!("a call") };
        assert_eq!(
            (id.as_json(), tool.as_str(), input.get()),
            ("\"toolu_1\"", "Bash", r#"{"command":"ls"}"#)
        );
        let mut done = call("PostToolUse", "Bash");
        for said in [json!({"stdout": "x"}), json!(null)] {
            done["tool_response"] = said.clone();
            let Happening::Result { output, .. } = read(&done).unwrap().happening else { panic!("a result") };
            assert_eq!(output.get(), said.to_string());
        }
        let mut failed = call("PostToolUseFailure", "Bash");
        failed["error"] = json!("Exit code 1");
        assert!(matches!(read(&failed).unwrap().happening, Happening::Result { failed: true, .. }));
        for other in ["Notification", "Stop"] {
            assert!(matches!(read(&call(other, "Bash")).unwrap().happening, Happening::Other), "{other}");
        }
        assert!(Event::is_of_result(done.to_string().as_bytes()) && !Event::is_of_result(b"{"));
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
        for member in ["session_id", "tool_use_id", "tool_name"] {
            let mut endless = call("PreToolUse", "Bash");
            endless[member] = json!("x".repeat(300));
            assert!(read(&endless).unwrap_err().to_string().contains(member));
        }
    }
}
