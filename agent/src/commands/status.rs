//! `portreeve status`: ten true lines, or with `--server` how one server stands. From the resident; where it is away from disk, and it says so.
//! In a trial there is neither resident nor organisation: then from what its guards left on disk.

mod lines;
pub mod server;
mod trial;

use crate::commands::failing::{Failing, failing};
use crate::commands::trials::{self, Judged};
use crate::commands::{block_on, definitions, explain};
use crate::ipc::client::ask;
use crate::ipc::{FromResident, ToResident};
use crate::out::{Exit, Out, Tone};
use crate::pins::Standing;
use crate::resident::{Status, from_disk};
use contract::report::Severity;
use lines::{Line, lines};
use platform::Layout;
use serde::Serialize;
use time::OffsetDateTime;

/// What JSON says.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    status: &'a Status,
    /// What this user's servers define, where there is something to say of it.
    definitions: &'a Standing,
    /// Servers of this user's of which nothing comes before they are mended.
    failing: &'a [Failing],
    /// Guards under a local policy file, on a machine without an organisation.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    trials: &'a [Judged],
}

pub fn run(layout: &Layout, out: Out) -> Exit {
    let now = OffsetDateTime::now_utc();
    match block_on(async { (gather(layout).await, definitions::standing(layout).await) }) {
        Ok(((mut status, why_not), definitions)) => {
            let trials = trials::judged(layout);
            let failing = failing(layout, now);
            let mut lines = if trials.is_empty() {
                lines(&status, &definitions, why_not.as_deref(), now)
            } else {
                let refusals = block_on(explain::refusals(layout, 1)).unwrap_or_default();
                status.last_refusal = refusals.into_iter().next();
                trial::lines(
                    &trial::Seen {
                        trials: &trials,
                        configured: &trials::configured(layout),
                        last_refusal: status.last_refusal.as_ref(),
                        pins: &definitions,
                        records: &crate::trials::records(layout),
                    },
                    now,
                )
            };
            // Before the line of our own version, which is the last.
            lines.splice(lines.len() - 1..lines.len() - 1, lines::failing(&failing, now));
            for line in lines {
                print(out, &line);
            }
            out.value(&Told {
                status: &status,
                definitions: &definitions,
                failing: &failing,
                trials: &trials,
            });
            exit(&status, &definitions, &failing, now)
        }
        Err(error) => {
            out.problem(&error);
            Exit::Failed
        }
    }
}

/// The status, and why it is not the resident's, where that is not for its absence.
async fn gather(layout: &Layout) -> (Status, Option<String>) {
    match ask(layout, &ToResident::Status).await {
        Ok(FromResident::Status { status }) => match serde_json::from_value(status) {
            Ok(status) => (status, None),
            Err(error) => {
                (from_disk(layout).await, Some(format!("the resident is of another version ({error})")))
            }
        },
        Ok(_) => (from_disk(layout).await, Some("the resident is of another version".to_owned())),
        Err(error) if error.is_absent() => (from_disk(layout).await, None),
        Err(error) => (from_disk(layout).await, Some(error.to_string())),
    }
}

fn print(out: Out, line: &Line) {
    let label = out.tone(Tone::Faint, format_args!("{:<9}", line.label));
    out.say(format_args!("{label} {}", out.tone(line.tone, &line.text)));
    for more in &line.more {
        out.say(format_args!("          {}", out.tone(Tone::Faint, more)));
    }
}

fn exit(status: &Status, definitions: &Standing, failing: &[Failing], now: OffsetDateTime) -> Exit {
    if status.enrolled.is_none() {
        return Exit::NotEnrolled;
    }
    let expired = status.policy.as_ref().is_none_or(|policy| policy.expires <= now);
    let found = status.findings.iter().any(|finding| !finding.healed && finding.severity > Severity::Info);
    let ended = status.access_ended.is_some();
    let stands = *definitions == Standing::default() && failing.is_empty();
    if status.resident.is_none() || ended || expired || status.policy_refused.is_some() || found || !stands {
        return Exit::Problems;
    }
    Exit::Done
}
