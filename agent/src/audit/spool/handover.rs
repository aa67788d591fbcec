//! The log's other end: what the server has not is handed over in order, what it has is forgotten, and where
//! the two logs contradict each other a new epoch begins.

use super::schema;
use super::{BATCH_BYTES, BATCH_RECORDS, Realigned, Spool, SpoolError, TAIL, aside};
use crate::upstream::now_ms;
use contract::record::{Batch, Durable, link, to_hex};
use rusqlite::{OptionalExtension, params};
use serde_json::value::RawValue;
use uuid::Uuid;

impl Spool {
    /// Takes records out of the log that are not as they were written; the rest goes on in a new epoch.
    ///
    /// # Errors
    /// The log cannot be written.
    pub fn set_altered_aside(&mut self, now_ms: i64) -> Result<(), SpoolError> {
        self.begin_epoch(self.durable.0, now_ms)
    }

    /// A new epoch with all we have: the two sides' logs contradict each other, each whole in itself.
    ///
    /// # Errors
    /// The log cannot be written.
    pub fn part_from(&mut self, now_ms: i64) -> Result<(), SpoolError> {
        self.begin_epoch(0, now_ms)
    }

    /// The next stretch for the server, or nothing where it has all.
    ///
    /// # Errors
    /// The log cannot be read, or is [not as it was written](SpoolError::Altered).
    pub fn batch(&self, most: usize) -> Result<Option<Batch>, SpoolError> {
        let mut select = self
            .db
            .prepare_cached("SELECT seq, link, json FROM record WHERE seq > ? ORDER BY seq LIMIT ?")?;
        let mut rows = select.query(params![self.durable.0, most.min(BATCH_RECORDS)])?;
        let (mut records, mut bytes, mut head) = (Vec::new(), 0, self.durable.1);
        while let Some(row) = rows.next()? {
            let json = row.get_ref(2)?.as_bytes().unwrap_or_default();
            bytes += json.len();
            if !records.is_empty() && bytes > BATCH_BYTES {
                break;
            }
            head = link(&head, json);
            let follows = row.get::<_, u64>(0)? == self.durable.0 + 1 + records.len() as u64;
            if !follows || head != schema::link_at(row, 1)? {
                return Err(SpoolError::Altered);
            }
            records.push(serde_json::from_slice::<Box<RawValue>>(json).map_err(|_| SpoolError::Altered)?);
        }
        let batch = Batch {
            epoch: self.epoch,
            first: self.durable.0 + 1,
            previous: to_hex(&self.durable.1),
            head: to_hex(&head),
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
        self.begin_epoch(0, now_ms())?;
        Ok(Realigned::NewEpoch { why })
    }

    /// A new epoch, which begins with the records that we still have from behind `after` on, as far
    /// as they are as they were written.
    pub(super) fn begin_epoch(&mut self, after: u64, now_ms: i64) -> Result<(), SpoolError> {
        let epoch = Uuid::now_v7();
        let tx = self.db.transaction()?;
        let before = (after == self.durable.0).then_some(self.durable.1);
        let found = aside::inspect(&tx, after, before)?;
        if !found.is_whole() {
            schema::note(&tx, &aside::set_aside(&tx, self.epoch, &found, now_ms)?)?;
        }
        tx.execute("DELETE FROM record WHERE seq <= ?", [after])?;
        // By way of negative numbers, so that no two rows ever claim one.
        tx.execute("UPDATE record SET seq = -seq", [])?;
        let mut head = (0, [0; 32]);
        for old in found.intact {
            let json: String = tx
                .prepare_cached("SELECT json FROM record WHERE seq = ?")?
                .query_row([-old], |row| row.get(0))?;
            head = (head.0 + 1, link(&head.1, json.as_bytes()));
            tx.prepare_cached("UPDATE record SET seq = ?, link = ? WHERE seq = ?")?
                .execute(params![head.0, head.1, -old])?;
        }
        tx.execute(
            "UPDATE log SET epoch = ?, device = ?, durable = 0, durable_link = ?",
            params![epoch, self.owner.device, [0_u8; 32]],
        )?;
        tx.commit()?;
        (self.epoch, self.head, self.durable) = (epoch, head, (0, [0; 32]));
        self.findings = schema::noted(&self.db)?;
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
        let select = "SELECT link FROM record WHERE seq = ?";
        Ok(self.db.query_row(select, [seq], |row| schema::link_at(row, 0)).optional()?)
    }
}
