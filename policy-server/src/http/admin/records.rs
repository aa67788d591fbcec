//! The record: searching and taking away.

use super::Principal;
use crate::app::{App, Shared};
use crate::http::Failure;
use crate::http::input::{Path, Query};
use crate::ledger::{self, Walk};
use crate::store::StoreError;
use crate::store::records::{RecordCursor, RecordFilter, RecordRow};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::HashMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// Records read from the database at once while exporting.
const PAGE: u32 = 500;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Place {
    /// `next` of the page before.
    after: Option<String>,
    /// Records on a page; 100 where it is not given, and 1000 at most.
    limit: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Format {
    /// As the device wrote it.
    Raw,
    /// OCSF API Activity (class 6003).
    Ocsf,
    /// With its place and link in the device's log, so that anybody can verify it. Without a filter
    /// each log comes in its order, followed by its head.
    Chained,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct As {
    format: Option<Format>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Page {
    /// Newest first, each as the device wrote it.
    #[schema(value_type = Vec<Object>)]
    records: Vec<Box<RawValue>>,
    /// What the server knows of each of them, in the same order.
    about: Vec<About>,
    /// `null` at the end.
    next: Option<String>,
}

/// What is not in the record itself.
#[derive(Serialize, ToSchema)]
pub(super) struct About {
    #[schema(value_type = String)]
    id: Uuid,
    /// Who called, by the certificate the record came with.
    member: String,
    device: String,
    hostname: Option<String>,
    attributed_by: Attribution,
    /// When it came, by the server's clock.
    received_ms: i64,
    /// Its place in the device's log, and the link that covers everything before it.
    #[schema(value_type = Option<String>)]
    epoch: Option<Uuid>,
    sequence: u64,
    link: Option<String>,
}

/// Why the record stands under its member and device.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Attribution {
    /// The record names them, and so does the certificate it came with.
    Both,
    /// The certificate it came with names them; the record itself claims somebody else.
    Certificate,
}

async fn page(app: &App, rows: Vec<RecordRow>, next: Option<RecordCursor>) -> Result<Page, Failure> {
    let hosts = hosts(app).await?;
    let about = rows.iter().map(|row| About::new(row, &hosts)).collect();
    let records = rows.into_iter().map(raw).collect();
    Ok(Page { records, about, next: next.map(|next| next.to_string()) })
}

/// Host names by device.
async fn hosts(app: &App) -> Result<Hosts, StoreError> {
    let devices = app.store.devices().await?;
    Ok(devices.into_iter().map(|device| (device.id, device.machine.hostname)).collect())
}

type Hosts = HashMap<String, String>;

impl About {
    fn new(row: &RecordRow, hosts: &Hosts) -> Self {
        Self {
            id: row.id,
            member: row.member.clone(),
            device: row.device.clone(),
            hostname: hosts.get(&row.device).cloned(),
            attributed_by: match row.claimed() {
                None => Attribution::Both,
                Some(_) => Attribution::Certificate,
            },
            received_ms: row.received_ms,
            epoch: row.epoch,
            sequence: row.sequence,
            link: row.link.as_ref().map(contract::record::to_hex),
        }
    }
}

/// Records that match, newest first.
#[utoipa::path(get, path = "/v1/admin/records", tag = "admin", params(RecordFilter, Place), responses((status = 200, body = Page), (status = 400, description = "cursor-malformed")))]
pub(super) async fn search(
    State(app): State<Shared>,
    _: Principal,
    Query(filter): Query<RecordFilter>,
    Query(place): Query<Place>,
) -> Result<Json<Page>, Failure> {
    let after = place.after.as_deref().map(str::parse::<RecordCursor>).transpose();
    let after = after.map_err(|why| Failure::new(StatusCode::BAD_REQUEST, "cursor-malformed", why))?;
    let found = app.store.search_records(&filter, after, place.limit.unwrap_or(100).clamp(1, 1000)).await?;
    Ok(Json(page(&app, found.records, found.next).await?))
}

/// One record, with the others of its call.
#[utoipa::path(
    get, path = "/v1/admin/records/{id}", tag = "admin", params(("id" = String, Path)),
    responses((status = 200, body = Page), (status = 404))
)]
pub(super) async fn one(
    State(app): State<Shared>,
    _: Principal,
    Path(id): Path<Uuid>,
) -> Result<Json<Page>, Failure> {
    let found = app.store.record(id).await?.ok_or_else(|| Failure::not_found(&format!("record {id}")))?;
    let call = serde_json::from_str::<CallOf>(&found.json).ok();
    let mut records = match call {
        Some(call) => app.store.records_of_call(call.run, call.call).await?,
        None => Vec::new(),
    };
    if records.is_empty() {
        records.push(found);
    }
    Ok(Json(page(&app, records, None).await?))
}

#[derive(Deserialize)]
struct CallOf {
    run: Uuid,
    call: u64,
}

/// Everything that matches as JSON lines, oldest first.
#[utoipa::path(
    get, path = "/v1/admin/records/export", tag = "admin", params(RecordFilter, As),
    responses((status = 200, body = String, content_type = "application/x-ndjson"))
)]
pub(super) async fn export(
    State(app): State<Shared>,
    Principal(by): Principal,
    Query(filter): Query<RecordFilter>,
    Query(As { format }): Query<As>,
) -> Result<Response, Failure> {
    let format = format.unwrap_or(Format::Raw);
    let what = serde_json::to_string(&filter).unwrap_or_default();
    app.store.add_deed(&by, "records-exported", &what, "").await?;
    let lines = if format == Format::Chained && filter == RecordFilter::default() {
        whole(app).left_stream()
    } else {
        let hosts = hosts(&app).await?;
        found(app, filter, format, hosts).right_stream()
    };
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], axum::body::Body::from_stream(lines)).into_response())
}

fn found(
    app: Shared,
    filter: RecordFilter,
    format: Format,
    hosts: Hosts,
) -> impl Stream<Item = Result<String, StoreError>> {
    stream::try_unfold((app, filter, hosts, None), move |(app, filter, hosts, after)| async move {
        let page = app.store.records_onward(&filter, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(None) };
        let after = Some(RecordCursor { time_ms: last.time_ms, n: last.n });
        let text: String = page.iter().map(|record| line(record, format, &hosts)).collect();
        Ok(Some((text, (app, filter, hosts, after))))
    })
}

/// Every log from its first record to its head.
fn whole(app: Shared) -> impl Stream<Item = Result<String, StoreError>> {
    stream::try_unfold((app, None), async move |(app, walk): (Shared, Option<Walk>)| {
        let mut walk = match walk {
            Some(walk) => walk,
            None => Walk::begin(&app.store).await?,
        };
        let Some(lines) = walk.next(&app.store).await? else { return Ok(None) };
        let text: String = lines.into_iter().map(|line| line + "\n").collect();
        Ok(Some((text, (app, Some(walk)))))
    })
}

fn line(record: &RecordRow, format: Format, hosts: &Hosts) -> String {
    let line = match format {
        Format::Raw => Some(record.json.clone()),
        Format::Ocsf => as_ocsf(record, hosts),
        Format::Chained => Some(ledger::line(record)),
    };
    line.map(|line| line + "\n").unwrap_or_default()
}

/// What came in was JSON, and is kept byte for byte.
fn raw(record: RecordRow) -> Box<RawValue> {
    RawValue::from_string(record.json).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// A record of a newer agent than we know how to translate is left out of the derived view, not guessed at.
fn as_ocsf(row: &RecordRow, hosts: &Hosts) -> Option<String> {
    let record: contract::record::Record = serde_json::from_str(&row.json).ok()?;
    let place = row.epoch.map(|epoch| contract::ocsf::Place {
        epoch,
        sequence: row.sequence,
        previous: row.previous,
        link: row.link,
        received_ms: row.received_ms,
        device: &row.device,
        hostname: hosts.get(&row.device).map_or("", String::as_str),
    });
    Some(contract::ocsf::activity(&record, place).to_string())
}
