//! Resource URIs against patterns. A URI that different readers read differently must not slip through:
//! an allow has to fit every reading of it, a deny any of them.
//!
//! Nothing is rewritten for anybody: the server gets the URI as it was sent. And nothing is known here of
//! what a server makes of a URI (links, case of file names): only of what URIs are.

mod plain;

pub(crate) use plain::{is_invisible, is_plain};

use crate::pattern::Pattern;

/// One URI, as it was sent and as it may be read.
pub(crate) struct Uri<'a> {
    pub sent: &'a str,
    /// Every reader takes it for the same.
    pub plain: bool,
    folded: String,
}

impl<'a> Uri<'a> {
    pub fn of(sent: &'a str) -> Self {
        Self { sent, plain: is_plain(sent), folded: folded(sent) }
    }

    pub fn readings(&self) -> Readings<'_> {
        Readings::of(self.sent)
    }

    /// The readings for denies: see [`folded`].
    pub fn folded(&self) -> Readings<'_> {
        Readings::of(&self.folded)
    }

    /// Does a pattern with a star allow it? Every reading must fit, but for parts that the pattern itself
    /// speaks of. (One without a star allows exactly what it says, and `*` everything.)
    pub fn is_allowed_by(&self, pattern: &Pattern) -> bool {
        let Readings { whole, unfragmented, unqueried } = self.readings();
        let speaks = |of: char| pattern.as_str().contains(of);
        self.plain
            && pattern.matches(whole)
            && (speaks('#') || pattern.matches(unfragmented))
            && (speaks('?') || speaks('#') || pattern.matches(unqueried))
    }

    /// Does a pattern other than `*` deny it? `folded` is the pattern's own [`folded`] text.
    pub fn is_denied_by(&self, pattern: &Pattern, folded: &Pattern) -> bool {
        let Readings { whole, unfragmented, unqueried } = self.folded();
        !self.plain
            || pattern.matches(self.sent)
            || [whole, unfragmented, unqueried].iter().any(|reading| folded.matches(reading))
    }
}

/// Many servers leave a fragment or a query out of account.
pub(crate) struct Readings<'a> {
    pub whole: &'a str,
    pub unfragmented: &'a str,
    pub unqueried: &'a str,
}

impl<'a> Readings<'a> {
    fn of(uri: &'a str) -> Self {
        let until = |ends: &[char]| uri.find(ends).map_or(uri, |end| &uri[..end]);
        Self { whole: uri, unfragmented: until(&['#']), unqueried: until(&['?', '#']) }
    }
}

/// Percent-decoded once, without case, without repeated slashes and without one at the end: so that no
/// spelling of what is denied is another.
pub(crate) fn folded(uri: &str) -> String {
    let decoded = decoded(uri);
    let mut folded = String::with_capacity(decoded.len());
    for c in decoded.chars().flat_map(char::to_lowercase) {
        if c != '/' || !folded.ends_with('/') {
            folded.push(c);
        }
    }
    if folded.ends_with('/') {
        folded.pop();
    }
    folded
}

/// What is no UTF-8 after decoding becomes U+FFFD; a `%` without two digits stays.
pub(crate) fn decoded(uri: &str) -> String {
    let mut bytes = Vec::with_capacity(uri.len());
    let mut rest = uri.as_bytes();
    while let [first, tail @ ..] = rest {
        if let Some(byte) = escaped(rest) {
            bytes.push(byte);
            rest = &rest[3..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The byte behind the `%XX` that the text begins with.
fn escaped(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests;
