//! What became of one definition of a server's: what it says its tool, prompt or template is.
//!
//! The texts are the server's, made visible and bounded by who recorded them; whoever shows them
//! escapes them all the same.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::fmt;

/// One event in the life of a definition.
#[derive(Debug, Clone, Serialize)]
#[expect(clippy::struct_field_names, reason = "the record's member is called what it is")]
pub struct Definition {
    pub part: Part,
    /// The tool, where it is one: records are searched by this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The name, where it is no tool; empty for instructions.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    pub event: Happened,
    /// `sha256:` and 64 hexadecimal digits, over the canonical form (RFC 8785) of the whole definition.
    pub digest: String,
    /// What was pinned before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// It was taken out of the list, and calls are refused.
    pub held: bool,
    /// It would have been; policy only monitors there, so it was shown and called.
    #[serde(skip_serializing_if = "is_false")]
    pub let_through: bool,
    /// The policy's author approved this very definition.
    #[serde(skip_serializing_if = "is_false")]
    pub approved: bool,
    /// They name fingerprints of this server's tools, and not this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disapproval: Option<Disapproval>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<DefinitionFlag>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<DefinitionChange>,
    /// The definition, shortened and without secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub definition: Option<Box<RawValue>>,
    pub policy_version: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    Tool,
    Prompt,
    ResourceTemplate,
    Instructions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happened {
    /// Seen for the first time.
    New,
    /// Not what was pinned.
    Changed,
    /// What was pinned, after another was held.
    Restored,
    /// What is pinned, unchanged; the policy does not approve it.
    Disapproved,
    /// Somebody on the device approved what was held there; who is the record's `os_user`.
    Approved,
    /// Somebody on the device had it forgotten: what is seen next is trusted as at first sight.
    Forgotten,
}

/// Why the policy's author does not approve a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disapproval {
    /// The policy names other tools of the server, and not this one.
    Unlisted,
    /// The policy names another fingerprint for it.
    OtherFingerprint,
}

/// A sign that a definition is poisoned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefinitionFlag {
    /// Stable: `hidden-instruction`, `invisible-text`, `reordered-text`, `control-characters`,
    /// `deceptive-name`, `same-name-elsewhere`, `speaks-of-another-server`, `two-definitions`, `too-long`.
    pub sign: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub member: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub excerpt: String,
}

/// One member that is not as it was; without `was` it is new, without `is` it is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefinitionChange {
    pub member: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is: Option<String>,
}

impl Definition {
    /// Which thing of the server it defines: `tool read_file`, `instructions`.
    #[must_use]
    pub fn subject(&self) -> String {
        let name = self.tool.as_deref().unwrap_or(&self.name);
        if name.is_empty() { self.part.to_string() } else { format!("{} {name}", self.part) }
    }

    /// Are there signs of more than a tool of another server being shadowed?
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.flags.iter().any(|flag| !is_shadow(flag))
    }

    /// Does it have another server's tool's name, or speak about one?
    #[must_use]
    pub fn shadows(&self) -> bool {
        self.flags.iter().any(is_shadow)
    }
}

fn is_shadow(flag: &DefinitionFlag) -> bool {
    matches!(flag.sign.as_str(), "same-name-elsewhere" | "speaks-of-another-server")
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tool => "tool",
            Self::Prompt => "prompt",
            Self::ResourceTemplate => "resource template",
            Self::Instructions => "instructions",
        })
    }
}

impl fmt::Display for Happened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Restored => "restored",
            Self::Disapproved => "unchanged and not approved by the policy",
            Self::Approved => "approved on the device",
            Self::Forgotten => "forgotten on the device",
        })
    }
}
