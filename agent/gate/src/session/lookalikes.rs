//! Names that imitate an allowed tool's: in another case, with invisible characters, in letters of other
//! scripts. Names are compared exactly, so such a call is refused like any other; here it is recognised,
//! for the record.

use super::calls::Ask;
use super::{Session, malformed_entry};
use crate::entry::Entry;
use crate::refusal::{Named, shorten};
use policy::Feature;
use unicode_security::skeleton;

/// Longer names are not looked at.
const MAX_BYTES: usize = 256;

impl Session {
    /// The record of a refused call whose name could be taken for one that is allowed.
    pub(super) fn imitation(&self, named: Option<&Named>, ask: &Ask<'_>) -> Option<Entry> {
        let name = named.filter(|named| named.feature == Feature::Tool)?.name.as_str();
        if name.len() > MAX_BYTES {
            return None;
        }
        let look = look(name);
        let is_imitated = |other: &str| other != name && self::look(other) == look;
        let by_list = self.shown.tools().find(|tool| is_imitated(tool)).map(str::to_owned);
        let is_visible = |name: &str| ask.rules.visible(&self.question(Feature::Tool, name, None, ask.now));
        // Where the name itself is as good, it was refused for something else.
        let by_rule = || (look != name && is_visible(&look) && !is_visible(name)).then(|| look.clone());
        let imitated = by_list.or_else(by_rule)?;
        let (name, imitated) = (shorten(&spelled_out(name), 200), shorten(&imitated, 128));
        let why = format!("the tool \"{name}\" is not {imitated:?}, but looks like it");
        Some(malformed_entry("lookalike-name", &why, true))
    }
}

/// What somebody sees who does not look closely.
fn look(name: &str) -> String {
    let visible: String =
        name.chars().filter(|c| !mcp::is_invisible(*c)).flat_map(char::to_lowercase).collect();
    skeleton(&visible).collect()
}

/// So that a reader of the record sees the difference.
fn spelled_out(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_graphic() {
            out.push(c);
        } else {
            out.extend(c.escape_unicode());
        }
    }
    out
}
