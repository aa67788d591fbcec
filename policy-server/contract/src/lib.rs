//! The wire both programs speak, and the verification of what comes over it.
//!
//! Shapes only, and one procedure: [`bundle::verify`]. JSON everywhere; unknown members of what the
//! *server* sends are ignored (an older agent meets a newer server), times are RFC 3339 in UTC
//! unless the name says otherwise, sizes are bytes.

pub mod bundle;
pub mod door;
pub mod enrolment;
pub mod ocsf;
pub mod printable;
pub mod record;
pub mod report;
pub mod signing;

/// Paths of the agents' API on the policy server.
pub mod paths {
    /// POST [`crate::enrolment::EnrolRequest`] without a client certificate.
    pub const ENROL: &str = "/v1/enrol";
    /// POST [`crate::enrolment::RenewRequest`].
    pub const RENEW: &str = "/v1/agent/renew";
    /// POST, empty: the device takes itself out of the fleet.
    pub const UNENROL: &str = "/v1/agent/unenrol";
    /// GET: the current [`crate::bundle::Bundle`]; `ETag`/`If-None-Match`.
    pub const POLICY: &str = "/v1/agent/policy";
    /// GET: `text/event-stream` of [`crate::report::StreamEvent`]; a comment every 15 s.
    pub const STREAM: &str = "/v1/agent/stream";
    /// POST [`crate::record::Batch`], answered by [`crate::record::Durable`].
    pub const RECORDS: &str = "/v1/agent/records";
    /// POST [`crate::report::DeviceReport`], answered by [`crate::report::ReportReply`].
    pub const REPORT: &str = "/v1/agent/report";
}
