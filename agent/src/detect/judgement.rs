//! What a look at the configurations means, given what was there before. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use contract::report::{CoveredServer, Finding, Severity};

use super::memory::{Memory, Noted, Seen};
use crate::clients::Client;
use crate::steward::{Applied, EntryChange, FileLook, Row, Standing};

/// A finding that we put right ourselves is told for so long.
pub const HEALED_IS_TOLD_MS: i64 = 60_000;

/// Stable over time and over restarts: `claude-code/user/github`.
pub fn subject(client: Client, row: &Row) -> String {
    let project = row.project.trim_start_matches(['/', '\\']);
    let parts = [client.id(), row.scope.id(), project, &row.entry];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

/// Of variables that decide what runs, and of those that do not, `entry-steered` tells.
pub fn covered(client: Client, row: &Row) -> CoveredServer {
    CoveredServer {
        client: client.id().to_owned(),
        scope: row.scope.id().to_owned(),
        project: row.project.clone(),
        entry: row.entry.clone(),
        identity: row.identity.clone(),
        governed: row.is_governed(),
        why: row.why(),
    }
}

/// Does a client start or dial it past us?
fn goes_around(standing: &Standing) -> bool {
    match standing {
        Standing::Governed | Standing::Outdated => false,
        Standing::Direct | Standing::Altered => true,
        Standing::LeftAlone(reason) => reason.runs(),
    }
}

/// What the memory of a first start looks like: everything there is known, and what the journal
/// says we governed counts as governed.
pub fn first_memory(looks: &[FileLook], governed: &Journalled) -> Memory {
    let mut memory = Memory { begun: true, ..Memory::default() };
    let applied_before = governed.values().any(|subjects| !subjects.is_empty());
    for look in looks {
        let file = look.file.display().to_string();
        let ours = governed.get(&file).cloned().unwrap_or_default();
        let seen = memory.files.entry(file).or_default();
        for row in look.rows.iter().filter(|row| goes_around(&row.standing)) {
            // Once applied, nothing that can be governed was left direct: it is new, then.
            if !applied_before || matches!(row.standing, Standing::LeftAlone(_)) {
                let (subject, identity) = (subject(look.client, row), row.identity.clone());
                seen.insert(subject, Seen { governed: false, identity });
            }
        }
        seen.extend(
            ours.into_iter().map(|subject| (subject, Seen { governed: true, identity: String::new() })),
        );
    }
    memory
}

/// Subjects by file, as the journal says that they are governed.
pub type Journalled = BTreeMap<String, BTreeSet<String>>;

/// Notes what goes around us now and did not before.
pub fn compare(memory: &mut Memory, looks: &[FileLook], ours: &Journalled, now_ms: i64) {
    for look in looks.iter().filter(|look| look.problem.is_none()) {
        for row in look.rows.iter().filter(|row| goes_around(&row.standing)) {
            compare_row(memory, &look.file, look.client, row, ours, now_ms);
        }
    }
}

/// Notes what came between the look and the putting right, too.
pub fn compare_applied(memory: &mut Memory, applied: &[Applied], ours: &Journalled, now_ms: i64) {
    for file in applied {
        for row in file.changes.iter().filter_map(EntryChange::row_before) {
            compare_row(memory, &file.file, file.client, &row, ours, now_ms);
        }
    }
}

fn compare_row(memory: &mut Memory, file: &Path, client: Client, row: &Row, ours: &Journalled, now_ms: i64) {
    let subject = subject(client, row);
    let file = file.display().to_string();
    let before = memory.files.get(&file).and_then(|seen| seen.get(&subject));
    // A hand that takes the guard off leaves the journal as it is; our own command does not.
    let by_hand =
        row.standing != Standing::Direct || ours.get(&file).is_some_and(|ours| ours.contains(&subject));
    let (code, severity, detail) = match before {
        Some(seen) if seen.governed && by_hand => {
            ("entry-unwrapped", Severity::Critical, sentence("entry-unwrapped", client, row))
        }
        Some(seen) if seen.governed => ("entry-direct", Severity::Warning, given_back(client, row)),
        Some(seen) if seen.identity == row.identity => return,
        _ => ("entry-direct", Severity::Warning, sentence("entry-direct", client, row)),
    };
    note(memory, code, severity, subject, detail, now_ms);
}

fn given_back(client: Client, row: &Row) -> String {
    let (name, place) = (&row.entry, place(client, row));
    let identity = if row.identity.is_empty() { "its server" } else { &row.identity };
    format!("the entry {name:?} ({place}) reaches {identity} directly since `portreeve configs restore`")
}

/// The sentence on an entry that runs and sets variables by which it may run something else.
pub fn steered(client: Client, row: &Row) -> Option<String> {
    let runs = row.standing == Standing::Governed
        || row.standing == Standing::Outdated
        || goes_around(&row.standing);
    (runs && !row.steered_by.is_empty()).then(|| {
        let (name, place) = (&row.entry, place(client, row));
        let identity = if row.identity.is_empty() { "its server" } else { &row.identity };
        format!("the entry {name:?} ({place}) {}; policy judges it as {identity}", row.note())
    })
}

fn place(client: Client, row: &Row) -> String {
    match row.project.as_str() {
        "" => format!("{} scope of {}", row.scope.id(), client.title()),
        project => format!("{} scope of {} in {project}", row.scope.id(), client.title()),
    }
}

fn sentence(code: &str, client: Client, row: &Row) -> String {
    let place = place(client, row);
    let (name, identity) = (&row.entry, if row.identity.is_empty() { "its server" } else { &row.identity });
    match (&row.standing, code) {
        (Standing::Altered, _) => format!(
            "the entry {name:?} ({place}) still names the guard, but its command line was changed by hand; \
             behind it is {identity}"
        ),
        (Standing::LeftAlone(reason), _) => {
            format!("the entry {name:?} ({place}) reaches {identity} without the guard: it {reason}")
        }
        (_, "entry-unwrapped") => {
            format!("the entry {name:?} ({place}) was governed and now reaches {identity} directly")
        }
        _ => format!("the new entry {name:?} ({place}) reaches {identity} without the guard"),
    }
}

fn note(memory: &mut Memory, code: &str, severity: Severity, subject: String, detail: String, now_ms: i64) {
    let known =
        memory.noted.iter_mut().find(|noted| noted.finding.code == code && noted.finding.subject == subject);
    let since_ms = match &known {
        Some(noted) if noted.healed_ms.is_none() => noted.finding.since_ms,
        _ => now_ms,
    };
    let finding = Finding { code: code.to_owned(), severity, subject, detail, healed: false, since_ms };
    let noted = Noted { finding, healed_ms: None };
    match known {
        Some(known) => *known = noted,
        None => memory.noted.push(noted),
    }
}

/// Takes over how everything stands after the healing, and settles what was noted.
pub fn settle(memory: &mut Memory, looks: &[FileLook], now_ms: i64) {
    let mut around = BTreeSet::new();
    let mut governed = BTreeSet::new();
    let mut unclear = BTreeSet::new();
    for look in looks {
        let file = look.file.display().to_string();
        if look.problem.is_some() {
            // It cannot be read now: what was known of it still is.
            unclear.extend(memory.files.get(&file).into_iter().flatten().map(|(subject, _)| subject.clone()));
            continue;
        }
        let known = memory.files.remove(&file).unwrap_or_default();
        let mut seen = BTreeMap::new();
        for row in &look.rows {
            let subject = subject(look.client, row);
            let is_governed = row.standing == Standing::Governed;
            if is_governed {
                governed.insert(subject.clone());
            } else if goes_around(&row.standing) {
                around.insert(subject.clone());
            } else if row.standing != Standing::Outdated {
                continue;
            }
            // What was governed once is missed until it is again.
            let was_governed = known.get(&subject).is_some_and(|seen| seen.governed);
            let identity = row.identity.clone();
            seen.insert(subject, Seen { governed: is_governed || was_governed, identity });
        }
        memory.files.insert(file, seen);
    }
    for noted in memory.noted.iter_mut().filter(|noted| noted.healed_ms.is_none()) {
        if governed.contains(&noted.finding.subject) && !around.contains(&noted.finding.subject) {
            noted.finding.healed = true;
            noted.healed_ms = Some(now_ms);
        }
    }
    memory.noted.retain(|noted| match noted.healed_ms {
        Some(healed) => (0..HEALED_IS_TOLD_MS).contains(&(now_ms - healed)),
        None => around.contains(&noted.finding.subject) || unclear.contains(&noted.finding.subject),
    });
}
