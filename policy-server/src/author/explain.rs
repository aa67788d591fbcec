//! What a policy would say to one call, and why.

use super::{Asked, NotOne};
use policy::ruleset::Considered;
use policy::{Document, Mode, Outcome, Problem, Request, Ruleset, ServerIdentity, Standing, Verdict};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// One imagined call, or another use of a server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Question {
    pub member: String,
    #[serde(default)]
    pub device: String,
    #[serde(default)]
    pub client: String,
    /// The catalogue's name of a server, or an identity (`npm:@scope/name`, `https://host/path`).
    pub server: String,
    #[serde(flatten)]
    pub asked: Asked,
    /// The arguments; `null` for none.
    #[serde(default)]
    pub arguments: Option<serde_json::Value>,
}

/// The policy's answer to a [`Question`], with its grounds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    pub outcome: Outcome,
    pub verdict: Verdict,
    pub mode: Mode,
    pub rule: String,
    pub reason: String,
    pub contact: Option<String>,
    /// Line of the grant that decided.
    pub line: Option<usize>,
    /// The catalogue's name of the server, where it has one.
    pub server: Option<String>,
    /// The member's roles.
    pub roles: Vec<String>,
    /// Every grant that speaks of this member, server and feature, in document order.
    pub considered: Vec<Considered>,
    /// The redactions that hold for it, in document order.
    pub redactions: Vec<String>,
}

/// Why a question has no answer.
#[derive(Debug)]
pub enum Unanswered {
    NotOne(NotOne),
    /// Of the text.
    Problems(Vec<Problem>),
}

/// Asks a text, as if it were in force now with this standing.
///
/// # Errors
/// The question is none, or the text has problems.
pub fn explain(
    text: &str,
    standing: &Standing,
    version: u64,
    question: &Question,
) -> Result<Answer, Unanswered> {
    let (feature, name) = question.asked.one().map_err(Unanswered::NotOne)?;
    let document = Document::parse(text).map_err(Unanswered::Problems)?;
    let ruleset = Ruleset::compile(&document, standing, version, None).map_err(Unanswered::Problems)?;
    let server = ServerIdentity::from_canonical(question.server.as_str());
    let request = Request {
        member: &question.member,
        device: &question.device,
        client: &question.client,
        server: &server,
        feature,
        name,
        arguments: question.arguments.as_ref(),
        now: OffsetDateTime::now_utc(),
    };
    // Identities carry their kind before a colon; names of the catalogue have none.
    let explained = if question.server.contains(':') {
        ruleset.explain(&request)
    } else {
        ruleset.explain_named(&question.server, &request)
    };
    let decision = explained.decision;
    Ok(Answer {
        outcome: decision.outcome(),
        verdict: decision.verdict,
        mode: decision.mode,
        rule: decision.rule,
        reason: decision.reason,
        contact: decision.contact,
        line: explained.grant.map(|(_, place)| place.line),
        server: explained.server,
        roles: explained.roles,
        considered: explained.considered,
        redactions: explained.redactions,
    })
}
