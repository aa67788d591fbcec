//! A time as an admin types it: `24h`, `30 min`, `7d`, `2026-11-20`, `2026-11-20 08:15`.

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, PrimitiveDateTime, Time};

/// Unix milliseconds; `None` where the text is empty.
///
/// # Errors
/// A sentence saying how a time is written.
pub fn parse(text: &str, now_ms: i64) -> Result<Option<i64>, String> {
    let text = text.trim();
    if text.is_empty() || text == "now" {
        return Ok(None);
    }
    ago(text).map(|ago| now_ms.saturating_sub(ago)).or_else(|| on_the_clock(text)).map(Some).ok_or_else(
        || format!("“{text}” is not a time. Write 30min, 24h, 7d, 2026-11-20 or 2026-11-20 08:15."),
    )
}

fn ago(text: &str) -> Option<i64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim() {
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(unit)
}

fn on_the_clock(text: &str) -> Option<i64> {
    const MINUTE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]");
    const SECOND: &[BorrowedFormatItem<'_>] =
        format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
    let text = text.trim_end_matches(" UTC").trim_end_matches('Z').replace('T', " ");
    let moment = PrimitiveDateTime::parse(&text, SECOND)
        .or_else(|_| PrimitiveDateTime::parse(&text, MINUTE))
        .or_else(|_| Date::parse(&text, DAY).map(|day| day.with_time(Time::MIDNIGHT)))
        .ok()?;
    Some(crate::clock::to_ms(moment.assume_utc()))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn times_as_people_type_them() {
        let now = 1_800_000_000_000;
        let cases = [
            ("", None),
            ("now", None),
            ("24h", Some(now - 86_400_000)),
            ("30 min", Some(now - 1_800_000)),
            ("2027-01-15", Some(1_799_971_200_000)),
            ("2027-01-15 08:00", Some(now)),
            ("2027-01-15T08:00:01Z", Some(now + 1_000)),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text, now), Ok(expected), "{text}");
        }
        for wrong in ["yesterday", "h", "24", "99999999999999999999h", "2027-13-01", "é"] {
            assert!(parse(wrong, now).is_err(), "{wrong}");
        }
    }
}
