//! The results as Markdown, for whoever pastes them into a page: what it ran on, the targets, two tables for each way,
//! and who did what.

use crate::contestants::{Role, Way};
use crate::figures::Figure;
use crate::peers;
use crate::results::{Absent, Results, Row, megabytes};
use serde_json::{Value, json};
use std::fmt::Write;

const RATES: [Figure; 3] = [Figure::Rate1, Figure::Rate8, Figure::Rate64];

// Writing to a string does not fail.
pub fn markdown(results: &Results) -> String {
    let mut text = format!("{}\n", results.setting.line());
    targets(results, &mut text);
    for way in Way::ALL.into_iter().filter(|way| results.of(*way).next().is_some()) {
        let (name, rows) = (way.name(), || results.of(way));
        let _ = writeln!(
            text,
            "\n| {name}: added µs, p50 / p99 | 100 B | × floor | 100 KB | 1 MB |\n|---|--:|--:|--:|--:|"
        );
        rows().for_each(|row| line(&mut text, row, &latency(results, row)));
        let _ = writeln!(
            text,
            "\n| {name}: with 1 / 8 / 64 in flight | calls a second | of direct | × the best peer | start ms \
             | idle / loaded MB | CPU µs a call |\n|---|--:|--:|--:|--:|--:|--:|"
        );
        rows().for_each(|row| line(&mut text, row, &work(results, row)));
    }
    notes(results, &mut text);
    text
}

fn targets(results: &Results, text: &mut String) {
    let verdicts = results.verdicts();
    if verdicts.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n| target | measured | beside | asked | |\n|---|--:|---|---|---|");
    for verdict in verdicts {
        let met = if verdict.met { "met" } else { "**missed**" };
        let (what, measured) = (&verdict.what, &verdict.measured);
        let _ = writeln!(text, "| {what} | {measured} | {} | {} | {met} |", verdict.baseline, verdict.target);
    }
}

fn line(text: &mut String, row: &Row, columns: &[String]) {
    let _ = writeln!(text, "| {} | {} |", row.name, columns.join(" | "));
}

/// What is added to direct; direct's own line is whole, in brackets.
fn latency(results: &Results, row: &Row) -> Vec<String> {
    let direct = row.role == Role::Direct;
    let pair = |p50, p99| {
        if direct {
            format!("({} / {})", micros(row.taken.median(p50)), micros(row.taken.median(p99)))
        } else {
            format!("{} / {}", micros(results.added(row, p50)), micros(results.added(row, p99)))
        }
    };
    let of_floor = |figure| times(results.of_floor(row, figure));
    vec![
        pair(Figure::SmallP50Us, Figure::SmallP99Us),
        unless(direct, format!("{} / {}", of_floor(Figure::SmallP50Us), of_floor(Figure::SmallP99Us))),
        pair(Figure::LargeP50Us, Figure::LargeP99Us),
        pair(Figure::HugeP50Us, Figure::HugeP99Us),
    ]
}

fn work(results: &Results, row: &Row) -> Vec<String> {
    let direct = row.role == Role::Direct;
    // A server over HTTP runs before anybody dials it.
    let start = if direct {
        format!("({})", number(row.taken.median(Figure::StartMs), 1))
    } else {
        number(results.added(row, Figure::StartMs), 1)
    };
    let memory =
        [Figure::IdleKb, Figure::LoadedKb].map(|figure| number(row.taken.median(figure).map(megabytes), 1));
    let has_peers = RATES.iter().any(|figure| results.best_peer(row.way, *figure).is_some());
    let is_beside_peers = has_peers && !matches!(row.role, Role::Direct | Role::Floor);
    vec![
        RATES.map(|figure| thousands(row.taken.median(figure))).join(" / "),
        unless(direct, RATES.map(|figure| number(results.of_direct(row, figure), 2)).join(" / ")),
        unless(!is_beside_peers, RATES.map(|figure| times(results.of_best_peer(row, figure))).join(" / ")),
        start,
        unless(direct, memory.join(" / ")),
        unless(direct, micros(row.taken.median(Figure::CpuUs))),
    ]
}

fn unless(empty: bool, text: String) -> String {
    if empty { "–".to_owned() } else { text }
}

fn notes(results: &Results, text: &mut String) {
    let _ = writeln!(text, "\n{LEGEND}\n");
    let floors = Way::ALL.into_iter().filter_map(|way| results.find(way, Role::Floor));
    let kept = floors.map(|floor| {
        let kept = RATES.map(|figure| number(results.of_direct(floor, figure), 2)).join(" / ");
        format!("{}: {kept}", floor.way.name())
    });
    let _ = writeln!(
        text,
        "- The floor itself keeps only a share of direct's calls a second ({}): with nothing between, client and server \
         have these {} cores to themselves; whatever stands between takes its part of them, for two more hops a call.",
        kept.collect::<Vec<_>>().join("; "),
        results.setting.cores
    );
    if results.rows.iter().any(|row| row.role == Role::Guard) {
        let _ = writeln!(text, "{OURS}");
    }
    let took_part = |name: &str| results.rows.iter().any(|row| row.name == name);
    for peer in peers::ALL.iter().filter(|peer| took_part(peer.name)) {
        let _ = writeln!(text, "- {}: {}.", peer.name, peer.does);
    }
    for row in results.rows.iter().filter(|row| row.taken.trouble.is_some()) {
        let trouble = row.taken.trouble.as_deref().unwrap_or_default();
        let _ = writeln!(
            text,
            "- {} ({}) failed; what it gave before stands: {trouble}",
            row.name,
            row.way.name()
        );
    }
    for Absent { name, why } in &results.absent {
        let _ = writeln!(text, "- Not measured: {name}: {why}.");
    }
}

const LEGEND: &str = "\
Added: minus direct of the same round; direct's own figures stand in brackets. 100 B, 100 KB, 1 MB: the text of the result. × floor: \
what it adds, as a multiple of what the floor adds. × the best peer: beside the most calls that a peer makes on that way. Start: from \
the start of the process to its answer to `initialize`, minus direct. Memory: what no other process shares, without the server's. CPU: \
of what stands between, its children but not the server.";

const OURS: &str = "\
- portreeve: judges every call by a signed policy of 1,000 grants, and has each record written before the call goes on; in its rows the \
resident and the organisation's policy server run on the same cores and take in every record meanwhile.
- portreeve, no resident: the same guard with nobody to hand its records to; they wait in its own spool.
- Everybody gets the same server, the same client and the same calls, and is warmed by 500 of them; whoever can judge lets `echo` pass.";

/// Without digits that noise makes; what takes long in milliseconds.
fn micros(value: Option<f64>) -> String {
    if let Some(long) = value.filter(|value| value.abs() >= 10_000.0) {
        return format!("{:.0} ms", long / 1000.0);
    }
    number(value, usize::from(value.is_none_or(|value| value.abs() < 100.0)))
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
}

/// A multiple of anything from a hundredth to thousands.
fn times(value: Option<f64>) -> String {
    number(value, value.map_or(0, |value| usize::from(value < 9.5) + usize::from(value < 0.95)))
}

fn thousands(value: Option<f64>) -> String {
    match value {
        Some(rate) if rate >= 10_000.0 => format!("{:.0}k", rate / 1000.0),
        Some(rate) if rate >= 1000.0 => format!("{:.1}k", rate / 1000.0),
        other => number(other, 0),
    }
}

/// Every figure of every round, for whoever looks closer.
pub fn json(results: &Results) -> Value {
    let rows = results.rows.iter().map(|row| {
        json!({
            "name": row.name, "way": row.way.name(), "role": format!("{:?}", row.role).to_lowercase(),
            "rounds": row.taken.rounds, "trouble": row.taken.trouble,
        })
    });
    let verdicts = results.verdicts().into_iter().map(|verdict| {
        json!({
            "what": verdict.what, "measured": verdict.measured, "baseline": verdict.baseline,
            "target": verdict.target, "met": verdict.met,
        })
    });
    json!({
        "setting": results.setting,
        "contestants": rows.collect::<Vec<_>>(),
        "start_of_nothing_ms": results.nothing_ms,
        "copy_and_scan_us": results.copy_and_scan_us,
        "idle": results.idle,
        "targets": verdicts.collect::<Vec<_>>(),
        "absent": results.absent,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{Sample, Taken};
    use crate::setting::Setting;

    fn row(name: &str, role: Role, p50: f64, rate: f64) -> Row {
        let sample = Sample::from([(Figure::SmallP50Us, p50), (Figure::Rate64, rate)]);
        let taken = Taken { rounds: vec![sample], trouble: None };
        Row { name: name.to_owned(), way: Way::StdioToStdio, role, taken }
    }

    #[test]
    fn a_missed_target_is_said_plainly_and_a_peer_that_is_not_there_is_named() {
        let rows = vec![
            row("direct", Role::Direct, 10.0, 100_000.0),
            row("floor", Role::Floor, 20.0, 60_000.0),
            row("guard", Role::Guard, 35.0, 55_000.0),
            row("peer", Role::Peer, 90.0, 20_000.0),
        ];
        let absent = vec![Absent { name: "gone".to_owned(), why: "no such package".to_owned() }];
        let setting = Setting::of(1, 7);
        let results =
            Results { setting, rows, nothing_ms: 1.0, copy_and_scan_us: [100.0, 1000.0], idle: None, absent };
        let text = markdown(&results);
        assert!(text.contains("| ≤ 2.0 × (is 2.50 ×) | **missed** |"), "{text}");
        assert!(text.contains("| ≥ 0.5 of direct (is 0.55) | met |"), "{text}");
        assert!(text.contains("| ≥ 2 × (is 2.8 ×) | met |"), "{text}");
        assert!(text.contains("- Not measured: gone: no such package."), "{text}");
        assert!(text.contains("| – / – / 55k | – / – / 0.55 | – / – / 2.8 |"), "{text}");
        assert!(text.contains("| 25.0 / – | 2.5 / – |"), "{text}");
        assert!(!text.contains("HTTP→HTTP"), "{text}");
    }
}
