//! Secrets that give themselves away by what they are called: by their own name, by the one in a pair, by
//! the flag before them.

use super::{Blocked, Taken, Walk};
use crate::redaction::apart::is_secret;
use crate::redaction::scanner::decoded;
use crate::secrets;
use std::ops::Range;

/// A variable or a header in two members of one object.
#[derive(Default)]
pub(super) struct Pair<'r> {
    /// The name is a secret's; this stands in the place of the value.
    with: Option<&'r str>,
    /// Where values stand, and how many splices there were before each.
    values: Vec<(usize, Range<usize>)>,
}

impl<'r> Walk<'r, '_> {
    /// Whose name says that it holds a secret.
    pub(super) fn by_name(&self, key: &str) -> Option<Taken<'r>> {
        let rule = self.texts.rules.iter().find(|rule| rule.secrets)?;
        is_secret(key).then_some(Taken { with: &rule.with, by_path: false })
    }

    /// `{"name": "API_KEY", "value": "…"}`: what of it comes next?
    pub(super) fn note(&mut self, key: &str, pair: &mut Pair<'r>) {
        let Some(rule) = self.texts.rules.iter().find(|rule| rule.secrets) else { return };
        let mut ahead = self.scanner.clone();
        if ahead.peek() != b'"' {
            return;
        }
        let at = ahead.string();
        if secrets::is_name(key) && secrets::is_secret_name(&decoded(&self.text[at.clone()])) {
            pair.with = Some(&rule.with);
        } else if secrets::is_value(key) {
            pair.values.push((self.splices.len(), at));
        }
    }

    /// The name was a secret's, so its value goes, whatever of it went before.
    pub(super) fn take_pair(&mut self, pair: Pair<'r>) -> Result<(), Blocked> {
        let Some(with) = pair.with else { return Ok(()) };
        for (index, at) in pair.values.into_iter().rev() {
            let later = self.splices.split_off(index);
            let (before, later): (Vec<_>, Vec<_>) = later.into_iter().partition(|(range, _)| *range == at);
            if before.is_empty() {
                self.string(at, Some(Taken { with, by_path: false }))?;
            } else {
                self.splices.push((at, serde_json::to_string(with).map_err(|_| Blocked::Unreadable)?));
            }
            self.splices.extend(later);
        }
        Ok(())
    }

    /// `["--token", "…"]`
    pub(super) fn is_flag(&self) -> Option<Taken<'r>> {
        let rule = self.texts.rules.iter().find(|rule| rule.secrets)?;
        let mut ahead = self.scanner.clone();
        if ahead.peek() != b'"' {
            return None;
        }
        let text = decoded(&self.text[ahead.string()]);
        secrets::is_secret_flag(&text).then_some(Taken { with: &rule.with, by_path: false })
    }
}
