//! Names that are made to be taken for others.

use super::{EXCERPT, Flag, Sign};
use crate::definitions::characters;
use crate::definitions::{Elsewhere, Part};
use std::fmt::Write as _;
use unicode_security::skeleton;

pub(super) fn check(part: Part, name: &str, elsewhere: &Elsewhere, found: &mut Vec<Flag>) {
    if !matches!(part, Part::Tool | Part::Prompt) {
        return;
    }
    if is_deceptive(name) {
        let excerpt = spelled_out(name);
        found.push(Flag { sign: Sign::DeceptiveName, member: "name".to_owned(), excerpt });
    }
    if part == Part::Tool
        && let Some(server) = elsewhere.owner(name)
    {
        found.push(Flag { member: "name".to_owned(), ..Flag::whole(Sign::SameNameElsewhere, server) });
    }
}

/// Does it look like an ASCII name, in whole or between letters that are?
fn is_deceptive(name: &str) -> bool {
    if name.is_ascii() {
        return false;
    }
    let is_letter = |c: &char| c.is_alphanumeric();
    let letters = || name.chars().filter(is_letter);
    let looks_ascii =
        letters().any(imitates_ascii) && (letters().any(|c| c.is_ascii()) || letters().all(imitates_ascii));
    looks_ascii || name.chars().any(characters::is_hidden)
}

/// `é` is nobody's trick: its skeleton keeps the accent.
fn imitates_ascii(c: char) -> bool {
    !c.is_ascii() && skeleton(c.encode_utf8(&mut [0; 4])).all(|c| c.is_ascii())
}

fn spelled_out(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars().take(EXCERPT) {
        if c.is_ascii_graphic() || c == ' ' {
            out.push(c);
        } else {
            let _ = write!(out, "{}", c.escape_unicode());
        }
    }
    out
}
