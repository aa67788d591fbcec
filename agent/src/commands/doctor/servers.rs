//! Whether what is guarded works: a server that was given up, or answers nobody, is told of with its remedy.

use super::Check;
use crate::commands::failing::Failing;
use time::OffsetDateTime;

const NAME: &str = "guarded servers";

pub(super) fn checks(failing: &[Failing], now: OffsetDateTime) -> Vec<Check> {
    if failing.is_empty() {
        return vec![Check::well(NAME, "none that a guard has given up, or that answers nobody")];
    }
    let failed = |it: &Failing| {
        let remedy = format!(
            "`portreeve status --server {}` shows its last words; mend it, then reconnect it (in Claude: /mcp)",
            it.name
        );
        Check::failed(NAME, it.told(now), remedy)
    };
    failing.iter().map(failed).collect()
}
