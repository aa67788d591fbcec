//! The device's log on disk: every record once, in one numbered and chained order, until the policy
//! server has it.
//!
//! One SQLite file, written by the resident alone (`keeper` puts it on a thread and groups commits).
//! The order is a device's own: an *epoch* begins with an enrolment, records count from 1 in it, and
//! each is linked to the one before (`contract::record::link`). What the server holds durably is
//! forgotten, but for a tail that lets a server that was restored from yesterday catch up.
//! Nothing is decided here, and nothing is sent.

mod keeper;
mod schema;

pub use keeper::{Keeper, SpoolState};
pub use schema::glance;

use contract::record::{Batch, Durable, Record, What, link};
use policy::Outcome;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Records the server has that are kept all the same, and refusals kept for `explain`.
const TAIL: u64 = 1000;
/// The most one batch carries.
const BATCH_RECORDS: usize = 500;
const BATCH_BYTES: usize = 1024 * 1024;
/// Runs that said nothing for this long are forgotten (30 days); their records keep their ids.
const RUN_MEMORY_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// Why the log could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    #[error("{}: {source}", path.display())]
    Unopened { path: PathBuf, source: rusqlite::Error },
    #[error("{}: {source}", path.display())]
    Unmovable { path: PathBuf, source: std::io::Error },
    #[error("the audit log cannot be written: {0}")]
    Store(#[from] rusqlite::Error),
    #[error("a record cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the audit log is not open: {0}")]
    NotOpen(String),
    #[error("the resident is stopping")]
    Closed,
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
        let mut spool = Self { db, owner, epoch: stand.epoch, head: stand.head, durable: stand.durable };
        if stand.device != spool.owner.device {
            spool.begin_epoch(spool.durable.0)?;
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

    /// Stamps and commits. When this returns, the records survive a power cut.
    ///
    /// # Errors
    /// Nothing was taken then: one transaction.
    pub fn append(&mut self, records: Vec<Record>, now_ms: i64) -> Result<Appended, SpoolError> {
        let mut done = Appended::default();
        let mut head = self.head;
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
                done.urgent |= keep_refusal(&tx, &record, &json)?;
            }
            done.taken.insert(record.run, advance(&tx, record.run, record.seq, through)?);
        }
        for (run, through) in &done.taken {
            tx.prepare_cached("INSERT OR REPLACE INTO run (id, through, touched_ms) VALUES (?,?,?)")?
                .execute(params![run, through, now_ms])?;
        }
        tx.commit()?;
        self.head = head;
        Ok(done)
    }

    /// The next stretch for the server, or nothing where it has all.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn batch(&self, most: usize) -> Result<Option<Batch>, SpoolError> {
        let mut select =
            self.db.prepare_cached("SELECT link, json FROM record WHERE seq > ? ORDER BY seq LIMIT ?")?;
        let mut rows = select.query(params![self.durable.0, most.min(BATCH_RECORDS)])?;
        let (mut records, mut bytes, mut head) = (Vec::new(), 0, [0; 32]);
        while let Some(row) = rows.next()? {
            let json: String = row.get(1)?;
            bytes += json.len();
            if !records.is_empty() && bytes > BATCH_BYTES {
                break;
            }
            head = row.get(0)?;
            records.push(RawValue::from_string(json)?);
        }
        let batch = Batch {
            epoch: self.epoch,
            first: self.durable.0 + 1,
            previous: hex(&self.durable.1),
            head: hex(&head),
            records,
        };
        Ok((!batch.records.is_empty()).then_some(batch))
    }

    /// The server has everything up to `durable.through`: forget it, but for the tail.
    /// News of another epoch, or old news, changes nothing.
    ///
    /// # Errors
    /// The log cannot be written.
    pub fn forget(&mut self, durable: &Durable) -> Result<(), SpoolError> {
        if durable.epoch != self.epoch || durable.through <= self.durable.0 {
            return Ok(());
        }
        let Some(link) = self.link_of(durable.through)? else { return Ok(()) };
        let tx = self.db.transaction()?;
        tx.execute("UPDATE log SET durable = ?, durable_link = ?", params![durable.through, link])?;
        tx.execute("DELETE FROM record WHERE seq <= ?", [durable.through.saturating_sub(TAIL)])?;
        tx.commit()?;
        self.durable = (durable.through, link);
        Ok(())
    }

    /// The server says that it has this epoch up to `through`, and no further. Goes back or forth to
    /// there where our log reaches so far; begins a new epoch where it does not.
    ///
    /// # Errors
    /// The log cannot be read or written.
    pub fn realign(&mut self, through: u64) -> Result<Realigned, SpoolError> {
        let why = if through > self.head.0 {
            format!(
                "the policy server holds {through} records of this device's log and the device only {}: \
                 the log was lost or put back to an older state",
                self.head.0
            )
        } else if let Some(link) = self.link_of(through)? {
            self.db.execute("UPDATE log SET durable = ?, durable_link = ?", params![through, link])?;
            self.durable = (through, link);
            return Ok(Realigned::From { through });
        } else {
            format!(
                "the policy server holds {through} records of this device's log, and those that follow \
                 were confirmed and are forgotten: the server was put back to an older state"
            )
        };
        // The tail goes too: the server knows by the ids which of them it has.
        self.begin_epoch(0)?;
        Ok(Realigned::NewEpoch { why })
    }

    /// A new epoch, which begins with the records that we still have from behind `after` on.
    fn begin_epoch(&mut self, after: u64) -> Result<(), SpoolError> {
        let epoch = Uuid::now_v7();
        let tx = self.db.transaction()?;
        tx.execute("DELETE FROM record WHERE seq <= ?", [after])?;
        // By way of negative numbers, so that no two rows ever claim one.
        tx.execute("UPDATE record SET seq = -seq", [])?;
        let mut head = (0, [0; 32]);
        let waiting: Vec<(i64, String)> = tx
            .prepare("SELECT seq, json FROM record ORDER BY seq DESC")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        for (old, json) in waiting {
            head = (head.0 + 1, link(&head.1, json.as_bytes()));
            tx.prepare_cached("UPDATE record SET seq = ?, link = ? WHERE seq = ?")?
                .execute(params![head.0, head.1, old])?;
        }
        tx.execute(
            "UPDATE log SET epoch = ?, device = ?, durable = 0, durable_link = ?",
            params![epoch, self.owner.device, [0_u8; 32]],
        )?;
        tx.commit()?;
        (self.epoch, self.head, self.durable) = (epoch, head, (0, [0; 32]));
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
        self.db.execute("DELETE FROM refusal WHERE rowid <= (SELECT max(rowid) FROM refusal) - ?", [TAIL])?;
        Ok(())
    }

    fn link_of(&self, seq: u64) -> Result<Option<[u8; 32]>, SpoolError> {
        if seq == 0 {
            // Everything after it must still be here.
            let first: Option<u64> =
                self.db.query_row("SELECT min(seq) FROM record", [], |row| row.get(0))?;
            return Ok((self.head.0 == 0 || first == Some(1)).then_some([0; 32]));
        }
        if seq == self.durable.0 {
            return Ok(Some(self.durable.1));
        }
        Ok(self.db.query_row("SELECT link FROM record WHERE seq = ?", [seq], |row| row.get(0)).optional()?)
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

fn hex(link: &[u8; 32]) -> String {
    use std::fmt::Write;
    link.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;
