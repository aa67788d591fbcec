//! Editing: check, preview, publish. The draft lives in the form and nowhere else, so nothing half
//! done is ever on the server, and a second admin's publish in between cannot eat it.

use super::history::in_words;
use super::in_force;
use super::lines::{Line, diff};
use crate::author::{self, Checked, PublishError, VerdictChange};
use crate::console::frame::{Frame, Place};
use crate::console::mark::Mark;
use crate::console::problem::Problem;
use crate::console::said::Said;
use crate::console::visit::{Asked, Posted, Visit, page, page_again, see};
use crate::console::when::When;
use crate::console::words::{count, grouped};
use crate::store::policies::PolicyVersion;
use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use policy::Feature;
use serde::Deserialize;
use std::collections::BTreeSet;

/// Rows of the dry run; the most frequent come first.
const EFFECTS: usize = 100;

#[derive(Template)]
#[template(path = "editor.html")]
struct EditorPage {
    frame: Frame,
    /// The version the draft began from.
    base: u64,
    next_version: u64,
    text: String,
    note: String,
    gutter: Vec<GutterLine>,
    restored: Option<u64>,
    outcome: Option<CheckOutcome>,
    preview: Option<PreviewView>,
    conflict: Option<Conflict>,
}

struct GutterLine {
    number: usize,
    fault: bool,
}

struct CheckOutcome {
    problems: Vec<ProblemRow>,
    advice: Vec<ProblemRow>,
    /// `Its 4 tests pass.`
    tests: String,
}

struct ProblemRow {
    line: usize,
    column: usize,
    message: Said,
    help: Said,
    has_help: bool,
}

struct PreviewView {
    changes: Vec<Said>,
    judged: String,
    no_effect: &'static str,
    effects: Vec<Effect>,
    diff: Vec<Line>,
    reach: String,
}

struct Effect {
    was: Mark,
    mark: Mark,
    member: String,
    server: String,
    /// Nothing for a tool, which most are.
    word: &'static str,
    name: String,
    calls: String,
    /// The record of one of them.
    example: String,
    rule: String,
}

struct Conflict {
    version: u64,
    at: When,
    author: String,
}

#[derive(Deserialize)]
pub struct From {
    from: Option<u64>,
}

#[derive(Deserialize)]
pub struct Draft {
    base: u64,
    text: String,
    #[serde(default)]
    note: String,
    /// The version that the author has seen and publishes over, after a conflict.
    over: Option<u64>,
}

impl Draft {
    /// Browsers send text areas with CRLF; a policy document has plain line ends.
    fn tidy(mut self) -> Self {
        self.text = self.text.replace("\r\n", "\n");
        if !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        self.base = self.over.unwrap_or(self.base);
        self
    }
}

pub async fn begin(visit: Visit, Asked(From { from }): Asked<From>) -> Result<Response, Problem> {
    let current = in_force(&visit).await?;
    let text = match from {
        Some(version) => {
            let old = visit.app.store.policy(version).await?;
            old.ok_or(Problem::NotFound("policy of this version"))?.text
        }
        None => current.text,
    };
    let draft = Draft { base: current.version, text, note: String::new(), over: None };
    let mut editor = editor(&visit, draft).await?;
    editor.restored = from.filter(|from| *from != current.version);
    page(&editor)
}

pub async fn check(Posted { visit, fields }: Posted<Draft>) -> Result<Response, Problem> {
    let draft = fields.tidy();
    let checked = author::check(&draft.text).await;
    let mut editor = editor(&visit, draft).await?;
    editor.take(&checked);
    editor.answer()
}

pub async fn preview(Posted { visit, fields }: Posted<Draft>) -> Result<Response, Problem> {
    let draft = fields.tidy();
    let mut editor = previewed(&visit, draft).await?;
    editor.conflict = conflict(&visit, editor.base).await?;
    editor.answer()
}

pub async fn publish(Posted { visit, fields }: Posted<Draft>) -> Result<Response, Problem> {
    let draft = fields.tidy();
    let current = in_force(&visit).await?;
    if current.version == draft.base && current.text == draft.text {
        return Ok(see("/policy?done=unchanged"));
    }
    let published = author::publish(&visit.app, visit.by(), &draft.text, draft.note.trim(), draft.base).await;
    match published {
        Ok(_) => Ok(see("/policy?done=published")),
        Err(PublishError::Problems(problems)) => {
            let mut editor = editor(&visit, draft).await?;
            editor.take(&Checked::faulty(problems));
            editor.answer()
        }
        Err(PublishError::Conflict { .. }) => {
            let mut editor = previewed(&visit, draft).await?;
            editor.conflict = conflict(&visit, editor.base).await?;
            editor.answer()
        }
        Err(error) => Err(error.into()),
    }
}

async fn editor(visit: &Visit, draft: Draft) -> Result<EditorPage, Problem> {
    // A few empty lines more than the text has, to write into without a script that makes room.
    let lines = draft.text.matches('\n').count() + 4;
    Ok(EditorPage {
        frame: visit.frame(Some(Place::Policy)).await?,
        base: draft.base,
        next_version: draft.base + 1,
        text: draft.text,
        note: draft.note,
        gutter: (1..=lines).map(|number| GutterLine { number, fault: false }).collect(),
        restored: None,
        outcome: None,
        preview: None,
        conflict: None,
    })
}

async fn previewed(visit: &Visit, draft: Draft) -> Result<EditorPage, Problem> {
    let current = in_force(visit).await?;
    let preview = author::preview(&visit.app, &draft.text).await?;
    let mut editor = editor(visit, draft).await?;
    let valid = preview.problems.is_empty();
    editor.take(&Checked { problems: preview.problems, advice: preview.advice, tests: preview.tests });
    if valid {
        editor.preview = Some(PreviewView {
            changes: in_words(&current.text, &editor.text),
            judged: format!("the last {} judged again", count(preview.replayed, "call", "calls")),
            no_effect: if preview.replayed == 0 {
                "There are no recorded calls to try it on."
            } else {
                "Every recorded call would be decided as it was."
            },
            effects: preview.changes.into_iter().take(EFFECTS).map(Effect::new).collect(),
            diff: diff(&current.text, &editor.text),
            reach: reach(visit).await?,
        });
    }
    Ok(editor)
}

async fn reach(visit: &Visit) -> Result<String, Problem> {
    let numbers = crate::fleet::overview(&visit.app).await?;
    Ok(match numbers.devices - numbers.dark {
        0 => "No device is connected now; each adopts it when it is.".to_owned(),
        live => format!("{} adopt it within seconds.", count(live, "live device", "live devices")),
    })
}

/// Somebody published after the draft began.
async fn conflict(visit: &Visit, base: u64) -> Result<Option<Conflict>, Problem> {
    let PolicyVersion { version, created_ms, author, .. } = in_force(visit).await?;
    Ok((version != base).then(|| Conflict { version, at: visit.when(created_ms), author }))
}

impl EditorPage {
    fn take(&mut self, checked: &Checked) {
        let faults: BTreeSet<usize> = checked.problems.iter().map(|problem| problem.line).collect();
        for line in &mut self.gutter {
            line.fault = faults.contains(&line.number);
        }
        self.outcome = Some(CheckOutcome {
            tests: match checked.tests {
                0 => "It has no tests of its own.".to_owned(),
                1 => "Its one test passes.".to_owned(),
                n => format!("Its {n} tests pass."),
            },
            problems: checked.problems.iter().map(ProblemRow::new).collect(),
            advice: checked.advice.iter().map(ProblemRow::new).collect(),
        });
    }

    fn answer(&self) -> Result<Response, Problem> {
        if self.conflict.is_some() {
            return Ok((StatusCode::CONFLICT, page(self)?).into_response());
        }
        match &self.outcome {
            Some(outcome) if !outcome.problems.is_empty() => page_again(self),
            _ => page(self),
        }
    }
}

impl ProblemRow {
    fn new(problem: &policy::Problem) -> Self {
        Self {
            line: problem.line,
            column: problem.column,
            message: Said::new(&problem.message),
            help: Said::new(&problem.help),
            has_help: !problem.help.is_empty(),
        }
    }
}

impl Effect {
    fn new(change: VerdictChange) -> Self {
        Self {
            was: Mark::outcome(change.before),
            mark: Mark::outcome(change.after),
            example: change.example.to_string(),
            member: change.member,
            server: change.server,
            word: if change.feature == Feature::Tool { "" } else { change.feature.noun() },
            name: change.name,
            calls: grouped(change.calls as u64),
            rule: change.rule,
        }
    }
}
