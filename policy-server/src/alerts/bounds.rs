//! How much one device may say: a report is anybody's who holds the device's key.

use contract::printable;
use contract::report::{DeviceReport, Finding, Severity};
use std::collections::{BTreeMap, BTreeSet};

/// So many findings of one code are told of one by one; the others by their number.
pub const MOST_OF_A_CODE: usize = 20;
/// More codes than there are.
const MOST_CODES: usize = 40;
const CODE: usize = 64;
const SUBJECT: usize = 512;
const DETAIL: usize = 4096;
/// Stands for all that are not told one by one.
pub const THE_OTHERS: &str = "and others";
/// Where the codes themselves are too many.
pub const FLOODED: &str = "findings-flooded";

/// The report with no more findings, and no longer ones, than somebody can read.
#[must_use]
pub fn bounded(mut report: DeviceReport) -> DeviceReport {
    let mut known = BTreeSet::new();
    let mut by_code: BTreeMap<String, Vec<Finding>> = BTreeMap::new();
    for mut finding in report.findings {
        finding.code = short(&finding.code, CODE);
        finding.subject = short(&finding.subject, SUBJECT);
        finding.detail = short(&finding.detail, DETAIL);
        if known.insert((finding.code.clone(), finding.subject.clone(), finding.healed)) {
            by_code.entry(finding.code.clone()).or_default().push(finding);
        }
    }
    let mut findings = Vec::new();
    let mut beyond = Vec::new();
    for (n, (code, found)) in by_code.into_iter().enumerate() {
        if n < MOST_CODES { findings.extend(of_one_code(code, found)) } else { beyond.extend(found) }
    }
    findings.extend(others(FLOODED.to_owned(), &beyond));
    report.findings = findings;
    report
}

/// The worst first, then by what they are about, so that the same report says the same.
fn of_one_code(code: String, mut found: Vec<Finding>) -> Vec<Finding> {
    found.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.subject.cmp(&b.subject)));
    let rest = found.split_off(found.len().min(MOST_OF_A_CODE));
    found.extend(others(code, &rest));
    found
}

fn others(code: String, rest: &[Finding]) -> Option<Finding> {
    let first = rest.first()?;
    Some(Finding {
        code,
        severity: rest.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Warning),
        subject: THE_OTHERS.to_owned(),
        detail: format!(
            "{} more of this kind on this device; one of them: {}",
            rest.len(),
            short(&first.detail, 400)
        ),
        healed: false,
        since_ms: rest.iter().map(|finding| finding.since_ms).min().unwrap_or_default(),
    })
}

/// One printable line, cut where it is long.
fn short(text: &str, most: usize) -> String {
    let text = &text[..text.floor_char_boundary(most)];
    let mut line = printable::line(text);
    line.truncate(line.floor_char_boundary(most));
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(code: String, subject: String) -> Finding {
        let detail = format!("a sentence about {subject}");
        Finding { code, severity: Severity::Warning, subject, detail, healed: false, since_ms: 1 }
    }

    fn findings(found: Vec<Finding>) -> Vec<Finding> {
        bounded(DeviceReport { findings: found, ..DeviceReport::default() }).findings
    }

    #[test]
    fn a_usual_report_is_left_as_it_is() {
        let found =
            vec![finding("entry-direct".into(), "a".into()), finding("entry-direct".into(), "b".into())];
        assert_eq!(findings(found.clone()), found);
    }

    #[test]
    fn what_is_too_much_is_told_by_its_number() {
        let many = (0..20_000).map(|n| finding("entry-direct".into(), format!("entry-{n:05}"))).collect();
        let left = findings(many);
        assert_eq!(left.len(), MOST_OF_A_CODE + 1);
        let last = left.last().unwrap();
        assert_eq!(last.subject, THE_OTHERS);
        assert!(last.detail.starts_with("19980 more of this kind"), "{}", last.detail);
        let many = (0..20_000).map(|n| finding(format!("code-{n:05}"), "x".into())).collect();
        let left = findings(many);
        assert_eq!(left.len(), MOST_CODES + 1);
        assert_eq!(left.last().unwrap().code, FLOODED);
        let long = findings(vec![finding("c".repeat(1_000_000), "s\u{202e}\n".repeat(1_000_000))]);
        assert!(
            long[0].code.len() <= CODE && long[0].subject.len() <= SUBJECT && !long[0].subject.contains('\n')
        );
    }
}
