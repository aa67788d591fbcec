//! One look at everything: compare with memory, put right, compare again, tell.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use contract::report::{Coverage, Finding, Severity};
use time::OffsetDateTime;

use super::DetectState;
use super::judgement::{self, HEALED_IS_TOLD_MS, Journalled};
use super::memory::{self, Memory};
use crate::clients::{Client, ConfigProblem};
use crate::steward::{FileLook, LeftAlone, Steward, StewardError};

/// A file may be half written when we look; only what stays so is a finding.
const HALF_WRITTEN: Duration = Duration::from_millis(300);
/// When to try again what could not be put right.
const RETRY: Duration = Duration::from_secs(2);
/// When to look again whether Claude Desktop was closed.
const DESKTOP_RETRY: Duration = Duration::from_secs(10);
/// So many healings in a minute are a quarrel with another program.
const QUARREL: usize = 20;

#[derive(Default)]
pub struct Outcome {
    pub state: DetectState,
    /// Folders whose files have a say.
    pub folders: Vec<PathBuf>,
    /// Look again without a sign.
    pub again_in: Option<Duration>,
}

/// All that lasts from one look to the next.
pub struct Rounds {
    steward: Steward,
    memory: Option<Memory>,
    saved: Option<Memory>,
    /// Troubles with whole files, since when.
    troubles: HashMap<(String, String), (Instant, i64)>,
    healings: VecDeque<Instant>,
}

impl Rounds {
    pub fn new(steward: Steward) -> Self {
        let memory = memory::load(&steward);
        Self { saved: memory.clone(), memory, steward, troubles: HashMap::new(), healings: VecDeque::new() }
    }

    /// Does somebody keep undoing what we put right?
    pub fn is_quarrel(&self) -> bool {
        self.healings.len() > QUARREL
    }

    pub fn round(&mut self, heal: bool) -> Outcome {
        let now_ms = now_ms();
        let looks = match self.steward.look() {
            Ok(looks) => looks,
            Err(error) => return self.without_a_look(&error, now_ms),
        };
        let ours = self.governed_by_journal(&looks);
        let mut memory = match self.memory.take() {
            Some(memory) => memory,
            None => judgement::first_memory(&looks, &ours),
        };
        judgement::compare(&mut memory, &looks, &ours, now_ms);
        // Known to the disk before it is put right: a crash in between must not swallow it.
        self.save(&memory);
        let mut troubles = Vec::new();
        let pending = looks.iter().any(|look| !look.changes.is_empty());
        let looks = if heal && pending { self.heal(looks, &mut memory, &ours, &mut troubles) } else { looks };
        // What came while we were at it is as new as what we came for.
        judgement::compare(&mut memory, &looks, &ours, now_ms);
        judgement::settle(&mut memory, &looks, now_ms);
        self.save(&memory);
        troubles.extend(file_troubles(&looks));
        troubles.extend(looks.iter().flat_map(steered_entries));
        let outcome = self.outcome(&memory, &looks, troubles, heal, now_ms);
        self.memory = Some(memory);
        outcome
    }

    fn heal(
        &mut self,
        looks: Vec<FileLook>,
        memory: &mut Memory,
        ours: &Journalled,
        troubles: &mut Vec<Trouble>,
    ) -> Vec<FileLook> {
        match self.steward.apply() {
            Ok(applied) => {
                judgement::compare_applied(memory, &applied, ours, now_ms());
                if applied.iter().any(|file| !file.changes.is_empty()) {
                    self.healings.push_back(Instant::now());
                }
                for file in &applied {
                    if !file.changes.is_empty() {
                        tracing::info!(file = %file.file.display(), entries = file.changes.len(), "configs.applied");
                    }
                    troubles.extend(
                        file.problem
                            .as_ref()
                            .and_then(|problem| Trouble::of(file.client, &file.file, problem)),
                    );
                }
            }
            Err(error) => troubles.push(Trouble::of_ours(&error)),
        }
        let minute_ago = Instant::now().checked_sub(Duration::from_secs(60));
        while self.healings.front().is_some_and(|healed| Some(*healed) < minute_ago) {
            self.healings.pop_front();
        }
        self.steward.look().unwrap_or(looks)
    }

    fn outcome(
        &mut self,
        memory: &Memory,
        looks: &[FileLook],
        troubles: Vec<Trouble>,
        heal: bool,
        now_ms: i64,
    ) -> Outcome {
        let rows =
            looks.iter().flat_map(|look| look.rows.iter().map(|row| judgement::covered(look.client, row)));
        let coverage = Coverage { servers: rows.collect() };
        let mut again = Vec::new();
        let mut findings: Vec<Finding> = memory.noted.iter().map(|noted| noted.finding.clone()).collect();
        findings.extend(self.lasting(troubles, now_ms, &mut again));
        findings.sort_by(|one, other| (&one.code, &one.subject).cmp(&(&other.code, &other.subject)));
        findings.dedup_by(|one, other| (&one.code, &one.subject) == (&other.code, &other.subject));
        for healed in memory.noted.iter().filter_map(|noted| noted.healed_ms) {
            let left = u64::try_from(healed + HEALED_IS_TOLD_MS - now_ms).unwrap_or(0);
            again.push(Duration::from_millis(left + 10));
        }
        if heal {
            let pending = looks.iter().filter(|look| !look.changes.is_empty());
            again.extend(pending.map(|look| match look.client {
                Client::ClaudeCode => RETRY,
                Client::ClaudeDesktop => DESKTOP_RETRY,
            }));
        }
        let folders: BTreeSet<PathBuf> = looks.iter().flat_map(|look| look.folders.clone()).collect();
        Outcome {
            state: DetectState { coverage, findings },
            folders: folders.into_iter().collect(),
            again_in: again.into_iter().min(),
        }
    }

    /// The troubles that were there before, as findings; new ones are looked at again soon.
    fn lasting(&mut self, troubles: Vec<Trouble>, now_ms: i64, again: &mut Vec<Duration>) -> Vec<Finding> {
        let now = Instant::now();
        let mut lasting = HashMap::new();
        let mut findings = Vec::new();
        for trouble in troubles {
            let key = (trouble.code.to_owned(), trouble.subject.clone());
            let since = self.troubles.get(&key).copied().unwrap_or((now, now_ms));
            if trouble.code == "config-malformed" && now.duration_since(since.0) < HALF_WRITTEN {
                again.push(HALF_WRITTEN);
            } else {
                findings.push(trouble.finding(since.1));
            }
            lasting.insert(key, since);
        }
        self.troubles = lasting;
        findings
    }

    fn without_a_look(&mut self, error: &StewardError, now_ms: i64) -> Outcome {
        let mut findings: Vec<Finding> =
            self.memory.iter().flat_map(|memory| &memory.noted).map(|noted| noted.finding.clone()).collect();
        findings.push(Trouble::of_ours(error).finding(now_ms));
        let state = DetectState { coverage: Coverage::default(), findings };
        Outcome { state, folders: Vec::new(), again_in: Some(RETRY) }
    }

    /// What the steward's journal says we governed, by file.
    fn governed_by_journal(&self, looks: &[FileLook]) -> Journalled {
        let clients: HashMap<&Path, Client> =
            looks.iter().map(|look| (look.file.as_path(), look.client)).collect();
        let mut governed = Journalled::new();
        for (file, row) in self.steward.governed_entries() {
            if let Some(client) = clients.get(file.as_path()) {
                let subjects = governed.entry(file.display().to_string()).or_default();
                subjects.insert(judgement::subject(*client, &row));
            }
        }
        governed
    }

    fn save(&mut self, memory: &Memory) {
        if self.saved.as_ref() != Some(memory) {
            memory::save(&self.steward, memory);
            self.saved = Some(memory.clone());
        }
    }
}

/// Something is wrong with a whole file, or with an entry as long as it stands so.
struct Trouble {
    code: &'static str,
    subject: String,
    detail: String,
}

impl Trouble {
    fn of(client: Client, file: &Path, problem: &LeftAlone) -> Option<Self> {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        Some(Self {
            code: problem.code()?,
            subject: format!("{}/{name}", client.id()),
            detail: problem.to_string(),
        })
    }

    fn of_team(problem: &ConfigProblem) -> Self {
        let code = match problem {
            ConfigProblem::Malformed { .. } => "config-malformed",
            _ => "config-unwritable",
        };
        let path = problem.path().display().to_string();
        let subject = format!("{}/project/{}", Client::ClaudeCode.id(), path.trim_start_matches(['/', '\\']));
        Self { code, subject, detail: problem.to_string() }
    }

    fn of_ours(error: &StewardError) -> Self {
        let detail = format!("the steward cannot use its own folder: {error}");
        Self { code: "config-unwritable", subject: "portreeve/steward".to_owned(), detail }
    }

    fn finding(self, since_ms: i64) -> Finding {
        Finding {
            code: self.code.to_owned(),
            severity: Severity::Warning,
            subject: self.subject,
            detail: self.detail,
            healed: false,
            since_ms,
        }
    }
}

fn steered_entries(look: &FileLook) -> impl Iterator<Item = Trouble> {
    look.rows.iter().filter_map(|row| {
        let detail = judgement::steered(look.client, row)?;
        Some(Trouble { code: "entry-steered", subject: judgement::subject(look.client, row), detail })
    })
}

fn file_troubles(looks: &[FileLook]) -> Vec<Trouble> {
    let own = looks.iter().filter_map(|look| Trouble::of(look.client, &look.file, look.problem.as_ref()?));
    let team = looks.iter().flat_map(|look| &look.team_problems).map(Trouble::of_team);
    own.chain(team).collect()
}

fn now_ms() -> i64 {
    i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}
