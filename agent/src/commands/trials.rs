//! What `status` and `doctor` have to know of a trial: its guards, the local policy files as they are now, and
//! which entries of the clients' configurations have a guard in front of them.

use super::about;
use crate::active_policy::{InForce, local};
use crate::ago::moment;
use crate::clients::Home;
use crate::steward::{Standing, Steward};
use crate::trials::{self, Trial};
use platform::Layout;
use policy::{Mode, ServerIdentity};
use serde::Serialize;
use std::path::Path;
use time::OffsetDateTime;

/// A trial, and the file that judges it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Judged {
    #[serde(flatten)]
    pub trial: Trial,
    #[serde(flatten)]
    pub law: Law,
}

/// What the file says now. A guard goes by what it said when the guard started.
#[derive(Debug, Clone, Serialize, Default)]
pub(super) struct Law {
    /// For this server; absent where the file cannot be used.
    pub mode: Option<Mode>,
    /// Its name in the file's catalogue; absent where no `[servers.*]` matches.
    pub catalogue: Option<String>,
    pub changed_since: bool,
    /// Why it cannot be used now.
    pub trouble: Option<String>,
}

/// A command line by which nothing can be started.
#[derive(Debug, thiserror::Error)]
#[error("there is no program `{0}`: mend the server's command line first")]
pub(super) struct NoProgram(pub String);

/// An entry of a client's configuration.
pub(super) struct Configured {
    /// `claude-code/user/files`.
    pub place: String,
    pub guarded: bool,
    pub note: String,
}

/// Empty where this machine is in no trial.
pub(super) fn judged(layout: &Layout) -> Vec<Judged> {
    let law = |trial: &Trial| Some(Law::of(Path::new(trial.policy_file.as_deref()?), trial, layout));
    let judged = |trial: Trial| Judged { law: law(&trial).unwrap_or_default(), trial };
    trials::all(layout).into_iter().map(judged).collect()
}

impl Law {
    fn of(file: &Path, trial: &Trial, layout: &Layout) -> Self {
        let written = file.metadata().and_then(|found| found.modified()).map(OffsetDateTime::from);
        let changed_since = written.is_ok_and(|written| written > moment(trial.since_ms));
        // For whom it judges changes neither the mode nor the name of a server.
        match local(file, "you@localhost", layout) {
            Ok(in_force) => {
                let server = ServerIdentity::from_canonical(trial.identity.clone());
                Self {
                    mode: Some(in_force.ruleset.decide(&about(&in_force, &server)).mode),
                    catalogue: in_force.ruleset.server_name(&server).map(str::to_owned),
                    changed_since,
                    trouble: None,
                }
            }
            Err(error) => Self { changed_since, trouble: Some(error.to_string()), ..Self::default() },
        }
    }
}

impl Judged {
    /// The file, and how it judges this server; in words that follow "under".
    pub fn under(&self) -> String {
        let Some(file) = &self.trial.policy_file else {
            return "a local policy file (not remembered)".to_owned();
        };
        let mode = match self.law.mode {
            Some(Mode::Enforce) => "enforce",
            Some(Mode::Monitor) => "monitor",
            None => "cannot be used now",
        };
        let changed =
            if self.law.changed_since { ", changed since: a guard started anew takes it up" } else { "" };
        format!("{file} ({mode}{changed})")
    }

    /// What comes of it, where no name in the file stands for this server.
    pub fn unknown(&self) -> Option<String> {
        let mode = self.law.mode.filter(|_| self.law.catalogue.is_none())?;
        Some(not_in_catalogue(&self.trial.identity, mode))
    }
}

/// What comes of a server that no `[servers.*]` of the policy matches; `None` where one does.
pub(super) fn unknown_server(in_force: &InForce, server: &ServerIdentity) -> Option<String> {
    if in_force.ruleset.server_name(server).is_some() {
        return None;
    }
    Some(not_in_catalogue(server.as_str(), in_force.ruleset.decide(&about(in_force, server)).mode))
}

fn not_in_catalogue(identity: &str, mode: Mode) -> String {
    let consequence = match mode {
        Mode::Enforce => "every request to it is refused",
        Mode::Monitor => "every request to it is recorded as one that would be refused",
    };
    format!(
        "no [servers.*] of the policy matches this server, so {consequence}; put its identity, {identity}, into the \
         `match` of one"
    )
}

/// Every entry that a client would start or dial; nothing where that cannot be looked at.
pub(super) fn configured(layout: &Layout) -> Vec<Configured> {
    let looks = Home::current().and_then(|home| Steward::new(layout, &home).ok()?.look().ok());
    let mut all = Vec::new();
    for look in looks.iter().flatten() {
        all.extend(look.rows.iter().map(|row| Configured {
            place: format!("{}/{}/{}", look.client.id(), row.scope.id(), row.entry),
            // A guard that was put there by hand is none that the steward wrote.
            guarded: matches!(row.standing, Standing::Governed | Standing::Altered | Standing::Outdated),
            note: match &row.standing {
                Standing::Direct => "goes around the guard".to_owned(),
                other => other.why(),
            },
        }));
    }
    all
}
