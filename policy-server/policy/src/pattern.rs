//! Names with `*` in them, as Cedar's `like` reads them: `*` stands for any run of characters, also
//! none, and every other character stands for itself. Matching is over the whole text and exact:
//! nothing is folded, trimmed or normalised.
//!
//! Deliberately not a file glob: `?`, `[…]` and `{…}` would make the same document mean one thing in
//! our index and another in the Cedar text it compiles to.

/// One pattern. Compare with [`Pattern::matches`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern(Box<str>);

impl Pattern {
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The one text it matches, where it holds no `*`.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        (!self.0.contains('*')).then_some(&*self.0)
    }

    /// The pattern that fits all that a URI template (RFC 6570) may expand to: a star for each expression.
    /// What is no well-formed template fits everything.
    #[must_use]
    pub fn of_template(template: &str) -> Self {
        let mut pattern = String::with_capacity(template.len());
        let mut rest = template;
        while let Some((literal, expression)) = rest.split_once('{') {
            let Some((name, after)) = expression.split_once('}') else { return Self::new("*") };
            if name.contains('{') {
                return Self::new("*");
            }
            pattern.push_str(literal);
            pattern.push('*');
            rest = after;
        }
        Self::new(&(pattern + rest))
    }

    /// Is there a text that both match? At most one pattern's length times the other's in time.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.0.as_bytes(), other.0.as_bytes());
        // One row at a time: can what is left of ours (from `o`) meet what is left of theirs (from `t`)?
        let ends = |pattern: &[u8]| pattern.iter().all(|&byte| byte == b'*');
        let mut below: Vec<bool> = (0..=theirs.len()).map(|t| ends(&theirs[t..])).collect();
        for o in (0..ours.len()).rev() {
            let mut row = vec![false; theirs.len() + 1];
            row[theirs.len()] = ends(&ours[o..]);
            for t in (0..theirs.len()).rev() {
                row[t] = match (ours[o], theirs[t]) {
                    (b'*', _) | (_, b'*') => below[t] || row[t + 1],
                    (a, b) => a == b && below[t + 1],
                };
            }
            below = row;
        }
        below[0]
    }

    /// Matches everything.
    #[must_use]
    pub fn is_any(&self) -> bool {
        !self.0.is_empty() && self.0.bytes().all(|byte| byte == b'*')
    }

    /// Greedy with one point of return: time is at most pattern length times text length.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let (pattern, text) = (self.0.as_bytes(), text.as_bytes());
        let (mut p, mut t) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        while t < text.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    retry = Some((p + 1, t));
                    p += 1;
                }
                Some(&byte) if byte == text[t] => {
                    p += 1;
                    t += 1;
                }
                _ => match retry {
                    Some((star, from)) => {
                        retry = Some((star, from + 1));
                        p = star;
                        t = from + 1;
                    }
                    None => return false,
                },
            }
        }
        pattern[p..].iter().all(|&byte| byte == b'*')
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn a_pattern_matches_the_whole_exact_text() {
        for (pattern, text, expected) in [
            ("get_issue", "get_issue", true),
            ("get_issue", "get_issues", false),
            ("get_*", "get_", true),
            ("get_*", "Get_issue", false),
            ("get_*", " get_issue", false),
            ("*", "", true),
            ("*", "anything/at.all", true),
            ("*_delete", "repo_delete", true),
            ("*_delete", "repo_delete_all", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("**", "x", true),
            ("", "", true),
            ("", "x", false),
            ("[a]", "a", false),
            ("größe_*", "größe_x", true),
        ] {
            assert_eq!(Pattern::new(pattern).matches(text), expected, "{pattern:?} on {text:?}");
        }
    }

    #[test]
    fn patterns_meet_where_a_text_fits_both() {
        for (one, other, expected) in [
            ("file:///work/*", "file:///*", true),
            ("file:///work/*", "file:///*.md", true),
            ("file:///work/*", "file:///home/*", false),
            ("*", "", true),
            ("", "", true),
            ("a", "", false),
            ("a*", "*b", true),
            ("a*c", "ab", false),
            ("a*c", "a*b", false),
            ("*a*", "b*b", true),
            ("memo://x", "memo://*", true),
            ("memo://x", "memo://*y", false),
        ] {
            assert_eq!(Pattern::new(one).meets(&Pattern::new(other)), expected, "{one} {other}");
            assert_eq!(Pattern::new(other).meets(&Pattern::new(one)), expected, "{other} {one}");
        }
    }

    #[test]
    fn a_template_is_a_pattern_with_stars() {
        for (template, expected) in [
            ("file:///{path}", "file:///*"),
            ("repo://{owner}/{repo}/contents{/path*}", "repo://*/*/contents*"),
            ("memo://insights", "memo://insights"),
            ("memo://{open", "*"),
            ("memo://{a{b}}", "*"),
        ] {
            assert_eq!(Pattern::of_template(template).as_str(), expected);
        }
    }

    #[test]
    fn attack_a_pattern_of_many_stars_is_answered_at_once() {
        let pattern = Pattern::new(&"*a".repeat(50));
        assert!(!pattern.matches(&"b".repeat(100_000)));
        assert!(!pattern.matches(&("a".repeat(49) + &"b".repeat(10_000))));
    }
}
