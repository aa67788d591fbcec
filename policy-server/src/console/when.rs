//! A moment, as the console shows it: how long ago in words, the exact UTC time beside it.

use crate::clock;
use askama::filters::HtmlSafe;
use std::fmt;
use time::OffsetDateTime;
use time::macros::format_description;

/// Renders as a `<time>` element. Holds numbers only, so there is nothing in it to escape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When {
    at: OffsetDateTime,
    now: OffsetDateTime,
}

impl HtmlSafe for When {}

impl When {
    pub fn new(at_ms: i64, now_ms: i64) -> Self {
        let read = |ms| clock::from_ms(ms).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        Self { at: read(at_ms), now: read(now_ms) }
    }

    /// `2026-11-20 08:14:03.120 UTC`
    pub fn exact(&self) -> String {
        let form =
            format_description!("[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:3] UTC");
        self.at.format(form).unwrap_or_default()
    }

    fn machine(self) -> String {
        let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
        self.at.format(form).unwrap_or_default()
    }

    fn relative(self) -> String {
        let seconds = (self.now - self.at).whole_seconds();
        let (n, unit) = match seconds.abs() {
            0..5 => return "now".into(),
            s @ 5..60 => (s, "s"),
            s @ 60..3_600 => (s / 60, "min"),
            s @ 3_600..86_400 => (s / 3_600, "h"),
            s @ 86_400..2_592_000 => (s / 86_400, "d"),
            _ => return self.at.format(format_description!("[year]-[month]-[day]")).unwrap_or_default(),
        };
        if seconds < 0 { format!("in {n} {unit}") } else { format!("{n} {unit} ago") }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            r#"<time datetime="{}" title="{}">{}</time>"#,
            self.machine(),
            self.exact(),
            self.relative()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_from_now() {
        let now = 1_800_000_000_000;
        let cases = [
            (0, "now"),
            (42_000, "42 s ago"),
            (61_000, "1 min ago"),
            (7_300_000, "2 h ago"),
            (200_000_000, "2 d ago"),
            (-7_300_000, "in 2 h"),
            (90 * 86_400_000, "2026-10-17"),
        ];
        for (ago, expected) in cases {
            assert_eq!(When::new(now - ago, now).relative(), expected);
        }
        assert!(When::new(now, now).to_string().contains(r#"title="2027-01-15 08:00:00.000 UTC""#));
    }

    #[test]
    fn a_time_outside_all_calendars_still_renders() {
        assert!(When::new(i64::MAX, 0).to_string().contains("1970-01-01"));
    }
}
