//! The lines of a machine in a trial: no organisation, no resident, and guards all the same.

use super::lines::{Line, definitions, line, refusal, some_of};
use crate::ago::{ago, moment};
use crate::commands::trials::{Configured, Judged};
use crate::out::Tone;
use crate::pins::Standing;
use contract::record::Record;
use std::path::Path;
use time::OffsetDateTime;

/// What is known of it.
pub(super) struct Seen<'a> {
    /// Never empty. Those that run come first.
    pub trials: &'a [Judged],
    pub configured: &'a [Configured],
    pub last_refusal: Option<&'a Record>,
    pub pins: &'a Standing,
    pub records: &'a Path,
}

pub(super) fn lines(seen: &Seen<'_>, now: OffsetDateTime) -> Vec<Line> {
    let mut lines = vec![
        line(
            "enrolled",
            Tone::Strong,
            "with no organisation: this is a trial, in which each guard judges by a local policy file (unsigned)",
        ),
        guards(seen.trials, now),
        servers(seen.configured),
        line(
            "records",
            Tone::Strong,
            format!("kept in {}, the last ten trials; nothing leaves this machine", seen.records.display()),
        ),
        line("resident", Tone::Faint, "none; a trial needs none"),
        refusal(seen.last_refusal, now),
    ];
    lines.extend(definitions(seen.pins));
    lines.push(next(seen));
    lines.push(line("agent", Tone::Strong, format!("portreeve {}", env!("CARGO_PKG_VERSION"))));
    lines
}

fn guards(trials: &[Judged], now: OffsetDateTime) -> Line {
    let running = trials.iter().filter(|judged| judged.trial.pid.is_some()).count();
    let ended = trials.len() - running;
    let (tone, text) = match (running, ended) {
        (0, ended) => (Tone::Strong, format!("none runs now; {ended} ran")),
        (running, 0) => (Tone::Good, format!("{running} running")),
        (running, ended) => (Tone::Good, format!("{running} running; {ended} ran before")),
    };
    let mut line = line("guards", tone, text);
    // Of those that ended the last ones say enough.
    line.more = some_of(trials, |judged| guard(judged, now));
    line
}

fn guard(judged: &Judged, now: OffsetDateTime) -> String {
    let trial = &judged.trial;
    let (name, counts) = (trial.name(), trial.counts());
    let when = match (trial.pid, trial.last_record_ms) {
        (Some(pid), _) => format!("runs since {}, pid {pid}", ago(moment(trial.since_ms), now)),
        (None, Some(last)) => format!("ended; last record {}", ago(moment(last), now)),
        (None, None) => "ended".to_owned(),
    };
    let record = match &trial.record {
        Some(record) => format!("record {}", record.display()),
        None => "nothing on record yet".to_owned(),
    };
    let trouble = judged.law.trouble.clone().or_else(|| judged.unknown());
    let trouble = trouble.map_or_else(String::new, |trouble| format!("; {trouble}"));
    format!("{name}: {when}; under {}; {counts}; {record}{trouble}", judged.under())
}

fn servers(configured: &[Configured]) -> Line {
    let around: Vec<_> = configured.iter().filter(|it| !it.guarded).collect();
    let guarded = configured.len() - around.len();
    let text = format!("{guarded} of {} in Claude's configurations have a guard in front", configured.len());
    let mut line = line("servers", if around.is_empty() { Tone::Good } else { Tone::Strong }, text);
    line.more = some_of(&around, |it| format!("{}: {}", it.place, it.note));
    line
}

fn next(seen: &Seen<'_>) -> Line {
    let mut line = line(
        "next",
        Tone::Strong,
        "for a whole organisation: the managed profile from your IT department, then `portreeve enroll`",
    );
    let refused = seen.trials.iter().any(|judged| judged.trial.refused + judged.trial.would_be_refused > 0);
    if refused {
        line.more.push("`portreeve explain` says what was refused, by which rule, and why".to_owned());
    }
    if seen.configured.iter().any(|it| !it.guarded) {
        line.more.push(
            "to guard another server here: claude mcp add NAME -- portreeve wrap --policy FILE -- COMMAND ARGS…"
                .to_owned(),
        );
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::trials::Law;
    use crate::trials::Trial;
    use policy::Mode;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);

    fn trial(pid: Option<u32>) -> Judged {
        let now_ms = i64::try_from(NOW.unix_timestamp_nanos() / 1_000_000).unwrap();
        let trial = Trial {
            entry: "files".to_owned(),
            identity: "npm:files".to_owned(),
            policy_file: Some("/p.toml".to_owned()),
            pid,
            since_ms: now_ms - 60_000,
            last_record_ms: Some(now_ms - 3_000),
            record: Some("/r/x.jsonl".into()),
            decided: 3,
            refused: 1,
            would_be_refused: 0,
        };
        let law = Law { mode: Some(Mode::Enforce), catalogue: Some("files".to_owned()), ..Law::default() };
        Judged { trial, law }
    }

    fn said(trials: &[Judged], configured: &[Configured]) -> String {
        let (pins, records) = (Standing::default(), Path::new("/r"));
        let seen = Seen { trials, configured, last_refusal: None, pins: &pins, records };
        let said = lines(&seen, NOW).into_iter();
        let said =
            said.flat_map(|line| std::iter::once(format!("{}: {}", line.label, line.text)).chain(line.more));
        said.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_trial_is_told_as_what_works() {
        let direct = Configured {
            place: "claude-code/user/x".to_owned(),
            guarded: false,
            note: "goes around".to_owned(),
        };
        let said = said(&[trial(Some(7)), trial(None)], &[direct]);
        for part in [
            "enrolled: with no organisation",
            "guards: 1 running; 1 ran before",
            "files (npm:files): runs since 60 s ago, pid 7; under /p.toml (enforce); 3 requests judged, 1 refused; \
             record /r/x.jsonl",
            "ended; last record 3 s ago",
            "servers: 0 of 1 in Claude's configurations",
            "records: kept in /r",
            "`portreeve explain`",
            "claude mcp add NAME",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(!said.contains("everything is refused") && !said.contains("locked"), "{said}");
    }

    #[test]
    fn a_policy_that_changed_or_broke_or_does_not_know_the_server_is_said_so() {
        let with = |law: Law| said(&[Judged { law, ..trial(Some(7)) }], &[]);
        let known =
            || Law { mode: Some(Mode::Enforce), catalogue: Some("files".to_owned()), ..Law::default() };
        assert!(with(Law { changed_since: true, ..known() }).contains("changed since"));
        assert!(
            with(Law { trouble: Some("/p.toml:3:1: no".to_owned()), ..Law::default() })
                .contains("/p.toml:3:1")
        );
        assert!(with(Law { catalogue: None, ..known() }).contains("put its identity, npm:files,"));
        assert!(!with(known()).contains("its identity"));
    }
}
