//! `portreeve configs …`: see, make and undo the changes to the clients' configurations.

use std::process::ExitCode;

use platform::Layout;

use crate::out::Out;

/// `portreeve configs`.
#[derive(Debug, clap::Args)]
pub struct ConfigsArgs {
    #[command(subcommand)]
    pub action: ConfigsAction,
}

#[derive(Debug, clap::Subcommand)]
pub enum ConfigsAction {
    /// Show what would change, file by file; changes nothing
    Plan,
    /// Put the guard in front of every server that can be governed
    Apply,
    /// List every server, and whether it is governed or why not
    List,
    /// Take everything of ours out again
    Restore,
}

/// # Errors
/// The home folder is unknown, or the steward's own state cannot be used.
pub fn run(_args: ConfigsArgs, _layout: Layout, _out: Out) -> anyhow::Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
