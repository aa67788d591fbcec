//! `portreeve explain`: the last refusals, from the resident or, where it is away, from this user's disk.

mod contacts;
mod trials;

use crate::ago::{moment, stamp};
use crate::audit::spool;
use crate::cli::ExplainArgs;
use crate::commands::block_on;
use crate::ipc::client::ask;
use crate::ipc::{FromResident, ToResident};
use crate::out::{Exit, Out, Tone};
use crate::resident::sweep;
use contacts::Contacts;
use contract::record::{Record, What};
use platform::Layout;
use policy::Outcome;
use serde::Serialize;
use serde_json::value::RawValue;
use trials::Trials;

/// Arguments longer than this are cut for people; `--json` has them whole.
const SHOWN: usize = 400;

pub fn run(args: &ExplainArgs, layout: &Layout, out: Out) -> Exit {
    let told = block_on(async { (refusals(layout, args.last).await, Contacts::read(layout).await) });
    let (records, contacts) = match told {
        Ok(told) => told,
        Err(error) => {
            out.problem(&error);
            return Exit::Failed;
        }
    };
    let trials = Trials::read(layout);
    let refusals: Vec<_> =
        records.iter().filter_map(|record| Refusal::of(record, &contacts, &trials)).collect();
    if refusals.is_empty() {
        out.say("nothing was refused on this machine, as far as its log goes back");
    }
    for refusal in &refusals {
        say(out, refusal);
    }
    out.value(&refusals);
    Exit::Done
}

pub(super) async fn refusals(layout: &Layout, limit: u32) -> Vec<Record> {
    let recorded = match ask(layout, &ToResident::Refusals { limit }).await {
        Ok(FromResident::Refusals { records }) => records,
        // A system-wide log is the administrator's to read: then only this user's segments are left.
        _ => spool::glance(&layout.spool(), limit)
            .ok()
            .flatten()
            .map_or_else(Vec::new, |glance| glance.refusals),
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut waiting = sweep::waiting(&layout.guard_spool);
    // A trial under a local policy file has no log but its segments.
    waiting.extend(sweep::waiting(&layout.guard_spool.join("trial")));
    sweep::latest_refusals(waiting, recorded, limit)
}

#[derive(Serialize)]
struct Refusal<'a> {
    time: String,
    refused: bool,
    tool: &'a str,
    server: &'a str,
    entry: &'a str,
    arguments: Option<&'a RawValue>,
    rule: &'a str,
    reason: &'a str,
    contact: Option<&'a str>,
    policy_version: u64,
    /// Of a trial, which is under no version.
    policy_file: Option<&'a str>,
    member: &'a str,
    record: uuid::Uuid,
}

impl<'a> Refusal<'a> {
    fn of(record: &'a Record, contacts: &'a Contacts, trials: &'a Trials) -> Option<Self> {
        let What::Call { method, tool, arguments, decision, rule, reason, policy_version, .. } = &record.what
        else {
            return None;
        };
        let trial = trials.of(record.run);
        Some(Self {
            time: stamp(moment(record.time_ms)),
            refused: *decision == Outcome::Refused,
            tool: tool.as_deref().unwrap_or(method),
            server: &record.server.identity,
            entry: &record.server.entry,
            arguments: arguments.as_deref(),
            rule,
            reason,
            contact: trial.map_or(contacts, |trial| &trial.contacts).of(rule),
            policy_version: *policy_version,
            policy_file: trial.map(|trial| trial.file.as_str()),
            member: &record.member,
            record: record.id,
        })
    }
}

fn say(out: Out, refusal: &Refusal<'_>) {
    let word = if refusal.refused { "refused" } else { "would be refused (monitor mode let it through)" };
    let tool = out.tone(Tone::Strong, refusal.tool);
    out.say(format_args!("{}  {tool} on {} was {word}", refusal.time, refusal.server));
    if let Some(arguments) = refusal.arguments {
        out.say(format_args!("    with      {}", cut(arguments.get())));
    }
    out.say(format_args!("    by rule   {} of {}", refusal.rule, policy(refusal)));
    out.say(format_args!("    because   {}", refusal.reason));
    if let Some(contact) = refusal.contact {
        out.say(format_args!("    ask       {contact}"));
    }
}

fn policy(refusal: &Refusal<'_>) -> String {
    match (refusal.policy_file, refusal.policy_version) {
        (Some(file), _) => format!("{file} (a trial, unsigned)"),
        (None, 0) => "no version of a policy (a trial, or none was adopted)".to_owned(),
        (None, version) => format!("policy version {version}"),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}… (--json has it whole)", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_arguments_are_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        let cut = cut(&"ü".repeat(SHOWN + 1));
        assert!(cut.starts_with(&"ü".repeat(SHOWN)) && cut.contains("--json"));
    }
}
