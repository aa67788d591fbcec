//! The policy document as its author writes it: TOML in, checked values out.

use crate::problem::Problem;

/// A document that parsed: every key known, every name resolved, every condition syntactically Cedar.
#[derive(Debug, Clone)]
pub struct Document {}

impl Document {
    /// # Errors
    /// All faults found, in document order; never empty.
    pub fn parse(_text: &str) -> Result<Self, Vec<Problem>> {
        todo!()
    }

    /// Runs the document's own `[[tests]]` against its own ruleset.
    ///
    /// # Errors
    /// One problem a failing test, at the test's line, saying expected and got.
    pub fn run_tests(&self) -> Result<usize, Vec<Problem>> {
        todo!()
    }
}
