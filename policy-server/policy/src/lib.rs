//! The law: a TOML document of servers, roles, grants and tests becomes a [`Ruleset`], and a
//! ruleset answers a [`Request`] with a [`Decision`].
//!
//! Pure: no clock, no file, no network. Time comes in as a parameter. This crate knows nothing of
//! MCP's wire; it is asked about a member, a server, a tool and arguments, and answers.

mod condition;
pub mod decision;
pub mod document;
pub mod identity;
pub mod matcher;
pub mod pattern;
pub mod problem;
pub mod ruleset;
pub mod standing;

pub use condition::Condition;
pub use decision::{Decision, Mode, Outcome, Request, Verdict};
pub use document::Document;
pub use identity::ServerIdentity;
pub use problem::Problem;
pub use ruleset::{AgentSettings, Explanation, Ruleset};
pub use standing::Standing;
