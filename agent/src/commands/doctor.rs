//! `portreeve doctor`: looks at one thing after the other, and says the remedy for what is wrong.
//!
//! It changes nothing.

mod configurations;
mod definitions;
mod enrolled;
mod record;
mod resident;
mod servers;
mod trial;

use crate::commands::failing::failing;
use crate::commands::{block_on, trials};
use crate::ipc::ToResident;
use crate::ipc::client::ask;
use crate::out::{Exit, Out, Tone};
use platform::Layout;
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;

/// What came of looking at one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Check {
    name: &'static str,
    standing: Standing,
    /// What was seen.
    detail: String,
    /// What to do about it; a command where one helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Standing {
    Well,
    Failed,
    /// Not ours to look at, or nothing to look at.
    Skipped,
}

impl Check {
    fn well(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, standing: Standing::Well, detail: detail.into(), remedy: None }
    }

    fn skipped(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, standing: Standing::Skipped, detail: detail.into(), remedy: None }
    }

    fn failed(name: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, standing: Standing::Failed, detail: detail.into(), remedy: Some(remedy.into()) }
    }
}

pub fn run(layout: &Layout, out: Out) -> Exit {
    let checks = match block_on(examine(layout)) {
        Ok(checks) => checks,
        Err(error) => {
            out.problem(&error);
            return Exit::Failed;
        }
    };
    for check in &checks {
        say(out, check);
    }
    let failed = checks.iter().filter(|check| check.standing == Standing::Failed).count();
    out.say(match failed {
        0 => out.tone(Tone::Good, "nothing is wrong"),
        1 => out.tone(Tone::Bad, "1 thing is wrong"),
        _ => out.tone(Tone::Bad, format_args!("{failed} things are wrong")),
    });
    out.value(&json!({ "checks": checks, "failed": failed }));
    if failed == 0 { Exit::Done } else { Exit::Problems }
}

async fn examine(layout: &Layout) -> Vec<Check> {
    let tried = trials::judged(layout);
    let mut checks = if tried.is_empty() {
        let asked = ask(layout, &ToResident::Status).await;
        let mut checks = enrolled::checks(layout, asked.is_ok()).await;
        checks.extend(resident::checks(layout, asked));
        checks
    } else {
        trial::checks(&tried)
    };
    checks.extend(record::checks(layout));
    if tried.is_empty() {
        let more = configurations::checks(layout);
        add(&mut checks, more);
    } else {
        checks.push(trial::configurations(&trials::configured(layout)));
    }
    let now = OffsetDateTime::now_utc();
    checks.extend(servers::checks(&failing(layout, now), now));
    checks.extend(definitions::checks(&super::definitions::standing(layout).await));
    checks
}

/// What the resident has found of a file is found by looking at it, too: that is one thing wrong.
fn add(checks: &mut Vec<Check>, more: Vec<Check>) {
    let said: Vec<String> = checks.iter().map(|check| check.detail.clone()).collect();
    checks.extend(more.into_iter().filter(|check| !said.contains(&check.detail)));
}

fn say(out: Out, check: &Check) {
    let mark = match check.standing {
        Standing::Well => out.tone(Tone::Good, "ok  "),
        Standing::Failed => out.tone(Tone::Bad, "BAD "),
        Standing::Skipped => out.tone(Tone::Faint, "-   "),
    };
    out.say(format_args!("{mark} {:<20} {}", check.name, check.detail));
    if let Some(remedy) = &check.remedy {
        out.say(format_args!("     {:<20} {} {remedy}", "", out.tone(Tone::Strong, "do:")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_malformed_file_is_one_thing_wrong() {
        let malformed = "claude_desktop_config.json:1:2: no JSON";
        let mut checks = vec![Check::failed("finding", malformed, "mend the file")];
        let other = Check::failed("configuration", "a.json: x not behind the guard", "apply");
        add(&mut checks, vec![Check::failed("configuration", malformed, "mend it"), other.clone()]);
        assert_eq!(checks.len(), 2);
        assert_eq!(checks[1], other);
    }
}
