//! From fetched bytes to the policy in force, or to the reason why not.

use crate::enrolment::write_readable;
use contract::bundle::{self, Anchor, MAX_BUNDLE_BYTES, Rejection, Verified};
use contract::report::PolicyRefused;
use platform::Layout;
use platform::files::{self, FileError};
use policy::ruleset::AgentSettings;
use policy::{Document, Mode, Problem, Ruleset, Standing};
use time::OffsetDateTime;

/// What the resident knows of the policy in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    pub version: u64,
    pub since: OffsetDateTime,
    /// From here on everything is refused, until a fresher one arrives.
    pub expires: OffsetDateTime,
    /// What holds where a server or role says nothing else.
    pub mode: Mode,
    pub settings: AgentSettings,
    /// Whose access has ended.
    pub standing: Standing,
    /// Whom the policy tells a refused developer to ask.
    pub contact: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyState {
    pub adopted: Option<Adopted>,
    /// The last bundle that was refused, until a later one is adopted.
    pub refused: Option<PolicyRefused>,
}

impl PolicyState {
    /// 0 for none yet.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.adopted.as_ref().map_or(0, |adopted| adopted.version)
    }
}

/// Why a bundle is not adopted.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Signed rightly, and this agent cannot apply it: it may be older than the policy's author.
    #[error("policy version {version} cannot be applied: {problem}")]
    Unusable { version: u64, problem: Problem },
    #[error("the policy cannot be kept: {0}")]
    Unkept(#[from] FileError),
}

impl Refusal {
    #[must_use]
    pub fn to_report(&self) -> PolicyRefused {
        let code = match self {
            Self::Rejected(rejection) => rejection.code(),
            Self::Unusable { .. } => "unusable",
            Self::Unkept(_) => "store",
        };
        PolicyRefused { code: code.to_owned(), detail: self.to_string() }
    }
}

/// Verifies against everything seen before, compiles, and only then moves the floors and puts it in
/// force, atomically.
///
/// # Errors
/// What was in force still is.
pub async fn adopt(layout: &Layout, anchor: &Anchor, bytes: &[u8]) -> Result<Adopted, Refusal> {
    let passed = bundle::verify(bytes, anchor, &layout.trusted()).await?;
    let adopted = compile(&passed.verified)?;
    passed.keep()?;
    write_readable(layout, &layout.adopted_policy(), bytes)?;
    Ok(adopted)
}

/// The policy that was in force when the resident last ran; `None` where there was none.
///
/// # Errors
/// It lies there and is not to be believed.
pub async fn recall(layout: &Layout, anchor: &Anchor) -> Result<Option<Adopted>, Refusal> {
    let path = layout.adopted_policy();
    let bytes = match files::read_bounded(&path, MAX_BUNDLE_BYTES as u64) {
        Ok(bytes) => bytes,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut adopted = compile(&bundle::verify_again(&bytes, anchor).await?)?;
    if let Ok(written) = std::fs::metadata(&path).and_then(|metadata| metadata.modified()) {
        adopted.since = written.into();
    }
    Ok(Some(adopted))
}

fn compile(verified: &Verified) -> Result<Adopted, Refusal> {
    let unusable = |problems: Vec<Problem>| Refusal::Unusable {
        version: verified.policy_version,
        problem: problems.into_iter().next().unwrap_or_else(|| Problem {
            line: 0,
            column: 0,
            message: "no problem was named".to_owned(),
            help: String::new(),
        }),
    };
    let document = Document::parse(&verified.policy_toml).map_err(unusable)?;
    let ruleset =
        Ruleset::compile(&document, &verified.standing, verified.policy_version, Some(verified.expires))
            .map_err(unusable)?;
    Ok(Adopted {
        version: verified.policy_version,
        since: OffsetDateTime::now_utc(),
        expires: verified.expires,
        mode: document.defaults().mode,
        settings: ruleset.settings().clone(),
        standing: verified.standing.clone(),
        contact: document.defaults().contact.clone(),
    })
}
