//! Numbers that every keeper of a record can hold. Asked where a record comes in from a guard, whose
//! bytes are anybody's; not where one is read that is part of a log already.

use super::{Record, What};

/// The largest number that JSON's readers all read alike; every database holds it too.
const LARGEST: u64 = (1 << 53) - 1;
/// The end of the year 9999, which formats of dates go to.
const LATEST_MS: i64 = 253_402_300_799_999;

/// A number that no log can keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` is out of bounds")]
pub struct OutOfBounds {
    pub field: &'static str,
}

impl Record {
    /// # Errors
    /// Names the first field that holds a number out of bounds.
    pub fn check_bounds(&self) -> Result<(), OutOfBounds> {
        if !(0..=LATEST_MS).contains(&self.time_ms) {
            return Err(OutOfBounds { field: "time_ms" });
        }
        if self.seq == 0 {
            return Err(OutOfBounds { field: "seq" });
        }
        let of_kind: &[(&str, u64)] = match &self.what {
            What::Started { policy_version } => &[("policy_version", *policy_version)],
            What::Call { call, policy_version, redacted, .. } => {
                &[("call", *call), ("policy_version", *policy_version), ("redacted", *redacted)]
            }
            What::Outcome { call, duration_us, bytes, redacted, .. } => {
                &[("call", *call), ("duration_us", *duration_us), ("bytes", *bytes), ("redacted", *redacted)]
            }
            What::Redacted { messages, redacted, .. } => &[("messages", *messages), ("redacted", *redacted)],
            What::Listed { shown, hidden, .. } => &[("shown", *shown), ("hidden", *hidden)],
            What::Definition(it) => &[("policy_version", it.policy_version)],
            What::Stopped { .. } | What::Malformed { .. } | What::Restart { .. } => &[],
        };
        let mut numbers = [("seq", self.seq)].into_iter().chain(of_kind.iter().copied());
        match numbers.find(|(_, number)| *number > LARGEST) {
            Some((field, _)) => Err(OutOfBounds { field }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_numbers_that_no_log_can_keep() {
        let line = r#"{"id":"018f0000-0000-7000-8000-000000000000","time_ms":1,"run":"018f0000-0000-7000-8000-000000000001","seq":7,"member":"","device":"","server":{"identity":"npm:x"},"kind":"outcome","method":"m","call":1,"fate":"ok","duration_us":2,"bytes":3}"#;
        let checked = |from: &str, to: &str| {
            let altered = line.replace(from, to);
            serde_json::from_str::<Record>(&altered).expect("a record").check_bounds().map_err(|it| it.field)
        };
        assert_eq!(checked("", ""), Ok(()));
        assert_eq!(checked("\"seq\":7", "\"seq\":9007199254740991"), Ok(()));
        for (from, to, field) in [
            ("\"seq\":7", "\"seq\":9223372036854775808", "seq"),
            ("\"seq\":7", "\"seq\":0", "seq"),
            ("\"call\":1", "\"call\":9223372036854775808", "call"),
            ("\"bytes\":3", "\"bytes\":18446744073709551615", "bytes"),
            ("\"duration_us\":2", "\"duration_us\":9007199254740992", "duration_us"),
            ("\"time_ms\":1", "\"time_ms\":-9223372036854775808", "time_ms"),
            ("\"time_ms\":1", "\"time_ms\":9223372036854775807", "time_ms"),
        ] {
            assert_eq!(checked(from, to), Err(field), "{to}");
        }
    }
}
