//! What is asked of a ruleset, and what it answers.

use crate::identity::ServerIdentity;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// What a request is about: MCP's server features, its client features (what a server asks of the
/// client), and every other method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// `tools/call`; the name is the tool's.
    Tool,
    /// `resources/read`, subscriptions to it, completion of its template; the name is the URI.
    Resource,
    /// `prompts/get`, completion of its arguments; the name is the prompt's.
    Prompt,
    /// What a server asks of the client: the name is `sampling`, `elicitation` or `roots`.
    Client,
    /// Any other request or notification of the client's: the name is the method. What no rule speaks of
    /// passes, so this is for whatever a policy could want to end; not for the handshake, a ping, a
    /// cancellation or an answer, without which there is no conversation to judge.
    Method,
}

impl Feature {
    pub const ALL: [Self; 5] = [Self::Tool, Self::Resource, Self::Prompt, Self::Client, Self::Method];

    /// As conditions, the record and the command line write it: `tool`, `client` …
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Resource => "resource",
            Self::Prompt => "prompt",
            Self::Client => "client",
            Self::Method => "method",
        }
    }

    /// In a sentence: `client feature`.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Client => "client feature",
            other => other.word(),
        }
    }
}

/// One question: may this member use this feature of this server, with these arguments, now?
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The member's address, as the organisation names people: `alice@acme.example`.
    pub member: &'a str,
    /// The enrolled device's id; empty where there is none (a trial under a local file).
    pub device: &'a str,
    /// The client's name as it gave it (`claude-code`); unverified, so only good for tightening.
    pub client: &'a str,
    pub server: &'a ServerIdentity,
    pub feature: Feature,
    /// The tool's name, the resource's URI, the prompt's name …: see [`Feature`].
    pub name: &'a str,
    /// What conditions see as `context.args`. Of a tool or prompt: the call's `arguments` object, `None` where
    /// it carried none. Of a client feature or method: its `params`. A resource's may be left out: that is
    /// `{"uri": name}`.
    pub arguments: Option<&'a serde_json::Value>,
    pub now: OffsetDateTime,
}

/// The answer. `verdict` is what the rules say; `mode` is whether they are enforced here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub verdict: Verdict,
    pub mode: Mode,
    /// Stable name of the rule that decided: a grant's name, or `default`, `default-methods`,
    /// `member-suspended`, `policy-expired`, `lockdown`, `redaction`,
    /// `undecidable`.
    pub rule: String,
    /// The rule author's words, or ours where the author gave none. A whole sentence.
    pub reason: String,
    /// Whom to ask.
    pub contact: Option<String>,
    /// The condition of the one grant that would have allowed it, where only that did not hold. On one line.
    pub unmet: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Allow,
    Refuse,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Recorded as would-be-refused, let through.
    Monitor,
    Enforce,
}

/// Verdict and mode together, as the record keeps them: a verdict that was not enforced is never
/// recorded as an allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Allowed,
    Refused,
    WouldRefuse,
}

impl Decision {
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match (self.verdict, self.mode) {
            (Verdict::Allow, _) => Outcome::Allowed,
            (Verdict::Refuse, Mode::Enforce) => Outcome::Refused,
            (Verdict::Refuse, Mode::Monitor) => Outcome::WouldRefuse,
        }
    }
}
