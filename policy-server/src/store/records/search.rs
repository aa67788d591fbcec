//! Finding records again: by filter and page, by call, and counted.

use super::super::{Store, StoreError};
use super::{RecordRow, read, records};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use sqlx::{QueryBuilder, Sqlite};
use uuid::Uuid;

/// What a filter may ask for.
pub const DECISIONS: [&str; 3] = ["allowed", "refused", "would-refuse"];
pub const FATES: [&str; 5] = ["ok", "tool-error", "error", "cancelled", "lost"];
pub const KINDS: [&str; 9] =
    ["started", "stopped", "call", "outcome", "listed", "malformed", "definition", "redacted", "restart"];

/// What to look for; everything given must hold. Empty: everything.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams, utoipa::ToSchema,
)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct RecordFilter {
    /// An address, or what stands before its `@`.
    pub member: Option<String>,
    /// A device's id, or its host name.
    pub device: Option<String>,
    /// Part of the server's identity, of its name in the catalogue, or of the client's entry.
    pub server: Option<String>,
    /// A tool; `*` stands for anything.
    pub tool: Option<String>,
    /// `allowed`, `refused` or `would-refuse`.
    #[serde(deserialize_with = "a_decision")]
    pub decision: Option<String>,
    /// `started`, `stopped`, `call`, `outcome`, `listed`, `malformed`, `definition`, `redacted`, `restart`.
    #[serde(deserialize_with = "a_kind")]
    pub kind: Option<String>,
    /// The rule that decided.
    pub rule: Option<String>,
    /// Part of the client's name, or of that of its credential at an HTTP door.
    pub client: Option<String>,
    /// What became of a call: `ok`, `tool-error`, `error`, `cancelled` or `lost` (of an `outcome`).
    #[serde(deserialize_with = "a_fate")]
    pub fate: Option<String>,
    /// Why a message was not taken, as a `malformed` record says it: `door-credential`.
    pub code: Option<String>,
    /// Unix time in milliseconds, inclusive.
    pub since: Option<i64>,
    /// Unix time in milliseconds, exclusive.
    pub until: Option<i64>,
    /// Text anywhere in the record.
    pub text: Option<String>,
}

impl RecordFilter {
    /// # Errors
    /// A decision or a kind that no record has, with those that there are: a search for it would find
    /// nothing, and that would look like good news.
    pub fn check(self) -> Result<Self, String> {
        known("decision", self.decision.as_deref(), &DECISIONS)?;
        known("kind", self.kind.as_deref(), &KINDS)?;
        known("fate", self.fate.as_deref(), &FATES)?;
        Ok(self)
    }
}

fn known(what: &str, asked: Option<&str>, all: &[&str]) -> Result<(), String> {
    match asked {
        Some(asked) if !all.contains(&asked) => {
            Err(format!("there is no {what} {asked:?}; say one of {}", all.join(", ")))
        }
        _ => Ok(()),
    }
}

fn a_decision<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let asked = Option::<String>::deserialize(from)?;
    known("decision", asked.as_deref(), &DECISIONS).map_err(D::Error::custom)?;
    Ok(asked)
}

fn a_kind<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let asked = Option::<String>::deserialize(from)?;
    known("kind", asked.as_deref(), &KINDS).map_err(D::Error::custom)?;
    Ok(asked)
}

fn a_fate<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let asked = Option::<String>::deserialize(from)?;
    known("fate", asked.as_deref(), &FATES).map_err(D::Error::custom)?;
    Ok(asked)
}

/// Where the next page begins: the last record of this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordCursor {
    pub time_ms: i64,
    pub n: i64,
}

impl std::fmt::Display for RecordCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.time_ms, self.n)
    }
}

impl std::str::FromStr for RecordCursor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "a cursor is what the page before gave as `next`";
        let (time_ms, n) = text.split_once('.').ok_or(wrong)?;
        Ok(Self { time_ms: time_ms.parse().map_err(|_| wrong)?, n: n.parse().map_err(|_| wrong)? })
    }
}

/// One page, newest first.
#[derive(Debug, Clone)]
pub struct RecordPage {
    pub records: Vec<RecordRow>,
    /// `None` at the end.
    pub next: Option<RecordCursor>,
}

impl Store {
    /// One page of what matches, newest first.
    pub async fn search_records(
        &self,
        filter: &RecordFilter,
        after: Option<RecordCursor>,
        limit: u32,
    ) -> Result<RecordPage, StoreError> {
        let mut query = QueryBuilder::<Sqlite>::new(records!(" WHERE repeat = 0"));
        narrow(&mut query, filter);
        if let Some(after) = after {
            query
                .push(" AND (time_ms, n) < (")
                .push_bind(after.time_ms)
                .push(", ")
                .push_bind(after.n)
                .push(")");
        }
        query.push(" ORDER BY time_ms DESC, n DESC LIMIT ").push_bind(i64::from(limit) + 1);
        let mut records = query
            .build()
            .fetch_all(&self.reader)
            .await?
            .iter()
            .map(read)
            .collect::<Result<Vec<_>, StoreError>>()?;
        let more = records.len() > limit as usize;
        records.truncate(limit as usize);
        let next =
            records.last().filter(|_| more).map(|last| RecordCursor { time_ms: last.time_ms, n: last.n });
        Ok(RecordPage { records, next })
    }

    /// The same page by page from the oldest on, for taking the record away.
    pub async fn records_onward(
        &self,
        filter: &RecordFilter,
        after: Option<RecordCursor>,
        limit: u32,
    ) -> Result<Vec<RecordRow>, StoreError> {
        let mut query = QueryBuilder::<Sqlite>::new(records!(" WHERE repeat = 0"));
        narrow(&mut query, filter);
        if let Some(after) = after {
            query
                .push(" AND (time_ms, n) > (")
                .push_bind(after.time_ms)
                .push(", ")
                .push_bind(after.n)
                .push(")");
        }
        query.push(" ORDER BY time_ms, n LIMIT ").push_bind(i64::from(limit));
        query.build().fetch_all(&self.reader).await?.iter().map(read).collect()
    }

    pub async fn record(&self, id: Uuid) -> Result<Option<RecordRow>, StoreError> {
        sqlx::query(records!(" WHERE id = $1 AND repeat = 0 ORDER BY n LIMIT 1"))
            .bind(id.as_bytes().as_slice())
            .fetch_optional(&self.reader)
            .await?
            .as_ref()
            .map(read)
            .transpose()
    }

    /// A call and its outcome, in the order they were written.
    pub async fn records_of_call(&self, run: Uuid, call: u64) -> Result<Vec<RecordRow>, StoreError> {
        sqlx::query(records!(" WHERE run = $1 AND call = $2 AND repeat = 0 ORDER BY n"))
            .bind(run.as_bytes().as_slice())
            .bind(call.cast_signed())
            .fetch_all(&self.reader)
            .await?
            .iter()
            .map(read)
            .collect()
    }

    /// Judged calls since a time, by decision: `[("allowed", 41), …]`.
    pub async fn count_decisions(&self, since_ms: i64) -> Result<Vec<(String, u64)>, StoreError> {
        let counted: Vec<(String, i64)> = sqlx::query_as(
            "SELECT decision, COUNT(*) FROM records
             WHERE time_ms >= $1 AND decision IS NOT NULL AND repeat = 0 GROUP BY decision",
        )
        .bind(since_ms)
        .fetch_all(&self.reader)
        .await?;
        Ok(counted.into_iter().map(|(decision, count)| (decision, count.unsigned_abs())).collect())
    }

    /// Judged calls by hour since a time: (start of the hour in Unix ms, decision, count), oldest first.
    pub async fn hourly_decisions(&self, since_ms: i64) -> Result<Vec<(i64, String, u64)>, StoreError> {
        let counted: Vec<(i64, String, i64)> = sqlx::query_as(
            "SELECT time_ms - time_ms % 3600000 AS hour, decision, COUNT(*) FROM records
             WHERE time_ms >= $1 AND decision IS NOT NULL AND repeat = 0 GROUP BY hour, decision ORDER BY hour, decision",
        )
        .bind(since_ms)
        .fetch_all(&self.reader)
        .await?;
        Ok(counted
            .into_iter()
            .map(|(hour, decision, count)| (hour, decision, count.unsigned_abs()))
            .collect())
    }
}

fn narrow(query: &mut QueryBuilder<Sqlite>, filter: &RecordFilter) {
    let given = |wanted: &Option<String>| wanted.clone().filter(|wanted| !wanted.is_empty());
    for (column, wanted) in [("decision", &filter.decision), ("kind", &filter.kind)] {
        if let Some(wanted) = given(wanted) {
            query.push(format!(" AND {column} = ")).push_bind(wanted);
        }
    }
    if let Some(member) = given(&filter.member) {
        query.push(" AND (member = ").push_bind(member.clone());
        if !member.contains('@') {
            query.push(" OR ");
            like(query, "member", format!("{}@%", escape_like(&member)));
        }
        query.push(")");
    }
    if let Some(device) = given(&filter.device) {
        query.push(" AND (device = ").push_bind(device.clone());
        query.push(" OR device IN (SELECT id FROM devices WHERE hostname = ").push_bind(device).push("))");
    }
    if let Some(tool) = given(&filter.tool) {
        query.push(" AND ");
        if tool.contains('*') {
            like(query, "tool", escape_like(&tool).replace('*', "%"));
        } else {
            query.push("tool = ").push_bind(tool);
        }
    }
    if let Some(server) = given(&filter.server) {
        let part = format!("%{}%", escape_like(&server));
        query.push(" AND (");
        like(query, "server", part.clone());
        for name in ["catalogue", "entry"] {
            query.push(" OR ");
            like(query, &member_of_json(&format!("server.{name}")), part.clone());
        }
        query.push(")");
    }
    for (name, wanted) in [("rule", &filter.rule), ("fate", &filter.fate), ("code", &filter.code)] {
        if let Some(wanted) = given(wanted) {
            query.push(format!(" AND {} = ", member_of_json(name))).push_bind(wanted);
        }
    }
    if let Some(client) = given(&filter.client) {
        let part = format!("%{}%", escape_like(&client));
        query.push(" AND (");
        like(query, &member_of_json("client.name"), part.clone());
        query.push(" OR ");
        like(query, &member_of_json("client.door"), part);
        query.push(")");
    }
    if let Some(text) = given(&filter.text) {
        query.push(" AND ");
        like(query, "json", format!("%{}%", escape_like(&text)));
    }
    if let Some(since) = filter.since {
        query.push(" AND time_ms >= ").push_bind(since);
    }
    if let Some(until) = filter.until {
        query.push(" AND time_ms < ").push_bind(until);
    }
}

/// What was altered on the disk may be no JSON any more, and must not end the search.
fn member_of_json(path: &str) -> String {
    format!("CASE WHEN json_valid(json) THEN json_extract(json, '$.{path}') END")
}

fn like(query: &mut QueryBuilder<Sqlite>, what: &str, pattern: String) {
    query.push(format!("{what} LIKE ")).push_bind(pattern).push(" ESCAPE '\\'");
}

fn escape_like(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
