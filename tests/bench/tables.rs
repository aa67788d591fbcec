//! The results as Markdown: a table for each way, the targets, and who could not take part.

use crate::contestants::{Role, Way};
use crate::figures::Figure;
use crate::peers::NOT_IN_A_REGISTRY;
use crate::results::{Absent, Results, Row, megabytes};
use serde_json::{Value, json};
use std::fmt::Write;

const HEAD: &str = "\
| added p50, p99 µs | × floor | 100 KB p50, p99 µs | 1 MB p50, p99 µs | calls/s with 1, 8, 64 in flight | of direct \
| start ms | idle, loaded MB | CPU µs |
|---|---|---|---|---|---|---|---|---|";

pub fn markdown(results: &Results) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    for way in Way::ALL {
        if results.of(way).next().is_none() {
            continue;
        }
        let head = HEAD.replacen("|---", "|---|---", 1);
        let _ = writeln!(text, "\n| {} {head}", way.name());
        for row in results.of(way) {
            let _ = writeln!(text, "{}", line(results, row));
        }
    }
    let _ = writeln!(text, "\n{LEGEND}\n");
    let _ = writeln!(text, "| target | measured | beside | asked | |\n|---|---|---|---|---|");
    for verdict in results.verdicts() {
        let met = if verdict.met { "met" } else { "**missed**" };
        let (what, measured) = (&verdict.what, &verdict.measured);
        let _ = writeln!(text, "| {what} | {measured} | {} | {} | {met} |", verdict.baseline, verdict.target);
    }
    let _ = writeln!(text);
    for row in results.rows.iter().filter(|row| row.taken.trouble.is_some()) {
        let trouble = row.taken.trouble.as_deref().unwrap_or_default();
        let _ = writeln!(text, "- {} ({}): {trouble}", row.name, row.way.name());
    }
    for Absent { name, why } in &results.absent {
        let _ = writeln!(text, "- not measured: {name}: {why}");
    }
    let _ = writeln!(text, "- not in any registry, so not measured: {NOT_IN_A_REGISTRY}");
    text
}

const LEGEND: &str = "Added: minus direct of the same round; medians of the rounds. Direct's own line is absolute. 100 B, 100 KB, 1 MB: the \
text of the result. Start: from the start of the process to its answer to `initialize`, minus direct. Memory: what nobody else \
shares; CPU: of what stands in the middle, for each call of 100 B.";

fn line(results: &Results, row: &Row) -> String {
    let direct = row.role == Role::Direct;
    let pair = |p50, p99| {
        if direct {
            format!("({}, {})", micros(row.taken.median(p50)), micros(row.taken.median(p99)))
        } else {
            format!("{}, {}", micros(results.added(row, p50)), micros(results.added(row, p99)))
        }
    };
    let rates = [Figure::Rate1, Figure::Rate8, Figure::Rate64];
    let of_middle = |text: String| if direct { "–".to_owned() } else { text };
    // A server over HTTP runs before anybody dials it.
    let start = if direct {
        format!("({})", number(row.taken.median(Figure::StartMs), 1))
    } else {
        number(results.added(row, Figure::StartMs), 1)
    };
    let memory =
        [Figure::IdleKb, Figure::LoadedKb].map(|figure| number(row.taken.median(figure).map(megabytes), 1));
    let columns = [
        row.name.clone(),
        pair(Figure::SmallP50Us, Figure::SmallP99Us),
        of_middle(number(results.of_floor(row, Figure::SmallP50Us), 1)),
        pair(Figure::LargeP50Us, Figure::LargeP99Us),
        pair(Figure::HugeP50Us, Figure::HugeP99Us),
        rates.map(|figure| thousands(row.taken.median(figure))).join(", "),
        of_middle(rates.map(|figure| number(results.of_direct(row, figure), 2)).join(", ")),
        start,
        of_middle(memory.join(", ")),
        of_middle(micros(row.taken.median(Figure::CpuUs))),
    ];
    format!("| {} |", columns.join(" | "))
}

/// Without digits that noise makes.
fn micros(value: Option<f64>) -> String {
    number(value, usize::from(value.is_none_or(|value| value.abs() < 100.0)))
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
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
        let results =
            Results { rows, nothing_ms: 1.0, copy_and_scan_us: [100.0, 1000.0], idle: None, absent };
        let text = markdown(&results);
        assert!(text.contains("| ≤ 2.0 × (is 2.50 ×) | **missed** |"), "{text}");
        assert!(text.contains("| ≥ 0.5 of direct (is 0.55) | met |"), "{text}");
        assert!(text.contains("| ≥ 2 × (is 2.8 ×) | met |"), "{text}");
        assert!(text.contains("not measured: gone: no such package"), "{text}");
        assert!(!text.contains("HTTP→HTTP"), "{text}");
    }
}
