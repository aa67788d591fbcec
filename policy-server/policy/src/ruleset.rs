//! A document compiled: what every call is judged by.
//!
//! Grants without a condition are answered from an index (server, role and feature, then name); only
//! candidate grants with a condition are shown to Cedar. That the two together say what Cedar alone
//! would say of the whole document is a property test (`tests/oracle.rs`).

mod conditions;
mod explain;
mod index;
mod judge;
mod members;
mod reach;
mod reasons;
mod redactions;
mod settings;

pub use explain::{Considered, Explanation};
pub use settings::{AgentSettings, DefinitionsMode, DefinitionsRule, DoorSettings};

use crate::condition::Condition;
use crate::decision::{Decision, Mode, Request, Verdict};
use crate::document::{Document, Effect, Grant, Place, Server};
use crate::identity::ServerIdentity;
use crate::problem::Problem;
use crate::standing::Standing;
use cedar_policy::PolicySet;
use index::{Catalogue, Index};
use judge::Subject;
use members::Members;
use std::collections::HashSet;
use time::OffsetDateTime;

/// Rule names that no grant can have.
pub(crate) const RESERVED_RULES: [&str; 8] = [
    "default",
    "default-methods",
    "device-revoked",
    "lockdown",
    "member-suspended",
    "policy-expired",
    "redaction",
    "undecidable",
];

/// Compiled rules. There is no `Default`: the only ruleset without a document is [`Ruleset::lockdown`].
pub struct Ruleset {
    law: Law,
    version: u64,
    settings: AgentSettings,
    /// For servers outside the catalogue.
    definitions: DefinitionsRule,
}

enum Law {
    Lockdown(String),
    Document(Box<Compiled>),
}

struct Compiled {
    catalogue: Catalogue,
    members: Members,
    index: Index,
    grants: Vec<Rule>,
    server_modes: Vec<Option<Mode>>,
    definitions: Vec<DefinitionsRule>,
    redactions: Vec<redactions::Scoped>,
    role_modes: Vec<Option<Mode>>,
    mode: Mode,
    contact: Option<String>,
    suspended: HashSet<String>,
    revoked: HashSet<String>,
    expires: Option<OffsetDateTime>,
    source: Source,
}

/// Whose word the rules are, for the sentences that refer to it.
enum Source {
    Organisation,
    File(String),
}

/// A grant without what the index already knows.
struct Rule {
    name: String,
    place: Place,
    effect: Effect,
    reason: Option<String>,
    contact: Option<String>,
    /// Boxed, as most grants have none.
    conditional: Option<Box<Conditional>>,
}

struct Conditional {
    condition: Condition,
    /// The condition as a policy set of its own, so that one candidate costs no copying.
    alone: PolicySet,
}

impl Rule {
    fn condition(&self) -> Option<&Condition> {
        self.conditional.as_ref().map(|conditional| &conditional.condition)
    }
}

impl Ruleset {
    /// Compiles a document for one organisation.
    ///
    /// `version` is the published policy version (0 for a local, unsigned file); `expires` is when
    /// its signatures run out: from then on every decision is a refusal by the rule `policy-expired`.
    ///
    /// # Errors
    /// The faults that only compiling finds (a condition Cedar rejects, for instance).
    pub fn compile(
        document: &Document,
        standing: &Standing,
        version: u64,
        expires: Option<OffsetDateTime>,
    ) -> Result<Self, Vec<Problem>> {
        let mut grants = Vec::with_capacity(document.grants().len());
        let mut problems = Vec::new();
        for grant in document.grants() {
            match rule(grant) {
                Ok(rule) => grants.push(rule),
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let defaults = document.defaults();
        let folded = |names: &std::collections::BTreeSet<String>| {
            names.iter().map(|name| name.trim().to_ascii_lowercase()).collect()
        };
        let compiled = Compiled {
            catalogue: Catalogue::of(document.servers()),
            members: Members::of(document.roles()),
            index: Index::of(document),
            grants,
            server_modes: document.servers().iter().map(|server| server.mode).collect(),
            definitions: settings::definitions(document),
            redactions: redactions::compile(document),
            role_modes: document.roles().iter().map(|role| role.mode).collect(),
            mode: defaults.mode,
            contact: defaults.contact.clone(),
            suspended: folded(&standing.suspended_members),
            revoked: folded(&standing.revoked_devices),
            expires,
            source: Source::Organisation,
        };
        let settings =
            AgentSettings { heal: defaults.heal, hide: defaults.hide, door: document.door().clone() };
        let definitions = DefinitionsRule::bare(defaults.definitions);
        Ok(Self { law: Law::Document(Box::new(compiled)), version, settings, definitions })
    }

    /// The rules of a local file on trial: sentences then speak of that file, and not of an organisation.
    #[must_use]
    pub fn of_file(mut self, path: impl Into<String>) -> Self {
        if let Law::Document(compiled) = &mut self.law {
            compiled.source = Source::File(path.into());
        }
        self
    }

    /// Refuses everything, by the rule `lockdown`, saying why.
    #[must_use]
    pub fn lockdown(why: impl Into<String>) -> Self {
        let door = DoorSettings { enabled: false, https: false };
        let settings = AgentSettings { heal: false, hide: false, door };
        let definitions = DefinitionsRule::bare(DefinitionsMode::Hold);
        Self { law: Law::Lockdown(why.into()), version: 0, settings, definitions }
    }

    /// Total: every request gets an answer, and any error in deciding is a refusal (`undecidable`).
    #[must_use]
    pub fn decide(&self, request: &Request<'_>) -> Decision {
        match &self.law {
            Law::Lockdown(why) => reasons::lockdown(why),
            Law::Document(compiled) => {
                let server = compiled.catalogue.find(request.server);
                compiled.judge(&Subject::of(request, server)).decision
            }
        }
    }

    /// Could this tool (resource, prompt …) be allowed with *some* arguments? Decides whether a list shows it.
    /// `request.arguments` is ignored. In monitor mode everything is visible.
    #[must_use]
    pub fn visible(&self, request: &Request<'_>) -> bool {
        match &self.law {
            Law::Lockdown(_) => false,
            Law::Document(compiled) => {
                let server = compiled.catalogue.find(request.server);
                compiled.visible(&Subject::of(request, server))
            }
        }
    }

    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The catalogue's name for a server, where some `[servers.*]` matches it.
    #[must_use]
    pub fn server_name(&self, server: &ServerIdentity) -> Option<&str> {
        match &self.law {
            Law::Lockdown(_) => None,
            Law::Document(compiled) => {
                compiled.catalogue.find(server).map(|server| compiled.catalogue.name(server))
            }
        }
    }

    /// What holds for the definitions of this server's tools.
    #[must_use]
    pub fn definitions_of(&self, server: &ServerIdentity) -> &DefinitionsRule {
        let Law::Document(compiled) = &self.law else { return &self.definitions };
        compiled.catalogue.find(server).map_or(&self.definitions, |server| &compiled.definitions[server])
    }

    #[must_use]
    pub fn settings(&self) -> &AgentSettings {
        &self.settings
    }
}

/// The name of the server that has this identity.
pub(crate) fn server_among<'a>(servers: &'a [Server], identity: &ServerIdentity) -> Option<&'a str> {
    let server = Catalogue::of(servers).find(identity)?;
    servers.get(server).map(|server| server.name.as_str())
}

fn rule(grant: &Grant) -> Result<Rule, Problem> {
    let conditional = grant.when.as_ref().map(|condition| conditional(grant, condition)).transpose()?;
    Ok(Rule {
        name: grant.name.clone(),
        place: grant.place,
        effect: grant.effect,
        reason: grant.reason.clone(),
        contact: grant.contact.clone(),
        conditional,
    })
}

fn conditional(grant: &Grant, condition: &Condition) -> Result<Box<Conditional>, Problem> {
    match PolicySet::from_policies([condition.policy(&grant.name)]) {
        Ok(alone) => Ok(Box::new(Conditional { condition: condition.clone(), alone })),
        Err(fault) => Err(Problem {
            line: grant.place.line,
            column: grant.place.column,
            message: format!("the condition of grant `{}` does not compile: {fault}", grant.name),
            help: String::new(),
        }),
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Organisation => f.write_str("your organisation's policy"),
            Self::File(path) => f.write_str(path),
        }
    }
}

impl std::fmt::Debug for Ruleset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let law = match &self.law {
            Law::Lockdown(why) => format!("lockdown: {why}"),
            Law::Document(compiled) => format!("{} grants", compiled.grants.len()),
        };
        f.debug_struct("Ruleset").field("version", &self.version).field("law", &law).finish_non_exhaustive()
    }
}

/// A verdict in words the reasons share.
impl Verdict {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Refuse => "refuse",
        }
    }
}
