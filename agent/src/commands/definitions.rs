//! What `status` and `doctor` have to say of definitions. Of this user's own servers, from disk: a resident
//! need not run, and does not know which of its users asks.

use super::{about, in_force};
use crate::active_policy::InForce;
use crate::pins::{Pins, Standing};
use platform::Layout;
use policy::{DefinitionsMode, Mode, ServerIdentity};

/// What is held back by the policy in force here; where there is none (a trial), by the pins alone.
pub(super) async fn standing(layout: &Layout) -> Standing {
    let mut standing = Pins::of(layout).standing();
    if standing.held.is_empty() {
        return standing;
    }
    if let Some(in_force) = in_force(layout).await {
        standing.held.retain(|held| holds(&in_force, &ServerIdentity::from_canonical(held.server.clone())));
    }
    standing
}

/// Policy may have come to report only, and a pin says what it said when it was last seen.
fn holds(in_force: &InForce, server: &ServerIdentity) -> bool {
    let is_enforced = in_force.ruleset.decide(&about(in_force, server)).mode == Mode::Enforce;
    is_enforced && in_force.ruleset.definitions_of(server).mode == DefinitionsMode::Hold
}
