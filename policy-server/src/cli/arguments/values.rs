//! How people write durations, moments and notes, and what is made of them.

/// What the history shows; nothing but blanks says nothing.
pub(super) fn note(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() { Err("say why this version is published".to_owned()) } else { Ok(text.to_owned()) }
}

/// `90s`, `30m`, `24h`, `7d`, in seconds.
pub(super) fn duration(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not a time such as 30m, 24h or 7d");
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    number.checked_mul(unit).ok_or_else(wrong)
}

/// A time, or how long ago, in Unix milliseconds.
pub(super) fn moment(text: &str) -> Result<i64, String> {
    use time::format_description::well_known::Rfc3339;
    if let Ok(time) = time::OffsetDateTime::parse(text, &Rfc3339) {
        return Ok(crate::clock::to_ms(time));
    }
    let ago = duration(text).map_err(|_| {
        format!("{text:?} is neither a time such as 2026-11-20T08:00:00Z nor an age such as 24h")
    })?;
    Ok(crate::clock::now_ms().saturating_sub_unsigned(ago.saturating_mul(1000)))
}

#[cfg(test)]
mod tests {
    use super::{duration, moment};

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(duration("24h"), Ok(86_400));
        assert_eq!(duration("7d"), Ok(604_800));
        for wrong in ["", "h", "24", "-1h", "1w", "99999999999999999999d", "18446744073709551615d", "é"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert_eq!(moment("1970-01-01T00:00:01Z"), Ok(1000));
        assert!(moment("yesterday").is_err());
    }
}
