//! A document compiled: what every call is judged by.

use crate::decision::{Decision, Request};
use crate::document::Document;
use crate::identity::ServerIdentity;
use crate::problem::Problem;
use crate::standing::Standing;
use time::OffsetDateTime;

/// What the agent does, beyond calls, as the document's `[defaults]` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSettings {
    /// Put drifted or new direct entries behind the guard again without being asked.
    pub heal: bool,
    /// Hide refused tools: answer `-32602 Unknown tool` in place of the refusal with its reason.
    pub hide: bool,
}

/// Compiled rules. There is no `Default`: the only ruleset without a document is [`Ruleset::lockdown`].
pub struct Ruleset {}

impl Ruleset {
    /// Compiles a document for one organisation.
    ///
    /// `version` is the published policy version (0 for a local, unsigned file); `expires` is when
    /// its signatures run out: from then on every decision is a refusal by the rule `policy-expired`.
    ///
    /// # Errors
    /// The faults that only compiling finds (a condition Cedar rejects, for instance).
    pub fn compile(
        _document: &Document,
        _standing: &Standing,
        _version: u64,
        _expires: Option<OffsetDateTime>,
    ) -> Result<Self, Vec<Problem>> {
        todo!()
    }

    /// Refuses everything, by the rule `lockdown`, saying why.
    #[must_use]
    pub fn lockdown(_why: impl Into<String>) -> Self {
        todo!()
    }

    /// Total: every request gets an answer, and any error in deciding is a refusal (`undecidable`).
    #[must_use]
    pub fn decide(&self, _request: &Request<'_>) -> Decision {
        todo!()
    }

    /// Could a call of this tool be allowed with *some* arguments? Decides whether `tools/list` shows it.
    /// `request.arguments` is ignored. In monitor mode everything is visible.
    #[must_use]
    pub fn visible(&self, _request: &Request<'_>) -> bool {
        todo!()
    }

    #[must_use]
    pub fn version(&self) -> u64 {
        todo!()
    }

    /// The catalogue's name for a server, where some `[servers.*]` matches it.
    #[must_use]
    pub fn server_name(&self, _server: &ServerIdentity) -> Option<&str> {
        todo!()
    }

    #[must_use]
    pub fn settings(&self) -> &AgentSettings {
        todo!()
    }
}
