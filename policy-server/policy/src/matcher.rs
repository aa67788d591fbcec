//! Who and what a document means: patterns over members, and over server identities.
//!
//! Both are parsed once, at the document's border. Members compare without regard to ASCII case;
//! identities compare part by part, so that a `*` cannot reach from one part into the next: a star
//! in a host never swallows a path, a star in a program never swallows its script.

use crate::identity::{self, Parts};
use crate::pattern::Pattern;

type Fault = (String, String);

/// `alice@acme.example`, `*@acme.example`, `*`; kept in ASCII lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberPattern(Pattern);

impl MemberPattern {
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"?[]{}\\,;<>\"".contains(c);
        if text.is_empty() || !text.chars().all(plain) {
            let help = "a member is an address, `alice@acme.example`; `*` is the only wildcard";
            return Err((format!("bad member `{text}`"), help.to_owned()));
        }
        let addresses = text.matches('@').count();
        let whole = addresses == 1 && !text.starts_with('@') && !text.ends_with('@');
        if text != "*" && !whole && !text.to_ascii_lowercase().starts_with("robot:") {
            let help = "write a whole address, `*@acme.example` for a domain, or `*` for everybody";
            return Err((format!("bad member `{text}`"), help.to_owned()));
        }
        Ok(Self(Pattern::new(&text.to_ascii_lowercase())))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub(crate) fn pattern(&self) -> &Pattern {
        &self.0
    }
}

/// One entry of a server's `match` list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerMatcher {
    text: String,
    scheme: String,
    /// The host of a URL, else the package, image or program.
    name: Pattern,
    /// The path of a URL, else the version: `None` matches every version.
    rest: Option<Pattern>,
    words: Vec<Pattern>,
}

impl ServerMatcher {
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let bad = |help: &str| (format!("bad server match `{text}`"), help.to_owned());
        let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
        if !identity::SCHEMES.contains(&scheme) {
            return Err(bad(
                "write `npm:`, `pypi:`, `oci:`, `exec:`, `https://`, `http://` or `client:` and what is run",
            ));
        }
        let reserved: &[char] = match scheme {
            "exec" => &[],
            // Extras of a package, and addresses of IPv6, have square brackets.
            "pypi" | "https" | "http" => &['?', '{', '}', '\\'],
            _ => &['?', '[', ']', '{', '}', '\\'],
        };
        if text.chars().any(char::is_control) || text.contains(reserved) {
            return Err(bad("only `*` is special; list alternatives one by one"));
        }
        let text = identity::canonical_matcher(text).map_err(|help| bad(&help))?;
        let parts = Parts::of(&text);
        if parts.name.is_empty() {
            return Err(bad("there is nothing after the scheme"));
        }
        if parts.scheme == "npm" && parts.name.starts_with('@') && !parts.name.contains('/') {
            return Err(bad("a scope alone is no package; write `npm:@scope/*` for all of its packages"));
        }
        // A star in a host would reach into the path: `https://*.acme.example/` in `https://evil/x.acme.example/`.
        let host = |word: &str| Some(word.split_once("://")?.1.split('/').next()?.to_owned());
        if parts.words().filter_map(host).any(|host| host.contains('*')) {
            return Err(bad("the host of a carried URL is written out; `*` may stand in its path"));
        }
        let words = parts.words().map(Pattern::new).collect();
        Ok(Self {
            scheme: parts.scheme.to_owned(),
            name: Pattern::new(parts.name),
            rest: parts.rest.map(Pattern::new),
            words,
            text: text.clone(),
        })
    }

    /// As canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn matches(&self, parts: &Parts<'_>) -> bool {
        self.scheme == parts.scheme
            && self.name.matches(parts.name)
            && self.rest.as_ref().is_none_or(|rest| parts.rest.is_some_and(|text| rest.matches(text)))
            && self.words_match(parts)
    }

    fn words_match(&self, parts: &Parts<'_>) -> bool {
        let mut words = parts.words();
        self.words.iter().all(|pattern| words.next().is_some_and(|word| pattern.matches(word)))
            && words.next().is_none()
    }

    /// Matches every version of its name.
    pub(crate) fn is_open(&self) -> bool {
        self.rest.is_none()
    }

    /// What the catalogue's hash index files it under: scheme and name, where the name has no star.
    pub(crate) fn key(&self) -> Option<&str> {
        self.name.literal()?;
        Some(Parts::of(&self.text).key)
    }
}

impl std::fmt::Display for ServerMatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}
