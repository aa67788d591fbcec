//! Makes the same what differs from run to run: times, random ids, this run's own folder and addresses.
//! Nothing else is touched, so that what was seen can be compared byte for byte.

/// The text with every name replaced by what it stands for, and times and random ids by a placeholder.
#[must_use]
pub fn steady(text: &str, names: &[(String, &'static str)]) -> String {
    if text.contains("-level message") || text.contains("level-message") {
        return "{one of eight log lines, chosen at random}".to_owned();
    }
    let named = names.iter().fold(text.to_owned(), |text, (name, stands)| text.replace(name, stands));
    let mut steady = String::with_capacity(named.len());
    let mut rest = named.as_str();
    while let Some(first) = rest.chars().next() {
        let (length, stands) = time(rest).or_else(|| random(rest)).unwrap_or((first.len_utf8(), ""));
        steady.push_str(if stands.is_empty() { &rest[..length] } else { stands });
        rest = &rest[length..];
    }
    steady
}

/// `0` stands for a digit, `x` for a hexadecimal one, `a` for a letter, all else for itself.
fn fits(text: &str, shape: &str) -> Option<usize> {
    let mut bytes = text.bytes();
    let fits = shape.bytes().all(|shape| {
        bytes.next().is_some_and(|byte| match shape {
            b'0' => byte.is_ascii_digit(),
            b'a' => byte.is_ascii_alphabetic(),
            b'x' => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            other => byte == other,
        })
    });
    fits.then_some(shape.len())
}

fn time(text: &str) -> Option<(usize, &'static str)> {
    let date = fits(text, "0000-00-00T00:00:00").or_else(|| fits(text, "0000-00-00 00:00:00"));
    if let Some(mut length) = date {
        for shape in [".000000", ".000"] {
            length += fits(&text[length..], shape).unwrap_or(0);
        }
        return Some((length, "{time}"));
    }
    // As Node prints it, with date and by the clock alone.
    let long = fits(text, "aaa aaa 00 0000 00:00:00 GMT+0000").map(|length| (length, "{time}"));
    let clock = ["00:00:00 AM", "00:00:00 PM", "0:00:00 AM", "0:00:00 PM"];
    long.or_else(|| clock.iter().find_map(|shape| fits(text, shape)).map(|length| (length, "{time}")))
}

const STATE: &str = r#""requestState":""#;

fn random(text: &str) -> Option<(usize, &'static str)> {
    let id = fits(text, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")
        .or_else(|| fits(text, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"));
    // Sealed with a key of the server's own process.
    let state = text.strip_prefix(STATE).and_then(|state| state.find('"')).map(|length| STATE.len() + length);
    if let Some(length) = state {
        return Some((length, r#""requestState":"{sealed}"#));
    }
    // `Resource …` in base64: the text of it says when it was made.
    let made = text.starts_with("UmVzb3VyY2Ug").then(|| text.find('"')).flatten();
    id.map(|length| (length, "{id}")).or(made.map(|length| (length, "{made at some time}")))
}

#[test]
fn only_what_differs_from_run_to_run_is_made_the_same() {
    let names = [("/tmp/x1".to_owned(), "{folder}")];
    let steady = |text| steady(text, &names);
    assert_eq!(steady(r#"{"at":"2026-11-20T10:00:00.123Z","id":7}"#), r#"{"at":"{time}Z","id":7}"#);
    assert_eq!(steady("see /tmp/x1/notes, 0f8fad5b-d9cb-469f-a165-70867728950e"), "see {folder}/notes, {id}");
    assert_eq!(steady("Fri Nov 20 2026 11:05:09 GMT+0000 ä"), "{time} ä");
    assert_eq!(steady(r#" {"f":50.0, "e":1E+2} "#), r#" {"f":50.0, "e":1E+2} "#);
}
