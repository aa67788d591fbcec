//! Where the members of a message's two upper levels stand: a by-product of the scan.
//!
//! Text that is not plain (nobody escapes keys but attackers and tests) has no such outline and is walked
//! again instead.

use crate::malformed::Malformed;
use crate::members::Members;
use std::borrow::Cow;

/// Text that passed the scan, and its upper members.
pub(crate) struct Outline<'a> {
    pub(crate) text: &'a str,
    /// In the order of the text: after each member of level 1 those of level 2 inside its value. `None`
    /// where the text is not plain.
    pub(crate) spots: Option<Vec<Spot<'a>>>,
}

pub(crate) struct Spot<'a> {
    /// 1 for the envelope, 2 for what is inside its members.
    pub(crate) level: usize,
    pub(crate) key: &'a str,
    /// Its JSON text.
    pub(crate) value: &'a str,
}

impl<'a> Outline<'a> {
    /// The members of the message itself.
    pub(crate) fn envelope(&self) -> Result<Members<'a>, Malformed> {
        match &self.spots {
            Some(spots) => Ok(members(spots.iter().filter(|spot| spot.level == 1))),
            None => Members::of(self.text).ok_or(Malformed::NotAnObject),
        }
    }

    /// The members of the envelope's member `key`, whose text is `value`; `None` where that is no object.
    pub(crate) fn inside(&self, key: &str, value: &'a str) -> Option<Members<'a>> {
        if !value.starts_with('{') {
            return None;
        }
        let Some(spots) = &self.spots else { return Members::of(value) };
        let parent = spots.iter().position(|spot| spot.level == 1 && spot.key == key)?;
        Some(members(spots[parent + 1..].iter().take_while(|spot| spot.level == 2)))
    }
}

fn members<'a: 's, 's>(spots: impl Iterator<Item = &'s Spot<'a>>) -> Members<'a> {
    Members::found(spots.map(|spot| (Cow::Borrowed(spot.key), spot.value)).collect())
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
                for (key, value) in walked.iter() {
                    prop_assert_eq!(outline.inside(key, value), Members::of(value));
                }
                prop_assert_eq!(outline.envelope().unwrap(), walked);
            }
        }
    }
}
