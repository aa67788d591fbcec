//! The record: searching and taking away.

use super::Principal;
use crate::app::Shared;
use crate::http::Failure;
use crate::http::input::{Path, Query};
use crate::store::records::{RecordCursor, RecordFilter, RecordRow};
use axum::Json;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
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
    /// `null` at the end.
    next: Option<String>,
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
    let records = found.records.into_iter().map(raw).collect();
    Ok(Json(Page { records, next: found.next.map(|next| next.to_string()) }))
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
    Ok(Json(Page { records: records.into_iter().map(raw).collect(), next: None }))
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
    let lines = stream::try_unfold((app, filter, None), move |(app, filter, after)| async move {
        let page = app.store.records_onward(&filter, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(None) };
        let after = Some(RecordCursor { time_ms: last.time_ms, n: last.n });
        let text: String = page.iter().map(|record| line(record, format)).collect();
        Ok::<_, crate::store::StoreError>(Some((text, (app, filter, after))))
    });
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], axum::body::Body::from_stream(lines)).into_response())
}

fn line(record: &RecordRow, format: Format) -> String {
    let line = match format {
        Format::Raw => Some(record.json.clone()),
        Format::Ocsf => as_ocsf(&record.json),
    };
    line.map(|line| line + "\n").unwrap_or_default()
}

/// What came in was JSON, and is kept byte for byte.
fn raw(record: RecordRow) -> Box<RawValue> {
    RawValue::from_string(record.json).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// A record of a newer agent than we know how to translate is left out of the derived view, not guessed at.
fn as_ocsf(record: &str) -> Option<String> {
    let record: contract::record::Record = serde_json::from_str(record).ok()?;
    Some(contract::ocsf::activity(&record, None).to_string())
}
