//! The numbers of each run: a guard counts its records from 1, and a hole is a loss.
//!
//! A run is told apart by its member too: nobody else's records fill a hole in it.

use super::NewRecord;
use crate::store::{Store, StoreError};
use contract::record::verify::Numbers;
use sqlx::{Row as _, SqliteConnection};
use std::collections::HashMap;
use uuid::Uuid;

/// A run with something to tell of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub id: Uuid,
    pub member: String,
    /// The device its first record came from.
    pub device: String,
    pub through: u64,
    pub highest: u64,
    /// An alert was raised for it.
    pub told: bool,
}

/// What one batch brings of one run.
struct Brought<'a> {
    device: &'a str,
    numbers: Vec<i64>,
    stopped: bool,
}

/// Counts what a batch brought, in the batch's own transaction.
pub(super) async fn note(
    connection: &mut SqliteConnection,
    records: &[&NewRecord<'_>],
    now_ms: i64,
) -> Result<(), StoreError> {
    let mut runs: HashMap<(Uuid, &str), Brought<'_>> = HashMap::new();
    for record in records {
        let Some(number) = record.seq.and_then(|seq| i64::try_from(seq).ok()) else { continue };
        let brought = runs.entry((record.run, record.member)).or_insert_with(|| Brought {
            device: record.device,
            numbers: Vec::new(),
            stopped: false,
        });
        brought.numbers.push(number);
        brought.stopped |= record.kind == "stopped";
    }
    for ((run, member), brought) in runs {
        note_run(connection, run, member, brought, now_ms).await?;
    }
    Ok(())
}

async fn note_run(
    connection: &mut SqliteConnection,
    run: Uuid,
    member: &str,
    mut brought: Brought<'_>,
    now_ms: i64,
) -> Result<(), StoreError> {
    let known: Option<(i64, i64)> =
        sqlx::query_as("SELECT through, highest FROM runs WHERE run = $1 AND member = $2")
            .bind(run.as_bytes().as_slice())
            .bind(member)
            .fetch_optional(&mut *connection)
            .await?;
    let (before, highest) = known.unwrap_or((0, 0));
    brought.numbers.sort_unstable();
    let last = brought.numbers.last().copied().unwrap_or(0).max(highest);
    let through = advance(before, &brought.numbers);
    // Where there was a hole and it begins to fill, what came after it counts as well.
    let through = if through > before && before < highest {
        advance(through, &numbers_after(connection, run, member, through).await?)
    } else {
        through
    };
    sqlx::query(
        "INSERT INTO runs (run, member, device, through, highest, stopped, hole_ms, told, unsettled)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8)
         ON CONFLICT (run, member) DO UPDATE SET through = excluded.through, highest = excluded.highest,
             stopped = MAX(runs.stopped, excluded.stopped),
             hole_ms = CASE WHEN excluded.hole_ms IS NULL THEN NULL
                 ELSE COALESCE(runs.hole_ms, excluded.hole_ms) END,
             unsettled = CASE WHEN excluded.unsettled = 1 OR runs.told = 1 THEN 1 ELSE 0 END",
    )
    .bind(run.as_bytes().as_slice())
    .bind(member)
    .bind(brought.device)
    .bind(through)
    .bind(last)
    .bind(brought.stopped)
    .bind((through < last).then_some(now_ms))
    .bind(through < last)
    .execute(connection)
    .await?;
    Ok(())
}

/// How far the numbers go on without a hole; they are sorted.
fn advance(through: i64, numbers: &[i64]) -> i64 {
    numbers.iter().fold(through, |through, number| if *number == through + 1 { *number } else { through })
}

async fn numbers_after(
    connection: &mut SqliteConnection,
    run: Uuid,
    member: &str,
    after: i64,
) -> Result<Vec<i64>, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT DISTINCT seq FROM records WHERE run = $1 AND member = $2 AND seq > $3 ORDER BY seq",
    )
    .bind(run.as_bytes().as_slice())
    .bind(member)
    .bind(after)
    .fetch_all(connection)
    .await?)
}

impl Store {
    /// Runs with a hole that is due, and runs whose hole was told and that changed since. A hole is due
    /// when its run has stopped, or when it is older than `before_ms`.
    pub async fn unsettled_runs(&self, before_ms: i64) -> Result<Vec<Run>, StoreError> {
        sqlx::query(
            "SELECT run, member, device, through, highest, told FROM runs
             WHERE unsettled = 1 AND (told = 1 OR stopped = 1 OR hole_ms <= $1)",
        )
        .bind(before_ms)
        .fetch_all(&self.reader)
        .await?
        .iter()
        .map(|row| {
            Ok(Run {
                id: super::read_id(row.try_get("run")?)?,
                member: row.try_get("member")?,
                device: row.try_get("device")?,
                through: row.try_get::<i64, _>("through")?.unsigned_abs(),
                highest: row.try_get::<i64, _>("highest")?.unsigned_abs(),
                told: row.try_get("told")?,
            })
        })
        .collect()
    }

    /// The numbers of a run that are here, from where it is no longer whole.
    pub async fn numbers_of_run(&self, run: &Run) -> Result<Numbers, StoreError> {
        let mut connection = self.reader.acquire().await?;
        let after = run.through.cast_signed();
        let mut numbers = Numbers::through(run.through);
        for number in numbers_after(&mut connection, run.id, &run.member, after).await? {
            numbers.add(number.unsigned_abs());
        }
        Ok(numbers)
    }

    /// What there was to tell of a run was told. A change that came in between is told next.
    pub async fn settle_run(&self, run: &Run) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE runs SET told = $1, unsettled = 0
             WHERE run = $2 AND member = $3 AND through = $4 AND highest = $5",
        )
        .bind(run.through < run.highest)
        .bind(run.id.as_bytes().as_slice())
        .bind(&run.member)
        .bind(run.through.cast_signed())
        .bind(run.highest.cast_signed())
        .execute(&self.writer)
        .await?;
        Ok(())
    }
}
