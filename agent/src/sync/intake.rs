//! The one way in for policy, whoever brings it: fetched from the server, or carried here as a file.

use super::{Adopted, PolicyState, Refusal, adopt};
use contract::bundle::Anchor;
use contract::report::PolicyRefused;
use platform::Layout;
use tokio::sync::{Mutex, watch};

pub struct Intake {
    layout: Layout,
    anchor: Anchor,
    policy: watch::Sender<PolicyState>,
    /// One bundle at a time: each is held against what the one before it left.
    turn: Mutex<()>,
}

impl Intake {
    #[must_use]
    pub fn new(layout: Layout, anchor: Anchor, policy: watch::Sender<PolicyState>) -> Self {
        Self { layout, anchor, policy, turn: Mutex::new(()) }
    }

    /// Verifies a bundle and puts it in force; gives its policy version.
    ///
    /// # Errors
    /// Why it was refused. What was in force still is, and everybody who watches is told.
    pub async fn take(&self, bytes: &[u8]) -> Result<u64, PolicyRefused> {
        let _turn = self.turn.lock().await;
        match adopt(&self.layout, &self.anchor, bytes).await {
            Ok(adopted) => Ok(self.adopted(adopted)),
            Err(refusal) => Err(self.refused(&refusal)),
        }
    }

    fn adopted(&self, mut adopted: Adopted) -> u64 {
        let version = adopted.version;
        let before = self.policy.borrow().adopted.as_ref().map(|before| (before.version, before.since));
        match before {
            // Signed afresh, or fetched anew after a start: in force since it first was.
            Some((known, since)) if known == version => adopted.since = since,
            _ => tracing::info!(policy.version = version, "policy.adopted"),
        }
        self.policy.send_modify(|state| {
            state.adopted = Some(adopted);
            state.refused = None;
        });
        version
    }

    fn refused(&self, refusal: &Refusal) -> PolicyRefused {
        let refused = refusal.to_report();
        tracing::warn!(code = %refused.code, detail = %refused.detail, "policy.refused");
        self.policy.send_if_modified(|state| {
            let changed = state.refused.as_ref() != Some(&refused);
            state.refused = Some(refused.clone());
            changed
        });
        refused
    }
}
