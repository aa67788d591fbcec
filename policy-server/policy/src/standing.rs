//! Who has left: the signed list that stands beside the policy document and beats it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Members and devices whose access has ended. It is a signed target of its own, so that ending
/// somebody's access needs no edit of the policy, and it is enforced in monitor mode too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    #[serde(default)]
    pub suspended_members: BTreeSet<String>,
    #[serde(default)]
    pub revoked_devices: BTreeSet<String>,
}
