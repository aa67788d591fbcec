//! The record taken away together with its chain, and its verification by anybody: no server, no key,
//! no database.
//!
//! One JSON object a line, each log in its order. A record, with its bytes as the device sent them:
//!
//! `{"device":…,"epoch":…,"sequence":2,"previous":HEX,"link":HEX,"received_ms":…,"record":{…}}`
//!
//! where `link` is `SHA-256(previous || bytes of record)`, and after the last record of a log its end:
//!
//! `{"device":…,"epoch":…,"through":2,"head":HEX}`
//!
//! What this cannot show: that somebody who holds the server's disk did not compute a whole log anew.
//! An export (or only a head) that was taken away before shows it.

mod numbers;

pub use numbers::Numbers;

use super::{START, from_hex, link, to_hex};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The most problems that are listed one by one.
const MOST_PROBLEMS: usize = 1000;

/// A line of the export: a record where `record` is there, the end of a log where `head` is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Line {
    #[serde(default)]
    pub device: String,
    #[serde(default)]
    pub epoch: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// The link before; absent where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// When it came, by the server's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_ms: Option<i64>,
    /// What the server finds it by that does not say what the record says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub altered: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// Last, so that its bytes are what is between `"record":` and the last brace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Box<RawValue>>,
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    pub device: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<Uuid>,
    pub what: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.device.is_empty() {
            write!(f, "device {}", self.device)?;
        }
        if let Some(epoch) = self.epoch {
            write!(f, ", log {epoch}")?;
        }
        if let Some(sequence) = self.sequence {
            write!(f, ", record {sequence}")?;
        }
        if let Some(run) = self.run {
            write!(f, ", run {run}")?;
        }
        let colon = if self.device.is_empty() { "" } else { ": " };
        write!(f, "{colon}{}", self.what)
    }
}

/// What a verification came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub records: u64,
    pub devices: u64,
    pub logs: u64,
    pub runs: u64,
    pub problems: Vec<Problem>,
    /// Problems beyond those that are listed.
    pub more_problems: u64,
}

impl Report {
    #[must_use]
    pub fn whole(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Reads an export line by line and remembers what does not hold.
#[derive(Debug, Default)]
pub struct Verifier {
    /// Only a part was taken away: what is not there is no problem, what is there must hold.
    partial: bool,
    lines: u64,
    logs: BTreeMap<(String, Uuid), Log>,
    runs: BTreeMap<Uuid, (String, Numbers)>,
    report: Report,
}

#[derive(Debug)]
struct Log {
    next: u64,
    /// After the last record; `None` where it cannot be known.
    link: Option<[u8; 32]>,
    ended: bool,
}

#[derive(Deserialize)]
struct InRun {
    run: Uuid,
    seq: u64,
}

impl Verifier {
    #[must_use]
    pub fn new(partial: bool) -> Self {
        Self { partial, ..Self::default() }
    }

    /// The next line of the export.
    pub fn take(&mut self, line: &str) {
        self.lines += 1;
        let read: Line = match serde_json::from_str(line) {
            Ok(read) => read,
            Err(error) => return self.unreadable(&error.to_string()),
        };
        match (read.sequence, &read.record, read.through, &read.head) {
            (Some(sequence), Some(record), _, _) => self.record(&read, sequence, record),
            (_, _, Some(through), Some(head)) => self.end(&read, through, head),
            _ => self.unreadable("it is neither a record with its place nor the end of a log"),
        }
    }

    /// What it came to, with the runs.
    #[must_use]
    pub fn finish(mut self) -> Report {
        let open: Vec<_> = self
            .logs
            .iter()
            .filter(|(_, log)| !log.ended)
            .map(|(name, log)| (name.clone(), log.next))
            .collect();
        let runs = std::mem::take(&mut self.runs);
        self.report.runs = runs.len() as u64;
        if !self.partial {
            for ((device, epoch), next) in open {
                let what = "the end of the log is not there: records may be missing after this one";
                self.problem(&device, epoch, Some(next.saturating_sub(1)), what.to_owned());
            }
            for (run, (device, numbers)) in runs {
                if let Some(missing) = numbers.missing() {
                    let what = format!("lacks the numbers {missing}");
                    self.add(Problem { device, epoch: None, sequence: None, run: Some(run), what });
                }
            }
        }
        let devices: BTreeSet<&String> = self.logs.keys().map(|(device, _)| device).collect();
        self.report.devices = devices.len() as u64;
        self.report.logs = self.logs.len() as u64;
        self.report
    }

    fn record(&mut self, line: &Line, sequence: u64, record: &RawValue) {
        self.report.records += 1;
        if let Ok(InRun { run, seq }) = serde_json::from_str(record.get()) {
            let known = self.runs.entry(run).or_insert_with(|| (line.device.clone(), Numbers::default()));
            known.1.add(seq);
        }
        let log = self.log(line);
        let (next, before, ended) = (log.next, log.link, log.ended);
        let mut wrong = Vec::new();
        if ended {
            wrong.push("it stands after the end of the log".to_owned());
        }
        if !self.partial && sequence != next {
            wrong.push(out_of_order(next, sequence));
        }
        let after = judge_link(line, sequence, record, before.filter(|_| sequence == next), &mut wrong);
        if !line.altered.is_empty() {
            wrong.push(format!("the server finds it by another {} than it says", line.altered.join(", ")));
        }
        let log = self.log(line);
        log.next = sequence.saturating_add(1).max(next);
        log.link = after;
        for what in wrong {
            self.problem(&line.device, line.epoch, Some(sequence), what);
        }
    }

    fn end(&mut self, line: &Line, through: u64, head: &str) {
        let log = self.log(line);
        log.ended = true;
        let (last, link) = (log.next - 1, log.link);
        if self.partial {
            return;
        }
        if last < through {
            let what = format!("{} at the end of the log", out_of_order(last + 1, through + 1));
            self.problem(&line.device, line.epoch, Some(last + 1), what);
        } else if last > through {
            let what = format!("the log ends with record {through}, and there are more");
            self.problem(&line.device, line.epoch, Some(last), what);
        } else if link.is_none_or(|link| to_hex(&link) != head) {
            let what = "the last link is not the head of the log".to_owned();
            self.problem(&line.device, line.epoch, Some(last), what);
        }
    }

    fn log(&mut self, line: &Line) -> &mut Log {
        let new = Log { next: 1, link: Some(START), ended: false };
        self.logs.entry((line.device.clone(), line.epoch)).or_insert(new)
    }

    fn unreadable(&mut self, why: &str) {
        let what = format!("line {} is not of a chained export: {why}", self.lines);
        self.add(Problem { device: String::new(), epoch: None, sequence: None, run: None, what });
    }

    fn problem(&mut self, device: &str, epoch: Uuid, sequence: Option<u64>, what: String) {
        self.add(Problem { device: device.to_owned(), epoch: Some(epoch), sequence, run: None, what });
    }

    fn add(&mut self, problem: Problem) {
        if self.report.problems.len() < MOST_PROBLEMS {
            self.report.problems.push(problem);
        } else {
            self.report.more_problems += 1;
        }
    }
}

/// Gives the link after the record. What the line claims is gone on with, so that one change is one
/// problem: the next record has to follow from it.
fn judge_link(
    line: &Line,
    sequence: u64,
    record: &RawValue,
    before: Option<[u8; 32]>,
    wrong: &mut Vec<String>,
) -> Option<[u8; 32]> {
    let mut read = |name: &str, text: &Option<String>| match text.as_deref().map(from_hex) {
        Some(Ok(link)) => Some(link),
        Some(Err(error)) => {
            wrong.push(format!("{name}: {error}"));
            None
        }
        None => None,
    };
    let (previous, claimed) = (read("previous", &line.previous), read("link", &line.link));
    let before = if sequence == 1 { Some(START) } else { before };
    if let (Some(before), Some(previous)) = (before, previous)
        && before != previous
    {
        wrong.push("it does not follow from the record before it".to_owned());
    }
    let computed = before.or(previous).map(|before| link(&before, record.get().as_bytes()));
    if let (Some(computed), Some(claimed)) = (computed, claimed)
        && computed != claimed
    {
        wrong.push("its bytes do not match its link: it was changed".to_owned());
    }
    claimed.or(computed)
}

fn out_of_order(next: u64, sequence: u64) -> String {
    match sequence {
        sequence if sequence < next => "it is there twice, or out of its order".to_owned(),
        sequence if sequence == next + 1 => format!("record {next} is missing"),
        sequence => format!("the records {next}-{} are missing", sequence - 1),
    }
}

#[cfg(test)]
mod tests;
