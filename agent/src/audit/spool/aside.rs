//! Records that were altered, or taken out, on this disk: found by the log's own links, set aside as
//! evidence, and never linked anew as if they were genuine.
//!
//! Whoever may write the file can also write links that fit; that is the policy server's to notice.

use super::{SpoolError, schema};
use crate::ago::{moment, stamp};
use contract::record::link;
use contract::report::{Finding, Severity};
use rusqlite::{Connection, params};
use uuid::Uuid;

/// A stretch of the log, looked at.
#[derive(Debug, Default)]
pub(super) struct Inspected {
    /// Numbers of the records as they were written.
    pub intact: Vec<i64>,
    pub altered: Vec<u64>,
    /// Numbers that nothing stands under: first and last.
    pub missing: Vec<(u64, u64)>,
}

impl Inspected {
    pub(super) fn is_whole(&self) -> bool {
        self.altered.is_empty() && self.missing.is_empty()
    }
}

/// Looks at every record behind `after`. `before` is the link there; `None` where it is not known any
/// more, and the first record's own has to be believed.
pub(super) fn inspect(
    db: &Connection,
    after: u64,
    before: Option<[u8; 32]>,
) -> Result<Inspected, rusqlite::Error> {
    let mut found = Inspected::default();
    let mut select = db.prepare("SELECT seq, link, json FROM record WHERE seq > ? ORDER BY seq")?;
    let mut rows = select.query([after])?;
    let (mut last, mut previous, mut begun) = (after, before, before.is_some());
    while let Some(row) = rows.next()? {
        let (seq, stored) = (row.get::<_, u64>(0)?, schema::link_at(row, 1)?);
        if begun && seq != last + 1 {
            found.missing.push((last + 1, seq - 1));
            previous = Some([0; 32]);
        }
        let json = row.get_ref(2)?.as_bytes().unwrap_or_default();
        let fits = previous.is_none_or(|previous| link(&previous, json) == stored);
        if fits && serde_json::from_slice::<&serde_json::value::RawValue>(json).is_ok() {
            found.intact.push(seq.cast_signed());
        } else {
            found.altered.push(seq);
        }
        (last, previous, begun) = (seq, Some(stored), true);
    }
    Ok(found)
}

/// Moves what is not as it was written out of the log.
pub(super) fn set_aside(
    db: &Connection,
    epoch: Uuid,
    found: &Inspected,
    now_ms: i64,
) -> Result<Finding, SpoolError> {
    for seq in &found.altered {
        db.prepare_cached("INSERT INTO aside SELECT ?, seq, seq, json, ? FROM record WHERE seq = ?")?
            .execute(params![epoch, now_ms, seq])?;
        db.prepare_cached("DELETE FROM record WHERE seq = ?")?.execute([seq])?;
    }
    for (first, last) in &found.missing {
        db.prepare_cached("INSERT INTO aside VALUES (?, ?, ?, NULL, ?)")?
            .execute(params![epoch, first, last, now_ms])?;
    }
    let finding = finding(epoch, found, now_ms);
    tracing::error!(detail = finding.detail, "spool.tampered");
    Ok(finding)
}

fn finding(epoch: Uuid, found: &Inspected, now_ms: i64) -> Finding {
    let missing: u64 = found.missing.iter().map(|(first, last)| last - first + 1).sum();
    let altered: Vec<(u64, u64)> = found.altered.iter().map(|seq| (*seq, *seq)).collect();
    let of = |count: usize, what: &str, numbers: &[(u64, u64)]| match count {
        0 => None,
        1 => Some(format!("1 record was {what} (number {})", ranges(numbers))),
        _ => Some(format!("{count} records were {what} (numbers {})", ranges(numbers))),
    };
    let count = usize::try_from(missing).unwrap_or(usize::MAX);
    let said: Vec<String> = [of(altered.len(), "altered", &altered), of(count, "removed", &found.missing)]
        .into_iter()
        .flatten()
        .collect();
    Finding {
        code: "spool-tampered".to_owned(),
        severity: Severity::Critical,
        subject: format!("spool/{epoch}"),
        detail: format!(
            "in this device's audit log {} on its own disk, before they reached the policy server; found {}. \
             What is altered is set aside in the log (table `aside`) and is not sent; the rest goes on in a new \
             log",
            said.join(" and "),
            stamp(moment(now_ms))
        ),
        healed: false,
        since_ms: now_ms,
    }
}

/// `3, 7-9`; the first ten of many.
pub fn ranges(numbers: &[(u64, u64)]) -> String {
    const MOST: usize = 10;
    let mut said: Vec<String> = numbers
        .iter()
        .take(MOST)
        .map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") })
        .collect();
    if numbers.len() > MOST {
        said.push("…".to_owned());
    }
    said.join(", ")
}
