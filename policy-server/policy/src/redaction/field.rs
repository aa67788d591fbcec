//! Paths to fields: `password`, `user.*.token`, `**.secret`.
//!
//! A path begins at the arguments, or at the structured content, as a whole. `*` is any one member or item,
//! `**` any number of them, also none. Lists need not be named: `users.token` is the token of each user.
//! Case of names does not count, since servers that read `Password` for `password` exist.

/// One path. Compare with [`FieldPath::matches`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPath {
    text: String,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    /// In lower case.
    Name(String),
    Any,
    Deep,
}

/// One step down into a JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A member, by its decoded name in lower case: make it with [`Step::member`].
    Member(String),
    Item,
}

impl Step {
    #[must_use]
    pub fn member(name: &str) -> Self {
        Self::Member(name.to_lowercase())
    }
}

/// So deep a path may go; [`Reached`] has a bit for each.
const MOST_SEGMENTS: usize = 16;

impl FieldPath {
    /// A `.` or `*` of a name is written `\.` and `\*`.
    pub(crate) fn parse(text: &str) -> Result<Self, (String, String)> {
        let bad = |help: &str| Err((format!("bad field `{text}`"), help.to_owned()));
        let mut segments = Vec::new();
        for part in split(text) {
            match part.as_str() {
                "" => return bad("write names with a `.` between them: `user.*.token`"),
                "*" => segments.push(Segment::Any),
                "**" => segments.push(Segment::Deep),
                name => match unescaped(name) {
                    Some(name) => segments.push(Segment::Name(name.to_lowercase())),
                    None => {
                        return bad(
                            "a `*` stands alone between dots; write `\\*` and `\\.` where a name has them",
                        );
                    }
                },
            }
        }
        if segments.len() > MOST_SEGMENTS {
            return bad("a path has 16 names at most; `**` stands for any number of them");
        }
        if !segments.iter().any(|segment| matches!(segment, Segment::Name(_))) {
            return bad("name at least one field; where all texts are meant, write patterns = [\".+\"]");
        }
        Ok(Self { text: text.to_owned(), segments })
    }

    /// As its author wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Does the path end exactly here?
    #[must_use]
    pub fn matches(&self, steps: &[Step]) -> bool {
        self.ends(steps.iter().fold(self.begin(), |reached, step| self.step(reached, step)))
    }

    /// At the arguments, or the structured content, as a whole.
    #[must_use]
    pub fn begin(&self) -> Reached {
        self.with_deep_for_none(1)
    }

    /// One step further down.
    #[must_use]
    pub fn step(&self, reached: Reached, step: &Step) -> Reached {
        // Lists need not be named.
        let mut next = if *step == Step::Item { reached.0 } else { 0 };
        for (at, segment) in self.segments.iter().enumerate().filter(|(at, _)| reached.0 & (1 << at) != 0) {
            match (segment, step) {
                (Segment::Deep, _) => next |= 1 << at,
                (Segment::Any, _) => next |= 1 << (at + 1),
                (Segment::Name(name), Step::Member(member)) if name == member => next |= 1 << (at + 1),
                (Segment::Name(_), _) => {}
            }
        }
        self.with_deep_for_none(next)
    }

    #[must_use]
    pub fn ends(&self, reached: Reached) -> bool {
        reached.0 & (1 << self.segments.len()) != 0
    }

    fn with_deep_for_none(&self, mut reached: u32) -> Reached {
        for (at, segment) in self.segments.iter().enumerate() {
            if *segment == Segment::Deep && reached & (1 << at) != 0 {
                reached |= 1 << (at + 1);
            }
        }
        Reached(reached)
    }
}

/// How far along a path one is: a bit for each number of segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached(u32);

/// At every dot that is not escaped; escapes stay.
fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for c in text.chars() {
        match parts.last_mut() {
            Some(part) if c != '.' || escaped => part.push(c),
            _ => parts.push(String::new()),
        }
        escaped = c == '\\' && !escaped;
    }
    parts
}

/// `None` where a `*` stands in a name, or a backslash before nothing.
fn unescaped(name: &str) -> Option<String> {
    let mut plain = String::new();
    let mut chars = name.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => plain.push(chars.next()?),
            '*' => return None,
            c => plain.push(c),
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::{FieldPath, Step};

    fn steps(text: &str) -> Vec<Step> {
        let parts = text.split('/').filter(|part| !part.is_empty());
        parts.map(|part| if part == "#" { Step::Item } else { Step::member(part) }).collect()
    }

    #[test]
    fn a_path_ends_where_it_says() {
        for (path, at, expected) in [
            ("password", "password", true),
            ("password", "Password", true),
            ("password", "user/password", false),
            ("password", "password/inner", false),
            ("password", "#/password", true),
            ("user.*.token", "user/a/token", true),
            ("user.*.token", "user/token", false),
            ("user.*.token", "user/#/token", true),
            ("user.*.token", "user/#/a/token", true),
            ("user.*.token", "user/a/b/token", false),
            ("users.token", "users/#/token", true),
            ("users.token", "users/#/#/token", true),
            ("**.secret", "secret", true),
            ("**.secret", "a/#/b/secret", true),
            ("a.**.b", "a/b", true),
            ("a.**.b", "a/x/y/b", true),
            ("a.**.b", "x/a/b", false),
            ("list", "list", true),
            ("list", "list/#", true),
            ("a\\.b", "a.b", true),
            ("a\\*", "a*", true),
            ("größe", "GRÖSSE", false),
            ("größe", "GRÖßE", true),
        ] {
            let path = FieldPath::parse(path).expect(path);
            assert_eq!(path.matches(&steps(at)), expected, "{path:?} at {at}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in ["", ".", "a.", "a..b", "a*", "*", "**.*", "a\\", &"a.".repeat(17)] {
            assert!(FieldPath::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn attack_many_deep_stars_are_answered_at_once() {
        let path = FieldPath::parse("**.a.**.a.**.a.**.a.**.a.**.b").unwrap();
        assert!(!path.matches(&vec![Step::member("a"); 10_000]));
    }
}
