//! The tables of the log, opening them, and reading them without being their writer.

use super::{SpoolError, aside};
use contract::record::Record;
use contract::report::Finding;
use platform::files;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row, params};
use std::path::{Path, PathBuf};
use std::time::Duration;
use uuid::Uuid;

/// Bumped with every change of the tables; `PRAGMA user_version`.
const VERSION: i64 = 2;

const TABLES: &str = "
CREATE TABLE log (
    epoch BLOB NOT NULL,          -- a new one with every enrolment
    device TEXT NOT NULL,         -- whose log it is; empty before the first owner
    durable INTEGER NOT NULL,     -- the server has every record up to here
    durable_link BLOB NOT NULL    -- the chain's link at `durable`
) STRICT;
CREATE TABLE record (
    seq INTEGER PRIMARY KEY,      -- counts from 1 in the epoch
    id BLOB NOT NULL UNIQUE,
    run BLOB NOT NULL,
    run_seq INTEGER NOT NULL,
    link BLOB NOT NULL,
    json TEXT NOT NULL            -- the bytes that are linked and sent
) STRICT;
CREATE INDEX record_of_run ON record (run, run_seq);
CREATE TABLE run (
    id BLOB PRIMARY KEY,
    through INTEGER NOT NULL,     -- every record of the run up to here was taken
    touched_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE refusal (json TEXT NOT NULL) STRICT;
";

/// From version 1 to 2.
const SECOND: &str = "
ALTER TABLE run ADD COLUMN life TEXT;   -- what is needed to close the run's record for it
CREATE TABLE aside (
    epoch BLOB NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    json TEXT,                          -- as it was found; none where the record is gone
    found_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE noted (
    code TEXT NOT NULL,
    subject TEXT NOT NULL,
    json TEXT NOT NULL,                 -- a finding, kept over a restart
    since_ms INTEGER NOT NULL,
    PRIMARY KEY (code, subject)
) STRICT;
";

/// The most findings that are told of.
const MOST_NOTED: u32 = 50;

/// Where the log stands.
pub(super) struct Stand {
    pub epoch: Uuid,
    pub device: String,
    pub head: (u64, [u8; 32]),
    pub durable: (u64, [u8; 32]),
}

/// Opens for writing; a damaged file is set aside and the sentence says where.
pub(super) fn open(path: &Path) -> Result<(Connection, Option<String>), SpoolError> {
    close_to_others(path)?;
    match open_writable(path) {
        Ok(db) => Ok((db, None)),
        Err(source) if is_damaged(&source) => {
            let aside = set_aside(path)?;
            close_to_others(path)?;
            let db = open_writable(path).map_err(|source| unopened(path, source))?;
            let said =
                format!("{} was damaged ({source}) and was set aside as {}", path.display(), aside.display());
            Ok((db, Some(said)))
        }
        Err(source) => Err(unopened(path, source)),
    }
}

/// The log holds everybody's arguments. SQLite gives its journals the mode of the database.
fn close_to_others(path: &Path) -> Result<(), SpoolError> {
    files::make_private(path)?;
    for journal in ["-wal", "-shm"] {
        files::tighten(&suffixed(path, journal))?;
    }
    Ok(())
}

fn open_writable(path: &Path) -> Result<Connection, rusqlite::Error> {
    let mut db = Connection::open(path)?;
    db.busy_timeout(Duration::from_secs(5))?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version < VERSION {
        let tx = db.transaction()?;
        if version == 0 {
            tx.execute_batch(TABLES)?;
            tx.execute("INSERT INTO log VALUES (?, '', 0, ?)", params![Uuid::now_v7(), [0_u8; 32]])?;
        }
        tx.execute_batch(SECOND)?;
        tx.pragma_update(None, "user_version", VERSION)?;
        tx.commit()?;
    }
    if version > VERSION {
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error { code: ErrorCode::SchemaChanged, extended_code: 17 },
            Some(format!(
                "written by a newer portreeve (version {version} of the tables, this one knows {VERSION})"
            )),
        ));
    }
    let verdict: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error { code: ErrorCode::DatabaseCorrupt, extended_code: 11 },
            Some(verdict),
        ));
    }
    Ok(db)
}

fn is_damaged(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}

/// The damaged file keeps its evidence under another name; its journal goes with it.
fn set_aside(path: &Path) -> Result<PathBuf, SpoolError> {
    let aside = path.with_extension(format!("damaged-{}", Uuid::now_v7().simple()));
    for suffix in ["", "-wal", "-shm"] {
        let (from, to) = (suffixed(path, suffix), suffixed(&aside, suffix));
        match std::fs::rename(&from, to) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(SpoolError::Unmovable { path: from, source });
            }
            _ => {}
        }
    }
    Ok(aside)
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn unopened(path: &Path, source: rusqlite::Error) -> SpoolError {
    SpoolError::Unopened { path: path.to_owned(), source }
}

/// A link that somebody made something else of fits nothing, and is no reason to stop.
pub(super) fn link_at(row: &Row<'_>, column: usize) -> Result<[u8; 32], rusqlite::Error> {
    let bytes = row.get_ref(column)?.as_bytes().unwrap_or_default();
    Ok(bytes.try_into().unwrap_or_default())
}

/// Keeps a finding over restarts; one of the same code and subject stays as it was.
pub(super) fn note(db: &Connection, finding: &Finding) -> Result<(), SpoolError> {
    db.execute(
        "INSERT OR IGNORE INTO noted VALUES (?, ?, ?, ?)",
        params![finding.code, finding.subject, serde_json::to_string(finding)?, finding.since_ms],
    )?;
    Ok(())
}

/// The latest that were kept.
pub(super) fn noted(db: &Connection) -> Result<Vec<Finding>, SpoolError> {
    let mut select = db.prepare("SELECT json FROM noted ORDER BY since_ms DESC, subject LIMIT ?")?;
    let rows = select.query_map([MOST_NOTED], |row| row.get::<_, String>(0))?;
    let mut findings = Vec::new();
    for json in rows {
        findings.push(serde_json::from_str(&json?)?);
    }
    Ok(findings)
}

pub(super) fn stand(db: &Connection) -> Result<Stand, SpoolError> {
    let (epoch, device, durable) =
        db.query_row("SELECT epoch, device, durable, durable_link FROM log", [], |row| {
            Ok((row.get(0)?, row.get(1)?, (row.get(2)?, link_at(row, 3)?)))
        })?;
    let mut last = db.prepare("SELECT seq, link FROM record ORDER BY seq DESC LIMIT 1")?;
    let mut rows = last.query([])?;
    let head = match rows.next()? {
        Some(row) => (row.get(0)?, link_at(row, 1)?),
        None => durable,
    };
    Ok(Stand { epoch, device, head, durable })
}

pub(super) fn refusals(db: &Connection, limit: u32) -> Result<Vec<Record>, SpoolError> {
    let mut select = db.prepare_cached("SELECT json FROM refusal ORDER BY rowid DESC LIMIT ?")?;
    let rows = select.query_map([limit], |row| row.get::<_, String>(0))?;
    let mut records = Vec::new();
    for json in rows {
        records.push(serde_json::from_str(&json?)?);
    }
    Ok(records)
}

/// What somebody who is not the resident can say of the log.
#[derive(Debug)]
pub struct Glance {
    pub depth: u64,
    pub refusals: Vec<Record>,
    /// Records on their way that are not as they were written, or are gone.
    pub not_as_written: u64,
}

/// Reads the log beside its writer, or without one. `None` where there is no log yet.
///
/// # Errors
/// It is there and cannot be read.
pub fn glance(path: &Path, limit: u32) -> Result<Option<Glance>, SpoolError> {
    if !path.exists() {
        return Ok(None);
    }
    let db =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(|source| unopened(path, source))?;
    db.busy_timeout(Duration::from_secs(2))?;
    let stand = stand(&db)?;
    let found = aside::inspect(&db, stand.durable.0, Some(stand.durable.1))
        .map_err(|source| unopened(path, source))?;
    let missing: u64 = found.missing.iter().map(|(first, last)| last - first + 1).sum();
    Ok(Some(Glance {
        depth: stand.head.0.saturating_sub(stand.durable.0),
        refusals: refusals(&db, limit)?,
        not_as_written: missing + found.altered.len() as u64,
    }))
}
