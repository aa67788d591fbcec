//! The ten lines. A pure function of the status and the time.

use crate::ago::{ago, moment, span, stamp};
use crate::commands::enrol_first;
use crate::commands::failing::Failing;
use crate::out::Tone;
use crate::pins::Standing;
use crate::resident::status::{AccessEnded, EnrolledAs, Status};
use contract::record::{Record, What};
use contract::report::{Coverage, Finding, Severity};
use policy::{Mode, Outcome};
use time::OffsetDateTime;

/// The most that is listed below one line.
const MOST: usize = 8;

pub(super) struct Line {
    pub label: &'static str,
    pub tone: Tone,
    pub text: String,
    pub more: Vec<String>,
}

pub(super) fn line(label: &'static str, tone: Tone, text: impl Into<String>) -> Line {
    Line { label, tone, text: text.into(), more: Vec::new() }
}

pub(super) fn lines(
    status: &Status,
    pins: &Standing,
    why_not: Option<&str>,
    now: OffsetDateTime,
) -> Vec<Line> {
    let mut lines = Vec::from_iter(status.access_ended.as_ref().map(access));
    lines.extend([
        enrolled(status.enrolled.as_ref()),
        server(status, now),
        policy(status, now),
        mode(status, now),
        servers(status.coverage.as_ref(), status.enrolled.is_some()),
        log(status),
        resident(status, why_not, now),
        refusal(status.last_refusal.as_ref(), now),
        findings(&status.findings),
    ]);
    lines.extend(definitions(pins));
    lines.push(line("agent", Tone::Strong, format!("portreeve {}", status.agent_version)));
    lines
}

/// Before everything else: nothing below it is of any use to whoever has left.
fn access(ended: &AccessEnded) -> Line {
    let (whose, whom) = (&ended.whose, ended.whom());
    line(
        "access",
        Tone::Bad,
        format!("of {whose} was ended by your organisation; every call is refused; ask {whom}"),
    )
}

fn enrolled(enrolled: Option<&EnrolledAs>) -> Line {
    match enrolled {
        Some(EnrolledAs { member, device, organisation, .. }) => {
            line("enrolled", Tone::Strong, format!("as {member}, device {device} of {organisation}"))
        }
        None => line("enrolled", Tone::Bad, "no; `portreeve enroll` enrols by the managed profile"),
    }
}

fn server(status: &Status, now: OffsetDateTime) -> Line {
    let Some(enrolled) = &status.enrolled else { return line("server", Tone::Faint, "none") };
    let address = enrolled.server.trim_end_matches('/');
    let Some(connection) = &status.connection else {
        return line(
            "server",
            Tone::Strong,
            format!("{address}; the last contact is known to the resident only"),
        );
    };
    let last = connection.last_contact_ms.map(|at| ago(moment(at), now));
    match (&connection.trouble, last) {
        (None, Some(last)) => line("server", Tone::Good, format!("{address}, last contact {last}")),
        (None, None) => line("server", Tone::Warn, format!("{address}, no contact yet")),
        (Some(trouble), last) => {
            let last = last.unwrap_or_else(|| "none since the resident started".to_owned());
            let mut line = line("server", Tone::Warn, format!("{address}, last contact {last}"));
            line.more.push(trouble.clone());
            line
        }
    }
}

fn policy(status: &Status, now: OffsetDateTime) -> Line {
    let mut line = match &status.policy {
        None => line("policy", Tone::Bad, "none in force: everything is refused"),
        Some(policy) if policy.expires <= now => line(
            "policy",
            Tone::Bad,
            format!("version {} ran out {}: everything is refused", policy.version, ago(policy.expires, now)),
        ),
        Some(policy) => line(
            "policy",
            Tone::Good,
            format!(
                "version {}, adopted {}, good for another {}",
                policy.version,
                ago(policy.adopted_at, now),
                span(policy.expires - now)
            ),
        ),
    };
    if let Some(refused) = &status.policy_refused {
        line.tone = Tone::Bad;
        line.more.push(format!("a newer one was refused ({}): {}", refused.code, refused.detail));
    }
    line
}

fn mode(status: &Status, now: OffsetDateTime) -> Line {
    if status.access_ended.is_some() {
        return line("mode", Tone::Bad, "locked: every call is refused");
    }
    match status.policy.as_ref().filter(|policy| policy.expires > now).map(|policy| policy.mode) {
        Some(Mode::Enforce) => line("mode", Tone::Strong, "enforce: what no rule allows is refused"),
        Some(Mode::Monitor) => {
            line("mode", Tone::Warn, "monitor: what no rule allows is recorded and let through")
        }
        None => line("mode", Tone::Bad, "locked: no policy can be applied"),
    }
}

fn servers(coverage: Option<&Coverage>, enrolled: bool) -> Line {
    let Some(Coverage { servers }) = coverage else {
        return line("servers", Tone::Faint, "not readable for this user");
    };
    let direct: Vec<_> = servers.iter().filter(|server| !server.governed).collect();
    let governed = servers.len() - direct.len();
    let tone = if direct.is_empty() { Tone::Good } else { Tone::Warn };
    let mut line = line("servers", tone, format!("{governed} of {} governed", servers.len()));
    line.more = some_of(&direct, |server| {
        let place = if server.project.is_empty() { String::new() } else { format!(" in {}", server.project) };
        let why = if enrolled { server.why.clone() } else { enrol_first(&server.why) };
        format!("{}/{}/{}{place}: {why}", server.client, server.scope, server.entry)
    });
    line
}

fn log(status: &Status) -> Line {
    let Some(depth) = status.spool_depth else {
        return line("records", Tone::Warn, "the log is not readable for this user");
    };
    let tone = if depth + status.waiting_in_segments == 0 { Tone::Good } else { Tone::Strong };
    let with_guards = match status.waiting_in_segments {
        0 => String::new(),
        waiting => format!(", {waiting} with guards, safe on disk"),
    };
    line("records", tone, format!("{depth} on their way to the server{with_guards}"))
}

fn resident(status: &Status, why_not: Option<&str>, now: OffsetDateTime) -> Line {
    match (&status.resident, why_not) {
        (Some(resident), _) => line(
            "resident",
            Tone::Good,
            format!(
                "running since {} ({}), pid {}",
                stamp(resident.since),
                span(now - resident.since),
                resident.pid
            ),
        ),
        (None, Some(why)) => {
            line("resident", Tone::Bad, format!("does not answer ({why}); this is from disk"))
        }
        (None, None) => {
            line("resident", Tone::Bad, "not running; this is from disk. `portreeve run` starts it")
        }
    }
}

pub(super) fn refusal(last: Option<&Record>, now: OffsetDateTime) -> Line {
    let Some(record) = last else { return line("refusal", Tone::Faint, "none") };
    let What::Call { tool, method, rule, reason, decision, .. } = &record.what else {
        return line("refusal", Tone::Faint, "none");
    };
    let what = tool.as_deref().unwrap_or(method);
    let monitored = if *decision == Outcome::WouldRefuse { " (monitor: let through)" } else { "" };
    let when = ago(moment(record.time_ms), now);
    let mut line =
        line("refusal", Tone::Strong, format!("{what} on {}, {when}{monitored}", record.server.identity));
    line.more.push(format!("{rule}: {reason}"));
    line
}

fn findings(findings: &[Finding]) -> Line {
    let open: Vec<_> = findings.iter().filter(|finding| !finding.healed).collect();
    if open.is_empty() {
        return line("findings", Tone::Good, "none");
    }
    let worst = open.iter().map(|finding| finding.severity).max();
    let tone = if worst > Some(Severity::Warning) { Tone::Bad } else { Tone::Warn };
    let mut line = line("findings", tone, format!("{}; `portreeve doctor` says the remedies", open.len()));
    line.more = some_of(&open, |finding| format!("{}: {}", finding.code, finding.detail));
    line
}

/// Only where there is something to say.
pub(super) fn failing(failing: &[Failing], now: OffsetDateTime) -> Option<Line> {
    let first = failing.first()?;
    let what = match failing.len() {
        1 => "1 server does not work".to_owned(),
        count => format!("{count} servers do not work"),
    };
    let text = format!("{what}; `portreeve status --server {}` says more", first.name);
    let mut line = line("failing", Tone::Bad, text);
    line.more = some_of(failing, |it| it.told(now));
    Some(line)
}

/// Only where there is something to say.
pub(super) fn definitions(pins: &Standing) -> Option<Line> {
    let count: usize = pins.held.iter().map(|held| held.definitions.len()).sum();
    let held = match count {
        0 => None,
        1 => Some("1 definition is held back; `portreeve pins diff` shows what changed".to_owned()),
        _ => Some(format!("{count} definitions are held back; `portreeve pins diff` shows what changed")),
    };
    let unreadable = match pins.unreadable.len() {
        0 => None,
        _ => {
            Some("some pins cannot be read, which holds that server back; `portreeve doctor` says the remedy")
        }
    };
    let said: Vec<&str> = held.as_deref().into_iter().chain(unreadable).collect();
    let tone = if unreadable.is_some() { Tone::Bad } else { Tone::Warn };
    let mut line = (!said.is_empty()).then(|| line("pins", tone, said.join("; ")))?;
    line.more = some_of(&pins.held, |held| format!("{}: {}", held.server, held.definitions.join(", ")));
    line.more.extend(some_of(&pins.unreadable, |unreadable| unreadable.why.clone()));
    Some(line)
}

pub(super) fn some_of<T>(all: &[T], say: impl Fn(&T) -> String) -> Vec<String> {
    let mut said: Vec<String> = all.iter().take(MOST).map(say).collect();
    if all.len() > MOST {
        said.push(format!("and {} more; --json lists all", all.len() - MOST));
    }
    said
}

#[cfg(test)]
mod tests;
