//! Keeps the device's certificate fresh: a new one for the same key at two thirds of its life.
//!
//! The key stays, so only one file is replaced, and a power cut leaves a pair that fits.

use crate::backoff::Backoff;
use crate::enrolment::{Enrolment, Validity, certificate_request};
use crate::upstream::{CallError, Credentials, UnusableTls, Upstream};
use contract::enrolment::{EnrolReply, RenewRequest};
use contract::paths;
use platform::Layout;
use platform::files::{self, FileError};
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::watch;

/// A laptop sleeps, and clocks are set: the date is looked at, not waited for.
const LOOK: Duration = Duration::from_secs(60);
const FIRST_RETRY: Duration = Duration::from_secs(10);
const LAST_RETRY: Duration = Duration::from_secs(3600);

#[derive(Debug, thiserror::Error)]
enum RenewalError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("no certificate request can be made: {0}")]
    Request(#[from] rcgen::Error),
    #[error("the policy server sent a certificate that cannot be read: {0}")]
    Certificate(String),
    #[error(transparent)]
    Tls(#[from] UnusableTls),
    #[error(transparent)]
    File(#[from] FileError),
}

/// Never ends; the resident drops it.
pub(super) async fn run(
    layout: Layout,
    enrolment: Enrolment,
    upstream: Arc<Upstream>,
    certificate: watch::Sender<Validity>,
) {
    let mut backoff = Backoff::new(FIRST_RETRY, LAST_RETRY);
    loop {
        let due = certificate.borrow().renew_at();
        if OffsetDateTime::now_utc() < due {
            tokio::time::sleep(LOOK).await;
            continue;
        }
        match renew(&layout, &enrolment, &upstream).await {
            Ok(next) => {
                backoff.reset();
                tracing::info!(until = %next.until, "certificate.renewed");
                certificate.send_replace(next);
            }
            Err(error) => {
                tracing::warn!(%error, "certificate.renewal");
                tokio::time::sleep(backoff.wait()).await;
            }
        }
    }
}

async fn renew(
    layout: &Layout,
    enrolment: &Enrolment,
    upstream: &Upstream,
) -> Result<Validity, RenewalError> {
    let csr_pem = certificate_request(&enrolment.key_pem, &enrolment.identity.device_id)?;
    let reply: EnrolReply = upstream.post(paths::RENEW, &RenewRequest { csr_pem }).await?;
    let validity = Validity::of(&reply.certificate_pem).map_err(RenewalError::Certificate)?;
    let device = format!("{}\n{}", enrolment.key_pem, reply.certificate_pem).into_bytes();
    let credentials =
        Credentials { server_ca: enrolment.credentials.server_ca.clone(), device: Some(device) };
    upstream.renew(&credentials)?;
    files::replace_private(&layout.device_certificate(), reply.certificate_pem.as_bytes())?;
    Ok(validity)
}
