//! From what devices record of definitions to alerts: one for each device, server and tool.

use super::{DEFINITION_CHANGED, DEFINITION_POISONED, TOOL_SHADOWED, raise};
use crate::app::App;
use crate::clock;
use crate::store::StoreError;
use crate::store::devices::Device;
use contract::printable;
use contract::record::{Definition, Disapproval, Happened, Record, What};
use contract::report::Severity;
use std::fmt::Write as _;
use time::macros::format_description;

/// The difference and the signs, as long as somebody reads.
const DETAIL: usize = 8 * 1024;
const NAME: usize = 256;
const LET_THROUGH: &str = "It is shown and called all the same: policy only monitors there. Enforced, it waits until somebody approves it.";
const HELD_BY_POLICY: &str =
    "It is held back: not shown and not called until the policy names its fingerprint.";
const HELD_NO_MORE: &str = "It was held back; policy holds it no more.";
const HELD: &str = "It is held back: not shown and not called until somebody approves it.";

/// Raises what these records give reason for. What is no record of a definition is none of ours.
pub async fn tell(app: &App, device: &Device, records: &[&str]) -> Result<(), StoreError> {
    for json in records {
        let Ok(record) = serde_json::from_str::<Record>(json) else { continue };
        let What::Definition(it) = &record.what else { continue };
        let Record { os_user, time_ms, .. } = &record;
        let server = short(&record.server.identity);
        let subject = format!("{server}: {}", short(&it.subject()));
        match it.event {
            // Whoever approved it there is on record; signs of poison stay for somebody else to look at.
            Happened::Approved => {
                no_longer_held(app, device, &subject, &by("approved", os_user, *time_ms)).await?;
                app.store.resolve_alert(&device.id, DEFINITION_CHANGED, &subject).await?;
                continue;
            }
            Happened::Restored => {
                for was in [HELD, LET_THROUGH, HELD_BY_POLICY] {
                    reworded(app, device, &subject, (was, HELD_NO_MORE)).await?;
                }
                app.store.resolve_alert(&device.id, DEFINITION_CHANGED, &subject).await?;
                continue;
            }
            Happened::Forgotten => {
                no_longer_held(app, device, &subject, &by("forgotten", os_user, *time_ms)).await?;
                continue;
            }
            Happened::New | Happened::Changed | Happened::Disapproved => {}
        }
        if it.disapproval.is_none() {
            held_by_policy_no_more(app, device, &subject).await?;
        }
        let let_in = let_in(app, device, &record, it).await?;
        for (code, severity) in alerts(it) {
            if let_in.is_some() && code == DEFINITION_CHANGED {
                continue;
            }
            let detail = detail(code, it, &server, &device.machine.hostname, let_in.as_deref());
            raise(app, device, code, severity, &subject, &detail).await?;
        }
    }
    Ok(())
}

/// A guard that had not heard of the approval tells of what is let in already: who let it in.
async fn let_in(
    app: &App,
    device: &Device,
    sighting: &Record,
    it: &Definition,
) -> Result<Option<String>, StoreError> {
    // What the policy's author decides, nobody on the device lets in.
    if !it.held || it.disapproval.is_some() {
        return Ok(None);
    }
    let last = app.store.approval_before(&device.id, sighting, it).await?;
    let last = last.filter(|last| last.event == "approved" && last.digest == it.digest);
    Ok(last.map(|last| by("approved", &sighting.os_user, last.time_ms)))
}

/// A policy is one for all users of a device: what it does not hold for one, it holds for none.
async fn held_by_policy_no_more(app: &App, device: &Device, subject: &str) -> Result<(), StoreError> {
    if reworded(app, device, subject, (HELD_BY_POLICY, HELD_NO_MORE)).await? {
        app.store.resolve_alert(&device.id, DEFINITION_CHANGED, subject).await?;
    }
    Ok(())
}

/// Does the alert of the change itself say another thing now?
async fn reworded(
    app: &App,
    device: &Device,
    subject: &str,
    (was, is): (&str, &str),
) -> Result<bool, StoreError> {
    let mut of_change = false;
    for code in [DEFINITION_CHANGED, DEFINITION_POISONED, TOOL_SHADOWED] {
        let reworded = app.store.reword_alert(&device.id, code, subject, was, is).await?;
        of_change |= reworded && code == DEFINITION_CHANGED;
    }
    Ok(of_change)
}

/// Whatever stays open says from now on who let it in.
async fn no_longer_held(app: &App, device: &Device, subject: &str, said: &str) -> Result<(), StoreError> {
    for was in [HELD, LET_THROUGH] {
        reworded(app, device, subject, (was, said)).await?;
    }
    Ok(())
}

/// "It was approved on the device by ada at 2026-11-20 08:14:03 UTC."
fn by(what: &str, os_user: &str, time_ms: i64) -> String {
    let user = if os_user.is_empty() { "somebody".to_owned() } else { short(os_user) };
    let at = clock::from_ms(time_ms).and_then(|time| {
        time.format(format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC")).ok()
    });
    format!("It was {what} on the device by {user} at {}.", at.as_deref().unwrap_or("an unknown time"))
}

/// What the policy's author approved is no alert.
fn alerts(it: &Definition) -> Vec<(&'static str, Severity)> {
    if it.approved {
        return Vec::new();
    }
    let unapproved = it.disapproval.is_some() || it.held && it.flags.is_empty();
    let mut found = Vec::new();
    if it.event == Happened::Changed || unapproved {
        found.push((DEFINITION_CHANGED, Severity::Warning));
    }
    if it.is_poisoned() {
        found.push((DEFINITION_POISONED, Severity::Critical));
    }
    if it.shadows() {
        found.push((TOOL_SHADOWED, Severity::Warning));
    }
    found
}

/// A sentence, and below it what differs: a line for each member that is not as it was.
fn detail(code: &str, it: &Definition, server: &str, device: &str, let_in: Option<&str>) -> String {
    let subject = short(&it.subject());
    let what = match (code, it.disapproval) {
        (DEFINITION_POISONED, _) => "looks like an attempt to steer the model",
        (TOOL_SHADOWED, _) => "gets in the way of another server's tool",
        (_, Some(Disapproval::Unlisted)) => "is not among those that the policy approves",
        (_, Some(Disapproval::OtherFingerprint)) => "has another fingerprint than the policy names for it",
        (_, None) if it.event == Happened::New => "is not known there",
        (_, None) => "is not what it was when it was first used there",
    };
    let then = match (let_in, it.held) {
        (Some(who), _) => who,
        (None, true) if it.let_through => LET_THROUGH,
        (None, true) if it.disapproval.is_some() => HELD_BY_POLICY,
        (None, true) => HELD,
        (None, false) => "It is in use; policy reports definitions of this server and does not hold them.",
    };
    let mut text = format!("The definition of {subject} of {server} on {} {what}. {then}", short(device));
    for flag in &it.flags {
        let _ = write!(text, "\n! {} {}: {}", line(&flag.sign), line(&flag.member), line(&flag.excerpt));
    }
    for change in &it.changes {
        let _ = write!(text, "\n{}", line(&change.member));
        for (sign, value) in [('-', &change.was), ('+', &change.is)] {
            if let Some(value) = value {
                let _ = write!(text, "\n  {sign} {}", line(value));
            }
        }
    }
    let _ = write!(text, "\nfingerprint {}", line(&it.digest));
    text.truncate(text.floor_char_boundary(DETAIL));
    text
}

fn line(text: &str) -> String {
    let text = &text[..text.floor_char_boundary(1024)];
    printable::line(text)
}

fn short(text: &str) -> String {
    let mut line = line(text);
    line.truncate(line.floor_char_boundary(NAME));
    line
}
