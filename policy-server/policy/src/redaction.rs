//! `[[redact]]`: what is taken out of arguments and results before they are forwarded and recorded.
//!
//! Here stands what a rule says and how a field or a text is recognised. Where in a message texts stand, and
//! how one is replaced, is the gate's.

mod field;
mod text;

pub use field::{FieldPath, Reached, Step};
pub use text::TextPattern;

use crate::document::{Place, Scope};

/// One rule: which texts of whose messages, and what stands in their place.
#[derive(Debug, Clone)]
pub struct Redaction {
    pub name: String,
    pub place: Place,
    /// Names of the document; empty for everybody.
    pub roles: Vec<String>,
    /// Names of the document; empty for every server, known or not.
    pub servers: Vec<String>,
    /// Whose messages; a rule without lists means all of them.
    pub scope: Scope,
    pub direction: Direction,
    pub fields: Vec<FieldPath>,
    pub patterns: Vec<TextPattern>,
    /// Whatever the record masks as a secret.
    pub secrets: bool,
    /// What stands in the place of a text.
    pub with: String,
}

/// Which way the message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the server: arguments of calls and prompts, and what the client answers a server.
    Arguments,
    /// To the client: results, errors, notices, and what a server asks of the client.
    Results,
    Both,
}

impl Direction {
    #[must_use]
    pub fn is_of_arguments(self) -> bool {
        self != Self::Results
    }

    #[must_use]
    pub fn is_of_results(self) -> bool {
        self != Self::Arguments
    }

    /// As the document writes it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Arguments => "arguments",
            Self::Results => "results",
            Self::Both => "both",
        }
    }
}
