//! What can still be told of bytes that are not a message: whom to answer.
//!
//! Only ever used to address an error; nothing is judged or forwarded by what is found here.

use crate::message::Id;

/// More than are open at once at either end.
const MOST_SALVAGED: usize = 10_000;

/// Found at the top level of broken or cut-off JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// The one id, where there is exactly one and it is whole.
    pub id: Option<Id>,
    /// An `id` was seen, readable or not.
    pub has_id: bool,
    pub has_method: bool,
    /// `result` or `error` was seen: it is an answer.
    pub is_answer: bool,
}

/// Looks for the envelope's members in bytes that failed [`crate::Message::parse`] or in the head of
/// a line too long. Does not decode keys: a hidden spelling of `id` is not found, and no harm is done.
#[must_use]
pub fn salvage(bytes: &[u8]) -> Salvaged {
    let mut found = Salvaged::default();
    let mut ids = 0;
    let mut depth = 0_usize;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let Some(end) = string_end(bytes, at) else { break };
                if depth == 1 && next_solid(bytes, end).is_some_and(|next| bytes[next] == b':') {
                    match &bytes[at..end] {
                        br#""id""# => {
                            ids += 1;
                            found.id = value_after(bytes, end).and_then(id_at);
                        }
                        br#""method""# => found.has_method = true,
                        br#""result""# | br#""error""# => found.is_answer = true,
                        _ => {}
                    }
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found.has_id = ids > 0;
    if ids != 1 {
        found.id = None;
    }
    found
}

/// The same for each object of an array, however deep in arrays; for anything else as [`salvage`].
#[must_use]
pub fn salvage_each(bytes: &[u8]) -> Vec<Salvaged> {
    if bytes.trim_ascii_start().first() != Some(&b'[') {
        return vec![salvage(bytes)];
    }
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() && found.len() < MOST_SALVAGED {
        match bytes[at] {
            b'"' => match string_end(bytes, at) {
                Some(end) => at = end,
                None => break,
            },
            b'{' => {
                let end = object_end(bytes, at);
                found.push(salvage(&bytes[at..end]));
                at = end;
            }
            _ => at += 1,
        }
    }
    found
}

/// One past the brace that closes the object at `at`, or the end of the text.
fn object_end(bytes: &[u8], at: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = at;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => match string_end(bytes, at) {
                Some(end) => {
                    at = end;
                    continue;
                }
                None => return bytes.len(),
            },
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    at
}

/// The same for a line too long, of which only the ends are there. Where the head has no id, it may be
/// the last member: `…,"id":7}`.
#[must_use]
pub fn salvage_ends(head: &[u8], tail: &[u8]) -> Salvaged {
    let mut found = salvage(head);
    if !found.has_id {
        found.id = last_member_id(tail);
        found.has_id = found.id.is_some();
    }
    found
}

/// The id, if it is the last member of the object that the text's last brace closes, which in a whole
/// message is the message itself.
fn last_member_id(tail: &[u8]) -> Option<Id> {
    let inside = tail.trim_ascii_end().strip_suffix(b"}")?;
    let key = memchr::memmem::rfind(inside, b"\"id\"")?;
    let before = inside[..key].trim_ascii_end();
    matches!(before.last(), Some(b',' | b'{')).then_some(())?;
    let value = inside[key + 4..].trim_ascii().strip_prefix(b":")?;
    Id::from_json(std::str::from_utf8(value.trim_ascii()).ok()?)
}

/// One past the closing quote of the string that opens at `at`.
fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn next_solid(bytes: &[u8], from: usize) -> Option<usize> {
    bytes.get(from..)?.iter().position(|b| !b.is_ascii_whitespace()).map(|skip| from + skip)
}

/// The bytes from the value on that follows a key ending at `key_end`.
fn value_after(bytes: &[u8], key_end: usize) -> Option<&[u8]> {
    let colon = next_solid(bytes, key_end)?;
    let value = next_solid(bytes, colon + 1)?;
    bytes.get(value..)
}

/// The id that begins here, if it is whole: something must follow it.
fn id_at(bytes: &[u8]) -> Option<Id> {
    let end = if bytes.first() == Some(&b'"') {
        string_end(bytes, 0)?
    } else {
        bytes.iter().position(|b| matches!(b, b',' | b'}') || b.is_ascii_whitespace())?
    };
    Id::from_json(std::str::from_utf8(&bytes[..end]).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_id_is_found_where_there_is_one() {
        let table: &[(&[u8], Option<&str>)] = &[
            (
                br#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a","name":"b"}}"#,
                Some("7"),
            ),
            (br#"{"params":{"id":1,"x":["id",{"id":2}]},"id" : "q" ,"method":"m"#, Some("\"q\"")),
            (b"{\"id\":7,\"method\":\"\xff", Some("7")),
            (br#"{"id":7"#, None),
            (br#"{"id":"7"#, None),
            (br#"{"id":1,"id":2}"#, None),
            (br#"{"id":1.5}"#, None),
            (br#"{"id":null}"#, None),
            (br#"[{"id":1}]"#, None),
            (br#"{"a":"\"id\":3","b":{"id":4}}"#, None),
            (br#"{"a":"id","id":3}"#, Some("3")),
            (b"not json at all", None),
            (b"", None),
            (br#"{"id":"#, None),
            (b"{\"a\\", None),
        ];
        for (bytes, expected) in table {
            let got = salvage(bytes).id;
            assert_eq!(got.as_ref().map(Id::as_json), *expected, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn an_id_at_the_end_is_found_if_it_is_the_messages_own() {
        for (tail, expected) in [
            (r#"aaa"}},"jsonrpc":"2.0","id":7}"#, Some("7")),
            (r#"aaa"}]},"id" : "a\u0062" } "#, Some("\"ab\"")),
            (r#"aaa","x":{"id":7}}"#, None),
            (r#"aaa\"id\":7}"#, None),
            (r#"aaa,"id":7,"jsonrpc":"2.0"}"#, None),
            (r#"aaa,"id":7.5}"#, None),
            (r#"aaa,"id":7"#, None),
            ("", None),
        ] {
            let got = salvage_ends(br#"{"result":{"a":"a"#, tail.as_bytes());
            assert_eq!(got.id.as_ref().map(Id::as_json), expected, "{tail}");
            assert!(got.is_answer);
        }
        let both = salvage_ends(br#"{"id":1,"a":"#, br#","id":2}"#);
        assert_eq!(both.id.as_ref().map(Id::as_json), Some("1"));
    }

    #[test]
    fn each_object_of_an_array_is_looked_at_however_deep_in_arrays() {
        for (text, expected) in [
            (r#" [{"id":1},[[{"id":2,"x":{"id":9}}]],{"id":3}]"#, vec![Some("1"), Some("2"), Some("3")]),
            (r#"[{"id":1,"a":"}{\"id\":5"},"{",{"id":2"#, vec![Some("1"), None]),
            (r#"[{"id":1}"#, vec![Some("1")]),
            (r#"{"id":4}"#, vec![Some("4")]),
            ("[", vec![]),
        ] {
            let found = salvage_each(text.as_bytes());
            let ids: Vec<_> = found.iter().map(|it| it.id.as_ref().map(Id::as_json)).collect();
            assert_eq!(ids, expected, "{text}");
        }
    }

    #[test]
    fn an_answer_is_told_from_a_request() {
        let found = salvage(br#"{"id":1,"result":{"method":1,"x":1,"x":2}}"#);
        assert_eq!((found.has_method, found.is_answer), (false, true));
        let found = salvage(br#"{"id":1,"method":"m","params":{"error":1,"error":2}}"#);
        assert_eq!((found.has_method, found.is_answer), (true, false));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = salvage_ends(&bytes, &bytes);
            let _ = salvage_each(&bytes);
        }

        #[test]
        fn any_json_like_text_is_survived(text in r#"[\[\]{}":,\\ idmethod0-9]{0,80}"#) {
            let _ = salvage_ends(text.as_bytes(), text.as_bytes());
            let _ = salvage_each(text.as_bytes());
        }
    }
}
