//! Where the members of a message's two upper levels stand: a by-product of the scan.
//!
//! The scan meets each key as a slice of the text, which tells where its value begins; where it ends
//! follows from the key after it. Text with escaped keys (nobody writes them but attackers and
//! tests) has no such slices and is walked again instead.

use crate::malformed::Malformed;
use crate::members::Members;
use crate::message::range_in;
use std::borrow::Cow;

/// Text that passed the scan, and its upper keys.
pub(crate) struct Outline<'a> {
    pub(crate) text: &'a str,
    /// In the order of the text: after each key of level 1 those of level 2 inside its value.
    pub(crate) spots: Vec<Spot<'a>>,
}

pub(crate) struct Spot<'a> {
    /// 1 for the envelope, 2 for what is inside its members.
    pub(crate) level: u8,
    pub(crate) key: Cow<'a, str>,
}

impl<'a> Outline<'a> {
    /// The members of the message itself.
    pub(crate) fn envelope(&self) -> Result<Members<'a>, Malformed> {
        let spots = self.spots.iter().filter(|spot| spot.level == 1);
        match self.members(spots, self.text.len()) {
            Some(members) => Ok(members),
            None => Members::of(self.text).ok_or(Malformed::NotAnObject),
        }
    }

    /// The members of the envelope's member `key`, whose text is `value`; `None` where that is no object.
    pub(crate) fn inside(&self, key: &str, value: &'a str) -> Option<Members<'a>> {
        if !value.starts_with('{') {
            return None;
        }
        let parent = self.spots.iter().position(|spot| spot.level == 1 && spot.key == key)?;
        let spots = self.spots[parent + 1..].iter().take_while(|spot| spot.level == 2);
        self.members(spots, range_in(self.text, value).end).or_else(|| Members::of(value))
    }

    /// The members whose keys these are, in an object that ends at `end`.
    fn members<'s>(&self, spots: impl Iterator<Item = &'s Spot<'a>>, end: usize) -> Option<Members<'a>>
    where
        'a: 's,
    {
        let keys: Vec<&'a str> = spots.map(Spot::borrowed).collect::<Option<_>>()?;
        let mut members = Vec::with_capacity(keys.len());
        for (n, key) in keys.iter().enumerate() {
            let after_key = range_in(self.text, key).end + 1;
            let next = keys.get(n + 1).map_or(end, |next| range_in(self.text, next).start - 1);
            members.push((Cow::Borrowed(*key), between(&self.text[after_key..next])?));
        }
        Some(Members::found(members))
    }
}

impl<'a> Spot<'a> {
    fn borrowed(&self) -> Option<&'a str> {
        match self.key {
            Cow::Borrowed(key) => Some(key),
            Cow::Owned(_) => None,
        }
    }
}

/// The value in what stands between two keys (`: value ,`) or a key and the end of its object
/// (`: value }`).
fn between(text: &str) -> Option<&str> {
    let text = blanks(text).strip_prefix(':')?;
    let text = blanks(text);
    Some(blanks(text.strip_suffix([',', '}'])?))
}

fn blanks(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\r', '\n'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan;
    use proptest::prelude::*;

    fn key() -> impl Strategy<Value = String> {
        prop_oneof!["[a-eé,:{}\\[\\] ]{0,4}", "(\\\\n|\\\\u0041|\\\\\"|[a-c]){0,3}"]
    }

    fn value() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just("-1.5e3".to_owned()),
            "[a-c,:{} ]{0,4}".prop_map(|s| format!("\"{s}\\\"\"")),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3)
                    .prop_map(|items| format!("[{}]", items.join(" ,"))),
                prop::collection::vec((key(), inner), 0..4).prop_map(|members| object(&members)),
            ]
        })
    }

    fn object(members: &[(String, String)]) -> String {
        let members: Vec<_> = members.iter().map(|(k, v)| format!(" \"{k}\"\t: {v}\r")).collect();
        format!("{{{}\n}}", members.join(","))
    }

    proptest! {
        #[test]
        fn the_outline_says_what_a_second_walk_says(members in prop::collection::vec((key(), value()), 0..5)) {
            let text = format!(" {} ", object(&members));
            if let Ok(outline) = scan::outline(&text) {
                let walked = Members::of(&text).unwrap();
                for spot in outline.spots.iter().filter(|spot| spot.level == 1) {
                    let value = walked.get(&spot.key).unwrap();
                    prop_assert_eq!(outline.inside(&spot.key, value), Members::of(value));
                }
                prop_assert_eq!(outline.envelope().unwrap(), walked);
            }
        }
    }
}
