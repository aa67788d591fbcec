//! What a question or a recorded call is about: a tool, or another feature by its name.

use policy::Feature;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Exactly one of the five.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct Asked {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// A resource's URI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// What the server asks of the client: `sampling`, `elicitation` or `roots`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_feature: Option<String>,
    /// Any other method of the protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
}

/// None of the five is given, or several are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give exactly one of `tool`, `resource`, `prompt`, `client_feature` and `method`")]
pub struct NotOne;

impl Asked {
    #[must_use]
    pub fn about(feature: Feature, name: impl Into<String>) -> Self {
        let name = Some(name.into());
        match feature {
            Feature::Tool => Self { tool: name, ..Self::default() },
            Feature::Resource => Self { resource: name, ..Self::default() },
            Feature::Prompt => Self { prompt: name, ..Self::default() },
            Feature::Client => Self { client_feature: name, ..Self::default() },
            Feature::Method => Self { method: name, ..Self::default() },
        }
    }

    /// # Errors
    /// It is not one.
    pub fn one(&self) -> Result<(Feature, &str), NotOne> {
        let names = [&self.tool, &self.resource, &self.prompt, &self.client_feature, &self.method];
        let mut given = Feature::ALL
            .into_iter()
            .zip(names)
            .filter_map(|(feature, name)| Some((feature, name.as_deref()?)));
        match (given.next(), given.next()) {
            (Some(one), None) => Ok(one),
            _ => Err(NotOne),
        }
    }
}

/// What a recorded call was about, and with which arguments; `None` where policy was not asked about one
/// feature with its arguments.
#[must_use]
pub fn recorded(
    method: &str,
    tool: Option<&str>,
    arguments: Option<&Value>,
) -> Option<(Feature, String, Option<Value>)> {
    let text = |name: &str| Some(arguments?.get(name)?.as_str()?.to_owned());
    match method {
        "tools/call" => Some((Feature::Tool, tool?.to_owned(), arguments.cloned())),
        // Of a subscription of 2026-07-28, each resource has a record of its own.
        "resources/read" | "resources/subscribe" | "subscriptions/listen" => {
            Some((Feature::Resource, text("uri")?, None))
        }
        "prompts/get" => Some((
            Feature::Prompt,
            text("name")?,
            arguments.and_then(|arguments| arguments.get("arguments")).cloned(),
        )),
        "sampling/createMessage" => Some((Feature::Client, "sampling".to_owned(), arguments.cloned())),
        "elicitation/create" => Some((Feature::Client, "elicitation".to_owned(), arguments.cloned())),
        "roots/list" => Some((Feature::Client, "roots".to_owned(), arguments.cloned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Asked, recorded};
    use policy::Feature;
    use serde_json::json;

    #[test]
    fn one_feature_is_asked_about_and_no_more() {
        for feature in Feature::ALL {
            assert_eq!(Asked::about(feature, "x").one(), Ok((feature, "x")));
        }
        assert!(Asked::default().one().is_err());
        let two = Asked { tool: Some(String::new()), ..Asked::about(Feature::Prompt, "x") };
        assert!(two.one().is_err());
    }

    #[test]
    fn a_recorded_call_tells_what_it_was_about() {
        let arguments = json!({"uri": "file:///x", "name": "p", "arguments": {"a": 1}});
        for (method, tool, feature, name) in [
            ("tools/call", Some("t"), Feature::Tool, "t"),
            ("resources/read", None, Feature::Resource, "file:///x"),
            ("subscriptions/listen", None, Feature::Resource, "file:///x"),
            ("prompts/get", None, Feature::Prompt, "p"),
            ("sampling/createMessage", None, Feature::Client, "sampling"),
        ] {
            let (got, called, _) = recorded(method, tool, Some(&arguments)).expect(method);
            assert_eq!((got, called.as_str()), (feature, name));
        }
        assert_eq!(recorded("prompts/get", None, Some(&arguments)).unwrap().2, Some(json!({"a": 1})));
        assert!(recorded("tasks/result", Some("t"), Some(&arguments)).is_none());
        assert!(recorded("resources/read", None, None).is_none());
        // Refused as a whole, before any resource of it was judged.
        assert!(recorded("subscriptions/listen", None, Some(&json!({"notifications": {}}))).is_none());
    }
}
