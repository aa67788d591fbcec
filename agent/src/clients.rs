//! Every MCP server entry that the Claude clients of one home would start or dial.
//!
//! Reads only. What to change about an entry is [`crate::steward`]'s business.

use std::path::PathBuf;

/// One user's home folder. Work is done as the current user; a system-wide service makes one of
/// these for each user it has dropped its privileges to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    pub path: PathBuf,
    pub user: String,
    /// Further folders that hold what `~/.claude` and `~/.claude.json` hold (`CLAUDE_CONFIG_DIR`).
    pub config_dirs: Vec<PathBuf>,
}
