//! Splice edits: change one place of a message and keep every other byte.
