//! "What would policy say to this call, and by which line?" No call is made.

use super::in_force;
use crate::console::frame::{Frame, Place};
use crate::console::mark::Mark;
use crate::console::problem::Problem;
use crate::console::visit::{Asked, Visit, page};
use crate::store::policies::PolicyVersion;
use askama::Template;
use axum::response::Response;
use policy::{Document, Explanation, Feature, Mode, Outcome, Request, Ruleset, ServerIdentity};
use serde::Deserialize;
use time::OffsetDateTime;

#[derive(Template)]
#[template(path = "explain.html")]
struct ExplainPage {
    frame: Frame,
    version: u64,
    asked: Question,
    about: Vec<Choice>,
    members: Vec<String>,
    servers: Vec<String>,
    answer: Option<Answer>,
    fault: Option<String>,
}

/// What can be asked about.
struct Choice {
    value: &'static str,
    label: &'static str,
    chosen: bool,
}

struct Answer {
    mark: Mark,
    /// Then reason and contact are not shown: they are for whoever is refused.
    allowed: bool,
    rule: String,
    /// Where the deciding grant stands.
    line: Option<usize>,
    reason: String,
    contact: Option<String>,
    mode: &'static str,
    server: Option<String>,
    roles: Vec<String>,
    /// Every grant that speaks of this member, server and feature.
    considered: Vec<Considered>,
    /// The redactions that hold for it.
    redactions: Vec<String>,
}

struct Considered {
    grant: String,
    line: usize,
    denies: bool,
    when: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Question {
    member: String,
    server: String,
    /// A feature's word; a tool where nothing is said.
    about: String,
    name: String,
    /// As links from before say it.
    tool: String,
    args: String,
}

pub async fn show(visit: Visit, Asked(asked): Asked<Question>) -> Result<Response, Problem> {
    let asked = asked.by_name();
    let policy = in_force(&visit).await?;
    let (answer, fault) = match asked.ask(&policy) {
        _ if asked.nothing() => (None, None),
        Ok(answer) => (Some(answer), None),
        Err(fault) => (None, Some(fault)),
    };
    let members = visit.app.store.members().await?;
    let document = Document::parse(&policy.text);
    page(&ExplainPage {
        frame: visit.frame(Some(Place::Policy)).await?,
        version: policy.version,
        members: members.into_iter().map(|member| member.address).collect(),
        servers: document
            .map(|document| document.servers().iter().map(|server| server.name.clone()).collect())
            .unwrap_or_default(),
        about: asked.choices(),
        asked,
        answer,
        fault,
    })
}

impl Question {
    fn by_name(mut self) -> Self {
        if self.name.is_empty() {
            self.name = std::mem::take(&mut self.tool);
        }
        self
    }

    fn nothing(&self) -> bool {
        self.member.is_empty() && self.server.is_empty() && self.name.is_empty()
    }

    fn feature(&self) -> Feature {
        Feature::ALL.into_iter().find(|feature| feature.word() == self.about).unwrap_or(Feature::Tool)
    }

    fn choices(&self) -> Vec<Choice> {
        let label = |feature| match feature {
            Feature::Tool => "Tool",
            Feature::Resource => "Resource (URI)",
            Feature::Prompt => "Prompt",
            Feature::Client => "What the server asks of the client",
            Feature::Method => "Other method",
        };
        let choice = |feature: Feature| Choice {
            value: feature.word(),
            label: label(feature),
            chosen: feature == self.feature(),
        };
        Feature::ALL.map(choice).into()
    }

    /// # Errors
    /// A sentence saying why it cannot be answered.
    fn ask(&self, policy: &PolicyVersion) -> Result<Answer, String> {
        let cannot = |problems: Vec<policy::Problem>| {
            let first = problems.first().map(ToString::to_string).unwrap_or_default();
            format!("The policy in force cannot be asked: {first}.")
        };
        let arguments = self.arguments()?;
        let document = Document::parse(&policy.text).map_err(cannot)?;
        let rules = Ruleset::compile(&document, &policy.standing, policy.version, None).map_err(cannot)?;
        let name = self.server.trim();
        let request = Request {
            member: self.member.trim(),
            device: "",
            client: "",
            server: &ServerIdentity::from_canonical(name),
            feature: self.feature(),
            name: self.name.trim(),
            arguments: arguments.as_ref(),
            now: OffsetDateTime::now_utc(),
        };
        let in_catalogue = document.servers().iter().any(|server| server.name == name);
        Ok(Answer::new(if in_catalogue {
            rules.explain_named(name, &request)
        } else {
            rules.explain(&request)
        }))
    }

    fn arguments(&self) -> Result<Option<serde_json::Value>, String> {
        if self.args.trim().is_empty() {
            return Ok(None);
        }
        match serde_json::from_str(&self.args) {
            Ok(value @ serde_json::Value::Object(_)) => Ok(Some(value)),
            Ok(_) => Err("The arguments of a call are a JSON object, in curly brackets.".into()),
            Err(error) => Err(format!("The arguments are not JSON: {error}.")),
        }
    }
}

impl Answer {
    fn new(explanation: Explanation) -> Self {
        let decision = explanation.decision;
        let outcome = decision.outcome();
        Self {
            allowed: outcome == Outcome::Allowed,
            mark: Mark::outcome(outcome),
            rule: decision.rule,
            line: explanation.grant.map(|(_, place)| place.line),
            reason: decision.reason,
            contact: decision.contact,
            mode: match decision.mode {
                Mode::Monitor => "monitor: recorded and let through",
                Mode::Enforce => "enforce",
            },
            server: explanation.server,
            roles: explanation.roles,
            redactions: explanation.redactions,
            considered: explanation
                .considered
                .into_iter()
                .map(|grant| Considered {
                    grant: grant.grant,
                    line: grant.line,
                    denies: grant.denies,
                    when: grant.when,
                })
                .collect(),
        }
    }
}
