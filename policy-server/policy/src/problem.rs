//! A fault in a policy document, said so that its author finds it.

use serde::{Deserialize, Serialize};

/// One fault. Lines and columns count from 1; columns count characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    pub line: usize,
    pub column: usize,
    /// What is wrong, lower case, naming the key or name: ``unknown server `jira` in grant `triage` ``.
    pub message: String,
    /// What to do about it; empty where the message says all.
    pub help: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)?;
        if !self.help.is_empty() {
            write!(f, " ({})", self.help)?;
        }
        Ok(())
    }
}
