use super::*;
use crate::record::Batch;

const EPOCH: Uuid = Uuid::from_u128(9);

/// An export of one log with as many records, and its end.
fn export(count: u64) -> Vec<Line> {
    let mut head = START;
    let mut lines: Vec<Line> = (1..=count)
        .map(|sequence| {
            let text = format!(r#"{{"run":"{}", "seq":{sequence}}}"#, Uuid::from_u128(7));
            let record = RawValue::from_string(text).unwrap();
            let previous = to_hex(&head);
            head = link(&head, record.get().as_bytes());
            Line {
                device: "d".to_owned(),
                epoch: EPOCH,
                sequence: Some(sequence),
                previous: Some(previous),
                link: Some(to_hex(&head)),
                received_ms: Some(1),
                record: Some(record),
                ..Line::default()
            }
        })
        .collect();
    lines.push(Line {
        device: "d".to_owned(),
        epoch: EPOCH,
        through: Some(count),
        head: Some(to_hex(&head)),
        ..Line::default()
    });
    lines
}

fn verify(lines: &[Line], partial: bool) -> Report {
    let mut verifier = Verifier::new(partial);
    for line in lines {
        verifier.take(&serde_json::to_string(line).unwrap());
    }
    verifier.finish()
}

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

#[test]
fn whole_export_is_whole_and_counted() {
    let report = verify(&export(5), false);
    assert_eq!(report, Report { records: 5, devices: 1, logs: 1, runs: 1, ..Report::default() });
}

/// By hand, as an outsider would do it with the batch's own rule.
#[test]
fn links_are_those_of_the_wire() {
    let lines = export(3);
    let records = lines.iter().filter_map(|line| line.record.clone()).collect();
    let batch = Batch::chained(EPOCH, 1, START, records).unwrap();
    assert_eq!(lines[3].head.as_deref(), Some(batch.head.as_str()));
}

#[test]
fn every_tampering_is_found_at_its_place() {
    type Tamper = fn(&mut Vec<Line>);
    let cases: [(&str, Tamper, u64, &str); 8] = [
        ("changed", |lines| lines[2].record = Some(raw("{}")), 3, "was changed"),
        (
            "link rewritten too",
            |lines| {
                lines[2].record = Some(raw("{}"));
                let previous = from_hex(lines[2].previous.as_deref().unwrap()).unwrap();
                lines[2].link = Some(to_hex(&link(&previous, b"{}")));
            },
            4,
            "does not follow",
        ),
        ("deleted", |lines| drop(lines.remove(2)), 4, "record 3 is missing"),
        ("first deleted", |lines| drop(lines.remove(0)), 2, "record 1 is missing"),
        ("tail deleted", |lines| drop(lines.drain(3..5)), 4, "4-5 are missing at the end"),
        ("end deleted", |lines| drop(lines.pop()), 5, "the end of the log is not there"),
        ("doubled", |lines| lines.insert(3, lines[2].clone()), 3, "twice"),
        ("head rewritten", |lines| lines[5].head = Some("0".repeat(64)), 5, "not the head"),
    ];
    for (name, tamper, sequence, words) in cases {
        let mut lines = export(5);
        tamper(&mut lines);
        let report = verify(&lines, false);
        let found = report
            .problems
            .iter()
            .any(|problem| problem.sequence == Some(sequence) && problem.what.contains(words));
        assert!(found, "{name}: {:?}", report.problems);
        assert!(
            report
                .problems
                .iter()
                .filter(|problem| problem.epoch.is_some())
                .all(|problem| { problem.device == "d" && problem.epoch == Some(EPOCH) })
        );
    }
}

#[test]
fn hole_in_a_run_is_named_although_the_chain_holds() {
    let mut lines = export(2);
    let previous = from_hex(lines[1].link.as_deref().unwrap()).unwrap();
    let text = format!(r#"{{"run":"{}","seq":5}}"#, Uuid::from_u128(7));
    let head = to_hex(&link(&previous, text.as_bytes()));
    let third = Line {
        sequence: Some(3),
        previous: lines[1].link.clone(),
        link: Some(head.clone()),
        record: Some(raw(&text)),
        ..lines[1].clone()
    };
    lines.insert(2, third);
    (lines[3].through, lines[3].head) = (Some(3), Some(head));
    let problems = verify(&lines, false).problems;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(
        (problems[0].run, problems[0].what.as_str()),
        (Some(Uuid::from_u128(7)), "lacks the numbers 3-4")
    );
}

#[test]
fn part_of_the_record_is_held_to_its_links_only() {
    let lines = export(6);
    let part = [lines[4].clone(), lines[1].clone(), lines[2].clone()];
    assert!(verify(&part, true).whole());
    assert!(!verify(&part, false).whole());
    let mut changed = part;
    changed[0].record = Some(raw("[]"));
    assert_eq!(verify(&changed, true).problems[0].sequence, Some(5));
}

#[test]
fn what_is_no_export_is_said_by_line() {
    let mut verifier = Verifier::new(false);
    verifier.take("nonsense");
    verifier.take(r#"{"kind":"call"}"#);
    let problems = verifier.finish().problems;
    assert!(problems[0].to_string().starts_with("line 1 is not"), "{problems:?}");
    assert!(problems[1].to_string().starts_with("line 2 is not"), "{problems:?}");
}
