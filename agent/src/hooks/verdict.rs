//! What came of an event, and how Claude Code is told (its hooks reference, "Hook output").

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What came of an event.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Verdict {
    /// The call is not to be made: the whole sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// It goes on with something else: secrets were taken out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<Box<RawValue>>,
}

/// What our process writes to its stdout.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    hook_specific_output: Specific,
}

#[derive(Debug, Serialize)]
#[serde(tag = "hookEventName")]
enum Specific {
    #[serde(rename_all = "camelCase")]
    PreToolUse {
        #[serde(skip_serializing_if = "Option::is_none")]
        permission_decision: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        permission_decision_reason: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        updated_input: Option<Box<RawValue>>,
    },
    #[serde(rename_all = "camelCase")]
    PostToolUse { updated_tool_output: Box<RawValue> },
}

impl Verdict {
    pub fn pass() -> Self {
        Self::default()
    }

    pub fn refused(why: impl Into<String>) -> Self {
        Self { refused: Some(why.into()), instead: None }
    }

    pub fn instead(text: Box<RawValue>) -> Self {
        Self { refused: None, instead: Some(text) }
    }

    /// `None` where Claude goes on as if it had not asked: an allowed call is still subject to Claude's own
    /// permissions.
    pub fn answer(self, of_call: bool) -> Option<Answer> {
        let specific = match (of_call, self) {
            (true, Self { refused: Some(why), .. }) => Specific::PreToolUse {
                permission_decision: Some("deny"),
                permission_decision_reason: Some(why),
                updated_input: None,
            },
            (true, Self { instead: Some(input), .. }) => Specific::PreToolUse {
                permission_decision: None,
                permission_decision_reason: None,
                updated_input: Some(input),
            },
            (false, Self { instead: Some(output), .. }) => {
                Specific::PostToolUse { updated_tool_output: output }
            }
            // It was used already; what it said is all that can be held back.
            (false, Self { refused: Some(why), .. }) => {
                let sentence = serde_json::Value::from(format!("What this tool said is withheld: {why}"));
                let output = RawValue::from_string(sentence.to_string());
                Specific::PostToolUse {
                    updated_tool_output: output.unwrap_or_else(|_| RawValue::NULL.to_owned()),
                }
            }
            (_, Self { .. }) => return None,
        };
        Some(Answer { hook_specific_output: specific })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(verdict: Verdict, of_call: bool) -> String {
        verdict.answer(of_call).map(|answer| serde_json::to_string(&answer).unwrap()).unwrap_or_default()
    }

    #[test]
    fn claude_is_told_in_the_shape_of_its_reference() {
        assert_eq!(said(Verdict::pass(), true), "");
        assert_eq!(
            said(Verdict::refused("no"), true),
            r#"{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"deny","permissionDecisionReason":"no"}}"#
        );
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        assert_eq!(
            said(Verdict::instead(raw(r#"{"a":1}"#)), true),
            r#"{"hookSpecificOutput":{"hookEventName":"PreToolUse","updatedInput":{"a":1}}}"#
        );
        assert_eq!(
            said(Verdict::instead(raw("\"x\"")), false),
            r#"{"hookSpecificOutput":{"hookEventName":"PostToolUse","updatedToolOutput":"x"}}"#
        );
        assert_eq!(
            said(Verdict::refused("no"), false),
            r#"{"hookSpecificOutput":{"hookEventName":"PostToolUse","updatedToolOutput":"What this tool said is withheld: no"}}"#
        );
    }
}
