//! Verifying the record: an export that is at hand, or what a server sends of its own store.

use super::CliError;
use super::output::Out;
use contract::record::verify::{Report, Verifier};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

/// Needs neither a server nor its folder.
pub fn verify(file: &Path, partial: bool, out: Out) -> Result<(), CliError> {
    let failed = |error| CliError::File(file.to_owned(), error);
    let report = if file == Path::new("-") {
        read(io::stdin().lock(), partial)
    } else {
        File::open(file).and_then(|opened| read(BufReader::new(opened), partial))
    };
    say(&report.map_err(failed)?, out)
}

fn read(lines: impl BufRead, partial: bool) -> io::Result<Report> {
    let mut verifier = Verifier::new(partial);
    for line in lines.split(b'\n') {
        verifier.take(&String::from_utf8_lossy(&line?));
    }
    Ok(verifier.finish())
}

/// Takes what comes piece by piece, line by line.
#[derive(Debug, Default)]
pub struct Pieces {
    verifier: Verifier,
    rest: Vec<u8>,
}

impl Pieces {
    pub fn take(&mut self, piece: &[u8]) {
        let mut parts = piece.split(|byte| *byte == b'\n');
        self.rest.extend_from_slice(parts.next().unwrap_or_default());
        for part in parts {
            self.verifier.take(&String::from_utf8_lossy(&self.rest));
            self.rest = part.to_vec();
        }
    }

    pub fn finish(mut self) -> Report {
        if !self.rest.is_empty() {
            self.verifier.take(&String::from_utf8_lossy(&self.rest));
        }
        self.verifier.finish()
    }
}

/// The problems one by one, the counts last.
pub fn say(report: &Report, out: Out) -> Result<(), CliError> {
    let problems = report.problems.len() as u64 + report.more_problems;
    if out.for_programs {
        out.json(report)?;
    } else {
        for problem in &report.problems {
            out.line(&problem.to_string())?;
        }
        if report.more_problems > 0 {
            out.line(&format!("… and {} more", report.more_problems))?;
        }
        let Report { records, runs, logs, devices, .. } = report;
        let counted = format!("{records} records of {runs} runs in {logs} logs of {devices} devices");
        let verdict = if problems == 0 { "whole: every link holds, nothing is missing" } else { "not whole" };
        out.line(&format!("{counted}: {verdict}"))?;
    }
    if problems == 0 { Ok(()) } else { Err(CliError::Record(problems)) }
}
