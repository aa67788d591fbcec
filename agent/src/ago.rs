//! Spans of time as people say them.

use time::{Duration, OffsetDateTime};

/// `3 s`, `5 min`, `2 h`, `11 days`; never below zero.
#[must_use]
pub fn span(length: Duration) -> String {
    let seconds = length.whole_seconds().max(0);
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[must_use]
pub fn ago(then: OffsetDateTime, now: OffsetDateTime) -> String {
    format!("{} ago", span(now - then))
}

/// The moment of a Unix time in milliseconds.
#[must_use]
pub fn moment(unix_ms: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_ms) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// `2026-11-20 08:20:34 UTC`.
#[must_use]
pub fn stamp(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    format!("{} {:02}:{:02}:{:02} UTC", at.date(), at.hour(), at.minute(), at.second())
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn spans_are_said_in_the_unit_that_fits() {
        for (seconds, said) in
            [(-5, "0 s"), (0, "0 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (172_800, "2 days")]
        {
            assert_eq!(span(Duration::seconds(seconds)), said);
        }
    }

    #[test]
    fn moments_are_said_in_universal_time() {
        assert_eq!(stamp(datetime!(2026-11-20 9:05:01 +1)), "2026-11-20 08:05:01 UTC");
        assert_eq!(moment(i64::MAX), OffsetDateTime::UNIX_EPOCH);
    }
}
