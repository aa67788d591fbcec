//! One conversation: open requests, what the client was shown, which era it speaks.

use crate::judged::Judged;
use policy::{Ruleset, ServerIdentity};
use std::time::Duration;
use time::OffsetDateTime;

/// What holds for the whole conversation.
#[derive(Debug, Clone)]
pub struct Facts {
    pub member: String,
    pub device: String,
    pub server: ServerIdentity,
}

/// The moment a message was read: wall clock for the rules, monotonic for durations.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    pub wall: OffsetDateTime,
    /// Since any fixed start.
    pub monotonic: Duration,
}

/// The state of one conversation. No I/O, no clock.
pub struct Session {}

impl Session {
    #[must_use]
    pub fn new(_facts: Facts) -> Self {
        todo!()
    }

    /// Judges one line from the client.
    pub fn from_client(&mut self, _line: mcp::Line, _rules: &Ruleset, _now: Now) -> Judged {
        todo!()
    }

    /// Judges one line from the server.
    pub fn from_server(&mut self, _line: mcp::Line, _rules: &Ruleset, _now: Now) -> Judged {
        todo!()
    }

    /// The policy changed: a `notifications/tools/list_changed` for the client, in the shape of its era.
    /// One per open subscription that asked for it in 2026-07-28. Empty where the client has not listed
    /// tools yet, or what it may see is the same.
    pub fn policy_changed(&mut self, _rules: &Ruleset, _now: Now) -> Vec<Judged> {
        todo!()
    }

    /// The server is gone (`why`: a sentence for the developer): closes every open request with an
    /// error to the client and an outcome record each.
    pub fn server_gone(&mut self, _why: &str, _now: Now) -> Vec<Judged> {
        todo!()
    }

    /// The client's name and version as it gave them in `initialize` or `_meta`.
    #[must_use]
    pub fn client(&self) -> Option<(&str, &str)> {
        todo!()
    }
}
