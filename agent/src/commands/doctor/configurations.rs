//! The clients' configurations: readable, every server behind the guard, and the guard there.

use super::Check;
use crate::clients::{ConfigFile, Home, Shape, parse_config, read_bytes};
use crate::enrolment::read_identity;
use crate::steward::{FileLook, Standing, Steward};
use platform::Layout;
use std::collections::BTreeSet;
use std::path::Path;

const NAME: &str = "configuration";
const APPLY: &str = "portreeve configs apply";
/// Without an organisation nothing is applied.
const ENROL_FIRST: &str = "portreeve enroll && portreeve configs apply";

pub(super) fn checks(layout: &Layout) -> Vec<Check> {
    let apply = if matches!(read_identity(layout), Ok(None)) { ENROL_FIRST } else { APPLY };
    let Some(home) = Home::current() else {
        return vec![Check::failed(NAME, "no home folder is known for this user", "set HOME")];
    };
    let looks = Steward::new(layout, &home).and_then(|steward| steward.look());
    let mut checks = match looks {
        Ok(looks) => looks
            .iter()
            .filter(|look| look.there || look.problem.is_some())
            .map(|look| file(look, apply))
            .collect(),
        Err(error) => vec![Check::failed(NAME, error.to_string(), "let this user read the file")],
    };
    if checks.is_empty() {
        checks.push(Check::skipped(NAME, "no Claude configuration for this user"));
    }
    checks.push(programs(&home, apply));
    checks
}

fn file(look: &FileLook, apply: &str) -> Check {
    let path = look.file.display();
    if let Some(problem) = &look.problem {
        return Check::failed(NAME, problem.to_string(), format!("mend it, then `{apply}`"));
    }
    if let Some(problem) = look.team_problems.first() {
        return Check::failed(NAME, problem.to_string(), format!("mend it, then `{apply}`"));
    }
    let around: Vec<&str> = look
        .rows
        .iter()
        .filter(|row| matches!(row.standing, Standing::Direct | Standing::Altered))
        .map(|row| row.entry.as_str())
        .collect();
    if !around.is_empty() {
        return Check::failed(NAME, format!("{path}: {} not behind the guard", around.join(", ")), apply);
    }
    let governed = look.rows.iter().filter(|row| row.is_governed()).count();
    Check::well(NAME, format!("{path}: {governed} of {} servers behind the guard", look.rows.len()))
}

/// An entry whose guard is gone starts nothing at all.
fn programs(home: &Home, apply: &str) -> Check {
    const NAME: &str = "guard program";
    let ours = std::env::current_exe().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
    let used: BTreeSet<String> = home.config_files().iter().flat_map(|file| guards_of(file, &ours)).collect();
    let missing: Vec<&String> = used.iter().filter(|program| !Path::new(program).is_file()).collect();
    match (missing.first(), used.len()) {
        (Some(program), _) => Check::failed(
            NAME,
            format!("entries start {program}, which is not there"),
            format!("install portreeve there, or `{apply}` to name this one"),
        ),
        (None, 0) => Check::skipped(NAME, "no entry starts one"),
        (None, _) => Check::well(NAME, "every entry's guard is there"),
    }
}

/// What cannot be read was said above.
fn guards_of(file: &ConfigFile, ours: &str) -> Vec<String> {
    let Ok(Some(bytes)) = read_bytes(file.path()) else { return Vec::new() };
    let Ok(text) = parse_config(file.path(), bytes) else { return Vec::new() };
    let Ok(entries) = file.entries(&text, &file.surroundings(), ours) else { return Vec::new() };
    let program = |shape| match shape {
        Shape::Guarded(guarded) => Some(guarded.program),
        Shape::Direct(_) | Shape::Beyond(_) => None,
    };
    entries.all.into_iter().filter_map(|entry| program(entry.shape)).collect()
}
