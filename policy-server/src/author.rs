//! Authoring: a policy text is checked, tried on recorded calls, and published.

pub mod asked;
pub mod explain;
pub mod preview;

pub use asked::{Asked, NotOne};
pub use explain::{Answer, Question, Unanswered, explain};
pub use preview::{DiffLine, Preview, VerdictChange, preview};

use crate::app::App;
use crate::members::StandingChange;
use crate::publish::SignError;
use crate::store::StoreError;
use policy::{Document, Problem, Ruleset, Standing};
use serde::Serialize;
use std::cmp::Ordering;

/// The largest policy document taken, in bytes.
pub const MAX_POLICY_BYTES: usize = 1024 * 1024;

/// What checking a text found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Everything that keeps it from being published, in document order; empty: it can be.
    pub problems: Vec<Problem>,
    /// What is no fault and yet hardly meant; keeps nothing from being published.
    pub advice: Vec<Problem>,
    /// How many of its own tests ran and passed.
    pub tests: usize,
}

/// Why a version was not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error("the policy has {} problem(s), the first at {}", .0.len(), .0.first().map(ToString::to_string).unwrap_or_default())]
    Problems(Vec<Problem>),
    #[error("version {current} was published in the meantime; look at what it changed, then publish again")]
    Conflict { current: u64 },
    #[error("there is no version {base} to build on: version {current} is the newest")]
    NoSuchBase { base: u64, current: u64 },
    #[error("the policy could not be signed: {0}")]
    Sign(#[from] SignError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the check of the policy was cut short")]
    CutShort,
}

/// Parses, compiles and tests a text.
pub async fn check(text: &str) -> Checked {
    let text = text.to_owned();
    // Compiling can take a while for a large document; the async threads have streams to serve.
    match tokio::task::spawn_blocking(move || check_now(&text)).await {
        Ok(checked) => checked,
        Err(error) => Checked::faulty(vec![fault(&format!("the check failed: {error}"))]),
    }
}

/// [`check`], here and now: for the command line.
#[must_use]
pub fn check_now(text: &str) -> Checked {
    if text.len() > MAX_POLICY_BYTES {
        return Checked::faulty(vec![fault("the document is larger than 1 MiB")]);
    }
    let tested = Document::parse(text).and_then(|document| {
        Ruleset::compile(&document, &Standing::default(), 0, None)?;
        let tests = document.run_tests()?;
        Ok(Checked { problems: Vec::new(), advice: document.advice(), tests })
    });
    tested.unwrap_or_else(Checked::faulty)
}

impl Checked {
    /// Not to be published. Advice waits until the faults are mended.
    #[must_use]
    pub fn faulty(problems: Vec<Problem>) -> Self {
        Self { problems, advice: Vec::new(), tests: 0 }
    }
}

fn fault(message: &str) -> Problem {
    Problem { line: 1, column: 1, message: message.to_owned(), help: String::new() }
}

/// What publishing came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Published {
    /// The version in force.
    pub version: u64,
    /// `false`: the text is the one in force already, and no version was made.
    pub changed: bool,
    /// What is no fault of the text and yet hardly meant.
    #[schema(value_type = Vec<Object>)]
    pub advice: Vec<Problem>,
}

/// Publishes a text as the version after `base`: checked, signed, stored, pushed.
pub async fn publish(
    app: &App,
    by: &str,
    text: &str,
    note: &str,
    base: u64,
) -> Result<Published, PublishError> {
    let checked = check(text).await;
    if !checked.problems.is_empty() {
        return Err(PublishError::Problems(checked.problems));
    }
    let turn = app.publisher.turn().await;
    let current = app.store.current_policy().await?;
    let version = current.as_ref().map_or(0, |now| now.version);
    match version.cmp(&base) {
        Ordering::Less => return Err(PublishError::NoSuchBase { base, current: version }),
        Ordering::Greater => return Err(PublishError::Conflict { current: version }),
        Ordering::Equal if current.as_ref().is_some_and(|now| now.text == text) => {
            return Ok(Published { version, changed: false, advice: checked.advice });
        }
        Ordering::Equal => {}
    }
    let standing = current.map(|now| now.standing).unwrap_or_default();
    turn.publish(app, base, text, &standing, by, note).await?;
    app.store.add_deed(by, "policy-published", &format!("version {}", base + 1), note).await?;
    Ok(Published { version: base + 1, changed: true, advice: checked.advice })
}

/// Publishes the same document with another standing; does nothing where `change` changes nothing.
pub(crate) async fn publish_standing(
    app: &App,
    by: &str,
    note: &str,
    change: impl FnOnce(&mut Standing) -> bool,
) -> Result<StandingChange, PublishError> {
    let turn = app.publisher.turn().await;
    let Some(current) = app.store.current_policy().await? else {
        return Err(PublishError::Conflict { current: 0 });
    };
    let mut standing = current.standing;
    if !change(&mut standing) {
        return Ok(StandingChange { policy_version: current.version, changed: false });
    }
    turn.publish(app, current.version, &current.text, &standing, by, note).await?;
    Ok(StandingChange { policy_version: current.version + 1, changed: true })
}
