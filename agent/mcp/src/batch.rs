//! A JSON-RPC batch, which MCP has in 2025-03-26 only: taken apart, never understood. Each of its
//! messages is judged like one that came alone.

use crate::malformed::Malformed;
use crate::message::{Kind, Message, range_in};
use crate::scan;
use serde_json::value::RawValue;
use std::ops::Range;

/// The most messages taken in one batch.
pub const MAX_MESSAGES: usize = 1000;

/// A batch that passed the strict scan. Holds the original bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    text: String,
    places: Vec<Range<usize>>,
}

impl Batch {
    /// Takes apart what [`Message::parse`] called [`Malformed::Batch`].
    ///
    /// # Errors
    /// The batch as a whole is none, and the bytes it was found in.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, (Malformed, Vec<u8>)> {
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(e) => return Err((Malformed::NotUtf8 { at: e.utf8_error().valid_up_to() }, e.into_bytes())),
        };
        // A raw line break stands between tokens only, so it means no more than a space.
        let text = if memchr::memchr2(b'\n', b'\r', text.as_bytes()).is_some() {
            text.replace(['\n', '\r'], " ")
        } else {
            text
        };
        match places(&text) {
            Ok(places) => Ok(Self { text, places }),
            Err(why) => Err((why, text.into_bytes())),
        }
    }

    /// Its messages, each in its own bytes.
    pub fn messages(&self) -> impl Iterator<Item = &[u8]> {
        self.places.iter().map(|place| &self.text.as_bytes()[place.clone()])
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Never: an empty batch is malformed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.text.into_bytes()
    }
}

/// What of a batch goes on, or comes back, as one array.
#[must_use]
pub fn joined(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(messages.iter().map(|message| message.len() + 1).sum::<usize>() + 1);
    out.push(b'[');
    out.extend_from_slice(&messages.join(&b','));
    out.push(b']');
    out
}

/// May this message stand in a batch?
///
/// # Errors
/// It is `initialize`, which settles whether there are batches at all.
pub fn admits(message: &Message) -> Result<(), Malformed> {
    match message.kind() {
        Kind::Request { method, .. } | Kind::Notification { method } if method == "initialize" => {
            Err(Malformed::InitializeInBatch)
        }
        _ => Ok(()),
    }
}

fn places(text: &str) -> Result<Vec<Range<usize>>, Malformed> {
    match scan::check(text.as_bytes()) {
        Err(Malformed::Batch) => {}
        Ok(_) => return Err(Malformed::NotAnObject),
        Err(why) => return Err(why),
    }
    let items: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|error| Malformed::NotJson { why: error.to_string(), at: 0 })?;
    if items.is_empty() {
        return Err(Malformed::EmptyBatch);
    }
    if items.len() > MAX_MESSAGES {
        return Err(Malformed::LongBatch { messages: items.len() });
    }
    if items.iter().any(|item| item.get().starts_with('[')) {
        return Err(Malformed::NestedBatch);
    }
    Ok(items.into_iter().map(|item| range_in(text, item.get())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn code(text: &str) -> &'static str {
        Batch::parse(text.as_bytes().to_vec()).map_or_else(|(why, _)| why.code(), |_| "ok")
    }

    #[test]
    fn a_batch_falls_into_its_messages_and_nothing_moves() {
        let text = " [ {\"a\":1.0} ,\r{\"b\":[ ]}\n, 5 ] ";
        let batch = Batch::parse(text.as_bytes().to_vec()).unwrap();
        let messages: Vec<_> = batch.messages().map(|it| std::str::from_utf8(it).unwrap()).collect();
        assert_eq!(messages, ["{\"a\":1.0}", "{\"b\":[ ]}", "5"]);
        assert_eq!(batch.into_bytes(), text.replace(['\r', '\n'], " ").into_bytes());
    }

    #[test]
    fn what_is_no_batch_has_its_own_name() {
        let long = format!("[{}0]", "0,".repeat(MAX_MESSAGES));
        for (text, expected) in [
            ("[]", "empty-batch"),
            ("[[{}]]", "nested-batch"),
            ("[{},[]]", "nested-batch"),
            (long.as_str(), "long-batch"),
            ("{}", "not-an-object"),
            (r#"[{"a":1,"a":2}]"#, "duplicate-key"),
            ("[{}] {}", "trailing-data"),
            ("[{},]", "not-json"),
        ] {
            assert_eq!(code(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200), text in r#"[\[\]{}",:a1 ]{0,60}"#) {
            let _ = Batch::parse(bytes);
            if let Ok(batch) = Batch::parse(text.clone().into_bytes()) {
                let messages: Vec<_> = batch.messages().map(<[u8]>::to_vec).collect();
                let again = Batch::parse(joined(&messages)).unwrap();
                prop_assert!(again.messages().eq(batch.messages()), "{}", text);
                prop_assert_eq!(batch.into_bytes(), text.into_bytes());
            }
        }
    }

    #[test]
    fn parts_join_to_an_array() {
        assert_eq!(joined(&[b"{}".to_vec(), b"1".to_vec()]), b"[{},1]");
    }
}
