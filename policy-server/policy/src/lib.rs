//! The law: a TOML document of servers, roles, grants and tests becomes a [`Ruleset`], and a
//! ruleset answers a [`Request`] with a [`Decision`].
//!
//! Pure: no clock, no file, no network. Time comes in as a parameter. This crate knows nothing of
//! MCP's wire; it is asked about a member, a server, a feature of it (a tool, a resource …) and
//! arguments, and answers.
//!
//! ```
//! use policy::{Document, Feature, Request, Ruleset, ServerIdentity, Standing, Verdict};
//!
//! let document = Document::parse(r#"
//!     [defaults]
//!     mode = "enforce"                          # "monitor" where nothing is said
//!     contact = "security@acme.example"
//!
//!     [servers.tracker]
//!     match = ["npm:@acme/tracker", "https://tracker.acme.example/*"]
//!
//!     [roles.engineering]
//!     members = ["*@acme.example"]
//!
//!     [[grants]]
//!     name = "small-orders"
//!     roles = ["engineering"]
//!     servers = ["tracker"]
//!     tools = ["order_*"]
//!     when = 'context.args.amount <= 100'       # a Cedar expression
//!     reason = "Larger orders go through purchasing."
//!
//!     [[tests]]
//!     member = "alice@acme.example"
//!     server = "tracker"
//!     tool = "order_book"
//!     args = { amount = 101 }
//!     expect = "refuse"
//!     rule = "small-orders"
//! "#)?;
//! assert_eq!(document.run_tests()?, 1);
//!
//! let ruleset = Ruleset::compile(&document, &Standing::default(), 7, None)?;
//! let server = ServerIdentity::from_command("npx", &["-y".into(), "@acme/tracker@2.1.0".into()]);
//! let arguments = serde_json::json!({ "amount": 99 });
//! let decision = ruleset.decide(&Request {
//!     member: "Alice@acme.example",
//!     device: "",
//!     client: "claude-code",
//!     server: &server,
//!     feature: Feature::Tool,
//!     name: "order_book",
//!     arguments: Some(&arguments),
//!     now: time::OffsetDateTime::UNIX_EPOCH,
//! });
//! assert_eq!(decision.verdict, Verdict::Allow);
//! # Ok::<(), Vec<policy::Problem>>(())
//! ```

mod condition;
pub mod decision;
pub mod document;
pub mod identity;
pub mod matcher;
pub mod pattern;
pub mod problem;
pub mod redaction;
pub mod ruleset;
pub mod standing;
mod uri;

pub use condition::Condition;
pub use decision::{Decision, Feature, Mode, Outcome, Request, Verdict};
pub use document::Document;
pub use identity::ServerIdentity;
pub use problem::Problem;
pub use redaction::Redaction;
pub use ruleset::{AgentSettings, DefinitionsMode, DefinitionsRule, DoorSettings, Explanation, Ruleset};
pub use standing::Standing;
