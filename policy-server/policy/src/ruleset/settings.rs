//! What a document says beyond grants: what the agent does by itself, and what holds for definitions.

use crate::document::Document;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the agent does, beyond calls, as the document's `[defaults]` and `[door]` say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSettings {
    /// Put drifted or new direct entries behind the guard again without being asked.
    pub heal: bool,
    /// Hide refused tools: answer `-32602 Unknown tool` in place of the refusal with its reason.
    pub hide: bool,
    pub door: DoorSettings,
}

/// `[door]`: the resident's HTTP door, for clients that speak only URLs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoorSettings {
    pub enabled: bool,
    /// By HTTPS alone, with a certificate of the machine's own.
    pub https: bool,
}

impl Default for DoorSettings {
    fn default() -> Self {
        Self { enabled: true, https: false }
    }
}

/// What happens where a tool's definition (name, description, schemas, annotations) is not the approved one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DefinitionsMode {
    /// The tool is not shown and not called until somebody approves it.
    Hold,
    /// It is used, and the change reported.
    Report,
    /// Nobody looks.
    Off,
}

/// What holds for the definitions of one server's tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionsRule {
    pub mode: DefinitionsMode,
    /// Digests that the policy's author approved (`sha256:` and 64 digits in lower case), by tool. They beat
    /// what a machine approved when it first saw the tool.
    pub pins: BTreeMap<String, String>,
}

impl DefinitionsRule {
    pub(super) fn bare(mode: DefinitionsMode) -> Self {
        Self { mode, pins: BTreeMap::new() }
    }
}

/// One for each server of the catalogue, in its order.
pub(super) fn definitions(document: &Document) -> Vec<DefinitionsRule> {
    let default = document.defaults().definitions;
    let rule = |server: &crate::document::Server| DefinitionsRule {
        mode: server.definitions.unwrap_or(default),
        pins: server.pins.clone(),
    };
    document.servers().iter().map(rule).collect()
}
