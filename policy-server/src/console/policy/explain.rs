//! "What would policy say to this call?" No call is made.

use super::in_force;
use crate::author::{Answer, Question, explain};
use crate::console::frame::{Frame, Place};
use crate::console::mark::Mark;
use crate::console::problem::Problem;
use crate::console::visit::{Visit, page};
use crate::store::policies::PolicyVersion;
use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use policy::{Document, Mode, Outcome};
use serde::Deserialize;

#[derive(Template)]
#[template(path = "explain.html")]
struct ExplainPage {
    frame: Frame,
    version: u64,
    member: String,
    server: String,
    tool: String,
    args: String,
    members: Vec<String>,
    servers: Vec<String>,
    answer: Option<AnswerView>,
    fault: Option<String>,
}

struct AnswerView {
    mark: Mark,
    rule: String,
    line: Option<usize>,
    reason: String,
    contact: Option<String>,
    mode: &'static str,
    catalogue: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    member: String,
    server: String,
    tool: String,
    args: String,
}

pub async fn show(visit: Visit, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let policy = in_force(&visit).await?;
    let document = Document::parse(&policy.text).ok();
    let (answer, fault) = match ask(&asked, &policy, document.as_ref()) {
        None => (None, None),
        Some(Ok(answer)) => (Some(answer), None),
        Some(Err(fault)) => (None, Some(fault)),
    };
    let members = visit.app.store.members().await?;
    page(&ExplainPage {
        frame: visit.frame(Some(Place::Policy)).await?,
        version: policy.version,
        members: members.into_iter().map(|member| member.address).collect(),
        servers: document
            .map(|document| document.servers().iter().map(|server| server.name.clone()).collect())
            .unwrap_or_default(),
        member: asked.member,
        server: asked.server,
        tool: asked.tool,
        args: asked.args,
        answer,
        fault,
    })
}

/// `None` where nothing was asked yet.
fn ask(asked: &Asked, policy: &PolicyVersion, document: Option<&Document>) -> Option<Result<AnswerView, String>> {
    if asked.member.is_empty() && asked.server.is_empty() && asked.tool.is_empty() {
        return None;
    }
    Some(answer(asked, policy, document))
}

fn answer(asked: &Asked, policy: &PolicyVersion, document: Option<&Document>) -> Result<AnswerView, String> {
    let question = Question {
        member: asked.member.trim().to_owned(),
        server: asked.server.trim().to_owned(),
        tool: asked.tool.trim().to_owned(),
        arguments: arguments(&asked.args)?,
        ..Question::default()
    };
    match explain(&policy.text, &policy.standing, policy.version, &question) {
        Ok(answer) => Ok(AnswerView::new(answer, document)),
        Err(problems) => Err(format!(
            "The policy in force cannot be asked: {}.",
            problems.first().map(ToString::to_string).unwrap_or_default()
        )),
    }
}

fn arguments(text: &str) -> Result<Option<serde_json::Value>, String> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    match serde_json::from_str(text) {
        Ok(value @ serde_json::Value::Object(_)) => Ok(Some(value)),
        Ok(_) => Err("The arguments of a call are a JSON object, in curly brackets.".into()),
        Err(error) => Err(format!("The arguments are not JSON: {error}.")),
    }
}

impl AnswerView {
    fn new(answer: Answer, document: Option<&Document>) -> Self {
        let grant = document
            .and_then(|document| document.grants().iter().find(|grant| grant.name == answer.rule));
        Self {
            mark: match answer.outcome {
                Outcome::Allowed => Mark::ok("allowed"),
                Outcome::Refused => Mark::bad("refused"),
                Outcome::WouldRefuse => Mark::warn("would be refused"),
            },
            line: grant.map(|grant| grant.place.line),
            rule: answer.rule,
            reason: answer.reason,
            contact: answer.contact,
            mode: match answer.mode {
                Mode::Monitor => "monitor: recorded and let through",
                Mode::Enforce => "enforce",
            },
            catalogue: answer.server,
        }
    }
}
