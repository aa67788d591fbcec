//! Regular expressions over texts. They match in linear time, and neither their text nor what they compile
//! to can grow beyond a bound.

use regex::{Regex, RegexBuilder};

const MOST_BYTES: usize = 1000;
const MOST_COMPILED_BYTES: usize = 1 << 20;

/// One expression. Clones share what it compiled to.
#[derive(Debug, Clone)]
pub struct TextPattern(Regex);

impl TextPattern {
    pub(crate) fn parse(text: &str) -> Result<Self, (String, String)> {
        let bad = |help: String| Err((format!("bad pattern `{text}`"), help));
        if text.len() > MOST_BYTES {
            return bad(format!("an expression has {MOST_BYTES} bytes at most; write several"));
        }
        let compiled =
            RegexBuilder::new(text).size_limit(MOST_COMPILED_BYTES).nest_limit(32).build().map_err(why);
        match compiled {
            Ok(regex) if regex.is_match("") => {
                bad("it also matches where there is nothing; say what must be there: `+` for `*`".to_owned())
            }
            Ok(regex) => Ok(Self(regex)),
            Err(help) => bad(help),
        }
    }

    /// As its author wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Where it matches, from left to right. Matches of nothing (`\b`) are none.
    pub fn find_in<'t>(&self, text: &'t str) -> impl Iterator<Item = std::ops::Range<usize>> + use<'_, 't> {
        self.0.find_iter(text).map(|found| found.range()).filter(|range| !range.is_empty())
    }

    /// Does it take the whole of any ordinary text?
    #[must_use]
    pub fn is_of_everything(&self) -> bool {
        ["a", "Hello, world.", "0", "42 – ä", "/x/y_z?"]
            .iter()
            .all(|text| self.0.find_iter(text).map(|found| found.len()).sum::<usize>() == text.len())
    }
}

/// The last line of an error that draws.
fn why(error: regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "it is too large when compiled; repeat less often".to_owned(),
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.trim().trim_start_matches("error: ").to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TextPattern;

    #[test]
    fn attack_expressions_that_would_take_for_ever_or_fill_memory_are_refused() {
        for text in [
            "(a{1000}){1000}".to_owned(),
            "(".repeat(900),
            "a".repeat(1001),
            "(?=a)b".to_owned(),
            "(a)\\1".to_owned(),
            "a*".to_owned(),
            "[".to_owned(),
        ] {
            let (message, help) = TextPattern::parse(&text).expect_err(&text);
            assert!(message.starts_with("bad pattern") && !help.is_empty() && !help.contains('\n'), "{help}");
        }
        let slow_elsewhere = TextPattern::parse("(a|a)+$").unwrap();
        assert_eq!(slow_elsewhere.find_in(&("a".repeat(200_000) + "b")).count(), 0);
    }

    #[test]
    fn matches_of_nothing_are_none() {
        assert_eq!(TextPattern::parse("\\b").unwrap().find_in("a b").count(), 0);
        assert!(TextPattern::parse("(?s).+").unwrap().is_of_everything());
        assert!(!TextPattern::parse("\\d+").unwrap().is_of_everything());
    }
}
