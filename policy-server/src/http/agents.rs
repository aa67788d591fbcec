//! The agents' API: what devices ask and say, identified by their client certificate.

mod device;
mod stream;

use crate::app::{App, Shared};
use crate::enrolment;
use crate::http::Failure;
use crate::http::input::Body;
use crate::ingest;
use crate::tls::Peer;
use axum::Extension;
use axum::Json;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use contract::enrolment::{EnrolReply, EnrolRequest, RenewRequest, trust_root_digest};
use contract::record::{Batch, Durable};
use contract::report::{DeviceReport, ReportReply};
use device::{Enrolled, Known, Renewing};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// A batch of records, and a report of a machine with many servers.
const AGENT_BODY: usize = 32 * 1024 * 1024;
const SMALL_BODY: usize = 64 * 1024;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    let small = OpenApiRouter::new()
        .routes(routes!(enrol))
        .routes(routes!(renew))
        .routes(routes!(unenrol))
        .routes(routes!(policy))
        .routes(routes!(stream::stream))
        .layer(DefaultBodyLimit::max(SMALL_BODY));
    OpenApiRouter::new()
        .routes(routes!(records))
        .routes(routes!(report))
        .layer(DefaultBodyLimit::max(AGENT_BODY))
        .merge(small)
}

/// Make a machine a device of the organisation, by an enrolment token.
#[utoipa::path(
    post, path = contract::paths::ENROL, tag = "agents",
    request_body(content = serde_json::Value, description = "token, csr_pem, member, machine, organisation, trust_root_digest"),
    responses(
        (status = 200, body = serde_json::Value, description = "device_id, member, organisation, certificate_pem, certificate_expires"),
        (status = 403, description = "token-unknown, token-expired, token-withdrawn, token-used, member-suspended"),
        (status = 409, description = "organisation-mismatch, trust-root-mismatch: the token is not used"),
        (status = 422, description = "member-missing, member-malformed, certificate-request-malformed"),
        (status = 429, description = "too-many-attempts"),
    )
)]
async fn enrol(
    State(app): State<Shared>,
    Extension(peer): Extension<Peer>,
    Body(request): Body<EnrolRequest>,
) -> Result<Json<EnrolReply>, Failure> {
    meant_for_us(&app, &request)?;
    Ok(Json(enrolment::enrol(&app, peer.address.ip(), &request).await?))
}

/// A profile of another organisation or server is refused while its token is still good. Whose this
/// server is instead is not said to whoever asks.
fn meant_for_us(app: &App, request: &EnrolRequest) -> Result<(), Failure> {
    let mismatch = |code, detail: String| Err(Failure::new(StatusCode::CONFLICT, code, detail));
    if let Some(theirs) = request.organisation.as_ref().filter(|theirs| **theirs != app.organisation) {
        return mismatch(
            "organisation-mismatch",
            format!(
                "the enrolment profile is of the organisation {theirs:?}, and this policy server is not; \
                 ask your IT for the profile that this policy server prints (the token was not used)"
            ),
        );
    }
    let ours = trust_root_digest(app.publisher.trust_root());
    match &request.trust_root_digest {
        Some(theirs) if ours.as_ref().is_some_and(|ours| ours != theirs) => mismatch(
            "trust-root-mismatch",
            "the trust root in the enrolment profile is not this policy server's, so the machine would accept \
             no policy of it; ask your IT for the profile that this policy server prints (the token was not used)"
                .to_owned(),
        ),
        _ => Ok(()),
    }
}

/// A fresh certificate for the same device; an expired one is enough to ask for it, for a while.
#[utoipa::path(
    post, path = contract::paths::RENEW, tag = "agents",
    request_body(content = serde_json::Value, description = "csr_pem"),
    responses((status = 200, body = serde_json::Value, description = "as for enrolment"), (status = 403, description = "device-revoked, member-suspended"))
)]
async fn renew(
    State(app): State<Shared>,
    Renewing(device): Renewing,
    Body(request): Body<RenewRequest>,
) -> Result<Json<EnrolReply>, Failure> {
    Ok(Json(enrolment::renew(&app, &device, &request).await?))
}

/// The device takes itself out of the fleet.
#[utoipa::path(post, path = contract::paths::UNENROL, tag = "agents", responses((status = 204)))]
async fn unenrol(State(app): State<Shared>, Enrolled(device): Enrolled) -> Result<StatusCode, Failure> {
    enrolment::unenrol(&app, &device).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The signed policy bundle in force.
#[utoipa::path(
    get, path = contract::paths::POLICY, tag = "agents",
    params(("If-None-Match" = Option<String>, Header, description = "the ETag of the bundle that is there already")),
    responses((status = 200, body = serde_json::Value, description = "files: name to contents"), (status = 304))
)]
async fn policy(State(app): State<Shared>, _: Known, headers: HeaderMap) -> Result<Response, Failure> {
    let Some(signed) = app.publisher.signed() else {
        return Err(Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "policy-not-ready",
            "no policy is signed yet",
        ));
    };
    let known = headers.get(IF_NONE_MATCH).is_some_and(|tag| tag.as_bytes() == signed.etag.as_bytes());
    if known {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, signed.etag.clone())]).into_response());
    }
    let headers = [(ETAG, signed.etag.clone()), (CONTENT_TYPE, "application/json".to_owned())];
    Ok((headers, signed.bytes.clone()).into_response())
}

/// A stretch of the device's audit log; answered when it is on disk.
#[utoipa::path(
    post, path = contract::paths::RECORDS, tag = "agents",
    request_body(content = serde_json::Value, description = "epoch, first, previous, head, records"),
    responses(
        (status = 200, body = serde_json::Value, description = "epoch, through"),
        (status = 409, description = "record-chain-broken, with `durable`: how far the log is here"),
        (status = 422, description = "record-malformed"),
    )
)]
async fn records(
    State(app): State<Shared>,
    Known(device): Known,
    Body(batch): Body<Batch>,
) -> Result<Json<Durable>, Failure> {
    Ok(Json(ingest::take(&app, &device, &batch).await?))
}

/// The device's whole present state.
#[utoipa::path(
    post, path = contract::paths::REPORT, tag = "agents",
    request_body(content = serde_json::Value, description = "machine, policy_version, spool_depth, coverage, findings"),
    responses((status = 200, body = serde_json::Value, description = "next_report_ms"))
)]
async fn report(
    State(app): State<Shared>,
    Known(device): Known,
    Body(report): Body<DeviceReport>,
) -> Result<Json<ReportReply>, Failure> {
    let report = crate::alerts::bounded(report);
    // Most reports say what the last one said; that the device was heard of is written down anyhow.
    if device.would_change_by(&report) {
        app.store.save_report(&device.id, &report).await?;
    }
    crate::alerts::apply_report(&app, &device, &report).await?;
    let next_report_ms = u64::try_from(app.report_every().as_millis()).unwrap_or(u64::MAX);
    Ok(Json(ReportReply { next_report_ms }))
}
