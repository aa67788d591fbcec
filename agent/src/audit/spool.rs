//! The device's log on disk: every record once, in one numbered and chained order, until the policy
//! server has it.
//!
//! One SQLite file, written by the resident alone (`keeper` puts it on a thread and groups commits).
//! The order is a device's own: an *epoch* begins with an enrolment, records count from 1 in it, and
//! each is linked to the one before (`contract::record::link`). What the server holds durably is
//! forgotten, but for a tail that lets a server that was restored from yesterday catch up.
//! Nothing is decided here, and nothing is sent ([`handover`] says what would be next).

mod aside;
mod handover;
mod keeper;
mod life;
mod schema;

pub use aside::ranges;
pub use keeper::{Keeper, SpoolState};
pub use schema::glance;

use crate::upstream::now_ms;
use contract::record::{Record, What, link};
use contract::report::Finding;
use life::Life;
use policy::Outcome;
use rusqlite::{Connection, OptionalExtension, params};
use schema::Stand;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Records the server has that are kept all the same, and refusals kept for `explain`.
const TAIL: u64 = 1000;
/// The most one batch carries.
const BATCH_RECORDS: usize = 500;
const BATCH_BYTES: usize = 1024 * 1024;
/// Findings, and runs that said nothing, for this long are forgotten (30 days); their records keep their ids.
const RUN_MEMORY_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// Why the log could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    #[error("{}: {source}", path.display())]
    Unopened { path: PathBuf, source: rusqlite::Error },
    #[error("{}: {source}", path.display())]
    Unmovable { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    File(#[from] platform::files::FileError),
    #[error("the audit log cannot be written: {0}")]
    Store(#[from] rusqlite::Error),
    #[error("a record cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Set aside by [`Spool::set_altered_aside`].
    #[error("records of the audit log are not as they were written")]
    Altered,
    #[error("the audit log is not open: {0}")]
    NotOpen(String),
    #[error("the resident is stopping")]
    Closed,
}

impl SpoolError {
    /// It is not the log that cannot be written, but one of the records that cannot be kept.
    #[must_use]
    pub fn is_of_a_record(&self) -> bool {
        matches!(self, Self::Json(_) | Self::Store(rusqlite::Error::ToSqlConversionFailure(_)))
    }
}

/// Whose log it is; stamped on every record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    pub member: String,
    pub device: String,
}

/// What an append did. Records that were here already count as taken, not as fresh.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Appended {
    /// Per run: every record up to here is on disk, without a hole.
    pub taken: BTreeMap<Uuid, u64>,
    pub fresh: u64,
    /// A refused call is among the fresh ones.
    pub urgent: bool,
}

/// What came of the server saying where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Realigned {
    /// Sending goes on from the record after `through`.
    From { through: u64 },
    /// The two logs cannot be joined; a new epoch began with what the server lacks. A sentence.
    NewEpoch { why: String },
}

pub struct Spool {
    db: Connection,
    owner: Owner,
    epoch: Uuid,
    /// The last record's number and link; `(0, zeros)` in an empty epoch.
    head: (u64, [u8; 32]),
    /// The last the server has.
    durable: (u64, [u8; 32]),
    /// What was found about the log and the runs in it, and is told of for a while.
    findings: Vec<Finding>,
}

impl Spool {
    /// Opens or makes the log. Another device's log becomes this one's: a new epoch, with what was
    /// not sent carried over. A file that is no log any more is set aside, never deleted.
    ///
    /// # Errors
    /// The file cannot be opened or written.
    pub fn open(path: &Path, owner: Owner) -> Result<(Self, Option<String>), SpoolError> {
        let (db, set_aside) = schema::open(path)?;
        let stand = schema::stand(&db)?;
        let findings = schema::noted(&db)?;
        let Stand { epoch, head, durable, device } = stand;
        let mut spool = Self { db, owner, epoch, head, durable, findings };
        if device != spool.owner.device {
            spool.begin_epoch(spool.durable.0, now_ms())?;
        }
        Ok((spool, set_aside))
    }

    #[must_use]
    pub fn head(&self) -> u64 {
        self.head.0
    }

    #[must_use]
    pub fn durable(&self) -> u64 {
        self.durable.0
    }

    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Stamps and commits. When this returns, the records survive a power cut.
    ///
    /// # Errors
    /// Nothing was taken then: one transaction.
    pub fn append(&mut self, records: Vec<Record>, now_ms: i64) -> Result<Appended, SpoolError> {
        let mut done = Appended::default();
        let mut head = self.head;
        let mut lives = BTreeMap::new();
        let tx = self.db.transaction()?;
        for mut record in records {
            record.member.clone_from(&self.owner.member);
            record.device.clone_from(&self.owner.device);
            let through = run_through(&tx, record.run, &mut done.taken)?;
            if record.seq <= through {
                continue;
            }
            let json = serde_json::to_string(&record)?;
            let next = link(&head.1, json.as_bytes());
            let fresh = tx
                .prepare_cached(
                    "INSERT OR IGNORE INTO record (seq, id, run, run_seq, link, json) VALUES (?,?,?,?,?,?)",
                )?
                .execute(params![head.0 + 1, record.id, record.run, record.seq, next, json])?;
            if fresh == 1 {
                head = (head.0 + 1, next);
                done.fresh += 1;
                life_of(&tx, record.run, &mut lives)?.follow(&record);
                done.urgent |= keep_refusal(&tx, &record, &json)?;
            }
            done.taken.insert(record.run, advance(&tx, record.run, record.seq, through)?);
        }
        for (run, through) in &done.taken {
            let life = lives.get(run).map(serde_json::to_string).transpose()?;
            tx.prepare_cached(
                "INSERT INTO run (id, through, touched_ms, life) VALUES (?,?,?,?) ON CONFLICT (id) DO UPDATE
                 SET through = excluded.through, touched_ms = excluded.touched_ms,
                     life = coalesce(excluded.life, life)",
            )?
            .execute(params![run, through, now_ms, life])?;
        }
        tx.commit()?;
        self.head = head;
        Ok(done)
    }

    /// Closes the record of a run whose guard is dead and did not: its open calls are lost, and it
    /// has stopped. Nothing where that stands there already, or where the run is not known.
    ///
    /// # Errors
    /// Nothing was appended.
    pub fn close_run(&mut self, run: Uuid, now_ms: i64) -> Result<Appended, SpoolError> {
        let closing = life_of(&self.db, run, &mut BTreeMap::new())?.clone().closing(run, now_ms);
        if closing.is_empty() { Ok(Appended::default()) } else { self.append(closing, now_ms) }
    }

    /// Keeps a finding over restarts, until it is old.
    ///
    /// # Errors
    /// The log cannot be written.
    pub fn note(&mut self, finding: &Finding) -> Result<(), SpoolError> {
        schema::note(&self.db, finding)?;
        self.findings = schema::noted(&self.db)?;
        Ok(())
    }

    /// The last refusals, newest first.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn refusals(&self, limit: u32) -> Result<Vec<Record>, SpoolError> {
        schema::refusals(&self.db, limit)
    }

    /// Forgets runs that ended long ago, and refusals beyond the last thousand.
    ///
    /// # Errors
    /// The log cannot be written.
    pub fn tidy(&mut self, now_ms: i64) -> Result<(), SpoolError> {
        self.db.execute("DELETE FROM run WHERE touched_ms < ?", [now_ms - RUN_MEMORY_MS])?;
        self.db.execute("DELETE FROM noted WHERE since_ms < ?", [now_ms - RUN_MEMORY_MS])?;
        self.findings = schema::noted(&self.db)?;
        self.db.execute("DELETE FROM refusal WHERE rowid <= (SELECT max(rowid) FROM refusal) - ?", [TAIL])?;
        Ok(())
    }
}

/// How far a run is known without a hole; read once per append.
fn run_through(db: &Connection, run: Uuid, known: &mut BTreeMap<Uuid, u64>) -> Result<u64, SpoolError> {
    if let Some(through) = known.get(&run) {
        return Ok(*through);
    }
    let through = db
        .prepare_cached("SELECT through FROM run WHERE id = ?")?
        .query_row([run], |row| row.get(0))
        .optional()?
        .unwrap_or(0);
    known.insert(run, through);
    Ok(through)
}

/// What is known of a run; read once per append.
fn life_of<'l>(
    db: &Connection,
    run: Uuid,
    known: &'l mut BTreeMap<Uuid, Life>,
) -> Result<&'l mut Life, SpoolError> {
    match known.entry(run) {
        Entry::Occupied(life) => Ok(life.into_mut()),
        Entry::Vacant(place) => {
            let json: Option<Option<String>> = db
                .prepare_cached("SELECT life FROM run WHERE id = ?")?
                .query_row([run], |row| row.get(0))
                .optional()?;
            // What cannot be read closes nothing.
            let life = json.flatten().and_then(|json| serde_json::from_str(&json).ok());
            Ok(place.insert(life.unwrap_or_default()))
        }
    }
}

/// `seq` was taken: how far does the run reach now? Past it, where later ones had come first.
fn advance(db: &Connection, run: Uuid, seq: u64, through: u64) -> Result<u64, SpoolError> {
    if seq != through + 1 {
        return Ok(through);
    }
    let mut reached = seq;
    let mut later =
        db.prepare_cached("SELECT run_seq FROM record WHERE run = ? AND run_seq > ? ORDER BY run_seq")?;
    let mut rows = later.query(params![run, seq])?;
    while let Some(row) = rows.next()? {
        if row.get::<_, u64>(0)? != reached + 1 {
            break;
        }
        reached += 1;
    }
    Ok(reached)
}

/// Keeps a copy of a refusal for `explain`, which outlives the upload. Was it a call that was stopped?
fn keep_refusal(db: &Connection, record: &Record, json: &str) -> Result<bool, SpoolError> {
    let What::Call { decision, .. } = &record.what else { return Ok(false) };
    if *decision == Outcome::Allowed {
        return Ok(false);
    }
    db.prepare_cached("INSERT INTO refusal (json) VALUES (?)")?.execute([json])?;
    Ok(*decision == Outcome::Refused)
}

#[cfg(test)]
mod tests;
