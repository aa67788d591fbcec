//! Unix time in milliseconds, the form in which the database and the wire keep it.

use time::OffsetDateTime;

#[must_use]
pub fn now_ms() -> i64 {
    to_ms(OffsetDateTime::now_utc())
}

#[must_use]
pub fn to_ms(time: OffsetDateTime) -> i64 {
    // Milliseconds of every representable year fit in an i64.
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

/// `None` for a time outside the years that can be written down.
#[must_use]
pub fn from_ms(ms: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()
}
