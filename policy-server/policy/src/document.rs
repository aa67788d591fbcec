//! The policy document as its author writes it: TOML in, checked values out.
//!
//! `parse` reads the shapes, `check` joins the names; what they hand on is complete, so nothing
//! later asks again whether a name exists or a condition is Cedar. The document judges nothing: that
//! is [`crate::Ruleset`].

mod advice;
mod cedar_text;
mod check;
mod diff;
mod excerpt;
mod nearest;
mod parse;
mod place;
mod reader;
mod scope;
mod trial;

pub(crate) use nearest::did_you_mean;
pub use place::Place;
pub use scope::Scope;

use crate::condition::Condition;
use crate::decision::{Feature, Mode, Verdict};
use crate::identity::ServerIdentity;
use crate::matcher::{MemberPattern, ServerMatcher};
use crate::problem::Problem;
use crate::redaction::Redaction;
use crate::ruleset::{DefinitionsMode, DoorSettings};
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// The largest document there is, in bytes, for its author and for every machine that compiles it.
pub const MAX_DOCUMENT_BYTES: usize = 1024 * 1024;

/// A document that parsed: every key known, every name resolved, every condition syntactically Cedar.
#[derive(Debug, Clone)]
pub struct Document {
    defaults: Defaults,
    door: DoorSettings,
    servers: Vec<Server>,
    roles: Vec<Role>,
    grants: Vec<Grant>,
    redactions: Vec<Redaction>,
    tests: Vec<Test>,
}

/// `[defaults]`: what holds where nothing more specific is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaults {
    /// A document that does not say is in monitor mode: adoption first, then least privilege.
    pub mode: Mode,
    pub contact: Option<String>,
    pub heal: bool,
    pub hide: bool,
    /// What happens where a tool's definition is not the one that was approved.
    pub definitions: DefinitionsMode,
}

/// `[servers.NAME]`: one MCP server of the organisation's catalogue.
#[derive(Debug, Clone)]
pub struct Server {
    pub name: String,
    pub place: Place,
    pub matches: Vec<ServerMatcher>,
    pub mode: Option<Mode>,
    pub definitions: Option<DefinitionsMode>,
    /// Tools by name, each with the digest of its approved definition (`sha256:` and 64 digits).
    pub pins: BTreeMap<String, String>,
}

/// `[roles.NAME]`: members who may do the same.
#[derive(Debug, Clone)]
pub struct Role {
    pub name: String,
    pub place: Place,
    pub members: Vec<MemberPattern>,
    pub mode: Option<Mode>,
}

/// One of `[[grants]]`: these roles may (or, with `effect = "deny"`, may never) use this
/// of these servers.
#[derive(Debug, Clone)]
pub struct Grant {
    pub name: String,
    pub place: Place,
    pub roles: Vec<String>,
    pub servers: Vec<String>,
    pub scope: Scope,
    pub when: Option<Condition>,
    pub effect: Effect,
    pub reason: Option<String>,
    pub contact: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Allow,
    /// Wins over every allow.
    Deny,
}

/// One of `[[tests]]`: what the author expects of the document, checked before it is published.
#[derive(Debug, Clone)]
pub struct Test {
    pub place: Place,
    pub member: String,
    /// A name of the catalogue, or a whole identity (`npm:left-pad`).
    pub server: String,
    pub feature: Feature,
    /// The tool's name, the resource's URI …
    pub name: String,
    pub args: Option<serde_json::Value>,
    pub client: String,
    pub device: String,
    /// What `context.now` is; the start of 1970 where the test does not say.
    pub now: OffsetDateTime,
    pub expect: Verdict,
    pub rule: Option<String>,
}

impl Document {
    /// # Errors
    /// All faults found, in document order; never empty.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        parse::document(text, None)
    }

    /// Of a document that was found sound, what it takes to judge calls to one server: a guard's start does
    /// not pay for the grants of all others. Their faults are not found, and the document's tests are not there.
    ///
    /// # Errors
    /// All faults found, in document order; never empty.
    pub fn parse_for(text: &str, server: &ServerIdentity) -> Result<Self, Vec<Problem>> {
        parse::document(text, Some(server))
    }

    /// Runs the document's own `[[tests]]` against its own ruleset.
    ///
    /// # Errors
    /// One problem a failing test, at the test's line, saying expected and got.
    pub fn run_tests(&self) -> Result<usize, Vec<Problem>> {
        trial::run(self)
    }

    /// What is no fault and yet hardly meant: conditions that let more through than they seem to, grants
    /// without effect. In document order, mostly empty; nothing fails for it.
    #[must_use]
    pub fn advice(&self) -> Vec<Problem> {
        advice::of(self)
    }

    /// What publishing `new` in the place of `self` would change, one sentence a change, in words.
    #[must_use]
    pub fn changes_to(&self, new: &Self) -> Vec<String> {
        diff::changes(self, new)
    }

    /// The whole document as Cedar policies, one a grant: what the law says, for reading and for
    /// Cedar's own analysis tools.
    #[must_use]
    pub fn to_cedar(&self) -> String {
        cedar_text::write(self)
    }

    #[must_use]
    pub fn defaults(&self) -> &Defaults {
        &self.defaults
    }

    #[must_use]
    pub fn door(&self) -> &DoorSettings {
        &self.door
    }

    /// In document order, as all that follow.
    #[must_use]
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    #[must_use]
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    #[must_use]
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    #[must_use]
    pub fn redactions(&self) -> &[Redaction] {
        &self.redactions
    }

    #[must_use]
    pub fn tests(&self) -> &[Test] {
        &self.tests
    }
}
