//! What changes between two documents, in words.

use super::Document;

pub(super) fn changes(_old: &Document, _new: &Document) -> Vec<String> {
    Vec::new()
}
